//! Tables of text and functions: what goes into them and comes out, one by one where that is known.

use std::collections::BTreeMap;
use std::rc::Rc;

use foldhash::HashMap;

use super::super::facts::{ExprId, ExprKind};
use super::value::{Origin, Safe, Value};
use super::{Engine, Place};

/// Most members of a table that are taken apart.
const MEMBERS_COUNT_MAX: usize = 64;

/// The member that stands for all whose names are not known.
pub(super) const ANY: &str = "*";

impl Engine<'_> {
    /// `map.set(key, value)`: whether it was such a call.
    pub(super) fn put(
        &mut self,
        place: Place,
        expr: ExprId,
        receiver: Option<&(Value, String)>,
        values: &[Value],
    ) -> bool {
        let Some((table, name)) = receiver else { return false };
        let [key, value] = values else { return false };
        if !matches!(name.as_str(), "set" | "setdefault" | "__setitem__") {
            return false;
        }
        let ExprKind::Call { callee, .. } = self.unit(place).expr(expr) else { return false };
        let ExprKind::Member { of, .. } = self.unit(place).expr(*callee) else { return false };
        let of = *of;
        let name = key.text.as_deref().unwrap_or(ANY).to_owned();
        match self.unit(place).expr(of) {
            ExprKind::Member { of: holder, name: field } => {
                let field = field.clone();
                let Some(class) = self.receiver(place, *holder) else { return false };
                let (unit, class) = self.program.root_class(class);
                let slot = self.heap.entry((unit, class, field)).or_default();
                keep(slot, name, value);
                true
            }
            ExprKind::Var(_) if table.fields.is_some() => {
                self.store(place, of, Some(name), value.clone());
                true
            }
            _ => false,
        }
    }
}

/// What a call makes of a table or list of which nobody outside chooses the members; none for other calls.
pub(super) fn of_table(path: &str, receiver: Option<&(Value, String)>, values: &[Value]) -> Option<Value> {
    let first = values.first();
    match path {
        "Map" | "Object.fromEntries" | "collections.OrderedDict" if values.len() <= 1 => {
            let Some(first) = first else {
                return (path == "Map").then(|| Value::default().with_fields(BTreeMap::new()));
            };
            return if first.items.is_some() { Some(of_pairs(first)) } else { None };
        }
        "Set" | "WeakMap" if values.is_empty() => return None,
        "Array.from" | "list" | "tuple" | "sorted" | "reversed" | "Set" | "set" if values.len() == 1 => {
            return first.filter(|first| first.items.is_some()).cloned();
        }
        "Object.values" => return first.filter(|first| is_table(first)).map(members),
        "Object.keys" => return first.filter(|first| is_table(first)).map(names),
        // What an object holds, by the names of its class.
        "dataclasses.asdict" | "attrs.asdict" | "attr.asdict" | "vars" | "dict" if values.len() == 1 => {
            return first.filter(|first| is_table(first)).map(|first| Value { means: None, ..first.clone() });
        }
        "Object.entries" => return first.filter(|first| is_table(first)).map(entries),
        "Object.assign" => return assigned(values),
        _ => {}
    }
    let (table, name) = receiver?;
    match name.as_str() {
        "values" if values.is_empty() && is_table(table) => Some(members(table)),
        "items" | "entries" if values.is_empty() && is_table(table) => Some(entries(table)),
        "keys" if values.is_empty() && is_table(table) => Some(names(table)),
        "copy" if values.is_empty() => Some(table.clone()),
        "model_dump" | "_asdict" | "to_dict" if is_table(table) => Some(Value { means: None, ..table.clone() }),
        "concat" if table.items.is_some() => {
            let mut items: Vec<Value> = table.items.iter().flat_map(|items| items.iter().cloned()).collect();
            for value in values {
                match &value.items {
                    Some(more) => items.extend(more.iter().cloned()),
                    None => items.push(value.clone()),
                }
            }
            items.truncate(MEMBERS_COUNT_MAX);
            Some(of_items(items))
        }
        _ => None,
    }
}

