//! Computes expressions: what is known of each value.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::facts::{ExprId, ExprKind, FunctionId, VarId};
use super::super::program::{Meaning, UnitId};
use super::super::shapes::Shape;
use super::env::Changes;
use super::judge::Argument;
use super::names::is_known;
use super::results::is_environment;
use super::sinks::{self, SinkKind};
use super::value::{Safe, Source, Taint, Value};
use super::{Engine, Place, tables};

/// Most members of a table that are looked at for one that is not known by its name.
const FIELDS_COUNT_MAX: usize = 64;

/// Longest text that constant texts are put together to, in bytes.
const CONSTANT_BYTES_MAX: usize = 400;

/// Most members of a table, and elements of a list, that are known one by one.
const MEMBERS_COUNT_MAX: usize = 512;
const ITEMS_COUNT_MAX: usize = 512;

/// Most expressions that are computed inside each other, through calls and tests: the stack ends somewhere.
const EVAL_DEPTH_MAX: u32 = 1_500;

impl Engine<'_> {
    pub(super) fn eval_all(&mut self, place: Place, parts: &[ExprId]) -> Vec<Value> {
        parts.iter().map(|&part| self.eval(place, part)).collect()
    }

    pub(super) fn eval(&mut self, place: Place, expr: ExprId) -> Value {
        self.spend(1);
        if !self.may_go_on() {
            return Value::default();
        }
        if self.depth >= EVAL_DEPTH_MAX {
            self.cut = true;
            return Value::default();
        }
        self.depth += 1;
        let value = self.computed(place, expr);
        self.depth -= 1;
        value
    }

    fn computed(&mut self, place: Place, expr: ExprId) -> Value {
        let unit = self.program.unit(place.unit);
        match unit.expr(expr) {
            ExprKind::Text(text) => Value::text(text),
            ExprKind::Bool(value) => Value { is: Some(*value), ..Value::default() },
            ExprKind::Number(number) => Value::text(&number.to_string()),
            ExprKind::Nothing | ExprKind::Bytes(_) | ExprKind::Pattern(_) => Value::default(),
            ExprKind::Function(function) => Value::meaning(Meaning::Function(place.unit, *function)),
            ExprKind::Class(class) => Value::meaning(Meaning::Class(place.unit, *class)),
            ExprKind::Var(var) => self.variable(place, *var, expr),
            ExprKind::Free(name) => self.free(place, name, expr),
            ExprKind::Member { of, name } => self.member(place, expr, *of, name),
            ExprKind::Index { of, key: Some(key) } if self.is_program(place, *of) => {
                self.bound_program(place, expr, *of, *key).unwrap_or_default()
            }
            ExprKind::Index { of, key } => self.index(place, *of, *key),
            ExprKind::Call { callee, args, .. } => self.call(place, expr, *callee, args),
            ExprKind::Join(parts) => {
                let values = self.eval_all(place, parts);
                self.concatenated(&values).unwrap_or_else(|| {
                    let values: Vec<Value> = values.into_iter().map(|value| self.in_text(value)).collect();
                    joined(&values)
                })
            }
            ExprKind::Compare { left, right, .. } => {
                self.eval(place, *left);
                self.eval(place, *right);
                Value::default()
            }
            ExprKind::Not(of) => {
                self.eval(place, *of);
                Value::default()
            }
            ExprKind::All(parts) => self.logical(place, parts, true),
            ExprKind::Either(parts) => self.logical(place, parts, false),
            ExprKind::Choice { test, then, otherwise } => {
                self.eval(place, *test);
                let (_, first, second) = self.branch(
                    |engine| {
                        engine.prove(place, *test, true);
                        let value = engine.eval(place, *then);
                        (false, engine.as_proven(value))
                    },
                    |engine| {
                        engine.prove(place, *test, false);
                        let value = engine.eval(place, *otherwise);
                        (false, engine.as_proven(value))
                    },
                );
                first.or(&second)
            }
            ExprKind::List(parts) => {
                let mut value = Value::default();
                let mut items = Vec::with_capacity(parts.len().min(ITEMS_COUNT_MAX));
                for &part in parts {
                    let item = self.eval(place, part);
                    match (&item.items, unit.expr(part)) {
                        (Some(spread), ExprKind::Spread(_)) => {
                            let left = ITEMS_COUNT_MAX.saturating_sub(items.len());
                            self.charge(spread.len() * 4);
                            spread.iter().for_each(|each| value.absorb(&each.derived()));
                            items.extend(spread.iter().take(left).cloned());
                        }
                        _ => {
                            value.absorb(&item.derived());
                            let item = match unit.expr(part) {
                                ExprKind::Spread(_) if !item.taints.is_empty() => self.several(&item),
                                _ => item,
                            };
                            if items.len() < ITEMS_COUNT_MAX {
                                items.push(item);
                            }
                        }
                    }
                }
                value.with_items(items)
            }
            ExprKind::Dict(members) => self.dict(place, members),
            ExprKind::Spread(of) => {
                let value = self.eval(place, *of);
                Value { items: value.items.clone(), ..value }
            }
            ExprKind::Other(parts) => {
                let values = self.eval_all(place, parts);
                let mut value = Value::default();
                // A text that is made of a table holds all that the table holds.
                values.iter().for_each(|part| value.absorb(&part.deep()));
                if let Some(list) = self.concatenated(&values) {
                    return list;
                }
                // `TEMPLATE % values`
                if let [template, _] = values.as_slice()
                    && let Some((begin, _)) = template.prefix.as_deref().and_then(|text| text.split_once('%'))
                {
                    value.prefix = Some(begin.into());
                }
                value
            }
        }
    }

    /// `list + list`, and `list + words`, where of what is added only who chooses it is known.
    fn concatenated(&mut self, values: &[Value]) -> Option<Value> {
        let (first, others) = values.split_first()?;
        let is_list = |value: &Value| value.items.is_some() || !value.taints.is_empty() && value.prefix.is_none();
        if first.items.is_none() || others.is_empty() || !others.iter().all(is_list) {
            return None;
        }
        let (mut all, mut items) = (Value::default(), Vec::new());
        for value in values {
            all.absorb(&value.deep());
            match &value.items {
                Some(more) => {
                    self.charge(more.len() * 4);
                    items.extend(more.iter().take(ITEMS_COUNT_MAX.saturating_sub(items.len())).cloned());
                }
                None => items.push(self.several(value)),
            }
        }
        Some(all.with_items(items))
    }

    /// Any of the methods of what a value is an instance of: its name is chosen while the code runs.
    fn any_method(&mut self, value: &Value) -> Option<Rc<Vec<Meaning>>> {
        let mut found = Vec::new();
        for meaning in value.meanings() {
            let (Meaning::Instance(unit, class) | Meaning::Class(unit, class)) = *meaning else { continue };
            let methods = &self.program.unit(unit).classes[class.0 as usize].methods;
            let named = methods.iter().filter(|(name, _)| !name.starts_with("__")).take(FIELDS_COUNT_MAX);
            found.extend(named.map(|(_, method)| Meaning::Function(unit, *method)));
        }
        found.truncate(FIELDS_COUNT_MAX);
        (!found.is_empty()).then(|| Rc::new(found))
    }

    /// `getattr(thing, name)`
    pub(super) fn attribute(&mut self, of: &Value, name: &Value) -> Value {
        let known = name.text.as_deref().filter(|_| name.taints.is_empty());
        let mut part = self.part(of, known);
        if part.means.is_none() {
            part.means = match known {
                Some(name) => self.member_means(of, name),
                None => self.any_method(of),
            };
        }
        part
    }

    /// Elements of a list of which nobody knows how many there are.
    pub(super) fn several(&mut self, list: &Value) -> Value {
        let mut element = self.part(list, None);
        element.several = true;
        element
    }

    /// `a and b`, `a or b`: what the first ones prove holds in the later ones.
    pub(super) fn logical(&mut self, place: Place, parts: &[ExprId], holds: bool) -> Value {
        let layer = self.env.open();
        let mut value: Option<Value> = None;
        for &part in parts {
            let this = self.eval(place, part);
            self.prove(place, part, holds);
            value = Some(match value {
                Some(value) => value.or(&this),
                None => this,
            });
        }
        let changes = self.env.restart(layer);
        self.charge(changes.count());
        let after = self.env.either(changes, Changes::default());
        self.env.close(layer, after);
        value.unwrap_or_default()
    }

    pub(super) fn dict(&mut self, place: Place, members: &[(Option<ExprId>, ExprId)]) -> Value {
        let (mut value, mut fields) = (Value::default(), BTreeMap::new());
        for (key, source) in members {
            let member = self.eval(place, *source);
            match key {
                Some(key) => match self.name_of_member(place, *key) {
                    Some(name) => {
                        // Databases of documents run the text of these.
                        if matches!(name.as_str(), "$where" | "$function" | "$accumulator") {
                            self.texts(place, *source, &name, SinkKind::Code, &member, Argument::No);
                        }
                        if fields.len() < MEMBERS_COUNT_MAX || fields.contains_key(&name) {
                            fields.insert(name, member);
                        } else {
                            tables::keep_any(&mut fields, &member);
                        }
                    }
                    None => {
                        let key = self.eval(place, *key);
                        value.absorb(&key.derived());
                        value.absorb(&member.derived());
                        tables::keep_any(&mut fields, &member);
                    }
                },
                None => {
                    if let Some(spread) = &member.fields {
                        self.charge(spread.len() * 4);
                        fields.extend(spread.iter().map(|(name, value)| (name.clone(), value.clone())));
                        if member.taints.iter().any(|taint| taint.direct) {
                            let any = member.derived();
                            value.absorb(&any);
                            tables::keep_any(&mut fields, &any);
                        }
                    } else {
                        value.absorb(&member.derived());
                        if !member.taints.is_empty() {
                            let any = self.part(&member, None);
                            tables::keep_any(&mut fields, &any);
                        }
                    }
                }
            }
        }
        value.with_fields(fields)
    }

    /// The constant name of a member of a literal.
    fn name_of_member(&mut self, place: Place, key: ExprId) -> Option<String> {
        match self.unit(place).expr(key) {
            ExprKind::Text(text) => Some(text.clone()),
            ExprKind::Number(number) => Some(number.to_string()),
            ExprKind::Var(_) | ExprKind::Member { .. } => {
                let value = self.eval(place, key);
                value.text.filter(|_| value.taints.is_empty()).map(|text| text.to_string())
            }
            _ => None,
        }
    }

    pub(super) fn variable(&mut self, place: Place, var: VarId, expr: ExprId) -> Value {
        let known = self.known_meaning(place, expr);
        if let Some(value) = self.env.get((place.unit, var)) {
            let mut value = value.clone();
            if value.means.is_none() {
                value.means = known;
            }
            return value;
        }
        if let Some(import) = self.program.import(place.unit, var)
            && let (unit, value) = self.program.value(place.unit, expr)
            && (unit, value) != (place.unit, expr)
            && import.member.is_some()
        {
            let ExprKind::Var(var) = self.program.unit(unit).expr(value) else {
                return self.constant_of(unit, value, known);
            };
            let mut value = self.env.get((unit, *var)).cloned().unwrap_or_default();
            value.may_mean(known.as_ref());
            return value;
        }
        Value { means: known, ..Value::default() }
    }

    /// What another file offers as it is written there: an object, a list, a text.
    fn constant_of(&mut self, unit: UnitId, value: ExprId, known: Option<Rc<Vec<Meaning>>>) -> Value {
        let plain = matches!(
            self.program.unit(unit).expr(value),
            ExprKind::Dict(_) | ExprKind::List(_) | ExprKind::Text(_) | ExprKind::Bool(_) | ExprKind::Number(_)
        );
        let mut value =
            if plain { self.eval(Place { unit, function: FunctionId::TOP }, value) } else { Value::default() };
        if value.means.is_none() {
            value.means = known;
        }
        value
    }

    /// What a name means, as far as that is told by how it is defined.
    pub(super) fn known_meaning(&mut self, place: Place, expr: ExprId) -> Option<Rc<Vec<Meaning>>> {
        let key = (place.unit, place.function, expr);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let known = match &*self.meaning(place, expr) {
            Meaning::Value(..) | Meaning::Unit(_) => None,
            meaning => Some(Rc::new(vec![meaning.clone()])),
        };
        self.known.insert(key, known.clone());
        known
    }

    pub(super) fn free(&mut self, place: Place, name: &str, expr: ExprId) -> Value {
        let unit = self.unit(place);
        if is_known(unit.language, name) {
            return Value { means: self.known_meaning(place, expr), ..Value::default() };
        }
        let (span, what) = (unit.span(expr), format!("`{name}` comes from outside the bundle"));
        self.source(Source::Unknown, name, place.unit, span, what)
    }

    pub(super) fn member(&mut self, place: Place, expr: ExprId, of: ExprId, name: &str) -> Value {
        if let Some(value) = self.accessed(place, of, name) {
            return value;
        }
        let held = match self.unit(place).expr(of) {
            ExprKind::Var(var) => self.env.get((place.unit, *var)),
            _ => None,
        };
        // Of a value that came along, its own members are known better than those of all its class.
        let is_given = held.is_some_and(|value| !value.taints.is_empty() || value.fields.is_some());
        if !is_given && let Some(class) = self.receiver(place, of) {
            let (unit, class) = self.program.root_class(class);
            let mut value = self.heap.get(&(unit, class, name.to_owned())).cloned().unwrap_or_default();
            // What `setattr` stored under a name that is chosen while the code runs.
            if let Some(any) = self.heap.get(&(unit, class, tables::ANY.to_owned())) {
                value = value.or(any);
            }
            if value.means.is_none() {
                value.means = self.known_meaning(place, expr);
            }
            return value;
        }
        let span = self.unit(place).span(expr);
        if let Meaning::Outside(path) = &*self.meaning(place, expr) {
            match path.as_str() {
                "sys.executable" => return Value::text("python"),
                "process.execPath" | "process.argv0" => return Value::text("node"),
                // The last component of a path.
                path if is_last_component(path) => {
                    return self.eval(place, of).derived().each(|taint| taint.safe = taint.safe.and(Safe::PATH));
                }
                path if is_environment(path) => {
                    let what = format!("`{path}` is set by whoever starts the server");
                    return self.source(Source::Environment, path, place.unit, span, what);
                }
                _ => {}
            }
        }
        if self.archives[place.unit.0 as usize].iter().any(|module| sinks::names_a_member(module, name)) {
            let what = format!("`{name}` is a name inside an archive");
            return self.source(Source::Archive, name, place.unit, span, what);
        }
        if matches!(*self.meaning(place, of), Meaning::Unit(_)) {
            let known = self.known_meaning(place, expr);
            let (unit, value) = self.program.value(place.unit, expr);
            if unit != place.unit {
                return match self.program.unit(unit).expr(value) {
                    ExprKind::Var(var) => {
                        let mut value = self.env.get((unit, *var)).cloned().unwrap_or_default();
                        value.may_mean(known.as_ref());
                        value
                    }
                    _ => self.constant_of(unit, value, known),
                };
            }
        }
        let value = self.eval(place, of);
        let mut part = self.part(&value, Some(name));
        if part.means.is_none() {
            part.means = self.known_meaning(place, expr).or_else(|| self.member_means(&value, name));
        }
        part
    }

    /// What a member of a value may be, by what the value may be.
    pub(super) fn member_means(&mut self, value: &Value, name: &str) -> Option<Rc<Vec<Meaning>>> {
        let mut found = Vec::new();
        for meaning in value.meanings() {
            if let Meaning::Instance(unit, class) = *meaning {
                let (unit, class) = self.program.root_class((unit, class));
                if let Some(held) = self.heap.get(&(unit, class, name.to_owned())) {
                    found.extend(held.meanings().iter().cloned());
                }
            }
            found.extend(self.program.member_of(meaning, name));
        }
        (!found.is_empty()).then(|| Rc::new(found))
    }

    pub(super) fn index(&mut self, place: Place, of: ExprId, key: Option<ExprId>) -> Value {
        if key.is_none()
            && let Some(element) = self.input_element(place, of)
        {
            return element;
        }
        let value = self.eval(place, of);
        let name = match key {
            Some(key) => {
                let key = self.eval(place, key);
                key.text.filter(|_| key.taints.is_empty()).map(|text| text.to_string())
            }
            None => None,
        };
        if let (Some(items), Some(Ok(at))) = (&value.items, name.as_ref().map(|name| name.parse::<usize>())) {
            return items.get(at).cloned().unwrap_or_else(|| value.derived());
        }
        let mut part = self.part(&value, name.as_deref());
        if part.means.is_none() && name.is_none() && key.is_some() {
            part.means = self.any_method(&value);
        }
        part
    }

    /// A source's own part, where the value is the source itself; none where it holds no text.
    fn taint_of_part(&mut self, taint: &Taint, name: Option<&str>) -> Option<Taint> {
        let mut taint = taint.clone();
        if !taint.direct {
            return Some(taint);
        }
        let shape = self.shapes.get(&taint.origin).map(Rc::clone);
        let inner = match (shape.as_deref(), name) {
            (Some(Shape::Elements(element)), _) => Some((**element).clone()),
            (Some(shape), Some(name)) => {
                let envelope = matches!(
                    name,
                    "params" | "arguments" | "args" | "input" | "body" | "query" | "data" | "value" | "output"
                );
                shape.member(name).cloned().or_else(|| envelope.then(|| shape.clone()))
            }
            _ => None,
        };
        if inner.as_ref() == Some(&Shape::HARMLESS) {
            return None;
        }
        taint.safe = self.safe(&taint).and(inner.as_ref().map(Shape::safe).unwrap_or_default());
        if let Some(key) = name.or(inner.is_some().then_some("")) {
            taint.origin = self.child(taint.origin, key);
            if let Some(inner) = inner {
                self.shapes.insert(taint.origin, Rc::new(inner));
            }
        }
        Some(taint)
    }

    /// A member of a value.
    pub(super) fn part(&mut self, value: &Value, name: Option<&str>) -> Value {
        if let (Some(fields), Some(name)) = (&value.fields, name) {
            if let Some(field) = fields.get(name).or_else(|| fields.get(tables::ANY)) {
                return field.clone();
            }
            if value.taints.is_empty() {
                return Value::default();
            }
        }
        if name.is_some_and(|name| matches!(name, "length" | "size")) {
            return Value::default();
        }
        let mut part = Value::default();
        for taint in &value.taints {
            part.taints.extend(self.taint_of_part(taint, name));
        }
        if name.is_none() || value.items.is_some() {
            for item in value.items.iter().flat_map(|items| items.iter()) {
                part = part.or(item);
            }
            // `words.join` is a method of the list, whatever the words are.
            if name.is_some() {
                part.means = None;
            }
        }
        if name.is_none() {
            let held = value.fields.as_ref().map_or(0, |fields| fields.len());
            self.charge(held);
            for field in value.fields.iter().flat_map(|fields| fields.values()).take(FIELDS_COUNT_MAX) {
                part = part.or(field);
            }
        }
        // Fields of an instance of the bundle.
        if let Some(name) = name {
            for meaning in value.meanings() {
                if let Meaning::Instance(unit, class) = *meaning {
                    let (unit, class) = self.program.root_class((unit, class));
                    if let Some(held) = self.heap.get(&(unit, class, name.to_owned())) {
                        part = part.or(held);
                    }
                }
            }
        }
        part
    }
}

