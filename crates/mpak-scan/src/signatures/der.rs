//! The elements of DER, as far as keys, certificates and signatures need them. Spec: ITU-T X.690.

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A row of elements, read one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element of any tag; `None` at the end and where there is none that is whole.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of several bytes do not occur.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Element { tag, content, whole })
    }

    /// The next element, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut after = *self;
        let found = after.any().filter(|element| element.tag == tag)?;
        *self = after;
        Some(found)
    }

    /// What is in the next element of this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.take(tag).map(|element| Reader(element.content))
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `YYYYMMDDHHMMSSZ` of a time of either kind.
pub(super) fn time(element: Element<'_>) -> Option<String> {
    let text = std::str::from_utf8(element.content).ok()?;
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    match (element.tag, digits.len()) {
        (GENERALIZED_TIME, 14) => Some(digits.to_owned()),
        // Two digits mean 1950 to 2049. Spec: RFC 5280 §4.1.2.5.1.
        (UTC_TIME, 12) => Some(format!("{}{digits}", if digits < "50" { "20" } else { "19" })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_and_what_is_cut_off_is_none() {
        let mut reader = Reader(&[SEQUENCE, 3, INTEGER, 1, 7, OCTET_STRING, 0x81, 1, 9]);
        let mut inner = reader.enter(SEQUENCE).unwrap();
        assert_eq!(inner.take(SEQUENCE), None);
        assert_eq!((inner.take(INTEGER).unwrap().content, inner.is_empty()), (&[7][..], true));
        let last = reader.any().unwrap();
        assert_eq!((last.content, last.whole), (&[9][..], &[OCTET_STRING, 0x81, 1, 9][..]));
        assert_eq!(reader.any(), None);
        for bytes in [
            &[SEQUENCE][..],
            &[SEQUENCE, 1],
            &[SEQUENCE, 0x80, 0, 0],
            &[SEQUENCE, 0x85, 0, 0, 0, 0, 0],
            &[0x1f, 1, 0],
            &[SEQUENCE, 0x84, 255, 255, 255, 255, 0],
        ] {
            assert_eq!(Reader(bytes).any(), None, "{bytes:?}");
        }
    }

    #[test]
    fn times_of_both_kinds_are_in_one_form() {
        let of = |tag, content: &str| time(Element { tag, content: content.as_bytes(), whole: &[] });
        assert_eq!(of(UTC_TIME, "261121093000Z").as_deref(), Some("20261121093000"));
        assert_eq!(of(UTC_TIME, "700101000000Z").as_deref(), Some("19700101000000"));
        assert_eq!(of(GENERALIZED_TIME, "20501231235959Z").as_deref(), Some("20501231235959"));
        for (tag, text) in [(UTC_TIME, "20261121093000Z"), (UTC_TIME, "261121093000"), (INTEGER, "261121093000Z")] {
            assert_eq!(of(tag, text), None, "{text}");
        }
    }
}
