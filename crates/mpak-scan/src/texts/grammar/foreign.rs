//! Other languages than English: the classes of words that stand together in a sentence.
//!
//! Word order and endings differ, so that no mood is worked out: what is asked for is a combination that hardly
//! ever describes a tool.

use super::{OBJECT_TOKENS_MAX, Reading};
use crate::texts::TextKind;
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::Kind;

pub(super) fn look(reading: &Reading<'_>) -> Vec<Seen> {
    let rules = [override_, secrecy, acquisition, outbound, precondition, consent];
    rules.iter().filter_map(|rule| rule(reading)).collect()
}

fn override_(r: &Reading<'_>) -> Option<Seen> {
    if r.context.rules && !r.has(class::YOUR | class::YOU | class::PROMPT) {
        return None;
    }
    let verb = r.all(class::OVERRIDE).find(|&verb| {
        let from = verb.saturating_sub(OBJECT_TOKENS_MAX);
        let orders = r.within(from, 2 * OBJECT_TOKENS_MAX, class::DIRECTIVE | class::PROMPT).filter(|&i| i != verb);
        let owner = r.within(
            from,
            2 * OBJECT_TOKENS_MAX,
            class::PREVIOUS | class::YOUR | class::USER | class::ALL | class::YOU | class::OTHER,
        );
        orders.is_some() && owner.is_some()
    })?;
    Some(r.seen(Cue::Override, Strength::Block, verb))
}

fn secrecy(r: &Reading<'_>) -> Option<Seen> {
    let tell = r.all(class::TELL | class::HIDE | class::PERCEIVE).find(|&tell| {
        let not = r.tokens()[tell].is(class::HIDE | class::NOT)
            || r.back(tell, 6, class::NOT | class::WITHOUT).is_some_and(|not| is_one_clause(r, not, tell))
            || r.within(tell + 1, 8, class::NOT).is_some_and(|not| is_one_clause(r, tell, not));
        let user = r.within(tell.saturating_sub(8), 16, class::USER).is_some();
        not && user
    });
    let tell = tell.filter(|_| !r.has(class::EXCEPT));
    let shown = r.all(class::CREDENTIAL | class::DISPLAY).next().is_some() && !r.has(class::READ | class::SEND);
    if let Some(tell) = tell.filter(|_| !shown) {
        // What is not to be told was ordered just before.
        let acts = class::PUT | class::SEND | class::READ | class::TAMPER;
        let ordered = r.has(class::SEND | class::PUT) || r.before.is_some_and(|s| s.classes.any(acts));
        let private = |s: &crate::texts::tokens::Sentence| {
            s.tokens.iter().any(|t| matches!(t.kind, Kind::Url | Kind::Email) || !r.foreign(t).is_empty())
        };
        if ordered && (private(r.sentence) || r.before.is_some_and(private)) {
            return Some(r.seen(Cue::Secrecy, Strength::Block, tell));
        }
        return Some(r.seen(Cue::Secrecy, Strength::Strong, tell));
    }
    let secretly = r.all(class::SECRETLY).next().filter(|_| r.has(class::READ | class::SEND | class::PUT))?;
    Some(r.seen(Cue::Secrecy, Strength::Strong, secretly))
}

/// Whether no comma, colon or semicolon stands between two places.
pub(super) fn is_one_clause(r: &Reading<'_>, from: usize, to: usize) -> bool {
    !r.tokens()[from..to]
        .iter()
        .any(|t| t.kind == Kind::Break && matches!(t.text.as_str(), "," | "，" | "、" | ":" | "：" | ";" | "；"))
}

fn acquisition(r: &Reading<'_>) -> Option<Seen> {
    let object = r.valuable(0, r.tokens().len())?;
    let verb = r.all(class::READ | class::PUT | class::SEND).find(|&v| v.abs_diff(object) <= OBJECT_TOKENS_MAX)?;
    let negated =
        r.is_excluded(object) || r.back(verb, 3, class::NOT).is_some() || r.within(verb + 1, 2, class::NOT).is_some();
    if negated {
        return None;
    }
    let named = matches!(r.tokens()[object].kind, Kind::Path | Kind::Code);
    let addressed = r.has(class::MODAL | class::ALWAYS | class::FIRST | class::BEFORE | class::YOU | class::URGENT)
        || !r.first
        || r.context.kind == TextKind::Parameter;
    let both = r.has(class::READ) && r.has(class::PUT | class::SEND);
    let strength = match (named, addressed, both) {
        (true, true, _) | (true, _, true) => Strength::Block,
        (true, false, false) | (false, true, true) => Strength::Strong,
        (false, true, false) => Strength::Weak,
        _ => return None,
    };
    Some(r.seen(Cue::Exfiltration, strength, object))
}

fn outbound(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let place = (0..tokens.len())
        .find(|&i| matches!(tokens[i].kind, Kind::Url | Kind::Email) || tokens[i].is(class::FOREIGN_PLACE))?;
    let verb = r.all(class::SEND).find(|&v| v.abs_diff(place) <= 2 * OBJECT_TOKENS_MAX)?;
    if r.is_example(place) || r.back(verb, 3, class::NOT).is_some() {
        return None;
    }
    let private = tokens.iter().any(|t| !r.foreign(t).is_empty());
    let before = r.before.is_some_and(|s| s.tokens.iter().any(|t| !r.foreign(t).is_empty()));
    let fixed = tokens[place].kind != Kind::Word;
    let data = r.has(class::CONTENT | class::FILE);
    let addressed = r.has(class::MODAL | class::ALWAYS | class::BEFORE | class::URGENT | class::FIRST);
    let strength = match () {
        () if private || before && fixed => Strength::Block,
        () if fixed && data && addressed => Strength::Block,
        () if fixed && (data || addressed) && !r.first => Strength::Strong,
        () => return None,
    };
    Some(r.seen(Cue::Outbound, strength, place))
}

fn precondition(r: &Reading<'_>) -> Option<Seen> {
    let before = r.all(class::BEFORE).next()?;
    let used = r.has(class::USE) && r.has(class::TOOL);
    (used && r.has(class::READ | class::SEND | class::PUT)).then(|| r.seen(Cue::Precondition, Strength::Weak, before))
}

fn consent(r: &Reading<'_>) -> Option<Seen> {
    let consent = r.all(class::CONSENT).next()?;
    let ask = r.back(consent, 8, class::ASK).or_else(|| r.within(consent + 1, 4, class::ASK))?;
    let negated = r.back(ask.max(consent), 8, class::NOT | class::WITHOUT).is_some()
        || r.within(ask.max(consent), 3, class::NOT).is_some()
        || r.tokens()[ask].is(class::NOT);
    let user = r.has(class::USER);
    (negated && user).then(|| r.seen(Cue::Consent, Strength::Strong, consent))
}
