//! Rows about data and layout.

use mpak_testkit::zip::{ZipBuilder, ZipEntry, deflate};

use super::{Case, Verdict, good};

const TEXT: &str = "the content of the file, which is long enough to be worth compressing, compressing, compressing";

pub(crate) fn cases() -> Vec<Case> {
    [good_ones(), lies(), layout(), bombs()].into_iter().flatten().collect()
}

fn entry(change: impl FnOnce(&mut ZipEntry)) -> ZipBuilder {
    good(|zip| {
        zip.entry(ZipEntry::new("a.txt", TEXT).with(change));
    })
}

fn both(change: impl Fn(&mut mpak_testkit::zip::Spoil)) -> ZipBuilder {
    entry(|e| {
        change(&mut e.local);
        change(&mut e.central);
    })
}

fn good_ones() -> Vec<Case> {
    let folders = good(|zip| {
        zip.entry(ZipEntry::new("server/", "").stored().mode(0o040_755));
        zip.entry(ZipEntry::new("empty/below/", "").mode(0o040_755));
    });
    let markers = good(|zip| {
        zip.entry(ZipEntry::new("notes.txt", "MMCPB_SIG_V1....MCPB_SIG_END and more").stored());
    });
    let far = good(|zip| {
        let mut data = vec![b'M'; 256 << 10];
        data.extend(b"CPB_SIG_END");
        zip.entry(ZipEntry::new("notes.bin", data).stored());
    });
    let empty = good(|zip| {
        zip.file("empty.txt", "");
        zip.entry(ZipEntry::new("empty too.txt", "").stored());
    });
    vec![
        Case::accept(0, "minimal", &ZipBuilder::good(), &[]),
        Case::accept(0, "empty files", &empty, &[]),
        Case::accept(1, "folders with entries", &folders, &[]),
        Case::accept(51, "stored markers", &markers, &["signature-markers-inside"]),
        Case::accept(51, "across two chunks", &far, &["signature-markers-inside"]),
    ]
}

fn lies() -> Vec<Case> {
    let packed = deflate(TEXT.as_bytes());
    let bytes = TEXT.len() as u32;
    let with_packed = |packed: Vec<u8>| entry(|e| e.packed = Some(packed));
    let stored = good(|zip| {
        zip.entry(ZipEntry::new("a.txt", TEXT).stored().with(|e| {
            e.local.bytes = Some(3);
            e.central.bytes = Some(3);
        }));
    });
    let folder_with_data = good(|zip| {
        zip.entry(ZipEntry::new("folder/", "data").stored().mode(0o040_755));
    });
    vec![
        Case::refuse(20, "both checksums", &both(|s| s.crc32 = Some(1)), "crc-differs"),
        Case::refuse(21, "smaller", &both(|s| s.bytes = Some(bytes - 1)), "size-differs"),
        Case::refuse(21, "nothing", &both(|s| s.bytes = Some(0)), "size-differs"),
        Case::refuse(22, "larger", &both(|s| s.bytes = Some(bytes + 1)), "size-differs"),
        Case::refuse(56, "stored, other size", &stored, "stored-size"),
        Case::refuse(61, "trailing", &with_packed([&packed[..], b"hidden"].concat()), "deflate-trailing"),
        Case::refuse(62, "cut off", &with_packed(packed[..packed.len() - 4].to_vec()), "deflate-truncated"),
        Case::refuse(62, "block type 3", &with_packed(vec![7; 40]), "deflate-invalid"),
        Case::refuse(62, "nothing at all", &both(|s| s.packed_bytes = Some(0)), "ratio-impossible"),
        Case::refuse(1, "folder with data", &folder_with_data, "kind-unclear"),
    ]
}

fn layout() -> Vec<Case> {
    let prefix = |unadjusted: bool, bytes: &[u8]| {
        good(|zip| {
            zip.prefix = bytes.to_vec();
            zip.prefix_unadjusted = unadjusted;
        })
    };
    let shared = good(|zip| {
        zip.file("a.txt", TEXT);
        zip.entry(ZipEntry::new("b.txt", TEXT).with(|e| e.shares = Some(2)));
        zip.entry(ZipEntry::new("c.txt", TEXT).with(|e| e.shares = Some(2)));
    });
    let into_directory = {
        let bytes = deflate(TEXT.as_bytes()).len() as u32 + 50;
        both(|s| s.packed_bytes = Some(bytes))
    };
    let hidden = good(|zip| {
        zip.entry(ZipEntry::new("hidden.txt", TEXT).with(|e| e.hidden = true));
        zip.file("a.txt", TEXT);
    });
    let gap_at_end = good(|zip| zip.directory_gap = b"hidden".to_vec());
    let nowhere = entry(|e| e.central.offset = Some(3));
    vec![
        Case::refuse(25, "shell script", &prefix(false, b"#!/bin/sh\nexit\n"), "prepended-data"),
        Case::refuse(26, "MZ stub", &prefix(true, &[b"MZ".as_slice(), &[0; 510]].concat()), "directory-place"),
        Case::refuse(30, "one stream, three names", &shared, "overlap"),
        Case::refuse(65, "data reaches into the directory", &into_directory, "overlap"),
        Case::refuse(66, "bytes between entries", &entry(|e| e.gap = b"hidden".to_vec()), "gap"),
        Case::refuse(66, "entry that the directory leaves out", &hidden, "gap"),
        Case::refuse(66, "bytes in front of the directory", &gap_at_end, "gap"),
        Case::refuse(66, "header elsewhere", &nowhere, "overlap"),
    ]
}

