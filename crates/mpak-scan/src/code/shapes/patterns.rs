//! What a text is safe for that matches a pattern as a whole: by the characters that the pattern lets through.

use crate::code::flow::value::Safe;

/// Most characters of a pattern that are looked at.
const PATTERN_CHARS_MAX: usize = 2_000;

/// Characters that a pattern lets through: those of ASCII one by one, all others together.
#[derive(Clone, Copy, Default)]
struct Letters {
    ascii: u128,
    others: bool,
}

impl Letters {
    const ALL: Self = Self { ascii: u128::MAX, others: true };

    fn has(self, c: char) -> bool {
        if c.is_ascii() { self.ascii >> u32::from(c) & 1 == 1 } else { self.others }
    }

    fn any(self, chars: &str) -> bool {
        chars.chars().any(|c| self.has(c))
    }

    fn add(&mut self, c: char) {
        if c.is_ascii() {
            self.ascii |= 1 << u32::from(c);
        } else {
            self.others = true;
        }
    }

    fn join(&mut self, more: Self) {
        self.ascii |= more.ascii;
        self.others |= more.others;
    }

    fn without(self) -> Self {
        Self { ascii: !self.ascii, others: !self.others }
    }

    fn of(is: impl Fn(char) -> bool) -> Self {
        let mut letters = Self::default();
        (0..128_u8).map(char::from).filter(|&c| is(c)).for_each(|c| letters.add(c));
        letters
    }
}

/// What a pattern lets through.
#[derive(Default)]
struct Seen {
    all: Letters,
    /// What a text may begin with.
    first: Letters,
    /// Whether several dots may follow each other.
    dots: bool,
}

/// What a text that matches a pattern as a whole is safe for.
pub fn matched(pattern: &str) -> Safe {
    let Some(seen) = read(pattern) else { return Safe::default() };
    let letters = seen.all;
    let mut safe = Safe::default();
    let control = (0..32_u8).any(|c| letters.has(char::from(c)));
    if !control && !letters.any(" ;&|`$()<>'\"\\*?[]{}!~#%^") && !letters.others {
        safe = safe.and(Safe::SHELL);
    }
    let names_only = !letters.any("'\"`()[]{}<>;=\\$ \n\t");
    let figures_only = !Letters::of(|c| c.is_ascii_alphabetic()).overlaps(letters)
        && !letters.any("_'\"`[]{}<>;=\\$!@#:~?&|^")
        && !letters.others;
    if names_only && !control && !letters.others || figures_only {
        safe = safe.and(Safe::CODE);
    }
    if !letters.any("'\"`();\\=<>#") && !letters.others || figures_only {
        safe = safe.and(Safe::QUERY);
    }
    let separators = letters.any("/\\");
    let climbs = separators && (seen.dots || seen.first.any("/\\"));
    // A name alone names a file in its folder; `..` alone names no file.
    if !climbs {
        safe = safe.and(Safe::PATH);
    }
    if !letters.any(".:/\\@?#%[") && !letters.others || fixes_host(pattern) {
        safe = safe.and(Safe::HOST);
    }
    if !seen.first.has('-') {
        safe = safe.and(Safe::ARGUMENT);
    }
    if !control && !letters.any(" ;&|`$()<>'\"\\*:") {
        safe = safe.and(Safe::OPENER);
    }
    safe
}

impl Letters {
    fn overlaps(self, other: Self) -> bool {
        self.ascii & other.ascii != 0 || self.others && other.others
    }
}

/// Whether a pattern of a host or URL ends with a domain, or begins with a whole host.
fn fixes_host(pattern: &str) -> bool {
    let pattern = pattern.trim_start_matches('^').trim_start_matches("\\A");
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let parts: Vec<&str> = pattern.trim_end_matches('$').split("\\.").collect();
    let ends = parts.len() > 2 && parts[1..].iter().all(|part| !part.is_empty() && plain(part));
    let begin = pattern.replace("\\/", "/").replace("\\.", ".");
    let host = begin.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default().len() < rest.len());
    let literal = begin.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    ends || host == Some(true) && literal.is_some_and(|host| host.split('.').all(plain))
}

