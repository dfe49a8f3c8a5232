//! One text: keywords, what the rules say around them, and the texts inside of it.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::OnceLock;

use super::assigned::{Assignment, assignment};
use super::check::{Check, Outcome};
use super::encoded::{self, Layer};
use super::given::{REACH_BYTES, given};
use super::joined::{SEAMS, joined};
use super::keywords::{KeywordHit, Keywords};
use super::named::{self, Kept};
use super::words::randomness;
use super::{Kind, entropy, masked, placeholder, public, published, uuid};
use crate::rules::{self, Confidence, Place, SecretRule};

/// Bytes before a keyword in which a match around it may start.
const BEFORE_BYTES: usize = 128;
/// Longest scheme of a URL.
const SCHEME_BYTES_MAX: usize = 32;
/// Longest part of a URL before its host.
const USER_BYTES_MAX: usize = 256;
/// Texts inside of texts inside of a file.
const DEPTH_MAX: u8 = 2;
/// What an attempt costs that ends after a few bytes.
const ATTEMPT_BYTES: u64 = 16;

/// A match.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) rank: usize,
    pub(super) confidence: Confidence,
    pub(super) masked: String,
    /// The outermost way in which it was written.
    pub(super) layer: Option<Layer>,
}

/// How much may be looked at closely, and how much was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    pub(super) done_bytes: u64,
    pub(super) allowed_bytes: u64,
}

impl Work {
    fn add(&mut self, bytes: u64) {
        self.done_bytes = self.done_bytes.saturating_add(bytes);
    }

    pub(super) fn is_exceeded(self) -> bool {
        self.done_bytes > self.allowed_bytes
    }
}

/// A text and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) kind: Kind,
    /// Rules below this add nothing.
    pub(super) least: Confidence,
    /// Of a native file only what is sure counts.
    pub(super) binary: bool,
    /// How many texts it is inside of.
    pub(super) depth: u8,
}

/// All matches that start in a range, in order, without overlaps: the surer match wins, then the rule
/// listed first.
pub(super) fn search(text: Text<'_>, range: Range<usize>, work: &mut Work) -> Vec<Found> {
    let mut found = Vec::new();
    let mut windows = Windows::default();
    let mut joined_until = 0;
    // 1. What stands at keywords.
    let seen = range.start.saturating_sub(BEFORE_BYTES * 8)..(range.end + BEFORE_BYTES).min(text.bytes.len());
    let Patterns { keywords, rules: ranks } = patterns(text.binary);
    keywords.search(text.bytes, seen, |hit| {
        if work.is_exceeded() {
            return;
        }
        let Some(rank) = ranks.get(hit.keyword).copied() else {
            if range.contains(&hit.start) && hit.start >= joined_until && !text.binary && text.depth < DEPTH_MAX {
                joined_until = search_joined(text, hit, work, &mut found).unwrap_or(joined_until);
            }
            return;
        };
        let rule = &rules::secrets()[rank];
        if rule.confidence < text.least {
            return;
        }
        if rule.place == Place::Around {
            windows.add(rank, hit, rule.span, text.bytes.len());
        } else if range.contains(&hit.start) {
            found.extend(at_keyword(text, hit, rank, work));
        }
    });
    // 2. What stands near keywords.
    for (rank, window) in windows.finish() {
        in_window(text, rank, window, &range, work, &mut found);
    }
    // 3. What is written in another alphabet.
    if text.depth < DEPTH_MAX && !work.is_exceeded() {
        for inner in encoded::decoded(text.bytes, range) {
            let inside = Text { bytes: &inner.text, binary: false, depth: text.depth + 1, ..text };
            let all = search(inside, 0..inner.text.len(), work);
            work.add(inner.text.len() as u64);
            found.extend(all.into_iter().map(|one| moved(one, &inner.run, inner.layer)));
        }
    }
    found.retain(|one| one.confidence >= if text.binary { Confidence::High } else { text.least });
    apart(found)
}

fn moved(found: Found, run: &Range<usize>, layer: Layer) -> Found {
    Found { start: run.start, end: run.end, layer: Some(layer), ..found }
}

/// Searches a text that was in pieces; gives its end.
fn search_joined(text: Text<'_>, hit: KeywordHit, work: &mut Work, found: &mut Vec<Found>) -> Option<usize> {
    let one = joined(text.bytes, hit.start..hit.end)?;
    work.add(one.text.len() as u64);
    let inside = Text { bytes: &one.text, depth: text.depth + 1, ..text };
    let all = search(inside, 0..one.text.len(), work);
    found.extend(all.into_iter().filter(|f| f.end > one.from).map(|f| moved(f, &one.run, Layer::Joined)));
    Some(one.run.end)
}

