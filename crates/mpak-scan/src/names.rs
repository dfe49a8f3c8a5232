//! RG-01 and RG-02: package names that look like something they are not.
//!
//! In: the name of a package that was never published, and popular names. Out: what it resembles and why;
//! nothing for an ordinary name. Names are ASCII, so that foreign alphabets are no concern; what is left are
//! typos, digits for letters, moved separators, borrowed scopes, endings, and names that language models
//! invent. A scope has one owner, so that names within it are never held against each other.
//! Spec: MTF 0.1 §3.7 RG-01, RG-02. Rules: `rules/names.toml`.

use std::collections::HashSet;
use std::sync::OnceLock;

use mpak_bundle::name::PackageName;
use serde::{Deserialize, Serialize};

/// The rules.
pub const NAMES_TOML: &str = include_str!("../rules/names.toml");

/// Shortest word in which one typo counts.
const ONE_TYPO_CHARS: usize = 6;
/// Shortest word in which two typos count.
const TWO_TYPOS_CHARS: usize = 9;
/// Shortest scope whose name in front of another name counts.
const BORROWED_CHARS_MIN: usize = 4;

/// In what way a name is suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The scope looks like another one.
    ScopeMimicry,
    /// The name looks like a popular one of another scope.
    NearName,
    /// The name looks like that of a well-known organisation's server.
    NearOrganisation,
    /// A popular name with an ending.
    Ending,
    /// Another scope is part of the name.
    BorrowedScope,
    /// Language models invent it, or it claims to be official.
    Bait,
}

/// Why a name should be looked at by somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspicion {
    /// In what way.
    pub kind: Kind,
    /// `@scope` or `@scope/name`.
    pub resembles: String,
    /// For people.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    scopes: Vec<String>,
    disguises: HashSet<String>,
    endings: Vec<String>,
    bait: Vec<Bait>,
    #[cfg_attr(not(test), expect(dead_code, reason = "tried by the tests"))]
    examples: Examples,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bait {
    scope: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), expect(dead_code, reason = "tried by the tests"))]
struct Examples {
    popular: Vec<String>,
    suspicious: Vec<(String, String)>,
    ordinary: Vec<String>,
}

/// The embedded rules; `None` only for a file that no test has read.
fn rules() -> Option<&'static Rules> {
    static RULES: OnceLock<Option<Rules>> = OnceLock::new();
    RULES.get_or_init(|| toml::from_str(NAMES_TOML).ok()).as_ref()
}

/// What a name resembles, the gravest first; `popular` are the names that many people use.
pub fn review(name: &PackageName, popular: &[PackageName]) -> Vec<Suspicion> {
    let Some(rules) = rules() else { return Vec::new() };
    let mut found = Vec::new();
    // 1. The scope: of whom it could be mistaken for.
    let known = rules.scopes.iter().map(String::as_str).chain(popular.iter().map(PackageName::scope));
    let known: Vec<&str> = known.collect();
    if !known.contains(&name.scope()) {
        found.extend(bait(name.scope(), rules));
        found.extend(known.iter().find_map(|scope| mimics(name.scope(), scope, rules)));
    }
    // 2. The name: which popular one of another scope it could be mistaken for.
    let others = || popular.iter().filter(|p| p.scope() != name.scope() && p.base() != name.base());
    found.extend(others().find_map(|p| like(name, p, rules)));
    // 3. The name as a claim to be somebody.
    found.extend(claims(name, rules));
    found.extend(slips(name, rules));
    found
}

fn bait(scope: &str, rules: &Rules) -> Option<Suspicion> {
    let bait = rules.bait.iter().find(|b| joined(&b.scope) == joined(scope))?;
    let reason = format!("the scope `@{scope}` belongs to nobody in particular: {}", bait.reason);
    Some(Suspicion { kind: Kind::Bait, resembles: format!("@{}", bait.scope), reason })
}

/// Whether one scope could be taken for another.
fn mimics(scope: &str, known: &str, rules: &Rules) -> Option<Suspicion> {
    let words = words(scope);
    let plain: Vec<&str> = words.iter().copied().filter(|w| !rules.disguises.contains(*w)).collect();
    let disguised = plain.len() < words.len() && plain.concat() == joined(known);
    let how = if disguised {
        "a word was added to"
    } else if looks_like(scope, known) {
        "it is read as"
    } else if is_slip(&joined(scope), &joined(known)) {
        "it is a typo away from"
    } else {
        return None;
    };
    let reason = format!("the scope `@{scope}` could be taken for `@{known}`: {how} it");
    Some(Suspicion { kind: Kind::ScopeMimicry, resembles: format!("@{known}"), reason })
}