/// Reads a pattern; none where it says something that is not understood.
fn read(pattern: &str) -> Option<Seen> {
    let chars: Vec<char> = pattern.chars().take(PATTERN_CHARS_MAX + 1).collect();
    if chars.len() > PATTERN_CHARS_MAX {
        return None;
    }
    let mut seen = Seen::default();
    let no_dots = pattern.contains("(?!.*\\.\\.)") || pattern.contains("(?!.*[.]{2})");
    // What may still be the first character: until something that cannot be left out was seen.
    let (mut at, mut is_first, mut last_dot) = (0, true, false);
    let mut depth = 0_usize;
    // Whether an alternative begins anew, in which groups.
    let mut firsts: Vec<bool> = Vec::new();
    while let Some(&c) = chars.get(at) {
        at += 1;
        let letters = match c {
            '^' | '$' => continue,
            '(' => {
                firsts.push(is_first);
                depth += 1;
                match (chars.get(at), chars.get(at + 1)) {
                    (Some('?'), Some(':')) => at += 2,
                    // What only looks ahead takes nothing.
                    (Some('?'), Some('=' | '!')) => {
                        at = behind_group(&chars, at)?;
                        firsts.pop();
                        depth -= 1;
                    }
                    (Some('?'), Some('<')) if matches!(chars.get(at + 2), Some('=' | '!')) => {
                        at = behind_group(&chars, at)?;
                        firsts.pop();
                        depth -= 1;
                    }
                    (Some('?'), Some('<' | 'P')) => {
                        at += chars.get(at..)?.iter().position(|&c| c == '>')? + 1;
                    }
                    // `(?i)`
                    (Some('?'), Some('i')) if chars.get(at + 2) == Some(&')') => {
                        at += 3;
                        firsts.pop();
                        depth -= 1;
                    }
                    (Some('?'), _) => return None,
                    _ => {}
                }
                continue;
            }
            ')' => {
                depth = depth.checked_sub(1)?;
                let outer = firsts.pop()?;
                let optional = matches!(chars.get(at), Some('?' | '*')) || begins_with_zero(&chars, at);
                let repeats = matches!(chars.get(at), Some('*' | '+' | '{'));
                is_first = outer && (optional || is_first);
                last_dot &= repeats;
                at = behind_count(&chars, at);
                continue;
            }
            '|' => {
                is_first = firsts.last().copied().unwrap_or(true);
                continue;
            }
            '\\' => {
                let escaped = *chars.get(at)?;
                at += 1;
                match escaped {
                    'A' | 'Z' | 'z' | 'b' => continue,
                    _ => class_of(escaped)?,
                }
            }
            '.' => Letters::ALL,
            '[' => {
                let (letters, end) = class(&chars, at)?;
                at = end;
                letters
            }
            '*' | '+' | '?' | '{' => return None,
            c => {
                let mut one = Letters::default();
                one.add(c);
                one
            }
        };
        let optional = matches!(chars.get(at), Some('*' | '?')) || begins_with_zero(&chars, at);
        let repeats = matches!(chars.get(at), Some('*' | '+' | '{'));
        at = behind_count(&chars, at);
        let dot = letters.has('.');
        seen.dots |= dot && (repeats || last_dot);
        last_dot = dot || last_dot && optional;
        seen.all.join(letters);
        if is_first {
            seen.first.join(letters);
            is_first = optional;
        }
    }
    seen.dots &= !no_dots;
    (depth == 0).then_some(seen)
}

