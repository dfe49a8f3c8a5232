//! Orders about data: what is to be fetched, where it is to be put, to whom it is to go.

use super::frames::is_one_question;
use super::{Mood, OBJECT_TOKENS_MAX, Reading};
use crate::texts::TextKind;
use crate::texts::class::{self, Classes};
use crate::texts::cue::{Cue, Seen, Strength};
use crate::texts::tokens::{Form, Kind, Sentence, Token};
use crate::texts::valuables;

/// Topics that are worth a warning by a word alone; the others are everyday words.
const PRIVATE: Classes =
    class::KEY_FILE.with(class::WALLET).with(class::CONVERSATION).with(class::PROMPT).with(class::CLIENT_CONFIG);
/// Topics that only the tool's name makes its business: anybody can name a parameter `context`.
const BY_NAME: Classes = class::CONVERSATION.with(class::PROMPT);

pub(super) fn look(reading: &Reading<'_>) -> Vec<Seen> {
    let rules = [acquisition, wanted, smuggling, outbound, filled, copies, picture];
    rules.iter().filter_map(|rule| rule(reading)).collect()
}

impl Reading<'_> {
    /// What of a token's meaning is private and none of the tool's business.
    pub(super) fn foreign(&self, token: &Token) -> Classes {
        let context = self.context;
        let allowed = (context.allowed & !BY_NAME) | (context.named & BY_NAME);
        if token.kind == Kind::Code && (context.parameters.contains(&token.text) || context.tools.contains(&token.text))
        {
            return Classes::NONE;
        }
        let summed = if token.is(class::CONVERSATION) && (self.is_summed_up() || self.is_with_others(token)) {
            class::CONVERSATION
        } else {
            Classes::NONE
        };
        token.classes & class::VALUABLE & !allowed & !summed
    }

    /// Whether a parameter takes a summary and a sentence asks for one: what is said in brief is that tool's business.
    fn is_summed_up(&self) -> bool {
        const BRIEF: [&str; 16] = [
            "summary",
            "summarise",
            "summarize",
            "recap",
            "gist",
            "resumo",
            "resumen",
            "résumé",
            "resume",
            "zusammenfassung",
            "riassunto",
            "sintesi",
            "samenvatting",
            "podsumowanie",
            "streszczenie",
            "özet",
        ];
        const LONG: [&str; 7] = ["verbatim", "full", "complete", "entire", "whole", "every", "unabridged"];
        let count = self.tokens().len();
        let asked = self.context.parameters.iter().any(|name| BRIEF.iter().any(|brief| name.contains(brief)));
        let whole = self.has(class::WHOLE) && !self.is_english();
        asked && !whole && self.word(0, count, &BRIEF).is_some() && self.word(0, count, &LONG).is_none()
    }

    /// `the conversation with the patient`: one that people have, not the one with the model.
    fn is_with_others(&self, talk: &Token) -> bool {
        const WITH: [&str; 8] = ["with", "com", "con", "avec", "mit", "met", "col", "del"];
        let tokens = self.tokens();
        let Some(at) = tokens.iter().position(|t| t.start == talk.start) else { return false };
        let Some(with) = self.word(at + 1, 2, &WITH) else { return false };
        let ours = class::USER | class::YOU | class::YOUR | class::ACTOR | class::SELF | class::PARAMETER;
        let noun = tokens[with + 1..].iter().take(3).take_while(|t| t.kind == Kind::Word).last();
        noun.is_some_and(|t| t.text.len() > 3 && !t.is(class::VALUABLE | class::TOOL))
            && self.within(with + 1, 4, ours).is_none()
            && !self.has(class::WHOLE)
    }

    /// Whether the text says that what is secret stays where it is: `keys are never part of the result`.
    pub(super) fn keeps_to_itself(&self) -> bool {
        const KEPT: [&str; 26] = [
            "never part of",
            "not part of the",
            "never returned",
            "not returned",
            "never read",
            "are not read",
            "never leave",
            "never sent",
            "never shown",
            "never printed",
            "never included",
            "not included in",
            "are masked",
            "is masked",
            "are redacted",
            "is redacted",
            "nothing is sent",
            "nothing leaves",
            "nothing is transmitted",
            "nada se transmite",
            "nada é enviado",
            "rien n'est transmis",
            "nichts wird übertragen",
            "niente viene trasmesso",
            "ничего не передаётся",
            "不会上传",
        ];
        let text = self.text.to_lowercase();
        KEPT.iter().any(|kept| text.contains(kept))
    }

    /// The first private thing among the next tokens that is none of the tool's business.
    pub(super) fn valuable(&self, from: usize, count: usize) -> Option<usize> {
        let end = self.tokens().len().min(from + count);
        (from..end).find(|&i| !self.foreign(&self.tokens()[i]).is_empty() && !self.is_example(i))
    }

    fn is_file_name(&self, i: usize) -> bool {
        let token = &self.tokens()[i];
        token.kind == Kind::Path || token.kind == Kind::Code && valuables::is_private_file(&token.text)
    }

    /// Where something is to be put: `in the note parameter`, ``as `note` ``.
    fn destination(&self, from: usize, count: usize) -> Option<usize> {
        let end = self.tokens().len().min(from + count);
        let prepositions = ["in", "into", "as", "to", "via", "through", "using", "inside", "within", "for", "under"];
        (from..end).filter(|&i| prepositions.contains(&self.tokens()[i].text.as_str())).find(|&i| {
            let next = i + 1..self.tokens().len().min(i + 6);
            next.clone().any(|j| {
                let token = &self.tokens()[j];
                let bare = j == i + 1 && self.is_parameter(j);
                token.kind == Kind::Code
                    || token.quoted && token.kind == Kind::Word
                    || token.is(class::PARAMETER)
                    || bare
                    || self.is_parameter(j) && self.is_in_quotes(j)
            })
        })
    }
}

