//! Names against each other: duplicates, collisions, files where folders are needed; and remarks on
//! single names.

use std::borrow::Cow;

use super::directory::Record;
use super::error::ArchiveError;
use super::finding::{Findings, code};
use crate::limits::Limits;
use crate::path::{BundlePath, escape};

/// Properties that every JavaScript object has: readers that keep entries in an object lose them.
const OBJECT_PROPERTIES: [&str; 8] = [
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// Endings of archives inside the archive.
const NESTED: [&str; 12] =
    [".zip", ".mcpb", ".dxt", ".jar", ".war", ".whl", ".egg", ".7z", ".rar", ".tar", ".tgz", ".tar.gz"];

/// Sorts by folded path, so that equal paths and a folder's contents stand next to each other.
pub(super) fn check(records: &[Record], limits: &Limits) -> Result<(), ArchiveError> {
    let mut names: Vec<(Cow<'_, str>, &Record)> = records.iter().map(|r| (r.entry.path.folded(), r)).collect();
    names.sort_by(|(a, _), (b, _)| compare(a, b));
    let mut folders_count = names.first().map_or(0, |(_, record)| depth(&record.entry.path));
    for pair in names.windows(2) {
        let [(folded_a, a), (folded_b, b)] = pair else { continue };
        let shared = check_pair(folded_a, a, folded_b, b)?;
        folders_count += depth(&b.entry.path) - shared.min(depth(&b.entry.path));
        if folders_count > limits.folders_count_max {
            return Err(ArchiveError::FoldersCount { limit: limits.folders_count_max });
        }
    }
    Ok(())
}

/// `/` before every other byte: a folder's contents follow it directly.
pub(super) fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    // Long equal beginnings, of which an attacker can give many, are passed over whole.
    const STEP_BYTES: usize = 32;
    let steps = a.as_bytes().chunks_exact(STEP_BYTES).zip(b.as_bytes().chunks_exact(STEP_BYTES));
    let equal = steps.take_while(|(x, y)| x == y).count() * STEP_BYTES;
    let key = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    a.as_bytes()[equal..].iter().map(key).cmp(b.as_bytes()[equal..].iter().map(key))
}

fn depth(path: &BundlePath) -> usize {
    path.as_str().matches('/').count()
}

/// Compares neighbours part by part; gives the number of parts that they share.
fn check_pair(folded_a: &str, a: &Record, folded_b: &str, b: &Record) -> Result<usize, ArchiveError> {
    let (path_a, path_b) = (a.entry.path.as_str(), b.entry.path.as_str());
    let collision = || ArchiveError::NameCollision { first: escape(path_a), second: escape(path_b) };
    let conflict = || ArchiveError::FileFolderConflict { name: escape(path_a) };
    if folded_a == folded_b {
        return Err(if path_a != path_b {
            collision()
        } else if a.folder == b.folder {
            ArchiveError::NameDuplicate { name: escape(path_a) }
        } else {
            conflict()
        });
    }
    let folded = folded_a.split('/').zip(folded_b.split('/'));
    let exact = path_a.split('/').zip(path_b.split('/'));
    let shared = folded.take_while(|(x, y)| x == y).count();
    if exact.take(shared).any(|(x, y)| x != y) {
        return Err(collision());
    }
    if shared == folded_a.split('/').count() && !a.folder {
        return Err(conflict());
    }
    Ok(shared)
}

/// Remarks on one name.
pub(super) fn remark(record: &Record, limits: &Limits, findings: &mut Findings) {
    let path = record.entry.path.as_str();
    if record.entry.path.has_invisible() {
        findings.add(code::NAME_INVISIBLE, path, || "a name holds characters that nobody sees".into());
    }
    if OBJECT_PROPERTIES.contains(&path) {
        findings.add(code::NAME_OBJECT_PROPERTY, path, || "some readers lose an entry of this name".into());
    }
    if path.starts_with(['-', '~']) || path.contains(['$', '`', ';', '&', '|', '<', '>', '*', '?', '"', '\'', '!']) {
        findings.add(code::NAME_SHELL, path, || "a name means something to a shell or looks like an option".into());
    }
    if path.len() > limits.path_bytes_warn {
        let limit = limits.path_bytes_warn;
        findings.add(code::PATH_LONG, path, || format!("a path has more than {limit} bytes; Windows may refuse it"));
    }
    let lower = record.entry.path.file_name().to_ascii_lowercase();
    if !record.folder && NESTED.iter().any(|ending| lower.ends_with(ending)) {
        findings.add(code::ARCHIVE_NESTED, path, || "an archive inside the bundle, which is not looked into".into());
    }
}
