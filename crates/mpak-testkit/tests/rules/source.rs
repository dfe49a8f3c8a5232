//! What stands in source files, and what must not.

use crate::tree;

#[test]
fn sql_stands_in_the_db_folder_only() {
    let words = ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE packages", "sqlx::query"];
    let mut in_db = 0;
    for (path, text) in tree::files(&[".rs"]) {
        if tree::is_test(&path) {
            continue;
        }
        let found = words.iter().find(|w| tree::without_tests(&text).contains(**w));
        if path.starts_with("crates/mpak-registry/src/db") {
            in_db += usize::from(found.is_some());
        } else {
            assert!(found.is_none(), "{path} holds SQL: `{}`", found.expect("checked"));
        }
    }
    assert!(in_db > 0, "the db folder holds no SQL: this test looks in the wrong place");
}

#[test]
fn unsafe_code_stands_in_the_sandbox_folder_only() {
    for (path, text) in tree::files(&[".rs"]) {
        let allowed = path.starts_with("crates/mpak-runner/src/sandbox") || path.ends_with("tests/rules/source.rs");
        for word in ["unsafe {", "unsafe fn", "unsafe impl", "allow(unsafe_code"] {
            assert!(allowed || !text.contains(word), "{path} holds `{word}`");
        }
    }
}

#[test]
fn nothing_is_left_undone() {
    for (path, text) in tree::files(&[".rs"]) {
        if path.ends_with("tests/rules/source.rs") {
            continue;
        }
        for word in ["todo!(", "unimplemented!(", "#[ignore", "FIXME", "dbg!("] {
            assert!(!text.contains(word), "{path} holds `{word}`");
        }
    }
}

#[test]
fn files_are_written_by_the_durable_module() {
    for (path, text) in tree::files(&[".rs"]) {
        if !tree::is_test(&path) {
            assert!(!tree::without_tests(&text).contains("fs::write("), "{path} writes a file without durable.rs");
        }
    }
}

#[test]
fn hosts_of_package_registries_are_not_named() {
    // Put together here so that this file does not name them either.
    let hosts = [
        ["npm", "js."].concat(),
        ["python", "hosted"].concat(),
        ["//py", "pi."].concat(),
        ["static.", "crates"].concat(),
        ["index.", "crates"].concat(),
        ["deb.", "debian"].concat(),
    ];
    for (path, text) in tree::files(&[".rs", ".md", ".toml", ".json", ".html", ".css", ".yml", ".sh", ".py", "run"]) {
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{path} names `{host}`");
        }
    }
}

#[test]
fn every_source_file_opens_with_its_charter() {
    for (path, text) in tree::files(&[".rs"]) {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 10, "{path} does not say what it is for");
    }
}