fn bombs() -> Vec<Case> {
    let zeros = good(|zip| {
        zip.file("zeros.bin", vec![0; 10 << 20]);
    });
    let kernel = good(|zip| {
        zip.file("kernel", vec![0; 1 << 20]);
        for number in 0..2000 {
            zip.entry(ZipEntry::new(format!("copy{number}"), vec![0; 1 << 10]).with(|e| {
                e.packed = Some(Vec::new());
                e.shares = Some(2);
            }));
        }
    });
    let small_limits = Case::refuse(55, "whole archive", &zeros, "archive-ratio")
        .within(|limits| limits.archive_ratio_floor_bytes = 1 << 20);
    let too_large =
        Case::refuse(55, "one file", &zeros, "entry-too-large").within(|limits| limits.entry_bytes_max = 1 << 20);
    let all_too_large = Case::refuse(55, "all files", &zeros, "unpacked-too-large")
        .within(|limits| limits.unpacked_bytes_max = 1 << 20);
    let file_too_large =
        Case::refuse(55, "the file", &zeros, "archive-too-large").within(|limits| limits.archive_bytes_max = 1 << 10);
    let folders = good(|zip| {
        for number in 0..30 {
            zip.entry(ZipEntry::new(format!("{number}/a/b/c/file"), "x"));
        }
    });
    let folders =
        Case::refuse(49, "many folders", &folders, "folders-count").within(|limits| limits.folders_count_max = 100);
    let directory = Case::refuse(54, "large directory", &ZipBuilder::good(), "directory-too-large")
        .within(|limits| limits.directory_bytes_max = 50);
    let impossible = both(|s| s.bytes = Some(500 << 20));
    vec![
        Case::accept(55, "10 MiB of zeros", &zeros, &["ratio-high"]),
        small_limits,
        too_large,
        all_too_large,
        file_too_large,
        folders,
        directory,
        Case::refuse(55, "a declared ratio that deflate cannot reach", &impossible, "ratio-impossible"),
        Case::refuse(64, "one kernel, many names", &kernel, "overlap"),
        Case::of(64, "quoted", quoted_bomb(), Verdict::Refuse("overlap")),
    ]
}

/// The data of the outer entry is the whole inner entry, and both are in the directory.
fn quoted_bomb() -> Vec<u8> {
    let inner = ZipEntry::new("inner", vec![0; 1 << 10]);
    let mut alone = ZipBuilder::default();
    alone.entry(inner.clone());
    let bytes = alone.build();
    let record_bytes = 30 + "inner".len() + deflate(&inner.data).len();
    let mut zip = ZipBuilder::good();
    let before = zip.build();
    let directory_at = u32::from_le_bytes(before[before.len() - 6..before.len() - 2].try_into().unwrap());
    zip.entry(ZipEntry::new("outer", &bytes[..record_bytes]).stored());
    let inner_at = directory_at + 30 + "outer".len() as u32;
    zip.entry(inner.with(|e| {
        e.shares = Some(2);
        e.central.packed_bytes = Some(deflate(&e.data).len() as u32);
        e.central.offset = Some(inner_at);
    }));
    zip.build()
}

#[test]
fn the_head_of_a_file_is_as_long_as_asked_for() {
    use mpak_bundle::manifest::Contents as _;

    // Larger than any buffer of the reader, and not the same everywhere.
    let data: Vec<u8> = (0..700_000_u32).map(|i| (i % 251) as u8).collect();
    let mut zip = ZipBuilder::good();
    zip.file("big.bin", data.clone());
    let file = mpak_testkit::zip::temporary(&zip.build());
    let archive = mpak_bundle::archive::Archive::open(file, &mpak_bundle::limits::Limits::default()).unwrap();
    for bytes_max in [0, 1, 1000, 262_144, 262_145, 600_000, 700_000, 800_000] {
        let head = archive.head("big.bin", bytes_max).unwrap();
        assert_eq!(head, data[..bytes_max.min(data.len())], "{bytes_max}");
    }
}
