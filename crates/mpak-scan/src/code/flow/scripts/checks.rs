//! Checks that a script of a shell makes of its variables, as they are written: a pattern or a set that leaves nothing
//! harmful, with a way out where it does not fit.

use std::ops::Range;
use std::sync::OnceLock;

use regex::Regex;

use super::super::super::shapes;
use super::super::value::Safe;

/// Most checks of one script, and bytes that are looked at behind a test.
const CHECKS_COUNT_MAX: usize = 512;
const BEHIND_BYTES_MAX: usize = 600;
/// Largest script in which checks are looked for.
const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Most bytes of one `case`.
const CASE_BYTES_MAX: usize = 16 << 10;

/// That a variable is safe for something within a part of the script.
#[derive(Debug)]
pub(super) struct Check {
    name: String,
    safe: Safe,
    within: Range<usize>,
}

/// What is proven of a variable at a place.
pub(super) fn proven(checks: &[Check], name: &str, at: u32) -> Safe {
    let here = |check: &&Check| check.name == name && check.within.contains(&(at as usize));
    checks.iter().filter(here).fold(Safe::default(), |all, check| all.and(check.safe))
}

/// All checks of a script.
pub(super) fn of(source: &str) -> Vec<Check> {
    let mut found = Vec::new();
    if source.len() > SCRIPT_BYTES_MAX {
        return found;
    }
    tests(source, &mut found);
    cases(source, &mut found);
    found.truncate(CHECKS_COUNT_MAX);
    found
}

