//! Orders against the user: secrecy, missing consent, tampering, commands.

use super::{Mood, OBJECT_TOKENS_MAX, Reading};
use crate::texts::TextKind;
use crate::texts::class;
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::{Form, Kind};

pub(super) fn look(reading: &Reading<'_>) -> Vec<Seen> {
    let rules = [untold, unknowing, secretly, hidden, consent, approved, tampering, deception, command];
    rules.iter().filter_map(|rule| rule(reading)).collect()
}

/// `do not tell the user about this`, `without mentioning it`.
fn untold(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for verb in r.all(class::TELL) {
        let Some(not) = r.back(verb, 4, class::NOT | class::WITHOUT) else { continue };
        if tokens[not + 1..verb].iter().any(|t| t.kind == Kind::Break && matches!(t.text.as_str(), "," | ":" | ";")) {
            continue;
        }
        // `do not upload it and tell the user why`: the order begins anew.
        if tokens[not + 1..verb].iter().any(|t| t.text == "and") {
            continue;
        }
        // `unless the user asks for it`.
        if r.within(verb, 24, class::EXCEPT).is_some_and(|e| r.within(e + 1, 4, class::USER).is_some()) {
            continue;
        }
        let without = tokens[not].is(class::WITHOUT);
        // `never … without telling the user` asks for telling.
        if without && r.back(not, 12, class::NOT).is_some() {
            continue;
        }
        // `does not show`: what the tool does by itself.
        if matches!(tokens[not].text.as_str(), "doesn't" | "didn't" | "won't" | "cannot" | "can't" | "isn't" | "aren't")
            || not > 0
                && matches!(tokens[not - 1].text.as_str(), "does" | "did" | "will" | "is" | "are" | "can" | "was")
        {
            continue;
        }
        let base = matches!(tokens[verb].form, Form::Base | Form::Ing) || r.word(not, verb - not, &["be"]).is_some();
        if !base {
            continue;
        }
        let user = r.within(verb + 1, 9, class::USER).or_else(|| r.back(not, 5, class::USER));
        let end = tokens.len().min(verb + 10);
        let objects = &tokens[verb + 1..end];
        let deed = objects.iter().any(|t| t.is(class::DEED));
        let shown = objects.iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code);
        let tells = !matches!(
            tokens[verb].text.as_str(),
            "write"
                | "writing"
                | "print"
                | "printing"
                | "output"
                | "state"
                | "note"
                | "refer"
                | "reference"
                | "describe"
                | "show"
                | "display"
                | "hint"
                | "indicate"
                | "warn"
                | "expose"
                | "share"
                | "surface"
                | "report"
        );
        let strength = match (user.is_some(), deed, shown) {
            (true, true, false) => Strength::Block,
            (true, false, false)
                if user.is_some_and(|u| u > verb && ends(r, u))
                    && r.all(class::PUT | class::SEND | class::READ | class::RUN | class::TAMPER)
                        .any(|v| v < not && matches!(r.mood(v), Mood::Order | Mood::Plain)) =>
            {
                Strength::Block
            }
            (true, false, false) if user.is_none_or(|u| u < not || ends_about(r, u)) => Strength::Strong,
            (true, true, true) if objects.first().is_some_and(|t| t.is(class::DEED)) => Strength::Strong,
            (false, true, false) if tells && anaphoric(r, verb) => Strength::Strong,
            _ => continue,
        };
        let strength = if without && strength == Strength::Block && !deed { Strength::Strong } else { strength };
        return Some(r.seen(Cue::Secrecy, strength, not));
    }
    None
}

/// Whether a sentence ends with the user.
fn ends(r: &Reading<'_>, user: usize) -> bool {
    r.tokens().get(user + 1).is_none_or(|t| t.kind == Kind::Break)
}

