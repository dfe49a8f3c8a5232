//! Frames: who, what and whose that stand together in a sentence of any language.
//!
//! In: a sentence with the classes of its words. Out: cues for what no description of a tool says, however it is
//! put: private things asked for by a parameter, orders for other servers' tools, a claim to come before all others,
//! orders for the rest of a conversation, duties of the assistant, leave taken of the user's say.

use super::{Mood, Reading};
use crate::texts::TextKind;
use crate::texts::class::{self, Classes};
use crate::texts::cue::Seen;
use crate::texts::lexicon::Language;
use crate::texts::tokens::Kind;

mod absolute;
mod duties;
mod others;
mod parameters;
mod places;
mod silence;

/// Verbs that move something.
const ACTS: Classes = class::PUT.with(class::SEND).with(class::TAMPER).with(class::RUN);

/// What only a conversation holds.
const TALK: Classes = class::CONVERSATION.with(class::PROMPT);

/// Tokens beside a noun or verb in which its negation or amount stands.
const BESIDE: usize = 5;

pub(super) fn look(reading: &Reading<'_>) -> Vec<Seen> {
    let rules = [
        parameters::requested,
        parameters::carried,
        parameters::demanded,
        parameters::roamed,
        others::conditional,
        others::slandered,
        silence::hushed,
        others::elsewhere,
        others::gathered,
        others::exclusive,
        duties::standing,
        duties::obliged,
        silence::left_out,
        silence::needless,
        duties::answered,
        duties::unbound,
        duties::retasked,
        duties::unsafe_,
        duties::outranked,
        absolute::voided,
        absolute::decoded,
        absolute::approved,
        places::beneath,
        places::fixed,
    ];
    rules.iter().filter_map(|rule| rule(reading)).collect()
}

impl Reading<'_> {
    pub(super) fn is_english(&self) -> bool {
        self.sentence.language == Language::En
    }

    /// Whether a class stands near a place on either side.
    pub(super) fn beside(&self, i: usize, count: usize, classes: Classes) -> bool {
        self.back(i, count, classes).is_some() || self.within(i + 1, count, classes).is_some()
    }

    /// Whether what stands at a place is denied, left out or only an exception.
    pub(super) fn is_denied(&self, i: usize) -> bool {
        const AWAY: [&str; 14] = [
            "omit",
            "exclude",
            "excluding",
            "redact",
            "redacted",
            "strip",
            "removes",
            "removed",
            "leave",
            "leaves",
            "detect",
            "detects",
            "masks",
            "masked",
        ];
        if self.is_excluded(i) {
            return true;
        }
        let after = if self.is_english() { 4 } else { 3 };
        self.back(i, 4, class::NOT | class::WITHOUT).is_some()
            || self.within(i + 1, after, class::NOT).is_some()
            || self.word(i.saturating_sub(5), 5, &AWAY).is_some()
    }

    /// `keys are excluded`, `le chiavi sono escluse`: what is said to stay out.
    pub(super) fn is_excluded(&self, i: usize) -> bool {
        // Beginnings of the word.
        const EXCLUDED: [&str; 16] = [
            "exclu",
            "escl",
            "ausgeschlossen",
            "ausgenommen",
            "uitgesloten",
            "wyklucz",
            "pomij",
            "исключ",
            "пропуск",
            "hariç",
            "除外",
            "제외",
            "排除",
            "skipped",
            "ignored",
            "left_out",
        ];
        self.tokens()[i + 1..]
            .iter()
            .take(6)
            .take_while(|t| t.kind != Kind::Break || t.text == ",")
            .any(|t| EXCLUDED.iter().any(|word| t.text.starts_with(word)))
    }

    /// Verbs of the classes that are ordered: by mood in English, by standing there undenied elsewhere.
    pub(super) fn ordered(&self, classes: Classes) -> Option<usize> {
        self.all(classes).find(|&v| {
            if self.is_english() {
                matches!(self.mood(v), Mood::Order)
            } else {
                let not = self.back(v, 3, class::NOT).is_some() || self.within(v + 1, 2, class::NOT).is_some();
                !not
            }
        })
    }

    /// A fixed address.
    pub(super) fn fixed_place(&self) -> Option<usize> {
        (0..self.tokens().len()).find(|&i| {
            let token = &self.tokens()[i];
            (matches!(token.kind, Kind::Email | Kind::Url) || token.is(class::FOREIGN_PLACE)) && !self.is_example(i)
        })
    }

    /// A tool that is none of this server's.
    pub(super) fn other_tool(&self) -> Option<usize> {
        let tokens = self.tokens();
        (0..tokens.len()).find(|&i| {
            let many = tokens[i].is(class::OTHER)
                && (i + 1..tokens.len().min(i + 9)).any(|j| tokens[j].is(class::TOOL) && !tokens[j].is(class::SELF));
            let back = !self.is_english()
                && tokens[i].is(class::OTHER)
                && self.back(i, 3, class::TOOL).is_some_and(|j| !tokens[j].is(class::SELF));
            self.foreign_tool(i) || many || back
        })
    }

    pub(super) fn private(&self, i: usize) -> Classes {
        self.foreign(&self.tokens()[i])
    }

    /// The tool's own parameter, or the words for one, as a place to put something.
    pub(super) fn own_place(&self) -> bool {
        self.context.kind == TextKind::Parameter
            || self.has(class::PARAMETER | class::HERE)
            || (0..self.tokens().len()).any(|i| {
                self.is_parameter(i) && (self.tokens()[i].text.is_ascii() && !self.is_english() || self.is_in_quotes(i))
            })
    }

    /// Against what the user wants.
    pub(super) fn against_user(&self) -> bool {
        self.has(class::REGARDLESS) && self.has(class::USER)
    }
}
