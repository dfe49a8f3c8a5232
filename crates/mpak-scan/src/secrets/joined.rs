//! String literals that a program puts together, read as the one text that they become:
//! `"ghp_" + "…"`, `'a' . 'b'`, and in Python and C two literals with nothing between them.

use std::ops::Range;

/// Longest literal that is looked at.
const LITERAL_BYTES_MAX: usize = 512;
/// Most literals of one text.
const LITERALS_COUNT_MAX: usize = 64;
/// Longest text.
const TEXT_BYTES_MAX: usize = 8 << 10;
/// What stands before a text on its line, so that a name is seen with its value.
const BEFORE_BYTES: usize = 96;
/// White space between two literals.
const SPACE_BYTES_MAX: usize = 120;

/// Texts that stand between two literals, at least: each is looked for like a keyword.
pub(super) const SEAMS: [&str; 16] = [
    "\"+\"", "'+'", "\"+'", "'+\"", "\" + \"", "' + '", "\" + '", "' + \"", "\" +\n", "' +\n", "\" +\r", "' +\r",
    "  + \"", "  + '", "\" . \"", "' . '",
];

/// A text that was in pieces.
pub(super) struct Joined {
    /// All its literals.
    pub(super) run: Range<usize>,
    /// What stood before it, the text in quotes, and nothing else.
    pub(super) text: Vec<u8>,
    /// Where in `text` the pieces begin.
    pub(super) from: usize,
}

/// The text whose first seam this is.
pub(super) fn joined(bytes: &[u8], seam: Range<usize>) -> Option<Joined> {
    // 1. The literal before the seam: it ends with the last quote before the operator.
    let operator = seam.clone().find(|at| matches!(bytes[*at], b'+' | b'.'))?;
    let close = last_graphic(bytes, operator)?;
    let open = opening(bytes, close)?;
    let quote = bytes[close];
    // 2. The ones after it.
    let mut text = Vec::new();
    let from_line = bytes[..open].iter().rev().take(BEFORE_BYTES).take_while(|b| **b != b'\n').count();
    text.extend_from_slice(&bytes[open - from_line..open]);
    let from = text.len();
    text.push(quote);
    text.extend_from_slice(&bytes[open + 1..close]);
    let (mut end, mut count) = (close + 1, 1);
    while let Some(next) = following(bytes, end) {
        if count == LITERALS_COUNT_MAX || text.len() + next.len() > TEXT_BYTES_MAX {
            break;
        }
        text.extend_from_slice(&bytes[next.clone()]);
        (end, count) = (next.end + 1, count + 1);
    }
    text.push(quote);
    (count > 1).then_some(Joined { run: open..end, text, from })
}

fn last_graphic(bytes: &[u8], until: usize) -> Option<usize> {
    let spaces = bytes[..until].iter().rev().take(SPACE_BYTES_MAX).take_while(|b| b.is_ascii_whitespace()).count();
    until.checked_sub(spaces + 1).filter(|at| is_quote(bytes[*at]))
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

fn opening(bytes: &[u8], close: usize) -> Option<usize> {
    let length =
        bytes[..close].iter().rev().take(LITERAL_BYTES_MAX).take_while(|b| **b != bytes[close] && **b != b'\n').count();
    close.checked_sub(length + 1).filter(|at| bytes[*at] == bytes[close])
}

/// The inside of the literal that is added at a position.
fn following(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let spaces = |at: usize| {
        bytes[at..].iter().take(SPACE_BYTES_MAX).take_while(|b| b.is_ascii_whitespace() || **b == b'\\').count()
    };
    let operator = at + spaces(at);
    let after = operator + usize::from(matches!(bytes.get(operator), Some(b'+' | b'.')));
    let open = after + spaces(after);
    let quote = *bytes.get(open).filter(|b| is_quote(**b))?;
    let inside = open + 1;
    let length = bytes[inside..].iter().take(LITERAL_BYTES_MAX).take_while(|b| **b != quote && **b != b'\n').count();
    (bytes.get(inside + length) == Some(&quote)).then_some(inside..inside + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: &str) -> Option<String> {
        let seam =
            SEAMS.iter().filter_map(|seam| code.find(seam).map(|at| at..at + seam.len())).min_by_key(|s| s.start)?;
        joined(code.as_bytes(), seam).map(|one| String::from_utf8(one.text).unwrap())
    }

    #[test]
    fn pieces_are_put_together() {
        for (code, expected) in [
            ("k = \"ghp_\" + \"abc\";", "k = \"ghp_abc\""),
            ("k='a'+'b'+'c'", "k='abc'"),
            ("k = 'a' +\n    'b' +\n    'c';", "k = 'abc'"),
            ("x;\nk = 'a'\n    + 'b'", "k = 'ab'"),
            ("$k = 'a' . 'b';", "$k = 'ab'"),
            ("k = \"a\" + 'b'", "k = \"ab\""),
        ] {
            assert_eq!(text(code).as_deref(), Some(expected), "{code}");
        }
        for code in ["'a' + b", "a + 'b'", "case '+': x", "\" + \"", ""] {
            assert_eq!(text(code), None, "{code}");
        }
    }
}
