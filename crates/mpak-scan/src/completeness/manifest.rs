//! Files that the manifest names.

use std::collections::HashSet;

use serde_json::Value;

use super::Paths;
use crate::supply;

/// Entry point, programs and arguments of every command line, and what their variables point to.
pub(super) fn named(document: Option<&Value>, all: &HashSet<&str>) -> Paths {
    let Some(document) = document else { return Paths::new() };
    let mut named = Paths::new();
    let mut name = |text: &str| {
        for path in candidates(text) {
            if all.contains(path.as_str()) {
                named.insert(path);
            }
        }
    };
    if let Some(entry) = document.get("server").and_then(|s| s.get("entry_point")?.as_str()) {
        name(entry);
    }
    for launch in supply::launches(document) {
        launch.words.iter().for_each(|word| name(word));
    }
    let environment = document.get("server").and_then(|s| s.get("mcp_config")?.get("env")?.as_object());
    environment.into_iter().flatten().filter_map(|(_, value)| value.as_str()).for_each(name);
    named
}

/// The paths that a text may mean: below `${__dirname}`, on Windows with `.exe`, as a Python module.
fn candidates(text: &str) -> Vec<String> {
    let text = text.replace('\\', "/");
    let text = text.rsplit("${__dirname}").next().unwrap_or_default();
    // `--config=${__dirname}/x`, `./x`.
    let path = text.trim_start_matches(['/', '.']).trim_matches(['"', '\'']);
    if path.is_empty() || path.len() > 1_000 {
        return Vec::new();
    }
    let mut all = vec![path.to_owned(), format!("{path}.exe")];
    if path.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
        let module = path.replace('.', "/");
        all.extend([format!("{module}.py"), format!("{module}/__main__.py")]);
    }
    all
}
