//! What runs without being called by its name: properties, conversions to text, decorators of functions; and what the
//! types of a handler's parameters say its parts are.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::facts::{ExprId, ExprKind, FunctionId, Language};
use super::super::program::{Meaning, Program, UnitId};
use super::super::shapes;
use super::super::tools;
use super::value::Value;
use super::{DECORATORS_COUNT_MAX, Engine, METHOD_STEPS, Place, tables};

/// Methods that say what an object is as text.
const TEXTS: [&str; 7] =
    ["__str__", "__format__", "toString", "__fspath__", "valueOf", "Symbol.toPrimitive", "__repr__"];

/// Deepest nesting of types that is looked into.
const TYPES_DEPTH_MAX: u32 = 4;
/// Most fields of a class that are taken apart.
const FIELDS_COUNT_MAX: usize = 64;

/// Names of all properties and getters of a program.
pub(super) fn accessors(program: &Program) -> std::collections::BTreeSet<String> {
    let functions = program.units().flat_map(|(_, unit)| &unit.functions);
    functions.filter(|function| function.accessor).filter_map(|function| function.name.clone()).collect()
}

impl Engine<'_> {
    /// What a property or getter gives, where a member is one.
    pub(super) fn accessed(&mut self, place: Place, of: ExprId, name: &str) -> Option<Value> {
        if !self.accessors.contains(name) {
            return None;
        }
        let classes = match self.receiver(place, of) {
            Some(class) => vec![class],
            None => {
                let held = self.eval(place, of);
                held.meanings().iter().filter_map(instance).take(4).collect()
            }
        };
        let mut all: Option<Value> = None;
        for class in classes {
            self.spend(METHOD_STEPS);
            let mut methods: Vec<_> = self.program.method_of(class, name).into_iter().collect();
            if all.is_none() && matches!(self.unit(place).expr(of), ExprKind::Free(_) | ExprKind::Var(_)) {
                methods.extend(self.program.overrides(class, name));
            }
            for (unit, function) in methods {
                if self.program.unit(unit).function(function).accessor {
                    let value = self.call_method(unit, function, Vec::new());
                    all = Some(match all {
                        Some(all) => all.or(&value),
                        None => value,
                    });
                }
            }
        }
        all
    }

    /// Runs a method of the bundle with arguments behind its receiver.
    pub(super) fn call_method(&mut self, unit: UnitId, function: FunctionId, args: Vec<Value>) -> Value {
        let method = usize::from(self.is_method(unit, function));
        let args = std::iter::repeat_n(Value::default(), method).chain(args).collect();
        self.call_function(unit, function, args)
    }

    /// An object that is put into a text is what its class makes of it.
    pub(super) fn in_text(&mut self, value: Value) -> Value {
        if value.means.is_none() {
            return value;
        }
        let classes: Vec<_> = value.meanings().iter().filter_map(instance).take(4).collect();
        let mut text = value;
        for class in classes {
            self.spend(METHOD_STEPS * TEXTS.len() as u64);
            let method = TEXTS.iter().find_map(|name| self.program.method_of(class, name));
            if let Some((unit, function)) = method {
                text = self.call_method(unit, function, Vec::new());
            }
        }
        text
    }

    /// Runs the bundle's own decorators of a function where it is defined: they may keep it for later.
    pub(super) fn defined(&mut self, place: Place, function: FunctionId) {
        let source = self.program.unit(place.unit);
        if source.language != Language::Python {
            return;
        }
        let decorators = &source.function(function).decorators;
        for &decorator in decorators.iter().rev().take(DECORATORS_COUNT_MAX) {
            if tools::registers(source, decorator) {
                continue;
            }
            let of_bundle = |meaning: &Meaning| matches!(meaning, Meaning::Function(..));
            let means = match (&*self.meaning(place, decorator), source.expr(decorator)) {
                (meaning @ Meaning::Function(..), _) => vec![meaning.clone()],
                (_, ExprKind::Call { callee, .. }) if of_bundle(&self.meaning(place, *callee)) => {
                    self.eval(place, decorator).meanings().to_vec()
                }
                _ => continue,
            };
            let made = Value::meaning(Meaning::Function(place.unit, function));
            for meaning in means.into_iter().filter(of_bundle).take(4) {
                let Meaning::Function(unit, wrapper) = meaning else { continue };
                self.call_method(unit, wrapper, vec![made.clone()]);
            }
        }
    }

    /// A value that the model chooses, with what the type that is written says of its parts: instances of classes of
    /// the bundle, whose methods find in their fields what the model chose.
    pub(super) fn typed(&mut self, unit: UnitId, annotation: &str, value: Value) -> Value {
        self.typed_deep(unit, annotation, value, TYPES_DEPTH_MAX)
    }

    fn typed_deep(&mut self, unit: UnitId, annotation: &str, mut value: Value, depth: u32) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return value };
        if value.taints.is_empty() {
            return value;
        }
        self.spend(1);
        let annotation = annotation.trim().trim_matches(['"', '\'']).trim();
        let written = annotation.split('|').map(str::trim).find(|part| *part != "None").unwrap_or(annotation);
        let (name, inner) = match annotation.split_once('[') {
            Some((name, inner)) => (name, inner.trim_end_matches(']')),
            None => (written, ""),
        };
        match name.rsplit('.').next().unwrap_or(name).trim() {
            "Optional" | "Annotated" | "Required" | "NotRequired" => {
                let first = inner.split(',').next().unwrap_or(inner);
                self.typed_deep(unit, if name.ends_with("Annotated") { first } else { inner }, value, depth)
            }
            "list" | "List" | "Sequence" | "Iterable" | "set" | "Set" | "tuple" | "Tuple" => {
                let element = self.part(&value, None);
                let mut element = self.typed_deep(unit, inner.split(',').next().unwrap_or(inner), element, depth);
                if element.means.is_some() {
                    element.several = true;
                    value = value.with_items(vec![element]);
                }
                value
            }
            "dict" | "Dict" | "Mapping" => {
                let Some((_, of)) = inner.split_once(',') else { return value };
                let element = self.part(&value, None);
                let element = self.typed_deep(unit, of, element, depth);
                if element.means.is_some() {
                    value = value.with_fields(BTreeMap::from([(tables::ANY.to_owned(), element)]));
                }
                value
            }
            name => match shapes::class_named(self.program, unit, name) {
                Some(class) => self.of_class(class, value, depth),
                None => value,
            },
        }
    }

    /// A value that is an instance of a class of the bundle.
    pub(super) fn made_of(&mut self, class: (UnitId, super::ClassId), value: Value) -> Value {
        self.of_class(class, value, TYPES_DEPTH_MAX)
    }

    fn of_class(&mut self, (unit, class): (UnitId, super::ClassId), mut value: Value, depth: u32) -> Value {
        if shapes::class(self.program, unit, class) == shapes::Shape::HARMLESS {
            return value;
        }
        let types = self.program.unit(unit).classes[class.0 as usize].types.iter().take(FIELDS_COUNT_MAX);
        let types: Vec<(String, String)> = types.cloned().collect();
        let (root, base) = self.program.root_class((unit, class));
        let mut fields = BTreeMap::new();
        for (name, written) in types {
            let part = self.part(&value, Some(&name));
            let part = self.typed_deep(unit, &written, part, depth);
            let slot = self.heap.entry((root, base, name.clone())).or_default();
            *slot = std::mem::take(slot).or(&part);
            fields.insert(name, part);
        }
        if fields.values().any(|field| field.means.is_some() || field.items.is_some()) {
            value = value.with_fields(fields);
        }
        value.means = Some(Rc::new(vec![Meaning::Instance(unit, class)]));
        value
    }
}

fn instance(meaning: &Meaning) -> Option<(UnitId, super::ClassId)> {
    match meaning {
        Meaning::Instance(unit, class) => Some((*unit, *class)),
        _ => None,
    }
}
