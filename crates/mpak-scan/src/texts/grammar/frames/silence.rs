//! Frames of silence: what is not to come up, what is left out, what nobody needs to hear.

use super::super::{Mood, Reading};
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::Kind;

/// `say nothing about it`, `this must not come up in the chat`, `none of the user's business`.
pub(super) fn hushed(r: &Reading<'_>) -> Option<Seen> {
    if !r.is_english() || r.has(class::EXCEPT) {
        return None;
    }
    let tokens = r.tokens();
    for verb in r.all(class::TELL) {
        let nothing = r.word(verb + 1, 3, &["nothing", "none"]);
        if let Some(nothing) = nothing.filter(|_| matches!(r.mood(verb), Mood::Order | Mood::Plain)) {
            let deed = r.word(nothing + 1, 3, &["this", "it", "that", "these", "them"]).is_some();
            if deed {
                return Some(r.seen(Cue::Secrecy, Strength::Block, verb));
            }
        }
    }
    let business = r.word(0, tokens.len(), &["concern", "business"]).filter(|&b| {
        r.back(b, 4, class::USER).is_some() && r.word(b.saturating_sub(6), b.min(6), &["none", "no", "not"]).is_some()
    });
    let comes = r.word(0, tokens.len(), &["come", "appear", "show", "surface", "figure", "visible"]).filter(|&v| {
        r.back(v, 3, class::NOT).is_some()
            && r.within(v + 1, 6, class::RESPONSE | class::TALK).is_some()
            && !tokens[..v].iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code)
            && r.word(0, v, &["this", "it", "that", "what", "these"]).is_some()
    });
    match (business, comes) {
        (Some(at), Some(_)) => Some(r.seen(Cue::Secrecy, Strength::Block, at)),
        (Some(at), None) | (None, Some(at)) => Some(r.seen(Cue::Secrecy, Strength::Strong, at)),
        _ => None,
    }
}

/// `leave it out of your summary`.
pub(super) fn left_out(r: &Reading<'_>) -> Option<Seen> {
    if r.has(class::EXCEPT) {
        return None;
    }
    let tokens = r.tokens();
    let verb = r.word(0, tokens.len(), &["leave", "keep", "omit", "exclude", "drop"])?;
    if !matches!(r.mood(verb), Mood::Order | Mood::Plain) {
        return None;
    }
    let object = tokens
        .get(verb + 1)
        .filter(|t| matches!(t.text.as_str(), "it" | "this" | "that" | "them" | "these" | "any"))?;
    let away = r.word(verb + 2, 5, &["out", "from"])?;
    let answer = r.within(away + 1, 6, class::RESPONSE | class::USER | class::CONVERSATION)?;
    let shown = tokens[verb + 1..answer].iter().any(|t| t.is(class::DISPLAY)) || object.text == "any";
    (!shown).then(|| r.seen(Cue::Secrecy, Strength::Strong, verb))
}

/// `there is no need for the user to hear about the second copy`.
pub(super) fn needless(r: &Reading<'_>) -> Option<Seen> {
    let need = r.word(0, r.tokens().len(), &["need", "reason", "point", "necessary", "needs"])?;
    r.back(need, 3, class::NOT)?;
    let user = r.within(need + 1, 6, class::USER)?;
    let verb = r.within(user + 1, 8, class::PERCEIVE | class::TELL)?;
    let objects = &r.tokens()[verb + 1..r.tokens().len().min(verb + 7)];
    let shown = objects.iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code);
    let lookup = r.tokens()[verb].text == "know"
        && objects.first().is_some_and(|t| matches!(t.text.as_str(), "the" | "their" | "which"));
    (!shown && !lookup).then(|| r.seen(Cue::Secrecy, Strength::Block, verb))
}
