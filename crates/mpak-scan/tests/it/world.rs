//! Bundles and folders for the tests: good by default, spoiled by the case.

use mpak_bundle::archive::Archive;
use mpak_bundle::limits::Limits;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::report::{ControlResult, Report};
use mpak_testkit::zip::{ZipBuilder, good_manifest, temporary};
use serde_json::{Value, json};

/// A manifest that no implemented control has a remark on.
pub(crate) fn complete_manifest() -> Value {
    let mut manifest = good_manifest();
    manifest["name"] = json!("@acme/good-bundle");
    manifest["repository"] = json!({"type": "git", "url": "https://github.com/acme/good-bundle"});
    manifest["_meta"] = json!({"org.mpaktrust": {"mtf_version": "0.1"}});
    manifest
}

/// A bundle's file with a manifest and further files.
pub(crate) fn bundle<T: AsRef<[u8]>>(manifest: &Value, files: &[(&str, T)]) -> Vec<u8> {
    let mut zip = ZipBuilder::with_manifest(manifest);
    for (path, content) in files {
        zip.file(path, content.as_ref());
    }
    zip.build()
}

/// A bundle's file, opened.
pub(crate) fn archive(bytes: &[u8]) -> Archive {
    Archive::open(temporary(bytes), &Limits::default()).expect("a sound archive")
}

/// The report of a bundle's file.
pub(crate) fn report(bytes: &[u8]) -> Report {
    scan(&Evidence::from_archive(&archive(bytes), &Limits::default()).expect("evidence"))
}

/// One control's result.
pub(crate) fn control<'a>(report: &'a Report, id: &str) -> &'a ControlResult {
    report.controls.iter().find(|c| c.id == id).expect("a known control")
}

/// A token of a known format, put together so that this file does not hold it.
pub(crate) fn token() -> String {
    let rule = mpak_scan::rules::secrets().iter().find(|rule| rule.id == "github-token").expect("a rule");
    rule.matches[0].replace('·', "")
}
