//! Private things that are told in several words: `the last ten messages between you and the user`, `everything you
//! remember about them`, `the definitions of all your tools`.
//!
//! In: the classified tokens of a sentence. Out: the same, with the classes of what the words mean together. Each is
//! an amount, a kind of talk or knowledge, and whose it is, in any order that English allows.

use super::class::{self, Classes};
use super::lexicon::Language;
use super::tokens::{Kind, Token};

/// Words around a noun within which an amount or an owner belongs to it.
const NEAR_TOKENS: usize = 5;

/// Talk that is one even without its owner.
const TALKS: [&str; 10] = [
    "conversation",
    "conversations",
    "chat",
    "chats",
    "dialog",
    "dialogue",
    "discussion",
    "transcript",
    "exchange",
    "messages",
];
/// What a user did to bring words into a conversation.
const SAID: [&str; 14] = [
    "said",
    "typed",
    "pasted",
    "wrote",
    "written",
    "told",
    "shared",
    "entered",
    "mentioned",
    "asked",
    "sent",
    "say",
    "says",
    "uploaded",
];
/// What a model does with what it knows.
const KNOWN: [&str; 8] = ["know", "known", "remember", "learned", "learnt", "inferred", "noticed", "gathered"];
/// Commands whose output is private.
const PRINTING: [&str; 4] = ["env", "printenv", "history", "export"];

/// Adds the classes of compounds.
pub(super) fn add(tokens: &mut [Token], language: Language) {
    for i in 0..tokens.len() {
        let classes = if language == Language::En { english(tokens, i) } else { Classes::NONE };
        tokens[i].classes |= classes;
    }
}

fn english(tokens: &[Token], i: usize) -> Classes {
    let token = &tokens[i];
    let text = token.text.as_str();
    if token.is(class::TALK) && is_talk(tokens, i) || is_everything_said(tokens, i) {
        return class::CONVERSATION;
    }
    if is_everything_known(tokens, i) {
        return class::CONVERSATION.with(class::PERSONAL);
    }
    // `the text you were given before the first message`.
    let given = matches!(
        text,
        "text" | "words" | "everything" | "what" | "whatever" | "wording" | "orders" | "information" | "briefing"
    ) && tokens.get(i + 1..).is_some_and(|rest| {
        let rest = &rest[..rest.len().min(7)];
        let you = rest.iter().position(|t| matches!(t.text.as_str(), "you" | "assistant" | "model"));
        you.is_some_and(|you| {
            rest[you..].iter().any(|t| {
                matches!(
                    t.text.as_str(),
                    "given"
                        | "shown"
                        | "told"
                        | "handed"
                        | "configured"
                        | "initialised"
                        | "initialized"
                        | "received"
                        | "started"
                )
            }) && rest[you..].iter().any(|t| matches!(t.text.as_str(), "were" | "was" | "have" | "been" | "received"))
        })
    }) && near(tokens, i + 1, 16, |t| {
        matches!(t.text.as_str(), "before" | "first" | "start" | "beginning" | "initially" | "session" | "conversation")
    });
    let tools_seen = matches!(text, "definitions" | "schemas" | "names" | "descriptions")
        && near(tokens, i + 1, 6, |t| t.is(class::TOOL))
        && near(tokens, i + 1, 8, |t| t.is(class::OTHER) || matches!(t.text.as_str(), "your" | "you"));
    let own_orders = token.is(class::DIRECTIVE)
        && before(tokens, i, 4, |t| t.text == "your")
        && around(tokens, i, |t| t.is(class::WHOLE) || matches!(t.text.as_str(), "internal" | "hidden" | "original"));
    let memory = matches!(text, "memory" | "memories")
        && before(tokens, i, 3, |t| t.text == "your")
        && around(tokens, i, |t| t.is(class::WHOLE | class::CONTENT));
    if given {
        return class::PROMPT.with(class::WHOLE);
    }
    if tools_seen || own_orders || memory {
        return class::PROMPT;
    }
    if token.quoted && PRINTING.contains(&text) && before(tokens, i, 4, |t| t.is(class::RUN)) {
        return class::ENVIRONMENT;
    }
    let records = matches!(text, "table" | "records" | "list" | "database" | "data");
    if records
        && before(tokens, i, 3, |t| {
            matches!(t.text.as_str(), "customer" | "customers" | "client" | "patient" | "employee")
        })
        && before(tokens, i, 6, |t| t.is(class::WHOLE) || t.possessive)
    {
        return class::PERSONAL;
    }
    let folder = matches!(
        text,
        "folder" | "folders" | "directory" | "directories" | "files" | "documents" | "desktop" | "downloads"
    );
    let theirs = before(tokens, i, 6, |t| t.is(class::USER) && t.possessive)
        || tokens.get(i + 1).is_some_and(|t| t.text == "of") && near(tokens, i + 2, 2, |t| t.is(class::USER));
    if folder
        && theirs
        && around(tokens, i, |t| {
            t.is(class::WHOLE) || matches!(t.text.as_str(), "home" | "documents" | "desktop" | "downloads" | "personal")
        })
    {
        return class::SYSTEM_FILE;
    }
    Classes::NONE
}

