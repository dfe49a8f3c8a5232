//! Finds text that is written in another alphabet: base 64, hexadecimal, percent signs, escapes.
//!
//! A run of such characters that is long enough covers a position that is looked at, so most bytes are
//! not. Only what decodes to readable text comes out; digests, keys and images do not.

use std::ops::Range;

use base64::Engine as _;

use super::check::{BASE64, BASE64_URL};

/// Shortest run, and the distance of the positions that are looked at.
const RUN_BYTES_MIN: usize = 24;
/// Longest run that is decoded; what lies behind it is not seen.
const RUN_BYTES_MAX: usize = 128 << 10;
/// Lines of base 64 that are this long go on in the next one.
const LINE_BYTES_MIN: usize = 56;
/// Bytes by which text is told from anything else.
const PROBE_BYTES: usize = 24;
/// Escapes in a run before it is worth decoding.
const ESCAPES_COUNT_MIN: usize = 3;

/// How a text was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Base 64, either alphabet.
    Base64,
    /// Two hexadecimal digits for each byte.
    Hex,
    /// `%41`
    Percent,
    /// `\x41`, `\u0041`
    Escapes,
    /// String literals that are put together.
    Joined,
}

impl Layer {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base64 => "in base 64",
            Self::Hex => "in hexadecimal digits",
            Self::Percent => "in percent-encoding",
            Self::Escapes => "in escapes",
            Self::Joined => "in pieces",
        }
    }
}

/// A run and what it says.
pub(super) struct Decoded {
    pub(super) run: Range<usize>,
    pub(super) layer: Layer,
    pub(super) text: Vec<u8>,
}

/// All runs that start in a range and decode to text, in order.
pub(super) fn decoded(bytes: &[u8], range: Range<usize>) -> Vec<Decoded> {
    let mut found = Vec::new();
    let mut at = range.start;
    while at < range.end {
        if !IS_RUN[usize::from(bytes[at])] {
            at += RUN_BYTES_MIN;
            continue;
        }
        let before = bytes[..at].iter().rev().take(RUN_BYTES_MIN).take_while(|b| IS_RUN[usize::from(**b)]).count();
        let start = at - before;
        let length = bytes[at..].iter().take(RUN_BYTES_MAX).take_while(|b| IS_RUN[usize::from(**b)]).count();
        let mut end = at + length;
        // A run that began before the range was looked at there.
        if before < RUN_BYTES_MIN
            && end - start >= RUN_BYTES_MIN
            && start >= range.start
            && let Some(one) = decode(bytes, start..end)
        {
            end = end.max(one.run.end);
            found.push(one);
        }
        at = end + 1;
        // Keep to what is looked at: one position in each shortest run.
        at += RUN_BYTES_MIN - 1;
    }
    found
}

const IS_RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'%' | b'\\');
        at += 1;
    }
    table
};

fn decode(bytes: &[u8], run: Range<usize>) -> Option<Decoded> {
    let text = &bytes[run.clone()];
    let count = |mark: u8| memchr::memchr_iter(mark, text).count();
    if text.len() < 4_096 && count(b'%') >= ESCAPES_COUNT_MIN {
        return percent(bytes, run);
    }
    if text.len() < 4_096 && count(b'\\') >= ESCAPES_COUNT_MIN {
        return escapes(text).map(|text| Decoded { run, layer: Layer::Escapes, text });
    }
    if text.iter().take(PROBE_BYTES * 2).all(u8::is_ascii_hexdigit)
        && text.len().is_multiple_of(2)
        && let Some(text) = hex(text)
    {
        return Some(Decoded { run, layer: Layer::Hex, text });
    }
    base64(bytes, run)
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| {
        let digit = |b: u8| char::from(b).to_digit(16);
        u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok()
    };
    let probe: Option<Vec<u8>> = text.chunks(2).take(PROBE_BYTES).map(pair).collect();
    is_text(&probe?).then(|| text.chunks(2).map_while(pair).collect())
}

