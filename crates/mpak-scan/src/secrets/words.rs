//! Tells random characters from words: which explains a text in fewer bits?
//!
//! Two explanations compete along the text: characters drawn at random from its alphabet, and words joined
//! by case, digits and separators, whose letters follow each other as in the words of programs. A text is
//! random by the characters that the cheapest mixture of both explains as random. So an identifier never is,
//! however long, and a key that happens to hold a word still is.

use std::sync::OnceLock;

/// What a letter costs after two others, in quarters of a bit: one line for every two letters before
/// (`^`, `a` … `z`; `^` stands for none), one character for every next (`a` … `z`, and the word's end).
/// Counted over the distinct words in the identifiers and comments of some thousand source files.
const TABLE: &str = include_str!("../../rules/words.txt");
const CONTEXTS: usize = 27;
const END: usize = 26;

/// Quarters of a bit.
type Cost = u32;
const BIT: Cost = 4;
const IMPOSSIBLE: Cost = Cost::MAX / 4;
/// From random to words, and back.
const SWITCH: Cost = 3 * BIT;
/// A new word without a sign of its beginning.
const UNMARKED: Cost = 3 * BIT;
const DIGIT_FIRST: Cost = 5 * BIT;
const DIGIT_NEXT: Cost = 3 * BIT + 2;
const SEPARATOR: Cost = 2 * BIT;
/// Upper and lower case mixed within one word.
const ODD_CASE: Cost = 3 * BIT;
/// Longest text that is looked at: its beginning stands for the rest.
const TEXT_BYTES_MAX: usize = 512;

/// Hexadecimal digits in a row that are no word.
const HEX_RUN_MIN: usize = 12;

/// How many of a text's characters are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Randomness {
    /// Characters that chance explains best.
    pub(super) random: usize,
    /// All characters that were looked at.
    pub(super) total: usize,
}

impl Randomness {
    /// At least so many random characters, and more of them than others.
    pub(super) fn holds(self, random_min: usize) -> bool {
        self.random >= random_min && self.random * 2 >= self.total
    }
}

/// One explanation so far: what it costs, and how many characters it calls random.
#[derive(Clone, Copy)]
struct Path {
    cost: Cost,
    random: usize,
}

impl Path {
    const NONE: Self = Self { cost: IMPOSSIBLE, random: 0 };

    fn plus(self, cost: Cost) -> Self {
        Self { cost: self.cost + cost, ..self }
    }

    fn or(self, other: Self) -> Self {
        if other.cost < self.cost { other } else { self }
    }
}

/// The cheapest explanations by what the last character is.
#[derive(Clone, Copy)]
struct Paths {
    random: Path,
    /// The first letter of a word.
    first: Path,
    /// A further letter of a word.
    inner: Path,
    /// Between words.
    between: Path,
}

/// Measures a text.
pub(super) fn randomness(text: &[u8]) -> Randomness {
    let text = &text[..text.len().min(TEXT_BYTES_MAX)];
    let chances = chances(text);
    let start = Path { cost: 0, random: 0 };
    let mut paths = Paths { random: start, first: Path::NONE, inner: Path::NONE, between: start };
    for at in 0..text.len() {
        let ended = paths.first.plus(end_of(text, at, 1)).or(paths.inner.plus(end_of(text, at, 2)));
        let mut random = paths.random.or(ended.or(paths.between).plus(SWITCH)).plus(chances[at]);
        random.random += 1;
        let orderly = ended.or(paths.between).or(paths.random.plus(SWITCH));
        paths = if text[at].is_ascii_alphabetic() {
            let begun = if starts_word(text, at) { orderly } else { orderly.plus(UNMARKED) };
            let (first, inner) = if must_start(text, at) {
                (begun.plus(next(0, 0, letter(text[at]))), Path::NONE)
            } else {
                let odd = odd_case(text, at);
                let second = paths.first.plus(odd + next(0, context(text, at, 1), letter(text[at])));
                let further =
                    paths.inner.plus(odd + next(context(text, at, 2), context(text, at, 1), letter(text[at])));
                (begun.plus(next(0, 0, letter(text[at]))), second.or(further))
            };
            Paths { random, first, inner, between: Path::NONE }
        } else {
            let cost = match text[at] {
                b'0'..=b'9' if at > 0 && text[at - 1].is_ascii_digit() => DIGIT_NEXT,
                b'0'..=b'9' => DIGIT_FIRST,
                _ => SEPARATOR,
            };
            Paths { random, first: Path::NONE, inner: Path::NONE, between: orderly.plus(cost) }
        };
    }
    let ended = paths.first.plus(end_of(text, text.len(), 1)).or(paths.inner.plus(end_of(text, text.len(), 2)));
    let best = paths.random.or(ended).or(paths.between);
    Randomness { random: best.random, total: text.len() }
}

