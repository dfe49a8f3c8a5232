//! What a schema lets through: which parts of an input can hold no text that an attacker could choose.
//!
//! Schemas are zod's and its likes', classes of Python (pydantic, enumerations, dataclasses) and Python's
//! annotations. Whoever asks must know that the schema is enforced.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::facts::{Arg, ClassId, ExprId, ExprKind, FunctionId, Statement, Unit};
use super::flow::value::Safe;
use super::program::{BASES_COUNT_MAX, Meaning, Program, UnitId};

mod patterns;

pub use patterns::matched;

/// Most statements of a file among which a type's other name is looked for.
const ALIASES_COUNT_MAX: usize = 2_000;

/// Deepest nesting of schemas that is looked into.
const DEPTH_MAX: u32 = 10;
/// Most members of one schema that are looked at.
const MEMBERS_COUNT_MAX: usize = 200;
/// Most parts of one schema that are looked at: one part may stand in many others.
const PARTS_COUNT_MAX: u32 = 2_000;

/// How far a schema is still looked into.
#[derive(Clone, Copy)]
struct Depth<'q> {
    depth: u32,
    /// How many more parts, in all of them together.
    left: &'q Cell<u32>,
}

impl<'q> Depth<'q> {
    fn of(left: &'q Cell<u32>) -> Self {
        Self { depth: DEPTH_MAX, left }
    }

    fn checked_sub(self, depth: u32) -> Option<Self> {
        self.left.set(self.left.get().checked_sub(1)?);
        Some(Self { depth: self.depth.checked_sub(depth)?, left: self.left })
    }
}

/// What a value may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    #[default]
    Free,
    /// Text that is safe for these.
    Safe(Safe),
    /// Members, each with its own shape.
    Members(BTreeMap<String, Shape>),
    /// Elements of this shape.
    Elements(Box<Shape>),
}

impl Shape {
    /// Nothing that an attacker could choose.
    pub const HARMLESS: Self = Self::Safe(Safe::ALL);

    /// Of a member.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Members(members) => members.get(name),
            _ => None,
        }
    }

    /// What its text is safe for.
    pub fn safe(&self) -> Safe {
        match self {
            Self::Safe(safe) => *safe,
            Self::Free | Self::Members(_) | Self::Elements(_) => Safe::default(),
        }
    }

    /// Either of two.
    #[must_use]
    fn or(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Safe(a), Self::Safe(b)) => Self::Safe(a.common(*b)),
            (a, b) if a == *b => a,
            _ => Self::Free,
        }
    }
}

/// Whether a pattern speaks of the whole text.
pub fn is_whole(pattern: &str, full: bool) -> bool {
    full || (pattern.starts_with('^') || pattern.starts_with("\\A"))
        && (pattern.ends_with('$') || pattern.ends_with("\\Z") || pattern.ends_with("\\z"))
}

/// The shape of a schema object of a script; none where the expression is no schema.
pub fn of_schema(program: &Program, unit: UnitId, expr: ExprId) -> Option<Shape> {
    schema(program, unit, expr, Depth::of(&Cell::new(PARTS_COUNT_MAX)))
}

fn schema(program: &Program, unit: UnitId, expr: ExprId, depth: Depth<'_>) -> Option<Shape> {
    let depth = depth.checked_sub(1)?;
    let (unit, expr) = program.value(unit, expr);
    let source = program.unit(unit);
    match source.expr(expr) {
        // A raw shape: `{ name: z.string() }`.
        ExprKind::Dict(members) => {
            let members = members_of(program, unit, members, depth);
            (!members.is_empty()).then_some(Shape::Members(members))
        }
        ExprKind::Member { of, name } if name == "shape" => schema(program, unit, *of, depth),
        ExprKind::Call { callee, args, .. } => {
            let ExprKind::Member { of, name } = source.expr(*callee) else { return None };
            chained(program, (unit, source), *of, name, args, depth)
        }
        _ => None,
    }
}

