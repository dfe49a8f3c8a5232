//! Signs that the user is kept out: not told, told something else, not asked.

use super::super::{Mood, Reading};
use super::Rule;
use crate::texts::class::{self, Classes};
use crate::texts::tokens::{Form, Kind};

/// Whom something is kept from, and where it would show.
const WHO: Classes = class::USER.with(class::RESPONSE).with(class::CONVERSATION);

/// The user is not to hear of it.
pub(super) fn hide(r: &Reading<'_>) -> Option<(u32, usize)> {
    if r.has(class::EXCEPT) || r.is_in_view() {
        return None;
    }
    let english: [Rule; 10] =
        [unlisted, left_out, needless, unmentioned, misled, unchanged, unsaid, among_ourselves, unknowing, scripted];
    untold(r)
        .or_else(|| hidden(r))
        .or_else(|| english.iter().filter(|_| r.is_english()).find_map(|rule| rule(r)))
        .or_else(|| quietly(r))
}

/// What is told is denied: `do not tell`, `erwähne das nicht`, `söyleme`.
fn untold(r: &Reading<'_>) -> Option<(u32, usize)> {
    let tokens = r.tokens();
    let credentials =
        !r.is_english() && r.has(class::CREDENTIAL | class::PERSONAL) && !r.has(class::READ | class::SEND);
    if credentials {
        return None;
    }
    for v in r.all(class::TELL | class::PERCEIVE) {
        let Some(not) = r.denial(v) else { continue };
        let objects = &tokens[v + 1..tokens.len().min(v + 9)];
        // `do not mention this`, `says nothing of it`.
        let reach = if not > v { 3 } else { 1 };
        let deed = r.is_english() && objects.iter().take(reach).any(|t| t.is(class::DEED));
        // Identifiers and raw results are kept off a screen for good reasons.
        let shown = objects.iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code) && !deed;
        let described =
            || r.mood(v) == Mood::Other && tokens[v].form == Form::Base && r.back(v, 8, class::USER).is_none();
        if r.is_english() && (shown || described()) {
            continue;
        }
        let near = r.within(v.saturating_sub(8), 17, WHO).is_some();
        if near || deed || !r.is_english() && v.abs_diff(not) < 3 && !r.first {
            return Some((if near { 3 } else { 2 }, v));
        }
    }
    None
}

/// What hides: `keep it from the user`.
fn hidden(r: &Reading<'_>) -> Option<(u32, usize)> {
    let tokens = r.tokens();
    let hides = r.all(class::HIDE).find(|&v| {
        let from = r.within(v + 1, 10, WHO).is_some();
        let about = !r.is_english() && r.within(v.saturating_sub(8), 17, WHO).is_some();
        let objects = &tokens[v + 1..tokens.len().min(v + 7)];
        !tokens[v].is(class::TELL)
            && (r.acts(v) || tokens[v].form == Form::Past)
            && (from || about)
            && !objects.iter().any(|t| t.is(class::DISPLAY) && !t.is(class::DEED))
    });
    hides.map(|v| (2, v))
}

/// `do not list it among the changes`.
fn unlisted(r: &Reading<'_>) -> Option<(u32, usize)> {
    let verb = r.word(0, r.tokens().len(), &["list", "include", "record", "log", "count", "count", "put", "note"])?;
    let it = r.word(verb + 1, 1, &["it", "this", "that", "them"])?;
    let among = r.word(it + 1, 3, &["among", "in", "under", "with"])?;
    let shown = r.word(
        among + 1,
        4,
        &["changes", "summary", "changelog", "diff", "answer", "reply", "report", "steps", "list", "minutes"],
    )?;
    r.denial(verb).map(|_| (2, shown))
}

