//! Numbers in the words of a page: sizes, counts, days.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment: for people the day, for machines RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `20 Nov 2026`.
    pub(crate) day: String,
    /// `2026-11-20T09:35:45Z`.
    pub(crate) machine: String,
}

impl Moment {
    /// From milliseconds since 1970, UTC.
    pub(crate) fn at(ms: i64) -> Self {
        Self::of(Timestamp::from_millisecond(ms).ok())
    }

    /// From RFC 3339.
    pub(crate) fn parse(text: &str) -> Self {
        Self::of(text.parse().ok())
    }

    fn of(timestamp: Option<Timestamp>) -> Self {
        let Some(timestamp) = timestamp else {
            return Self { day: "unknown".to_owned(), machine: String::new() };
        };
        let zoned = timestamp.to_zoned(TimeZone::UTC);
        Self { day: zoned.strftime("%-d %b %Y").to_string(), machine: zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }
    }
}

/// `1.4 MB`: decimal units, one digit after the point below 100.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    match tenths {
        0..1_000 if tenths % 10 != 0 => format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]),
        _ => format!("{} {}", tenths / 10, UNITS[unit]),
    }
}

/// `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 download`, `2,000 downloads`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, expect) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_449, "1.4 kB"),
            (99_949, "99.9 kB"),
            (123_456, "123 kB"),
            (999_999, "999 kB"),
            (6_400_000, "6.4 MB"),
            (536_870_912, "536 MB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), expect);
        }
    }

    #[test]
    fn counts_are_grouped_and_have_their_unit() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "download", "downloads"), "1 download");
        assert_eq!(counted(2_000, "download", "downloads"), "2,000 downloads");
    }

    #[test]
    fn moments_are_days_for_people() {
        let moment = Moment::at(1_795_167_345_468);
        assert_eq!((moment.day.as_str(), moment.machine.as_str()), ("20 Nov 2026", "2026-11-20T09:35:45Z"));
        assert_eq!(Moment::parse("2026-11-20T09:35:45.468Z"), moment);
        assert_eq!((Moment::at(i64::MAX).day, Moment::parse("x").day), ("unknown".to_owned(), "unknown".to_owned()));
    }
}
