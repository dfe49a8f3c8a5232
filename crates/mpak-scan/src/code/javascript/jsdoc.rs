//! JSDoc comments, and which function they stand before.

use std::collections::BTreeMap;

use oxc_ast::ast::Comment;

/// Comments `/** … */` by the token that they stand before.
#[derive(Default)]
pub(super) struct Docs(BTreeMap<u32, String>);

impl Docs {
    pub(super) fn add(&mut self, comment: &Comment, source: &str) {
        let text = source.get(comment.span.start as usize..comment.span.end as usize).unwrap_or_default();
        let Some(text) = text.strip_prefix("/**").and_then(|text| text.strip_suffix("*/")) else { return };
        let lines = text.lines().map(|line| line.trim().trim_start_matches('*').trim());
        let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
        self.0.insert(comment.attached_to, text);
    }

    /// The comment before `export` stands before what is exported.
    pub(super) fn reach(&mut self, from: u32, to: u32) {
        if let Some(text) = self.0.remove(&from) {
            self.0.insert(to, text);
        }
    }

    /// The comment before a function that begins here.
    pub(super) fn before(&self, start: u32) -> Option<String> {
        self.0.get(&start).cloned()
    }
}