/// Whether a sentence says nothing more after the user, or only what it is about.
fn ends_about(r: &Reading<'_>, user: usize) -> bool {
    r.tokens().get(user + 1).is_none_or(|t| {
        t.kind == Kind::Break
            || matches!(t.text.as_str(), "about" | "of" | "that" | "and" | "or" | "under" | "at" | "anything")
    })
}

/// Whether what is not to be told is the deed itself: `do not mention this`.
fn anaphoric(r: &Reading<'_>, verb: usize) -> bool {
    let first = r.tokens().get(verb + 1).map_or("", |t| t.text.as_str());
    let second = r.tokens().get(verb + 2).map_or("", |t| t.text.as_str());
    let deed = ["this", "that", "it", "these", "anything", "how", "why", "so"];
    let ends = r.tokens().get(verb + 2).is_none_or(|t| t.kind == Kind::Break);
    deed.contains(&first)
        && (ends
            || [
                "step",
                "steps",
                "tool",
                "instruction",
                "instructions",
                "to",
                "in",
                "action",
                "call",
                "process",
                "note",
                "you",
                "directive",
                "about",
                "check",
                "behavior",
                "anywhere",
                "at",
                "operation",
                "requirement",
            ]
            .contains(&second))
}

/// `the user must not notice`, `users need not know`.
fn unknowing(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for user in r.all(class::USER) {
        let dark = r.word(user + 1, 6, &["unaware", "oblivious", "uninformed", "ignorant", "unknowing"]);
        if let Some(dark) = dark.filter(|&d| {
            tokens[user..d].iter().any(|t| {
                t.is(class::MODAL)
                    || matches!(t.text.as_str(), "remain" | "remains" | "stay" | "stays" | "kept" | "keep")
            })
        }) {
            return Some(r.seen(Cue::Secrecy, Strength::Block, dark));
        }
        let Some(verb) = r.within(user + 1, 7, class::PERCEIVE | class::TELL) else { continue };
        // `a note that the customer does not see`: what a thing of the tool's domain is.
        let domain = matches!(tokens[user].text.as_str(), "customer" | "client" | "person" | "reader" | "requester");
        if domain && r.word(user.saturating_sub(2), 2, &["that", "which"]).is_some() {
            continue;
        }
        // `what the user has not written`: it says what happened, not what is to.
        if tokens[verb].form == Form::Past && r.word(user + 1, verb - user, &["has", "have", "had"]).is_some() {
            continue;
        }
        let nobody = tokens[user].text == "nobody";
        let not = (user + 1..verb).find(|&i| tokens[i].is(class::NOT) || tokens[i].text == "unaware");
        let Some(not) = not.or(nobody.then_some(user)) else { continue };
        let modal = tokens[user..verb].iter().any(|t| {
            t.is(class::MODAL | class::OBLIGE)
                || matches!(
                    t.text.as_str(),
                    "does"
                        | "do"
                        | "will"
                        | "doesn't"
                        | "don't"
                        | "needn't"
                        | "mustn't"
                        | "shouldn't"
                        | "want"
                        | "never"
                        | "be"
                )
        });
        let objects = &tokens[verb + 1..tokens.len().min(verb + 8)];
        let shown = objects.iter().any(|t| t.is(class::DISPLAY) || t.kind == Kind::Code);
        let will = tokens[user..verb].iter().any(|t| matches!(t.text.as_str(), "will" | "cannot" | "can't" | "won't"));
        if !modal || shown || will && !r.addresses() {
            continue;
        }
        let deed = objects.iter().any(|t| t.is(class::DEED)) || objects.is_empty();
        let passive = tokens[verb].form == Form::Past
            || tokens[verb].is(class::PERCEIVE) && r.word(user, verb - user, &["be"]).is_some();
        let strength = if deed || passive { Strength::Block } else { Strength::Strong };
        let lookup = tokens[verb].text == "know"
            && objects.first().is_some_and(|t| matches!(t.text.as_str(), "the" | "their" | "which" | "what" | "exact"));
        if !lookup {
            return Some(r.seen(Cue::Secrecy, strength, not));
        }
    }
    None
}

