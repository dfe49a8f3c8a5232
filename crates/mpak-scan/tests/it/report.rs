//! The report as a whole: deterministic, the same for a folder and its bundle, readable again.

use std::fs;

use mpak_bundle::archive::Archive;
use mpak_bundle::collect::collect;
use mpak_bundle::limits::Limits;
use mpak_bundle::pack::{PackOptions, pack};
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::report::Report;

use crate::world::{bundle, complete_manifest, report, token};

#[test]
fn the_same_bundle_gives_the_same_bytes() {
    let files =
        [("server/key.js", token()), ("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#.into())];
    let bytes = bundle(&complete_manifest(), &files);
    let json = |report: &Report| serde_json::to_string_pretty(report).unwrap();
    let first = report(&bytes);
    assert_eq!(json(&first), json(&report(&bytes)));
    let again: Report = serde_json::from_str(&json(&first)).unwrap();
    assert_eq!(json(&again), json(&first));
}

#[test]
fn a_folder_is_judged_like_the_bundle_packed_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("manifest.json", &complete_manifest().to_string());
    write("server/index.js", &format!("const key = '{}';\n", token()));
    write("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#);
    // Left out by the ignore rules of packing, so not judged either.
    write(".env", &token());
    let limits = Limits::default();
    let packed = folder.path().join("out.mcpb");
    pack(&collect(folder.path(), &limits, &[]).unwrap(), &packed, &PackOptions::default()).unwrap();
    let archive = Archive::open(fs::File::open(&packed).unwrap(), &limits).unwrap();
    let of_bundle = scan(&Evidence::from_archive(&archive, &limits).unwrap());
    let of_folder = scan(&Evidence::from_folder(folder.path(), &limits).unwrap());
    assert_eq!(serde_json::to_string(&of_bundle).unwrap(), serde_json::to_string(&of_folder).unwrap());
    assert_eq!(of_bundle.controls.iter().find(|c| c.id == "CQ-01").unwrap().findings.len(), 1);
}

#[test]
fn while_a_control_of_level_1_has_no_code_no_level_is_assessed() {
    let report = report(&bundle::<&str>(&complete_manifest(), &[]));
    assert_eq!(report.controls.len(), mpak_scan::controls::CONTROLS.len());
    let open = report.controls.iter().any(|c| c.level == 1 && c.status == Status::NotRun);
    assert_eq!(report.assessed_level().is_none(), open);
    assert_eq!(report.advisories, None);
    assert!(report.ruleset.contains("+sha256."));
}
