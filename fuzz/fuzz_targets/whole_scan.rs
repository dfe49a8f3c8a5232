//! A whole scan of a bundle whose files are pieces of the input, cut at NUL bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpak_bundle::limits::Limits;
use mpak_scan::evidence::{Evidence, scan};

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

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in NAMES.iter().zip(data.split(|byte| *byte == 0)) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    if let Ok(evidence) = Evidence::from_folder(folder.path(), &limits) {
        let report = serde_json::to_vec(&scan(&evidence)).unwrap();
        assert!(!report.is_empty());
    }
});
