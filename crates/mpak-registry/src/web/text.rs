//! Text of others on its way into a page: bounded, and nothing in it invisible.
//!
//! In: names, descriptions and findings that a publisher wrote. Out: [`Shown`], the only form in which
//! views hold them, never longer in HTML than its maker was told. HTML escaping is the template's work and happens to every value; what this file adds
//! is that characters which reorder, hide or break text become visible (`[U+202E]`).

use std::fmt::{self, Write as _};

/// Stands at the end of a text that was cut.
const CUT: char = '…';
/// Most pieces of a text that are shown as code.
const CODES_COUNT_MAX: usize = 3;
/// Deepest indentation that is shown, in spaces.
const INDENTATION_MAX: usize = 40;
/// Most combining marks on one character; more are dropped (they would paint over other lines).
const MARKS_COUNT_MAX: usize = 4;

/// Text that may stand on a page; templates escape it like everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    /// A word for machines (name, version, key, path), of at most so many bytes in HTML: everything that is not plainly visible is spelled out.
    pub(crate) fn word(text: &str, bytes_max: usize) -> Self {
        Self(visible(text, bytes_max, Form::Word))
    }

    /// One line for people, of at most so many bytes in HTML: line breaks become spaces.
    pub(crate) fn line(text: &str, bytes_max: usize) -> Self {
        let joined = text.split_whitespace().take(bytes_max).collect::<Vec<_>>().join(" ");
        Self(visible(&joined, bytes_max, Form::Prose))
    }

    /// Several lines for people, of at most so many bytes in HTML: line breaks stay, empty lines at both ends go.
    pub(crate) fn prose(text: &str, bytes_max: usize) -> Self {
        Self(visible(text.trim(), bytes_max, Form::Prose))
    }

    /// A line of code with its indentation, of which a tab is four spaces.
    pub(crate) fn code(line: &str, bytes_max: usize) -> Self {
        let text = line.trim();
        let start = line.len() - line.trim_start().len();
        let indentation: usize = line[..start].chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
        Self(" ".repeat(indentation.min(INDENTATION_MAX)) + &visible(text, bytes_max, Form::Prose))
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text in pieces: every second one stood between backticks, and is shown as code. Only so many
    /// are, since each makes the page longer.
    pub(crate) fn pieces(&self) -> Vec<&str> {
        let pieces: Vec<&str> = self.0.splitn(2 * CODES_COUNT_MAX + 1, '`').collect();
        if pieces.len() % 2 == 1 { pieces } else { vec![&self.0] }
    }

    /// Whether there is nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Markdown in which nothing is invisible; line structure stays.
pub(crate) fn visible_markdown(source: &str) -> String {
    visible(source, usize::MAX, Form::Prose)
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Word,
    Prose,
}

fn visible(text: &str, bytes_max: usize, form: Form) -> String {
    let mut out = String::with_capacity(text.len().min(bytes_max));
    let (mut marks, mut bytes) = (0, 0);
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS_COUNT_MAX {
            continue;
        }
        let start = out.len();
        if hidden(c, form) {
            let _ = write!(out, "[U+{:04X}]", u32::from(c));
        } else {
            out.push(c);
        }
        bytes += escaped_bytes(&out[start..]);
        if bytes > bytes_max {
            out.truncate(start);
            out.push(CUT);
            break;
        }
    }
    out
}

/// Length in HTML, where templates write `&#38;` for `&`.
fn escaped_bytes(text: &str) -> usize {
    text.len() + 4 * text.bytes().filter(|b| b"&<>\"'".contains(b)).count()
}

/// Characters that reorder, hide or break text. Prose keeps what scripts and emoji need to join or
/// separate letters and the marks of direction that cannot reorder what stands around them.
fn hidden(c: char, form: Form) -> bool {
    let joins_or_separates = matches!(
        c,
        '\n' | '\t' | '\r' | '\u{200C}'..='\u{200F}' | '\u{061C}' | '\u{FE00}'..='\u{FE0F}'
    );
    if joins_or_separates {
        return form == Form::Word;
    }
    let invisible = matches!(
        c,
        '\u{00AD}' | '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
    );
    let private = matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}');
    c.is_control() || invisible || private
}

/// Combining marks that stack on the character before.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_told_apart() {
        let many = "`a` ".repeat(9);
        for (text, expect) in [
            ("the field `x` is missing", vec!["the field ", "x", " is missing"]),
            ("no code", vec!["no code"]),
            ("half a `pair", vec!["half a `pair"]),
            ("", vec![""]),
            (many.trim(), vec!["", "a", " ", "a", " ", "a", " `a` `a` `a` `a` `a` `a`"]),
        ] {
            assert_eq!(Shown::line(text, 300).pieces(), expect);
        }
    }

    #[test]
    fn what_reorders_or_hides_text_is_spelled_out() {
        for (input, expect) in [
            ("safe\u{202E}gpj.exe", "safe[U+202E]gpj.exe"),
            ("a\u{200B}b", "a[U+200B]b"),
            ("a\u{2066}b\u{2069}", "a[U+2066]b[U+2069]"),
            ("x\u{E0041}", "x[U+E0041]"),
            ("bell\u{7}", "bell[U+0007]"),
            ("esc\u{1b}[31m", "esc[U+001B][31m"),
            ("nul\0", "nul[U+0000]"),
            ("c1\u{9b}", "c1[U+009B]"),
            ("\u{FEFF}bom", "[U+FEFF]bom"),
        ] {
            assert_eq!(Shown::line(input, 100).as_str(), expect);
            assert_eq!(Shown::word(input, 100).as_str(), expect);
            assert_eq!(Shown::prose(input, 100).as_str(), expect);
        }
    }

    #[test]
    fn scripts_and_emoji_stay_readable_in_prose_and_visible_in_words() {
        let family = "👨\u{200D}👩\u{200D}👧";
        assert_eq!(Shown::line(family, 100).as_str(), family);
        assert_eq!(Shown::line("می\u{200C}خواهم", 100).as_str(), "می\u{200C}خواهم");
        assert_eq!(Shown::word("get\u{200D}time", 100).as_str(), "get[U+200D]time");
        assert_eq!(Shown::word("a\nb", 100).as_str(), "a[U+000A]b");
    }

    #[test]
    fn lines_are_one_line_and_prose_keeps_its_lines() {
        assert_eq!(Shown::line("  one\n two\t\tthree ", 100).as_str(), "one two three");
        assert_eq!(Shown::prose("\none\n\ntwo\n", 100).as_str(), "one\n\ntwo");
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(Shown::line("abcdef", 3).as_str(), "abc…");
        assert_eq!(Shown::line("äöü", 4).as_str(), "äö…");
        assert_eq!(Shown::line("<b>", 6).as_str(), "<b…", "escaped, `<` has five bytes");
        assert_eq!(Shown::line("a\u{202E}", 8).as_str(), "a…", "what is spelled out counts as such");
        assert!(Shown::line(&"x ".repeat(100_000), 50).as_str().chars().count() <= 51);
    }

    #[test]
    fn piles_of_marks_are_cut() {
        let pile = format!("Z{}algo", "\u{0301}".repeat(500));
        assert_eq!(Shown::line(&pile, 1_000).as_str(), format!("Z{}algo", "\u{0301}".repeat(4)));
    }
}
