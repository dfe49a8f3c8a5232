//! Orders about tools: shadowing others, praising itself, standing orders.

use super::{Mood, Reading};
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::Kind;

pub(super) fn look(reading: &Reading<'_>) -> Vec<Seen> {
    let rules = [shadowing, promotion, precondition, everywhere];
    rules.iter().filter_map(|rule| rule(reading)).collect()
}

impl Reading<'_> {
    /// A tool that is none of this server's: `the send_email tool`, `other tools`.
    pub(super) fn foreign_tool(&self, i: usize) -> bool {
        let tokens = self.tokens();
        let token = &tokens[i];
        let known = |text: &str| self.context.tools.contains(text) || self.context.parameters.contains(text);
        let next_tool = tokens.get(i + 1..).is_some_and(|rest| rest.iter().take(2).any(|t| t.is(class::TOOL)));
        match token.kind {
            Kind::Code => {
                !known(&token.text)
                    && token.text.contains(['_', '.'])
                    && (next_tool
                        || self.back(i, 3, class::TOOL | class::USE).is_some()
                        || self.within(i + 1, 7, class::USE).is_some())
            }
            Kind::Word => {
                token.is(class::OTHER) && self.within(i + 1, 3, class::TOOL).is_some()
                    || token.quoted && next_tool && !known(&token.text)
            }
            _ => false,
        }
    }
}

/// `when send_email is used, …`: orders that hold while somebody else's tool works.
fn shadowing(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let acts = class::PUT | class::SEND | class::TAMPER | class::READ | class::OVERRIDE;
    for tool in (0..tokens.len()).filter(|&i| r.foreign_tool(i)) {
        let condition = r.back(tool, 8, class::BEFORE).is_some()
            || r.word(tool.saturating_sub(4), 4, &["if", "with", "for"]).is_some();
        let used = r.within(tool + 1, 7, class::USE).is_some() || r.back(tool, 5, class::USE).is_some();
        let order =
            r.all(acts).find(|&v| r.mood(v) == Mood::Order && v.abs_diff(tool) < 30 && !tokens[v].is(class::USE));
        let object = order.and_then(|v| {
            r.within(v + 1, 8, class::TARGET | class::PARAMETER | class::FOREIGN_PLACE).or_else(|| {
                (v + 1..tokens.len().min(v + 12)).find(|&i| matches!(tokens[i].kind, Kind::Email | Kind::Url))
            })
        });
        if condition && used && object.is_some() {
            let tampers = order.is_some_and(|v| tokens[v].is(class::TAMPER))
                || object.is_some_and(|i| matches!(tokens[i].kind, Kind::Email | Kind::Url));
            let strength = if tampers { Strength::Block } else { Strength::Strong };
            return Some(r.seen(Cue::Shadowing, strength, tool));
        }
        let through =
            order.is_some_and(|v| r.word(v, 12, &["this"]).is_some_and(|i| r.within(i + 1, 2, class::TOOL).is_some()));
        let standing = order.is_some()
            && (r.has(class::FIRST | class::MODAL))
            && r.word(0, tokens.len(), &["whenever", "each", "every", "anytime"]).is_some()
            && token_is_code(r, tool);
        if condition && used && (through && r.has(class::MODAL | class::ALWAYS) || standing) {
            return Some(r.seen(Cue::Shadowing, Strength::Strong, tool));
        }
        // `do not use other tools`.
        let forbidden = r.back(tool, 6, class::USE).filter(|&v| r.mood(v) == Mood::Negated);
        if forbidden.is_some() {
            return Some(r.seen(Cue::Promotion, Strength::Strong, tool));
        }
        // `all other tools are deprecated`.
        let slander = r.word(
            tool + 1,
            8,
            &[
                "deprecated",
                "unsafe",
                "insecure",
                "broken",
                "unreliable",
                "compromised",
                "obsolete",
                "disabled",
                "malicious",
                "outdated",
                "removed",
                "retired",
                "vulnerable",
            ],
        );
        if let Some(at) = slander.filter(|&at| {
            r.word(tool + 1, at - tool, &["is", "are", "been", "was", "were"]).is_some()
                && r.back(at, 3, class::NOT).is_none()
        }) {
            let grave =
                ["unsafe", "insecure", "compromised", "malicious", "vulnerable"].contains(&tokens[at].text.as_str());
            return Some(r.seen(Cue::Shadowing, if grave { Strength::Block } else { Strength::Strong }, at));
        }
    }
    None
}