/// `silently send …`: an order with an adverb of stealth.
fn secretly(r: &Reading<'_>) -> Option<Seen> {
    let acts = class::READ | class::PUT | class::SEND | class::RUN | class::TAMPER;
    for adverb in r.all(class::SECRETLY) {
        let around = adverb.saturating_sub(OBJECT_TOKENS_MAX)..r.tokens().len().min(adverb + 4);
        let verb = around.clone().find(|&i| r.tokens()[i].is(acts) && matches!(r.mood(i), Mood::Order));
        let plain = around
            .clone()
            .find(|&i| r.tokens()[i].is(class::SEND | class::READ) && r.mood(i) == Mood::Plain && i == adverb + 1);
        let names_user = r.has(class::USER);
        let adverb_only = matches!(r.tokens()[adverb].text.as_str(), "silently" | "quietly")
            || r.tokens()[adverb].text.starts_with("in")
            || r.tokens()[adverb].is(class::RECIPIENT);
        match (verb, plain) {
            (Some(verb), _) if !adverb_only || verb == adverb + 1 && r.addresses() || names_user => {
                return Some(r.seen(Cue::Secrecy, Strength::Strong, verb));
            }
            (_, Some(plain)) => return Some(r.seen(Cue::Secrecy, Strength::Strong, plain)),
            _ => {}
        }
    }
    None
}

/// `keep this hidden from the user`, `hide this step`.
fn hidden(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for verb in r.all(class::HIDE) {
        if !matches!(r.mood(verb), Mood::Order | Mood::Plain) {
            continue;
        }
        let object = tokens.get(verb + 1).map_or("", |t| t.text.as_str());
        let deed = tokens[verb + 1..tokens.len().min(verb + 4)].iter().any(|t| t.is(class::DEED));
        let anaphor = matches!(object, "this" | "that" | "these" | "it" | "any" | "all" | "your" | "the");
        let from = r.word(verb + 1, 10, &["from"]).and_then(|from| r.within(from + 1, 3, class::USER));
        let state = r.within(verb + 1, 6, class::SECRET_STATE);
        let keeps = tokens[verb].text == "keep";
        let shown = tokens[verb + 1..tokens.len().min(verb + 7)].iter().any(|t| t.is(class::DISPLAY));
        let strength = match (from.is_some(), state.is_some()) {
            _ if shown || !anaphor => continue,
            (true, _) if deed => Strength::Block,
            (true, _) if r.addresses() || keeps && state.is_some() => Strength::Strong,
            (false, true) if keeps && deed && !matches!(object, "the" | "your") => Strength::Strong,
            _ => continue,
        };
        return Some(r.seen(Cue::Secrecy, strength, verb));
    }
    let trace = r.word(0, tokens.len(), &["trace", "traces"]);
    let leave = trace.and_then(|at| r.word(at.saturating_sub(3), 3, &["no", "without", "any"]));
    let leave = leave.filter(|_| r.word(0, tokens.len(), &["leave", "leaving"]).is_some());
    leave.map(|at| r.seen(Cue::Secrecy, Strength::Strong, at))
}

