//! Names of files in the texts of the server's own files: a stand-in for following its imports and calls.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use mpak_bundle::manifest::Contents;

use crate::content::ContentKind;
use crate::evidence::FileFact;

/// Largest file that is searched.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Most bytes of all files that are searched.
const ALL_BYTES_MAX: u64 = 64 << 20;
/// Shortest name that says something.
const NAME_BYTES_MIN: usize = 4;

/// Which of the wanted files the server's own files speak of.
pub(super) fn mentioned<'w>(
    contents: &dyn Contents,
    files: &[FileFact],
    wanted: &[&'w str],
    own: &dyn Fn(&str) -> bool,
) -> BTreeSet<&'w str> {
    let mut found = BTreeSet::new();
    let names: Vec<(&str, &str)> = wanted.iter().flat_map(|path| names(path).map(|name| (name, *path))).collect();
    if names.is_empty() {
        return found;
    }
    let Ok(search) = AhoCorasick::new(names.iter().map(|(name, _)| name)) else { return found };
    let mut left = ALL_BYTES_MAX;
    for file in files.iter().filter(|file| speaks(file) && own(&file.path)) {
        if file.bytes > FILE_BYTES_MAX || file.bytes > left {
            continue;
        }
        left -= file.bytes;
        let Some(text) = contents.head(&file.path, usize::try_from(file.bytes).unwrap_or(usize::MAX)) else { continue };
        for hit in search.find_overlapping_iter(&text) {
            let path = names[hit.pattern()].1;
            // A file that speaks of itself explains nothing.
            if path != file.path && is_whole(&text, hit.start(), hit.end()) {
                found.insert(path);
            }
        }
    }
    found
}

/// Its name; of a library also the name that it is loaded by.
fn names(path: &str) -> impl Iterator<Item = &str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let library = [".so", ".pyd", ".node", ".dll", ".dylib"].iter().any(|end| name.contains(end));
    let stem = name.split('.').next().unwrap_or(name);
    let stem = (library && stem.len() >= NAME_BYTES_MIN).then_some(stem);
    Some(name).filter(|name| name.len() >= NAME_BYTES_MIN).into_iter().chain(stem)
}

/// Texts that decide what runs, and programs; not documentation.
fn speaks(file: &FileFact) -> bool {
    let name = file.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let documents = [".md", ".txt", ".rst", ".map", ".d.ts", ".lock", ".sig", ".svg", ".html", ".css"];
    matches!(file.kind, ContentKind::Text | ContentKind::Script | ContentKind::Native)
        && !documents.iter().any(|end| name.ends_with(end))
        && !matches!(
            name.as_str(),
            "manifest.json" | "license" | "readme" | "changelog" | "record" | "package-lock.json" | "sbom.json"
        )
}

/// Not a part of a longer name.
fn is_whole(text: &[u8], start: usize, end: usize) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-');
    !part(start.checked_sub(1).and_then(|at| text.get(at))) && !part(text.get(end))
}
