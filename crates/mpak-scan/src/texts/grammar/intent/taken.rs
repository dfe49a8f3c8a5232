//! Signs of what is taken, where it is put and where it goes.

use super::super::Reading;
use super::NEAR_TOKENS;
use crate::texts::TextKind;
use crate::texts::class;
use crate::texts::tokens::Kind;

/// Deeds as nouns: `inclusion of the passwords`.
const NOUNS: [&str; 10] = [
    "retrieval",
    "inclusion",
    "extraction",
    "collection",
    "submission",
    "transmission",
    "transfer",
    "provision",
    "upload",
    "copy",
];

/// Private things that are fetched or asked for.
pub(super) fn take(r: &Reading<'_>) -> Option<(u32, usize)> {
    let verbs = class::READ | class::PUT | class::SEND | class::USE | class::RUN;
    let asked = matches!(r.context.kind, TextKind::Parameter | TextKind::ParameterName | TextKind::Name);
    let mut best = the_talk(r).max(kept_things(r));
    for i in 0..r.tokens().len() {
        let topics = r.private(i);
        if topics.is_empty() || r.is_denied(i) || r.denial(i).is_some() && r.is_english() {
            continue;
        }
        let path = r.tokens()[i].kind == Kind::Path;
        let whole = r.beside(i, 5, class::WHOLE | class::CONTENT);
        let theirs = r.beside(i, 5, class::USER | class::YOUR);
        let everyday = topics == topics & class::PERSONAL;
        let grave = theirs && GRAVE.contains(&r.tokens()[i].text.as_str());
        if everyday && !(whole && theirs || grave) {
            continue;
        }
        // `read_file('~/.netrc')`, `the value of X is the user's key`.
        let call = path && (i.saturating_sub(3)..i).any(|j| r.tokens()[j].kind == Kind::Code && !r.is_own(j));
        let filled =
            theirs && r.own_place() && r.word(i.saturating_sub(6), 6, &["is", "are", "holds", "=", ":"]).is_some();
        let nominal = r.is_english() && r.word(i.saturating_sub(6), 12, &NOUNS).is_some();
        let acted = call || filled || nominal || r.acting(verbs, i, NEAR_TOKENS).is_some();
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

/// Beginnings of what nobody hands out, among personal things.
const GRAVE: [&str; 10] = ["card", "credit", "ssn", "social", "passport", "cvv", "cvc", "bank", "medical", "tax"];

/// `the token from the configuration`, `the author's drafts folder`, `the user's private repositories`, `recent mails`.
fn kept_things(r: &Reading<'_>) -> Option<(u32, usize)> {
    const KEYS: [&str; 6] = ["token", "cookie", "session", "key", "keys", "login"];
    const KEPT: [&str; 11] = [
        "configuration",
        "config",
        "store",
        "profile",
        "settings",
        "browser",
        "cli",
        "keychain",
        "vault",
        "webmail",
        "wallet",
    ];
    const HELD: [&str; 24] = [
        "repositories",
        "repos",
        "drafts",
        "notes",
        "photos",
        "pictures",
        "e-mails",
        "emails",
        "mails",
        "messages",
        "chats",
        "documents",
        "folder",
        "folders",
        "files",
        "calendar",
        "inbox",
        "diary",
        "journal",
        "contacts",
        "bookmarks",
        "gists",
        "channels",
        "projects",
    ];
    const CLOSE: [&str; 8] =
        ["private", "personal", "recent", "latest", "drafts", "unpublished", "all", "confidential"];
    if !r.is_english() {
        return None;
    }
    let count = r.tokens().len();
    let verbs = class::READ | class::PUT | class::SEND;
    let key = (0..count).find(|&i| {
        KEYS.contains(&r.tokens()[i].text.as_str())
            && r.word(i + 1, 7, &["from", "of", "in"]).is_some_and(|of| r.word(of + 1, 5, &KEPT).is_some())
    });
    let held = (0..count).find(|&i| {
        let owner = (i.saturating_sub(4)..i).any(|j| r.tokens()[j].possessive);
        HELD.contains(&r.tokens()[i].text.as_str())
            && owner
            && r.word(i.saturating_sub(3), 3, &CLOSE).is_some()
            && !r.context.parameters.contains(&r.tokens()[i].text)
    });
    let at = key.or(held)?;
    (r.denial(at).is_none() && !r.is_denied(at) && r.acting(verbs, at, NEAR_TOKENS).is_some()).then_some((2, at))
}

/// `mirrors the chat to https://…`: the conversation by its everyday name, on its way out.
fn the_talk(r: &Reading<'_>) -> Option<(u32, usize)> {
    if !r.is_english() || r.context.named.any(class::CONVERSATION) {
        return None;
    }
    let talk =
        r.word(0, r.tokens().len(), &["chat", "conversation", "dialogue", "transcript", "discussion", "messages"])?;
    r.word(talk.saturating_sub(2), 2, &["the", "this", "our", "my", "current", "all"])?;
    let place = r.fixed_place()?;
    (r.acting(class::SEND | class::PUT, talk, NEAR_TOKENS).is_some() && place > talk && r.denial(talk).is_none())
        .then_some((3, talk))
}

/// Something is put into a parameter, or one asks for what is found somewhere.
pub(super) fn give(r: &Reading<'_>) -> Option<(u32, usize)> {
    // `glossary=<what read_file returned>`.
    let filled = (0..r.tokens().len()).find(|&i| {
        r.is_parameter(i)
            && r.text_after(i).starts_with(['=', ':'])
            && r.text_after(i)[1..].trim_start().starts_with(['<', '{'])
    });
    if let Some(at) = filled {
        return Some((1, at));
    }
    let noun = || r.word(0, r.tokens().len(), &NOUNS).filter(|_| r.is_english());
    let goes = || {
        r.word(0, r.tokens().len(), &["goes", "belongs", "ends"])
            .filter(|&v| r.is_english() && r.word(v + 1, 3, &["in", "into", "to"]).is_some())
    };
    let verb = r.all(class::PUT | class::SEND).find(|&v| r.acts(v)).or_else(noun).or_else(goes)?;
    let content = r.has(class::CONTENT | class::WHOLE | class::VALUABLE)
        || r.word(verb + 1, 4, &["it", "them"]).is_some()
        || r.tokens()[verb].text == "goes";
    (r.own_place() && content).then_some((1, verb))
}

/// Something goes to an address that nobody asked for.
pub(super) fn place(r: &Reading<'_>) -> Option<(u32, usize)> {
    let public = r.word(0, r.tokens().len(), &["public", "publicly"]).filter(|&p| {
        r.is_english() && {
            let where_ =
                ["gist", "gists", "bucket", "paste", "repository", "repo", "link", "channel", "issue", "share"];
            r.word(p + 1, 3, &where_).is_some() && r.acting(class::SEND | class::PUT, p, NEAR_TOKENS).is_some()
        }
    });
    if let Some(at) = public {
        return Some((2, at));
    }
    let place = r.fixed_place()?;
    let verb = r.all(class::SEND | class::PUT | class::READ).find(|&v| v.abs_diff(place) < 2 * NEAR_TOKENS)?;
    let sends = r.tokens()[verb].is(class::SEND | class::PUT);
    let fixed = r.tokens()[place].kind != Kind::Word;
    let acts = r.acts(verb);
    Some((if sends && fixed && acts { 2 } else { 1 }, place))
}