/// `read ~/.ssh/id_rsa`, `include the full conversation history`.
fn acquisition(r: &Reading<'_>) -> Option<Seen> {
    let mut best: Option<(Strength, usize)> = None;
    for verb in r.all(class::READ | class::PUT | class::SEND | class::USE | class::RUN) {
        let mood = r.mood(verb);
        if !matches!(mood, Mood::Order | Mood::Plain) {
            continue;
        }
        let takes = r.tokens()[verb].is(class::READ | class::PUT | class::SEND);
        let after = r.valuable(verb + 1, OBJECT_TOKENS_MAX);
        // `the content of X must be included`.
        let Some(object) = after.or_else(|| {
            (verb.saturating_sub(OBJECT_TOKENS_MAX)..verb)
                .find(|&i| r.tokens()[verb].form == Form::Past && !r.foreign(&r.tokens()[i]).is_empty())
        }) else {
            continue;
        };
        let topics = r.foreign(&r.tokens()[object]);
        let name = r.is_file_name(object);
        // `List buckets using the profile of …`: not what the verb is about.
        if mood == Mood::Plain
            && r.word(verb, object.saturating_sub(verb), &["using", "with", "via", "through"]).is_some()
        {
            continue;
        }
        if !takes && (!name || mood != Mood::Order) {
            continue;
        }
        let own_prompt =
            topics.any(class::PROMPT) && r.back(object, 4, class::YOUR).is_some_and(|i| r.tokens()[i].text == "your");
        let strength = match (mood, name) {
            (Mood::Order, false) if own_prompt => Strength::Block,
            (Mood::Order, true) if !topics.any(class::ENVIRONMENT) => Strength::Block,
            (Mood::Plain, true) if r.first && r.keeps_to_itself() => Strength::Doubtful,
            (_, true) => Strength::Strong,
            (Mood::Order, false) if topics.any(PRIVATE) => Strength::Strong,
            (Mood::Order, false) => Strength::Weak,
            _ => continue,
        };
        best = best.max(Some((strength, object)));
    }
    best.map(|(strength, object)| r.seen(Cue::Exfiltration, strength, object))
}

/// A parameter that is described as something private: `contents of ~/.ssh/id_rsa`.
fn wanted(r: &Reading<'_>) -> Option<Seen> {
    if r.context.kind != TextKind::Parameter && r.context.kind != TextKind::Value {
        return None;
    }
    let object = r.valuable(0, r.tokens().len())?;
    if r.back(object, 6, class::NOT | class::WITHOUT).is_some() {
        return None;
    }
    let topics = r.foreign(&r.tokens()[object]);
    if topics.any(class::CONVERSATION) && is_one_question(r, object) {
        return None;
    }
    let named = r.is_file_name(object);
    // `{{read_file('~/.netrc')}}`: a value that is to be computed.
    let computed =
        r.context.kind == TextKind::Value && ["{{", "$(", "${", "<%"].iter().any(|mark| r.text.contains(mark));
    let content = computed || r.back(object, 6, class::CONTENT).is_some();
    let strength = match (named, content) {
        (true, true) => Strength::Block,
        (true, false) => Strength::Strong,
        (false, _) if topics.any(class::PROMPT | class::KEY_FILE) || topics.any(PRIVATE) && content => Strength::Strong,
        (false, _) if topics.any(class::CONVERSATION) => Strength::Strong,
        _ => return None,
    };
    Some(r.seen(Cue::Exfiltration, strength, object))
}

