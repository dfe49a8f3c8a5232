//! Source code as facts: which language a file is in, and what it does, in one form for all languages.
//!
//! `facts` is the form, `builder` makes it, one file per language lowers its syntax tree into it, `program`
//! links the units of a bundle, `tools` finds what a model can call, `flow` follows values.
//!
//! In: files from an attacker. Limits before a parser sees a text: size, nesting, length of a line.

pub mod facts;
pub mod flow;
pub mod program;
pub mod shapes;
pub mod tools;
pub mod weak;

mod builder;
pub(crate) mod encoding;
mod helpers;
mod javascript;
pub mod native;
mod python;
mod shell;
#[cfg(test)]
mod show;

use builder::Builder;
use facts::{Language, Reading, Unit};
pub(crate) use helpers::is_small_helper;

/// Largest source file that is parsed.
pub const SOURCE_BYTES_MAX: usize = 8 << 20;
/// Deepest nesting of brackets, and of indentation, that a parser is given.
pub const NESTING_MAX: usize = 400;

/// Stack of a thread that calls [`read`]: trees of hostile texts are deep, and walking and dropping them
/// recurses. Memory is taken only as far as it is used.
pub const STACK_BYTES: usize = 1 << 30;

/// The language of a file, by its name and, where that says nothing, its first line.
pub fn language(path: &str, head: &[u8]) -> Option<Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("py" | "pyw" | "pyi") => Some(Language::Python),
        Some("js" | "mjs" | "cjs" | "jsx") => Some(Language::JavaScript),
        Some("ts" | "mts" | "cts" | "tsx") => Some(Language::TypeScript),
        Some("sh" | "bash" | "zsh") => Some(Language::Shell),
        _ => interpreter(head),
    }
}

/// Reads a file as facts; none where it is in no language that is read. To be called on a thread with
/// a stack of [`STACK_BYTES`].
pub fn read(path: &str, bytes: &[u8]) -> Option<Unit> {
    let language = language(path, bytes)?;
    let text = encoding::text(bytes);
    if let Some(refused) = encoding::foreign(language, bytes).or_else(|| refused(&text)) {
        return Some(Builder::new(path, language, text.into_owned()).finish(Vec::new(), Reading::Unread(refused)));
    }
    match language {
        Language::Python => Some(python::read(path, text.into_owned())),
        Language::JavaScript | Language::TypeScript => Some(javascript::read(path, language, text.into_owned())),
        Language::Shell => Some(shell::read(path, text.into_owned())),
    }
}

/// A file of which nothing is known but why.
pub fn unread(path: &str, language: Language, reason: &str) -> Unit {
    Builder::new(path, language, String::new()).finish(Vec::new(), Reading::Unread(reason.to_owned()))
}

/// Why a text is not given to a parser.
fn refused(text: &str) -> Option<String> {
    if text.len() > SOURCE_BYTES_MAX {
        return Some(format!("it has {} bytes, expected at most {SOURCE_BYTES_MAX}", text.len()));
    }
    let prefixes = longest_prefix_run(text);
    if prefixes > NESTING_MAX {
        return Some(format!("it has {prefixes} prefix operators in a row, expected at most {NESTING_MAX}"));
    }
    let nesting = nesting(text);
    (nesting > NESTING_MAX).then(|| format!("it nests {nesting} deep, expected at most {NESTING_MAX}"))
}

/// By `#!`.
fn interpreter(head: &[u8]) -> Option<Language> {
    let line = head.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace().filter_map(|word| word.rsplit('/').next());
    words.find_map(|word| match word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" | "pypy" => Some(Language::Python),
        "node" | "bun" | "deno" => Some(Language::JavaScript),
        "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" => Some(Language::Shell),
        _ => None,
    })
}

/// How deeply brackets and indentation nest, whatever they stand in: cheap, and never less than what a
/// parser would recurse into, but for chains of operators.
pub fn nesting(source: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0_usize);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    let indentation = source.lines().map(|line| line.len() - line.trim_start().len()).max().unwrap_or(0);
    deepest.max(indentation / 2)
}

/// The longest run of operators that stand before their operand, or take one more after each other.
fn longest_prefix_run(text: &str) -> usize {
    let (mut run, mut longest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'!' | b'~' | b'-' | b'+' | b'?' | b':' | b'=' | b'>' | b'@' | b'<' => {
                run += 1;
                longest = longest.max(run);
            }
            b',' | b';' | b')' | b'}' | b']' | b'"' | b'\'' | b'`' | b'#' | b'/' | b'*' => run = 0,
            _ => {}
        }
    }
    longest
}

/// Runs on a thread whose stack is large enough for [`read`].
#[cfg(test)]
pub(crate) fn on_large_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, run).unwrap();
        thread.join().unwrap()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_name_and_first_line() {
        for (path, head, expected) in [
            ("a/b.py", "", Some(Language::Python)),
            ("a/b.PY", "", Some(Language::Python)),
            ("x.min.js", "", Some(Language::JavaScript)),
            ("x.d.ts", "", Some(Language::TypeScript)),
            ("bin/tool", "#!/usr/bin/env -S python3.12 -I\n", Some(Language::Python)),
            ("bin/tool", "#!/bin/sh\nexec x", Some(Language::Shell)),
            ("bin/tool", "#! /usr/bin/node\n", Some(Language::JavaScript)),
            ("bin/tool", "\u{7f}ELF", None),
            ("README.md", "", None),
        ] {
            assert_eq!(language(path, head.as_bytes()), expected, "{path} {head}");
        }
    }

    #[test]
    fn nesting_is_never_less_than_the_deepest_bracket() {
        for (source, expected) in [("", 0), ("f(a[0], {})", 2), (")))(", 1), ("if x:\n        y", 4)] {
            assert_eq!(nesting(source), expected, "{source}");
        }
        assert_eq!(nesting(&"[".repeat(1_000)), 1_000);
    }
}
