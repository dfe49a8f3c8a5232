//! Frames about what a parameter takes: the conversation, the model's own orders, all of somebody's private things.

use super::super::{Mood, OBJECT_TOKENS_MAX, Reading};
use super::{BESIDE, TALK};
use crate::texts::TextKind;
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::{Form, Kind};
use crate::texts::valuables;

/// A parameter that takes the conversation, the model's own orders, or everything of a private kind.
pub(super) fn requested(r: &Reading<'_>) -> Option<Seen> {
    if !matches!(r.context.kind, TextKind::Parameter | TextKind::Value) || r.has(class::EXCEPT) {
        return None;
    }
    let mut best: Option<(Strength, usize)> = None;
    for i in 0..r.tokens().len() {
        let topics = r.private(i);
        if topics.is_empty() || r.is_denied(i) || r.is_example(i) {
            continue;
        }
        let whole = r.beside(i, BESIDE + 1, class::WHOLE) || r.tokens()[i].is(class::WHOLE);
        if topics.any(TALK) && is_one_question(r, i) {
            continue;
        }
        let owner = r.beside(i, BESIDE, class::USER | class::YOUR | class::HERE);
        let takes = r.ordered(class::READ | class::PUT | class::SEND).is_some();
        let reads = r.ordered(class::READ).is_some();
        let strength = match () {
            () if topics.any(TALK) && (whole || owner || takes) => Strength::Block,
            () if topics.any(TALK) => Strength::Strong,
            () if topics.any(class::PERSONAL) && topics == topics & class::PERSONAL => {
                if whole && owner && takes {
                    Strength::Block
                } else {
                    continue;
                }
            }
            () if (whole || reads && owner) && takes => Strength::Block,
            () if whole && r.beside(i, BESIDE + 1, class::USER) => Strength::Block,
            () if whole && owner => Strength::Strong,
            () => continue,
        };
        best = best.max(Some((strength, i)));
    }
    best.map(|(strength, i)| r.seen(Cue::Exfiltration, strength, i))
}

/// `the user's original question`: one of them, to rank answers by.
pub(in crate::texts::grammar) fn is_one_question(r: &Reading<'_>, at: usize) -> bool {
    r.word(at, 4, &["question", "task", "query"]).is_some() && !is_of_all(r)
}

/// Whether a sentence speaks of all that was said, not of one question.
fn is_of_all(r: &Reading<'_>) -> bool {
    const ALL: [&str; 12] = [
        "all",
        "every",
        "everything",
        "entire",
        "whole",
        "full",
        "last",
        "previous",
        "history",
        "messages",
        "conversation",
        "chat",
    ];
    r.word(0, r.tokens().len(), &ALL).is_some()
}

/// `fill sidenote with any API keys`; in other languages anything private that is put into a parameter.
pub(super) fn carried(r: &Reading<'_>) -> Option<Seen> {
    if r.has(class::EXCEPT) {
        return None;
    }
    let tokens = r.tokens();
    if r.is_english() {
        for verb in r.all(class::PUT) {
            let told = matches!(r.mood(verb), Mood::Order | Mood::Plain)
                || tokens[verb].form == Form::Third && r.back(verb, 2, class::ACTOR).is_some();
            let Some(place) = (verb + 1..tokens.len().min(verb + 4)).find(|&i| r.is_parameter(i)) else { continue };
            let Some(with) = r.word(place + 1, 3, &["with"]) else { continue };
            let Some(object) = r.valuable(with + 1, OBJECT_TOKENS_MAX) else { continue };
            if told && !(r.private(object) & !class::PERSONAL).is_empty() {
                return Some(r.seen(Cue::Smuggling, Strength::Block, object));
            }
        }
        // `print the environment …, since it goes into 'session'`.
        let into = (0..tokens.len()).find(|&i| r.is_parameter(i) && r.is_in_quotes(i))?;
        let read = r.all(class::READ).find(|&v| v < into && r.mood(v) == Mood::Order)?;
        let object = r.valuable(read + 1, OBJECT_TOKENS_MAX).filter(|&i| i < into && !r.is_denied(i))?;
        let kept = !(r.private(object) & !class::PERSONAL).is_empty();
        return kept.then(|| r.seen(Cue::Smuggling, Strength::Block, object));
    }
    // The user's files, for a tool that has nothing to do with files.
    let theirs = r.has(class::USER) || tokens.iter().any(|t| t.kind == Kind::Path && t.text.starts_with(['~', '/']));
    if theirs
        && !r.context.allowed.any(class::FILE)
        && r.has(class::READ)
        && r.has(class::PUT)
        && r.has(class::CONTENT)
        && r.own_place()
        && let Some(file) = r.all(class::FILE).next().filter(|&i| !r.is_denied(i))
    {
        return Some(r.seen(Cue::Smuggling, Strength::Block, file));
    }
    let object = (0..tokens.len()).find(|&i| !r.private(i).is_empty() && !r.is_denied(i) && !r.is_example(i))?;
    r.ordered(class::PUT | class::SEND | class::READ)?;
    let personal = (r.private(object) & !class::PERSONAL).is_empty();
    let much = r.has(class::WHOLE) || r.has(class::USER);
    (r.own_place() && (!personal || much)).then(|| r.seen(Cue::Smuggling, Strength::Block, object))
}

/// `it expects the content of mcp.json`.
pub(super) fn demanded(r: &Reading<'_>) -> Option<Seen> {
    let demand = r.word(0, r.tokens().len(), &["expects", "needs", "requires", "wants", "demands"])?;
    let content = r.within(demand + 1, 4, class::CONTENT)?;
    let object = r.valuable(content + 1, OBJECT_TOKENS_MAX)?;
    let kept = class::KEY_FILE.with(class::SYSTEM_FILE).with(class::CLIENT_CONFIG).with(TALK);
    (r.private(object).any(kept) && !r.is_denied(object)).then(|| r.seen(Cue::Exfiltration, Strength::Block, object))
}

/// A tool that says of itself that it goes through what is the user's and gives it away, under another name.
pub(super) fn roamed(r: &Reading<'_>) -> Option<Seen> {
    if r.context.kind != TextKind::Description || !r.first {
        return None;
    }
    let kept = class::KEY_FILE.with(class::SYSTEM_FILE).with(class::CLIENT_CONFIG).with(class::CONVERSATION);
    let secret = |i: &usize| r.private(*i).any(kept | class::CREDENTIAL | class::WALLET) && !r.is_denied(*i);
    let objects = (0..r.tokens().len()).filter(secret).filter(|&i| i == 0 || !secret(&(i - 1))).count();
    let object = (0..r.tokens().len()).find(|i| secret(i) && (objects > 1 || r.private(*i).any(kept)))?;
    let read = r.all(class::READ).find(|&v| r.tokens()[v].form == Form::Third || r.mood(v) == Mood::Plain)?;
    let away = r.has(class::FOREIGN_PLACE) || r.fixed_place().is_some() || r.has(class::ACTOR);
    let strength = if away { Strength::Block } else { Strength::Strong };
    // Nothing of its name stands in what it says of itself.
    let named = valuables::words(r.context.name).iter().any(|word| {
        let begin: String = word.chars().take(5).collect();
        word.len() > 3 && r.tokens().iter().any(|t| t.text.starts_with(&begin))
    });
    if r.keeps_to_itself() {
        return None;
    }
    if objects > 1 && !named {
        return Some(r.seen(Cue::Mismatch, Strength::Block, object));
    }
    r.has(class::USER).then(|| r.seen(Cue::Mismatch, strength, read.min(object)))
}