/// Whether a name could be taken for a popular one of another scope.
fn like(name: &PackageName, popular: &PackageName, rules: &Rules) -> Option<Suspicion> {
    let (base, other) = (name.base(), popular.base());
    let suspicion = |kind, how: &str| {
        let reason = format!("`{name}` could be taken for `{popular}`, which many people use: {how}");
        Some(Suspicion { kind, resembles: popular.to_string(), reason })
    };
    let plain = joined(other);
    if popular.scope().len() >= BORROWED_CHARS_MIN && joined(base) == joined(popular.scope()) + &plain {
        return suspicion(Kind::BorrowedScope, "the scope is part of the name");
    }
    if plain.len() < ONE_TYPO_CHARS {
        return None;
    }
    if looks_like(base, other) {
        return suspicion(Kind::NearName, "it is read the same");
    }
    if let Some(ending) = ending(base, other, rules) {
        return suspicion(Kind::Ending, &format!("`{ending}` was added"));
    }
    let (ours, theirs) = (words(base), words(other));
    let different: Vec<_> = ours.iter().zip(&theirs).filter(|(a, b)| a != b).collect();
    match different[..] {
        [(a, b)] if ours.len() == theirs.len() && is_typo(a, b) => suspicion(Kind::NearName, "it is a typo away"),
        _ => None,
    }
}

/// A name that says it is some organisation's official one.
fn claims(name: &PackageName, rules: &Rules) -> Option<Suspicion> {
    let words = words(name.base());
    let official = words.iter().any(|w| matches!(*w, "official" | "officially" | "verified"));
    let whose = rules.scopes.iter().find(|s| name.scope() != s.as_str() && words.contains(&s.as_str()))?;
    if !official {
        return None;
    }
    let reason = format!("`{name}` claims to come from `@{whose}`");
    Some(Suspicion { kind: Kind::Bait, resembles: format!("@{whose}"), reason })
}

/// A name like `gthub-mcp`: an organisation's name with a slip in it, and otherwise only words that a server
/// wears. It needs no popular names, so that the first publishes of a registry are reviewed, too.
fn slips(name: &PackageName, rules: &Rules) -> Option<Suspicion> {
    let words = words(name.base());
    let plain: Vec<&str> = words.iter().copied().filter(|w| !rules.disguises.contains(*w)).collect();
    let ([word], true) = (&plain[..], plain.len() < words.len()) else { return None };
    let known = || rules.scopes.iter().filter(|scope| scope.len() >= ONE_TYPO_CHARS && !scope.contains('-'));
    if rules.scopes.iter().any(|scope| scope == word) {
        return None;
    }
    let whose = known().find(|s| name.scope() != s.as_str() && (looks_like(word, s) || is_slip(word, s)))?;
    let reason = format!("`{name}` could be taken for the server of `@{whose}`: `{word}` is a typo away from it");
    Some(Suspicion { kind: Kind::NearOrganisation, resembles: format!("@{whose}"), reason })
}

/// A typo, or a letter left out of a name of six, but not at its end, where words differ: `strip`, `stripe`.
fn is_slip(word: &str, known: &str) -> bool {
    let left_out = || {
        let (word, known) = (word.as_bytes(), known.as_bytes());
        word.len() + 1 == known.len() && word[..1] == known[..1] && word.last() == known.last()
    };
    is_typo(word, known)
        || (known.len() == ONE_TYPO_CHARS && left_out() && distance(word.as_bytes(), known.as_bytes(), 1) == 1)
}

/// What was added to a popular name, if it is one of the endings.
fn ending<'a>(base: &'a str, popular: &str, rules: &Rules) -> Option<&'a str> {
    let rest = base.strip_prefix(popular)?;
    let added = rest.trim_start_matches(['-', '_', '.']);
    // Letters that simply go on are another word: `widgets` is not `widget` and an ending.
    let apart = added.len() < rest.len() || added.starts_with(|c: char| c.is_ascii_digit());
    let fits = |ending: &String| match ending.strip_suffix('#') {
        Some(before) => added
            .strip_prefix(before)
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())),
        None => added == ending,
    };
    (apart && rules.endings.iter().any(fits)).then_some(added)
}

fn words(name: &str) -> Vec<&str> {
    name.split(['-', '_', '.']).filter(|w| !w.is_empty()).collect()
}

