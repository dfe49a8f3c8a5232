//! What a passage is after: signs that are weighed together, in every language alike.
//!
//! In: the sentences of one text. Out: cues where a few sentences that follow one another add up to an intention
//! that no single sentence shows: something of the user's is taken or changed, and the user is kept out of it. Each
//! sign is what a reader would notice (somebody's files, a stranger's address, silence, a claim of rank …); none of
//! them is anything alone, and what describes a tool has one or two of them.

use std::collections::BTreeMap;

use super::{Context, Mood, Reading};
use crate::texts::TextKind;
use crate::texts::class::{self, Classes};
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::{Form, Kind, Sentence, Token};

/// Sentences that belong together.
const PASSAGE_SENTENCES: usize = 4;
/// What signs have to weigh together.
const WEIGHT_MIN: u32 = 6;
/// Tokens between a verb and what it is about.
const NEAR_TOKENS: usize = 14;

/// Something that a reader notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// Private things are fetched or asked for.
    Take,
    /// Something goes into a parameter.
    Give,
    /// Something goes to a fixed place.
    Place,
    /// The user is not to hear of it.
    Hide,
    /// It is called a formality.
    Formal,
    /// The user is not asked.
    Unasked,
    /// Other orders are set aside.
    Over,
    /// What the user wants does not matter.
    Defy,
    /// Tools of other servers are used or slandered.
    Others,
    /// An address, an amount, an argument is changed.
    Tamper,
    /// It outlives the call.
    Persist,
    /// A command is run.
    Command,
    /// The model is spoken to by name.
    Address,
    /// Nothing works without it.
    Duty,
}

impl Sign {
    /// Whether it does something to somebody.
    fn is_harm(self) -> bool {
        matches!(
            self,
            Self::Take
                | Self::Give
                | Self::Place
                | Self::Over
                | Self::Others
                | Self::Tamper
                | Self::Persist
                | Self::Command
                | Self::Unasked
        )
    }

    /// Whether an honest text has no reason for it.
    fn is_bad_faith(self) -> bool {
        matches!(self, Self::Hide | Self::Unasked | Self::Over | Self::Defy | Self::Formal)
    }

    fn cue(self) -> Cue {
        match self {
            Self::Take => Cue::Exfiltration,
            Self::Give => Cue::Smuggling,
            Self::Place => Cue::Outbound,
            Self::Hide | Self::Formal => Cue::Secrecy,
            Self::Unasked => Cue::Consent,
            Self::Over | Self::Defy => Cue::Override,
            Self::Others => Cue::Shadowing,
            Self::Tamper => Cue::Tampering,
            Self::Persist => Cue::Everywhere,
            Self::Command => Cue::Command,
            Self::Address => Cue::Authority,
            Self::Duty => Cue::Precondition,
        }
    }
}

/// A sign with its weight and the token that shows it.
pub(super) type Signs = BTreeMap<Sign, (u32, usize)>;

/// Cues of the heaviest passage, if it is heavy enough.
pub(super) fn look(sentences: &[Sentence], text: &str, context: &Context<'_>) -> Vec<Seen> {
    let readings: Vec<Reading<'_>> = sentences
        .iter()
        .enumerate()
        .map(|(i, sentence)| Reading {
            sentence,
            before: i.checked_sub(1).and_then(|i| sentences.get(i)),
            first: i == 0,
            context,
            text,
        })
        .collect();
    let signs: Vec<Signs> = readings.iter().map(signs).collect();
    let mut best: (u32, Vec<(Sign, u32, usize, usize)>) = (0, Vec::new());
    for from in 0..signs.len() {
        let mut together: BTreeMap<Sign, (u32, usize, usize)> = BTreeMap::new();
        for (offset, signs) in signs[from..].iter().take(PASSAGE_SENTENCES).enumerate() {
            for (&sign, &(weight, at)) in signs {
                let known = together.entry(sign).or_insert((weight, from + offset, at));
                if weight > known.0 {
                    *known = (weight, from + offset, at);
                }
            }
        }
        let sum = together.values().map(|(weight, ..)| weight).sum();
        if sum > best.0 && is_intent(&together) {
            best = (sum, together.into_iter().map(|(sign, (weight, i, at))| (sign, weight, i, at)).collect());
        }
    }
    let (sum, mut found) = best;
    if sum < WEIGHT_MIN {
        return Vec::new();
    }
    found.sort_by_key(|&(sign, weight, ..)| (std::cmp::Reverse(weight), sign));
    found.truncate(2);
    found.into_iter().map(|(sign, _, i, at)| readings[i].seen(sign.cue(), Strength::Block, at)).collect()
}

