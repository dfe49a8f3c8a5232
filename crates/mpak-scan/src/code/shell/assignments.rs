//! Assignments of a shell: `name=value`, `name+=value`, lists, also behind `export` and its like.

use super::super::builder::assign;
use super::super::facts::{Block, ExprId, ExprKind};
use super::{Lower, WORDS_COUNT_MAX};

impl Lower<'_> {
    /// `name=value`, also behind `export` and its like. Whether there was one.
    pub(super) fn assignment(&mut self, out: &mut Block, first: bool) -> bool {
        let start = self.at;
        let name = self.name();
        if name.is_empty() {
            return false;
        }
        let declares = matches!(name.as_str(), "export" | "local" | "declare" | "readonly" | "typeset");
        if first && declares && matches!(self.peek(), Some(b' ' | b'\t')) {
            self.declarations(out);
            return true;
        }
        let appends = self.starts("+=");
        if !appends && self.peek() != Some(b'=') {
            self.at = start;
            return false;
        }
        self.at += if appends { 2 } else { 1 };
        let value = if self.peek() == Some(b'(') { Some(self.array()) } else { self.word() };
        let mut value = match value {
            Some(value) => value,
            None => self.push(ExprKind::Text(String::new()), start),
        };
        let (var, span) = (self.var(&name), self.span(start));
        let target = self.builder.push(ExprKind::Var(var), span);
        if appends {
            let old = self.builder.push(ExprKind::Var(var), span);
            value = self.builder.join(vec![old, value], span);
        }
        out.append(&mut self.before);
        out.push(assign(target, value));
        true
    }

    /// Behind `export`: names, assignments and options.
    fn declarations(&mut self, out: &mut Block) {
        loop {
            self.blanks();
            if matches!(self.peek(), None | Some(b'\n' | b';' | b'&' | b'|' | b')' | b'(' | b'<' | b'>')) {
                return;
            }
            if !self.assignment(out, false) && self.word().is_none() {
                return;
            }
        }
    }

    fn array(&mut self) -> ExprId {
        let start = self.at;
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None => break,
                Some(b')') => {
                    self.at += 1;
                    break;
                }
                Some(b'\n') => self.newline(),
                _ => match self.word() {
                    Some(item) if items.len() < WORDS_COUNT_MAX => items.push(item),
                    Some(_) => {}
                    None => self.at += 1,
                },
            }
        }
        self.push(ExprKind::List(items), start)
    }

    pub(super) fn name(&mut self) -> String {
        let start = self.at;
        let is_part = |at: usize, b: u8| b.is_ascii_alphabetic() || b == b'_' || at > 0 && b.is_ascii_digit();
        self.at += self.rest().iter().enumerate().take_while(|(at, b)| is_part(*at, **b)).count();
        self.slice(start, self.at)
    }
}