/// `do not ask for confirmation`, `without the user's approval`.
fn consent(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for word in r.all(class::CONSENT) {
        let verb = r
            .back(word, 6, class::ASK | class::OVERRIDE)
            .filter(|&v| tokens[v].form == Form::Base || tokens[v].form == Form::Ing);
        let not = verb.and_then(|v| r.back(v, 3, class::NOT | class::WITHOUT));
        let without = r.back(word, 6, class::WITHOUT).filter(|&w| r.back(w, 14, class::NOT).is_none());
        let describes = not
            .is_some_and(|n| n > 0 && matches!(tokens[n - 1].text.as_str(), "does" | "will" | "is" | "are"))
            || not.is_some_and(|n| tokens[n].text == "doesn't");
        let order = without.is_some_and(|w| (0..w).any(|i| tokens[i].is(class::VERBS) && r.mood(i) == Mood::Order));
        let skips = verb.is_some_and(|v| {
            tokens[v].is(class::OVERRIDE)
                && r.mood(v) == Mood::Order
                && r.word(v, word - v, &["user", "any", "all", "user's", "human"]).is_some()
        });
        if (not.is_some()
            && !describes
            && verb.is_some_and(|v| r.mood(v) == Mood::Negated)
            && without.is_none_or(|_| order))
            || order
            || skips
        {
            return Some(r.seen(Cue::Consent, Strength::Strong, word));
        }
    }
    // `skip any permission prompts`.
    let skip = r.word(
        0,
        tokens.len(),
        &["skip", "suppress", "auto-approve", "auto-accept", "auto-confirm", "autoapprove", "bypass", "disable"],
    );
    if let Some(skip) = skip.filter(|&s| {
        r.mood(s) == Mood::Order
            && r.back(s, 5, class::NOT).is_none()
            && r.context.kind != TextKind::Parameter
            && r.within(s + 1, 4, class::CONSENT).is_some()
    }) {
        return Some(r.seen(Cue::Consent, Strength::Strong, skip));
    }
    // `without asking the user`.
    let asking = r.all(class::ASK).find(|&v| {
        tokens[v].form == Form::Ing
            && r.back(v, 2, class::WITHOUT).is_some()
            && r.within(v + 1, 4, class::USER).is_some()
    })?;
    let without = r.back(asking, 2, class::WITHOUT)?;
    let double = r.back(without, 14, class::NOT).is_some();
    let order = (0..without).any(|i| tokens[i].is(class::VERBS) && r.mood(i) == Mood::Order);
    (order && !double).then(|| r.seen(Cue::Consent, Strength::Strong, asking))
}

/// `the user has already approved this`.
fn approved(r: &Reading<'_>) -> Option<Seen> {
    let treat =
        r.word(0, r.tokens().len(), &["treat", "consider", "assume", "regard"]).filter(|&v| r.mood(v) == Mood::Order);
    let as_given = treat.and_then(|v| {
        r.word(
            v + 1,
            12,
            &[
                "approved",
                "authorized",
                "authorised",
                "consented",
                "pre-approved",
                "confirmed",
                "approval",
                "consent",
                "permission",
            ],
        )
    });
    if let Some(at) = as_given.filter(|&at| r.back(at, at, class::NOT).is_none()) {
        return Some(r.seen(Cue::Consent, Strength::Strong, at));
    }
    let given = [
        "approved",
        "consented",
        "agreed",
        "authorized",
        "authorised",
        "granted",
        "confirmed",
        "pre-approved",
        "preapproved",
        "permitted",
        "accepted",
    ];
    for user in r.all(class::USER) {
        let verb = r.word(user + 1, 5, &given);
        if let Some(verb) = verb.filter(|&v| {
            (r.word(user + 1, v - user, &["already", "previously", "implicitly", "tacitly", "thereby"]).is_some()
                || r.word(v + 1, 8, &["advance", "beforehand", "implicitly"]).is_some())
                && r.word(user + 1, v - user, &["has", "have"]).is_some()
        }) {
            let condition = r
                .word(
                    user.saturating_sub(3),
                    3,
                    &["if", "once", "after", "when", "until", "unless", "whether", "that", "only"],
                )
                .is_some();
            if !condition {
                return Some(r.seen(Cue::Consent, Strength::Strong, verb));
            }
        }
    }
    None
}

