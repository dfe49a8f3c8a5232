//! Reading the repository's files.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root exists")
}

/// All files below the root with one of the endings, but build output and version control; paths are
/// relative to the root, `/`-separated, sorted.
pub(crate) fn files(endings: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, endings, &mut found);
    assert!(!found.is_empty(), "no file with one of {endings:?}");
    found.sort();
    found
}

fn walk(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of ours").map(|e| e.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().expect("a type").is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                walk(root, &path, endings, found);
            }
        } else if endings.iter().any(|e| name.ends_with(e)) {
            let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            found.push((relative, String::from_utf8_lossy(&fs::read(&path).expect("a file of ours")).into_owned()));
        }
    }
}

/// Whether a Rust file is a test's (integration tests and benches; unit tests stand inside files).
pub(crate) fn is_test(path: &str) -> bool {
    path.contains("/tests/")
        || path.starts_with("bench/")
        || path.starts_with("fuzz/")
        || path.starts_with("crates/mpak-testkit/")
}

/// A file without its unit tests.
pub(crate) fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}