/// The elements of a list that a predicate lets through: its test holds for them, not for the list.
pub(super) fn filtered(list: &Value, proven: &HashMap<Origin, Safe>) -> Value {
    let mut left = list.clone();
    for taint in &mut left.taints {
        if let Some(safe) = proven.get(&taint.origin) {
            taint.safe = taint.safe.and(*safe);
            taint.direct = false;
        }
    }
    left
}

/// Adds a member to a table, beside what it held under this name.
pub(super) fn keep(table: &mut Value, name: String, value: &Value) {
    let value = table.part(value.clone());
    match &mut table.fields {
        Some(fields) => {
            let fields = Rc::make_mut(fields);
            if fields.len() >= MEMBERS_COUNT_MAX * 8 && !fields.contains_key(&name) {
                return;
            }
            let before = fields.remove(&name);
            fields.insert(name, before.map_or_else(|| value.clone(), |before| before.or(&value)));
        }
        None => table.fields = Some(Rc::new(BTreeMap::from([(name, value)]))),
    }
}

/// Adds to the member that stands for all whose names are not known.
pub(super) fn keep_any(fields: &mut BTreeMap<String, Value>, value: &Value) {
    let before = fields.remove(ANY);
    fields.insert(ANY.to_owned(), before.map_or_else(|| value.clone(), |before| before.or(value)));
}

/// Whether all members are known by their names, and nobody outside chooses these.
fn is_table(value: &Value) -> bool {
    let all = value.fields.as_ref().is_some_and(|fields| !fields.contains_key(ANY) || value.taints.is_empty());
    all && value.taints.iter().all(|taint| !taint.direct)
}

fn of_items(items: Vec<Value>) -> Value {
    let mut value = Value::default();
    items.iter().for_each(|item| value.absorb(&item.derived()));
    value.with_items(items)
}

fn members(table: &Value) -> Value {
    let fields = table.fields.iter().flat_map(|fields| fields.values());
    of_items(fields.take(MEMBERS_COUNT_MAX).cloned().collect())
}

fn names(table: &Value) -> Value {
    let fields = table.fields.iter().flat_map(|fields| fields.keys());
    of_items(fields.take(MEMBERS_COUNT_MAX).map(|name| Value::text(name)).collect())
}

fn entries(table: &Value) -> Value {
    let fields = table.fields.iter().flat_map(|fields| fields.iter());
    let pair = |(name, value): (&String, &Value)| of_items(vec![Value::text(name), value.clone()]);
    of_items(fields.take(MEMBERS_COUNT_MAX).map(pair).collect())
}

/// A table from pairs of names and values.
fn of_pairs(pairs: &Value) -> Value {
    let mut table = Value::default().with_fields(BTreeMap::new());
    for pair in pairs.items.iter().flat_map(|items| items.iter()).take(MEMBERS_COUNT_MAX * 4) {
        match pair.items.as_deref().map(Vec::as_slice) {
            Some([key, value]) => keep(&mut table, key.text.as_deref().unwrap_or(ANY).to_owned(), value),
            _ => table.absorb(&pair.derived()),
        }
    }
    table
}

/// `Object.assign({}, a, b)`
fn assigned(values: &[Value]) -> Option<Value> {
    let mut all = Value::default();
    for value in values {
        all.absorb(&value.derived());
        match (&mut all.fields, &value.fields) {
            (Some(held), Some(more)) => {
                let more = more.iter().map(|(name, value)| (name.clone(), value.clone()));
                Rc::make_mut(held).extend(more.take(MEMBERS_COUNT_MAX * 8));
            }
            (held @ None, Some(more)) => *held = Some(Rc::clone(more)),
            _ if !value.taints.is_empty() => keep(&mut all, ANY.to_owned(), &value.derived()),
            _ => {}
        }
    }
    all.depth = values.iter().map(|value| value.depth).max().unwrap_or_default();
    all.fields.is_some().then_some(all)
}
