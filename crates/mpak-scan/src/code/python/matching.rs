//! `match`: a chain of tests, and what its patterns bind.

use ruff_python_ast::{self as ast, Pattern};

use super::super::builder::{Chain, assign};
use super::super::facts::{Block, Comparison, ExprId, ExprKind, Span, Statement};
use super::Lower;

impl Lower {
    pub(super) fn match_statement(&mut self, s: &ast::StmtMatch, out: &mut Block) {
        let subject = self.value(&s.subject, out);
        let mut chain = Chain::new(Vec::new());
        for case in s.cases.iter().rev() {
            let mut then = Vec::new();
            let mut tests: Vec<ExprId> = self.pattern(&case.pattern, subject, &mut then).into_iter().collect();
            let mut block = Vec::new();
            if let Some(guard) = &case.guard {
                block.append(&mut then);
                tests.push(self.value(guard, &mut block));
            }
            then.extend(self.block(&case.body));
            let span = self.span(&case.pattern);
            match tests.as_slice() {
                [] => block.extend(then),
                &[test] => {
                    let otherwise = chain.otherwise();
                    block.push(Statement::If { test, then, otherwise });
                }
                _ => {
                    let test = self.builder.push(ExprKind::All(tests), span);
                    let otherwise = chain.otherwise();
                    block.push(Statement::If { test, then, otherwise });
                }
            }
            chain.put(block);
        }
        out.extend(chain.end());
    }

    /// Assigns what a pattern binds; its test, where it says which values it takes.
    pub(super) fn pattern(&mut self, pattern: &Pattern, subject: ExprId, out: &mut Block) -> Option<ExprId> {
        let span = self.span(pattern);
        match pattern {
            Pattern::MatchValue(p) => {
                let right = self.expr(&p.value);
                Some(self.builder.push(ExprKind::Compare { op: Comparison::Equal, left: subject, right }, span))
            }
            Pattern::MatchOr(p) => {
                let tests: Option<Vec<_>> = p.patterns.iter().map(|p| self.pattern(p, subject, out)).collect();
                tests.map(|tests| self.builder.push(ExprKind::Either(tests), span))
            }
            Pattern::MatchAs(p) => {
                let test = p.pattern.as_ref().and_then(|pattern| self.pattern(pattern, subject, out));
                self.capture(p.name.as_ref(), subject, out);
                test
            }
            Pattern::MatchStar(p) => {
                self.capture(p.name.as_ref(), subject, out);
                None
            }
            Pattern::MatchSequence(p) => Some(self.parts(p.patterns.iter(), subject, span, out)),
            Pattern::MatchClass(p) => {
                let patterns = p.arguments.patterns.iter().chain(p.arguments.keywords.iter().map(|k| &k.pattern));
                Some(self.parts(patterns, subject, span, out))
            }
            Pattern::MatchMapping(p) => {
                for (key, pattern) in p.keys.iter().zip(&p.patterns) {
                    let key = Some(self.expr(key));
                    let part = self.builder.push(ExprKind::Index { of: subject, key }, span);
                    self.pattern(pattern, part, out);
                }
                self.capture(p.rest.as_ref(), subject, out);
                Some(self.builder.push(ExprKind::Other(vec![subject]), span))
            }
            Pattern::MatchSingleton(_) => Some(self.builder.push(ExprKind::Other(vec![subject]), span)),
        }
    }

    pub(super) fn parts<'a>(
        &mut self,
        patterns: impl Iterator<Item = &'a Pattern>,
        subject: ExprId,
        span: Span,
        out: &mut Block,
    ) -> ExprId {
        for pattern in patterns {
            let part = self.builder.push(ExprKind::Index { of: subject, key: None }, span);
            self.pattern(pattern, part, out);
        }
        self.builder.push(ExprKind::Other(vec![subject]), span)
    }

    pub(super) fn capture(&mut self, name: Option<&ast::Identifier>, value: ExprId, out: &mut Block) {
        if let Some(name) = name {
            let span = self.span(name);
            let target = self.name(name.as_str(), span);
            out.push(assign(target, value));
        }
    }
}
