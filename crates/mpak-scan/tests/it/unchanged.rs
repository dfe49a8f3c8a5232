//! Vendored files that are known from outside to be as they were published: they count as a dependency's, others in full.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_scan::advisories::{BuildError, Builder, Snapshot, SnapshotError};
use mpak_scan::control::Status;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::report::{ControlResult, Severity};
use mpak_testkit::zip::ZipBuilder;
use serde_json::json;

use crate::advisories::{Feeds, record};
use crate::world::{archive, bundle, complete_manifest, control, token};

const METADATA: &str = "Metadata-Version: 2.1\nName: Some.Widget\nVersion: 1.0\n\nVersion: 9.9\n";

fn wheel(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipBuilder::default();
    for (path, content) in files {
        zip.file(path, content.as_bytes());
    }
    zip.file("some_widget-1.0.dist-info/METADATA", METADATA.as_bytes());
    zip.build()
}

pub(crate) fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes()).expect("what the test made itself");
    }
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&tar.into_inner().expect("what the test made itself")).expect("what the test made itself");
    gz.finish().expect("what the test made itself")
}

pub(crate) fn snapshot(archives: &[(&str, &[u8])]) -> Snapshot {
    let feeds = Feeds::new().osv(&[record("GHSA-1", "npm", "other")]).packages(archives);
    feeds.snapshot()
}

fn judged(files: &[(&str, String)], snapshot: &Snapshot) -> ControlResult {
    let evidence = Evidence::from_archive(&archive(&bundle(&complete_manifest(), files)), &Limits::default());
    let evidence = evidence.expect("evidence").with_advisories(snapshot).expect("a sound snapshot");
    control(&scan(&evidence), "CQ-01").clone()
}

/// A Python package as an installer leaves it, with its record.
fn installed(module: &str) -> Vec<(&'static str, String)> {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::of(module.as_bytes()).as_bytes());
    vec![
        ("lib/some_widget/__init__.py", module.to_owned()),
        ("lib/some_widget-1.0.dist-info/METADATA", METADATA.to_owned()),
        ("lib/some_widget-1.0.dist-info/RECORD", format!("some_widget/__init__.py,sha256={digest},1\n")),
    ]
}

#[test]
fn a_file_of_a_wheel_counts_as_a_dependencys_only_while_its_bytes_are_the_published_ones() {
    let module = format!("TOKEN = '{}'\n", token());
    let known = snapshot(&[("some_widget-1.0-py3-none-any.whl", &wheel(&[("some_widget/__init__.py", &module)]))]);
    let other = snapshot(&[("some_widget-1.0-py3-none-any.whl", &wheel(&[("some_widget/__init__.py", "")]))]);
    // What the bundle says of itself is right in each case.
    assert_eq!(judged(&installed(&module), &other).status, Status::Fail);
    let result = judged(&installed(&module), &known);
    let finding = &result.findings[0];
    assert_eq!((result.status, finding.severity), (Status::Warn, Severity::Medium), "{result:?}");
    assert!(finding.title.starts_with("as published in some-widget 1.0: "), "{}", finding.title);
    assert_eq!(judged(&installed(&format!("{module}\n")), &known).status, Status::Fail);
    // The same bytes as the server's own code, and of another version.
    assert_eq!(judged(&[("server/token.py", module.clone())], &known).status, Status::Fail);
    let mut later = installed(&module);
    later[1].1 = METADATA.replace("Version: 1.0", "Version: 1.1");
    assert_eq!(judged(&later, &known).status, Status::Fail);
}

#[test]
fn files_of_npm_packages_and_of_source_distributions_are_known() {
    let module = format!("exports.token = '{}';\n", token());
    let about = json!({"name": "@acme/widget", "version": "2.0.0"}).to_string();
    let npm = tar_gz(&[("package/package.json", &about), ("package/lib/index.js", &module)]);
    let files = |folder: &str, about: &str| {
        vec![(format!("{folder}/package.json"), about.to_owned()), (format!("{folder}/lib/index.js"), module.clone())]
    };
    let judge = |files: &[(String, String)], snapshot: &Snapshot| {
        let files: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        judged(&files, snapshot).status
    };
    let known = snapshot(&[("acme-widget-2.0.0.tgz", &npm)]);
    assert_eq!(judge(&files("node_modules/@acme/widget", &about), &known), Status::Warn);
    // A package of another name, and a file that another package brought into the folder.
    let other = json!({"name": "@acme/gadget", "version": "2.0.0"}).to_string();
    assert_eq!(judge(&files("node_modules/@acme/gadget", &other), &known), Status::Fail);

    let python = format!("TOKEN = '{}'\n", token());
    let source =
        tar_gz(&[("some-widget-1.0/PKG-INFO", METADATA), ("some-widget-1.0/src/some_widget/__init__.py", &python)]);
    assert_eq!(judged(&installed(&python), &snapshot(&[("some.widget-1.0.tar.gz", &source)])).status, Status::Warn);
}

