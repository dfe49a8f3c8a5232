//! Credentials that everybody can look up: test vectors of standards, keys of emulators and of documentation,
//! key pairs that widely used packages publish among their tests.
//!
//! Only the value tells, never the place or a comment: a key in a test opens a door as well as any other, unless
//! it is one of these. `rules/published.txt` holds the first bytes of each value's SHA-256, so that it holds no
//! credential and no other value can be added to it by whoever wrote the bundle.

use std::collections::HashSet;
use std::sync::OnceLock;

use base64::Engine as _;
use mpak_bundle::digest::Sha256;

use super::check::{BASE64, BASE64_URL};

/// One line for each value: digest, a space, where it is published.
const PUBLISHED: &str = include_str!("../../rules/published.txt");
/// Bytes of a digest that are kept.
const DIGEST_BYTES: usize = 12;
/// Longest value that is looked up.
const VALUE_BYTES_MAX: usize = 16 << 10;

type Digest = [u8; DIGEST_BYTES];

/// Whether a value is one of them, as it is written or as what its hexadecimal digits or base 64 stand for.
pub(super) fn is_published(value: &[u8]) -> bool {
    if value.len() > VALUE_BYTES_MAX {
        return false;
    }
    let known = |bytes: &[u8]| table().contains(&digest(bytes));
    let digits = value.strip_prefix(b"0x").unwrap_or(value);
    known(value)
        || hex(digits).is_some_and(|bytes| known(&bytes))
        || BASE64.decode(value).is_ok_and(|bytes| known(&bytes))
        || BASE64_URL.decode(value).is_ok_and(|bytes| known(&bytes))
}

fn digest(bytes: &[u8]) -> Digest {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&Sha256::of(bytes).as_bytes()[..DIGEST_BYTES]);
    digest
}

fn table() -> &'static HashSet<Digest> {
    static TABLE: OnceLock<HashSet<Digest>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let digits = PUBLISHED.lines().filter_map(|line| line.split(' ').next());
        digits.filter_map(|digits| hex(digits.as_bytes())?.try_into().ok()).collect()
    })
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2).map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        assert_eq!(table().len(), PUBLISHED.lines().count());
        assert!(PUBLISHED.lines().all(|line| line.split_once(' ').is_some_and(|(_, place)| !place.is_empty())));
    }

    #[test]
    fn a_value_is_known_however_it_is_written() {
        // The first key of RFC 8032 §7.1, put together so that this file does not hold it.
        let digits = ["9d61b19deffd5a60ba844af492ec2cc4", "4449c5697b326919703bac031cae7f60"].concat();
        let bytes = hex(digits.as_bytes()).unwrap();
        for text in [digits.clone(), digits.to_uppercase(), format!("0x{digits}"), BASE64.encode(&bytes)] {
            assert!(is_published(text.as_bytes()), "{text}");
        }
        assert!(is_published(&bytes));
        let other = digits.replace("9d61", "9d62");
        assert!(!is_published(other.as_bytes()) && !is_published(b""));
    }
}