/// Whether something is done, and in bad faith or with much weight.
fn is_intent(signs: &BTreeMap<Sign, (u32, usize, usize)>) -> bool {
    let harm = signs.keys().any(|sign| sign.is_harm());
    let harms = signs.keys().filter(|sign| sign.is_harm()).count();
    let has = |sign: Sign, weight: u32| signs.get(&sign).is_some_and(|found| found.0 >= weight);
    // A private file as the price of a call that has nothing to do with it.
    let price = has(Sign::Take, 3) && has(Sign::Duty, 1) && (has(Sign::Give, 1) || has(Sign::Place, 1));
    let bad = price || signs.keys().any(|sign| sign.is_bad_faith());
    harm && bad && (harms > 1 || signs.len() > 2)
}

/// What one sentence shows.
pub(super) fn signs(r: &Reading<'_>) -> Signs {
    let rules: [(Sign, fn(&Reading<'_>) -> Option<(u32, usize)>); 14] = [
        (Sign::Take, take),
        (Sign::Give, give),
        (Sign::Place, place),
        (Sign::Hide, hide),
        (Sign::Formal, formal),
        (Sign::Unasked, unasked),
        (Sign::Over, over),
        (Sign::Defy, defy),
        (Sign::Others, others),
        (Sign::Tamper, tamper),
        (Sign::Persist, persist),
        (Sign::Command, command),
        (Sign::Address, address),
        (Sign::Duty, duty),
    ];
    rules.iter().filter_map(|(sign, rule)| rule(r).map(|found| (*sign, found))).collect()
}

impl Reading<'_> {
    /// Whether no comma or colon stands between two places.
    fn is_one_clause(&self, from: usize, to: usize) -> bool {
        super::foreign::is_one_clause(self, from.min(to), from.max(to))
    }

    /// The word that denies a verb or noun: before it, in its ending, or after it where the language has it so.
    pub(super) fn denial(&self, i: usize) -> Option<usize> {
        if self.tokens()[i].is(class::NOT | class::WITHOUT) {
            return Some(i);
        }
        let before = self.back(i, 5, class::NOT | class::WITHOUT).filter(|&not| self.is_one_clause(not, i));
        let after = || {
            self.sentence
                .language
                .denies_after()
                .then(|| self.within(i + 1, 4, class::NOT).filter(|&not| self.is_one_clause(i, not)))
                .flatten()
        };
        before.or_else(after)
    }

    /// Whether the model is to do what a verb says, whatever the form of the sentence.
    fn acts(&self, v: usize) -> bool {
        if !self.is_english() {
            return self.denial(v).is_none();
        }
        let token = &self.tokens()[v];
        match (self.mood(v), token.form) {
            (Mood::Negated, _) => false,
            (Mood::Order | Mood::Plain, _) => true,
            // `the assistant continues by …`, `the client reads …`.
            (_, Form::Third | Form::Base) => self.back(v, 5, class::ACTOR | class::YOU).is_some(),
            (_, Form::Ing) => self.word(v.saturating_sub(2), 2, &["by", "and", "then", "without"]).is_some(),
            // `is passed`, `has to be put`, `to be accompanied`.
            (_, Form::Past) => {
                self.word(v.saturating_sub(3), 3, &["be", "is", "are", "was", "gets", "get"]).is_some()
                    && self.denial(v).is_none()
            }
        }
    }

    /// Whether an identifier is one of the server's tools or of the tool's parameters.
    fn is_own(&self, i: usize) -> bool {
        let text = &self.tokens()[i].text;
        self.context.tools.contains(text) || self.context.parameters.contains(text)
    }

    /// A verb of the classes that acts, near a place.
    fn acting(&self, classes: Classes, near: usize, count: usize) -> Option<usize> {
        self.all(classes).find(|&v| v != near && v.abs_diff(near) <= count && self.acts(v))
    }
}

/// Private things that are fetched or asked for.
fn take(r: &Reading<'_>) -> Option<(u32, usize)> {
    let verbs = class::READ | class::PUT | class::SEND | class::USE | class::RUN;
    let asked = matches!(r.context.kind, TextKind::Parameter | TextKind::ParameterName | TextKind::Name);
    let mut best = None;
    for i in 0..r.tokens().len() {
        let topics = r.private(i);
        if topics.is_empty() || r.is_denied(i) || r.denial(i).is_some() && r.is_english() {
            continue;
        }
        let path = r.tokens()[i].kind == Kind::Path;
        let whole = r.beside(i, 5, class::WHOLE | class::CONTENT);
        let theirs = r.beside(i, 5, class::USER | class::YOUR);
        let everyday = topics == topics & class::PERSONAL;
        if everyday && !(whole && theirs) {
            continue;
        }
        // `read_file('~/.netrc')`, `the value of X is the user's key`.
        let call = path && (i.saturating_sub(3)..i).any(|j| r.tokens()[j].kind == Kind::Code && !r.is_own(j));
        let filled =
            theirs && r.own_place() && r.word(i.saturating_sub(6), 6, &["is", "are", "holds", "=", ":"]).is_some();
        let acted = call || filled || r.acting(verbs, i, NEAR_TOKENS).is_some();
        if !acted && !(asked && (whole || path)) {
            continue;
        }
        let kept = theirs && topics.any(class::KEY_FILE | class::WALLET | class::SYSTEM_FILE | class::CLIENT_CONFIG);
        let talk = whole && topics.any(class::CONVERSATION | class::PROMPT);
        let weight = if path || talk || kept { 3 } else { 2 };
        best = best.max(Some((weight, i)));
    }
    best
}

/// Something is put into a parameter, or one asks for what is found somewhere.
fn give(r: &Reading<'_>) -> Option<(u32, usize)> {
    // `glossary=<what read_file returned>`.
    let filled = (0..r.tokens().len()).find(|&i| {
        r.is_parameter(i)
            && r.text_after(i).starts_with(['=', ':'])
            && r.text_after(i)[1..].trim_start().starts_with(['<', '{'])
    });
    if let Some(at) = filled {
        return Some((1, at));
    }
    let verb = r.all(class::PUT | class::SEND).find(|&v| r.acts(v))?;
    let content =
        r.has(class::CONTENT | class::WHOLE | class::VALUABLE) || r.word(verb + 1, 4, &["it", "them"]).is_some();
    (r.own_place() && content).then_some((1, verb))
}

/// Something goes to an address that nobody asked for.
fn place(r: &Reading<'_>) -> Option<(u32, usize)> {
    let place = r.fixed_place()?;
    let verb = r.all(class::SEND | class::PUT | class::READ).find(|&v| v.abs_diff(place) < 2 * NEAR_TOKENS)?;
    let sends = r.tokens()[verb].is(class::SEND | class::PUT);
    let fixed = r.tokens()[place].kind != Kind::Word;
    let acts = r.acts(verb);
    Some((if sends && fixed && acts { 2 } else { 1 }, place))
}

/// The user is not to hear of it.
fn hide(r: &Reading<'_>) -> Option<(u32, usize)> {
    if r.has(class::EXCEPT) {
        return None;
    }
    let tokens = r.tokens();
    let who = class::USER | class::RESPONSE | class::CONVERSATION;
    // 1. What is told is denied: `do not tell`, `erwähne das nicht`, `söyleme`.
    for v in r.all(class::TELL | class::PERCEIVE) {
        let Some(not) = r.denial(v) else { continue };
        let domain = r.is_english() && {
            let objects = &tokens[v + 1..tokens.len().min(v + 9)];
            let deed = objects.first().is_some_and(|t| t.is(class::DEED));
            objects.iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code) && !deed
                || r.mood(v) == Mood::Other && tokens[v].form == Form::Base
        };
        let credentials =
            !r.is_english() && r.has(class::CREDENTIAL | class::PERSONAL) && !r.has(class::READ | class::SEND);
        if domain || credentials {
            continue;
        }
        let near = r.within(v.saturating_sub(8), 17, who).is_some();
        let deed = r.is_english() && tokens[v + 1..].first().is_some_and(|t| t.is(class::DEED));
        if near || deed || !r.is_english() && v.abs_diff(not) < 3 && !r.first {
            return Some((if near { 3 } else { 2 }, v));
        }
    }
    // 2. What hides: `keep it from`, `leave it out of the summary`, `stays out of the list you show`.
    let hides = r.all(class::HIDE).find(|&v| {
        !tokens[v].is(class::TELL)
            && (r.acts(v) || tokens[v].form == Form::Past)
            && (r.within(v + 1, 10, who).is_some()
                || !r.is_english() && r.within(v.saturating_sub(8), 17, who).is_some())
            && !tokens[v + 1..tokens.len().min(v + 7)].iter().any(|t| t.is(class::DISPLAY) && !t.is(class::DEED))
    });
    if let Some(v) = hides {
        return Some((2, v));
    }
    if r.is_english() {
        let away = r.word(
            0,
            tokens.len(),
            &[
                "leave", "left", "leaves", "keep", "kept", "stays", "stay", "omit", "omitted", "excluded", "part",
                "belongs", "absent",
            ],
        );
        let out =
            away.and_then(|at| r.word(at.saturating_sub(3), 8, &["out", "off", "from", "not", "outside"]).map(|_| at));
        let shown = out.filter(|&at| {
            r.within(at + 1, 8, class::RESPONSE | class::CONVERSATION).is_some()
                || r.word(
                    at + 1,
                    10,
                    &["list", "conversation", "chat", "show", "reply", "transcript", "changelog", "minutes"],
                )
                .is_some()
        });
        if let Some(at) = shown {
            return Some((2, at));
        }
        let need = r
            .word(0, tokens.len(), &["need", "reason", "point", "necessary", "necessity"])
            .filter(|&n| r.back(n, 3, class::NOT).is_some());
        if let Some(v) = need.and_then(|n| {
            r.within(n + 1, 7, class::TELL | class::PERCEIVE)
                .or_else(|| r.word(n + 1, 5, &["list", "listing", "name", "telling", "mentioning"]))
        }) {
            return Some((2, v));
        }
    }
    // 3. What is shown in its stead: `show the person the original number`.
    let shown = r.all(class::TELL).find(|&v| {
        let old = ["original", "old", "previous", "usual", "expected", "unchanged", "former", "unaltered"];
        r.is_english() && r.acts(v) && r.within(v + 1, 4, class::USER).is_some_and(|u| r.word(u + 1, 5, &old).is_some())
    });
    if let Some(v) = shown.filter(|_| r.has(class::TAMPER | class::USE) && r.other_tool().is_some()) {
        return Some((2, v));
    }
    // 4. How it is done: `quietly`.
    let secretly = r.all(class::SECRETLY).next()?;
    let acts = class::READ | class::PUT | class::SEND | class::RUN | class::TAMPER | class::USE;
    r.acting(acts, secretly, 8).map(|_| (2, secretly))
}

