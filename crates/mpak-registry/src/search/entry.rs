//! One package as search and lists show it, made from its latest version's manifest.
//!
//! The manifest is the author's: members of a wrong type are left out, never an error.

use mpak_api::bundle::{Author, Summary};
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::db::packages::CatalogueRow;

/// Longest text of one package in a list, and of all its tools together. A page of results is a hundred
/// packages, and manifests have up to a mebibyte: one publisher must not make lists that nobody can read.
const TEXT_CHARS_MAX: usize = 4_000;
const TOOLS_BYTES_MAX: usize = 32 << 10;

/// A package in the catalogue. `summary.downloads` is 0: counts are added when it is shown.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) package_id: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) summary: Summary,
    pub(crate) keywords: Vec<String>,
    /// Name, display name and description in lower case, in this order, with NUL between.
    haystack: String,
    /// Where the display name and the description begin in it.
    parts: (usize, usize),
}

impl Entry {
    /// From a row.
    pub(crate) fn new(row: &CatalogueRow) -> Self {
        let manifest: Value = serde_json::from_str(&row.manifest_json).unwrap_or_default();
        let mut summary = summary(row, &manifest);
        shorten(&mut summary);
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
        let (display, description) = (lower(&summary.display_name), lower(&summary.description));
        let haystack = format!("{}\0{display}\0{description}", summary.name);
        let parts = (summary.name.len() + 1, summary.name.len() + display.len() + 2);
        let keywords = manifest["keywords"].as_array().into_iter().flatten();
        Self {
            package_id: row.id,
            created_at_ms: row.created_at_ms,
            keywords: keywords.filter_map(Value::as_str).map(str::to_owned).collect(),
            summary,
            haystack,
            parts,
        }
    }

    /// Whether a lower-case text is a piece of name, display name or description, and how much that
    /// weighs: more in the name, most when it is the name.
    pub(crate) fn contains(&self, piece: &str) -> Option<f32> {
        if piece.is_empty() {
            return None;
        }
        let at = self.haystack.find(piece)?;
        let name = &self.summary.name;
        let base = name.rsplit('/').next().unwrap_or(name);
        Some(match at {
            _ if name == piece => 1_000.0,
            _ if base == piece => 500.0,
            _ if at < self.parts.0 && base.starts_with(piece) => 40.0,
            _ if at < self.parts.0 => 20.0,
            _ if at < self.parts.1 => 10.0,
            _ => 2.0,
        })
    }
}

/// Cuts what would be too long for a list; the package's own answer has it whole.
fn shorten(summary: &mut Summary) {
    let author = summary.author.as_mut().map(|a| &mut a.name);
    let texts = [&mut summary.display_name, &mut summary.description, &mut summary.icon];
    for text in texts.into_iter().filter_map(Option::as_mut).chain(author) {
        if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
            text.truncate(end);
        }
    }
    let Some(tools) = summary.tools.as_array_mut() else { return };
    let mut bytes = 0;
    let kept = tools.iter().take_while(|tool| {
        bytes += tool.to_string().len() + 1;
        bytes <= TOOLS_BYTES_MAX
    });
    let kept = kept.count();
    tools.truncate(kept);
}

/// The wire's summary of a package, with its latest version's publish time and no downloads.
pub(crate) fn summary(row: &CatalogueRow, manifest: &Value) -> Summary {
    let text = |value: &Value| value.as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    Summary {
        name: row.name.clone(),
        display_name: text(&manifest["display_name"]),
        description: text(&manifest["description"]),
        author: text(&manifest["author"]["name"]).map(|name| Author { name }),
        latest_version: row.latest_version.clone(),
        icon: text(&manifest["icon"]),
        server_type: row.server_type.clone(),
        tools: tools(&manifest["tools"]),
        downloads: 0,
        published_at: rfc3339(row.published_at_ms),
        verified: false,
        provenance: None,
        certification_level: None,
    }
}

/// Names and descriptions only: the wire promises no more.
fn tools(tools: &Value) -> Value {
    let shown = tools.as_array().into_iter().flatten().filter_map(|tool| {
        let name = tool["name"].as_str()?;
        Some(match tool["description"].as_str() {
            Some(description) => json!({"name": name, "description": description}),
            None => json!({"name": name}),
        })
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manifest: &Value) -> Entry {
        Entry::new(&CatalogueRow {
            id: 1,
            name: "@acme/widget".to_owned(),
            latest_version: "1.0.0".to_owned(),
            created_at_ms: 0,
            server_type: "node".to_owned(),
            manifest_json: manifest.to_string(),
            published_at_ms: 0,
        })
    }

    #[test]
    fn a_piece_counts_most_where_it_names_the_package() {
        let entry = entry(&json!({"display_name": "Gadget Maker", "description": "Turns 100% of WIDGETS"}));
        let weight = |piece| entry.contains(piece).unwrap_or(0.0);
        assert!(weight("@acme/widget") > weight("widget"));
        assert!(weight("widget") > weight("widg"));
        assert!(weight("widg") > weight("idge"));
        assert!(weight("idge") > weight("gadget"));
        assert!(weight("gadget") > weight("100%"));
        assert!(weight("100%") > 0.0);
        assert_eq!(entry.contains("nothing"), None);
    }

    #[test]
    fn wrong_types_in_a_manifest_are_left_out() {
        let entry = entry(&json!({
            "display_name": 7, "author": "x", "keywords": ["a", 1], "icon": [],
            "tools": [{"name": "good", "description": "d", "more": 1}, {"name": 3}, "text"],
        }));
        assert_eq!(entry.summary.display_name, None);
        assert!(entry.summary.author.is_none());
        assert_eq!(entry.keywords, ["a"]);
        assert_eq!(entry.summary.tools, json!([{"name": "good", "description": "d"}]));
    }

    #[test]
    fn a_package_cannot_make_lists_too_long_to_read() {
        let tools: Vec<Value> =
            (0..9_000).map(|i| json!({"name": format!("t{i}"), "description": "word ".repeat(10)})).collect();
        let entry = entry(&json!({
            "display_name": "d".repeat(300_000), "description": "é".repeat(300_000), "author": {"name": "a".repeat(300_000)},
            "icon": "i".repeat(300_000), "tools": tools,
        }));
        let bytes = serde_json::to_string(&entry.summary).unwrap().len();
        assert!(bytes < 64 << 10, "{bytes}");
        assert!(entry.summary.tools.as_array().unwrap().len() > 100);
    }
}