/// `of.name(args)` of a schema.
fn chained(
    program: &Program,
    (unit, source): (UnitId, &Unit),
    of: ExprId,
    name: &str,
    args: &[Arg],
    depth: Depth<'_>,
) -> Option<Shape> {
    let first = args.first().map(|arg| arg.value);
    let before = || schema(program, unit, of, depth);
    Some(match name.to_ascii_lowercase().as_str() {
        "number" | "int" | "integer" | "boolean" | "bool" | "enum" | "nativeenum" | "literal" | "bigint" | "date"
        | "uuid" | "cuid" | "cuid2" | "ulid" | "nanoid" | "null" | "undefined" | "int32" | "float32" | "guid"
        | "picklist" => Shape::HARMLESS,
        "string" | "any" | "unknown" | "record" | "custom" => Shape::Free,
        "regex" | "pattern" => {
            let (unit, pattern) = program.value(unit, first?);
            let source = program.unit(unit);
            let safe = match source.expr(pattern) {
                ExprKind::Pattern(text) if is_whole(text, false) && !source.pattern_flags(pattern).contains('m') => {
                    matched(text)
                }
                _ => Safe::default(),
            };
            match before()? {
                Shape::Safe(held) => Shape::Safe(held.and(safe)),
                Shape::Free if safe != Safe::default() => Shape::Safe(safe),
                shape => shape,
            }
        }
        "object" | "strictobject" | "looseobject" => match first.map(|first| program.value(unit, first)) {
            Some((unit, first)) => match program.unit(unit).expr(first) {
                ExprKind::Dict(members) => Shape::Members(members_of(program, unit, members, depth)),
                _ => Shape::Free,
            },
            None => Shape::Free,
        },
        "extend" | "merge" | "safeextend" | "augment" => {
            let more = first.and_then(|first| schema(program, unit, first, depth));
            match (before()?, more) {
                (Shape::Members(mut members), Some(Shape::Members(more))) => {
                    members.extend(more);
                    Shape::Members(members)
                }
                _ => Shape::Free,
            }
        }
        "array" | "set" if first.is_some() => {
            Shape::Elements(Box::new(first.and_then(|first| schema(program, unit, first, depth)).unwrap_or_default()))
        }
        "array" => Shape::Elements(Box::new(before()?)),
        "union" | "discriminatedunion" => {
            let ways = args.iter().find_map(|arg| match source.expr(arg.value) {
                ExprKind::List(items) => Some(items),
                _ => None,
            });
            let mut ways = ways?.iter().map(|&way| schema(program, unit, way, depth).unwrap_or_default());
            let first = ways.next()?;
            ways.fold(first, |all, way| all.or(&way))
        }
        "or" => before()?.or(&first.and_then(|first| schema(program, unit, first, depth)).unwrap_or_default()),
        "optional" | "nullable" | "nullish" | "readonly" | "partial" if first.is_some() => {
            // `z.optional(schema)`; of TypeBox too.
            schema(program, unit, first?, depth).or_else(before)?
        }
        // `z.preprocess(change, schema)`
        "preprocess" => schema(program, unit, args.get(1)?.value, depth)?,
        "transform" | "pipe" => Shape::Free,
        // What narrows and describes.
        _ => before()?,
    })
}

fn members_of(
    program: &Program,
    unit: UnitId,
    members: &[(Option<ExprId>, ExprId)],
    depth: Depth<'_>,
) -> BTreeMap<String, Shape> {
    let source = program.unit(unit);
    let mut shapes = BTreeMap::new();
    for (key, value) in members.iter().take(MEMBERS_COUNT_MAX) {
        match key {
            Some(key) => {
                if let (Some(name), Some(shape)) = (source.text(*key), schema(program, unit, *value, depth)) {
                    shapes.insert(name.to_owned(), shape);
                }
            }
            None => {
                if let Some(Shape::Members(spread)) = schema(program, unit, *value, depth) {
                    shapes.extend(spread);
                }
            }
        }
    }
    shapes
}

/// The shape of an annotation of Python.
pub fn of_annotation(program: &Program, unit: UnitId, annotation: &str) -> Shape {
    annotated(program, unit, annotation, Depth::of(&Cell::new(PARTS_COUNT_MAX)))
}

