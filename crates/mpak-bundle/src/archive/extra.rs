//! Extra fields: only ZIP64 and the Unicode path are looked into; all must be well formed.

use super::source::{u16_at, u32_at, u64_at};

const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;

/// The sizes and the place that a header gives, with the 32-bit fields already widened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Uncompressed.
    pub(super) bytes: u64,
    /// Compressed.
    pub(super) packed_bytes: u64,
    /// Where the local header is; not in local headers.
    pub(super) header_at: Option<u64>,
}

/// What an extra field says.
pub(super) struct Extra<'a> {
    zip64: Option<&'a [u8]>,
    /// The name in the Unicode-path field.
    pub(super) unicode_path: Option<&'a [u8]>,
}

/// Splits an extra field.
pub(super) fn parse(mut rest: &[u8]) -> Result<Extra<'_>, &'static str> {
    let mut extra = Extra { zip64: None, unicode_path: None };
    while !rest.is_empty() {
        if rest.len() < 4 {
            return Err("bytes remain that are no field");
        }
        let end = 4 + usize::from(u16_at(rest, 2));
        if end > rest.len() {
            return Err("a field is longer than the rest");
        }
        let content = &rest[4..end];
        match u16_at(rest, 0) {
            ZIP64 if extra.zip64.replace(content).is_some() => return Err("it has two ZIP64 fields"),
            UNICODE_PATH => {
                if content.len() < 5 || content[0] != 1 {
                    return Err("its Unicode path is malformed");
                }
                if extra.unicode_path.replace(&content[5..]).is_some() {
                    return Err("it has two Unicode paths");
                }
            }
            _ => {}
        }
        rest = &rest[end..];
    }
    Ok(extra)
}

impl Extra<'_> {
    /// Replaces the fields that are all ones by the ZIP64 values; values that are there without need
    /// must agree.
    pub(super) fn widen(&self, short: Sizes) -> Result<Sizes, &'static str> {
        let is_ones = |value: u64| value == u64::from(u32::MAX);
        let needed = [Some(short.bytes), Some(short.packed_bytes), short.header_at];
        let needed_count = needed.iter().filter(|v| v.is_some_and(is_ones)).count();
        let Some(content) = self.zip64 else {
            return if needed_count == 0 { Ok(short) } else { Err("its ZIP64 field is missing") };
        };
        let mut values = content.chunks_exact(8).map(|chunk| u64_at(chunk, 0));
        let remainder = content.len() % 8;
        let exact = content.len() == needed_count * 8;
        if !exact && remainder == 4 && (content.len() != 28 || u32_at(content, 24) != 0) {
            return Err("its ZIP64 field names a disk");
        }
        if !exact && !matches!(content.len(), 8 | 16 | 24 | 28) {
            return Err("its ZIP64 field has a strange length");
        }
        let mut take = |field: Option<u64>| -> Result<Option<u64>, &'static str> {
            let wanted = field.is_some_and(is_ones);
            if exact && !wanted {
                return Ok(field);
            }
            match (values.next(), field) {
                (Some(value), _) if wanted => Ok(Some(value)),
                (None, _) if wanted => Err("its ZIP64 field is too short"),
                (Some(value), Some(field)) if value != field => Err("its ZIP64 field disagrees with the header"),
                _ => Ok(field),
            }
        };
        let bytes = take(Some(short.bytes))?.unwrap_or(short.bytes);
        let packed_bytes = take(Some(short.packed_bytes))?.unwrap_or(short.packed_bytes);
        let header_at = if short.header_at.is_some() { take(short.header_at)? } else { None };
        Ok(Sizes { bytes, packed_bytes, header_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: u64 = u32::MAX as u64;

    fn widen(values: &[u64], bytes: u64, packed_bytes: u64, header_at: Option<u64>) -> Option<(u64, u64, Option<u64>)> {
        let field = mpak_testkit::zip::zip64_extra(values);
        let short = Sizes { bytes, packed_bytes, header_at };
        let wide = parse(&field).unwrap().widen(short).ok()?;
        Some((wide.bytes, wide.packed_bytes, wide.header_at))
    }

    #[test]
    fn zip64_values_stand_in_the_order_of_the_fields_that_need_them() {
        assert_eq!(widen(&[7, 8], ONES, ONES, Some(3)), Some((7, 8, Some(3))));
        assert_eq!(widen(&[8], 7, ONES, Some(3)), Some((7, 8, Some(3))));
        assert_eq!(widen(&[3], 7, 8, Some(ONES)), Some((7, 8, Some(3))));
        assert_eq!(widen(&[7, 8], 7, 8, None), Some((7, 8, None)));
        assert_eq!(widen(&[7, 8, 3], 7, ONES, Some(ONES)), Some((7, 8, Some(3))));
        assert_eq!(widen(&[9, 8], 7, 8, None), None);
        assert_eq!(widen(&[], ONES, 8, None), None);
        assert_eq!(widen(&[7, 8, 3, 4], 7, 8, None), None);
    }

    #[test]
    fn malformed_fields_are_refused() {
        for bad in [&[1, 0][..], &[1, 0, 9, 0, 1], &[0x75, 0x70, 2, 0, 1, 1]] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let two = [mpak_testkit::zip::zip64_extra(&[1]), mpak_testkit::zip::zip64_extra(&[1])].concat();
        assert!(parse(&two).is_err());
    }
}