fn joined(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect()
}

/// Whether two different names are read as the same one.
fn looks_like(a: &str, b: &str) -> bool {
    a != b && skeleton(a) == skeleton(b)
}

/// What the eye makes of a name: separators vanish, digits become the letters they look like, and pairs of
/// letters the one that they look like.
fn skeleton(name: &str) -> String {
    let letters: String = joined(name)
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | 'i' => 'l',
            '3' => 'e',
            '5' => 's',
            c => c,
        })
        .collect();
    letters.replace("rn", "m").replace("vv", "w")
}

/// Whether one word is a slip of the fingers away from another: one in words of six letters and more, two
/// in words of nine. The first letter is seldom mistyped, and a plural is another word.
fn is_typo(a: &str, b: &str) -> bool {
    let shorter = a.len().min(b.len());
    let allowed = match shorter {
        n if n >= TWO_TYPOS_CHARS => 2,
        n if n >= ONE_TYPO_CHARS => 1,
        _ => return false,
    };
    let plural = |one: &str, many: &str| many.strip_suffix('s') == Some(one);
    let (a, b) = if plural(a, b) || plural(b, a) { return false } else { (a.as_bytes(), b.as_bytes()) };
    let same_start = a[0] == b[0] || (a[0] == b[1] && a[1] == b[0]);
    if !same_start {
        return false;
    }
    match distance(a, b, allowed) {
        0 => false,
        // Another vowel within, of the same length, makes another word as often as a typo: `nation`, `notion`.
        1 if shorter < TWO_TYPOS_CHARS && a.len() == b.len() => !other_vowel(a, b),
        found => found <= allowed,
    }
}

fn other_vowel(a: &[u8], b: &[u8]) -> bool {
    let mut different = a.iter().zip(b).filter(|(a, b)| a != b);
    different.next().is_some_and(|(a, b)| b"aeiou".contains(a) && b"aeiou".contains(b))
        && a.iter().zip(b).filter(|(a, b)| a != b).count() == 1
}

/// Damerau–Levenshtein distance (optimal string alignment); one more than `limit` where it is beyond.
fn distance(a: &[u8], b: &[u8], limit: usize) -> usize {
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[1][j] + 1).min(rows[2][j - 1] + 1).min(rows[1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        PackageName::lookup(text).unwrap()
    }

    fn popular() -> Vec<PackageName> {
        rules().unwrap().examples.popular.iter().map(|p| name(p)).collect()
    }

    #[test]
    fn suspicious_names_are_told_with_what_they_resemble() {
        for (text, resembles) in &rules().unwrap().examples.suspicious {
            let found = review(&name(text), &popular());
            let told: Vec<&str> = found.iter().map(|s| s.resembles.as_str()).collect();
            assert!(told.contains(&resembles.as_str()), "{text}: {found:?}");
        }
    }

    #[test]
    fn ordinary_names_are_not_suspicious() {
        for text in &rules().unwrap().examples.ordinary {
            assert_eq!(review(&name(text), &popular()), [], "{text}");
        }
    }

    #[test]
    fn known_scopes_do_not_resemble_each_other() {
        for scope in &rules().unwrap().scopes {
            assert_eq!(review(&name(&format!("@{scope}/server")), &[]), [], "{scope}");
        }
    }

    #[test]
    fn names_of_one_scope_are_never_held_against_each_other() {
        let popular = [name("@acme/weather"), name("@acme/weather-forecast")];
        for text in ["@acme/wether", "@acme/weather2", "@acme/weather-forcast", "@acme/acme-weather"] {
            assert_eq!(review(&name(text), &popular), [], "{text}");
        }
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (a, b, expect) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("github", "gihtub", 1),
            ("ca", "abc", 3),
            ("abcdef", "abcdef", 0),
            ("abcdef", "xbcdeg", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes(), 9), expect, "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes(), 9), expect, "{b} {a}");
        }
        assert_eq!(distance(b"kitten", b"sitting", 1), 2, "beyond the limit");
    }

    #[test]
    fn the_longest_names_are_reviewed_at_once() {
        let long = name(&format!("@{}/{}", "s".repeat(39), "n".repeat(214)));
        let popular: Vec<_> = (0..1_000).map(|i| name(&format!("@p{i}/{}", "m".repeat(213)))).collect();
        let began = std::time::Instant::now();
        assert_eq!(review(&long, &popular), []);
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    }
}