/// Behind the group that looks ahead.
fn behind_group(chars: &[char], from: usize) -> Option<usize> {
    let (mut depth, mut at, mut class) = (1, from, false);
    while depth > 0 {
        match chars.get(at)? {
            '\\' => at += 1,
            '[' => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    Some(at)
}

fn begins_with_zero(chars: &[char], at: usize) -> bool {
    chars.get(at) == Some(&'{') && chars.get(at + 1).is_some_and(|&c| c == '0' || c == ',')
}

/// Behind `*`, `+`, `?`, `{1,3}` and what makes them lazy.
fn behind_count(chars: &[char], mut at: usize) -> usize {
    match chars.get(at) {
        Some('*' | '+' | '?') => at += 1,
        Some('{') => match chars[at..].iter().position(|&c| c == '}') {
            Some(length) => at += length + 1,
            None => return at,
        },
        _ => return at,
    }
    if matches!(chars.get(at), Some('?' | '+')) { at + 1 } else { at }
}

/// The characters of `\w` and its like, or the character itself.
fn class_of(escaped: char) -> Option<Letters> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    Some(match escaped {
        // Letters of other languages do no harm.
        'w' => Letters::of(word),
        'd' => Letters::of(|c| c.is_ascii_digit()),
        's' => Letters::of(space),
        'W' => Letters::of(word).without(),
        'D' => Letters::of(|c| c.is_ascii_digit()).without(),
        'S' => Letters::of(space).without(),
        'n' => Letters::of(|c| c == '\n'),
        'r' => Letters::of(|c| c == '\r'),
        't' => Letters::of(|c| c == '\t'),
        '0' => Letters::of(|c| c == '\0'),
        'u' | 'x' | 'p' | 'P' | 'k' | 'c' | '1'..='9' | 'B' => return None,
        c => {
            let mut one = Letters::default();
            one.add(c);
            one
        }
    })
}

/// A class in brackets, and the place behind it.
fn class(chars: &[char], from: usize) -> Option<(Letters, usize)> {
    let mut at = from;
    let negated = chars.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut letters = Letters::default();
    let begin = at;
    loop {
        let c = *chars.get(at)?;
        at += 1;
        match c {
            ']' if at > begin + 1 => break,
            '\\' => {
                let escaped = *chars.get(at)?;
                at += 1;
                match escaped {
                    'p' | 'P' => {
                        // `\p{L}`: letters and the like.
                        at += chars.get(at..)?.iter().position(|&c| c == '}')? + 1;
                        letters.others = true;
                        letters.join(Letters::of(|c| c.is_ascii_alphanumeric()));
                    }
                    'u' => {
                        at += 4;
                        letters.others = true;
                    }
                    'x' => {
                        let code: String = chars.get(at..at + 2)?.iter().collect();
                        at += 2;
                        letters.add(char::from(u8::from_str_radix(&code, 16).ok()?));
                    }
                    _ => letters.join(class_of(escaped)?),
                }
            }
            first if chars.get(at) == Some(&'-') && chars.get(at + 1).is_some_and(|&c| c != ']' && c != '\\') => {
                let last = *chars.get(at + 1)?;
                at += 2;
                letters.join(Letters::of(|c| first <= c && c <= last));
                letters.others |= !last.is_ascii();
            }
            c => letters.add(c),
        }
    }
    Some((if negated { letters.without() } else { letters }, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pattern_lets_through_tells_what_it_is_safe_for() {
        for (pattern, safe, not) in [
            ("^[a-z0-9_]+$", Safe::ALL, Safe::default()),
            ("^[a-z][a-z0-9-]{0,40}$", Safe::ALL, Safe::default()),
            ("^[a-z0-9-]+$", Safe::SHELL.and(Safe::PATH).and(Safe::QUERY), Safe::ARGUMENT),
            ("^[\\w .-]{1,80}\\.m3u$", Safe::PATH.and(Safe::QUERY), Safe::SHELL.and(Safe::ARGUMENT)),
            ("^[0-9+*/(). -]+$", Safe::CODE, Safe::SHELL),
            ("^[^/\\\\]+$", Safe::PATH, Safe::SHELL),
            ("^[\\w./-]+$", Safe::SHELL, Safe::PATH),
            ("^[a-z]+/[a-z]+\\.md$", Safe::PATH.and(Safe::SHELL), Safe::HOST),
            ("^(?!.*\\.\\.)[\\w][\\w./-]+$", Safe::PATH, Safe::HOST),
            ("^(main|dev-[0-9]+)$", Safe::ALL, Safe::default()),
            ("^[a-z.]+$", Safe::SHELL.and(Safe::PATH), Safe::HOST),
            ("^[^;&|]+$", Safe::default(), Safe::SHELL.and(Safe::PATH)),
            ("^.+$", Safe::default(), Safe::SHELL),
            ("^\\S+$", Safe::default(), Safe::SHELL),
            ("^-?[0-9]+$", Safe::SHELL, Safe::ARGUMENT),
        ] {
            let found = matched(pattern);
            assert!(found.has(safe), "{pattern}: {found:?}");
            for bit in [Safe::SHELL, Safe::PATH, Safe::HOST, Safe::QUERY, Safe::CODE, Safe::ARGUMENT] {
                assert!(!(not.has(bit) && found.has(bit)), "{pattern}: {found:?} {bit:?}");
            }
        }
    }
}