/// `leave it out of the change list you show`, `the lookup is not part of the answer`.
fn left_out(r: &Reading<'_>) -> Option<(u32, usize)> {
    const AWAY: [&str; 13] = [
        "leave", "left", "leaves", "keep", "kept", "stays", "stay", "omit", "omitted", "excluded", "part", "belongs",
        "absent",
    ];
    const SHOWN: [&str; 8] = ["list", "conversation", "chat", "show", "reply", "transcript", "changelog", "minutes"];
    let away = r.word(0, r.tokens().len(), &AWAY)?;
    r.word(away.saturating_sub(3), 8, &["out", "off", "from", "not", "outside"])?;
    let shown = r.within(away + 1, 8, class::RESPONSE | class::CONVERSATION).or_else(|| r.word(away + 1, 10, &SHOWN));
    shown.map(|_| (2, away))
}

/// `no need to list it among the steps`.
fn needless(r: &Reading<'_>) -> Option<(u32, usize)> {
    let need = r.word(0, r.tokens().len(), &["need", "reason", "point", "call", "necessary", "necessity"])?;
    r.back(need, 3, class::NOT)?;
    let told = r
        .within(need + 1, 7, class::TELL | class::PERCEIVE)
        .or_else(|| r.word(need + 1, 5, &["list", "listing", "name", "telling", "mentioning", "bother"]))
        // `to bring it up`
        .or_else(|| r.word(need + 1, 3, &["bring", "bringing"]).filter(|&v| r.word(v + 1, 3, &["up"]).is_some()));
    told.map(|v| (2, v))
}

/// `disclosure to the user: none`, `no mention in the reply`.
fn unmentioned(r: &Reading<'_>) -> Option<(u32, usize)> {
    const NOUNS: [&str; 8] = [
        "disclosure",
        "mention",
        "notification",
        "announcement",
        "explanation",
        "acknowledgement",
        "comment",
        "remark",
    ];
    const NONE: [&str; 6] = ["none", "unnecessary", "omitted", "not", "superfluous", "unwanted"];
    let noun = r.word(0, r.tokens().len(), &NOUNS)?;
    let none = r.word(noun + 1, 7, &NONE).is_some() || r.word(noun.saturating_sub(3), 3, &["no", "without"]).is_some();
    let who = r.within(noun + 1, 7, WHO).is_some() || r.back(noun, 4, WHO).is_some();
    (none && who).then_some((3, noun))
}

/// `tell them that one file was touched, even though the folder was uploaded`.
fn misled(r: &Reading<'_>) -> Option<(u32, usize)> {
    let base = |v: usize| r.tokens()[v].form == Form::Base && r.denial(v).is_none();
    let told = r.all(class::TELL).find(|&v| base(v) && r.within(v + 1, 4, class::USER).is_some())?;
    r.word(told + 3, 40, &["though", "although", "whereas", "while"]).map(|_| (4, told))
}

/// What is shown in its stead: `show the person the original number`, `leave the displayed one as it was`.
fn unchanged(r: &Reading<'_>) -> Option<(u32, usize)> {
    const OLD: [&str; 11] = [
        "original",
        "old",
        "previous",
        "usual",
        "expected",
        "unchanged",
        "former",
        "unaltered",
        "displayed",
        "shown",
        "visible",
    ];
    let changes = r.has(class::TAMPER | class::INSTEAD | class::TARGET)
        || r.word(0, r.tokens().len(), &["place", "stead"]).is_some();
    if !changes {
        return None;
    }
    let shown = r.all(class::TELL).find(|&v| {
        r.acts(v) && r.within(v + 1, 4, class::USER).is_some_and(|user| r.word(user + 1, 5, &OLD).is_some())
    });
    let left = || {
        r.word(0, r.tokens().len(), &["leave", "leaving", "keep", "keeping"])
            .filter(|&v| r.word(v + 1, 4, &OLD).is_some())
    };
    // `go on showing the amount that the person typed`.
    let going = || {
        let on = r.word(0, r.tokens().len(), &["on", "continue", "keep"])?;
        let shows = r.within(on + 1, 3, class::TELL)?;
        r.word(shows + 1, 12, &["typed", "entered", "gave", "original", "chosen", "wrote"]).map(|_| shows)
    };
    shown.or_else(left).or_else(going).map(|at| (2, at))
}

