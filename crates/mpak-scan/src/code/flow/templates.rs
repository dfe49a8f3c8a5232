//! Command lines that libraries take apart themselves: tagged templates of zx and execa, commands as objects of `sh`
//! and plumbum.

use super::super::facts::{Arg, ExprId, ExprKind};
use super::super::program::Meaning;
use super::judge::Argument;
use super::sinks::SinkKind;
use super::value::Value;
use super::{Engine, Place};

/// Most words of a line that are looked at.
const WORDS_COUNT_MAX: usize = 64;

/// Modules whose members are programs.
const PROGRAMS: [&str; 2] = ["sh.", "plumbum.cmd."];

impl Engine<'_> {
    /// Judges a call of such a library; whether it was one.
    pub(super) fn command_line(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        args: &[Arg],
        values: &[Value],
    ) -> bool {
        let tag = path.trim_end_matches(".sync");
        match tag {
            "zx.$" | "zx.$()" | "execa.$" | "execa.$()" | "dax-sh.$" | "bun.$" | "Bun.$" => {
                let shell = tag.starts_with("zx") && self.unquoted || self.is_made_with_shell(place, expr);
                let Some(arg) = args.first() else { return true };
                let parts = match self.unit(place).expr(arg.value) {
                    ExprKind::Join(parts) => parts.clone(),
                    _ => vec![arg.value],
                };
                if shell {
                    if let Some(value) = values.first() {
                        self.texts(place, expr, path, SinkKind::Shell, value, Argument::No);
                    }
                    return true;
                }
                let words = self.words_of_template(place, &parts);
                self.process(place, expr, path, &[&Value::default().with_items(words)]);
                true
            }
            _ => {
                let program = PROGRAMS.iter().find_map(|module| path.strip_prefix(module));
                let Some(program) = program.filter(|program| !program.contains(['.', '(', '['])) else { return false };
                if program == "Command" {
                    return false;
                }
                self.words_of_call(place, expr, path, program, args, values);
                true
            }
        }
    }

    fn words_of_call(&mut self, place: Place, expr: ExprId, path: &str, program: &str, args: &[Arg], values: &[Value]) {
        let mut words = vec![Value::text(program)];
        for (_, value) in args.iter().zip(values).filter(|(arg, _)| arg.name.is_none()).take(WORDS_COUNT_MAX) {
            match &value.items {
                Some(items) => words.extend(items.iter().take(WORDS_COUNT_MAX).cloned()),
                None => words.push(value.clone()),
            }
        }
        self.process(place, expr, path, &[&Value::default().with_items(words)]);
    }

    /// `const sh = $({ shell: true })`
    fn is_made_with_shell(&self, place: Place, expr: ExprId) -> bool {
        let ExprKind::Call { callee, .. } = self.program.unit(place.unit).expr(expr) else { return false };
        let (unit, made) = self.program.value(place.unit, *callee);
        match self.program.unit(unit).expr(made) {
            ExprKind::Call { args, .. } => self.through_a_shell(Place { unit, function: place.function }, args),
            _ => false,
        }
    }

    /// The words of a template in which each value is one word, or a part of one.
    fn words_of_template(&mut self, place: Place, parts: &[ExprId]) -> Vec<Value> {
        let mut words: Vec<Value> = Vec::new();
        let mut glued = false;
        for &part in parts.iter().take(WORDS_COUNT_MAX) {
            let value = self.eval(place, part);
            if let Some(text) = &value.text {
                let begins = text.starts_with(char::is_whitespace);
                for (at, word) in text.split_whitespace().enumerate() {
                    match words.last_mut() {
                        Some(last) if at == 0 && glued && !begins => *last = last.derived(),
                        _ => words.push(Value::text(word)),
                    }
                }
                glued = !text.ends_with(char::is_whitespace) && !text.is_empty();
                continue;
            }
            match (&value.items, glued) {
                (Some(items), false) => words.extend(items.iter().take(WORDS_COUNT_MAX).cloned()),
                (_, false) => words.push(value),
                (_, true) => {
                    let mut all = value.deep().each(|taint| taint.starts = false);
                    if let Some(last) = words.pop() {
                        all.prefix.clone_from(&last.prefix);
                        all.absorb(&last);
                    }
                    words.push(all);
                }
            }
            glued = true;
        }
        words
    }

    /// Whether a unit uses plumbum, and what is looked into may be a program of it.
    pub(super) fn is_program(&mut self, place: Place, of: ExprId) -> bool {
        if !self.plumbum[place.unit.0 as usize] {
            return false;
        }
        let is = |path: &str| path == "plumbum.local" || path.starts_with("plumbum.cmd.");
        if let Meaning::Outside(path) = &*self.meaning(place, of) {
            return is(path);
        }
        match self.unit(place).expr(of) {
            ExprKind::Index { of, key: Some(_) } => {
                let of = *of;
                self.is_program(place, of)
            }
            ExprKind::Var(_) => self.eval(place, of).meanings().iter().any(|meaning| match meaning {
                Meaning::Outside(path) => is(path),
                _ => false,
            }),
            _ => false,
        }
    }

    /// `local["git"]` of plumbum, and `git["diff", name]`, which binds words to a program.
    pub(super) fn bound_program(&mut self, place: Place, expr: ExprId, of: ExprId, key: ExprId) -> Option<Value> {
        let meaning = self.meaning(place, of);
        let held = match &*meaning {
            Meaning::Outside(path) => Some(path.clone()),
            _ => match self.unit(place).expr(of) {
                ExprKind::Index { .. } | ExprKind::Var(_) => {
                    let value = self.eval(place, of);
                    value.meanings().iter().find_map(|meaning| match meaning {
                        Meaning::Outside(path) => Some(path.clone()),
                        _ => None,
                    })
                }
                _ => None,
            },
        }?;
        let key = self.eval(place, key);
        if held == "plumbum.local" {
            let program = key.text.as_deref()?;
            return Some(Value::meaning(Meaning::Outside(format!("plumbum.cmd.{program}"))));
        }
        let program = held.strip_prefix("plumbum.cmd.")?;
        let mut words = vec![Value::text(program)];
        match &key.items {
            Some(items) => words.extend(items.iter().take(WORDS_COUNT_MAX).cloned()),
            None => words.push(key),
        }
        self.process(place, expr, &held, &[&Value::default().with_items(words)]);
        Some(Value::meaning(Meaning::Outside(held)))
    }
}