/// `path.parse(x).base`, `Path(x).name`.
fn is_last_component(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(before, name)| match before {
        "path.parse()" | "path.posix.parse()" | "path.win32.parse()" => matches!(name, "base" | "name" | "ext"),
        "pathlib.Path()" | "pathlib.PurePath()" | "pathlib.PurePosixPath()" => {
            matches!(name, "name" | "stem" | "suffix")
        }
        _ => false,
    })
}

/// Texts put together. What is quoted for a shell is safe where no other quotes stand around it.
pub(super) fn joined(values: &[Value]) -> Value {
    let mut all = Value::default();
    let mut quotes = None;
    for (at, value) in values.iter().enumerate() {
        let behind = at > 0;
        let quoted = match quotes {
            None => Safe::QUOTED,
            Some('\'') => Safe::BETWEEN_QUOTES,
            Some(_) => Safe::SHELL,
        };
        let part = value.deep().each(|taint| {
            taint.starts &= !behind;
            if behind {
                taint.safe = taint.safe.and(Safe::ROOTLESS);
            }
            // What was quoted once is quoted no more between other quotes; what is harmless by itself stays so.
            if quotes.is_some() && taint.safe.has(Safe::QUOTED.and(Safe::SHELL)) && !taint.safe.has(Safe::CODE) {
                taint.safe = taint.safe.without(Safe::QUOTED.and(Safe::SHELL));
            }
            if taint.safe.has(quoted) {
                taint.safe = taint.safe.and(Safe::SHELL);
            }
        });
        all.absorb(&part);
        if let Some(text) = &value.text {
            quotes = text.chars().fold(quotes, |open, c| match (open, c) {
                (None, '"' | '\'') => Some(c),
                (Some(open), c) if open == c => None,
                (open, _) => open,
            });
        }
    }
    all.prefix = values.first().and_then(|first| first.prefix.clone());
    // A text of constant texts is constant, and one that begins with them begins so.
    let known: Vec<&str> = values.iter().map_while(|value| value.text.as_deref()).collect();
    if known.len() > 1 && known.iter().map(|text| text.len()).sum::<usize>() <= CONSTANT_BYTES_MAX {
        let constant = Value::text(&known.concat());
        all.prefix = constant.prefix;
        if known.len() == values.len() {
            all.text = constant.text;
        }
    }
    all
}
