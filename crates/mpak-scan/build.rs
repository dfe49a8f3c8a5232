//! A digest over the scanner's own source: code decides verdicts as much as rules do, so that a report names
//! both (`report::ruleset`). What a bundle is read with counts as well.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let mut files = Vec::new();
    for folder in ["src", "rules", "../mpak-bundle/src"] {
        println!("cargo:rerun-if-changed={folder}");
        list(Path::new(folder), &mut files);
    }
    files.sort();
    let digest = files.iter().fold(OFFSET, |digest, path| {
        let bytes = fs::read(path).unwrap_or_default();
        fold(fold(digest, path.to_string_lossy().as_bytes()), &bytes)
    });
    println!("cargo:rustc-env=MPAK_SCAN_SOURCE={digest:016x}");
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// FNV-1a, 64 bits: it tells versions apart and guards nothing.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn fold(digest: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .filter(|b| **b != b'\r')
        .fold(digest, |digest, b| (digest ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}
