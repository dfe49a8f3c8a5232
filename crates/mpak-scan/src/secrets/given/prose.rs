//! Texts that a comment or a sentence calls a credential: `"…",  # consumer secret`, `The password is …`.

use std::ops::Range;

use super::super::Kind;
use super::super::assigned::Assignment;
use super::{is_quote, literal};

/// Longest comment that only says what a text is.
const COMMENT_BYTES_MAX: usize = 72;
/// Most words of one.
const WORDS_COUNT_MAX: usize = 8;
/// Longest line that is looked at.
const LINE_BYTES_MAX: usize = 400;
/// Longest value.
const VALUE_BYTES_MAX: usize = 200;

/// What is said about the value of a name.
pub(super) fn said(bytes: &[u8], keyword: Range<usize>, kind: Kind) -> Option<Assignment> {
    let back = bytes[..keyword.start].iter().rev().take(LINE_BYTES_MAX).take_while(|b| **b != b'\n').count();
    let line = keyword.start - back;
    let length = bytes[keyword.end..].iter().take(LINE_BYTES_MAX).take_while(|b| **b != b'\n').count();
    let end = keyword.end + length;
    let mark = comment_mark(bytes, line..keyword.start);
    if kind == Kind::Text || mark.is_some() {
        let word = bytes[keyword.start..].iter().take(48).take_while(|b| is_name(**b)).count();
        let name = keyword.start..keyword.end.max(keyword.start + word);
        if let Some(value) = sentence(bytes, name.end, end) {
            return Some(Assignment { name, value });
        }
    }
    let comment = mark?;
    let words = named(bytes, comment.end..end)?;
    let value = if bytes[line..comment.start].iter().all(u8::is_ascii_whitespace) {
        below(bytes, end)
    } else {
        before(bytes, line..comment.start)
    }?;
    Some(Assignment { name: words, value })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The sign before a comment.
fn comment_mark(bytes: &[u8], before: Range<usize>) -> Option<Range<usize>> {
    let text = &bytes[before.clone()];
    for (at, byte) in text.iter().enumerate().rev().take(COMMENT_BYTES_MAX) {
        let after_space = at == 0 || text[at - 1].is_ascii_whitespace() || matches!(text[at - 1], b',' | b';' | b')');
        match byte {
            b'"' | b'\'' | b'`' => return None,
            b'#' if after_space => return Some(before.start + at..before.start + at + 1),
            b'/' | b'*' if at > 0 && text[at - 1] == b'/' && (at < 2 || text[at - 2] != b':') => {
                return Some(before.start + at - 1..before.start + at + 1);
            }
            b'-' if at > 0 && text[at - 1] == b'-' && (at < 2 || text[at - 2].is_ascii_whitespace()) => {
                return Some(before.start + at - 1..before.start + at + 1);
            }
            _ => {}
        }
    }
    None
}

/// The words of a comment that says no more than what something is.
fn named(bytes: &[u8], comment: Range<usize>) -> Option<Range<usize>> {
    let text = &bytes[comment.clone()];
    let start = comment.start + text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let tail = text.iter().rev().take_while(|b| b.is_ascii_whitespace() || b"*/:.".contains(b)).count();
    let end = comment.end - tail;
    if start >= end || end - start > COMMENT_BYTES_MAX {
        return None;
    }
    let words = &bytes[start..end];
    let plain = words.iter().all(|b| b.is_ascii_alphanumeric() || b" _-,'()".contains(b));
    let count = words.split(|b| *b == b' ').count();
    (plain && count <= WORDS_COUNT_MAX).then_some(start..end)
}

/// The last literal before a comment on its line.
fn before(bytes: &[u8], line: Range<usize>) -> Option<Range<usize>> {
    let text = &bytes[line.clone()];
    let tail = text.iter().rev().take_while(|b| b.is_ascii_whitespace() || b",;)]}".contains(b)).count();
    let close = text.len().checked_sub(tail + 1).filter(|at| is_quote(text[*at]))?;
    let open = text[..close].iter().rposition(|b| *b == text[close])?;
    Some(line.start + open + 1..line.start + close)
}

/// The only literal of the line below, behind a sign that assigns or at its beginning.
fn below(bytes: &[u8], end: usize) -> Option<Range<usize>> {
    let start = end + 1;
    let line = &bytes[start.min(bytes.len())..];
    let length = line.iter().take(LINE_BYTES_MAX).take_while(|b| **b != b'\n').count();
    let line = &line[..length];
    let open = line.iter().position(|b| is_quote(*b))?;
    let inside = literal(bytes, start + open)?;
    let lead = line[..open].trim_ascii_end();
    let assigns = lead.is_empty() || matches!(lead.last(), Some(b'=' | b':' | b','));
    let alone = !line.get(inside.end + 1 - start..)?.iter().any(|b| is_quote(*b));
    (assigns && alone).then_some(inside)
}

/// `… is VALUE`, `…: VALUE`, `… | VALUE`, in whatever quotes.
fn sentence(bytes: &[u8], from: usize, end: usize) -> Option<Range<usize>> {
    const LINKS: [&[u8]; 11] =
        [b" is: ", b" is now ", b" is ", b": ", b" = ", b" | ", b" -> ", b"=", b":", "：".as_bytes(), " → ".as_bytes()];
    const DRESS: &[u8] = b"`*_\"' ";
    let rest = &bytes[from..end];
    let closed = rest.iter().take(3).take_while(|b| DRESS[..5].contains(b)).count();
    let rest = &rest[closed..];
    let link = LINKS.iter().find(|link| rest.starts_with(link))?.len();
    let dressed = rest[link..].iter().take(4).take_while(|b| DRESS.contains(b)).count();
    let start = from + closed + link + dressed;
    let word = bytes[start..end].iter().take(VALUE_BYTES_MAX).take_while(|b| b.is_ascii_graphic() && **b != b'`');
    let mut length = word.count();
    // Cut short by its author.
    if memchr::memmem::find(&bytes[start..start + length], b"...").is_some() {
        return None;
    }
    // What ends a sentence, or closes what was opened.
    while length > 0 && b",.;\"'*|)<".contains(&bytes[start + length - 1]) {
        length -= 1;
    }
    (length >= 8).then(|| start..start + length)
}
