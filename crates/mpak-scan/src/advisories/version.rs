//! Versions as keys whose bytes compare like the versions do, by each ecosystem's own rules.
//!
//! Spec: PEP 440 (PyPI); Semantic Versioning 2.0.0 §11 (npm, crates, Go), read leniently, because what is
//! installed does not always follow it. In: text from a bundle or an advisory. Out: a key, or none.

mod pep440;
mod semver;

/// Longest version that is read.
pub(super) const VERSION_BYTES_MAX: usize = 512;
/// Most digits of one number in a version.
const DIGITS_COUNT_MAX: usize = 200;

/// By which rules versions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// PEP 440.
    Pep440,
    /// Precedence of Semantic Versioning; pre-releases are ordinary versions, as OSV demands.
    Semver,
}

/// A version that can be compared with others of its scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(Vec<u8>);

impl Scheme {
    /// The key of a version; `None` where the text is no version of this scheme.
    pub(super) fn key(self, version: &str) -> Option<Key> {
        let version = version.trim();
        if version.is_empty() || version.len() > VERSION_BYTES_MAX || !version.is_ascii() {
            return None;
        }
        let mut key = Vec::with_capacity(24);
        match self {
            Self::Pep440 => pep440::encode(version, &mut key)?,
            Self::Semver => semver::encode(version, &mut key)?,
        }
        Some(Key(key))
    }
}

/// A number of any length: its count of digits, then its digits.
fn push_number(digits: &str, key: &mut Vec<u8>) -> Option<()> {
    let digits = digits.trim_start_matches('0');
    if digits.len() > DIGITS_COUNT_MAX {
        return None;
    }
    key.push(digits.len() as u8);
    key.extend_from_slice(digits.as_bytes());
    Some(())
}

/// Numbers of a release, of which zeros at the end do not count; ends with a byte below any number's.
fn push_release(numbers: &[&str], key: &mut Vec<u8>) -> Option<()> {
    let zero = |digits: &&str| digits.bytes().all(|b| b == b'0');
    let count = numbers.len() - numbers.iter().rev().take_while(|digits| zero(digits)).count();
    for digits in &numbers[..count] {
        key.push(1);
        push_number(digits, key)?;
    }
    key.push(0);
    Some(())
}

/// Splits digits off the front.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Reads `1.2.3` off the front. A dot that no digit follows is left.
fn release(text: &str) -> Option<(Vec<&str>, &str)> {
    let (first, mut rest) = digits(text);
    if first.is_empty() {
        return None;
    }
    let mut numbers = vec![first];
    while let Some(after) = rest.strip_prefix('.') {
        let (number, left) = digits(after);
        if number.is_empty() {
            break;
        }
        numbers.push(number);
        rest = left;
    }
    Some((numbers, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in rising order, each of equal versions.
    pub(super) fn check(scheme: Scheme, rows: &[&[&str]]) {
        let keys: Vec<(usize, &str, Key)> = rows
            .iter()
            .enumerate()
            .flat_map(|(row, texts)| texts.iter().map(move |text| (row, *text)))
            .map(|(row, text)| (row, text, scheme.key(text).unwrap_or_else(|| panic!("`{text}` is a version"))))
            .collect();
        for (row, text, key) in &keys {
            for (other_row, other_text, other) in &keys {
                assert_eq!(key.cmp(other), row.cmp(other_row), "{text} and {other_text}");
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

        /// Two independent readers of the same specification.
        #[test]
        fn pep_440_agrees_with_another_reader(
            a in "v?([0-2]!)?[0-3](\\.[0-3]){0,3}([-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?[0-2]?)?(-[0-2]|[-_.]?(post|rev|r)[-_.]?[0-2]?)?([-_.]?dev[-_.]?[0-2]?)?(\\+[a-c0-2]{1,2}([-_.][a-c0-2]{1,2}){0,2})?",
            b in "([0-1]!)?[0-1](\\.[0-1]){0,2}(a|rc)?[0-1]?(\\.post[0-1])?(\\.dev[0-1])?(\\+[a-b0-1]{1,2})?",
        ) {
            let other = |text: &str| text.parse::<pep440_rs::Version>().ok();
            let (ours_a, ours_b) = (Scheme::Pep440.key(&a), Scheme::Pep440.key(&b));
            proptest::prop_assert_eq!(ours_a.is_some(), other(&a).is_some(), "{}", a);
            proptest::prop_assert_eq!(ours_b.is_some(), other(&b).is_some(), "{}", b);
            if let (Some(ours_a), Some(ours_b), Some(a), Some(b)) = (ours_a, ours_b, other(&a), other(&b)) {
                proptest::prop_assert_eq!(ours_a.cmp(&ours_b), a.cmp(&b), "{} {}", a, b);
            }
        }

        #[test]
        fn semver_agrees_with_another_reader(
            a in "[0-2]\\.[0-2]\\.[0-2](-(0|1|10|a|b-|1a)(\\.(0|2|c)){0,2})?(\\+[a-c]{1,2})?",
            b in "[0-2]\\.[0-2]\\.[0-2](-(0|1|10|a|b-|1a)(\\.(0|2|c)){0,2})?(\\+[a-c]{1,2})?",
        ) {
            let other = |text: &str| text.parse::<::semver::Version>().unwrap();
            let ours = |text: &str| Scheme::Semver.key(text).unwrap();
            proptest::prop_assert_eq!(ours(&a).cmp(&ours(&b)), other(&a).cmp_precedence(&other(&b)), "{} {}", a, b);
        }

        #[test]
        fn any_text_is_a_version_or_none(text in ".{0,40}") {
            let _keys = (Scheme::Pep440.key(&text), Scheme::Semver.key(&text));
        }
    }

    #[test]
    fn what_is_too_long_is_no_version() {
        for scheme in [Scheme::Pep440, Scheme::Semver] {
            assert!(scheme.key(&"1".repeat(DIGITS_COUNT_MAX)).is_some());
            assert!(scheme.key(&"1".repeat(DIGITS_COUNT_MAX + 1)).is_none());
            assert!(scheme.key(&"1.".repeat(VERSION_BYTES_MAX)).is_none());
            assert!(scheme.key(&format!("{}1", "0".repeat(400))).is_some());
            for text in ["", " ", "1.0é", "١.٢"] {
                assert!(scheme.key(text).is_none(), "{text}");
            }
        }
    }
}