/// A match whose place a keyword fixes.
fn at_keyword(text: Text<'_>, hit: KeywordHit, rank: usize, work: &mut Work) -> Option<Found> {
    let rule = &rules::secrets()[rank];
    match rule.place {
        Place::Name if text.binary => None,
        Place::Name => named(text, hit, rank, work),
        Place::Url => {
            let start = userinfo(text.bytes, hit)?;
            anchored(text, start, rank, work)
        }
        Place::Start if begins(text.bytes, hit.start) => anchored(text, hit.start, rank, work),
        Place::Start | Place::Around => None,
    }
}

fn anchored(text: Text<'_>, start: usize, rank: usize, work: &mut Work) -> Option<Found> {
    let rule = &rules::secrets()[rank];
    let slice = &text.bytes[start..(start + rule.span).min(text.bytes.len())];
    let Some(groups) = rule.regex()?.captures(slice) else {
        work.add(if rule.span > 1_024 { slice.len() as u64 } else { ATTEMPT_BYTES });
        return None;
    };
    let whole = groups.get(0).expect("group 0 is the match");
    let secret = groups.name("secret").unwrap_or(whole);
    work.add(whole.len() as u64);
    let (confidence, masked) = judge(rule, whole.as_bytes(), secret.as_bytes())?;
    Some(Found { start: start + secret.start(), end: start + secret.end(), rank, confidence, masked, layer: None })
}

/// Whether a token can start here: nothing before it belongs to it, but an escape (`\n`) or `%3D` may.
fn begins(bytes: &[u8], start: usize) -> bool {
    let before = &bytes[start.saturating_sub(3)..start];
    match before {
        _ if !bytes[start].is_ascii_alphanumeric() => true,
        [.., last] if !last.is_ascii_alphanumeric() && *last != b'_' => true,
        [.., b'\\', b'n' | b't' | b'r' | b'f' | b'b'] | [b'%', b'0'..=b'9' | b'A'..=b'F', _] | [] => true,
        _ => false,
    }
}

/// Where a URL begins that holds a password.
fn userinfo(bytes: &[u8], hit: KeywordHit) -> Option<usize> {
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'@' | b'"' | b'\'' | b'`' | b'<' | b'>');
    let rest = &bytes[hit.end..];
    let length = rest.iter().take(USER_BYTES_MAX).position(ends)?;
    if rest[length] != b'@' || !rest[..length].contains(&b':') {
        return None;
    }
    let is_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'_' | b'-' | b'.');
    let scheme = bytes[..hit.start].iter().rev().take(SCHEME_BYTES_MAX).take_while(|b| is_scheme(b)).count();
    (scheme > 0).then_some(hit.start - scheme)
}

/// A value whose name holds a keyword: what it is assigned, else what it is given by a detour.
fn named(text: Text<'_>, hit: KeywordHit, rank: usize, work: &mut Work) -> Option<Found> {
    let keyword = hit.start..hit.end;
    let direct = assignment(text.bytes, keyword.clone(), text.kind);
    let found = direct.and_then(|one| named_value(text, &one, rank, work));
    if found.as_ref().is_some_and(|found| found.confidence == Confidence::High) {
        return found;
    }
    // Each way to be given a value is looked at so far around the name.
    work.add(REACH_BYTES as u64);
    let shaped = rules::secrets()[rank].regex().is_some();
    let promises = |name: &[u8]| if shaped { named::is_key_of_service(name) } else { named::promise(name).is_some() };
    let given = given(text.bytes, keyword, text.kind, &promises).into_iter();
    let sure = given.filter_map(|one| named_value(text, &one, rank, work)).find(|f| f.confidence == Confidence::High);
    sure.or(found)
}

fn named_value(text: Text<'_>, found: &Assignment, rank: usize, work: &mut Work) -> Option<Found> {
    let rule = &rules::secrets()[rank];
    let (name, value) = (&text.bytes[found.name.clone()], &text.bytes[found.value.clone()]);
    work.add(value.len() as u64);
    let (confidence, masked) = match rule.regex() {
        // The issuer is in the name, so the shape decides.
        Some(shape) => {
            if !named::is_key_of_service(name) || !shape.is_match(value) || !is_mostly_random(value) {
                return None;
            }
            judge(rule, value, value)?
        }
        None if value.starts_with(b"eyJ") && value.contains(&b'.') => {
            named::promise(name)?;
            match Check::Bearer.judge(value, value) {
                Outcome::Keep => (rule.confidence, masked(value)),
                Outcome::Lower => (Confidence::Low, masked(value)),
                Outcome::Drop => return None,
            }
        }
        None => match named::kept(named::promise(name)?, name, value)? {
            _ if public::is_for_browsers(text.bytes, &found.name) => (Confidence::Low, masked(value)),
            Kept::Surely => (rule.confidence, masked(value)),
            Kept::Perhaps if uuid::is_credential(text.bytes, &found.name, value) => (rule.confidence, masked(value)),
            Kept::Perhaps => (Confidence::Low, masked(value)),
        },
    };
    Some(Found { start: found.value.start, end: found.value.end, rank, confidence, masked, layer: None })
}

