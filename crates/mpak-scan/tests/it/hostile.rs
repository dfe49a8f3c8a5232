//! Bundles made to hurt the scanner: they are judged, in bounded time and space, without a panic.

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::control::Status;
use mpak_scan::evidence::Evidence;
use mpak_testkit::zip::{ZipBuilder, temporary};

use crate::world::{bundle, complete_manifest, control, report, token};

#[test]
fn odd_contents_are_judged_without_a_panic() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let long = format!("{}{}{}", "a".repeat(5_000_000), token(), "b".repeat(5_000_000));
    for (path, content) in [
        ("node_modules/a/package.json", deep.clone().into_bytes()),
        ("sbom.json", deep.into_bytes()),
        ("sbom.json", vec![0xff; 1_000]),
        ("server/long.js", long.into_bytes()),
        ("server/latin1.js", vec![0xe9; 100_000]),
        ("a.dist-info/METADATA", b"Name: \xff\nVersion: 1\n".to_vec()),
        ("uv.lock", b"[[package]]\n".repeat(100_000)),
        ("package-lock.json", br#"{"packages":{"node_modules/":{"version":""}}}"#.to_vec()),
        ("empty", Vec::new()),
    ] {
        let report = report(&bundle(&complete_manifest(), &[(path, content)]));
        assert_eq!(report.count(Status::Error), 0, "{path}");
    }
}

#[test]
fn a_record_that_cannot_be_read_is_told() {
    let report = report(&bundle(&complete_manifest(), &[("node_modules/a/package.json", "{")]));
    let findings = &control(&report, "SC-01").findings;
    assert!(findings.iter().any(|f| f.rule == "SC-01/unreadable-record"), "{findings:?}");
}

#[test]
fn without_a_manifest_the_files_are_still_judged() {
    let mut zip = ZipBuilder::default();
    zip.file("server/key.js", token());
    let report = report(&zip.build());
    let status = |id: &str| control(&report, id).status;
    assert_eq!((status("AI-01"), status("CQ-01")), (Status::Fail, Status::Fail));
    assert_eq!((status("CD-01"), status("PR-01")), (Status::NotRun, Status::NotRun));
}

#[test]
fn a_manifest_that_is_no_json_or_too_large_fails_only_what_needs_it() {
    for text in ["{", "", "[]", "\u{feff}{}", "null"] {
        let mut zip = ZipBuilder::default();
        zip.file("manifest.json", text);
        assert_eq!(control(&report(&zip.build()), "AI-01").status, Status::Fail, "{text}");
    }
    let mut zip = ZipBuilder::default();
    zip.file("manifest.json", " ".repeat(2 << 20));
    let report = report(&zip.build());
    assert_eq!(control(&report, "AI-01").findings[0].rule, "AI-01/manifest-size");
    assert_eq!(control(&report, "CD-01").status, Status::NotRun);
}

#[test]
fn an_archive_with_unsound_data_gives_no_evidence() {
    let mut zip = ZipBuilder::with_manifest(&complete_manifest());
    let content = b"some data that is long enough to be spoiled".to_vec();
    zip.entry(mpak_testkit::zip::ZipEntry::new("server/data", content.clone()).stored());
    let mut bytes = zip.build();
    let at = bytes.windows(content.len()).position(|w| w == content).expect("stored data");
    bytes[at] ^= 1;
    let limits = Limits::default();
    let archive = Archive::open(temporary(&bytes), &limits).expect("the structure is sound");
    assert!(Evidence::from_archive(&archive, &limits).is_err());
}

#[test]
fn a_flood_of_findings_is_bounded() {
    let files: Vec<(String, String)> =
        (0..300).map(|i| (format!("f{i:03}"), format!("{}\n", token()).repeat(20))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let report = report(&bundle(&complete_manifest(), &files));
    let result = control(&report, "CQ-01");
    assert_eq!(result.status, Status::Fail);
    assert!(result.findings.len() <= 201, "{}", result.findings.len());
}