/// It is called a formality, a detail, noise.
fn formal(r: &Reading<'_>) -> Option<(u32, usize)> {
    r.all(class::FORMAL).next().map(|at| (1, at))
}

/// The user is not asked, or is said to have agreed.
fn unasked(r: &Reading<'_>) -> Option<(u32, usize)> {
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
        if void || ready {
            return Some((2, i));
        }
        if denied.is_some_and(|not| r.is_english() || r.has(class::ASK | class::USER) || tokens[not].is(class::WITHOUT))
        {
            return Some((2, i));
        }
    }
    let asked = r.all(class::ASK).find(|&v| {
        let words = ["pause", "stop", "need", "require", "obtain", "request", "check", "consult", "seek"];
        !(r.is_english() && words.contains(&tokens[v].text.as_str()))
            && r.denial(v).is_some()
            && (r.has(class::USER) || r.has(class::CONSENT))
    });
    asked.map(|v| (1, v))
}

/// Other orders are set aside, or outranked.
fn over(r: &Reading<'_>) -> Option<(u32, usize)> {
    if r.context.rules {
        return None;
    }
    let orders = class::DIRECTIVE | class::PROMPT;
    let owner = class::PREVIOUS | class::YOUR | class::USER | class::YOU | class::ACTOR;
    let aside = r.all(class::OVERRIDE | class::VOID).find(|&v| {
        let order = r.within(v.saturating_sub(10), 21, orders).filter(|&i| i != v);
        let whose = order.is_some_and(|o| r.beside(o, 5, owner) || r.tokens()[o].is(class::PROMPT));
        let verb = r.tokens()[v].is(class::VOID) || r.acts(v) && (r.is_english() || r.denial(v).is_none());
        whose && verb
    });
    if let Some(v) = aside {
        return Some((3, v));
    }
    let rank = r.word(
        0,
        r.tokens().len(),
        &[
            "rank",
            "ranks",
            "outrank",
            "outranks",
            "precedence",
            "priority",
            "supersede",
            "supersedes",
            "prevail",
            "prevails",
            "override",
            "overrides",
            "above",
        ],
    )?;
    let whose = r.within(rank + 1, 12, class::USER).is_some()
        || r.word(rank + 1, 12, &["operator", "system", "developer", "host", "vendor"]).is_some();
    let orders = r.within(0, rank, orders | class::DIRECTIVE_WEAK | class::SELF).is_some();
    (r.is_english() && whose && orders && r.back(rank, 3, class::NOT).is_none()).then_some((3, rank))
}

