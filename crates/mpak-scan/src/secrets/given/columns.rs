//! Names in a row, and their values in the next one: `const [id, secret] = ["a", "…"]`,
//! rows that SQL puts into a table (`t (id, secret) VALUES (1, '…')`), the first lines of a table in CSV.

use std::ops::Range;

use super::is_quote;

/// Longest row.
const ROW_BYTES_MAX: usize = 320;

/// The value in the place of a name.
pub(super) fn value(bytes: &[u8], name: &Range<usize>) -> Option<Range<usize>> {
    // 1. The row of names around it: nothing but names and commas.
    let is_row = |b: &u8| b.is_ascii_alphanumeric() || b"_-., \"'`\t".contains(b);
    let before = bytes[..name.start].iter().rev().take(ROW_BYTES_MAX).take_while(|b| is_row(b)).count();
    let start = name.start - before;
    let after = bytes[name.end..].iter().take(ROW_BYTES_MAX).take_while(|b| is_row(b)).count();
    let row_end = name.end + after;
    let place = memchr::memchr_iter(b',', &bytes[start..name.start]).count();
    if place == 0 && !bytes[name.end..row_end].contains(&b',') {
        return None;
    }
    // 2. What leads to the row of values.
    let row = &bytes[start..row_end];
    let rest = &bytes[row_end..];
    let opened = start.checked_sub(1).map(|at| bytes[at]);
    let is_first_line = opened.is_none();
    let mut at = row_end
        + match (opened, rest) {
            (Some(b'('), [b')', ..]) => 1 + values_word(&rest[1..])?,
            (Some(b'['), [b']', after @ ..]) => 1 + equals(after)?,
            // Without brackets only as people write it: `a, b = …`, not a line of `path,sha256=…`.
            (None | Some(b'\n'), [b'=', ..]) if memchr::memmem::find(row, b", ").is_some() => equals(rest)?,
            (_, [b'\r', b'\n', ..]) if is_first_line => 2,
            (_, [b'\n', ..]) if is_first_line => 1,
            _ => return None,
        };
    if matches!(bytes.get(at), Some(b'[' | b'(')) {
        at += 1;
    }
    // 3. The value in the same place.
    let end = (at + 2 * ROW_BYTES_MAX).min(bytes.len());
    for _ in 0..place {
        at = field_end(bytes, at, end)? + 1;
    }
    let last = field_end(bytes, at, end).unwrap_or(end);
    trimmed(bytes, at..last)
}

/// ` VALUES (`
fn values_word(rest: &[u8]) -> Option<usize> {
    let spaces = |rest: &[u8]| rest.iter().take(40).take_while(|b| b.is_ascii_whitespace()).count();
    let word = spaces(rest);
    let is_word = rest.get(word..word + 6).is_some_and(|w| w.eq_ignore_ascii_case(b"values"));
    is_word.then(|| word + 6 + spaces(&rest[word + 6..]))
}

/// ` = ` and `: Type = ` are left to the parser: only the sign and spaces.
fn equals(rest: &[u8]) -> Option<usize> {
    let blank = |rest: &[u8]| rest.iter().take(8).take_while(|b| matches!(b, b' ' | b'\t')).count();
    let sign = blank(rest);
    let is_sign = rest.get(sign) == Some(&b'=') && rest.get(sign + 1) != Some(&b'=');
    is_sign.then(|| sign + 1 + blank(&rest[sign + 1..]))
}

/// The comma or the end of a row behind a field.
fn field_end(bytes: &[u8], from: usize, end: usize) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate().take(end).skip(from) {
        match (quote, byte) {
            (None, b) if is_quote(*b) => quote = Some(*b),
            (Some(open), b) if open == *b => quote = None,
            (None, b',' | b'\n' | b')' | b']' | b';') => return Some(at),
            (Some(_), b'\n') => return None,
            _ => {}
        }
    }
    None
}

/// Without spaces and quotes; none if nothing is left.
fn trimmed(bytes: &[u8], field: Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (field.start, field.end);
    let spare = |b: u8| b.is_ascii_whitespace() || is_quote(b);
    while start < end && spare(bytes[start]) {
        start += 1;
    }
    while start < end && spare(bytes[end - 1]) {
        end -= 1;
    }
    (start < end).then_some(start..end)
}