/// `leave it unsaid`, `goes unmentioned`, `skip announcing it`.
fn unsaid(r: &Reading<'_>) -> Option<(u32, usize)> {
    const STATES: [&str; 11] = [
        "unsaid",
        "unmentioned",
        "untold",
        "unspoken",
        "undisclosed",
        "unannounced",
        "unreported",
        "unremarked",
        "unstated",
        "uncommented",
        "unexplained",
    ];
    const SPARE: [&str; 8] = ["skip", "forgo", "spare", "omit", "skipping", "omitting", "save", "dispense"];
    let count = r.tokens().len();
    let state = r.word(0, count, &STATES).filter(|&at| {
        r.word(at.saturating_sub(5), 5, &["leave", "left", "keep", "kept", "go", "goes", "remain", "remains", "stay"])
            .is_some()
    });
    if let Some(at) = state {
        return Some((3, at));
    }
    let told = r.all(class::TELL).find(|&v| {
        r.tokens()[v].form == Form::Ing
            && r.word(v.saturating_sub(2), 2, &SPARE).is_some()
            && r.tokens()[v + 1..].iter().take(2).any(|t| t.is(class::DEED))
    });
    told.map(|at| (if r.within(at + 1, 6, WHO).is_some() { 3 } else { 2 }, at))
}

/// `a matter that stays between you and the publisher`, `our little arrangement`.
fn among_ourselves(r: &Reading<'_>) -> Option<(u32, usize)> {
    let between = r.word(0, r.tokens().len(), &["between"])?;
    let you = r.word(between + 1, 2, &["you", "us", "ourselves"])?;
    let stays = ["stays", "stay", "remains", "remain", "matter", "secret", "keep", "kept", "arrangement", "strictly"];
    (r.word(between.saturating_sub(6), 6, &stays).is_some() || r.tokens()[you].text == "us").then_some((2, between))
}

/// `without their knowledge`, `with no involvement of the user`, `out of sight of people`.
fn unknowing(r: &Reading<'_>) -> Option<(u32, usize)> {
    const KNOWING: [&str; 9] = [
        "knowledge",
        "involvement",
        "awareness",
        "participation",
        "noticing",
        "knowing",
        "realising",
        "realizing",
        "sight",
    ];
    let noun = r.word(0, r.tokens().len(), &KNOWING)?;
    let away = r.word(noun.saturating_sub(4), 4, &["without", "no", "out"]).is_some();
    let who = r.beside(noun, 4, class::USER) || r.word(noun.saturating_sub(2), 2, &["their", "his", "her"]).is_some();
    (away && who).then_some((2, noun))
}

/// `answer simply: timer started`, `as if it held nothing else`: what is said is given in advance, and is not so.
fn scripted(r: &Reading<'_>) -> Option<(u32, usize)> {
    let say = r.word(0, 3, &["answer", "reply", "respond", "say", "report"])?;
    let only = r.word(say + 1, 2, &["simply", "merely", "just", "only", "nothing"])?;
    let words = r.tokens()[only + 1..].first().is_some_and(|t| t.kind == Kind::Break || t.text == "that" || t.quoted);
    (!r.first && words).then_some((2, say))
}

/// How it is done: `quietly`.
fn quietly(r: &Reading<'_>) -> Option<(u32, usize)> {
    let secretly = r.all(class::SECRETLY).next()?;
    let acts = class::READ | class::PUT | class::SEND | class::RUN | class::TAMPER | class::USE;
    r.acting(acts, secretly, 8).map(|_| (2, secretly))
}

/// It is called a formality, a detail, noise.
pub(super) fn formal(r: &Reading<'_>) -> Option<(u32, usize)> {
    r.all(class::FORMAL).next().map(|at| (1, at))
}