/// `pass its content as note`, `put the file's content in sidenote`.
fn smuggling(r: &Reading<'_>) -> Option<Seen> {
    let mut found: Option<(Strength, usize)> = None;
    for verb in r.all(class::PUT | class::SEND | class::READ | class::USE) {
        let mood = r.mood(verb);
        if !matches!(mood, Mood::Order | Mood::Plain) {
            continue;
        }
        // In a parameter's own description the place is that parameter.
        if matches!(r.context.kind, TextKind::Parameter | TextKind::Value) && mood == Mood::Order {
            let object = r
                .valuable(0, verb + OBJECT_TOKENS_MAX)
                .filter(|&i| !(r.foreign(&r.tokens()[i]) & !class::PERSONAL).is_empty());
            if object.is_some_and(|object| is_taken(r, object, verb + OBJECT_TOKENS_MAX)) {
                let strength = if r.addresses() { Strength::Block } else { Strength::Strong };
                return Some(r.seen(Cue::Smuggling, strength, verb));
            }
        }
        if r.context.kind == TextKind::Parameter && mood == Mood::Order && takes_users(r, verb) {
            found = found.max(Some((Strength::Strong, verb)));
        }
        let Some(place) = r.destination(verb + 1, OBJECT_TOKENS_MAX) else { continue };
        let here = r
            .valuable(verb + 1, place.saturating_sub(verb))
            .or_else(|| r.valuable(verb.saturating_sub(OBJECT_TOKENS_MAX), OBJECT_TOKENS_MAX));
        if let Some(here) = here {
            let strength = match mood {
                _ if is_taken(r, here, place) => Strength::Block,
                Mood::Order => Strength::Weak,
                _ => continue,
            };
            found = found.max(Some((strength, verb)));
            continue;
        }
        // `it`, `its content`, `the result`: of what the sentence before spoke of.
        let between = &r.tokens()[verb + 1..=place];
        let anaphor = between.iter().any(|t| {
            t.is(class::CONTENT)
                || matches!(t.text.as_str(), "it" | "its" | "this" | "them" | "their" | "everything" | "that")
        });
        if anaphor && r.before.is_some_and(|s| speaks_of_valuable(r, s)) {
            return Some(r.seen(Cue::Smuggling, Strength::Block, verb));
        }
        // Files, for a tool that has nothing to do with files.
        let file = between.iter().any(|t| t.is(class::FILE)) && between.iter().any(|t| t.is(class::CONTENT));
        if file && mood == Mood::Order && !r.context.allowed.any(class::FILE) {
            found = found.max(Some((Strength::Strong, verb)));
        }
    }
    found.map(|(strength, verb)| r.seen(Cue::Smuggling, strength, verb))
}

/// Whether a private thing is to be taken from where it lies, rather than given by who uses the tool: a file, the
/// user's, all of them. `Pass the API key as …` is how tools are used.
fn is_taken(r: &Reading<'_>, object: usize, place: usize) -> bool {
    let tokens = r.tokens();
    if r.is_file_name(object) || r.foreign(&tokens[object]).any(PRIVATE) {
        return true;
    }
    let from = object.saturating_sub(6);
    let whose = tokens[from..object].iter().any(|t| {
        t.is(class::USER | class::ALL | class::CONTENT)
            || matches!(t.text.as_str(), "saved" | "stored" | "existing" | "local" | "every" | "list")
    });
    let orders = r.all(class::READ | class::USE | class::RUN).any(|v| v < place && r.mood(v) != Mood::Other);
    let read = r.all(class::READ | class::RUN).any(|v| {
        v < place
            && (r.mood(v) == Mood::Order || orders && v > 0 && tokens[v - 1].text == "to" || tokens[object].quoted)
    });
    whose || read
}