fn pattern(cell: &'static OnceLock<Option<Regex>>, text: &str) -> Option<&'static Regex> {
    cell.get_or_init(|| Regex::new(text).ok()).as_ref()
}

/// `[[ $x =~ ^[a-z]+$ ]] || return`, `grep -qE '^[a-z]+$' <<<"$x" || exit 1`, `[ "$x" -gt 0 ] || return`
fn tests(source: &str, found: &mut Vec<Check>) {
    static MATCH: OnceLock<Option<Regex>> = OnceLock::new();
    static GREP: OnceLock<Option<Regex>> = OnceLock::new();
    static GREPPED: OnceLock<Option<Regex>> = OnceLock::new();
    static NUMBER: OnceLock<Option<Regex>> = OnceLock::new();
    static LIKE: OnceLock<Option<Regex>> = OnceLock::new();
    let regexes = [
        (
            pattern(
                &MATCH,
                r#"(?m)(?P<not>!\s*)?\[\[\s*(?P<in>!\s*)?"?\$\{?(?P<name>\w+)\}?"?\s*=~\s*(?P<what>[^\n]*?)\s+\]\]"#,
            ),
            true,
        ),
        (
            pattern(
                &GREP,
                r#"(?m)(?P<not>!\s*)?grep\s+(?:-\w+\s+)+'(?P<what>\^[^'\n]*\$)'\s*<<<\s*"?\$\{?(?P<name>\w+)\}?"?"#,
            ),
            true,
        ),
        (
            pattern(
                &GREPPED,
                r#"(?m)(?P<not>!\s*)?(?:printf\s+\S+|echo)\s+"?\$\{?(?P<name>\w+)\}?"?\s*\|\s*grep\s+(?:-\w+\s+)+'(?P<what>\^[^'\n]*\$)'"#,
            ),
            true,
        ),
        (
            pattern(
                &NUMBER,
                r#"(?m)(?P<not>!\s*)?\[\s+"?\$\{?(?P<name>\w+)\}?"?\s+-(?:eq|ge|gt|le|lt|ne)\s+(?P<what>\d+)\s+\]"#,
            ),
            false,
        ),
        (
            pattern(
                &LIKE,
                r#"(?m)(?P<not>!\s*)?\[\[?\s*(?P<in>!\s*)?"?\$\{?(?P<name>\w+)\}?"?\s*(?P<op>==?|!=)\s*(?P<what>[^\n\]]*?)\s+\]\]?"#,
            ),
            false,
        ),
    ];
    for (regex, whole) in regexes {
        for test in regex.into_iter().flat_map(|regex| regex.captures_iter(source)).take(CHECKS_COUNT_MAX) {
            let (Some(all), Some(name), Some(what)) = (test.get(0), test.name("name"), test.name("what")) else {
                continue;
            };
            let negated = test.name("not").is_some() != test.name("in").is_some();
            let unequal = test.name("op").is_some_and(|op| op.as_str() == "!=");
            let fits = if whole {
                let pattern = resolved(source, what.as_str());
                let is_whole = pattern.starts_with('^') && pattern.ends_with('$');
                if is_whole { shapes::matched(&pattern) } else { Safe::default() }
            } else if test.name("op").is_some() {
                like(what.as_str())
            } else {
                Safe::ALL
            };
            let refuses = test.name("op").map(|_| refused(what.as_str())).unwrap_or_default();
            // Of `a != "x"` the ways are the other way round.
            let (if_holds, if_not) = if negated == unequal { (fits, refuses) } else { (refuses, fits) };
            let behind = behind(source, all.end());
            let within_if =
                source[..all.start()].trim_end().ends_with("if") || source[..all.start()].trim_end().ends_with("elif");
            let function_end = function_end(source, all.end());
            let name = name.as_str().to_owned();
            let mut add = |safe: Safe, within: Range<usize>| {
                if safe != Safe::default() {
                    found.push(Check { name: name.clone(), safe, within });
                }
            };
            if within_if {
                let then =
                    window(source, all.end(), BEHIND_BYTES_MAX).find("then").map_or(all.end(), |at| all.end() + at);
                let end = ["\nfi", " fi", ";fi", "else", "elif"]
                    .iter()
                    .filter_map(|word| window(source, then, CASE_BYTES_MAX).find(word))
                    .min()
                    .map_or(then, |at| then + at);
                add(if_holds, then..end);
                if leaves(&source[then..end]) {
                    add(if_not, end..function_end);
                }
            } else if behind.trim_start().starts_with("||") && leaves(behind) {
                add(if_holds, all.end()..function_end);
            } else if behind.trim_start().starts_with("&&") {
                if leaves(behind) {
                    add(if_not, all.end()..function_end);
                } else {
                    add(if_holds, all.end()..all.end() + behind.len());
                }
            }
        }
    }
}

/// A pattern that stands in a variable, as it is assigned.
fn resolved(source: &str, what: &str) -> String {
    let name = what.trim_matches('"').trim_start_matches('$').trim_matches(['{', '}']);
    if what.contains('$')
        && !what.ends_with('$')
        && !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        for quote in ['\'', '"'] {
            let assigned = format!("{name}={quote}");
            if let Some(at) = source.find(&assigned) {
                return source[at + assigned.len()..].split(quote).next().unwrap_or_default().to_owned();
            }
        }
    }
    what.trim_matches('\'').to_owned()
}

/// What a text is safe for that is like a pattern of a shell.
fn like(what: &str) -> Safe {
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "._-/\"' :".contains(c));
    if plain(what) {
        return Safe::ALL;
    }
    // `"$ROOT"/*`, of a path whose links are resolved.
    let below =
        what.trim_end_matches('"').strip_suffix("/*").is_some_and(|root| root.contains('$') && !root.contains('*'));
    if below { Safe::LINKS_SEEN.and(Safe::BELOW) } else { Safe::default() }
}

/// What a text is safe for that is not like a pattern of a shell.
fn refused(what: &str) -> Safe {
    let mut safe = Safe::default();
    for part in what.split('|').map(|part| part.trim().trim_matches(['"', '\''])) {
        let bare = part.replace(['"', '\''], "");
        match bare.as_str() {
            "*..*" => safe = safe.and(Safe::DOTLESS),
            "/*" => safe = safe.and(Safe::ROOTLESS),
            "*/*" => safe = safe.and(Safe::DOTLESS).and(Safe::ROOTLESS).and(Safe::PATH),
            "-*" => safe = safe.and(Safe::ARGUMENT),
            class => {
                let class = class.strip_prefix("*[!").or_else(|| class.strip_prefix("*[^"));
                if let Some(class) = class.and_then(|class| class.strip_suffix("]*")) {
                    safe = safe.and(shapes::matched(&format!("^[{}]+$", super::bracketed(class))));
                }
            }
        }
    }
    safe
}

