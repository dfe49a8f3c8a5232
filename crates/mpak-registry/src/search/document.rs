//! One package as search finds it and lists show it, made from its latest version's manifest.
//!
//! The manifest is the author's: members of a wrong type are left out, never an error.

use std::collections::HashMap;

use mpak_api::bundle::{Author, Summary};
use serde_json::{Value, json};

use super::segment::{IMPACT, IN_NAME};
use super::words::{WORD_BYTES_MAX, camel_parts, fold, words};
use crate::answers::Texts;
use crate::answers::gather::Gathered;
use crate::clock::rfc3339;
use crate::compat::provenance;

/// Longest text of one package in a list, and of all its tools together. A page of results is a hundred
/// packages, and manifests have up to a mebibyte: one publisher must not make lists that nobody can read.
const TEXT_CHARS_MAX: usize = 4_000;
const TOOLS_BYTES_MAX: usize = 32 << 10;

/// A package, to be indexed.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) package_id: i64,
    pub(super) created_at_ms: i64,
    pub(super) published_at_ms: i64,
    /// See [`kind`].
    pub(super) kind: u8,
    /// Name, display name and description in lower case, each followed by NUL.
    pub(super) text: String,
    /// Each word once, with what it weighs and where it stands: a posting's last byte.
    pub(super) words: Vec<(String, u8)>,
    /// What its answers are made from.
    pub(super) texts: Texts,
}

impl Document {
    /// From what the database knows.
    pub(super) fn new(gathered: &Gathered) -> Self {
        let row = &gathered.row;
        let manifest: Value = serde_json::from_str(&row.manifest_json).unwrap_or_default();
        let whole = summary(gathered, &manifest);
        let mut summary = whole.clone();
        shorten(&mut summary);
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase().replace('\0', " ");
        let (display, description) = (lower(&summary.display_name), lower(&summary.description));
        Self {
            package_id: row.id,
            created_at_ms: row.created_at_ms,
            published_at_ms: row.published_at_ms,
            kind: kind(&summary.server_type),
            text: format!("{}\0{display}\0{description}\0", summary.name),
            words: said(&summary, &manifest, [&summary.name, &display, &description]),
            texts: Texts::new(gathered, &manifest, &summary, whole),
        }
    }

    /// `@scope/name`
    pub(super) fn name(&self) -> &str {
        self.text.split('\0').next().unwrap_or_default()
    }
}

/// A server type as a number; 0 for all that we do not know.
pub(super) fn kind(server_type: &str) -> u8 {
    match server_type {
        "node" => 1,
        "python" => 2,
        "binary" => 3,
        "uv" => 4,
        _ => 0,
    }
}

/// What a word weighs in a text: the weight of the text, and the length from which on it weighs less, in
/// words. The first three are searched as written, too.
const FIELDS: [(f32, f32); 7] =
    [(6.0, 4.0), (5.0, 4.0), (1.5, 20.0), (3.0, 6.0), (3.0, 30.0), (2.0, 3.0), (0.7, 100.0)];

/// All words of a package with what they weigh, as BM25 would have it without the number of packages that
/// hold them, and where they stand as written.
#[expect(clippy::cast_precision_loss, reason = "a weight of five bits forgives it")]
fn said(summary: &Summary, manifest: &Value, written: [&str; 3]) -> Vec<(String, u8)> {
    let tools = summary.tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let of_tools = |member: &str| tools.iter().filter_map(|t| t[member].as_str()).collect::<Vec<_>>().join(" ");
    let keywords: Vec<&str> = manifest["keywords"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let author = summary.author.as_ref().map(|a| a.name.as_str()).unwrap_or_default();
    let tool_names = of_tools("name");
    let others = [keywords.join(" "), tool_names.clone(), author.to_owned(), of_tools("description")];
    let mut said: HashMap<String, (f32, u8)> = HashMap::new();
    for (field, text) in written.into_iter().map(str::to_owned).chain(others).enumerate() {
        let place = if field < 3 { IN_NAME << field } else { 0 };
        let mut counts: HashMap<String, u32> = HashMap::new();
        let lower = text.to_lowercase();
        let camel = if field == 4 { camel_parts(&tool_names) } else { Vec::new() };
        let mut count = 0_u32;
        for word in words(&lower).map(|(_, word)| word).chain(camel.iter().map(String::as_str)) {
            count += 1;
            if place != 0 {
                said.entry(word.to_owned()).or_default().1 |= place;
            }
            let ranked = fold(word).unwrap_or_else(|| word.to_owned());
            if ranked.len() <= WORD_BYTES_MAX {
                *counts.entry(ranked).or_default() += 1;
            }
        }
        let (weight, usual) = FIELDS[field];
        for (word, times) in counts {
            let saturation = 1.2 * (0.25 + 0.75 * count as f32 / usual);
            said.entry(word).or_default().0 += weight * 2.2 * times as f32 / (times as f32 + saturation);
        }
    }
    let posting = |(weight, place)| place | if weight > 0.0 { impact(weight) } else { 0 };
    said.into_iter().map(|(word, held)| (word, posting(held))).collect()
}

/// A weight in five bits, in equal steps of its logarithm.
fn impact(weight: f32) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "a weight is not negative")]
    let step = ((1.0 + weight).log2() * IMPACT_STEPS).round() as u8;
    step.clamp(1, IMPACT)
}

