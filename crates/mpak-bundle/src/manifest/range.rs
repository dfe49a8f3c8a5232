//! Version ranges of `compatibility`: npm and Python style, comma and space both meaning "and".
//!
//! A part left out matches anything below it, as npm has it: `>=18` is 18.0.0 and later, `18` and `18.x`
//! are all of 18, `>18` is 19.0.0 and later. `~=3.8` (Python) is 3.8 and later below 4.

use std::cmp::Ordering;

/// Longest range that is read, in bytes.
const RANGE_BYTES_MAX: usize = 256;

/// Whether a version lies in a range; `None` where one of them cannot be read.
pub fn range_allows(range: &str, version: &str) -> Option<bool> {
    let version = Exact::parse(version)?;
    let alternatives = parse(range)?;
    Some(alternatives.iter().any(|all| all.iter().all(|bound| bound.allows(&version))))
}

/// Whether a range can be read.
pub fn range_is_readable(range: &str) -> bool {
    parse(range).is_some()
}

/// A version: three numbers; a prerelease comes before its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exact([u64; 3], bool);

impl Exact {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (numbers, rest) = numbers(text)?;
        let known: Vec<u64> = numbers.into_iter().collect::<Option<_>>()?;
        let release = rest.is_empty() || rest.starts_with('+') || rest.starts_with('.');
        let at = |i: usize| known.get(i).copied().unwrap_or(0);
        Some(Self([at(0), at(1), at(2)], release))
    }
}

/// Up to three numbers or wildcards (`None`), and what follows them.
fn numbers(text: &str) -> Option<(Vec<Option<u64>>, &str)> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push(Some(rest[..digits].parse().ok()?));
            rest = &rest[digits..];
        } else {
            rest = rest.strip_prefix(['x', 'X', '*'])?;
            out.push(None);
        }
        match rest.strip_prefix('.') {
            Some(after) if out.len() < 3 => rest = after,
            _ => return Some((out, rest)),
        }
    }
}

/// From the first version on (included) to the second (excluded); open where `None`. `not` turns it round.
#[derive(Clone, Copy, Debug)]
struct Bound {
    from: Option<Exact>,
    below: Option<Exact>,
    not: bool,
}

impl Bound {
    const ANY: Self = Self { from: None, below: None, not: false };

    fn allows(self, version: &Exact) -> bool {
        let inside = self.from.is_none_or(|from| version.cmp(&from) != Ordering::Less)
            && self.below.is_none_or(|below| *version < below);
        inside != self.not
    }
}

fn parse(range: &str) -> Option<Vec<Vec<Bound>>> {
    if range.len() > RANGE_BYTES_MAX || range.trim().is_empty() {
        return None;
    }
    range.split("||").map(conjunction).collect()
}

fn conjunction(text: &str) -> Option<Vec<Bound>> {
    if let Some((from, to)) = text.split_once(" - ") {
        return Some(vec![comparator(">=", from.trim())?, comparator("<=", to.trim())?]);
    }
    let mut out = Vec::new();
    let mut rest = text.trim_start_matches(separator);
    while !rest.is_empty() {
        let operator = &rest[..rest.bytes().take_while(|b| b"<>=!~^".contains(b)).count()];
        rest = rest[operator.len()..].trim_start();
        let end = rest.find(separator).unwrap_or(rest.len());
        out.push(comparator(operator, &rest[..end])?);
        rest = rest[end..].trim_start_matches(separator);
    }
    if out.is_empty() { None } else { Some(out) }
}