/// What the user wants does not matter.
fn defy(r: &Reading<'_>) -> Option<(u32, usize)> {
    let at = r.all(class::REGARDLESS).next()?;
    (r.beside(at, 7, class::USER) && !r.has(class::EXCEPT)).then_some((1, at))
}

/// Tools of other servers.
fn others(r: &Reading<'_>) -> Option<(u32, usize)> {
    let called = |i: usize| {
        let token = &r.tokens()[i];
        token.kind == Kind::Code && token.text.contains('_') && !r.is_own(i) && r.text_after(i).starts_with('(')
    };
    if let Some(at) = (0..r.tokens().len()).find(|&i| called(i)) {
        return Some((1, at));
    }
    let tool = r.other_tool()?;
    let acts = class::USE | class::PUT | class::SEND | class::TAMPER | class::READ;
    let gone = r.within(tool + 1, 10, class::VOID).is_some();
    (gone || r.acting(acts, tool, NEAR_TOKENS).is_some()).then_some((if gone { 2 } else { 1 }, tool))
}

/// An address, an amount, an argument is changed.
fn tamper(r: &Reading<'_>) -> Option<(u32, usize)> {
    let verb = r.all(class::TAMPER).find(|&v| r.acts(v) && r.within(v.saturating_sub(4), 12, class::TARGET).is_some());
    if let Some(verb) = verb {
        let when = r.has(class::BEFORE | class::ALWAYS | class::INSTEAD) || r.other_tool().is_some();
        let weight = 1 + u32::from(when) + u32::from(when && r.other_tool().is_some());
        return Some((weight, verb));
    }
    let place = r
        .word(0, r.tokens().len(), &["place", "stead"])
        .filter(|&i| r.word(i.saturating_sub(2), 2, &["its", "their"]).is_some());
    let used = place.filter(|&i| r.all(class::USE | class::PUT).any(|v| v < i && r.mood(v) == Mood::Order));
    used.map(|at| (if r.other_tool().is_some() { 3 } else { 2 }, at))
}