fn annotated(program: &Program, unit: UnitId, annotation: &str, depth: Depth<'_>) -> Shape {
    let Some(depth) = depth.checked_sub(1) else { return Shape::Free };
    let annotation = annotation.trim().trim_matches(['"', '\'']).trim();
    let parts = split(annotation, '|');
    if parts.len() > 1 {
        let ways = parts.into_iter().filter(|part| *part != "None");
        let mut ways = ways.map(|way| annotated(program, unit, way, depth));
        let Some(first) = ways.next() else { return Shape::HARMLESS };
        return ways.fold(first, |all, way| all.or(&way));
    }
    let (name, inner) = match annotation.split_once('[') {
        Some((name, inner)) => (name, inner.strip_suffix(']').unwrap_or(inner)),
        None => (annotation, ""),
    };
    let inner = || split(inner, ',');
    match name.rsplit('.').next().unwrap_or(name).trim() {
        "int" | "float" | "bool" | "None" | "datetime" | "date" | "time" | "timedelta" | "Decimal" | "UUID"
        | "Literal" | "PositiveInt" | "NonNegativeInt" | "conint" | "confloat" => Shape::HARMLESS,
        "Optional" | "Required" | "NotRequired" | "Final" => {
            inner().first().map_or(Shape::Free, |of| annotated(program, unit, of, depth))
        }
        "Union" => {
            let parts = inner();
            let mut ways = parts.iter().filter(|part| **part != "None").map(|way| annotated(program, unit, way, depth));
            let Some(first) = ways.next() else { return Shape::HARMLESS };
            ways.fold(first, |all, way| all.or(&way))
        }
        "Annotated" => {
            let parts = inner();
            let shape = parts.first().map_or(Shape::Free, |of| annotated(program, unit, of, depth));
            match (shape, parts.iter().find_map(|part| pattern_of(part))) {
                (Shape::Free, Some(pattern)) if is_whole(&pattern, false) => match matched(&pattern) {
                    safe if safe == Safe::default() => Shape::Free,
                    safe => Shape::Safe(safe),
                },
                (shape, _) => shape,
            }
        }
        "list" | "List" | "Sequence" | "Iterable" | "set" | "Set" | "tuple" | "Tuple" | "frozenset" => {
            match inner().first().map(|of| annotated(program, unit, of, depth)) {
                Some(harmless) if harmless == Shape::HARMLESS => Shape::HARMLESS,
                Some(shape) => Shape::Elements(Box::new(shape)),
                None => Shape::Free,
            }
        }
        name if name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.is_empty() => {
            match class_named(program, unit, name) {
                Some((unit, class)) => of_class(program, unit, class, depth),
                None => alias(program.unit(unit), name).map_or(Shape::Free, |of| annotated(program, unit, of, depth)),
            }
        }
        _ => Shape::Free,
    }
}

/// The text of what a name of a type stands for: `Machine = Literal["alpha", "beta"]`.
fn alias<'u>(unit: &'u Unit, name: &str) -> Option<&'u str> {
    let Statement::Assign { value, .. } =
        unit.function(FunctionId::TOP).body.iter().take(ALIASES_COUNT_MAX).find(|statement| {
            let Statement::Assign { target, .. } = statement else { return false };
            matches!(unit.expr(*target), ExprKind::Var(var) if unit.vars[var.0 as usize].name == name)
        })?
    else {
        return None;
    };
    let span = unit.span(*value);
    unit.source.get(span.start as usize..span.end as usize).filter(|text| text.contains('['))
}

/// `pattern=r"…"` in the text of a call.
fn pattern_of(call: &str) -> Option<String> {
    let rest = call.split_once("pattern=").or_else(|| call.split_once("regex="))?.1.trim_start();
    let rest = rest.strip_prefix('r').unwrap_or(rest);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(pattern, _)| pattern.to_owned())
}