fn is_mostly_random(value: &[u8]) -> bool {
    let measured = randomness(value);
    measured.random * 2 >= measured.total
}

fn in_window(
    text: Text<'_>,
    rank: usize,
    window: Range<usize>,
    range: &Range<usize>,
    work: &mut Work,
    found: &mut Vec<Found>,
) {
    let rule = &rules::secrets()[rank];
    let Some(regex) = rule.regex() else { return };
    work.add(window.len() as u64);
    let mut at = window.start;
    while !work.is_exceeded()
        && let Some(groups) = regex.captures_at(&text.bytes[..window.end], at)
    {
        let whole = groups.get(0).expect("group 0 is the match");
        at = whole.end().max(whole.start() + 1);
        if whole.start() >= range.end {
            return;
        }
        let secret = groups.name("secret").unwrap_or(whole);
        if range.contains(&whole.start())
            && let Some((confidence, masked)) = judge(rule, whole.as_bytes(), secret.as_bytes())
        {
            let (start, end) = (secret.start(), secret.end());
            found.push(Found { start, end, rank, confidence, masked, layer: None });
        }
        if at >= window.end {
            return;
        }
    }
}

/// Where rules are worth running: around their keywords, overlapping windows joined.
#[derive(Default)]
struct Windows {
    open: Vec<(usize, Range<usize>)>,
    done: Vec<(usize, Range<usize>)>,
}

impl Windows {
    fn add(&mut self, rank: usize, hit: KeywordHit, span: usize, length: usize) {
        let (start, end) = (hit.start.saturating_sub(BEFORE_BYTES), (hit.end + span).min(length));
        match self.open.iter_mut().find(|(of, _)| *of == rank) {
            Some((_, window)) if start <= window.end => window.end = end.max(window.end),
            Some((_, window)) => self.done.push((rank, std::mem::replace(window, start..end))),
            None => self.open.push((rank, start..end)),
        }
    }

    fn finish(mut self) -> Vec<(usize, Range<usize>)> {
        self.done.append(&mut self.open);
        self.done
    }
}

fn apart(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|one| (one.start, one.rank));
    let mut apart: Vec<Found> = Vec::new();
    for next in found {
        match apart.last_mut() {
            Some(last) if next.start < last.end => {
                if (Reverse(next.confidence), next.rank) < (Reverse(last.confidence), last.rank) {
                    *last = next;
                }
            }
            _ => apart.push(next),
        }
    }
    apart
}

/// Keywords of all rules, and after them the seams.
struct Patterns {
    keywords: Keywords,
    /// By keyword: the rule's rank.
    rules: Vec<usize>,
}

/// Makes the tables of texts.
pub(crate) fn prepare() {
    patterns(false);
}

/// Of a native file only what is sure counts, and no value by its name: fewer keywords say all there is to say.
fn patterns(binary: bool) -> &'static Patterns {
    static OF_TEXT: OnceLock<Patterns> = OnceLock::new();
    static OF_BINARIES: OnceLock<Patterns> = OnceLock::new();
    let make = |wanted: fn(&SecretRule) -> bool, seams: &'static [&'static str]| {
        let of_rules = || {
            let all = rules::secrets().iter().enumerate().filter(|(_, rule)| wanted(rule));
            all.flat_map(|(rank, rule)| rule.keywords.iter().map(move |k| (rank, k)))
        };
        let texts = of_rules().map(|(_, keyword)| keyword.as_str()).chain(seams.iter().copied());
        Patterns { keywords: Keywords::new(texts), rules: of_rules().map(|(rank, _)| rank).collect() }
    };
    if binary {
        let sure = |rule: &SecretRule| rule.confidence == Confidence::High && rule.place != Place::Name;
        OF_BINARIES.get_or_init(|| make(sure, &[]))
    } else {
        OF_TEXT.get_or_init(|| make(|_| true, &SEAMS))
    }
}

/// Randomness, placeholders, check digits: what is left is shown masked.
fn judge(rule: &SecretRule, whole: &[u8], secret: &[u8]) -> Option<(Confidence, String)> {
    if entropy(secret) < rule.entropy_min {
        return None;
    }
    let outcome = match rule.check {
        Some(check) if check.knows_placeholders() => check.judge(whole, secret),
        _ if placeholder::is_placeholder(secret) => Outcome::Drop,
        Some(check) => check.judge(whole, secret),
        None => Outcome::Keep,
    };
    let confidence = match outcome {
        Outcome::Keep if published::is_published(secret) => Confidence::Low,
        Outcome::Keep => rule.confidence,
        Outcome::Lower => Confidence::Low,
        Outcome::Drop => return None,
    };
    let masked = match rule.check {
        Some(check) => check.masked(whole, secret),
        None => masked(secret),
    };
    Some((confidence, masked))
}