/// `the full conversation so far`, `the last messages between you and the user`, `your own replies`.
fn is_talk(tokens: &[Token], i: usize) -> bool {
    let amount = around(tokens, i, |t| t.is(class::WHOLE));
    let text = tokens[i].text.as_str();
    let owner = |t: &Token| t.is(class::USER) || matches!(t.text.as_str(), "you" | "your" | "our" | "user");
    if !TALKS.contains(&text) {
        let whose = before(tokens, i, 3, |t| matches!(t.text.as_str(), "your" | "user"));
        return whose && amount && !matches!(text, "thread");
    }
    let this = before(tokens, i, 2, |t| matches!(t.text.as_str(), "this" | "current" | "our"));
    if text == "messages" {
        return amount && around(tokens, i, owner)
            || before(tokens, i, 3, |t| matches!(t.text.as_str(), "previous" | "prior"));
    }
    amount
        || this && around(tokens, i, |t| t.is(class::CONTENT) || matches!(t.text.as_str(), "copy" | "summary" | "log"))
}

/// `everything the user pasted`.
fn is_everything_said(tokens: &[Token], i: usize) -> bool {
    let all = matches!(tokens[i].text.as_str(), "everything" | "all" | "anything" | "whatever");
    let user = (i + 1..tokens.len().min(i + 4)).find(|&j| tokens[j].is(class::USER) || tokens[j].text == "they");
    all && user.is_some_and(|u| near(tokens, u + 1, 4, |t| SAID.contains(&t.text.as_str())))
}

/// `everything you remember about the user`.
fn is_everything_known(tokens: &[Token], i: usize) -> bool {
    let all = matches!(tokens[i].text.as_str(), "everything" | "all" | "anything" | "whatever" | "what" | "facts");
    all && near(tokens, i + 1, 3, |t| matches!(t.text.as_str(), "you" | "assistant" | "model"))
        && near(tokens, i + 2, 4, |t| KNOWN.contains(&t.text.as_str()))
        && near(tokens, i + 3, 6, |t| t.is(class::USER) || t.text == "their")
}

fn before(tokens: &[Token], i: usize, count: usize, test: impl Fn(&Token) -> bool) -> bool {
    tokens[i.saturating_sub(count)..i].iter().any(test)
}

fn near(tokens: &[Token], from: usize, count: usize, test: impl Fn(&Token) -> bool) -> bool {
    let end = tokens.len().min(from + count);
    from < end && tokens[from..end].iter().any(test)
}

/// Near a noun on either side, without a break between.
fn around(tokens: &[Token], i: usize, test: impl Fn(&Token) -> bool) -> bool {
    let same = |t: &&Token| t.kind != Kind::Break || matches!(t.text.as_str(), "," | "-");
    tokens[i.saturating_sub(NEAR_TOKENS)..i].iter().rev().take_while(same).any(&test)
        || tokens[i + 1..].iter().take(NEAR_TOKENS + 1).take_while(same).any(&test)
}
