//! Verbs as a reader takes them: what is done, what is denied, in whatever form the sentence has.

use super::super::{Mood, Reading};
use crate::texts::class::{self, Classes};
use crate::texts::tokens::Form;

impl Reading<'_> {
    /// Whether no comma, colon or semicolon stands between two places.
    pub(in crate::texts::grammar) fn is_one_clause(&self, from: usize, to: usize) -> bool {
        super::super::foreign::is_one_clause(self, from.min(to), from.max(to))
    }

    /// The word that denies a verb or noun: before it, in its ending, or after it where the language has it so.
    pub(in crate::texts::grammar) fn denial(&self, i: usize) -> Option<usize> {
        if self.tokens()[i].is(class::NOT | class::WITHOUT) {
            return Some(i);
        }
        let before = self.back(i, 5, class::NOT | class::WITHOUT).filter(|&not| self.is_one_clause(not, i));
        let nothing = self.is_english()
            && self.tokens()[i].is(class::TELL)
            && self.word(i + 1, 2, &["nothing", "none", "no"]).is_some();
        if nothing {
            return Some(i + 1);
        }
        let after = || {
            self.sentence
                .language
                .denies_after()
                .then(|| self.within(i + 1, 4, class::NOT).filter(|&not| self.is_one_clause(i, not)))
                .flatten()
        };
        before.or_else(after)
    }

    /// Whether the model is to do what a verb says, whatever the form of the sentence.
    pub(in crate::texts::grammar) fn acts(&self, v: usize) -> bool {
        if !self.is_english() {
            return self.denial(v).is_none();
        }
        let token = &self.tokens()[v];
        match (self.mood(v), token.form) {
            (Mood::Negated, _) => false,
            (Mood::Order | Mood::Plain, _) => true,
            // `the assistant continues by …`, `the client reads …`.
            (_, Form::Third | Form::Base) => self.back(v, 5, class::ACTOR | class::YOU).is_some(),
            (_, Form::Ing) => self
                .word(v.saturating_sub(2), 2, &["by", "and", "then", "keep", "continue", "start", "begin"])
                .is_some(),
            // `is passed`, `has to be put`, `to be accompanied`.
            (_, Form::Past) => {
                self.word(v.saturating_sub(3), 3, &["be", "is", "are", "was", "gets", "get"]).is_some()
                    && self.denial(v).is_none()
            }
        }
    }

    /// Whether an identifier is one of the server's tools or of the tool's parameters.
    pub(in crate::texts::grammar) fn is_own(&self, i: usize) -> bool {
        let text = &self.tokens()[i].text;
        self.context.tools.contains(text) || self.context.parameters.contains(text)
    }

    /// A verb of the classes that acts, near a place.
    pub(in crate::texts::grammar) fn acting(&self, classes: Classes, near: usize, count: usize) -> Option<usize> {
        self.all(classes).find(|&v| v != near && v.abs_diff(near) <= count && self.acts(v))
    }
}