/// What stands behind a test: to the end of the line, or of the group that begins on it.
fn behind(source: &str, at: usize) -> &str {
    let rest = window(source, at, BEHIND_BYTES_MAX);
    let line = rest.find('\n').unwrap_or(rest.len());
    if rest[..line].trim_end().ends_with('{') || rest[..line].trim_end().ends_with("||") {
        let group = rest.find('}').unwrap_or(rest.len());
        return &rest[..group.max(line)];
    }
    &rest[..line]
}

/// Whether commands leave the function or the turn of a loop.
fn leaves(commands: &str) -> bool {
    let word = |word: &str| {
        let low = word.to_ascii_lowercase();
        matches!(
            low.as_str(),
            "return" | "exit" | "continue" | "break" | "die" | "fail" | "abort" | "fatal" | "usage" | "reject"
        ) || low.starts_with("die_")
            || low.starts_with("fail_")
    };
    commands.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(word)
}

/// Where the function around a place ends.
fn function_end(source: &str, at: usize) -> usize {
    let rest = window(source, at, CASE_BYTES_MAX);
    rest.find("\n}").map_or(at + rest.len(), |end| at + end)
}

/// So much of a text from a place on, to a whole character.
fn window(source: &str, at: usize, bytes: usize) -> &str {
    let mut end = at.saturating_add(bytes).min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    source.get(at..end).unwrap_or_default()
}

/// `case $x in ''|*[!0-9]*) return ;; esac`, `case $x in a|b) …`
fn cases(source: &str, found: &mut Vec<Check>) {
    static CASE: OnceLock<Option<Regex>> = OnceLock::new();
    let regex = pattern(&CASE, r#"(?m)\bcase\s+"?\$\{?(?P<name>\w+)(?:[^\s"}]*)?\}?"?\s+in\b"#);
    for case in regex.into_iter().flat_map(|regex| regex.captures_iter(source)).take(CHECKS_COUNT_MAX) {
        let (Some(all), Some(name)) = (case.get(0), case.name("name")) else { continue };
        let rest = window(source, all.end(), CASE_BYTES_MAX);
        let close = rest.find("esac").unwrap_or(rest.len());
        let function_end = function_end(source, all.end());
        let (mut after, mut left_out, mut fixed) = (Safe::default(), false, Safe::ALL);
        let mut at = 0;
        for arm in rest[..close].split_inclusive(";;") {
            let from = all.end() + at;
            at += arm.len();
            let Some((patterns, body)) = arm.split_once(')') else { continue };
            let patterns = patterns.trim().trim_start_matches('(');
            let ways: Vec<&str> = patterns.split('|').map(str::trim).collect();
            let safe = ways.iter().map(|way| like(way)).fold(Safe::ALL.and(Safe::LINKS_SEEN), Safe::common);
            let body_at = from + arm.len() - body.len();
            let gone = leaves(body);
            if safe != Safe::default() {
                found.push(Check { name: name.as_str().to_owned(), safe, within: body_at..from + arm.len() });
            }
            if ways == ["*"] {
                left_out |= gone;
            } else if gone {
                after = ways.iter().fold(after, |all, way| all.and(refused(way)));
            } else {
                fixed = fixed.common(safe);
            }
        }
        let end = all.end() + close;
        let after = if left_out { after.and(fixed) } else { after };
        if after != Safe::default() {
            found.push(Check { name: name.as_str().to_owned(), safe: after, within: end..function_end });
        }
    }
}
