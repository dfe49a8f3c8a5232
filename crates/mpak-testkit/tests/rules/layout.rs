//! Where things stand.

use std::collections::BTreeSet;

use crate::tree;

fn stems(files: &[(String, String)], folder: &str) -> BTreeSet<String> {
    files
        .iter()
        .filter_map(|(path, _)| path.strip_prefix(folder)?.strip_suffix(".rs"))
        .filter(|stem| !stem.contains('/'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_an_end_to_end_file_with_tests() {
    let files = tree::files(&[".rs"]);
    let commands = stems(&files, "crates/mpak/src/commands/");
    assert!(commands.contains("run") && commands.contains("serve"), "{commands:?}");
    for command in commands {
        let path = format!("crates/mpak/tests/e2e/{command}.rs");
        let text = files.iter().find(|(p, _)| *p == path).map(|(_, t)| t.as_str());
        let tested = text.is_some_and(|t| t.contains("#[test]") || t.contains("#[tokio::test]"));
        assert!(tested, "`mpak {command}` has no test in {path}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in tree::files(&[".md"]) {
        let folder = tree::root().join(&path);
        let folder = folder.parent().expect("a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next()) {
            if link.is_empty() || link.contains("://") || link.starts_with("mailto:") || link.starts_with('/') {
                continue;
            }
            assert!(folder.join(link).exists(), "{path} links to `{link}`, which does not exist");
        }
    }
}