fn base64(bytes: &[u8], run: Range<usize>) -> Option<Decoded> {
    let text = &bytes[run.clone()];
    let engine = if text.iter().any(|b| matches!(b, b'-' | b'_')) { &BASE64_URL } else { &BASE64 };
    let probe = &text[..text.len().min(PROBE_BYTES / 3 * 4) / 4 * 4];
    if !is_text(&engine.decode(probe).ok()?) {
        return None;
    }
    let mut whole = text.to_vec();
    let mut end = run.end;
    // Lines of one length go on; the last one is shorter.
    while whole.len() < RUN_BYTES_MAX && text.len() >= LINE_BYTES_MIN {
        let gap = bytes[end..].iter().take(16).take_while(|b| b" \t\r\n\"'+,".contains(b)).count();
        let next = &bytes[end + gap..];
        let length = next.iter().take(text.len()).take_while(|b| IS_RUN[usize::from(**b)]).count();
        if gap == 0 || length == 0 || !bytes[end..end + gap].contains(&b'\n') {
            break;
        }
        whole.extend_from_slice(&next[..length]);
        end += gap + length;
    }
    whole.truncate(whole.len() - usize::from(whole.len() % 4 == 1));
    let text = engine.decode(&whole).ok()?;
    Some(Decoded { run: run.start..end, layer: Layer::Base64, text })
}

/// The run, on over the characters that percent-encoding leaves as they are.
fn percent(bytes: &[u8], run: Range<usize>) -> Option<Decoded> {
    let stays = |b: &u8| IS_RUN[usize::from(*b)] || matches!(b, b'.' | b'~' | b'!' | b'*');
    let end = run.start + bytes[run.start..].iter().take(4_096).take_while(|b| stays(b)).count();
    let text = &bytes[run.start..end];
    let (mut out, mut at, mut escapes) = (Vec::with_capacity(text.len()), 0, 0);
    while let Some(byte) = text.get(at) {
        match (byte, text.get(at + 1..at + 3).and_then(hex_byte)) {
            (b'%', Some(value)) => {
                out.push(value);
                escapes += 1;
                at += 3;
            }
            (other, _) => {
                out.push(*other);
                at += 1;
            }
        }
    }
    (escapes >= ESCAPES_COUNT_MIN).then_some(Decoded { run: run.start..end, layer: Layer::Percent, text: out })
}

fn escapes(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut at, mut escapes) = (Vec::with_capacity(text.len()), 0, 0);
    while let Some(byte) = text.get(at) {
        let escaped = match text.get(at..at + 2) {
            Some(b"\\x") => text.get(at + 2..at + 4).and_then(hex_byte).map(|value| (value, 4)),
            Some(b"\\u") if text.get(at + 2..at + 4) == Some(b"00") => {
                text.get(at + 4..at + 6).and_then(hex_byte).map(|value| (value, 6))
            }
            _ => None,
        };
        let (value, length) = escaped.unwrap_or((*byte, 1));
        out.push(value);
        escapes += usize::from(length > 1);
        at += length;
    }
    (escapes >= ESCAPES_COUNT_MIN).then_some(out)
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

/// Nothing but characters that texts hold.
fn is_text(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes.iter().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    const TEXT: &str = "the key is in here, somewhere in this line of text?";

    fn layers(text: &str) -> Vec<(Layer, String)> {
        decoded(text.as_bytes(), 0..text.len())
            .into_iter()
            .map(|one| (one.layer, String::from_utf8_lossy(&one.text).into_owned()))
            .collect()
    }

    #[test]
    fn every_alphabet_is_read_at_every_position() {
        let hex: String = TEXT.bytes().map(|b| format!("{b:02x}")).collect();
        let percent: String = TEXT.bytes().map(|b| format!("%{b:02X}")).collect();
        let escapes: String = TEXT.bytes().map(|b| format!("\\x{b:02x}")).collect();
        let unicode: String = TEXT.bytes().map(|b| format!("\\u00{b:02x}")).collect();
        for (layer, text) in [
            (Layer::Base64, STANDARD.encode(TEXT)),
            (Layer::Base64, URL_SAFE_NO_PAD.encode(TEXT)),
            (Layer::Hex, hex),
            (Layer::Percent, percent),
            (Layer::Escapes, escapes),
            (Layer::Escapes, unicode),
        ] {
            for before in 0..24 {
                let found = layers(&format!("{}x = '{text}';", " ".repeat(before)));
                assert_eq!(found, [(layer, TEXT.to_owned())], "{text}");
            }
        }
    }

    #[test]
    fn lines_of_base_64_are_one_text() {
        let long = TEXT.repeat(5);
        let text = STANDARD.encode(&long);
        let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert_eq!(layers(&lines.join("\r\n    ")), [(Layer::Base64, long)]);
    }

    #[test]
    fn digests_and_names_are_no_texts() {
        for text in [
            "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
            "sha512-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU==",
            "WebStandardStreamableHTTPServerTransport",
            "/usr/local/lib/node_modules/package/index",
        ] {
            assert_eq!(layers(text), [], "{text}");
        }
    }
}