/// What five bits weigh.
pub(super) fn weight_of(impact: u8) -> f32 {
    (f32::from(impact & IMPACT) / IMPACT_STEPS).exp2() - 1.0
}

/// Steps for each doubling: the largest weight is about 45.
const IMPACT_STEPS: f32 = 5.5;

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
fn summary(gathered: &Gathered, manifest: &Value) -> Summary {
    let row = &gathered.row;
    let level = gathered.latest_reached().and_then(|reached| reached.level);
    let certification_level = level.and_then(|level| u8::try_from(level).ok());
    let provenance = provenance::summary(row.provenance_json.as_deref());
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
        // Somebody proved that the repository is theirs: the build that published, or an owner who claimed it.
        verified: provenance.is_some() || row.claims_count > 0,
        provenance,
        certification_level,
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
    use crate::answers::Part;
    use crate::answers::template::Fill;
    use crate::db::catalogue::Row;

    fn document(manifest: &Value) -> Document {
        let row = Row {
            id: 1,
            name: "@acme/widget".to_owned(),
            latest_version: "1.0.0".to_owned(),
            created_at_ms: 0,
            server_type: "node".to_owned(),
            manifest_json: manifest.to_string(),
            published_at_ms: 0,
            provenance_json: None,
            claims_count: 0,
            deprecated_message: None,
            deprecated_replacement: None,
        };
        let (versions, artifacts, flat, official) = Default::default();
        Document::new(&Gathered { row, versions, artifacts, certified: Vec::new(), flat, official })
    }

    fn shown(document: &Document) -> Summary {
        let (summary, mut json) = (&document.texts.0[0], Vec::new());
        Fill { base: "", package: 1, summary, counts: None }.write(summary, &mut json);
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn words_weigh_by_where_they_stand() {
        let document = document(&json!({
            "display_name": "Gadget Maker", "description": "Turns 100% of WIDGETS, résumé", "keywords": ["cog"],
            "author": {"name": "Ada"}, "tools": [{"name": "getTime", "description": "tells the hour"}],
        }));
        let said = |word: &str| document.words.iter().find(|(w, _)| w == word).map_or(0, |(_, weight)| *weight);
        let order = ["widget", "gadget", "cog", "time", "turns", "hour"].map(|word| weight_of(said(word)));
        assert!(order.is_sorted_by(|a, b| a >= b) && order[5] > 0.0, "{order:?}");
        assert_eq!(said("widget") & !IMPACT, IN_NAME);
        assert_eq!((said("maker") & !IMPACT, said("widgets") & !IMPACT), (0x40, 0x80));
        assert_eq!((said("cog") & !IMPACT, said("nothing")), (0, 0));
        // As written to be found as a piece, and without accents to be found by a word.
        assert!(said("résumé") & 0x80 != 0 && said("resume") & IMPACT != 0);
        assert_eq!(document.text, "@acme/widget\0gadget maker\0turns 100% of widgets, résumé\0");
    }

    #[test]
    fn wrong_types_in_a_manifest_are_left_out() {
        let document = document(&json!({
            "display_name": 7, "author": "x", "keywords": ["a", 1], "icon": [],
            "tools": [{"name": "good", "description": "d", "more": 1}, {"name": 3}, "text"],
        }));
        let summary = shown(&document);
        assert_eq!(summary.display_name, None);
        assert!(summary.author.is_none());
        assert_eq!(summary.tools, json!([{"name": "good", "description": "d"}]));
    }

    #[test]
    fn a_package_cannot_make_lists_too_long_to_read() {
        let tools: Vec<Value> =
            (0..9_000).map(|i| json!({"name": format!("t{i}"), "description": "word ".repeat(10)})).collect();
        let document = document(&json!({
            "display_name": "d".repeat(300_000), "description": "é".repeat(300_000), "author": {"name": "a".repeat(300_000)},
            "icon": "i".repeat(300_000), "tools": tools,
        }));
        let bytes = document.texts.0[Part::Summary as usize].len();
        assert!(bytes < 64 << 10, "{bytes}");
        // The detail has it whole.
        assert!(document.texts.0[Part::Detail as usize].len() > 1 << 20);
        assert!(shown(&document).tools.as_array().unwrap().len() > 100);
    }
}
