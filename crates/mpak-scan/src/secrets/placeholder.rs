//! Tells placeholders from credentials by what they look like.

/// Words that nobody's random key holds by chance, in the three ways of writing them.
const WORDS: [&str; 12] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "redacted",
    "your_",
    "your-",
    "insert",
    "sample",
    "dummy",
    "notreal",
    "deadbeef",
];
/// One character so often in a row is no chance.
const RUN_MAX: usize = 6;
/// So many characters counted up or down is no chance.
const COUNT_MAX: usize = 8;

/// Whether a text stands for a credential and is none.
pub(super) fn is_placeholder(secret: &[u8]) -> bool {
    holds_word(secret) || is_template(secret) || runs(secret)
}

/// `<key>`, `${KEY}`, `$KEY`, `{{key}}`, `%(key)s`, `%KEY%`, `***`; one such character alone may be chance.
fn is_template(secret: &[u8]) -> bool {
    let has = |text: &[u8]| secret.windows(text.len()).any(|w| w == text);
    let around = |open: u8, close: u8| secret.first() == Some(&open) && secret.last() == Some(&close);
    secret.first() == Some(&b'$')
        || secret.iter().any(|b| matches!(b, b'{' | b'}'))
        || (secret.contains(&b'<') && secret.contains(&b'>'))
        || [&b"$("[..], b"%(", b"***", b"..."].iter().any(|text| has(text))
        || around(b'%', b'%')
        || secret == b"%s"
}

/// One of [`WORDS`] in lower case, upper case, or capitalised; a mixture is chance.
fn holds_word(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    WORDS.iter().any(|word| {
        let found = lower.windows(word.len()).position(|window| window == word.as_bytes());
        found.is_some_and(|at| {
            let seen = &secret[at..at + word.len()];
            let rest = &seen[1..];
            let none = |bytes: &[u8], test: fn(&u8) -> bool| !bytes.iter().any(test);
            none(rest, u8::is_ascii_uppercase) || none(seen, u8::is_ascii_lowercase)
        })
    })
}

/// A long run of one character, or of characters that count up or down by one.
fn runs(secret: &[u8]) -> bool {
    let (mut same, mut up, mut down) = (1, 1, 1);
    for pair in secret.windows(2) {
        let step = i16::from(pair[1].to_ascii_lowercase()) - i16::from(pair[0].to_ascii_lowercase());
        // `9` to `0` and `9` to `a` go on counting.
        let wraps = pair[0] == b'9' && matches!(pair[1], b'0' | b'a' | b'A');
        same = if step == 0 { same + 1 } else { 1 };
        up = if step == 1 || wraps { up + 1 } else { 1 };
        down = if step == -1 { down + 1 } else { 1 };
        if same > RUN_MAX || up >= COUNT_MAX || down >= COUNT_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_credentials() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "xxxxxxxxxxxxxxxx",
            "<your token>",
            "${TOKEN}",
            "YOUR_API_KEY",
            "abcdefgh1jkl",
            "a1234567890b",
        ] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["Tq8vN2rXb5LwZc0Y", "0f3c9a7e5b1d8264", "aEXamPLeQ81xw", ""] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }
}
