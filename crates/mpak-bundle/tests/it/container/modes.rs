//! Rows about kinds and modes.

use serde_json::json;

use mpak_testkit::zip::{ZipBuilder, ZipEntry, good_manifest};

use super::{Case, good};

pub(crate) fn cases() -> Vec<Case> {
    let mode = |mode: u32| {
        good(|zip| {
            zip.entry(ZipEntry::new("a", "/etc/passwd").mode(mode));
        })
    };
    let foreign = |made_by: u16, attributes: u32| {
        good(|zip| {
            zip.entry(ZipEntry::new("a", "x").with(|e| {
                e.made_by = made_by;
                e.attributes = attributes;
            }));
        })
    };
    let link_then_file = good(|zip| {
        zip.entry(ZipEntry::new("d", "/tmp").mode(0o120_777));
        zip.file("d/evil", "x");
    });
    let mut cases = vec![
        Case::refuse(7, "link", &mode(0o120_777), "symbolic-link"),
        Case::refuse(7, "link said to be from FAT", &foreign(0x0014, 0o120_777 << 16), "symbolic-link"),
        Case::refuse(8, "link and a file behind it", &link_then_file, "symbolic-link"),
        Case::accept(15, "setuid", &mode(0o104_755), &["mode-special-bits"]),
        Case::accept(15, "setgid", &mode(0o102_755), &["mode-special-bits"]),
        Case::accept(15, "sticky", &mode(0o101_644), &["mode-special-bits"]),
        Case::accept(16, "mode 0", &mode(0o100_000), &["mode-missing"]),
        Case::accept(16, "no attributes, from FAT", &foreign(0x0014, 0), &["mode-missing"]),
        Case::accept(16, "archive bit, from FAT", &foreign(0x0014, 0x20), &["mode-missing"]),
        Case::accept(17, "0777", &mode(0o100_777), &["mode-world-writable"]),
        Case::accept(0, "mode without type bits", &mode(0o755), &[]),
        Case::refuse(14, "file with the attributes of a folder", &mode(0o040_755), "kind-unclear"),
        Case::refuse(14, "file with the DOS attribute of a folder", &foreign(0x0014, 0x10), "kind-unclear"),
        Case::accept(80, "program without execute bit", &binary(0o100_644), &["entry-point-not-executable"]),
        Case::accept(80, "program from FAT", &binary(0), &["entry-point-not-executable", "mode-missing"]),
    ];
    for (kind, bits) in [("device", 0o020_666), ("block device", 0o060_666), ("FIFO", 0o010_666), ("socket", 0o140_777)]
    {
        cases.push(Case::refuse(14, kind, &mode(bits), "special-file"));
    }
    cases
}

fn binary(mode: u32) -> ZipBuilder {
    let mut manifest = good_manifest();
    manifest["server"] = json!({
        "type": "binary", "entry_point": "server/run",
        "mcp_config": { "command": "${__dirname}/server/run", "args": [], "env": {} },
    });
    let mut zip = ZipBuilder::with_manifest(&manifest);
    zip.entry(ZipEntry::new("server/run", "#!/bin/sh\n").mode(mode));
    zip
}

#[cfg(unix)]
#[test]
fn modes_become_0644_or_0755() {
    use std::os::unix::fs::PermissionsExt as _;

    use mpak_bundle::archive::Bundle;
    use mpak_bundle::extract::{ExtractOptions, extract};

    for (given, expected) in
        [(0o100_777, 0o755), (0o104_711, 0o755), (0o100_666, 0o644), (0, 0o644), (0o100_400, 0o644)]
    {
        let zip = good(|zip| {
            zip.entry(ZipEntry::new("a", "x").mode(given));
        });
        let dir = tempfile::tempdir().unwrap();
        let file = mpak_testkit::zip::temporary(&zip.build());
        let bundle = Bundle::open(file, &mpak_bundle::limits::Limits::default()).unwrap();
        extract(&bundle.archive, &dir.path().join("out"), ExtractOptions::default()).unwrap();
        let found = std::fs::metadata(dir.path().join("out/a")).unwrap().permissions().mode() & 0o7777;
        assert_eq!(found, expected, "{given:o}");
    }
}

#[cfg(unix)]
#[test]
fn the_program_of_a_binary_bundle_becomes_executable() {
    use std::os::unix::fs::PermissionsExt as _;

    use mpak_bundle::archive::Bundle;
    use mpak_bundle::extract::{ExtractOptions, extract};

    let dir = tempfile::tempdir().unwrap();
    let file = mpak_testkit::zip::temporary(&binary(0o100_644).build());
    let bundle = Bundle::open(file, &mpak_bundle::limits::Limits::default()).unwrap();
    let options = ExtractOptions { force_executable: bundle.executable(), ..ExtractOptions::default() };
    extract(&bundle.archive, &dir.path().join("out"), options).unwrap();
    let mode = std::fs::metadata(dir.path().join("out/server/run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}
