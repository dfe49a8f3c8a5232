//! What each target does with an input. Here once, for the fuzzers and for the test that replays their corpora
//! (`crates/mpak-scan/tests/it/replay.rs` includes this file).

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;

use mpak_bundle::archive::Archive;
use mpak_bundle::dependencies::{self, Component, Ecosystem};
use mpak_bundle::digest::Sha256;
use mpak_bundle::limits::Limits;
use mpak_bundle::manifest::{self, Reading};
use mpak_bundle::name::PackageName;
use mpak_bundle::sbom;
use mpak_scan::advisories::{Builder, Snapshot};
use mpak_scan::evidence::{Evidence, scan};
use mpak_scan::outside::Outside;
use mpak_scan::policy::Policy;
use mpak_scan::sigstore::{TrustRoots, verify};
use mpak_scan::suppressions::Suppressions;
use mpak_scan::texts::{self, Texts};
use mpak_scan::{code, names, secrets, vex};

/// What a target does with an input.
pub type Run = fn(&[u8]);

/// Every target: its name, which is also that of its corpus, and what it does.
pub const TARGETS: [(&str, Run); 21] = [
    ("advisories", advisories),
    ("advisory_feeds", advisory_feeds),
    ("archive", archive),
    ("code_javascript", code_javascript),
    ("code_python", code_python),
    ("code_shell", code_shell),
    ("code_typescript", code_typescript),
    ("evidence_file", evidence_file),
    ("installed", installed),
    ("manifest", manifest),
    ("names", names),
    ("policy", policy),
    ("powershell", powershell),
    ("records", records),
    ("sbom", sbom),
    ("secrets", secrets),
    ("sigstore", sigstore),
    ("suppressions", suppressions),
    ("texts", texts),
    ("vex", vex),
    ("whole_scan", whole_scan),
];

/// The records that `records` reads; the first byte of its input chooses.
pub const RECORDS: [&str; 20] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "node_modules/.package-lock.json",
    "node_modules/a/package.json",
    "package.json",
    ".npmrc",
    "yarn.lock",
    "pnpm-lock.yaml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pyproject.toml",
    "pylock.x.toml",
    "requirements.txt",
    "Cargo.lock",
    "Cargo.toml",
    "go.sum",
    "go.mod",
    "a-1.dist-info/METADATA",
];

/// A snapshot of advisories: opened, proved, asked.
pub fn advisories(data: &[u8]) {
    if let Ok(snapshot) = Snapshot::open(temporary(data)) {
        let _sound = snapshot.verify();
        let _found = snapshot.find(&components());
    }
}

/// Feeds of advisories: the first byte says which; what is built can be read and asked.
pub fn advisory_feeds(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else { return };
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(content).expect("space for it");
    let mut builder = Builder::new();
    let taken = match choice % 4 {
        0 | 1 => builder.osv(file.path()),
        2 => builder.kev(file.path()),
        _ => builder.epss(file.path()),
    };
    if taken.is_err() {
        return;
    }
    if let Ok(built) = builder.finish(Some("2024-01-31"), None) {
        let snapshot = Snapshot::from_bytes(built.bytes).expect("what was built can be opened");
        snapshot.verify().expect("what was built is sound");
        snapshot.find(&components()).expect("what was built can be asked");
    }
}

/// The container reader: opening, listing, and reading every entry.
pub fn archive(data: &[u8]) {
    let limits = Limits { unpacked_bytes_max: 8 << 20, entry_bytes_max: 4 << 20, ..Limits::default() };
    if let Ok(archive) = Archive::open(temporary(data), &limits) {
        let _sound = archive.check_all();
    }
}

/// Facts of JavaScript.
pub fn code_javascript(data: &[u8]) {
    on_large_stack(|| drop(code::read("x.js", data)));
}

/// Facts of Python.
pub fn code_python(data: &[u8]) {
    on_large_stack(|| drop(code::read("x.py", data)));
}

/// Facts of shell scripts.
pub fn code_shell(data: &[u8]) {
    on_large_stack(|| drop(code::read("x.sh", data)));
}

/// Facts of TypeScript.
pub fn code_typescript(data: &[u8]) {
    on_large_stack(|| drop(code::read("x.ts", data)));
}

/// Evidence from outside.
pub fn evidence_file(data: &[u8]) {
    drop(Outside::read(data));
}

/// A Sigstore bundle, and a trusted root.
pub fn sigstore(data: &[u8]) {
    drop(TrustRoots::read(data));
    if let Ok(bundle) = serde_json::from_slice(data) {
        // Whoever makes one up has no key of the pinned roots.
        assert!(verify(&bundle, Sha256::of(b""), TrustRoots::pinned()).is_err(), "verified without a signature");
    }
}

