//! Reading an entry into memory in one go: the same bytes as copying it, and the same refusals.

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_testkit::zip::{ZipBuilder, ZipEntry, deflate, temporary};

/// Both ways for every entry, with one buffer for all.
fn check(entries: Vec<ZipEntry>) -> Vec<Option<&'static str>> {
    let mut builder = ZipBuilder::default();
    for entry in entries {
        builder.entry(entry);
    }
    let archive = Archive::open(temporary(&builder.build()), &Limits::default()).unwrap();
    let mut buffer = Vec::new();
    let both = archive.entries().iter().map(|entry| {
        let mut copied = Vec::new();
        let copying = archive.copy(entry, &mut copied);
        match (archive.read_into(entry, &mut buffer), copying) {
            (Ok(bytes), Ok(())) => {
                assert_eq!(bytes, copied, "{}", entry.path);
                None
            }
            (Err(one), Err(other)) => {
                assert_eq!(one.to_string(), other.to_string());
                Some(one.code())
            }
            (one, other) => panic!("{}: {one:?} and {other:?}", entry.path),
        }
    });
    both.collect()
}

/// Bytes that do not deflate well, and some that do.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|at| if at % 300 < 100 { b'x' } else { next() }).collect()
}

#[test]
fn reading_whole_gives_what_copying_gives() {
    let sizes = [0, 1, 2, 300, 65_535, 65_536, 262_143, 262_144, 262_145, 700_000, 5, 1_000_000, 0];
    let mut entries = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        entries.push(ZipEntry::new(format!("deflated-{number}"), noise(size)));
        entries.push(ZipEntry::new(format!("stored-{number}"), noise(size)).stored());
        entries.push(ZipEntry::new(format!("even-{number}"), vec![b'a'; size]));
    }
    let count = entries.len();
    assert_eq!(check(entries), vec![None; count]);
}

#[test]
fn reading_whole_refuses_what_copying_refuses() {
    for size in [1, 1_000, 262_144, 600_000] {
        let data = noise(size);
        let packed = deflate(&data);
        let with = |packed: Vec<u8>| ZipEntry::new("x", data.clone()).with(|entry| entry.packed = Some(packed));
        let (mut longer, mut shorter, mut other) = (data.clone(), data.clone(), data.clone());
        longer.push(b'!');
        shorter.pop();
        other[size / 2] ^= 1;
        let mut cut = packed.clone();
        cut.pop();
        let trailing = [packed.as_slice(), b"?"].concat();
        // A block of a kind that there is not.
        let invalid = vec![0x07; packed.len()];
        for (packed, code) in [
            (packed.clone(), None),
            (deflate(&longer), Some("size-differs")),
            (deflate(&shorter), Some("size-differs")),
            (deflate(&other), Some("crc-differs")),
            (cut, Some("deflate-truncated")),
            (trailing, Some("deflate-trailing")),
            (invalid, Some("deflate-invalid")),
        ] {
            let found = check(vec![with(packed)]);
            assert_eq!(found[0], code, "{size} bytes");
        }
        let stored = ZipEntry::new("x", data.clone()).stored().with(|entry| entry.packed = Some(other));
        assert!(check(vec![stored])[0].is_some());
    }
}

#[test]
fn both_ways_agree_on_damaged_streams() {
    let data = noise(2_000);
    let packed = deflate(&data);
    for at in 0..packed.len() {
        for bit in [0x01, 0x10, 0x80] {
            let mut damaged = packed.clone();
            damaged[at] ^= bit;
            check(vec![ZipEntry::new("x", data.clone()).with(|entry| entry.packed = Some(damaged))]);
        }
    }
}