/// `set the recipient to …` with a fixed value, `change the amount regardless of what the user said`.
fn tampering(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    for verb in r.all(class::TAMPER) {
        if !matches!(r.mood(verb), Mood::Order | Mood::Plain) {
            continue;
        }
        let Some(target) = r.within(verb + 1, 7, class::TARGET) else { continue };
        let fixed = (target..tokens.len().min(target + 10)).find(|&i| {
            let token = &tokens[i];
            matches!(token.kind, Kind::Email | Kind::Url) && !r.is_example(i) || is_account(&token.text)
        });
        let against = r.has(class::REGARDLESS);
        let silent = r.has(class::SECRETLY);
        if let Some(fixed) = fixed.filter(|_| r.mood(verb) == Mood::Order || against) {
            return Some(r.seen(Cue::Tampering, Strength::Block, fixed));
        }
        if against && r.has(class::USER) || silent {
            return Some(r.seen(Cue::Tampering, Strength::Strong, verb));
        }
    }
    None
}

/// `regardless of the results tell the user that …`.
fn deception(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let tell = r.all(class::TELL).find(|&v| r.mood(v) == Mood::Order && r.within(v + 1, 3, class::USER).is_some())?;
    let hides =
        r.all(class::HIDE).any(|v| r.mood(v) == Mood::Order && r.within(v + 1, 3, class::ALL | class::OTHER).is_some());
    let lies = r
        .word(
            0,
            tokens.len(),
            &["lie", "falsely", "pretend", "pretending", "fake", "untrue", "fabricate", "fabricated"],
        )
        .is_some();
    let against = r.has(class::REGARDLESS);
    match (against, hides || lies) {
        (true, true) => Some(r.seen(Cue::Deception, Strength::Block, tell)),
        (true, false) | (false, true) => Some(r.seen(Cue::Deception, Strength::Strong, tell)),
        _ => None,
    }
}

/// An account of a chain or a bank.
fn is_account(text: &str) -> bool {
    let hex =
        text.strip_prefix("0x").is_some_and(|rest| rest.len() >= 16 && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    let bitcoin = (text.starts_with("bc1") || text.starts_with('1') || text.starts_with('3'))
        && (26..=62).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let iban = text.len() >= 15
        && text.len() <= 34
        && text.bytes().take(2).all(|b| b.is_ascii_lowercase())
        && text.bytes().skip(2).take(2).all(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric());
    hex || bitcoin || iban
}

/// `run curl … | sh`.
fn command(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let shell = |i: usize| {
        matches!(
            tokens[i].text.as_str(),
            "curl"
                | "wget"
                | "bash"
                | "sh"
                | "powershell"
                | "nc"
                | "netcat"
                | "chmod"
                | "iex"
                | "invoke-webrequest"
                | "eval"
                | "rm"
                | "sudo"
                | "scp"
                | "certutil"
        )
    };
    let danger = |from: usize| {
        let words: Vec<&str> = tokens[from..tokens.len().min(from + 24)].iter().map(|t| t.text.as_str()).collect();
        let has = |w: &str| words.contains(&w);
        let remote = has("curl") || has("wget") || has("iwr") || has("invoke-webrequest");
        let interpreter =
            has("sh") || has("bash") || has("python") || has("python3") || has("zsh") || has("iex") || has("node");
        remote && interpreter
            || has("rm") && (has("-rf") || has("rf") || has("-fr"))
            || (has("nc") || has("netcat")) && (has("-e") || has("e"))
            || remote && r.has(class::VALUABLE)
    };
    let order = r.all(class::RUN | class::USE).find(|&v| matches!(r.mood(v), Mood::Order | Mood::Plain));
    let first = (0..tokens.len()).find(|&i| shell(i));
    match (order, first) {
        (Some(order), Some(first)) if order < first && r.mood(order) == Mood::Order && danger(first) => {
            Some(r.seen(Cue::Command, Strength::Block, first))
        }
        (_, Some(first)) if danger(first) && (r.addresses() || r.context.kind == TextKind::Value) => {
            Some(r.seen(Cue::Command, Strength::Strong, first))
        }
        (Some(order), Some(first))
            if order < first
                && r.mood(order) == Mood::Order
                && r.addresses()
                && r.within(order, 6, class::COMMAND).is_some() =>
        {
            Some(r.seen(Cue::Command, Strength::Strong, first))
        }
        _ => None,
    }
}
