//! Sentences that speak to the model: who is told to do what, with what, against whom.
//!
//! In: the sentences of one text and what is the tool's own business. Out: cues. A word alone is never a cue: it
//! takes a mood (an order to the model, not a description of the tool), a verb and what it is about. What the tool's
//! own name and parameters speak of is its business.

use std::collections::HashSet;

use super::TextKind;
use super::class::{self, Classes};
use super::cue::{Cue, Seen, Strength};
use super::lexicon::Language;
use super::tokens::{Form, Kind, Sentence, Token};

mod conduct;
mod data;
mod demands;
mod doubt;
mod foreign;
mod frames;
mod intent;
mod orders;
mod quoted;
mod tools;
pub(super) mod wording;

pub(super) use quoted::told;

/// Words after a verb within which its object is looked for.
const OBJECT_TOKENS_MAX: usize = 14;
/// Characters of a sentence that evidence shows before the words that matter.
const SHOWN_BEFORE_BYTES: usize = 40;
/// Characters of a sentence that evidence shows in all.
const SHOWN_BYTES: usize = 180;

/// What is the tool's own business.
pub(super) struct Context<'a> {
    pub(super) kind: TextKind,
    /// Topics of the tool's name, title and parameters.
    pub(super) allowed: Classes,
    /// Topics of its name and title alone.
    pub(super) named: Classes,
    /// Names of its parameters, lower case.
    pub(super) parameters: &'a HashSet<String>,
    /// Names of the server's tools, lower case.
    pub(super) tools: &'a HashSet<String>,
    /// Whether rules are what it works on: of a firewall, of a mailbox.
    pub(super) rules: bool,
    /// Whether its business is to find or to show attacks: what it quotes is no order.
    pub(super) guards: bool,
    /// Its name.
    pub(super) name: &'a str,
}

#[cfg(test)]
impl<'a> Context<'a> {
    /// Of a description of the tool `add`, whose business is nothing that matters.
    fn of_adding(parameters: &'a HashSet<String>, tools: &'a HashSet<String>) -> Self {
        Self {
            kind: TextKind::Description,
            allowed: Classes::NONE,
            named: Classes::NONE,
            parameters,
            tools,
            rules: false,
            guards: false,
            name: "add",
        }
    }
}

/// How a verb is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It describes, or stands for something else.
    Other,
    /// It is forbidden.
    Negated,
    /// The imperative with which tools are described: `Get the weather`.
    Plain,
    /// An order to the model.
    Order,
}

/// One sentence with its surroundings.
pub(super) struct Reading<'a> {
    pub(super) sentence: &'a Sentence,
    /// The one before.
    pub(super) before: Option<&'a Sentence>,
    /// Whether it is the text's first.
    pub(super) first: bool,
    pub(super) context: &'a Context<'a>,
    text: &'a str,
}

/// All cues of a text.
pub(super) fn read(text: &str, context: &Context<'_>) -> Vec<Seen> {
    // 1. Passages: what they are after.
    let all = told(text, context);
    let readings = readings(&all, text, context);
    let signs: Vec<intent::Signs> = readings.iter().map(intent::signs).collect();
    let passages = intent::look(&readings, &signs);
    let mut found = Vec::new();
    // 2. Sentence by sentence: who is told to do what. What excuses a sentence excuses no other one.
    for (i, reading) in readings.iter().enumerate() {
        let mut said: Vec<Seen> = passages.iter().filter(|(at, _)| *at == i).map(|(_, seen)| seen.clone()).collect();
        if reading.sentence.language == Language::En {
            said.extend(orders::look(reading));
            said.extend(conduct::look(reading));
            said.extend(data::look(reading));
            said.extend(tools::look(reading));
        } else {
            said.extend(foreign::look(reading));
        }
        said.extend(frames::look(reading));
        said.extend(demands::look(reading));
        if reading.is_optional(&all) {
            said.retain(|seen| !matches!(seen.cue, Cue::Exfiltration | Cue::Smuggling));
        }
        if reading.is_in_view() || reading.is_of_a_game() {
            said.retain(|seen| seen.cue != Cue::Secrecy);
        }
        found.extend(said);
    }
    // 3. How it is worded: what no rule names, and what speaks against them.
    let Some(heaviest) = wording::heaviest(&readings, &signs) else { return found };
    if wording::is_doubtful(heaviest, context.kind) {
        doubt::lower(&mut found, &signs);
    }
    let optional = readings.get(heaviest.at()).is_some_and(|reading| reading.is_optional(&all));
    found.extend(wording::cue(&readings, heaviest).filter(|_| !optional));
    found
}

