//! PEP 440: epochs, pre-, post- and development releases, local versions; all spellings that it normalises.
//!
//! Spec: PyPA version specifiers, "Version scheme" and "Summary of permitted suffixes and relative ordering".

use super::{digits, push_number, push_release, release};

/// Below every value of a part.
const LEAST: u8 = 0;
/// Above every value of a part.
const MOST: u8 = 0xff;

pub(super) fn encode(text: &str, key: &mut Vec<u8>) -> Option<()> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text);
    // 1. N! epoch
    let (first, after) = digits(text);
    let (epoch, text) = match after.strip_prefix('!') {
        Some(after) if !first.is_empty() => (first, after),
        _ => ("", text),
    };
    push_number(epoch, key)?;
    // 2. N.N.N release
    let (numbers, text) = release(text)?;
    push_release(&numbers, key)?;
    // 3. suffixes, each at most once, in this order
    let (pre, text) = labelled(text, PRE).map_or((None, text), |(label, n, rest)| (Some((label, n)), rest));
    let (post, text) = post(text).map_or((None, text), |(n, rest)| (Some(n), rest));
    let (dev, text) = labelled(text, DEV).map_or((None, text), |(_, n, rest)| (Some(n), rest));
    match pre {
        Some((label, n)) => {
            key.extend([1, label]);
            push_number(n, key)?;
        }
        // a development release of the release itself comes before its pre-releases
        None if post.is_none() && dev.is_some() => key.push(LEAST),
        None => key.push(MOST),
    }
    push_part(post, LEAST, key)?;
    push_part(dev, MOST, key)?;
    // 4. +local
    local(text, key)
}

/// Spellings, the longer before what begins them, and the letter that stands for them.
const PRE: &[(&str, u8)] = &[
    ("alpha", b'a'),
    ("a", b'a'),
    ("beta", b'b'),
    ("b", b'b'),
    ("preview", b'r'),
    ("pre", b'r'),
    ("c", b'r'),
    ("rc", b'r'),
];
const POST: &[(&str, u8)] = &[("post", b'p'), ("rev", b'p'), ("r", b'p')];
const DEV: &[(&str, u8)] = &[("dev", b'd')];

fn push_part(number: Option<&str>, absent: u8, key: &mut Vec<u8>) -> Option<()> {
    match number {
        Some(n) => {
            key.push(1);
            push_number(n, key)
        }
        None => {
            key.push(absent);
            Some(())
        }
    }
}

/// `[sep]label[sep][N]`; a missing number is 0, also behind a separator.
fn labelled<'a>(text: &'a str, labels: &[(&str, u8)]) -> Option<(u8, &'a str, &'a str)> {
    let bare = separated(text);
    let (label, rest) = labels.iter().find_map(|(word, label)| Some((*label, bare.strip_prefix(word)?)))?;
    let (number, left) = digits(separated(rest));
    Some((label, number, left))
}

/// `-N`, or `[sep]post[sep][N]`.
fn post(text: &str) -> Option<(&str, &str)> {
    if let Some(after) = text.strip_prefix('-') {
        let (number, rest) = digits(after);
        if !number.is_empty() {
            return Some((number, rest));
        }
    }
    labelled(text, POST).map(|(_, number, rest)| (number, rest))
}

fn separated(text: &str) -> &str {
    text.strip_prefix(['.', '-', '_']).unwrap_or(text)
}

/// Parts between separators; numbers stand above words, and more parts above fewer.
fn local(text: &str, key: &mut Vec<u8>) -> Option<()> {
    let Some(local) = text.strip_prefix('+') else {
        key.push(LEAST);
        return text.is_empty().then_some(());
    };
    key.push(1);
    for part in local.split(['.', '-', '_']) {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        if part.bytes().all(|b| b.is_ascii_digit()) {
            key.push(2);
            push_number(part, key)?;
        } else {
            key.push(1);
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
    }
    key.push(0);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::Scheme;
    use super::super::tests::check;

    #[test]
    fn versions_rise_as_pep_440_says() {
        check(
            Scheme::Pep440,
            &[
                &["0", "0.0", "00"],
                &["0.9.dev0", "0.9dev"],
                &["0.9"],
                &["1.dev0", "1.0.dev0", "v1.0.0-DEV"],
                &["1.0.dev456"],
                &["1.0a1", "1.0.a.1", "1.0-ALPHA1", "1.0_alpha_1", "1.0.alpha-1"],
                &["1.0a2.dev456"],
                &["1.0a12.dev456"],
                &["1.0a12"],
                &["1.0b1.dev456"],
                &["1.0b2", "1.0.beta2"],
                &["1.0b2.post345.dev456"],
                &["1.0b2.post345", "1.0b2-345"],
                &["1.0rc1.dev456"],
                &["1.0rc1", "1.0c1", "1.0pre1", "1.0-preview1", "1.0.RC.1"],
                &["1.0", "1", "1.0.0", " 1.0 ", "01.00"],
                &["1.0+abc.5"],
                &["1.0+abc.7", "1.0+abc-7", "1.0+ABC_07"],
                &["1.0+5"],
                &["1.0+5.0"],
                &["1.0.post456.dev34"],
                &["1.0.post456", "1.0-456", "1.0.rev456", "1.0-r456"],
                &["1.0.1"],
                &["1.1.dev1"],
                &["1.2"],
                &["1.10"],
                &["2024.1.1"],
                &["20240101123456789012345678901234567890"],
                &["1!0.5", "1!0.5.0"],
                &["1!1.0.dev1"],
                &["2!0"],
            ],
        );
    }

    #[test]
    fn a_missing_number_is_zero() {
        check(
            Scheme::Pep440,
            &[
                &["1.0.dev", "1.0.dev0"],
                &["1.0a", "1.0a0", "1.0a-"],
                &["1.0rc", "1.0rc0"],
                &["1.0"],
                &["1.0.post", "1.0-0", "1.0r"],
            ],
        );
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "french toast",
            "1.0+",
            "1.0+a+b",
            "1.0+_",
            "1.0a1a1",
            "1.0.dev1.post1",
            "1..0",
            ".1",
            "1.0-",
            "!1",
            "1.0 0",
            "1.x",
        ] {
            assert_eq!(Scheme::Pep440.key(text), None, "{text}");
        }
    }
}
