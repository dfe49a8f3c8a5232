//! The texts that a model reads: those of the manifest and of its localisations.

use mpak_bundle::limits::Limits;
use serde_json::Value;

use super::MANIFEST;
use super::source::Source;
use crate::texts::Texts;

/// Most localisations whose texts are read.
const LOCALES_COUNT_MAX: usize = 200;

/// `None` without a manifest.
pub(super) fn gather(source: &dyn Source, document: Option<&Value>, limits: &Limits) -> Option<Texts> {
    let document = document?;
    let mut texts = Texts::from_manifest(document, MANIFEST);
    for path in localisations(source, document) {
        let head = source.head(&path, usize::try_from(limits.manifest_bytes_max).unwrap_or(usize::MAX));
        if let Some(localised) = head.and_then(|text| serde_json::from_slice(&text).ok()) {
            texts.add_localisation(&localised, &path);
        }
    }
    Some(texts)
}

/// Paths of the files that the manifest's `localization.resources` stands for.
fn localisations(source: &dyn Source, document: &Value) -> Vec<String> {
    let template = document.get("localization").and_then(|l| l.get("resources")).and_then(Value::as_str);
    let Some((before, after)) = template.and_then(|t| t.trim_start_matches("./").split_once("${locale}")) else {
        return Vec::new();
    };
    let fits =
        |path: &String| path.len() > before.len() + after.len() && path.starts_with(before) && path.ends_with(after);
    source.paths().into_iter().filter(fits).take(LOCALES_COUNT_MAX).collect()
}
