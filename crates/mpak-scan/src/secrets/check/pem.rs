//! Private keys in PEM blocks: the body must decode to a key.

use base64::Engine as _;

use super::{BASE64, Outcome};
use crate::secrets::published;

/// Shortest body of a real key: Ed25519 in PKCS#8.
const KEY_BYTES_MIN: usize = 40;

pub(super) fn judge(whole: &[u8], body: &[u8]) -> Outcome {
    let label = label(whole);
    let encrypted = label.contains("ENCRYPTED") || body.windows(9).any(|w| w == b"ENCRYPTED");
    let Some(key) = decoded(body).filter(|key| key.len() >= KEY_BYTES_MIN) else {
        return Outcome::Drop;
    };
    let kind = if encrypted {
        Some(true)
    } else if let Some(rest) = key.strip_prefix(b"openssh-key-v1\0") {
        Some(!rest.starts_with(b"\0\0\0\x04none"))
    } else if label.contains("PGP") {
        // Bit 7 of the first byte marks an OpenPGP packet; whether it is locked is written inside.
        (key[0] & 0x80 != 0).then_some(false)
    } else {
        is_der_key(&key).then_some(false)
    };
    match kind {
        Some(true) => Outcome::Lower,
        Some(false) if published::is_published(&key) => Outcome::Lower,
        Some(false) => Outcome::Keep,
        None => Outcome::Drop,
    }
}

/// The first line: `-----BEGIN … PRIVATE KEY-----`.
pub(super) fn label(whole: &[u8]) -> String {
    let end = whole.windows(5).skip(5).position(|w| w == b"-----").map_or(0, |at| at + 10);
    String::from_utf8_lossy(&whole[..end]).into_owned()
}

/// The body without line ends, escapes, quotes, headers (`Proc-Type: …`), OpenPGP's check sum and the `+` between the parts of a literal.
fn decoded(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?.replace("\\r", "").replace("\\n", "\n");
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '\\'));
        let line = line.trim_start_matches("+ ").trim_end_matches(" +").trim_matches(['"', '\'', '`', ' ']);
        let is_header = line.contains(':');
        let is_checksum = line.starts_with('=') && line.len() == 5;
        if !is_header && !is_checksum {
            plain.push_str(line);
        }
    }
    BASE64.decode(plain).ok()
}

/// A key in DER, in base 64 without a frame.
pub(super) fn is_bare_key(text: &[u8]) -> bool {
    let whole = &text[..text.len() - usize::from(text.len() % 4 == 1)];
    BASE64.decode(whole).is_ok_and(|key| key.len() >= KEY_BYTES_MIN && is_der_key(&key))
}

/// A DER SEQUENCE of about this length that starts with the INTEGER 0 or 1: PKCS#1, PKCS#8, SEC 1.
fn is_der_key(key: &[u8]) -> bool {
    let (length, header) = match key {
        [0x30, length @ 0..=0x7f, ..] => (usize::from(*length), 2),
        [0x30, 0x81, length, ..] => (usize::from(*length), 3),
        [0x30, 0x82, high, low, ..] => (usize::from(*high) << 8 | usize::from(*low), 4),
        _ => return false,
    };
    let whole = length + header;
    let starts = matches!(key.get(header..), Some([0x02, 0x01, 0 | 1, ..]));
    starts && whole <= key.len() && key.len() - whole <= 3
}