/// An installed Python package: its `RECORD`, `METADATA`, `entry_points.txt`, a module, a start-up file.
pub fn installed(data: &[u8]) {
    folder(
        data,
        &[
            "lib/p-1.dist-info/RECORD",
            "lib/p-1.dist-info/METADATA",
            "lib/p/__init__.py",
            "lib/p.pth",
            "lib/p-1.dist-info/entry_points.txt",
        ],
    );
}

/// The manifest, strictly and tolerantly.
pub fn manifest(data: &[u8]) {
    for reading in [Reading::Strict, Reading::Tolerant] {
        let _read = manifest::read(data, reading, &Limits::default());
    }
}

/// The name of a package beside popular ones: lines are names.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let names: Vec<PackageName> = text.lines().take(100).filter_map(|line| line.parse().ok()).collect();
    if let Some((name, popular)) = names.split_first() {
        let _suspicions = names::review(name, popular);
    }
}

/// What is demanded beyond the levels.
pub fn policy(data: &[u8]) {
    drop(Policy::read(data));
}

/// PowerShell that a bundle holds.
pub fn powershell(data: &[u8]) {
    folder(data, &["run.ps1", "server/module.psm1", "package.json"]);
}

/// Lockfiles, projects, records of installers and programs; the first byte chooses the file name.
pub fn records(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else { return };
    let path = RECORDS[usize::from(*choice) % RECORDS.len()];
    let said = [dependencies::read(path, Some(content)), dependencies::read_program("tool", content)];
    let _survey = dependencies::merge(said);
}

/// Bills of materials.
pub fn sbom(data: &[u8]) {
    drop(sbom::read(data));
}

/// The search for credentials.
pub fn secrets(data: &[u8]) {
    drop(secrets::scan_file("x.env", data));
}

/// What whoever scans answers for; of a VEX document also its statements.
pub fn suppressions(data: &[u8]) {
    if let Ok(read) = Suppressions::read(data) {
        let _on = read.suppressions.on(Some("2024-01-31".to_owned()));
        let _statements = vex::from_outside(read.vex.as_slice());
    }
}

/// Texts of tools, gathered and judged.
pub fn texts(data: &[u8]) {
    let Ok(document) = serde_json::from_slice(data) else { return };
    if let Some(texts) = Texts::from_tools(&document, "tools.json") {
        let _findings = texts::judge(&texts);
    }
}

/// Statements about vulnerabilities.
pub fn vex(data: &[u8]) {
    let Ok(document) = serde_json::from_slice(data) else { return };
    for statement in vex::from_outside(&[document]) {
        for component in components() {
            let _about = statement.is_about(&component, &["CVE-2024-1".to_owned()]);
        }
    }
}

/// A whole scan of a bundle whose files are pieces of the input, cut at NUL bytes.
pub fn whole_scan(data: &[u8]) {
    folder(
        data,
        &[
            "manifest.json",
            "server/index.js",
            "server/main.py",
            "package.json",
            "package-lock.json",
            "requirements.txt",
            "sbom.json",
            "run.sh",
        ],
    );
}

/// Scans a folder whose files are pieces of the input, cut at NUL bytes. No control may end in an error of ours.
fn folder(data: &[u8], names: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, content) in names.iter().zip(data.split(|byte| *byte == 0)) {
        write(&folder.path().join(name), content);
    }
    if let Ok(evidence) = Evidence::from_folder(folder.path(), &Limits::default()) {
        let report = scan(&evidence);
        assert_eq!(report.count(mpak_scan::control::Status::Error), 0, "a control ended in an error of ours");
        assert!(!serde_json::to_vec(&report).expect("a report is JSON").is_empty());
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a folder")).expect("folders");
    File::create(path).and_then(|mut file| file.write_all(content)).expect("space for it");
}

fn temporary(data: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(data).and_then(|()| file.rewind()).expect("space for it");
    file
}

/// What a snapshot is asked for.
fn components() -> Vec<Component> {
    let of = |ecosystem, name: &str, version: &str| Component {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        license: None,
        found_in: "package.json".to_owned(),
    };
    vec![
        of(Ecosystem::Npm, "a", "1.0.0"),
        of(Ecosystem::Npm, "@a/b", "1.0.0-rc.1"),
        of(Ecosystem::Pypi, "a", "1!2.0.post1"),
        of(Ecosystem::Cargo, "a", "0.1.0"),
        of(Ecosystem::Golang, "example.com/a", "v1.2.3"),
        of(Ecosystem::Golang, "stdlib", "1.22"),
    ]
}

/// Runs on a thread whose stack is large enough for syntax trees.
fn on_large_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(code::STACK_BYTES).spawn_scoped(scope, run);
        thread.expect("a thread").join().expect("no panic");
    });
}
