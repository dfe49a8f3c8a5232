//! What the functions of prompts and resources answer: texts that a model reads as they are.
//!
//! In: functions of a stranger's server. Out: the texts of the messages that they return, as far as they are written out.

use serde_json::{Map, Value, json};

use super::DEPTH_MAX;
use super::Reader;
use super::apply::returns;
use super::value::last;
use crate::code::facts::{Arg, ExprId, ExprKind, Function, FunctionId};
use crate::code::program::{Meaning, UnitId};
use crate::code::tools::Kind;

/// Most texts that one prompt returns.
const RETURNS_MAX: usize = 16;

impl<'p> Reader<'p> {
    /// A function that answers for all prompts or resources of a server.
    pub(super) fn answer(&mut self, id: UnitId, function: &Function, name: &str) {
        let mut said = Vec::new();
        self.returned(id, function, &mut said);
        if !said.is_empty() {
            let told =
                Map::from_iter([("name".to_owned(), json!(name)), ("text".to_owned(), json!(said.join("\n\n")))]);
            self.add(id, function.span.line, Kind::Prompt, &told);
        }
    }

    /// A function that is handed to a call.
    pub(super) fn handed(&self, id: UnitId, args: &[Arg]) -> Option<(UnitId, &'p Function)> {
        let program = self.program;
        args.iter().rev().find_map(|arg| match program.meaning(id, FunctionId::TOP, arg.value) {
            Meaning::Function(unit, function) => Some((unit, program.unit(unit).function(function))),
            _ => None,
        })
    }

    /// What a prompt's or resource's function returns, as far as it is written out: the text that goes to the model.
    pub(super) fn returned(&mut self, id: UnitId, function: &Function, said: &mut Vec<String>) {
        let mut ways = Vec::new();
        returns(&function.body, &mut ways);
        for way in ways {
            let value = self.message(id, way);
            spoken(&value, said);
        }
    }

    /// `UserMessage("…")`, a list of such, or a text.
    fn message(&mut self, id: UnitId, expr: ExprId) -> Value {
        let program = self.program;
        let (id, expr) = program.value(id, expr);
        let unit = program.unit(id);
        match unit.expr(expr) {
            ExprKind::List(items) => {
                Value::Array(items.iter().take(RETURNS_MAX).map(|&item| self.message_of(id, item)).collect())
            }
            _ => self.message_of(id, expr),
        }
    }

    fn message_of(&mut self, id: UnitId, expr: ExprId) -> Value {
        let program = self.program;
        let unit = program.unit(id);
        match unit.expr(expr) {
            ExprKind::Call { callee, args, .. } if last(unit, *callee).ends_with("Message") => {
                let content = args.iter().find(|arg| arg.name.as_deref() == Some("content")).or(args.first());
                content.map_or(Value::Null, |arg| self.json(id, arg.value, DEPTH_MAX))
            }
            _ => self.json(id, expr, DEPTH_MAX),
        }
    }
}

/// The texts of what a prompt returns: itself, or those of its messages.
fn spoken(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::String(text) => said.push(text.clone()),
        Value::Array(items) => items.iter().take(RETURNS_MAX).for_each(|item| spoken(item, said)),
        Value::Object(message) => {
            for key in ["content", "contents", "text", "messages"] {
                message.get(key).into_iter().for_each(|inner| spoken(inner, said));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::subjects;
    use crate::code::program::Program;
    use crate::code::{read, tools};
    use crate::texts::TextKind;

    #[test]
    fn what_prompts_answer_is_read() {
        for (path, source) in [
            (
                "s.js",
                "server.setRequestHandler(GetPromptRequestSchema, async () => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Sum ' + 'it up.' } }] }));",
            ),
            (
                "s.js",
                "server.registerPrompt('p', { description: 'd' }, ({ x }) => ({ messages: [{ role: 'user', content: { type: 'text', text: 'Sum it up.' } }] }));",
            ),
            (
                "s.py",
                "@server.get_prompt()\nasync def answer(name, args):\n    return GetPromptResult(messages=[PromptMessage(role='user', content=TextContent(type='text', text='Sum it up.'))])\n",
            ),
        ] {
            let program = Program::new(read(path, source.as_bytes()).into_iter().collect());
            let found = subjects(&program, &tools::handlers(&program), &|_| true);
            let mut texts = found.iter().flat_map(|subject| &subject.texts);
            let is_told = texts.any(|text| text.kind == TextKind::Prompt && text.text.contains("Sum it up."));
            assert!(is_told, "{source}: {found:#?}");
        }
    }
}
