//! Rows about the end of the file: end records, comments, signature blocks.

use mpak_testkit::zip::{End, ZipBuilder, ZipEntry, minimal_bundle, signature_block};

use super::{Case, Verdict, good};

pub(crate) fn cases() -> Vec<Case> {
    [numbers(), comments(), signatures(), no_archives(), zip64()].into_iter().flatten().collect()
}

fn end(change: impl FnOnce(&mut End)) -> ZipBuilder {
    good(|zip| change(&mut zip.end))
}

fn refuse_bytes(row: u32, what: &str, bytes: Vec<u8>, code: &'static str) -> Case {
    Case::of(row, what, bytes, Verdict::Refuse(code))
}

fn numbers() -> Vec<Case> {
    let count = |count: u16| {
        end(|e| {
            e.entries = Some(count);
            e.entries_here = Some(count);
        })
    };
    let many = {
        let mut zip = ZipBuilder::good();
        for number in 0..70_000 {
            zip.entry(ZipEntry::new(format!("f{number}"), "").stored());
        }
        zip
    };
    let good_many = {
        let mut zip = ZipBuilder::good();
        for number in 0..300 {
            zip.entry(ZipEntry::new(format!("f{number}"), "").stored());
        }
        zip
    };
    vec![
        Case::refuse(34, "one entry hidden", &count(1), "directory-count"),
        Case::refuse(34, "all entries hidden", &count(0), "directory-count"),
        Case::refuse(35, "one entry too many", &count(3), "directory-count"),
        Case::refuse(36, "offset too high", &end(|e| e.directory_offset = Some(500)), "directory-place"),
        Case::refuse(36, "offset beyond everything", &end(|e| e.directory_offset = Some(u32::MAX)), "directory-place"),
        Case::refuse(36, "offset of the first entry", &same_end(), "directory-record"),
        Case::refuse(54, "70 002 entries, counted 4 466", &many, "directory-count"),
        Case::refuse(54, "more than allowed", &good_many, "entries-count").within(|l| l.entries_count_max = 300),
        Case::refuse(60, "disk 1", &end(|e| e.disk = 1), "multi-disk"),
        Case::refuse(60, "directory on disk 1", &end(|e| e.directory_disk = 1), "multi-disk"),
        Case::refuse(60, "entries on other disks", &end(|e| e.entries_here = Some(1)), "multi-disk"),
        Case::refuse(60, "entry on disk 1", &entry_disk(), "multi-disk"),
    ]
}

/// Place and size are wrong together, so that their sum is right.
fn same_end() -> ZipBuilder {
    let bytes = minimal_bundle();
    let at = bytes.len() - 22;
    let number = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
    let total = number(at + 12) + number(at + 16);
    end(|e| {
        e.directory_offset = Some(0);
        e.directory_bytes = Some(total);
    })
}

fn entry_disk() -> ZipBuilder {
    good(|zip| {
        zip.spoil("server/index.js", |e| e.central.disk = Some(1));
    })
}

fn comments() -> Vec<Case> {
    let comment = |text: &[u8], length: Option<u16>| {
        end(|e| {
            e.comment = text.to_vec();
            e.comment_length = length;
        })
    };
    let entry_comment = good(|zip| {
        zip.spoil("server/index.js", |e| e.comment = b"hello".to_vec());
    });
    vec![
        Case::accept(28, "comment", &comment(b"hello", None), &["archive-comment"]),
        Case::accept(28, "comment of an entry", &entry_comment, &["entry-comment"]),
        Case::refuse(29, "archive in the comment", &comment(&minimal_bundle(), None), "end-record-ambiguous"),
        Case::refuse(
            29,
            "end record in the comment",
            &comment(b"PK\x05\x06 and more, 22 bytes", None),
            "end-record-ambiguous",
        ),
        Case::refuse(72, "beyond the end", &comment(b"hello", Some(50)), "comment-overrun"),
        Case::refuse(72, "shorter than what follows", &comment(b"hello", Some(2)), "trailing-data"),
    ]
}