/// At a separator outside of brackets and quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut from, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '(' | '{') => depth += 1,
            (None, ']' | ')' | '}') => depth = depth.saturating_sub(1),
            (None, c) if c == separator && depth == 0 => {
                parts.push(text[from..at].trim());
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

/// The class that a name of a unit means.
pub(super) fn class_named(program: &Program, unit: UnitId, name: &str) -> Option<(UnitId, ClassId)> {
    if let Some(class) = program.class_of_name(unit, name) {
        return Some((unit, class));
    }
    let import = program.import_as(unit, name).or_else(|| program.import_of(unit, name))?;
    let inside = program.module(unit, &import.module)?;
    let wanted = import.member.as_deref().unwrap_or(name);
    match program.meaning(inside, FunctionId::TOP, program.exported(inside, wanted)?) {
        Meaning::Class(unit, class) => Some((unit, class)),
        _ => None,
    }
}

/// The shape of the instances of a class of Python.
pub fn class(program: &Program, unit: UnitId, class: ClassId) -> Shape {
    of_class(program, unit, class, Depth::of(&Cell::new(PARTS_COUNT_MAX)))
}

fn of_class(program: &Program, unit: UnitId, class: ClassId, depth: Depth<'_>) -> Shape {
    let Some(depth) = depth.checked_sub(1) else { return Shape::Free };
    let source = program.unit(unit);
    let found = &source.classes[class.0 as usize];
    let mut members = BTreeMap::new();
    for &base in found.bases.iter().take(BASES_COUNT_MAX) {
        match program.meaning(unit, FunctionId::TOP, base) {
            Meaning::Outside(path) if is_enumeration(&path) => return Shape::HARMLESS,
            Meaning::Class(unit, class) => match of_class(program, unit, class, depth) {
                Shape::Members(more) => members.extend(more),
                harmless @ Shape::Safe(_) => return harmless,
                Shape::Free | Shape::Elements(_) => {}
            },
            _ => {}
        }
    }
    for (name, annotation) in found.types.iter().take(MEMBERS_COUNT_MAX) {
        let mut shape = annotated(program, unit, annotation, depth);
        if shape == Shape::Free
            && let Some(value) = program.own_field(unit, class, name)
            && let ExprKind::Call { args, .. } = source.expr(value)
            && let Some(pattern) = args.iter().find(|arg| matches!(arg.name.as_deref(), Some("pattern" | "regex")))
            && let Some(pattern) = source.text(pattern.value).filter(|pattern| is_whole(pattern, false))
        {
            shape = Shape::Safe(matched(pattern));
        }
        members.insert(name.clone(), shape);
    }
    if members.is_empty() { Shape::Free } else { Shape::Members(members) }
}

/// Whether instances of a class are checked against its annotations when they are made.
pub fn is_checked(program: &Program, unit: UnitId, class: ClassId) -> bool {
    let mut at = Some((unit, class));
    for _ in 0..DEPTH_MAX {
        let Some((unit, class)) = at else { return false };
        let bases = &program.unit(unit).classes[class.0 as usize].bases;
        at = None;
        for &base in bases.iter().take(BASES_COUNT_MAX) {
            match program.meaning(unit, FunctionId::TOP, base) {
                Meaning::Outside(path) if path.ends_with("BaseModel") || is_enumeration(&path) => return true,
                Meaning::Class(unit, class) => at = Some((unit, class)),
                _ => {}
            }
        }
    }
    false
}

fn is_enumeration(path: &str) -> bool {
    matches!(path.rsplit('.').next(), Some("Enum" | "StrEnum" | "IntEnum" | "Flag" | "IntFlag"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::facts::ExprKind as K;
    use crate::code::read;

    fn script(schema: &str) -> Option<Shape> {
        let source = format!("import {{ z }} from 'zod';\nconst S = {schema};\nuse(S);\n");
        let program = Program::new(read("s.js", source.as_bytes()).into_iter().collect());
        let (id, unit) = program.units().next().unwrap();
        let used = unit.calls().find(|(_, callee, _)| matches!(unit.expr(*callee), K::Free(name) if name == "use"));
        of_schema(&program, id, used.unwrap().2[0].value)
    }

    fn members(shape: Option<Shape>) -> Vec<(String, Shape)> {
        match shape {
            Some(Shape::Members(members)) => members.into_iter().collect(),
            other => vec![(format!("{other:?}"), Shape::Free)],
        }
    }

    #[test]
    fn schemas_of_scripts_tell_what_holds_no_text() {
        for (schema, expected) in [
            ("z.object({ a: z.string() })", Shape::Free),
            ("z.object({ a: z.number().int().optional() })", Shape::HARMLESS),
            ("z.object({ a: z.enum(['x']).default('x').describe('y') })", Shape::HARMLESS),
            ("z.object({ a: z.string().regex(/^[a-z]+$/) })", Shape::HARMLESS),
            ("z.object({ a: z.string().regex(/[a-z]+/) })", Shape::Free),
            ("z.object({ a: z.union([z.literal('x'), z.number()]) })", Shape::HARMLESS),
            ("z.object({ a: z.union([z.literal('x'), z.string()]) })", Shape::Free),
            ("z.object({ b: z.string() }).extend({ a: z.coerce.number() })", Shape::HARMLESS),
            ("{ a: z.array(z.enum(['x'])) }", Shape::Elements(Box::new(Shape::HARMLESS))),
        ] {
            let found = members(script(schema)).into_iter().find(|(name, _)| name == "a").map(|(_, shape)| shape);
            assert_eq!(found, Some(expected), "{schema}");
        }
        assert_eq!(script("other(3)"), None);
    }

    #[test]
    fn annotations_tell_what_holds_no_text() {
        let source = "
from enum import Enum
from pydantic import BaseModel, Field
class Color(str, Enum):
    RED = 'r'
class Job(BaseModel):
    name: str
    tag: str = Field(pattern=r'^[a-z]+$')
    count: int = 1
";
        let program = Program::new(read("s.py", source.as_bytes()).into_iter().collect());
        let of = |text: &str| of_annotation(&program, UnitId(0), text);
        for (annotation, harmless) in [
            ("int", true),
            ("int | None", true),
            ("Optional[float]", true),
            ("Literal['a', 'b']", true),
            ("typing.Literal['a'] | None", true),
            ("Annotated[int, Field(ge=1, le=4000)]", true),
            ("Annotated[str, Field(pattern=r\"^[a-z]+$\")]", true),
            ("Annotated[str, Field(description='a, b')]", false),
            ("list[int]", true),
            ("str", false),
            ("str | int", false),
            ("Color", true),
            ("Unknown", false),
            ("dict[str, int]", false),
        ] {
            assert_eq!(of(annotation) == Shape::HARMLESS, harmless, "{annotation}");
        }
        let job = members(Some(of("Job")));
        let expected = [("count", Shape::HARMLESS), ("name", Shape::Free), ("tag", Shape::HARMLESS)];
        assert_eq!(job, expected.map(|(name, shape)| (name.to_owned(), shape)));
    }
}
