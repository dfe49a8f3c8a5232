//! Lines of bounded width.

use crate::ui;

/// Longest text that is broken into lines; the rest is cut.
const TEXT_CHARS_MAX: usize = 1_000;

/// A text behind a beginning, broken between words; further lines begin at a column. The text is made safe
/// for a terminal.
pub(super) fn indented(begin: &str, text: &str, column: usize, width: usize) -> Vec<String> {
    let text = ui::safe(text);
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let (mut lines, mut line) = (Vec::new(), begin.to_owned());
    let mut length = begin.chars().count();
    let mut fresh = true;
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        let mut count = word.chars().count();
        if !fresh && length + 1 + count > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(column)));
            (length, fresh) = (column, true);
        }
        if !fresh {
            line.push(' ');
            length += 1;
        }
        // A word that no line can hold is broken where the line ends.
        while length + count > width {
            let room = width.saturating_sub(length).max(1);
            let end = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            line.push_str(&word[..end]);
            lines.push(std::mem::replace(&mut line, " ".repeat(column)));
            word.drain(..end);
            (length, count) = (column, word.chars().count());
        }
        line.push_str(&word);
        (length, fresh) = (length + count, false);
    }
    lines.push(line);
    lines
}

/// A line that ends at the width.
pub(super) fn cut(line: &str, width: usize) -> String {
    match line.char_indices().nth(width) {
        None => line.to_owned(),
        Some(_) => line.chars().take(width - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words_and_never_wider() {
        for (text, expected) in [
            ("", vec!["- "]),
            ("a bb ccc", vec!["- a bb ccc"]),
            ("aaaa bbbb cccc", vec!["- aaaa bbbb", "    cccc"]),
            ("aaaaaaaaaaaaaaaaaaaa b", vec!["- aaaaaaaaaa", "    aaaaaaaa", "    aa b"]),
            ("a\u{1b}b", vec!["- a\\u{1b}b"]),
        ] {
            let lines = indented("- ", text, 4, 12);
            assert_eq!(lines, expected, "{text}");
            assert!(lines.iter().all(|line| line.chars().count() <= 12));
        }
    }

    #[test]
    fn a_line_is_cut_at_the_width() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("äbcdefg", 6), "äbcde…");
    }
}
