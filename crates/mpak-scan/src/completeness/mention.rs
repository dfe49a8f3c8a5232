//! Names of files in the texts of the server's own files: a stand-in for following its imports and calls.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

use crate::content::ContentKind;

/// Largest file that is searched.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Most bytes of all paths whose names are searched for.
const NAMES_BYTES_MAX: usize = 512 << 10;
/// Shortest name that says something.
const NAME_BYTES_MIN: usize = 4;

/// Names to search for, and the files that they are names of.
#[derive(Default)]
pub(crate) struct Mentions {
    paths: Vec<String>,
    /// By pattern: the number of its path.
    of: Vec<u32>,
    search: Option<AhoCorasick>,
}

impl Mentions {
    /// For these files, as far as the limit reaches.
    pub(super) fn new(paths: Vec<&str>) -> Self {
        let mut left = NAMES_BYTES_MAX;
        let fits = |path: &&str| {
            left = left.saturating_sub(path.len());
            left > 0
        };
        let paths: Vec<String> = paths.into_iter().take_while(fits).map(str::to_owned).collect();
        let all = || (0_u32..).zip(&paths).flat_map(|(number, path)| names(path).map(move |name| (number, name)));
        let of: Vec<u32> = all().map(|(number, _)| number).collect();
        let search = (!of.is_empty()).then(|| AhoCorasick::new(all().map(|(_, name)| name)).ok()).flatten();
        Self { paths, of, search }
    }

    /// Whether there is nothing to search for.
    pub(crate) fn is_empty(&self) -> bool {
        self.search.is_none()
    }

    /// Whether a file of this size and kind is one to search in.
    pub(crate) fn searches(path: &str, bytes: u64, kind: ContentKind) -> bool {
        bytes <= FILE_BYTES_MAX && speaks(path, kind)
    }

    /// Numbers of the files that a text speaks of, of each the first hit.
    pub(crate) fn search(&self, path: &str, text: &[u8]) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        for hit in self.search.iter().flat_map(|search| search.find_overlapping_iter(text)) {
            let number = self.of[hit.pattern()];
            // A file that speaks of itself explains nothing.
            if self.paths[number as usize] != path && is_whole(text, hit.start(), hit.end()) {
                found.insert(number);
            }
        }
        found
    }

    /// The path of a number.
    pub(crate) fn path(&self, number: u32) -> &str {
        &self.paths[number as usize]
    }
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
fn speaks(path: &str, kind: ContentKind) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let documents = [".md", ".txt", ".rst", ".map", ".d.ts", ".lock", ".sig", ".svg", ".html", ".css"];
    matches!(kind, ContentKind::Text | ContentKind::Script | ContentKind::Native)
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