#[test]
fn a_published_file_counts_in_its_own_place_only() {
    let module = format!("exports.token = '{}';\n", token());
    let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
    let npm = tar_gz(&[
        ("package/package.json", &about),
        ("package/index.js", "// nothing\n"),
        ("package/test/fixture.js", &module),
    ]);
    let known = snapshot(&[("widget-2.0.0.tgz", &npm)]);
    let judge = |folder: &str, inside: &str| {
        let (package, file) = (format!("{folder}/package.json"), format!("{folder}/{inside}"));
        judged(&[(package.as_str(), about.clone()), (file.as_str(), module.clone())], &known).status
    };
    assert_eq!(judge("node_modules/widget", "test/fixture.js"), Status::Warn);
    assert_eq!(judge("node_modules/widget", "index.js"), Status::Fail);
    assert_eq!(judge("node_modules/widget", "other/test/fixture.js"), Status::Fail);
    // Of a source distribution tests are not installed, and the others lie below `src` or not.
    let python = format!("TOKEN = '{}'\n", token());
    for (path, status) in [
        ("some-widget-1.0/some_widget/__init__.py", Status::Warn),
        ("some-widget-1.0/src/some_widget/__init__.py", Status::Warn),
        ("some-widget-1.0/other/some_widget/__init__.py", Status::Fail),
        ("some-widget-1.0/src/some_widget/tests/__init__.py", Status::Fail),
    ] {
        let source = tar_gz(&[("some-widget-1.0/PKG-INFO", METADATA), (path, &python)]);
        assert_eq!(
            judged(&installed(&python), &snapshot(&[("some_widget-1.0.tar.gz", &source)])).status,
            status,
            "{path}"
        );
    }
}

#[test]
fn each_copy_of_a_package_is_known() {
    let module = format!("exports.token = '{}';\n", token());
    let about = json!({"name": "widget", "version": "2.0.0"}).to_string();
    let npm = tar_gz(&[("package/package.json", &about), ("package/index.js", &module)]);
    let known = snapshot(&[("widget-2.0.0.tgz", &npm)]);
    let outer = json!({"name": "outer", "version": "1.0.0"}).to_string();
    let mut files = vec![("node_modules/outer/package.json", outer)];
    for (package, file) in [
        ("node_modules/outer/node_modules/widget/package.json", "node_modules/outer/node_modules/widget/index.js"),
        ("node_modules/widget/package.json", "node_modules/widget/index.js"),
    ] {
        files.extend([(package, about.clone()), (file, module.clone())]);
    }
    let result = judged(&files, &known);
    assert_eq!((result.status, result.findings.len()), (Status::Warn, 2), "{result:?}");
}

#[test]
fn a_source_distribution_with_a_package_of_npm_in_it_is_one_of_python() {
    let python = format!("TOKEN = '{}'\n", token());
    let about = json!({"name": "left-pad", "version": "1.0.0"}).to_string();
    let source = tar_gz(&[
        ("some-widget-1.0/package.json", &about),
        ("some-widget-1.0/PKG-INFO", METADATA),
        ("some-widget-1.0/some_widget/__init__.py", &python),
    ]);
    let known = snapshot(&[("some_widget-1.0.tar.gz", &source)]);
    assert_eq!(judged(&installed(&python), &known).status, Status::Warn);
}

