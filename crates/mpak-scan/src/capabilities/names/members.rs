//! Members of modules, classes and objects, and elements of lists.

use super::{Names, SENSES_COUNT_MAX, SOURCES_COUNT_MAX, Sense};
use crate::code::facts::{ClassId, ExprId, ExprKind, FunctionId, VarId};
use crate::code::program::UnitId;

impl Names<'_> {
    pub(super) fn member(&self, of: &Sense, name: &str, depth: u32, out: &mut Vec<Sense>) {
        // What is remembered is given back at any depth, so that a walk counts its own steps.
        let Some(depth) = self.deeper(depth) else { return };
        match of {
            Sense::Outside(path) if matches!(name, "default" | "call" | "apply" | "bind") && path != "subprocess" => {
                out.push(Sense::Outside(path.clone()));
            }
            Sense::Outside(path) if name == "__dict__" => out.push(Sense::Outside(path.clone())),
            Sense::Outside(path) => out.push(Sense::Outside(dotted(path, name))),
            Sense::Unit(unit) => {
                self.exported(*unit, name, depth, out);
                if self.is_python(*unit) {
                    out.extend(self.program.module(*unit, &format!(".{name}")).map(Sense::Unit));
                } else if name == "default" {
                    out.push(of.clone());
                }
            }
            Sense::Class(unit, class) => self.method(*unit, *class, name, depth, out),
            Sense::Instance(unit, class) => {
                self.method(*unit, *class, name, depth, out);
                for &(_, value) in self.program.fields(*unit, *class, name).iter().take(SOURCES_COUNT_MAX) {
                    out.extend(self.at(*unit, value, depth).iter().cloned());
                }
            }
            Sense::Value(unit, value) => self.item(*unit, *value, Some(name), depth, out),
            Sense::Function(unit, function)
                if matches!(name, "bind" | "call" | "apply" | "__call__" | "__wrapped__") =>
            {
                out.push(Sense::Function(*unit, *function));
            }
            Sense::Function(..) => {}
        }
    }

    pub(super) fn method(&self, unit: UnitId, class: ClassId, name: &str, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let found = &self.program.unit(unit).classes[class.0 as usize];
        if let Some(method) = self.program.own_method(unit, class, name) {
            // A property is what it answers.
            if self.is_property(unit, method) {
                self.answers(unit, method, depth, out);
            } else {
                out.push(Sense::Function(unit, method));
            }
            return;
        }
        if let Some(value) = self.program.own_field(unit, class, name) {
            out.extend(self.at(unit, value, depth).iter().cloned());
            return;
        }
        for &base in found.bases.iter().take(SENSES_COUNT_MAX) {
            for sense in self.at(unit, base, depth).iter() {
                match sense {
                    Sense::Class(unit, class) => self.method(*unit, *class, name, depth, out),
                    // Inherited from outside.
                    Sense::Outside(path) => out.push(Sense::Outside(dotted(path, name))),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn is_property(&self, unit: UnitId, function: FunctionId) -> bool {
        let source = self.program.unit(unit);
        source.function(function).decorators.iter().any(|&decorator| match source.expr(decorator) {
            ExprKind::Free(name) => name == "property",
            ExprKind::Member { name, .. } => name == "cached_property",
            ExprKind::Var(var) => source.vars[var.0 as usize].name == "cached_property",
            _ => false,
        })
    }

    /// A member of a written-out object or list; any of them where the name is not known.
    pub(super) fn item(&self, unit: UnitId, value: ExprId, name: Option<&str>, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let source = self.program.unit(unit);
        match source.expr(value) {
            ExprKind::Dict(members) => {
                let is = |key: Option<ExprId>| name.is_none() || key.and_then(|key| source.text(key)) == name;
                for (key, value) in members.iter().filter(|(key, _)| key.is_some() && is(*key)).take(SOURCES_COUNT_MAX)
                {
                    let _ = key;
                    out.extend(self.at(unit, *value, depth).iter().cloned());
                }
                if let Some(name) = name.filter(|_| out.is_empty()) {
                    for (_, spread) in members.iter().filter(|(key, _)| key.is_none()).take(SOURCES_COUNT_MAX) {
                        for sense in self.at(unit, *spread, depth).iter() {
                            self.member(sense, name, depth, out);
                        }
                    }
                }
            }
            ExprKind::List(items) => {
                let at = name.and_then(|name| name.parse::<usize>().ok());
                let some = at.map_or(0..items.len(), |at| at..at.saturating_add(1).min(items.len()));
                for &item in items.get(some).unwrap_or_default().iter().take(SOURCES_COUNT_MAX) {
                    out.extend(self.at(unit, item, depth).iter().cloned());
                }
            }
            _ => {}
        }
    }

    pub(super) fn elements(&self, unit: UnitId, of: ExprId, depth: u32, out: &mut Vec<Sense>) {
        for sense in self.at(unit, of, depth).iter() {
            if let Sense::Value(unit, value) = sense {
                self.item(*unit, *value, None, depth, out);
            }
        }
    }

    pub(super) fn index(&self, unit: UnitId, of: ExprId, key: Option<ExprId>, depth: u32, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        let name = key.and_then(|key| match source.expr(key) {
            ExprKind::Number(number) if number.fract() == 0.0 && *number >= 0.0 => Some(format!("{number:.0}")),
            _ => self.constant(unit, key, depth),
        });
        for sense in self.at(unit, of, depth).iter() {
            match (sense, &name) {
                (Sense::Value(unit, value), _) => self.item(*unit, *value, name.as_deref(), depth, out),
                (Sense::Outside(path), Some(name)) if matches!(path.as_str(), "globals()" | "locals()" | "vars()") => {
                    self.global(unit, name, depth, out);
                }
                (Sense::Outside(path), Some(name)) if path == "sys.modules" => {
                    let inside = self.program.module(unit, name);
                    out.push(inside.map_or_else(|| Sense::Outside(name.clone()), Sense::Unit));
                }
                (_, Some(name)) => self.member(sense, name, depth, out),
                (Sense::Outside(path), None) => out.push(Sense::Outside(format!("{path}.?"))),
                _ => {}
            }
        }
    }
}

impl Names<'_> {
    /// A variable of the whole file, by its name.
    fn global(&self, unit: UnitId, name: &str, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        let vars = &self.program.unit(unit).vars;
        self.charge(vars.len());
        let found = vars.iter().position(|var| var.name == name && var.function == FunctionId::TOP);
        if let Some(at) = found.and_then(|at| u32::try_from(at).ok()) {
            self.variable(unit, VarId(at), depth, out);
        }
    }
}

/// A member of something outside. `globalThis.fetch` is `fetch`, `builtins.open` is `open`.
fn dotted(path: &str, name: &str) -> String {
    match path {
        "globalThis" | "global" | "window" | "self" | "builtins" | "__builtins__" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}
