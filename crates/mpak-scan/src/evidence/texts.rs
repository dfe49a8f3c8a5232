//! The texts that a model reads: those of the manifest, of its localisations, and of what code registers.

use serde_json::Value;

use super::Code;
use super::MANIFEST;
use super::source::Item;
use crate::code::facts::Unit;
use crate::texts::{Texts, files, subjects_of_code};

/// Most localisations whose texts are read.
const LOCALES_COUNT_MAX: usize = 200;
/// Most files beside the code whose texts are read.
const FILES_COUNT_MAX: usize = 200;

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

/// Numbers of the server's own files beside the code that may hold texts for models.
pub(super) fn beside(items: &[Item], is_own: impl Fn(&str) -> bool) -> Vec<usize> {
    let fits = |item: &Item| item.bytes <= files::FILE_BYTES_MAX && files::may_hold(&item.path) && is_own(&item.path);
    items.iter().enumerate().filter(|(_, item)| fits(item)).take(FILES_COUNT_MAX).map(|(number, _)| number).collect()
}

/// Methods by which clients ask for texts.
const METHODS: [&str; 3] = ["tools/list", "prompts/get", "resources/list"];
/// Folders of code that no server starts.
const ASIDE: [&str; 9] =
    ["test", "tests", "__tests__", "spec", "examples", "fixtures", "docs", "benchmarks", "node_modules"];

/// Whether a file that nothing is known to start answers clients by itself.
fn serves(unit: &Unit) -> bool {
    !unit.path.split('/').any(|part| ASIDE.contains(&part)) && METHODS.iter().any(|method| unit.source.contains(method))
}

/// Adds what code registers, and what it loads; without a manifest that is all there is to read. `place` tells whether
/// a file is the server's own, and whether nothing is known to start it.
pub(super) fn with_code<'c>(
    texts: Option<Texts>,
    code: &Code,
    place: &dyn Fn(&str) -> (bool, bool),
    beside: impl Iterator<Item = (&'c str, &'c [u8])>,
) -> Option<Texts> {
    let declared = texts.is_some();
    let mut all = texts.unwrap_or_default();
    let counts = |unit: &Unit| {
        let (own, unreached) = place(&unit.path);
        own && (!unreached || serves(unit))
    };
    for subject in subjects_of_code(&code.program, &code.handlers, &counts) {
        all.add(subject);
    }
    let sources: Vec<&str> =
        code.program.units().filter(|(_, unit)| counts(unit)).map(|(_, unit)| unit.source.as_str()).collect();
    for (path, content) in beside.filter(|(path, _)| sources.iter().any(|source| files::is_named(path, source))) {
        files::read(path, content).into_iter().for_each(|subject| all.add(subject));
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