#[test]
fn an_archive_is_what_its_name_says_and_there_is_one_of_each() {
    let about = |name: &str, version: &str| json!({"name": name, "version": version}).to_string();
    let lodash = tar_gz(&[("package/package.json", &about("lodash", "4.17.21")), ("package/index.js", "1")]);
    let other = tar_gz(&[("package/package.json", &about("lodash", "4.17.21")), ("package/index.js", "2")]);
    let scoped = tar_gz(&[("package/package.json", &about("@acme/widget", "1.0.0"))]);
    let wheel = wheel(&[("some_widget/__init__.py", "1")]);
    let named = "its file is named after another package or version than it says";
    let folder = tempfile::tempdir().expect("what the test made itself");
    for (name, bytes, reason) in [
        ("lodash-4.17.21.tgz", &lodash, None),
        ("evil-4.17.21.tgz", &lodash, Some(named)),
        ("lodash-evil-4.17.21.tgz", &lodash, Some(named)),
        ("lodash-4.17.20.tgz", &lodash, Some(named)),
        ("acme-widget-1.0.0.tgz", &scoped, None),
        ("widget-1.0.0.tgz", &scoped, None),
        ("evil-widget-1.0.0.tgz", &scoped, Some(named)),
        ("Some_Widget-1.0.0-py3-none-any.whl", &wheel, None),
        ("some_widget_more-1.0-py3-none-any.whl", &wheel, Some(named)),
        ("some_widget-1.1-py3-none-any.whl", &wheel, Some(named)),
        ("some_widget-1.0.whl", &wheel, Some(named)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("what the test made itself");
        let found = Builder::new().packages(&path);
        match reason {
            None => assert!(found.is_ok(), "{name}: {found:?}"),
            Some(reason) => {
                assert!(matches!(&found, Err(BuildError::Package { reason: found, .. }) if *found == reason), "{name}");
            }
        }
    }
    // A second one would add its files to the first.
    let mut builder = Builder::new();
    let mut take = |place: &str, bytes: &[u8]| {
        let path = folder.path().join(place);
        std::fs::create_dir_all(&path).expect("what the test made itself");
        std::fs::write(path.join("lodash-4.17.21.tgz"), bytes).expect("what the test made itself");
        builder.packages(&path)
    };
    assert!(take("one", &lodash).is_ok() && take("two", &lodash).is_ok());
    let found = take("three", &other);
    assert!(matches!(&found, Err(BuildError::Package { reason, .. }) if reason.contains("other files")), "{found:?}");
}

#[test]
fn long_names_without_end_are_not_taken_into_memory() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(64 << 20);
    header.set_cksum();
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(header.as_bytes()).expect("what the test made itself");
    gz.write_all(&vec![b'a'; 64 << 20]).expect("what the test made itself");
    let bytes = gz.finish().expect("what the test made itself");
    let folder = tempfile::tempdir().expect("what the test made itself");
    let path = folder.path().join("a-1.tgz");
    std::fs::write(&path, bytes).expect("what the test made itself");
    let error = Builder::new().packages(&path).expect_err("too long a name");
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let told: Vec<String> = causes.map(ToString::to_string).collect();
    assert!(told.iter().any(|text| text.contains("between two files")), "{told:?}");
}

#[test]
fn what_is_no_package_is_refused_and_damage_is_noticed() {
    let folder = tempfile::tempdir().expect("what the test made itself");
    for (bytes, reason) in [
        (b"text".to_vec(), "it is neither a wheel nor a compressed tar"),
        (tar_gz(&[("package/index.js", "")]), "it says no name and version"),
        (tar_gz(&[("package/deep/package.json", r#"{"name": "a", "version": "1"}"#)]), "it says no name and version"),
        (tar_gz(&[("package/package.json", r#"{"name": "a\n", "version": "1"}"#)]), "it says no name and version"),
    ] {
        let path = folder.path().join("a.tgz");
        std::fs::write(&path, bytes).expect("what the test made itself");
        let refused = Builder::new().packages(&path);
        assert!(matches!(&refused, Err(BuildError::Package { reason: found, .. }) if *found == reason), "{refused:?}");
    }
    // Each flipped bit of the last block, which holds files.
    let about = r#"{"name": "a", "version": "1"}"#;
    let bytes = Feeds::new()
        .osv(&[record("GHSA-1", "npm", "b")])
        .packages(&[("a-1.tgz", &tar_gz(&[("p/package.json", about)]))]);
    let bytes = bytes.build(None).bytes;
    let mut damaged = bytes.clone();
    *damaged.last_mut().expect("a snapshot") ^= 1;
    let found = Snapshot::from_bytes(damaged).and_then(|snapshot| snapshot.verify());
    assert!(matches!(found, Err(SnapshotError::Block { .. })), "{found:?}");
    let short = Snapshot::from_bytes(bytes[..bytes.len() - 1].to_vec());
    assert!(matches!(short, Err(SnapshotError::Length { .. })), "{short:?}");
}
