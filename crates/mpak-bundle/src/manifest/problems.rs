//! Collecting problems: where they are, how they are worded, and how many are kept.

use std::fmt::Write as _;

use super::{Problem, Severity};

/// Most problems that are kept; errors push warnings out.
pub(super) const PROBLEMS_COUNT_MAX: usize = 100;
/// Longest pointer that is kept, in characters.
const POINTER_CHARS_MAX: usize = 300;
/// Longest piece of someone's text in a message, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A stable code; made in [`code`] only, so that [`CODES`] is complete.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code(&'static str);

macro_rules! codes {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// Every code.
        pub(super) mod code {
            use super::Code;
            $(pub(in crate::manifest) const $name: Code = Code($text);)+
        }
        /// Every code that a problem can have, sorted as in the documentation.
        pub const CODES: &[&str] = &[$($text),+];
    };
}

codes! {
    JSON_SIZE = "json-size",
    JSON_ENCODING = "json-encoding",
    JSON_BOM = "json-bom",
    JSON_SYNTAX = "json-syntax",
    JSON_TRAILING = "json-trailing",
    JSON_DEPTH = "json-depth",
    JSON_DUPLICATE_KEY = "json-duplicate-key",
    JSON_PROTO_KEY = "json-proto-key",
    JSON_SURROGATE = "json-surrogate",
    JSON_NUMBER = "json-number",
    MANIFEST_VERSION = "manifest-version",
    DXT_VERSION = "dxt-version",
    FIELD_MISSING = "field-missing",
    FIELD_TYPE = "field-type",
    FIELD_NULL = "field-null",
    FIELD_UNKNOWN = "field-unknown",
    FIELD_TOO_NEW = "field-too-new",
    VALUE_UNKNOWN = "value-unknown",
    NAME_INVALID = "name-invalid",
    NAME_UNUSUAL = "name-unusual",
    VERSION_NOT_SEMVER = "version-not-semver",
    URL_INVALID = "url-invalid",
    URL_SCHEME = "url-scheme",
    URL_CREDENTIALS = "url-credentials",
    EMAIL_INVALID = "email-invalid",
    TEXT_CONTROL = "text-control",
    TEXT_BIDI = "text-bidi",
    TEXT_INVISIBLE = "text-invisible",
    TEXT_MIXED_SCRIPTS = "text-mixed-scripts",
    PATH_INVALID = "path-invalid",
    SERVER_TYPE = "server-type",
    SERVER_UV_TOO_NEW = "server-uv-too-new",
    MCP_CONFIG_MISSING = "mcp-config-missing",
    COMMAND_EMPTY = "command-empty",
    COMMAND_OUTSIDE = "command-outside",
    COMMAND_SHELL = "command-shell",
    COMMAND_FETCHES = "command-fetches",
    COMMAND_FROM_USER = "command-from-user",
    COMMAND_MISSING = "command-missing",
    ENV_NAME = "env-name",
    ENV_NAME_TWICE = "env-name-twice",
    ENV_LOADER = "env-loader",
    ENV_SENSITIVE = "env-sensitive",
    NUL_CHARACTER = "nul-character",
    OVERRIDE_PLATFORM = "override-platform",
    PLATFORMS_EMPTY = "platforms-empty",
    CLIENT_UNKNOWN = "client-unknown",
    RANGE_UNREADABLE = "range-unreadable",
    OPTION_KEY = "option-key",
    OPTION_RANGE = "option-range",
    OPTION_DEFAULT = "option-default",
    OPTION_MULTIPLE = "option-multiple",
    OPTION_SECRET_DEFAULT = "option-secret-default",
    OPTION_SECRET_ARGUMENT = "option-secret-argument",
    OPTION_UNDECLARED = "option-undeclared",
    OPTION_UNUSED = "option-unused",
    OPTION_LIST_EMBEDDED = "option-list-embedded",
    VARIABLE_UNKNOWN = "variable-unknown",
    VARIABLE_OPEN = "variable-open",
    TOOL_DUPLICATE = "tool-duplicate",
    TOOL_SCHEMA = "tool-schema",
    PROMPT_DUPLICATE = "prompt-duplicate",
    META_KEY = "meta-key",
    LOCALE_TAG = "locale-tag",
    LOCALE_TEMPLATE = "locale-template",
    LOCALE_FILE = "locale-file",
    ICON_SIZE_TEXT = "icon-size-text",
    ICON_REMOTE = "icon-remote",
    ICON_MISSING = "icon-missing",
    ICON_FORMAT = "icon-format",
    ICON_TOO_LARGE = "icon-too-large",
    ICON_TRUNCATED = "icon-truncated",
    ICON_SIZE_DIFFERS = "icon-size-differs",
    SCREENSHOT_MISSING = "screenshot-missing",
    ENTRY_POINT_MISSING = "entry-point-missing",
    ENTRY_POINT_CASE = "entry-point-case",
    ENTRY_POINT_FOLDER = "entry-point-folder",
    ENTRY_POINT_MODULE = "entry-point-module",
    UV_PROJECT_MISSING = "uv-project-missing",
    UV_VENDORED = "uv-vendored",
    NATIVE_PLATFORM = "native-platform",
    NATIVE_LIBRARIES = "native-libraries",
    TOO_MANY = "too-many",
}

/// A place in the document, as a list that is only written out when there is something to report.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a>(Option<(&'a At<'a>, Step<'a>)>);

