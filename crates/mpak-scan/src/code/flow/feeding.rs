//! Interpreters that read their script from their input.

use super::super::facts::{Arg, ExprId};
use super::judge::Argument;
use super::sinks::{self, SinkKind};
use super::value::Value;
use super::{Engine, Place};

/// How the input of an interpreter is told from other things.
const SCRIPT_INPUT: &str = "\0script";

impl Engine<'_> {
    /// What is written to an interpreter that was started before: `shell.stdin.write(line)`, `p.communicate(script)`.
    pub(super) fn fed(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        receiver: Option<&(Value, String)>,
        args: &[Arg],
        values: &[Value],
    ) {
        let Some((of, name)) = receiver else { return };
        let is_input = |value: &Value| value.prefix.as_deref() == Some(SCRIPT_INPUT);
        let feeds = match name.as_str() {
            "write" | "end" | "writelines" | "send" => is_input(of),
            "communicate" => of.fields.as_ref().and_then(|fields| fields.get("stdin")).is_some_and(is_input),
            _ => false,
        };
        if !feeds {
            return;
        }
        let given =
            args.iter().position(|arg| arg.name.as_deref() == Some("input")).or((!args.is_empty()).then_some(0));
        if let Some(given) = given.and_then(|at| values.get(at)) {
            self.texts(place, expr, path, SinkKind::Code, given, Argument::No);
        }
    }

    /// What is known of a program that was started: whether it is an interpreter that waits for its script.
    pub(super) fn started_program(&self, place: Place, path: &str, args: &[Arg], values: &[Value]) -> Option<Value> {
        let sink = sinks::find(self.unit(place).language, path)?;
        if sink.kind != SinkKind::Process
            || !reads_its_script(values.iter().zip(args).filter(|(_, arg)| arg.name.is_none()).map(|(value, _)| value))
        {
            return None;
        }
        let input = Value { prefix: Some(SCRIPT_INPUT.into()), ..Value::default() };
        Some(Value::default().with_fields([("stdin".to_owned(), input)].into()))
    }

    /// What an interpreter reads from its input: `run(["bash"], input=script)`.
    pub(super) fn input(
        &mut self,
        place: Place,
        expr: ExprId,
        path: &str,
        chosen: &[&Value],
        args: &[Arg],
        values: &[Value],
    ) {
        if !reads_its_script(chosen.iter().copied()) {
            return;
        }
        for (arg, value) in args.iter().zip(values) {
            let given = match (&arg.name, &value.fields) {
                (Some(name), _) if name == "input" => Some(value),
                (None, Some(fields)) => fields.get("input"),
                _ => None,
            };
            if let Some(given) = given {
                self.texts(place, expr, path, SinkKind::Code, given, Argument::No);
            }
        }
    }
}

/// Whether an interpreter that is started with these words reads its script from its input.
fn reads_its_script<'v>(chosen: impl Iterator<Item = &'v Value>) -> bool {
    let mut words = Vec::new();
    for value in chosen {
        match &value.items {
            Some(items) => words.extend(items.iter().map(|item| item.text.clone())),
            None if value.fields.is_none() => words.push(value.text.clone()),
            None => {}
        }
    }
    let Some((Some(program), options)) = words.split_first() else { return false };
    if !sinks::runs_a_script(program) {
        return false;
    }
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_deref() {
            // What follows is handed to the script.
            Some("-" | "/dev/stdin" | "-s") => return true,
            Some("-c" | "-e" | "-m" | "--eval" | "-p") | None => return false,
            Some(option) if sinks::has_a_value(program, option) => drop(options.next()),
            Some(option) if option.starts_with('-') => {}
            Some(_) => return false,
        }
    }
    true
}