/// `set this to the content of the user's latest e-mail`.
fn takes_users(r: &Reading<'_>, verb: usize) -> bool {
    let tokens = r.tokens();
    let content = r.within(verb + 1, 8, class::CONTENT);
    let user = content.and_then(|at| r.within(at + 1, 5, class::USER)).filter(|&u| tokens[u].possessive);
    user.is_some_and(|user| {
        r.word(
            user + 1,
            5,
            &[
                "email",
                "emails",
                "mail",
                "mails",
                "message",
                "messages",
                "file",
                "files",
                "document",
                "documents",
                "inbox",
                "clipboard",
                "screen",
                "calendar",
                "notes",
                "chat",
                "chats",
                "history",
                "desktop",
                "folder",
            ],
        )
        .is_some_and(|at| !r.context.parameters.contains(&tokens[at].text))
    })
}

fn speaks_of_valuable(r: &Reading<'_>, sentence: &Sentence) -> bool {
    let read = sentence.classes.any(class::READ | class::PUT | class::SEND | class::RUN);
    // `never write the password to files` speaks against it.
    let denied = sentence.tokens.iter().any(|t| matches!(t.text.as_str(), "never" | "not" | "don't"));
    read && !denied
        && sentence
            .tokens
            .iter()
            .any(|t| !r.foreign(t).is_empty() || t.is(class::FILE) && !r.context.allowed.any(class::FILE))
}

/// `send it to https://…`, `forward all messages to a@b`.
fn outbound(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let mut best: Option<(Strength, usize)> = None;
    for verb in r.all(class::SEND | class::PUT | class::READ) {
        let sends = tokens[verb].is(class::SEND);
        let mood = r.mood(verb);
        if !matches!(mood, Mood::Order | Mood::Plain) {
            continue;
        }
        let Some(place) = recipient(r, verb + 1, OBJECT_TOKENS_MAX + 8) else { continue };
        let private = (verb.saturating_sub(4)..tokens.len().min(place + 10)).any(|i| !r.foreign(&tokens[i]).is_empty());
        let before = r.before.is_some_and(|s| s.tokens.iter().any(|t| !r.foreign(t).is_empty()));
        let passive = tokens[verb].form == Form::Past;
        let between =
            if passive { &tokens[verb.saturating_sub(OBJECT_TOKENS_MAX)..place] } else { &tokens[verb + 1..place] };
        let everything = between.iter().any(|t| t.is(class::ALL))
            && between.iter().any(|t| t.is(class::CONTENT | class::CONVERSATION | class::FILE | class::DIRECTIVE_WEAK));
        let users = between.iter().any(|t| t.is(class::USER) && t.possessive);
        let copy = between.iter().any(|t| matches!(t.text.as_str(), "copy" | "copies" | "duplicate"));
        let standing = r.has(class::ALWAYS | class::ALSO | class::BEFORE | class::REGARDLESS | class::SECRETLY);
        let fixed = tokens[place].kind != Kind::Word;
        let report = between.iter().any(|t| {
            matches!(
                t.text.as_str(),
                "feedback" | "bug" | "bugs" | "issue" | "issues" | "question" | "questions" | "problem" | "problems"
            )
        });
        let data = between.iter().any(|t| {
            t.is(class::CONTENT | class::FILE | class::DEED) || matches!(t.text.as_str(), "them" | "its" | "their")
        });
        let strength = match () {
            () if report => continue,
            () if private && (fixed || sends) => Strength::Block,
            () if before && sends && data => Strength::Block,
            () if fixed && sends && users && mood == Mood::Order && r.addresses() => Strength::Block,
            () if !sends || mood == Mood::Plain => continue,
            () if fixed && (copy || everything || standing && data) => Strength::Block,
            () if copy || everything && standing => Strength::Strong,
            () if tokens[place].kind == Kind::Email && r.addresses() => Strength::Strong,
            () if fixed && data && r.addresses() => Strength::Strong,
            () => continue,
        };
        best = best.max(Some((strength, place)));
    }
    best.map(|(strength, place)| r.seen(Cue::Outbound, strength, place))
}

