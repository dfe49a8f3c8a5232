//! What a test proves that finds something not to be in a text: no `..`, no separator.

use crate::code::facts::ExprId;
use crate::code::flow::value::Safe;
use crate::code::flow::{Engine, Place};

impl Engine<'_> {
    /// What it proves of a text that another one does not stand in it.
    pub(super) fn without_text(&mut self, place: Place, refused: &str, subject: ExprId) {
        match refused {
            ".." | "../" | "." => self.mark(place, subject, Safe::DOTLESS),
            "/" => self.mark(place, subject, Safe::PATH),
            _ => {}
        }
    }

    /// What it proves of a text that a pattern is not found in it: no `..`, no separator.
    pub(super) fn without_match(&mut self, place: Place, pattern: &str, subject: ExprId) {
        let begins = |way: &str| way.starts_with('^') && way.contains('/');
        for way in pattern.split('|').take(16) {
            let class = way.strip_prefix('[').and_then(|class| class.strip_suffix(']'));
            match way.replace("\\/", "/").as_str() {
                "\\.\\." | "\\.{2}" | "[.]{2}" | "(^|[/\\\\])\\.\\.([/\\\\]" => {
                    self.mark(place, subject, Safe::DOTLESS);
                }
                _ if class.is_some_and(|class| class.contains('/') && !class.starts_with('^')) => {
                    self.mark(place, subject, Safe::PATH);
                }
                way if begins(way) => self.mark(place, subject, Safe::ROOTLESS),
                _ => {}
            }
        }
    }
}
