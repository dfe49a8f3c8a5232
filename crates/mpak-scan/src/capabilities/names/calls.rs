//! What calls give back, and what they hand over.

use foldhash::HashMap;

use super::{Given, Names, PATH_BYTES_MAX, SENSES_COUNT_MAX, SOURCES_COUNT_MAX, Sense};
use crate::code::facts::{Arg, ExprId, ExprKind, FunctionId, Language, Unit, VarId};
use crate::code::program::UnitId;

/// Calls that give back what they are given, only called another way.
const WRAPPERS: [&str; 19] = [
    "util.promisify",
    "promisify",
    "pify",
    "bluebird.promisify",
    "es6-promisify.promisify",
    "util.callbackify",
    "functools.partial",
    "functools.wraps",
    "functools.lru_cache",
    "functools.cache",
    "asgiref.sync.sync_to_async",
    "Object.freeze",
    "Object.create",
    "structuredClone",
    "staticmethod",
    "Promise.resolve",
    "Proxy",
    "vars",
    "inspect.unwrap",
];

/// Longest chain of members, calls and divisions that is looked through.
const CHAIN_MAX: usize = 8;

impl Names<'_> {
    /// A text that is constant by way of names.
    pub(in crate::capabilities) fn constant(&self, unit: UnitId, expr: ExprId, depth: u32) -> Option<String> {
        let (mut unit, mut expr) = (unit, expr);
        for _ in 0..depth.min(8) {
            let source = self.program.unit(unit);
            match source.expr(expr) {
                ExprKind::Text(text) => return Some(text.clone()),
                ExprKind::Var(var) => {
                    let sources = self.sources(unit, *var);
                    let [Given::Value(next, value)] = sources.as_slice() else { return None };
                    (unit, expr) = (*next, *value);
                }
                ExprKind::Join(parts) => {
                    let parts: Option<Vec<String>> =
                        parts.iter().map(|&part| self.constant(unit, part, depth.min(8) - 1)).collect();
                    return parts.map(|parts| parts.concat());
                }
                // Joined, decoded, turned around: what the code computes from constants.
                ExprKind::Call { .. } | ExprKind::Index { .. } | ExprKind::Other(_) => {
                    return self.constants.text(unit, expr).filter(|text| text.len() <= PATH_BYTES_MAX);
                }
                _ => return None,
            }
        }
        None
    }

    pub(super) fn called(
        &self,
        unit: UnitId,
        callee: ExprId,
        args: &[Arg],
        new: bool,
        depth: u32,
        out: &mut Vec<Sense>,
    ) {
        let first = args.first().map(|arg| arg.value);
        let mut args = args;
        if let ExprKind::Member { of, name } = self.program.unit(unit).expr(callee)
            && self.program.unit(unit).language != Language::Python
        {
            match name.as_str() {
                // The same function, with what it is called on.
                "bind" => {
                    out.extend(self.at(unit, *of, depth).iter().cloned());
                    return;
                }
                "call" => args = args.get(1..).unwrap_or_default(),
                _ => {}
            }
        }
        self.fetched(unit, callee, args, depth, out);
        for sense in self.at(unit, callee, depth).iter() {
            match sense {
                Sense::Outside(path) => self.outside_call(unit, path, args, depth, out),
                Sense::Class(unit, class) => out.push(Sense::Instance(*unit, *class)),
                Sense::Function(unit, function) if new => {
                    let _ = (unit, function);
                }
                Sense::Function(unit, function) => self.answers(*unit, *function, depth, out),
                _ => {}
            }
        }
        // `"x".bind(…)` of our own functions, and wrappers that are free names.
        if let (ExprKind::Free(name), Some(first)) = (self.program.unit(unit).expr(callee), first)
            && WRAPPERS.contains(&name.as_str())
        {
            out.extend(self.at(unit, first, depth).iter().cloned());
        }
    }

    /// `attrgetter("system")(os)`, `os.__getattribute__("system")`
    fn fetched(&self, unit: UnitId, callee: ExprId, args: &[Arg], depth: u32, out: &mut Vec<Sense>) {
        let source = self.program.unit(unit);
        let Some(first) = args.first().map(|arg| arg.value) else { return };
        let (of, name) = match source.expr(callee) {
            ExprKind::Call { callee, args, .. }
                if self.is_one_of(unit, *callee, &["operator.attrgetter", "operator.itemgetter"]) =>
            {
                (first, args.first().map(|arg| arg.value))
            }
            ExprKind::Member { of, name } if matches!(name.as_str(), "__getattribute__" | "__getattr__") => {
                (*of, Some(first))
            }
            _ => return,
        };
        let Some(name) = name.and_then(|name| self.constant(unit, name, depth)) else { return };
        for sense in self.at(unit, of, depth).iter() {
            // `attrgetter("path.join")`
            let mut reached = vec![sense.clone()];
            for part in name.split('.').take(4) {
                let mut next = Vec::new();
                for sense in &reached {
                    self.member(sense, part, depth, &mut next);
                }
                reached = next;
            }
            out.append(&mut reached);
        }
    }

    pub(super) fn outside_call(&self, unit: UnitId, path: &str, args: &[Arg], depth: u32, out: &mut Vec<Sense>) {
        let first = args.first().map(|arg| arg.value);
        let module = |name: Option<String>, out: &mut Vec<Sense>| {
            let Some(name) = name else { return };
            match self.program.module(unit, &name) {
                Some(inside) => out.push(Sense::Unit(inside)),
                None => {
                    let name = name.strip_prefix("node:").unwrap_or(&name).replace('/', ".");
                    out.push(Sense::Outside(name));
                }
            }
        };
        match (path, first) {
            ("getattr" | "Reflect.get", Some(of)) => {
                let name = args.get(1).and_then(|arg| self.constant(unit, arg.value, depth));
                for sense in self.at(unit, of, depth).iter() {
                    match (&name, sense) {
                        (Some(name), _) => self.member(sense, name, depth, out),
                        (None, Sense::Outside(path)) => out.push(Sense::Outside(format!("{path}.?"))),
                        _ => {}
                    }
                }
            }
            (
                "__import__"
                | "importlib.import_module"
                | "require"
                | "import"
                | "module.require"
                | "process.mainModule.require"
                | "importlib.__import__"
                | "process.getBuiltinModule"
                | "module.createRequire()",
                Some(name),
            ) => module(self.constant(unit, name, depth), out),
            ("/", Some(folder)) => {
                let senses = self.at(unit, folder, depth);
                out.extend(senses.iter().cloned());
                if senses.is_empty() && !self.is_made_by_own(unit, folder, depth) {
                    out.push(Sense::Outside("pathlib.Path()".to_owned()));
                }
            }
            (_, Some(first)) if WRAPPERS.contains(&path) => out.extend(self.at(unit, first, depth).iter().cloned()),
            ("Object.assign", _) => {
                for arg in args.iter().take(SENSES_COUNT_MAX) {
                    out.extend(self.at(unit, arg.value, depth).iter().cloned());
                }
            }
            ("Promise.all" | "asyncio.gather", Some(first)) => out.extend(self.at(unit, first, depth).iter().cloned()),
            _ => out.push(Sense::Outside(format!("{path}()"))),
        }
    }

    /// Whether something comes from a class of the bundle that divides in its own way: no path of a file.
    pub(in crate::capabilities) fn is_made_by_own(&self, unit: UnitId, of: ExprId, depth: u32) -> bool {
        let mut at = of;
        for _ in 0..CHAIN_MAX {
            at = match self.program.unit(unit).expr(at) {
                ExprKind::Call { callee, args, .. } => match (self.program.unit(unit).expr(*callee), args.first()) {
                    (ExprKind::Free(slash), Some(left)) if slash == "/" => left.value,
                    _ => *callee,
                },
                ExprKind::Member { of, .. } => *of,
                _ => break,
            };
            let divides = |sense: &Sense| match sense {
                Sense::Class(unit, class) | Sense::Instance(unit, class) => {
                    self.program.own_method(*unit, *class, "__truediv__").is_some()
                }
                _ => false,
            };
            if self.at(unit, at, depth).iter().any(divides) {
                return true;
            }
        }
        false
    }

    /// What a function answers.
    pub(super) fn answers(&self, unit: UnitId, function: FunctionId, depth: u32, out: &mut Vec<Sense>) {
        for &value in self.layout(unit).returns(function).iter().take(SOURCES_COUNT_MAX) {
            out.extend(self.at(unit, value, depth).iter().cloned());
        }
    }

    /// What parameters are given by calls within the bundle.
    pub(super) fn handed_over(&self) -> HashMap<(UnitId, VarId), Vec<Given>> {
        let mut given: HashMap<(UnitId, VarId), Vec<Given>> = HashMap::default();
        let mut add = |key: (UnitId, VarId), value: Given| {
            let known = given.entry(key).or_default();
            if known.len() < SOURCES_COUNT_MAX && !known.contains(&value) {
                known.push(value);
            }
        };
        for (unit, source) in self.program.units() {
            for (_, callee, args) in source.calls() {
                for sense in self.senses(unit, callee).iter() {
                    let target = match sense {
                        Sense::Function(unit, function) => Some((*unit, *function)),
                        Sense::Class(unit, class) => {
                            self.program.own_method(*unit, *class, "__init__").map(|method| (*unit, method))
                        }
                        _ => None,
                    };
                    if let Some((callee_unit, function)) = target {
                        let skip = self.given_before(unit, callee);
                        for (var, value) in bound(self.program.unit(callee_unit), function, args, skip) {
                            add((callee_unit, var), Given::Value(unit, value));
                        }
                    }
                }
                self.given_in_advance(unit, callee, args, &mut add);
                self.given_to_callbacks(unit, source, callee, args, &mut add);
            }
        }
        given
    }

    /// `partial(f, a)` and `f.bind(this, a)` give `a` now, and the rest when the result is called.
    fn given_in_advance(
        &self,
        unit: UnitId,
        callee: ExprId,
        args: &[Arg],
        add: &mut impl FnMut((UnitId, VarId), Given),
    ) {
        let binds = |of: ExprId| Some((of, args.get(1..)?));
        let target = match self.program.unit(unit).expr(callee) {
            ExprKind::Member { of, name } if name == "bind" => binds(*of),
            _ if self.is_one_of(unit, callee, &["functools.partial"]) => args.first().and_then(|arg| binds(arg.value)),
            _ => None,
        };
        let Some((function, given)) = target else { return };
        for sense in self.senses(unit, function).iter() {
            if let Sense::Function(of, function) = sense {
                for (var, value) in bound(self.program.unit(*of), *function, given, 0) {
                    add((*of, var), Given::Value(unit, value));
                }
            }
        }
    }

    /// How many arguments were given in advance to what is called here.
    fn given_before(&self, unit: UnitId, callee: ExprId) -> usize {
        let (of, made) = self.program.value(unit, callee);
        let ExprKind::Call { callee, args, .. } = self.program.unit(of).expr(made) else { return 0 };
        let binds = matches!(self.program.unit(of).expr(*callee), ExprKind::Member { name, .. } if name == "bind")
            || self.is_one_of(of, *callee, &["functools.partial"]);
        if binds { args.iter().filter(|arg| arg.name.is_none()).count().saturating_sub(1) } else { 0 }
    }

    /// `list.map(f)` gives elements to `f`, `promise.then(f)` what is promised.
    pub(super) fn given_to_callbacks(
        &self,
        unit: UnitId,
        source: &Unit,
        callee: ExprId,
        args: &[Arg],
        add: &mut impl FnMut((UnitId, VarId), Given),
    ) {
        let ExprKind::Member { of, name } = source.expr(callee) else { return };
        let place = usize::from(name == "reduce");
        let given = match name.as_str() {
            "then" => Given::Value(unit, *of),
            "reduce" => Given::Element(unit, *of),
            name if is_per_element(name) => Given::Element(unit, *of),
            _ => return,
        };
        let Some(first) = args.first() else { return };
        for sense in self.senses(unit, first.value).iter() {
            if let Sense::Function(unit, function) = sense
                && let Some(param) = self.program.unit(*unit).function(*function).params.get(place)
            {
                add((*unit, param.var), given);
            }
        }
    }
}

/// Whether a method of lists calls its argument with elements.
pub(in crate::capabilities) fn is_per_element(name: &str) -> bool {
    matches!(name, "map" | "forEach" | "filter" | "some" | "every" | "find" | "flatMap" | "findIndex")
}

/// Which argument each parameter of a function gets, after the first ones.
fn bound(unit: &Unit, function: FunctionId, args: &[Arg], skip: usize) -> Vec<(VarId, ExprId)> {
    let function = unit.function(function);
    let method = unit.language == Language::Python && function.class.is_some();
    let params = &function.params[usize::from(method).min(function.params.len())..];
    let mut places = params.iter().filter(|param| !param.keywords).skip(skip);
    let mut bound = Vec::new();
    for arg in args {
        let param = match &arg.name {
            Some(name) => params.iter().find(|param| param.name == *name),
            None => places.next(),
        };
        bound.extend(param.filter(|param| !param.rest).map(|param| (param.var, arg.value)));
    }
    bound
}