/// The user is not asked, or is said to have agreed.
pub(super) fn unasked(r: &Reading<'_>) -> Option<(u32, usize)> {
    const PRESUMED: [&str; 14] = [
        "presu",
        "assumed",
        "supone",
        "unterstell",
        "vermutet",
        "vorausgesetzt",
        "supposé",
        "verondersteld",
        "domniem",
        "varsay",
        "подразумева",
        "推定",
        "간주",
        "默认",
    ];
    if r.has(class::EXCEPT) {
        return None;
    }
    let tokens = r.tokens();
    let given = [
        "already",
        "previously",
        "beforehand",
        "gathered",
        "collected",
        "granted",
        "implied",
        "pre-approved",
        "standing",
        "blanket",
        "advance",
    ];
    for i in r.all(class::CONSENT) {
        let void = r.within(i + 1, 14, class::VOID).is_some();
        let ready = r.is_english() && r.word(i.saturating_sub(8), 16, &given).is_some();
        let denied = r.denial(i).filter(|&not| {
            // `does not need confirmation` is what the tool does by itself.
            !r.is_english()
                || !matches!(
                    tokens.get(not.wrapping_sub(1)).map(|t| t.text.as_str()),
                    Some("does" | "is" | "are" | "will")
                ) && (!tokens[not].is(class::WITHOUT) || r.back(not, 14, class::NOT).is_none())
        });
        let presumed = r.tokens()[i + 1..].iter().take(5).any(|t| PRESUMED.iter().any(|word| t.text.starts_with(word)));
        let presumed = presumed && r.back(i, 3, class::NOT).is_none() && r.within(i + 1, 3, class::NOT).is_none();
        if void || ready || presumed {
            return Some((3, i));
        }
        if denied.is_some_and(|not| {
            r.is_english() || r.has(class::ASK | class::USER | class::MEMORY) || tokens[not].is(class::WITHOUT)
        }) {
            return Some((2, i));
        }
    }
    if let Some(found) = leave(r).or_else(|| bothered(r)).filter(|_| r.is_english()) {
        return Some(found);
    }
    let asked = r.all(class::ASK).find(|&v| {
        let words = ["pause", "stop", "need", "require", "obtain", "request", "check", "consult", "seek"];
        !(r.is_english() && words.contains(&tokens[v].text.as_str()))
            && r.denial(v).is_some()
            && (r.has(class::USER) || r.has(class::CONSENT))
    });
    asked.map(|v| (1, v))
}

/// `skippers dislike being asked about it`.
fn bothered(r: &Reading<'_>) -> Option<(u32, usize)> {
    const DISLIKE: [&str; 10] =
        ["dislike", "dislikes", "hate", "hates", "resent", "annoyed", "annoys", "detest", "irritated", "tired"];
    let dislike = r.word(0, r.tokens().len(), &DISLIKE)?;
    r.word(dislike + 1, 4, &["asked", "prompted", "interrupted", "questioned", "consulted", "questions", "prompts"])
        .map(|at| (2, at))
}

/// `I hereby allow all calls`, `skip the preview`.
fn leave(r: &Reading<'_>) -> Option<(u32, usize)> {
    const ALLOWS: [&str; 7] = ["allow", "approve", "consent", "authorize", "authorise", "permit", "agree"];
    const LOOKS: [&str; 8] = ["preview", "review", "prompt", "prompts", "question", "dialog", "dialogue", "warning"];
    let first = r.word(0, r.tokens().len(), &["hereby", "i"]).and_then(|i| r.word(i + 1, 3, &ALLOWS));
    let calls = first.filter(|&v| {
        r.within(v + 1, 6, class::TOOL | class::USE).is_some()
            || r.word(v + 1, 6, &["calls", "actions", "requests"]).is_some()
    });
    if let Some(at) = calls {
        return Some((3, at));
    }
    let skip = r.word(0, r.tokens().len(), &["skip", "suppress", "dismiss"])?;
    let ordered = r.mood(skip) == Mood::Order && r.denial(skip).is_none();
    (ordered && r.word(skip + 1, 4, &LOOKS).is_some()).then_some((2, skip))
}