/// One step of a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    /// A member.
    Key(&'a str),
    /// An element.
    Index(usize),
}

impl<'a> Step<'a> {
    pub(super) fn key(self) -> Option<&'a str> {
        if let Self::Key(key) = self { Some(key) } else { None }
    }

    pub(super) fn index(self) -> Option<usize> {
        if let Self::Index(index) = self { Some(index) } else { None }
    }
}

impl<'a> At<'a> {
    /// The whole document.
    pub(super) fn root() -> Self {
        Self(None)
    }

    /// A member of this place.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self(Some((self, Step::Key(key))))
    }

    /// An element of this place.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self(Some((self, Step::Index(index))))
    }

    /// The place around this one and the last step; `None` for the root.
    pub(super) fn split(&self) -> Option<(&'a At<'a>, Step<'a>)> {
        self.0
    }

    /// The top-level key under which this place lies.
    pub(super) fn first_key(&self) -> Option<&'a str> {
        let (parent, step) = self.0?;
        if parent.0.is_none() { step.key() } else { parent.first_key() }
    }

    /// As JSON pointer, cut where it gets too long.
    pub(super) fn pointer(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        let Some((parent, step)) = self.0 else { return };
        parent.write(out);
        match step {
            Step::Index(index) => {
                let _ = write!(out, "/{index}");
            }
            Step::Key(key) => {
                out.push('/');
                for c in key.chars().take(POINTER_CHARS_MAX) {
                    match c {
                        '~' => out.push_str("~0"),
                        '/' => out.push_str("~1"),
                        c => out.push(c),
                    }
                }
                if key.chars().nth(POINTER_CHARS_MAX).is_some() {
                    out.push('…');
                }
            }
        }
    }
}

/// The reading ended; why is among the problems.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    errors_count: usize,
    dropped_count: usize,
}

impl Problems {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Whether one of them refuses the manifest.
    pub(super) fn has_errors(&self) -> bool {
        self.errors_count > 0
    }

    /// Reports a problem of the whole document at a line.
    pub(super) fn push_line(
        &mut self,
        severity: Severity,
        code: Code,
        line: Option<u32>,
        message: impl Into<String>,
        help: &str,
    ) {
        self.push_at(severity, code, &At::root(), line, message, help);
    }

    /// Reports the error that ends the reading.
    pub(super) fn end(&mut self, code: Code, line: Option<u32>, message: impl Into<String>, help: &str) -> Stopped {
        self.push_line(Severity::Error, code, line, message, help);
        Stopped
    }

    /// Reports a problem at a place and line.
    pub(super) fn push_at(
        &mut self,
        severity: Severity,
        code: Code,
        at: &At<'_>,
        line: Option<u32>,
        message: impl Into<String>,
        help: &str,
    ) {
        if self.make_room(severity) {
            self.keep(severity, code, at, line, message.into(), help);
        }
    }

    /// Keeps a problem after [`Problems::make_room`] allowed it.
    pub(super) fn keep(
        &mut self,
        severity: Severity,
        code: Code,
        at: &At<'_>,
        line: Option<u32>,
        message: String,
        help: &str,
    ) {
        let help = Some(help.to_owned()).filter(|h| !h.is_empty());
        self.list.push(Problem { severity, code: code.0, pointer: at.pointer(), line, message, help });
    }

    /// Whether another problem of this severity is kept; makes room for it where a warning can go.
    pub(super) fn make_room(&mut self, severity: Severity) -> bool {
        self.errors_count += usize::from(severity == Severity::Error);
        if self.list.len() < PROBLEMS_COUNT_MAX {
            return true;
        }
        self.dropped_count += 1;
        if severity == Severity::Error
            && let Some(last) = self.list.iter().rposition(|p| p.severity == Severity::Warning)
        {
            self.list.remove(last);
            return true;
        }
        false
    }

    /// All problems in the order of the document; what was left out is counted in a last one.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|p| p.line);
        if self.dropped_count > 0 {
            self.list.push(Problem {
                severity: Severity::Warning,
                code: code::TOO_MANY.0,
                pointer: String::new(),
                line: None,
                message: format!("{} more problems are not listed", self.dropped_count),
                help: None,
            });
        }
        self.list
    }
}

/// Someone's text as it may stand in a message: short, and without characters that do not show.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .flat_map(|c| {
            let hidden = c.is_control() || super::text::is_bidi(c) || super::text::is_invisible(c);
            if hidden { c.escape_unicode().collect::<String>() } else { c.to_string() }.chars().collect::<Vec<_>>()
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_pushes_a_warning_out_and_nothing_is_lost_uncounted() {
        let mut problems = Problems::new();
        for _ in 0..150 {
            problems.push_line(Severity::Warning, code::FIELD_UNKNOWN, Some(2), "w", "");
        }
        problems.push_line(Severity::Error, code::FIELD_TYPE, Some(1), "e", "");
        assert!(problems.has_errors());
        let list = problems.finish();
        assert_eq!(list.len(), PROBLEMS_COUNT_MAX + 1);
        assert_eq!(list[0].code, "field-type");
        assert_eq!(list.last().unwrap().message, "51 more problems are not listed");
    }

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for code in CODES {
            assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
            assert!(seen.insert(code), "{code}");
        }
    }

    #[test]
    fn shown_text_is_short_and_visible() {
        assert_eq!(shown("a\u{1b}[0m\u{202e}"), "a\\u{1b}[0m\\u{202e}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN_CHARS_MAX + 1);
    }
}
