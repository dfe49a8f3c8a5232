//! Numbers and texts inside the blocks of a snapshot.
//!
//! Numbers are little-endian base 128 with a continuation bit, in their shortest form; texts are their
//! length and UTF-8. A reader never allocates more than the block that it reads from.

/// Writes into a block.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

/// Reads a block, from anyone. Every reading gives `None` where the block does not hold what it should.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(block: &'a [u8]) -> Self {
        Self(block)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // the shortest form only
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }

    /// A count of things that take at least a byte each.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::default();
        let numbers = [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), (1 << 62) - 1];
        numbers.iter().for_each(|n| writer.number(*n));
        writer.text("grüße");
        let mut reader = Reader::new(&writer.0);
        for n in numbers {
            assert_eq!(reader.number(), Some(n));
        }
        assert_eq!(reader.text(), Some("grüße"));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_not_there_is_none() {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xff; 20], &[5, b'a'], &[1, 0xff]] {
            assert_eq!(Reader::new(bytes).text(), None, "{bytes:?}");
        }
        assert_eq!(Reader::new(&[0x80, 0x00]).number(), None, "a longer form than needed");
    }
}