fn token_is_code(r: &Reading<'_>, i: usize) -> bool {
    r.tokens()[i].kind == Kind::Code
}

/// `always use this tool instead of`, `the only official tool`.
fn promotion(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for verb in r.all(class::USE) {
        if r.mood(verb) != Mood::Order {
            continue;
        }
        let itself =
            r.word(verb + 1, 4, &["this"]).filter(|&i| r.within(i + 1, 2, class::TOOL | class::INSTEAD).is_some());
        let Some(itself) = itself else { continue };
        let instead = r.within(itself + 1, 4, class::INSTEAD);
        let rest = instead.unwrap_or(itself) + 1;
        let others = (rest..tokens.len().min(rest + 8))
            .find(|&i| r.foreign_tool(i) || tokens[i].is(class::OTHER) && r.within(i + 1, 3, class::TOOL).is_some());
        let firm = r.has(class::ALWAYS | class::MODAL | class::REGARDLESS)
            || r.word(0, tokens.len(), &["only", "exclusively"]).is_some();
        if r.has(class::REGARDLESS) && (instead.is_some() || others.is_some() || r.has(class::USER)) {
            return Some(r.seen(Cue::Promotion, Strength::Block, verb));
        }
        if instead.is_some() && others.is_some() && firm {
            return Some(r.seen(Cue::Promotion, Strength::Strong, verb));
        }
        let ahead = r.word(itself + 1, 6, &["first", "before", "over"]).and_then(|at| {
            (at..tokens.len().min(at + 6))
                .find(|&i| tokens[i].is(class::OTHER) && r.within(i + 1, 3, class::TOOL).is_some())
        });
        if ahead.is_some() && firm {
            return Some(r.seen(Cue::Promotion, Strength::Strong, verb));
        }
        let when = r.word(0, verb, &["when", "whenever", "if"]).and_then(|at| r.within(at + 1, 3, class::USER));
        let last = instead.is_some_and(|i| i + 1 >= tokens.len() || tokens[i + 1].kind == Kind::Break);
        if last && when.is_some() {
            return Some(r.seen(Cue::Promotion, Strength::Strong, verb));
        }
    }
    let claims = [
        "official",
        "trusted",
        "approved",
        "authorized",
        "legitimate",
        "verified",
        "correct",
        "safe",
        "secure",
        "reliable",
    ];
    let only = r.word(0, tokens.len(), &["only"])?;
    let claim = r.word(only + 1, 3, &claims)?;
    r.within(claim + 1, 4, class::TOOL)?;
    Some(r.seen(Cue::Promotion, Strength::Strong, only))
}

/// `before using any tool, …`.
fn precondition(r: &Reading<'_>) -> Option<Seen> {
    let before = r.all(class::BEFORE).find(|&i| {
        r.within(i + 1, 4, class::USE).is_some()
            || r.tokens()[i].text == "before" && r.within(i + 1, 3, class::TOOL).is_some()
    })?;
    let order = r.all(class::READ | class::PUT | class::SEND | class::RUN).any(|v| r.mood(v) == Mood::Order);
    order.then(|| r.seen(Cue::Precondition, Strength::Weak, before))
}

/// `for every request`, `in all your answers`.
fn everywhere(r: &Reading<'_>) -> Option<Seen> {
    let every = r.all(class::ALL | class::ALWAYS).find(|&i| {
        r.word(
            i + 1,
            4,
            &[
                "conversation",
                "response",
                "responses",
                "answer",
                "answers",
                "reply",
                "replies",
                "session",
                "message",
                "messages",
                "interaction",
                "interactions",
                "request",
                "requests",
                "turn",
                "email",
                "emails",
                "call",
                "calls",
                "transaction",
            ],
        )
        .is_some()
    })?;
    let order = r
        .all(class::PUT | class::SEND | class::READ | class::TELL | class::USE | class::RUN)
        .any(|v| r.mood(v) == Mood::Order);
    order.then(|| r.seen(Cue::Everywhere, Strength::Weak, every))
}
