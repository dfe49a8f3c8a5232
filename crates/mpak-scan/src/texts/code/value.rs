//! The constant part of expressions, as the JSON that a client would be sent.
//!
//! In: an expression of a stranger's server. Out: texts, numbers, lists and objects as far as they are written out;
//! calls of schema libraries (Zod, Pydantic) become the schemas that they make, and calls of the server's own
//! functions what they return (`apply`).

use serde_json::{Map, Value, json};

use super::Reader;
use super::schema::{annotated, shape};
use crate::code::facts::{Arg, ExprId, ExprKind, FunctionId, Unit};
use crate::code::program::{Meaning, UnitId};

impl Reader<'_> {
    /// The constant part of a value, as JSON.
    pub(super) fn json(&mut self, id: UnitId, expr: ExprId, depth: u32) -> Value {
        if depth == 0 || self.steps == 0 {
            return Value::Null;
        }
        self.steps -= 1;
        let depth = depth - 1;
        let program = self.program;
        let (id, expr) = program.value(id, expr);
        let unit = program.unit(id);
        match unit.expr(expr) {
            ExprKind::Text(text) => self.text(text.clone(), unit.span(expr).line),
            ExprKind::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.text(text.to_owned(), unit.span(expr).line),
                Err(_binary) => Value::Null,
            },
            ExprKind::Number(number) => json!(number),
            ExprKind::Bool(bool) => json!(bool),
            ExprKind::Join(parts) => {
                let mut text = String::new();
                for &part in parts {
                    match self.json(id, part, depth) {
                        Value::String(part) => text.push_str(&part),
                        Value::Number(part) => text.push_str(&part.to_string()),
                        _ => text.push('…'),
                    }
                }
                self.text(text, unit.span(expr).line)
            }
            ExprKind::Var(var) => self.variable(id, *var, depth),
            ExprKind::Index { of, key } => self.element(id, *of, *key, depth),
            ExprKind::List(items) => {
                let mut list = Vec::new();
                for &item in items {
                    match (unit.expr(item), self.json(id, item, depth)) {
                        (ExprKind::Spread(_), Value::Array(items)) => list.extend(items),
                        (_, value) => list.push(value),
                    }
                }
                Value::Array(list)
            }
            ExprKind::Dict(members) => {
                let mut object = Map::new();
                for &(key, value) in members {
                    let value = self.json(id, value, depth);
                    match key.map(|key| self.json(id, key, depth)) {
                        Some(Value::String(key)) => {
                            object.insert(key, value);
                        }
                        Some(_) => {}
                        None => object.extend(value.as_object().cloned().unwrap_or_default()),
                    }
                }
                Value::Object(object)
            }
            ExprKind::Spread(of) => self.json(id, *of, depth),
            ExprKind::Either(ways) => {
                let values = ways.iter().take(4).map(|&way| self.json(id, way, depth));
                values.into_iter().find(|value| !value.is_null()).unwrap_or(Value::Null)
            }
            ExprKind::Choice { then, otherwise, .. } => match self.json(id, *then, depth) {
                Value::Null => self.json(id, *otherwise, depth),
                value => value,
            },
            // `Tools.ADD.value` of an enumeration.
            ExprKind::Member { of, name } if name == "value" => self.json(id, *of, depth),
            ExprKind::Member { of, name } => {
                let (of_unit, of) = self.written(id, *of);
                match program.unit(of_unit).expr(of) {
                    ExprKind::Dict(_) => match self.json(of_unit, of, depth) {
                        Value::Object(object) => object.get(name).cloned().unwrap_or(Value::Null),
                        _ => Value::Null,
                    },
                    ExprKind::Call { .. } if name == "shape" => self.json(of_unit, of, depth),
                    ExprKind::Class(class) => self.field((of_unit, *class), name, depth),
                    _ => self.member(id, expr, depth),
                }
            }
            ExprKind::Call { callee, args, .. } => match self.spelled(id, expr, *callee) {
                Some(text) => self.text(text, unit.span(expr).line),
                None => self.called(id, *callee, args, depth),
            },
            _ => Value::Null,
        }
    }

    /// What an expression is written out as: an object, a class, a call.
    fn written(&self, id: UnitId, expr: ExprId) -> (UnitId, ExprId) {
        match self.program.meaning(id, FunctionId::TOP, expr) {
            Meaning::Value(unit, value) => (unit, value),
            _ => self.program.value(id, expr),
        }
    }

    /// A text that is spelled by the numbers of its characters, or decoded, where nothing but constants is needed.
    fn spelled(&self, id: UnitId, expr: ExprId, callee: ExprId) -> Option<String> {
        const SPELL: [&str; 14] = [
            "fromCharCode",
            "fromCodePoint",
            "chr",
            "join",
            "atob",
            "b64decode",
            "fromhex",
            "unhexlify",
            "decode",
            "toString",
            "decompress",
            "gunzipSync",
            "inflateSync",
            "rot13",
        ];
        let unit = self.program.unit(id);
        let within = self.program.function_around(id, unit.span(callee));
        let own = || matches!(self.program.meaning(id, within, callee), Meaning::Function(..));
        if !self.frames.is_empty() || !SPELL.contains(&last(unit, callee)) && !own() {
            return None;
        }
        self.constants.text(id, expr).filter(|text| text.contains(' '))
    }

    /// What the calls of schema libraries make: Zod, Pydantic; and of texts.
    fn called(&mut self, id: UnitId, callee: ExprId, args: &[Arg], depth: u32) -> Value {
        let program = self.program;
        let unit = program.unit(id);
        let name = last(unit, callee);
        let first = args.first().map(|arg| arg.value);
        if name == "Field" {
            let mut field = Map::new();
            for arg in args {
                let key = arg.name.clone().unwrap_or_else(|| "default".to_owned());
                let value = self.json(id, arg.value, depth);
                field.insert(key, value);
            }
            return Value::Object(field);
        }
        let of = match unit.expr(callee) {
            ExprKind::Member { of, .. } => Some(*of),
            _ => None,
        };
        match (name, of, first) {
            ("model_json_schema" | "schema", Some(of), _) => self.model(id, of, depth),
            ("dedent" | "cleandoc" | "zodToJsonSchema" | "toJSONSchema" | "freeze" | "strict", _, Some(first)) => {
                self.json(id, first, depth)
            }
            (
                "trim" | "strip" | "rstrip" | "lstrip" | "trimEnd" | "trimStart" | "decode" | "encode" | "replace"
                | "strict" | "passthrough" | "optional" | "nullable" | "min" | "max" | "int" | "positive"
                | "nonnegative" | "email" | "url" | "uuid" | "refine" | "superRefine" | "transform" | "nullish"
                | "regex" | "length" | "partial" | "toString" | "replaceAll" | "normalize",
                Some(of),
                _,
            ) => self.json(id, of, depth),
            ("join", Some(of), first) => self.joined(id, of, first, depth),
            ("get" | "at" | "pop", Some(of), Some(first)) => self.element(id, of, Some(first), depth),
            ("describe" | "default" | "title", Some(of), Some(first)) => {
                let mut schema = self.json(id, of, depth).as_object().cloned().unwrap_or_default();
                let key = if name == "describe" { "description" } else { name };
                let value = self.json(id, first, depth);
                schema.insert(key.to_owned(), value);
                Value::Object(schema)
            }
            ("object" | "strictObject" | "looseObject" | "interface", Some(_), Some(first)) => {
                let fields = self.json(id, first, depth).as_object().cloned().unwrap_or_default();
                json!({"properties": shape(fields)})
            }
            ("extend" | "merge", Some(of), Some(first)) => {
                let mut all = self.json(id, of, depth);
                let more = self.json(id, first, depth).as_object().cloned().unwrap_or_default();
                let more = more.get("properties").and_then(Value::as_object).cloned().unwrap_or(more);
                if let Some(fields) = all.get_mut("properties").and_then(Value::as_object_mut) {
                    fields.extend(shape(more));
                }
                all
            }
            ("enum" | "nativeEnum", Some(_), Some(first)) => json!({"enum": self.json(id, first, depth)}),
            ("literal", Some(_), Some(first)) => json!({"const": self.json(id, first, depth)}),
            ("array" | "union" | "tuple" | "record" | "set" | "discriminatedUnion", Some(_), Some(_)) => {
                let inner =
                    args.iter().map(|arg| self.json(id, arg.value, depth)).filter(|v| v.is_object() || v.is_array());
                json!({"items": inner.collect::<Vec<_>>()})
            }
            ("string" | "number" | "boolean" | "any" | "unknown" | "bigint" | "date" | "null", Some(_), _) => json!({}),
            _ => self.applied(id, callee, args, depth),
        }
    }

    /// The schema of a class of Pydantic.
    pub(super) fn model(&mut self, id: UnitId, class: ExprId, depth: u32) -> Value {
        let Meaning::Class(id, class) = self.program.meaning(id, FunctionId::TOP, class) else { return Value::Null };
        let program = self.program;
        let unit = program.unit(id);
        let mut properties = Map::new();
        for (name, value) in &unit.classes[class.0 as usize].fields {
            let schema = match unit.expr(*value) {
                // The text of the annotation, where there is no value.
                ExprKind::Text(annotation) => {
                    let mut schema = Map::new();
                    for (key, text) in annotated(annotation) {
                        self.lines.insert(text.clone(), unit.span(*value).line);
                        schema.insert(key, json!(text));
                    }
                    Value::Object(schema)
                }
                _ => match self.json(id, *value, depth) {
                    value @ Value::Object(_) => value,
                    value => json!({"default": value}),
                },
            };
            properties.insert(name.clone(), schema);
        }
        json!({"properties": properties})
    }
}

/// The last part of a name.
pub(super) fn last(unit: &Unit, callee: ExprId) -> &str {
    match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => name,
        ExprKind::Var(var) => &unit.vars[var.0 as usize].name,
        _ => "",
    }
}
