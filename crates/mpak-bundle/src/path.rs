//! Paths inside a bundle: relative, `/`-separated, safe to join to a folder on every system.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use crate::limits::Limits;

/// A checked path inside a bundle, for example `server/index.js`. No `..`, no empty part, no backslash,
/// no control or bidi character, no drive; within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BundlePath(String);

/// Why a text is not a path inside a bundle.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// Nothing at all.
    #[error("the name is empty")]
    Empty,
    /// Starts with `/`.
    #[error("the name is absolute")]
    Absolute,
    /// Starts with a Windows drive.
    #[error("the name starts with a drive")]
    Drive,
    /// Holds a backslash.
    #[error("the name holds a backslash, expected `/` between folders")]
    Backslash,
    /// Holds `..`.
    #[error("the name holds `..`")]
    Parent,
    /// Holds `.` as a part.
    #[error("the name holds `.` as a part")]
    Dot,
    /// Holds `//`, or `/` at the end of a file's name.
    #[error("the name holds an empty part")]
    EmptyPart,
    /// Holds NUL, a control character or a line separator.
    #[error("the name holds the control character U+{:04X}", u32::from(*character))]
    Control {
        /// The first one.
        character: char,
    },
    /// Holds a character that turns the direction of text.
    #[error("the name holds the direction-changing character U+{:04X}", u32::from(*character))]
    Bidi {
        /// The first one.
        character: char,
    },
    /// The whole path is too long.
    #[error("the name has {bytes} bytes, expected at most {limit}")]
    Length {
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// One part is too long.
    #[error("a part of the name has {bytes} bytes, expected at most {limit}")]
    PartLength {
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// Too many folders inside each other.
    #[error("the name has {depth} folders inside each other, expected at most {limit}")]
    Depth {
        /// Its depth.
        depth: usize,
        /// The deepest allowed.
        limit: usize,
    },
}

impl PathError {
    /// Stable kebab-case code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "name-empty",
            Self::Absolute => "name-absolute",
            Self::Drive => "name-drive",
            Self::Backslash => "name-backslash",
            Self::Parent => "name-traversal",
            Self::Dot => "name-dot",
            Self::EmptyPart => "name-empty-part",
            Self::Control { .. } => "name-control",
            Self::Bidi { .. } => "name-bidi",
            Self::Length { .. } => "name-length",
            Self::PartLength { .. } => "name-part-length",
            Self::Depth { .. } => "name-depth",
        }
    }
}

/// Why a name cannot be, or means something else, on Windows.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WindowsProblem {
    /// `CON`, `nul.txt`, `COM1.log`, …
    #[error("is a device")]
    Device,
    /// Ends with a dot or space, which Windows drops.
    #[error("ends with a dot or a space, which Windows drops")]
    Trailing,
    /// `a:b` names a stream of `a`.
    #[error("names a stream of another file")]
    Stream,
    /// `MANIFE~1.JSO` may be another name of an existing file.
    #[error("has the form of a short name of another file")]
    ShortName,
}