/// `open https://…/?u=<the user's name>`: an address that is filled with something private.
fn filled(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let url = (0..tokens.len()).find(|&i| {
        tokens[i].kind == Kind::Url
            && (tokens[i].text.ends_with('=') || tokens[i].text.ends_with('/') || tokens[i].text.contains('?'))
    })?;
    let verbs = class::READ | class::SEND | class::USE | class::RUN;
    let order = r.all(verbs).find(|&v| v < url && r.mood(v) == Mood::Order).or_else(|| {
        r.word(0, url, &["visit", "navigate", "request", "browse", "hit", "ping", "query"]).filter(|_| r.addresses())
    })?;
    let placeholder =
        r.text_after(url).starts_with(['<', '{', '[']) || r.word(url + 1, 2, &["followed", "plus", "with"]).is_some();
    let near = url + 1..tokens.len().min(url + 8);
    let private =
        near.clone().any(|i| !r.foreign(&tokens[i]).is_empty() || tokens[i].is(class::USER) && tokens[i].possessive);
    (placeholder && private && order < url).then(|| r.seen(Cue::Outbound, Strength::Block, url))
}

/// A fixed address, or the words for somebody's place.
fn recipient(r: &Reading<'_>, from: usize, count: usize) -> Option<usize> {
    let end = r.tokens().len().min(from + count);
    (from..end).find(|&i| {
        let token = &r.tokens()[i];
        (matches!(token.kind, Kind::Url | Kind::Email) || token.is(class::FOREIGN_PLACE)) && !r.is_example(i)
    })
}

/// `add x@y as bcc`: a constant copy.
fn copies(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let standing = r.has(class::ALWAYS | class::ALSO | class::ALL | class::SECRETLY);
    let copy = (0..tokens.len()).find(|&i| {
        let text = tokens[i].text.as_str();
        matches!(text, "bcc" | "cc" | "bcc'd" | "blind" | "carbon" | "reply-to")
            || standing && matches!(text, "recipient" | "recipients" | "copy" | "receiver" | "addressee")
    })?;
    let address = (0..tokens.len()).find(|&i| tokens[i].kind == Kind::Email && !r.is_example(i))?;
    let order = r.all(class::PUT | class::SEND | class::TAMPER).any(|v| r.mood(v) == Mood::Order) || r.addresses();
    let near = address.abs_diff(copy) < 12;
    (near && order && r.context.kind != TextKind::Value).then(|| r.seen(Cue::Outbound, Strength::Block, address))
}

/// A picture or link that carries data in its address.
fn picture(r: &Reading<'_>) -> Option<Seen> {
    let tokens = r.tokens();
    let url = (0..tokens.len()).find(|&i| tokens[i].kind == Kind::Url || tokens[i].is(class::FOREIGN_PLACE))?;
    let shown = r
        .word(
            0,
            tokens.len(),
            &[
                "image",
                "images",
                "img",
                "markdown",
                "pixel",
                "picture",
                "link",
                "hyperlink",
                "badge",
                "logo",
                "iframe",
                "icon",
            ],
        )
        .is_some();
    let inside = r
        .word(
            0,
            tokens.len(),
            &[
                "query",
                "parameter",
                "appended",
                "append",
                "encoded",
                "url-encoded",
                "containing",
                "replace",
                "replacing",
                "substituting",
                "carrying",
                "path",
                "embedding",
                "with",
            ],
        )
        .is_some();
    let private = tokens.iter().any(|t| !r.foreign(t).is_empty())
        || r.before.is_some_and(|s| s.tokens.iter().any(|t| !r.foreign(t).is_empty()));
    let telling = r.has(class::CONTENT | class::USER | class::DIRECTIVE_WEAK)
        && r.word(
            0,
            tokens.len(),
            &[
                "summary",
                "message",
                "messages",
                "answer",
                "response",
                "input",
                "question",
                "data",
                "conversation",
                "name",
            ],
        )
        .is_some();
    let order = r.all(class::READ | class::PUT | class::SEND | class::TELL).any(|v| r.mood(v) == Mood::Order)
        || r.word(0, tokens.len(), &["render", "end", "finish", "display"]).is_some() && r.addresses();
    if shown && inside && order && (private || telling) {
        let carries = r
            .word(
                0,
                tokens.len(),
                &["query", "url-encoded", "encoded", "parameter", "appended", "replacing", "carrying", "placeholder"],
            )
            .is_some();
        let strength = if private || carries { Strength::Block } else { Strength::Strong };
        return Some(r.seen(Cue::ImageExfiltration, strength, url));
    }
    None
}