fn signatures() -> Vec<Case> {
    let block = signature_block(&[0x30; 100]);
    let suffixed = |suffix: &[u8]| good(|zip| zip.suffix = suffix.to_vec());
    let patched = |block: &[u8], before: &[u8]| end(|e| e.comment = [before, block].concat());
    let wrong_length = {
        let mut wrong = block.clone();
        wrong[11] += 1;
        wrong
    };
    let huge = {
        let mut wrong = block.clone();
        wrong[11..15].copy_from_slice(&[0xff; 4]);
        wrong
    };
    let twice = [&block[..], &block[..]].concat();
    vec![
        Case::refuse(27, "garbage", &suffixed(b"garbage"), "trailing-data"),
        Case::refuse(27, "one line feed", &suffixed(b"\n"), "trailing-data"),
        Case::refuse(27, "much garbage", &suffixed(&[0; 200_000]), "end-record-missing"),
        Case::accept(27, "signature block", &suffixed(&block), &[]),
        Case::refuse(
            27,
            "archive in the signature block",
            &suffixed(&signature_block(&minimal_bundle())),
            "end-record-ambiguous",
        ),
        Case::accept(27, "signature block as comment", &patched(&block, b""), &[]),
        Case::accept(27, "signature block behind a comment", &patched(&block, b"hi"), &["archive-comment"]),
        Case::refuse(27, "two signature blocks", &suffixed(&twice), "trailing-data"),
        Case::refuse(27, "bytes behind the block", &suffixed(&[&block[..], b"\n"].concat()), "trailing-data"),
        Case::refuse(27, "bytes in front of the block", &suffixed(&[b"\n", &block[..]].concat()), "trailing-data"),
        Case::refuse(27, "wrong length", &suffixed(&wrong_length), "signature-malformed"),
        Case::refuse(27, "4 GB long", &suffixed(&huge), "signature-malformed"),
        Case::refuse(27, "empty block", &suffixed(&signature_block(b"")), "signature-malformed"),
        Case::refuse(27, "footer only", &suffixed(b"MCPB_SIG_END"), "signature-malformed"),
        Case::refuse(27, "too long", &suffixed(&signature_block(&[0; 65_509])), "signature-malformed"),
        Case::accept(27, "longest", &suffixed(&signature_block(&[0; 65_508])), &[]),
    ]
}

fn no_archives() -> Vec<Case> {
    let bytes = minimal_bundle();
    let empty = ZipBuilder::default();
    let half = bytes[..bytes.len() / 2].to_vec();
    vec![
        refuse_bytes(45, "22 bytes", empty.build(), "archive-empty"),
        refuse_bytes(46, "text", b"this is a text file, and nothing else".to_vec(), "not-a-zip"),
        refuse_bytes(46, "no bytes", Vec::new(), "not-a-zip"),
        refuse_bytes(46, "tar.gz", [0x1f, 0x8b, 8, 0].repeat(100), "not-a-zip"),
        refuse_bytes(46, "signed text", [b"text".as_slice(), &signature_block(b"x")].concat(), "not-a-zip"),
        refuse_bytes(47, "half", half, "end-record-missing"),
        refuse_bytes(47, "one byte", bytes[..bytes.len() - 1].to_vec(), "end-record-missing"),
        refuse_bytes(47, "the beginning", bytes[100..].to_vec(), "directory-place"),
        refuse_bytes(81, "two bundles", [bytes.clone(), bytes].concat(), "directory-place"),
    ]
}

fn zip64() -> Vec<Case> {
    let with = |change: fn(&mut End)| {
        end(|e| {
            e.zip64 = true;
            change(e);
        })
    };
    let signed = good(|zip| {
        zip.end.zip64 = true;
        zip.suffix = signature_block(&[1; 50]);
    });
    vec![
        Case::accept(59, "all ones", &with(|_| ()), &["zip64"]),
        Case::accept(59, "true short values", &with(|e| e.zip64_keep_short = true), &["zip64"]),
        Case::accept(59, "signed", &signed, &["zip64"]),
        Case::refuse(59, "short count disagrees", &with(|e| e.entries = Some(1)), "zip64-end"),
        Case::refuse(59, "short size disagrees", &with(|e| e.directory_bytes = Some(1)), "zip64-end"),
        Case::refuse(59, "long count", &with(|e| e.zip64_entries = Some(1)), "directory-count"),
        Case::refuse(59, "huge count", &with(|e| e.zip64_entries = Some(u64::MAX)), "entries-count"),
        Case::refuse(59, "locator points elsewhere", &with(|e| e.zip64_offset = Some(0)), "zip64-end"),
        Case::refuse(59, "disk 1", &with(|e| e.disk = 1), "multi-disk"),
    ]
}
