//! The texts that a model reads: those of the manifest, of its localisations, and of what code registers.

use serde_json::Value;

use super::Code;
use super::MANIFEST;
use super::source::Item;
use crate::texts::{Texts, subjects_of_code};

/// Most localisations whose texts are read.
const LOCALES_COUNT_MAX: usize = 200;

/// `None` without a manifest. `content` gives what was kept of a file.
pub(super) fn gather<'c>(
    items: &[Item],
    document: Option<&Value>,
    content: impl Fn(usize) -> Option<&'c [u8]>,
) -> Option<Texts> {
    let document = document?;
    let mut texts = Texts::from_manifest(document, MANIFEST);
    for number in localisations(items, document) {
        if let Some(localised) = content(number).and_then(|text| serde_json::from_slice(text).ok()) {
            texts.add_localisation(&localised, &items[number].path);
        }
    }
    Some(texts)
}

/// Adds what code registers, in the files that count; without a manifest that is all there is to read.
pub(super) fn with_code(texts: Option<Texts>, code: &Code, counts: &dyn Fn(&str) -> bool) -> Option<Texts> {
    let declared = texts.is_some();
    let mut all = texts.unwrap_or_default();
    for subject in subjects_of_code(&code.program, &code.handlers, &|unit| counts(&unit.path)) {
        all.add(subject);
    }
    (declared || !all.subjects.is_empty()).then_some(all)
}

/// Numbers of the files that the manifest's `localization.resources` stands for.
pub(super) fn localisations(items: &[Item], document: &Value) -> Vec<usize> {
    let template = document.get("localization").and_then(|l| l.get("resources")).and_then(Value::as_str);
    let Some((before, after)) = template.and_then(|t| t.trim_start_matches("./").split_once("${locale}")) else {
        return Vec::new();
    };
    let fits = |item: &Item| {
        let path = &item.path;
        path.len() > before.len() + after.len() && path.starts_with(before) && path.ends_with(after)
    };
    items.iter().enumerate().filter(|(_, item)| fits(item)).take(LOCALES_COUNT_MAX).map(|(number, _)| number).collect()
}