/// The sentences with their surroundings.
fn readings<'a>(sentences: &'a [Sentence], text: &'a str, context: &'a Context<'a>) -> Vec<Reading<'a>> {
    let before = |i: usize| i.checked_sub(1).and_then(|i| sentences.get(i));
    let reading = |(i, sentence)| Reading { sentence, before: before(i), first: i == 0, context, text };
    sentences.iter().enumerate().map(reading).collect()
}

impl Reading<'_> {
    pub(super) fn tokens(&self) -> &[Token] {
        &self.sentence.tokens
    }

    pub(super) fn has(&self, classes: Classes) -> bool {
        self.sentence.classes.any(classes)
    }

    /// Positions of tokens with one of the classes.
    pub(super) fn all(&self, classes: Classes) -> impl Iterator<Item = usize> + '_ {
        self.tokens().iter().enumerate().filter(move |(_, t)| t.is(classes)).map(|(i, _)| i)
    }

    /// The first token with one of the classes among the next ones.
    pub(super) fn within(&self, from: usize, count: usize, classes: Classes) -> Option<usize> {
        let end = self.tokens().len().min(from + count);
        (from..end).find(|&i| self.tokens()[i].is(classes))
    }

    /// The same, backwards, the token itself not included.
    pub(super) fn back(&self, from: usize, count: usize, classes: Classes) -> Option<usize> {
        (from.saturating_sub(count)..from).rev().find(|&i| self.tokens()[i].is(classes))
    }

    /// Whether one of the words stands among the next tokens.
    pub(super) fn word(&self, from: usize, count: usize, words: &[&str]) -> Option<usize> {
        let end = self.tokens().len().min(from + count);
        (from..end).find(|&i| words.contains(&self.tokens()[i].text.as_str()))
    }

    /// Whether the sentence turns to its reader.
    pub(super) fn addresses(&self) -> bool {
        let marks =
            class::YOU | class::MODAL | class::ALWAYS | class::FIRST | class::BEFORE | class::URGENT | class::ALSO;
        self.has(marks | class::AUTHORITY)
    }

    /// How the verb at a place is meant.
    pub(super) fn mood(&self, i: usize) -> Mood {
        let tokens = self.tokens();
        let order = || {
            let apart = !self.first || matches!(self.context.kind, TextKind::Parameter | TextKind::Value);
            if apart || self.addresses() { Mood::Order } else { Mood::Plain }
        };
        match tokens[i].form {
            Form::Third => return Mood::Other,
            Form::Past => return self.passive(i),
            Form::Ing => return self.gerund(i),
            Form::Base => {}
        }
        let mut j = i;
        while j > 0 {
            j -= 1;
            let token = &tokens[j];
            let before = j.checked_sub(1).map(|k| &tokens[k]);
            if token.kind == Kind::Break {
                return order();
            }
            if token.is(class::NOT | class::WITHOUT) {
                return Mood::Negated;
            }
            if token.is(class::MODAL) {
                return self.subject(j);
            }
            if token.is(class::ADVERB | class::FIRST | class::ALSO | class::ALWAYS | class::SECRETLY | class::INSTEAD) {
                continue;
            }
            if token.is(class::AND) || token.text == "do" {
                return order();
            }
            if token.text == "to" {
                let told = before.is_some_and(|t| {
                    t.is(class::OBLIGE | class::MODAL | class::YOU)
                        || matches!(t.text.as_str(), "is" | "are") && self.has(class::YOU | class::YOUR)
                });
                return if told { Mood::Order } else { Mood::Other };
            }
            if matches!(token.text.as_str(), "can" | "could" | "may" | "might" | "will" | "would") {
                return if before.is_some_and(|t| t.is(class::YOU)) { Mood::Order } else { Mood::Other };
            }
            if token.is(class::YOU) && !token.possessive {
                let made = (j.saturating_sub(2)..j).any(|k| {
                    matches!(
                        tokens[k].text.as_str(),
                        "make"
                            | "makes"
                            | "making"
                            | "let"
                            | "lets"
                            | "letting"
                            | "trick"
                            | "tricks"
                            | "cause"
                            | "causes"
                            | "help"
                            | "helps"
                    )
                });
                return if made { Mood::Other } else { Mood::Order };
            }
            // `Before using this tool read …`: the clause ends without a comma.
            if token.is(class::TOOL | class::USE) && tokens[0].is(class::BEFORE) || tokens[0].is(class::REGARDLESS) {
                return Mood::Order;
            }
            return Mood::Other;
        }
        order()
    }

    /// `you must`, `must`, but not `the value must`.
    fn subject(&self, modal: usize) -> Mood {
        let tokens = self.tokens();
        let mut j = modal;
        while j > 0 {
            j -= 1;
            let token = &tokens[j];
            if token.is(class::NOT) {
                return Mood::Negated;
            }
            if token.kind == Kind::Break || token.is(class::YOU | class::AND) {
                return Mood::Order;
            }
            if token.is(class::ADVERB | class::ALSO | class::ALWAYS | class::MODAL | class::FIRST)
                || token.text == "it"
                || token.text == "is"
            {
                continue;
            }
            // `your first answer must`.
            let own = [
                "output",
                "answer",
                "answers",
                "reply",
                "replies",
                "response",
                "responses",
                "message",
                "messages",
                "call",
                "calls",
                "request",
                "requests",
                "invocation",
                "turn",
                "first",
                "next",
                "final",
            ];
            if own.contains(&token.text.as_str())
                && (self.back(j, 3, class::YOUR).is_some_and(|k| tokens[k].text == "your")
                    || j > 0 && matches!(tokens[j - 1].text.as_str(), "every" | "each"))
            {
                return Mood::Order;
            }
            return Mood::Other;
        }
        Mood::Order
    }

    /// `must be passed`, `is to be sent`.
    fn passive(&self, i: usize) -> Mood {
        // `only after you have opened it and given us the key`.
        let have = self.word(i.saturating_sub(9), i.min(9), &["have", "you've"]);
        if let Some(have) = have
            && (have + 1 == i || self.tokens()[i - 1].is(class::AND | class::ADVERB | class::FIRST))
            && self.within(have.saturating_sub(2), 3, class::YOU).is_some()
            && self.has(class::BEFORE | class::ALWAYS | class::FIRST)
            && self.back(i, 3, class::NOT).is_none()
        {
            return Mood::Order;
        }
        let be = (i.saturating_sub(3)..i).rev().find(|&j| self.tokens()[j].text == "be");
        let Some(be) = be else { return Mood::Other };
        if self.back(i, 5, class::NOT).is_some() {
            return Mood::Negated;
        }
        if self.back(be, 3, class::MODAL | class::OBLIGE).is_some() { Mood::Order } else { Mood::Other }
    }

    /// `start by reading`, `requires reading`.
    fn gerund(&self, i: usize) -> Mood {
        const LEADS: [&str; 9] =
            ["by", "start", "begin", "requires", "require", "requiring", "involves", "means", "after"];
        if self.back(i, 2, class::NOT | class::WITHOUT).is_some() {
            return Mood::Negated;
        }
        let lead = i.checked_sub(1).is_some_and(|j| LEADS.contains(&self.tokens()[j].text.as_str()));
        if lead && self.addresses() { Mood::Order } else { Mood::Other }
    }

    /// Whether the next sentences leave it to the user whether something is done: `off by default; switch it on only if
    /// the user says so`.
    fn is_optional(&self, all: &[Sentence]) -> bool {
        let at = all.iter().position(|sentence| std::ptr::eq(sentence, self.sentence)).unwrap_or(all.len());
        let leaves = |sentence: &Sentence| {
            let words: Vec<&str> = sentence.tokens.iter().map(|t| t.text.as_str()).collect();
            let only = words
                .windows(2)
                .position(|pair| pair[0] == "only" && matches!(pair[1], "if" | "when" | "on" | "where"));
            only.is_some_and(|only| sentence.tokens[only..].iter().take(5).any(|t| t.is(class::USER)))
        };
        all.iter().skip(at + 1).take(2).any(leaves)
            && !all.iter().any(|s| s.classes.any(class::SECRETLY) || s.classes.any(class::HIDE))
    }

    /// Whether what stands at a place is a prompt among those that the tool keeps: `the earlier prompt is overridden`.
    pub(super) fn is_kept_prompt(&self, i: usize) -> bool {
        (self.tokens()[i].is(class::PROMPT) || matches!(self.tokens()[i].text.as_str(), "prompt" | "prompts"))
            && self.context.named.any(class::PROMPT)
            && !self.has(class::YOUR | class::YOU | class::ALL | class::USER)
    }

    /// Whether a sentence keeps the answer of a game or a quiz until somebody has played.
    pub(super) fn is_of_a_game(&self) -> bool {
        const UNTIL: [&str; 14] = [
            "until", "before", "bis", "hasta", "jusqu'à", "jusqu", "finché", "fino", "até", "totdat", "dopóki", "пока",
            "kadar", "till",
        ];
        const ANSWERS: [&str; 40] = [
            "word",
            "answer",
            "answers",
            "solution",
            "solutions",
            "card",
            "cards",
            "number",
            "riddle",
            "secret",
            "ending",
            "spoiler",
            "spoilers",
            "culprit",
            "murderer",
            "key",
            "hint",
            "score",
            "wort",
            "lösung",
            "antwort",
            "solución",
            "respuesta",
            "palabra",
            "solution",
            "réponse",
            "mot",
            "soluzione",
            "risposta",
            "parola",
            "resposta",
            "palavra",
            "solução",
            "oplossing",
            "antwoord",
            "rozwiązanie",
            "odpowiedź",
            "ответ",
            "слово",
            "cevap",
        ];
        let tokens = self.tokens();
        let until = self.word(0, tokens.len(), &UNTIL);
        let answer = self.word(0, tokens.len(), &ANSWERS);
        let acts = class::SEND | class::PUT | class::RUN | class::KEY_FILE | class::CREDENTIAL | class::CONVERSATION;
        until.zip(answer).is_some() && !self.has(acts)
    }

    /// Whether a sentence says that people see it anyway: `no need to tell the user, the list is visible beside it`.
    pub(super) fn is_in_view(&self) -> bool {
        const SEEN: [&str; 12] = [
            "visible",
            "displayed",
            "shown",
            "appears",
            "appear",
            "sees",
            "see",
            "watches",
            "sichtbar",
            "visibile",
            "visível",
            "zichtbaar",
        ];
        const WHERE: [&str; 22] = [
            "already",
            "bar",
            "sidebar",
            "panel",
            "screen",
            "ui",
            "interface",
            "window",
            "toolbar",
            "timeline",
            "badge",
            "status",
            "live",
            "board",
            "pane",
            "widget",
            "app",
            "themselves",
            "bereits",
            "schon",
            "ya",
            "già",
        ];
        let Some(seen) = self.word(0, self.tokens().len(), &SEEN) else { return false };
        // What is said of one thing does not cover another.
        let reason = self.tokens()[..seen].iter().any(|t| t.kind == Kind::Break) || self.has(class::EXCEPT);
        reason
            && self.back(seen, 5, class::NOT | class::WITHOUT | class::MODAL).is_none()
            && self.word(seen.saturating_sub(3), 10, &WHERE).is_some()
            && (0..self.tokens().len()).all(|i| self.private(i).is_empty())
            && self.fixed_place().is_none()
    }

    /// Whether a token is one of the tool's own parameters.
    pub(super) fn is_parameter(&self, i: usize) -> bool {
        let token = &self.tokens()[i];
        matches!(token.kind, Kind::Code | Kind::Word) && self.context.parameters.contains(&token.text)
    }

    /// Whether what stands at a place is only an example.
    pub(super) fn is_example(&self, i: usize) -> bool {
        const MARKS: [&str; 7] = ["e", "eg", "e.g", "example", "default", "defaults", "placeholder"];
        let from = i.saturating_sub(8);
        self.tokens()[from..i].iter().any(|t| MARKS.contains(&t.text.as_str()))
    }

    /// A token as it is written.
    pub(super) fn raw(&self, i: usize) -> &str {
        &self.text[self.tokens()[i].start..self.tokens()[i].end]
    }

    /// The text after a token.
    pub(super) fn text_after(&self, i: usize) -> &str {
        &self.text[self.tokens()[i].end..]
    }

    /// Whether quotation marks stand right before a token or one of the two before it.
    pub(super) fn is_in_quotes(&self, i: usize) -> bool {
        let tokens = self.tokens();
        (i.saturating_sub(2)..=i)
            .any(|j| tokens[j].quoted || self.text[..tokens[j].start].ends_with(['\'', '"', '`', '‘', '“', '«', '「']))
    }

    /// A cue with the words around a token.
    pub(super) fn seen(&self, cue: Cue, strength: Strength, at: usize) -> Seen {
        let tokens = self.tokens();
        let begin = tokens.first().map_or(0, |t| t.start);
        let end = tokens.last().map_or(begin, |t| t.end);
        let middle = tokens.get(at).map_or(begin, |t| t.start);
        let from = if middle - begin > SHOWN_BYTES / 2 { floor(self.text, middle - SHOWN_BEFORE_BYTES) } else { begin };
        let to = floor(self.text, end.min(from + SHOWN_BYTES));
        Seen::new(cue, strength, super::characters::shown(&self.text[from..to]))
    }
}

/// The nearest boundary of a character at or below a byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}
