//! No test runs on one database only by oversight.

use std::collections::BTreeSet;

fn modules(main: &str) -> BTreeSet<&str> {
    main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect()
}

#[test]
fn the_same_files_run_on_both_databases() {
    let sqlite = modules(include_str!("main.rs"));
    let postgres = modules(include_str!("../it_postgres/main.rs"));
    assert!(sqlite.contains("publish"), "{sqlite:?}");
    let missing: Vec<_> = sqlite.difference(&postgres).collect();
    assert!(missing.is_empty(), "add to tests/it_postgres/main.rs: {missing:?}");
}
