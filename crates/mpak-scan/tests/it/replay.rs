//! The corpora of the fuzz targets, replayed: what was found once stays found.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use mpak_bundle::archive::Archive;
use mpak_bundle::dependencies;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Reading};
use mpak_bundle::sbom;
use mpak_scan::advisories::Snapshot;
use mpak_scan::code;
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::outside::Outside;
use mpak_scan::{secrets, texts};
use mpak_testkit::zip::temporary;

/// Longest that one input may take, in a build without optimisation.
const INPUT: Duration = Duration::from_secs(20);

/// Runs a target on each of its inputs.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "`{target}` has no corpus");
    for input in inputs {
        let (bytes, started) = (fs::read(&input).unwrap(), Instant::now());
        run(&bytes);
        assert!(started.elapsed() < INPUT, "`{}` takes too long", input.display());
    }
}

#[test]
fn archives() {
    replay("archive", |data| {
        if let Ok(archive) = Archive::open(temporary(data), &Limits::default()) {
            let _sound = archive.check_all();
        }
    });
}

#[test]
fn documents() {
    replay("manifest", |data| {
        for reading in [Reading::Strict, Reading::Tolerant] {
            manifest::read(data, reading, &Limits::default());
        }
    });
    replay("records", |data| {
        let Some((_, content)) = data.split_first() else { return };
        for path in ["package-lock.json", "uv.lock", "requirements.txt", "yarn.lock", "a-1.dist-info/METADATA"] {
            dependencies::merge([dependencies::read(path, Some(content)), dependencies::read_program("tool", content)]);
        }
    });
    replay("sbom", |data| drop(sbom::read(data)));
    replay("evidence_file", |data| drop(Outside::read(data)));
    replay("advisories", |data| drop(Snapshot::open(temporary(data))));
    replay("texts", |data| {
        let document = serde_json::from_slice(data).ok();
        if let Some(texts) = document.and_then(|document| texts::Texts::from_tools(&document, "tools.json")) {
            texts::judge(&texts);
        }
    });
}

#[test]
fn code_and_secrets() {
    std::thread::scope(|scope| {
        let work = || {
            for (target, path) in [
                ("code_python", "x.py"),
                ("code_javascript", "x.js"),
                ("code_typescript", "x.ts"),
                ("code_shell", "x.sh"),
            ] {
                replay(target, |data| drop(code::read(path, data)));
            }
        };
        let thread = std::thread::Builder::new().stack_size(code::STACK_BYTES).spawn_scoped(scope, work);
        thread.unwrap().join().unwrap();
    });
    replay("secrets", |data| drop(secrets::scan_file("x.env", data)));
}

#[test]
fn whole_scans() {
    const NAMES: [&str; 8] = [
        "manifest.json",
        "server/index.js",
        "server/main.py",
        "package.json",
        "package-lock.json",
        "requirements.txt",
        "sbom.json",
        "run.sh",
    ];
    replay("whole_scan", |data| {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in NAMES.iter().zip(data.split(|byte| *byte == 0)) {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            mpak_bundle::durable::replace_derived(&path, content, 0o600).unwrap();
        }
        let evidence = Evidence::from_folder(folder.path(), &Limits::default()).unwrap();
        assert!(!scan(&evidence).controls.is_empty());
    });
}
