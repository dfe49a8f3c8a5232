//! What is accepted and worth telling.

use crate::path::escape;

/// Something accepted and worth telling (a `W` or `N` row).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable kebab-case code; each stands in `docs/formats/container.md`.
    pub code: &'static str,
    /// The (first) entry, escaped for showing; empty for the whole archive.
    pub path: String,
    /// What was found.
    pub message: String,
}

/// The codes of findings.
pub mod code {
    /// The archive has a comment.
    pub const ARCHIVE_COMMENT: &str = "archive-comment";
    /// An entry has a comment.
    pub const ENTRY_COMMENT: &str = "entry-comment";
    /// ZIP64 end record.
    pub const ZIP64: &str = "zip64";
    /// Setuid, setgid or sticky; dropped.
    pub const MODE_SPECIAL: &str = "mode-special-bits";
    /// Writable for everybody; becomes 0755 or 0644.
    pub const MODE_WRITABLE: &str = "mode-world-writable";
    /// No mode; becomes 0644.
    pub const MODE_MISSING: &str = "mode-missing";
    /// UTF-8 name without the UTF-8 flag.
    pub const NAME_NOT_FLAGGED: &str = "name-not-flagged";
    /// Zero-width and other invisible characters.
    pub const NAME_INVISIBLE: &str = "name-invisible";
    /// `__proto__` and its like.
    pub const NAME_OBJECT_PROPERTY: &str = "name-object-property";
    /// Begins with `-` or `~`, or holds shell metacharacters.
    pub const NAME_SHELL: &str = "name-shell";
    /// Impossible or different on Windows, which is no target.
    pub const NAME_WINDOWS: &str = "name-windows";
    /// Longer than Windows likes.
    pub const PATH_LONG: &str = "path-long";
    /// A stored file holds the markers of a signature block.
    pub const SIGNATURE_MARKERS: &str = "signature-markers-inside";
    /// Compresses unusually well.
    pub const RATIO_HIGH: &str = "ratio-high";
    /// An archive inside the archive.
    pub const ARCHIVE_NESTED: &str = "archive-nested";
    /// Sizes in the local header and in a descriptor.
    pub const DESCRIPTOR_SIZES: &str = "descriptor-sizes";
    /// A binary's entry point lacks the execute bit.
    pub const ENTRY_POINT_MODE: &str = "entry-point-not-executable";
}

/// Collects findings: one for each code, naming the first entry and counting the others.
#[derive(Default)]
pub(super) struct Findings(Vec<(Finding, usize)>);

impl Findings {
    /// The message is made only for the first of its code.
    pub(super) fn add(&mut self, code: &'static str, path: &str, message: impl FnOnce() -> String) {
        match self.0.iter_mut().find(|(finding, _)| finding.code == code) {
            Some((_, more)) => *more += 1,
            None => self.0.push((Finding { code, path: escape(path), message: message() }, 0)),
        }
    }

    pub(super) fn finish(self) -> Vec<Finding> {
        self.0
            .into_iter()
            .map(|(mut finding, more)| {
                if more > 0 {
                    finding.message = format!("{} (and {more} more)", finding.message);
                }
                finding
            })
            .collect()
    }
}
