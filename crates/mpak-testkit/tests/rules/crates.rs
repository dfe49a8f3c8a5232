//! Which crate may use which, and which crates from outside are allowed.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::tree;

/// Edges between our crates: the picture in ARCHITECTURE.md §2. Test-only edges to the testkit are free.
const EDGES: &[(&str, &[&str])] = &[
    ("mpak-bundle", &[]),
    ("mpak-scan", &["mpak-bundle"]),
    ("mpak-api", &["mpak-bundle"]),
    ("mpak-runner", &["mpak-bundle"]),
    ("mpak-registry", &["mpak-api", "mpak-bundle", "mpak-scan"]),
    ("mpak", &["mpak-api", "mpak-bundle", "mpak-registry", "mpak-runner", "mpak-scan"]),
    ("mpak-testkit", &[]),
];

/// Licences whose terms a binary under Apache-2.0 can meet.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "0BSD",
    "CC0-1.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
    "MIT-0",
    "Apache-2.0 WITH LLVM-exception",
    "bzip2-1.0.6",
];

/// Crates that must not enter, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("ring", "one crypto backend: aws-lc-rs"),
    ("openssl-sys", "one crypto backend: aws-lc-rs"),
    ("native-tls", "one crypto backend: aws-lc-rs"),
    ("zip", "our own strict reader is the only zip reader"),
];

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(tree::root()).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn packages(metadata: &Value) -> &Vec<Value> {
    metadata["packages"].as_array().expect("a list of packages")
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--no-deps"]);
    let metadata: Value = serde_json::from_slice(&metadata).expect("cargo prints JSON");
    let expected: BTreeMap<_, _> = EDGES.iter().copied().collect();
    assert_eq!(packages(&metadata).len(), expected.len(), "a crate is missing from the picture");
    for package in packages(&metadata) {
        let name = package["name"].as_str().expect("a name");
        let allowed = expected.get(name).unwrap_or_else(|| panic!("`{name}` is not in the picture"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            let for_tests = dependency["kind"].as_str() == Some("dev");
            if used.starts_with("mpak") && !for_tests {
                assert!(allowed.contains(&used), "`{name}` must not use `{used}`");
            }
            assert_ne!(used, "anyhow", "`{name}` uses anyhow");
        }
    }
}

#[test]
fn crates_from_outside_have_fitting_licences_and_are_not_banned() {
    // `cargo tree` walks what is really built; the lock file also names switched-off options.
    let tree =
        cargo(&["tree", "--workspace", "--locked", "--target", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let tree = String::from_utf8(tree).expect("cargo prints text");
    let mut checked = 0;
    for line in tree.lines().filter(|l| !l.is_empty() && !l.contains("(/")) {
        let (package, licence) = line.split_once('|').expect("our own format");
        let name = package.split(' ').next().expect("a name");
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("`{name}` is banned: {why}");
        }
        assert!(fits(licence.trim_end_matches(" (*)")), "`{name}` is under `{licence}`");
        checked += 1;
    }
    assert!(checked > 100, "only {checked} crates were looked at");
}

/// Whether one alternative of an SPDX expression consists of allowed licences only. Parentheses only
/// group alternatives in practice, so each `AND` part needs one allowed alternative.
fn fits(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    plain.split(" OR ").any(|alternative| alternative.split(" AND ").all(|l| LICENCES.contains(&l.trim())))
        || plain.split(" AND ").all(|part| part.split(" OR ").any(|l| LICENCES.contains(&l.trim())))
}

#[test]
fn licence_expressions_are_judged_by_their_alternatives() {
    assert!(fits("MIT OR GPL-3.0") && fits("(MIT OR GPL-3.0) AND Unicode-3.0") && fits("MIT/Apache-2.0"));
    assert!(!fits("GPL-3.0") && !fits("MIT AND GPL-3.0"));
}