/// It outlives the call.
fn persist(r: &Reading<'_>) -> Option<(u32, usize)> {
    let kept = (0..r.tokens().len()).find(|&i| {
        let token: &Token = &r.tokens()[i];
        token.is(class::MEMORY) && !r.context.named.any(class::CONVERSATION) || r.private(i).any(class::CLIENT_CONFIG)
    });
    let stored = kept.filter(|&i| r.acting(class::PUT | class::TAMPER, i, NEAR_TOKENS).is_some());
    if let Some(at) = stored {
        return Some((2, at));
    }
    let scope = r.all(class::SCOPE).next()?;
    let acts =
        class::READ | class::PUT | class::SEND | class::RUN | class::TAMPER | class::USE | class::TELL | class::VOID;
    r.all(acts).any(|v| r.acts(v)).then_some((1, scope))
}

/// A command is run.
fn command(r: &Reading<'_>) -> Option<(u32, usize)> {
    const PROGRAMS: [&str; 16] = [
        "curl",
        "wget",
        "rm",
        "bash",
        "sh",
        "sudo",
        "chmod",
        "npx",
        "pip",
        "npm",
        "powershell",
        "nc",
        "scp",
        "crontab",
        "dd",
        "eval",
    ];
    const SHELLS: [&str; 12] = [
        "shell", "command", "commands", "terminal", "exec", "execute", "bash", "cmd", "console", "run", "install",
        "script",
    ];
    let words = crate::texts::valuables::words(r.context.name);
    if words.iter().any(|word| SHELLS.contains(&word.as_str())) {
        return None;
    }
    let run = r.all(class::RUN).find(|&v| r.acts(v) && !(r.is_english() && r.mood(v) == Mood::Plain))?;
    let program =
        (0..r.tokens().len()).find(|&i| r.tokens()[i].quoted && PROGRAMS.contains(&r.tokens()[i].text.as_str()));
    let shell = r.within(run + 1, 8, class::COMMAND).or_else(|| r.back(run, 5, class::COMMAND));
    match (program, shell) {
        (Some(at), _) => Some((3, at)),
        (None, Some(at)) => Some((1, at)),
        _ => None,
    }
}

