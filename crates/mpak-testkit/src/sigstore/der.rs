//! Writes DER, in its one form.

/// An element of these parts.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let bytes = content.len().to_be_bytes();
    let digits: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let length = match content.len() {
        short @ 0..=0x7f => vec![short as u8],
        _ => [&[0x80 | digits.len() as u8][..], &digits].concat(),
    };
    [&[tag][..], &length, &content].concat()
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, parts)
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, &[content])
}

pub(super) fn id(bytes: &[u8]) -> Vec<u8> {
    element(0x06, &[bytes])
}

pub(super) fn utf8(text: &str) -> Vec<u8> {
    element(0x0c, &[text.as_bytes()])
}

/// No bits are left over.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], content])
}

/// `YYMMDDHHMMSSZ`
pub(super) fn time(text: &str) -> Vec<u8> {
    element(0x17, &[text.as_bytes()])
}

pub(super) fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[0x01, 1, 0xff] } else { &[] };
    sequence(&[&id(oid), critical, &octets(value)])
}