/// What each character costs that is drawn from its alphabet: hexadecimal digits in long runs of them, else
/// the smallest one that holds the text.
fn chances(text: &[u8]) -> Vec<Cost> {
    let has = |test: fn(&u8) -> bool| text.iter().any(test);
    let (lower, upper) = (has(u8::is_ascii_lowercase), has(u8::is_ascii_uppercase));
    let mut chances = vec![if lower && upper { 6 * BIT } else { 5 * BIT + 1 }; text.len()];
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let upper_hex = |b: u8| matches!(b, b'0'..=b'9' | b'A'..=b'F' | b'-');
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let run = |test: &dyn Fn(u8) -> bool| rest.iter().take_while(|b| test(**b)).count();
        let length = run(&hex).max(run(&upper_hex));
        if length >= HEX_RUN_MIN {
            chances[at..at + length].fill(4 * BIT);
        }
        at += length.max(1);
    }
    chances
}

/// `^` is 0.
fn context(text: &[u8], at: usize, back: usize) -> usize {
    match at.checked_sub(back).map(|at| text[at]) {
        Some(byte) if byte.is_ascii_alphabetic() => letter(byte) + 1,
        _ => 0,
    }
}

fn letter(byte: u8) -> usize {
    usize::from(byte.to_ascii_lowercase() - b'a')
}

/// What the end of a word costs before a position, of which this many letters count.
fn end_of(text: &[u8], at: usize, letters: usize) -> Cost {
    let before = if letters == 1 { 0 } else { context(text, at, 2) };
    match context(text, at, 1) {
        0 => IMPOSSIBLE,
        last => next(before, last, END),
    }
}

/// A letter in upper case after one in lower case, or after no letter.
fn starts_word(text: &[u8], at: usize) -> bool {
    match at.checked_sub(1).map(|before| text[before]) {
        Some(before) if before.is_ascii_alphabetic() => must_start(text, at) || acronym_ends(text, at),
        _ => true,
    }
}

fn must_start(text: &[u8], at: usize) -> bool {
    at > 0 && text[at].is_ascii_uppercase() && text[at - 1].is_ascii_lowercase()
}

/// The `S` of `HTTPServer`.
fn acronym_ends(text: &[u8], at: usize) -> bool {
    text[at].is_ascii_uppercase() && text.get(at + 1).is_some_and(u8::is_ascii_lowercase)
}

/// A letter in lower case after two in upper case.
fn odd_case(text: &[u8], at: usize) -> Cost {
    let upper = |back: usize| at.checked_sub(back).is_some_and(|at| text[at].is_ascii_uppercase());
    if text[at].is_ascii_lowercase() && upper(1) && upper(2) { ODD_CASE } else { 0 }
}

fn next(before: usize, last: usize, letter: usize) -> Cost {
    Cost::from(table()[(before * CONTEXTS + last) * CONTEXTS + letter])
}

fn table() -> &'static [u8] {
    static COSTS: OnceLock<Vec<u8>> = OnceLock::new();
    COSTS.get_or_init(|| {
        let value = |digit: u8| match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        TABLE.lines().flat_map(str::bytes).map(value).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        assert_eq!(table().len(), CONTEXTS * CONTEXTS * CONTEXTS);
    }

    #[test]
    fn identifiers_and_sentences_are_no_chance() {
        for text in [
            "WebStandardStreamableHTTPServerTransport",
            "getAccessTokenFromEnvironment",
            "ACCESS_TOKEN_EXPIRED_ERROR_42",
            "correct-horse-battery-staple-42",
            "mysecretpasswordforthedatabase",
            "client_secret_basic_auth_01",
            "session.accessToken.value.rawString",
            "azure-functions-host-key-2023-11-01",
            "InvalidSignatureKeyLengthException",
            "x509CertificateChainBase64Encoded",
            "com.amazonaws.services.s3.AmazonS3Client",
            "opentelemetry-instrumentation-httpx",
            "SharedAccessSignatureAuthorization",
        ] {
            let measured = randomness(text.as_bytes());
            assert!(!measured.holds(12), "{text}: {measured:?}");
        }
    }

    #[test]
    fn chance_is_chance_even_with_a_word_in_it() {
        for text in [
            "q8Zr2Xv0TbN5wLc7Yk3MhD",
            "f3a9c07be15d8264a0c19e7b",
            "kTq7testVx93LwPz0aBn5Rj",
            "9pXexampleQ2vLz8Rw4KtYc71",
            "bKq3-Xw9z_PtL7vR2mNc",
            "zkqhxwvjrtpgmbnsdfylcaw",
            "7QK2M9XW4T8ZP3RL6VNB5JH",
            "b4k2x9q7m1z8w3v6t5r0p",
            "acme_live_cbed8cf586b49ff19a67ce1d6ba69872",
            "6d205b43-15a1-bc10-16e0-e27e48d2fd68:7d7f8ec83c3018fcc4845ae816e18f68",
        ] {
            let measured = randomness(text.as_bytes());
            assert!(measured.holds(12), "{text}: {measured:?}");
        }
    }
}