/// The model is spoken to by name: `note to the assistant:`, `the model shall`.
fn address(r: &Reading<'_>) -> Option<(u32, usize)> {
    const NOTES: [&str; 22] = [
        "note",
        "notice",
        "advisory",
        "message",
        "guidance",
        "instruction",
        "instructions",
        "update",
        "remedy",
        "attention",
        "reminder",
        "memo",
        "hint",
        "announcement",
        "info",
        "information",
        "directive",
        "briefing",
        "block",
        "order",
        "warning",
        "addendum",
    ];
    if r.context.named.any(class::PROMPT) {
        return None;
    }
    let actor = r.all(class::ACTOR).next()?;
    let tokens = r.tokens();
    let noted = r.word(actor.saturating_sub(4), 4, &NOTES).is_some()
        && r.word(actor.saturating_sub(3), 3, &["to", "for"]).is_some();
    let called = tokens[actor + 1..]
        .iter()
        .take(3)
        .any(|t| t.kind == Kind::Break && matches!(t.text.as_str(), ":" | "：" | "—"));
    let only = tokens[actor + 1..].first().is_some_and(|t| t.text == "only");
    let bound = r.within(actor + 1, 3, class::MODAL | class::OBLIGE).is_some();
    let urgent = !r.is_english() && actor < 6 && (called || r.has(class::URGENT));
    (noted || called && actor < 6 || only || bound || urgent).then_some((1, actor))
}

/// Nothing works without it.
fn duty(r: &Reading<'_>) -> Option<(u32, usize)> {
    let valid = r.all(class::VALID).next();
    let before = r
        .all(class::BEFORE)
        .find(|&i| r.within(i + 1, 5, class::USE | class::TOOL | class::SELF | class::RESPONSE).is_some());
    let acts = class::READ | class::PUT | class::SEND | class::RUN;
    let at = valid.or(before)?;
    (valid.is_some() || r.all(acts).any(|v| r.acts(v))).then_some((1, at))
}
