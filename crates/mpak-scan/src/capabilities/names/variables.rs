//! What variables, free names and imports stand for.

use super::{DEPTH_MAX, Given, Names, SOURCES_COUNT_MAX, Sense};
use crate::capabilities::table;
use crate::code::facts::{ExprId, FunctionId, Import, Language, VarId};
use crate::code::program::UnitId;

/// Names of the languages themselves, free in every file.
const BUILTINS: [&str; 38] = [
    "open",
    "getattr",
    "__import__",
    "eval",
    "exec",
    "compile",
    "/",
    "isinstance",
    "fetch",
    "WebSocket",
    "EventSource",
    "XMLHttpRequest",
    "process",
    "require",
    "navigator",
    "globalThis",
    "global",
    "window",
    "self",
    "Bun",
    "Deno",
    "module",
    "import",
    "import.meta",
    "Object",
    "Reflect",
    "Promise",
    "Function",
    "__builtins__",
    "promisify",
    "typeof",
    "staticmethod",
    "structuredClone",
    "super",
    "vars",
    "globals",
    "locals",
    "Proxy",
];

impl Names<'_> {
    pub(super) fn free(&self, unit: UnitId, expr: ExprId, name: &str, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        if name == "this" {
            let within = self.layout(unit).owner(expr);
            out.extend(self.program.class_around(unit, within).map(|class| Sense::Instance(unit, class)));
            return;
        }
        if source.language == Language::Python {
            for module in self.stars.get(&unit).into_iter().flatten() {
                match self.program.module(unit, module) {
                    Some(inside) => self.exported(inside, name, DEPTH_MAX / 4, out),
                    None if table::knows(Language::Python, &format!("{module}.{name}")) => {
                        out.push(Sense::Outside(format!("{module}.{name}")));
                    }
                    None => {}
                }
            }
        }
        if out.is_empty() && BUILTINS.contains(&name) && (name != "open" || source.language == Language::Python) {
            out.push(Sense::Outside(name.to_owned()));
        }
    }

    pub(super) fn variable(&self, unit: UnitId, var: VarId, depth: u32, out: &mut Vec<Sense>) {
        if self.program.import(unit, var).is_some() {
            // One name may be bound by several: `try: import a as x except: import b as x`.
            for &at in self.imports.get(&(unit, var)).into_iter().flatten() {
                let mut one = Vec::new();
                self.imported(unit, &self.program.unit(unit).imports[at], depth, &mut one);
                out.append(&mut one);
            }
            // `try: import a except: a = None` assigns, too.
            for &value in self.program.definitions(unit, var).iter().take(SOURCES_COUNT_MAX) {
                out.extend(self.at(unit, value, depth).iter().cloned());
            }
            return;
        }
        let source = self.program.unit(unit);
        let parameter = self.parameter(unit, var);
        if let Some((function, place)) = parameter {
            let function = source.function(function);
            if let (Language::Python, Some(class), 0) = (source.language, function.class, place) {
                out.push(Sense::Instance(unit, class));
                return;
            }
            let annotation = function.params[place].annotation.as_deref();
            out.extend(annotation.and_then(|annotation| self.annotated(unit, annotation)));
        }
        for given in self.sources(unit, var) {
            match given {
                Given::Value(unit, value) => out.extend(self.at(unit, value, depth).iter().cloned()),
                Given::Element(unit, value) => self.elements(unit, value, depth, out),
            }
        }
    }

    /// What a parameter of a type is: `Path`, `httpx.AsyncClient | None`, `"Optional[Session]"`.
    pub(super) fn annotated(&self, unit: UnitId, annotation: &str) -> Option<Sense> {
        let bare = annotation.trim_matches(['"', '\'', ' ']).trim_start_matches("Optional[").trim_end_matches(']');
        let bare = bare.split('|').next()?.trim();
        let mut parts = bare.split('.');
        let first = parts.next()?;
        let source = self.program.unit(unit);
        let named = |import: &&Import| {
            import.var.is_some_and(|var| {
                let var = &source.vars[var.0 as usize];
                var.name == first && var.function == FunctionId::TOP
            })
        };
        let import = source.imports.iter().find(named)?;
        if self.program.module(unit, &import.module).is_some() {
            let mut found = Vec::new();
            self.imported(unit, import, DEPTH_MAX / 4, &mut found);
            return found.into_iter().find_map(|sense| match sense {
                Sense::Class(unit, class) => Some(Sense::Instance(unit, class)),
                _ => None,
            });
        }
        let mut path = import.module.replace('/', ".");
        for part in import.member.as_deref().filter(|member| *member != "default").into_iter().chain(parts) {
            path = format!("{path}.{part}");
        }
        path.rsplit('.').next()?.starts_with(|c: char| c.is_ascii_uppercase()).then(|| Sense::Outside(path + "()"))
    }

    pub(super) fn imported(&self, unit: UnitId, import: &Import, depth: u32, out: &mut Vec<Sense>) {
        let (module, member) = (&import.module, import.member.as_deref());
        if let Some(inside) = self.program.module(unit, module) {
            match member {
                None => out.push(Sense::Unit(inside)),
                Some(name) => {
                    self.exported(inside, name, depth, out);
                    if out.is_empty() && name != "default" {
                        let below = self.program.module(inside, &format!(".{name}"));
                        out.extend(below.filter(|_| self.is_python(unit)).map(Sense::Unit));
                    } else if out.is_empty() {
                        out.push(Sense::Unit(inside));
                    }
                }
            }
            return;
        }
        if let Some(name) = member.filter(|_| self.is_python(unit)) {
            let joined = if module.ends_with('.') { format!("{module}{name}") } else { format!("{module}.{name}") };
            if let Some(inside) = self.program.module(unit, &joined) {
                out.push(Sense::Unit(inside));
                return;
            }
        }
        let module = module.replace('/', ".");
        out.push(Sense::Outside(match member {
            None | Some("default" | "*") => module,
            Some(name) => format!("{module}.{name}"),
        }));
    }

    pub(super) fn is_python(&self, unit: UnitId) -> bool {
        self.program.unit(unit).language == Language::Python
    }

    pub(super) fn exported(&self, unit: UnitId, name: &str, depth: u32, out: &mut Vec<Sense>) {
        let Some(depth) = self.deeper(depth) else { return };
        if let Some(value) = self.program.exported(unit, name) {
            out.extend(self.at(unit, value, depth).iter().cloned());
            return;
        }
        for &value in self.program.stars(unit).iter().take(SOURCES_COUNT_MAX) {
            for sense in self.at(unit, value, depth).iter() {
                match sense {
                    Sense::Unit(other) if *other != unit => self.exported(*other, name, depth, out),
                    Sense::Outside(path) => out.push(Sense::Outside(format!("{path}.{name}"))),
                    _ => {}
                }
            }
        }
    }
}