fn separator(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn comparator(operator: &str, text: &str) -> Option<Bound> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (numbers, rest) = numbers(text)?;
    let suffix_fits = rest.is_empty() || rest.starts_with(['-', '+', 'a', 'b', 'r', '.']);
    if !suffix_fits
        || rest.len() == 1
        || (rest.starts_with('.') && !rest.starts_with(".dev") && !rest.starts_with(".post"))
    {
        return None;
    }
    let known: Vec<u64> = numbers.into_iter().map_while(|n| n).collect();
    let at = |i: usize| known.get(i).copied().unwrap_or(0);
    let prerelease = rest.starts_with(['-', 'a', 'b', 'r']) || rest.starts_with(".dev");
    let from = Exact([at(0), at(1), at(2)], !prerelease);
    // The first version after everything that starts with these numbers.
    let after = |count: usize| -> Option<Option<Exact>> {
        if count == 0 {
            return Some(None);
        }
        let mut next = [at(0), at(1), at(2)];
        next[count - 1] = next[count - 1].checked_add(1)?;
        next[count..].fill(0);
        Some(Some(Exact(next, false)))
    };
    if known.is_empty() {
        return matches!(operator, "" | "=" | "==" | ">=" | "<=" | "^" | "~").then_some(Bound::ANY);
    }
    let all = known.len();
    let between = |count: usize| Some(Bound { from: Some(from), below: after(count)?, not: false });
    match operator {
        "" | "=" | "==" | "===" if prerelease => {
            Some(Bound { from: Some(from), below: Some(Exact(from.0, true)), not: false })
        }
        "" | "=" | "==" | "===" => between(all),
        "!=" => Some(Bound { not: true, ..between(all)? }),
        ">=" => Some(Bound { from: Some(from), ..Bound::ANY }),
        "<" => Some(Bound { below: Some(if prerelease { from } else { Exact(from.0, false) }), ..Bound::ANY }),
        ">" => Some(Bound { from: after(all)?, ..Bound::ANY }),
        "<=" => Some(Bound { below: after(all)?, ..Bound::ANY }),
        "~" => between(all.min(2)),
        "~=" if all >= 2 => between(all - 1),
        "^" => between(1 + known.iter().take(all - 1).take_while(|&&n| n == 0).count()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npm_and_python_ranges() {
        for (range, inside, outside) in [
            (">=3.8,<4.0", vec!["3.8", "3.11.7", "3.99"], vec!["3.7.9", "4.0.0", "4.0.0rc1"]),
            (">=3.8.0 <4", vec!["3.8.0", "3.13.1"], vec!["4.0", "2.7"]),
            (">= 18.0.0", vec!["v18.0.0", "20.20.2"], vec!["16.1.0", "18.0.0-pre"]),
            ("18", vec!["18.0.0", "18.99.1"], vec!["19.0.0", "17.9"]),
            ("18.x", vec!["18.1.0"], vec!["19.0.0"]),
            ("==3.11.*", vec!["3.11.0", "3.11.9"], vec!["3.12.0"]),
            ("*", vec!["0.0.1", "99.1.2"], vec![]),
            (">18", vec!["19.0.0"], vec!["18.9.9"]),
            ("<=18", vec!["18.9.9"], vec!["19.0.0"]),
            ("^18.2", vec!["18.2.0", "18.9.0"], vec!["18.1.9", "19.0.0"]),
            ("^0.2.3", vec!["0.2.3", "0.2.9"], vec!["0.3.0"]),
            ("^0.0.3", vec!["0.0.3"], vec!["0.0.4"]),
            ("^0", vec!["0.9.9"], vec!["1.0.0"]),
            ("~1.2", vec!["1.2.9"], vec!["1.3.0"]),
            ("~1", vec!["1.9.9"], vec!["2.0.0"]),
            ("~=3.8", vec!["3.8", "3.99"], vec!["4.0", "3.7"]),
            ("~=3.8.2", vec!["3.8.2", "3.8.9"], vec!["3.9.0"]),
            ("16 - 18", vec!["16.0.0", "18.9.9"], vec!["15.9.9", "19.0.0"]),
            ("18 || >=20", vec!["18.1.0", "22.0.0"], vec!["19.0.0"]),
            (">=3.9,!=3.10.1", vec!["3.10.0", "3.10.2"], vec!["3.10.1", "3.8.0"]),
            ("1.2.3-beta", vec!["1.2.3-beta"], vec!["1.2.3", "1.2.2"]),
        ] {
            for version in inside {
                assert_eq!(range_allows(range, version), Some(true), "{range} {version}");
            }
            for version in outside {
                assert_eq!(range_allows(range, version), Some(false), "{range} {version}");
            }
        }
    }

    #[test]
    fn what_is_no_range_or_version_is_unknown() {
        for range in ["banana", "", " ", ">=", "<<1", "1.2.3.4", ">=x.y", "~=3", "1 2 z", "||", &"1 ".repeat(200)] {
            assert_eq!(range_allows(range, "1.0.0"), None, "{range}");
        }
        assert_eq!(range_allows(">=1", "banana"), None);
        assert_eq!(range_allows(">=1", "99999999999999999999999"), None);
        assert_eq!(range_allows(">18446744073709551615", "1.0.0"), None);
    }
}