impl BundlePath {
    /// Reads a file's path.
    ///
    /// # Errors
    /// [`PathError`], the first that applies.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > limits.path_bytes_max {
            return Err(PathError::Length { bytes: text.len(), limit: limits.path_bytes_max });
        }
        check_characters(text)?;
        if is_drive(text) {
            return Err(PathError::Drive);
        }
        if text.contains('\\') {
            return Err(PathError::Backslash);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        text.split('/').try_for_each(|part| check_part(part, limits))?;
        let depth = text.matches('/').count();
        if depth > limits.path_depth_max {
            return Err(PathError::Depth { depth, limit: limits.path_depth_max });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder it stands in, without `/` at the end; `None` at the root.
    pub fn folder(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(folder, _)| folder)
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// Below a folder of this machine.
    pub fn below(&self, root: &Path) -> PathBuf {
        let mut path = root.to_owned();
        path.extend(self.0.split('/'));
        path
    }

    /// The form in which two paths that some file system takes for one are equal: case folded (fully,
    /// the Turkish dotless i too), composed.
    pub fn folded(&self) -> Cow<'_, str> {
        fold(&self.0)
    }

    /// Whether it is a different or impossible path on Windows.
    pub fn windows_problem(&self) -> Option<WindowsProblem> {
        self.0.split('/').find_map(windows_problem)
    }

    /// Whether it holds characters that nobody sees (zero width, soft hyphen, tags).
    pub fn has_invisible(&self) -> bool {
        !self.0.is_ascii() && self.0.chars().any(is_invisible)
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for BundlePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Makes a name safe to show, and short: control, bidi and invisible characters become `\u{…}`.
pub fn escape(text: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_CHARS {
            out.push('…');
            break;
        }
        if is_control(c) || is_bidi(c) || is_invisible(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

fn check_characters(text: &str) -> Result<(), PathError> {
    for character in text.chars() {
        if is_control(character) {
            return Err(PathError::Control { character });
        }
        if is_bidi(character) {
            return Err(PathError::Bidi { character });
        }
    }
    Ok(())
}

fn check_part(part: &str, limits: &Limits) -> Result<(), PathError> {
    match part {
        "" => Err(PathError::EmptyPart),
        "." => Err(PathError::Dot),
        ".." => Err(PathError::Parent),
        _ if part.len() > limits.component_bytes_max => {
            Err(PathError::PartLength { bytes: part.len(), limit: limits.component_bytes_max })
        }
        _ => Ok(()),
    }
}

/// `C:`, `C:x`, `c:/x`, `c:\x`. A lower-case `a:b` is left to the Windows rule: it is a plain name
/// elsewhere.
fn is_drive(text: &str) -> bool {
    match text.as_bytes() {
        [letter, b':', rest @ ..] => {
            letter.is_ascii_uppercase()
                || (letter.is_ascii_lowercase() && matches!(rest.first(), None | Some(b'/' | b'\\')))
        }
        _ => false,
    }
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return if text.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(text.to_ascii_lowercase())
        } else {
            Cow::Borrowed(text)
        };
    }
    // Lower, upper, lower: ẞ → ß → SS → ss, K (Kelvin) → k, ς → Σ → σ, ı → I → i.
    Cow::Owned(
        text.nfd()
            .flat_map(char::to_lowercase)
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .nfc()
            .collect(),
    )
}

fn windows_problem(part: &str) -> Option<WindowsProblem> {
    if part.contains(':') {
        return Some(WindowsProblem::Stream);
    }
    if part.ends_with(['.', ' ']) {
        return Some(WindowsProblem::Trailing);
    }
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ');
    if is_device(stem) {
        return Some(WindowsProblem::Device);
    }
    is_short_name(part).then_some(WindowsProblem::ShortName)
}

fn is_device(stem: &str) -> bool {
    if stem.len() < 3 || stem.len() > 7 {
        return false;
    }
    let upper = stem.to_ascii_uppercase();
    if matches!(upper.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let numbered = upper.strip_prefix("COM").or_else(|| upper.strip_prefix("LPT"));
    numbered.is_some_and(|number| {
        matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    })
}

/// At most six characters, `~`, digits; at most eight together; at most three after one dot.
fn is_short_name(part: &str) -> bool {
    let (stem, extension) = part.split_once('.').unwrap_or((part, ""));
    if extension.contains('.') || extension.len() > 3 || stem.chars().count() > 8 {
        return false;
    }
    stem.rsplit_once('~').is_some_and(|(start, number)| {
        !start.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BundlePath, PathError> {
        BundlePath::parse(text, &Limits::default())
    }

    #[test]
    fn paths_stay_inside_on_every_system() {
        for good in ["a", "a/b.txt", "..a/b..", "...", "server/index.js", "grüße.txt", "a:b", "node_modules/@x/y"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for (bad, code) in [
            ("", "name-empty"),
            ("/a", "name-absolute"),
            ("//server/share/x", "name-absolute"),
            ("C:\\evil", "name-drive"),
            ("C:evil", "name-drive"),
            ("c:/evil", "name-drive"),
            ("..\\..\\evil", "name-backslash"),
            ("../evil", "name-traversal"),
            ("a/../b", "name-traversal"),
            ("..", "name-traversal"),
            (".", "name-dot"),
            ("./y", "name-dot"),
            ("a//b", "name-empty-part"),
            ("a/", "name-empty-part"),
            ("a.txt\0.png", "name-control"),
            ("a\nb", "name-control"),
            ("a\u{9b}b", "name-control"),
            ("a\u{202e}b", "name-bidi"),
            (&"x".repeat(256), "name-part-length"),
            (&vec!["x"; 66].join("/"), "name-depth"),
            (&vec!["x"; 600].join("/"), "name-length"),
        ] {
            assert_eq!(parse(bad).unwrap_err().code(), code, "{bad}");
        }
        assert!(parse(&vec!["x"; 65].join("/")).is_ok());
    }

    #[test]
    fn folding_joins_what_some_file_system_joins() {
        for (a, b) in [
            ("Manifest.json", "manifest.JSON"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("\u{212a}", "k"),
            ("straße", "STRASSE"),
            ("\u{1e9e}", "ss"),
            ("ΣΑΣ", "σας"),
            ("\u{131}", "I"),
            ("\u{c9}", "e\u{301}"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("a"), fold("b"));
    }

    #[test]
    fn windows_sees_other_names() {
        use WindowsProblem::{Device, ShortName, Stream, Trailing};
        for (name, problem) in [
            ("CON", Device),
            ("x/aux.txt", Device),
            ("nul", Device),
            ("COM1.log", Device),
            ("CON .txt", Device),
            ("COM\u{b9}", Device),
            ("CONIN$", Device),
            ("trail.", Trailing),
            ("trail /x", Trailing),
            ("a:b", Stream),
            ("manifest.json::$DATA", Stream),
            ("MANIFE~1.JSO", ShortName),
        ] {
            assert_eq!(parse(name).unwrap().windows_problem(), Some(problem), "{name}");
        }
        for name in ["console.js", "com10", "COM", "a~b", "backup~", "~1", "long-name~1.js", "nullable", "x/com1x"] {
            assert_eq!(parse(name).unwrap().windows_problem(), None, "{name}");
        }
    }

    #[test]
    fn names_are_shown_without_their_tricks() {
        assert_eq!(escape("a\u{1b}[31m\u{202e}b\u{200b}"), "a\\u{1b}[31m\\u{202e}b\\u{200b}");
        assert_eq!(escape(&"x".repeat(300)).chars().count(), 201);
    }
}
