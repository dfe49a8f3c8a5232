//! Dates of feeds: brought into one form, so that they compare as texts.

/// `2024-01-31T12:00:00Z`, with a fraction or an offset of zero; gives whole seconds.
pub(super) fn moment(text: &str) -> Option<String> {
    let day = day(text)?;
    let rest = &text.as_bytes()[10..];
    if !matches!(rest.first()?, b'T' | b't' | b' ') || rest.len() < 9 {
        return None;
    }
    let two = |at: usize, max: u8| {
        let value = number(rest.get(at..at + 2)?)?;
        (value <= u32::from(max)).then_some(value)
    };
    if rest[3] != b':' || rest[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (two(1, 23)?, two(4, 59)?, two(7, 60)?);
    let zone = std::str::from_utf8(&rest[9..]).ok()?;
    let zone = match zone.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => zone,
    };
    matches!(zone, "Z" | "z" | "+00:00" | "+0000" | "-00:00")
        .then(|| format!("{day}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Below every moment.
pub(super) const EARLIEST: &str = "0001-01-01T00:00:00Z";

/// The day that a text begins with: `2024-01-31`.
pub(super) fn day(text: &str) -> Option<&str> {
    let day = text.get(..10)?;
    let bytes = day.as_bytes();
    let (year, month, date) = (number(&bytes[..4])?, number(&bytes[5..7])?, number(&bytes[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (bytes[4] == b'-' && bytes[7] == b'-' && year >= 1 && (1..=last).contains(&date)).then_some(day)
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_get_one_form() {
        for (text, expected) in [
            ("2024-01-31T12:00:00Z", Some("2024-01-31T12:00:00Z")),
            ("2021-09-26T23:32:08.989778Z", Some("2021-09-26T23:32:08Z")),
            ("2024-10-31T00:00:00+0000", Some("2024-10-31T00:00:00Z")),
            ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00Z")),
            ("2023-02-29T00:00:00Z", None),
            ("0001-01-01 00:00:00+00:00", Some("0001-01-01T00:00:00Z")),
            ("0000-01-01T00:00:00Z", None),
            ("2024-01-31", None),
            ("2024-01-31T12:00:00", None),
            ("2024-01-31T12:00:00+02:00", None),
            ("2024-13-01T12:00:00Z", None),
            ("2024-01-31T25:00:00Z", None),
            ("yesterday", None),
            ("", None),
            ("2024-01-31Té12:00:0", None),
        ] {
            assert_eq!(moment(text).as_deref(), expected, "{text}");
        }
    }
}
