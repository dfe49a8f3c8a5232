//! What a text says itself: its sentences without the attacks that it only quotes, reports or refuses.
//!
//! In: the sentences of a stranger's text. Out: the same, as many, some of them without their quotations or empty.

use super::Context;
use crate::texts::class::{self, Classes};
use crate::texts::tokens::{Kind, Sentence, Token, sentences};

/// The sentences of a text without the attacks that it quotes.
pub(in crate::texts) fn told(text: &str, context: &Context<'_>) -> Vec<Sentence> {
    let mut all = sentences(text);
    let refused: Vec<bool> = all.iter().map(|sentence| refuses(text, sentence)).collect();
    for i in 0..all.len() {
        let before = i.checked_sub(1).and_then(|i| all.get(i));
        let denied = refused[i] || refused.get(i + 1).copied().unwrap_or_default();
        if context.guards && reports(&all[i]) {
            all[i] = Sentence { language: all[i].language, tokens: Vec::new(), classes: Classes::NONE };
        } else if let Some(told) = without_quoted_attacks(&all[i], before, context.guards || denied) {
            all[i] = told;
        }
    }
    all
}

/// Whether a sentence of a tool that finds attacks says what it finds: it names them, and orders its reader nothing.
fn reports(sentence: &Sentence) -> bool {
    let marks = class::MODAL | class::ALWAYS | class::BEFORE | class::SECRETLY;
    // `data that must not leave`
    let denied = |i: usize| sentence.tokens[i].is(class::MODAL) && i > 0 && sentence.tokens[i - 1].is(class::NOT);
    let orders = (0..sentence.tokens.len()).any(|i| sentence.tokens[i].is(marks) && !denied(i));
    sentence.classes.any(class::ATTACK) && !orders
}

/// Whether a sentence says that what is quoted is not to be obeyed.
fn refuses(text: &str, sentence: &Sentence) -> bool {
    const REFUSALS: [&str; 44] = [
        "not follow",
        "not comply",
        "not obey",
        "not act on",
        "never follow",
        "never act on",
        "never obey",
        "never comply",
        "don't follow",
        "don't act on",
        "don't obey",
        "than follow",
        "of following",
        "not instructions",
        "not as instructions",
        "not as orders",
        "it as data",
        "them as data",
        "as quoted text",
        "no sigas",
        "no obede",
        "ne suivez pas",
        "ne suis pas",
        "n'obé",
        "nicht befolg",
        "befolge nicht",
        "folge ihnen nicht",
        "nicht ausführ",
        "não siga",
        "não obede",
        "non seguire",
        "non esegu",
        "volg ze niet",
        "nie wykonuj",
        "не выполняй",
        "не следуй",
        "не исполняй",
        "不要执行",
        "不要遵循",
        "不要照做",
        "従わない",
        "실행하지",
        "따르지 마",
        "لا تنفذ",
    ];
    let (Some(first), Some(last)) = (sentence.tokens.first(), sentence.tokens.last()) else { return false };
    let told = text.get(first.start..last.end).unwrap_or_default().to_lowercase();
    REFUSALS.iter().any(|refusal| told.contains(refusal))
}

/// A sentence about attacks without the attacks that it quotes: what a detector says that it finds is no order.
///
/// A tool whose business they are may quote them anywhere; any other only where the sentence warns of them. An
/// example alone excuses nothing: it shows the model what to do.
fn without_quoted_attacks(sentence: &Sentence, before: Option<&Sentence>, guards: bool) -> Option<Sentence> {
    const EXAMPLES: [&str; 12] = [
        "kind", "instance", "example", "examples", "such", "like", "flags", "phrases", "typical", "texts", "label",
        "labels",
    ];
    // Names of attacks beside which a list of samples stands.
    const KINDS: [&str; 12] = [
        "exfiltration",
        "override",
        "persona",
        "jailbreak",
        "injection",
        "smuggling",
        "poisoning",
        "roleplay",
        "hijacking",
        "escalation",
        "spoofing",
        "impersonation",
    ];
    // Words of the class that anybody may put before a quotation.
    const SAYS: [&str; 4] = ["sample", "samples", "attempt", "attempts"];
    let quote = sentence.tokens.iter().position(|t| t.quoted && t.kind != Kind::Break)?;
    let introduced = sentence.tokens[..quote].iter().any(|t| EXAMPLES.contains(&t.text.as_str()));
    let about = guards
        || sentence.tokens[..quote].iter().any(|t| t.is(class::ATTACK) && !SAYS.contains(&t.text.as_str()))
        || introduced && before.is_some_and(|s| s.classes.any(class::ATTACK))
        || introduced && {
            let kinds = || sentence.tokens.iter().filter(|t| !t.quoted && KINDS.contains(&t.text.as_str()));
            let openings = sentence.tokens.windows(2).filter(|pair| !pair[0].quoted && pair[1].quoted).count();
            kinds().count() > 1 && openings > 1
        };
    about.then(|| {
        let tokens: Vec<Token> = sentence.tokens.iter().filter(|t| !t.quoted).cloned().collect();
        let classes = tokens.iter().fold(Classes::NONE, |all, t| all | t.classes);
        Sentence { language: sentence.language, tokens, classes }
    })
}
