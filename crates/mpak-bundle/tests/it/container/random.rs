//! Properties: damaged archives are answered, not crashed on, and nothing leaves the folder.

use std::fs;

use proptest::prelude::*;

use mpak_bundle::archive::{Archive, Entry};
use mpak_bundle::extract::{ExtractOptions, extract};
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::Contents as _;
use mpak_testkit::zip::{Descriptor, ZipBuilder, ZipEntry, temporary, zip64_extra};

/// An archive with everything that the reader looks at.
fn rich() -> Vec<u8> {
    let mut zip = ZipBuilder::good();
    zip.entry(ZipEntry::new("folder/", "").stored().mode(0o040_755));
    zip.entry(ZipEntry::new("folder/stored.txt", "plain text").stored());
    zip.entry(ZipEntry::new("streamed.txt", "text ".repeat(50)).with(|e| e.descriptor = Descriptor::Signed));
    zip.entry(ZipEntry::new("wide.txt", "").stored().with(|e| e.extra = zip64_extra(&[0, 0])));
    zip.end.zip64 = true;
    zip.build()
}

/// Opens, looks at everything, extracts; says whether it was accepted.
fn exercise(bytes: &[u8]) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let Ok(archive) = Archive::open(temporary(bytes), &Limits::default()) else { return false };
    for entry in archive.entries() {
        let path = entry.path.as_str();
        assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{path}");
        let _ = archive.head(path, 100);
    }
    let extracted = extract(&archive, &inner.join("out"), ExtractOptions::default());
    let outside = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(outside, 1, "something was written outside");
    let beside = fs::read_dir(&inner).unwrap().count();
    assert_eq!(beside, usize::from(extracted.is_ok()));
    assert_eq!(extracted.is_ok(), archive.check_all().is_ok());
    extracted.is_ok()
}

#[test]
fn the_undamaged_archive_is_accepted() {
    assert!(exercise(&rich()));
}

#[test]
fn every_shorter_archive_is_refused() {
    let bytes = rich();
    for length in 0..bytes.len() {
        assert!(!exercise(&bytes[..length]), "the first {length} bytes");
    }
}

/// Bytes whose value does not change what a bundle contains: times, "version" fields, internal and DOS
/// attributes, modes.
#[test]
fn a_changed_byte_changes_nothing_silently() {
    let bytes = rich();
    let contents = |bytes: &[u8]| -> Option<Vec<(String, Vec<u8>)>> {
        let archive = Archive::open(temporary(bytes), &Limits::default()).ok()?;
        let read = |entry: &Entry| Some((entry.path.as_str().to_owned(), archive.read(entry, u64::MAX).ok()?));
        archive.entries().iter().map(read).collect()
    };
    let truth = contents(&bytes).unwrap();
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= flip;
            if let Some(found) = contents(&damaged) {
                assert_eq!(found, truth, "byte {place} changed by {flip:#x}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_archives_are_opened_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = rich();
        for (index, value) in changes {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        exercise(&bytes);
    }

    #[test]
    fn pieces_in_any_order_are_opened_or_refused(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6)) {
        let whole = rich();
        let mut bytes = Vec::new();
        for (from, to) in cuts {
            let (from, to) = (from.index(whole.len()), to.index(whole.len()));
            bytes.extend(&whole[from.min(to)..from.max(to)]);
        }
        bytes.extend(&whole[whole.len() - 98..]);
        exercise(&bytes);
    }

    #[test]
    fn any_bytes_are_opened_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        exercise(&bytes);
    }
}
