//! Classes of the bundle as families: bases, what overrides what, and what a type that is written says.

use std::cell::Cell;

use foldhash::HashMap;

use super::super::facts::{ClassId, ExprKind, FunctionId, Param};
use super::{FOLLOWED_COUNT_MAX, Meaning, Program, STEPS_MAX, Steps, UnitId};

/// Most bases above each other.
const BASES_DEPTH_MAX: usize = 12;
/// Most bases of one class that are looked at.
pub(crate) const BASES_COUNT_MAX: usize = 16;
/// Most overriding methods that one call may go to.
const OVERRIDES_COUNT_MAX: usize = 48;
/// Most typed fields of a class that are looked through.
const TYPES_COUNT_MAX: usize = 64;

/// A class of the bundle.
pub type ClassKey = (UnitId, ClassId);

/// Classes by what they extend.
#[derive(Debug, Default)]
pub(super) struct Families {
    base: HashMap<ClassKey, ClassKey>,
    derived: HashMap<ClassKey, Vec<ClassKey>>,
}

impl Program {
    /// All classes of the bundle.
    pub fn classes(&self) -> impl Iterator<Item = ClassKey> {
        self.units().flat_map(|(id, unit)| {
            (0..unit.classes.len()).map(move |at| (id, ClassId(u32::try_from(at).unwrap_or(u32::MAX))))
        })
    }

    fn families(&self) -> &Families {
        self.families.get_or_init(|| {
            let mut families = Families::default();
            for class in self.classes() {
                let bases = &self.unit(class.0).classes[class.1.0 as usize].bases;
                for &base in bases.iter().take(BASES_COUNT_MAX) {
                    if let Meaning::Class(unit, base) = self.meaning(class.0, FunctionId::TOP, base)
                        && (unit, base) != class
                    {
                        families.base.entry(class).or_insert((unit, base));
                        families.derived.entry((unit, base)).or_default().push(class);
                    }
                }
            }
            families
        })
    }

    /// The topmost base of a class in the bundle: whose fields a family shares.
    pub fn root_class(&self, class: ClassKey) -> ClassKey {
        let families = self.families();
        let mut at = class;
        for _ in 0..BASES_DEPTH_MAX {
            match families.base.get(&at) {
                Some(&base) => at = base,
                None => break,
            }
        }
        at
    }

    /// Methods of this name in classes that extend a class.
    pub fn overrides(&self, class: ClassKey, name: &str) -> Vec<(UnitId, FunctionId)> {
        self.overrides_with_cost(class, name).0
    }

    /// The same, with how many classes were looked at.
    pub fn overrides_with_cost(&self, class: ClassKey, name: &str) -> (Vec<(UnitId, FunctionId)>, usize) {
        let families = self.families();
        let mut found = Vec::new();
        let mut open = vec![class];
        let mut seen = 0;
        while let Some(at) = open.pop() {
            seen += 1;
            if seen > OVERRIDES_COUNT_MAX * 4 || found.len() >= OVERRIDES_COUNT_MAX {
                break;
            }
            let derived = families.derived.get(&at).map_or(&[][..], Vec::as_slice);
            for &(unit, derived) in derived.iter().take(OVERRIDES_COUNT_MAX * 4) {
                found.extend(self.own_method(unit, derived, name).map(|method| (unit, method)));
                open.push((unit, derived));
            }
        }
        (found, seen)
    }

    /// What a member of a thing means.
    pub fn member_of(&self, of: &Meaning, name: &str) -> Option<Meaning> {
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        self.member(of.clone(), name, Steps { depth: STEPS_MAX, left: &left })
            .filter(|meaning| !matches!(meaning, Meaning::Value(..)))
    }

    /// What a parameter is, by the type that is written.
    pub(super) fn annotated(&self, unit: UnitId, param: &Param) -> Option<Meaning> {
        let left = Cell::new(FOLLOWED_COUNT_MAX);
        self.of_type(unit, param.annotation.as_deref()?, Steps { depth: STEPS_MAX, left: &left })
    }

    /// What a field of a class is, by the type that is written.
    pub(super) fn declared(&self, (unit, class): ClassKey, name: &str, steps: Steps<'_>) -> Option<Meaning> {
        let class = &self.unit(unit).classes[class.0 as usize];
        let all = class.types.iter().chain(&class.declared).take(TYPES_COUNT_MAX);
        let (_, written) = all.into_iter().find(|(field, _)| field == name)?;
        self.of_type(unit, written, steps.checked_sub(1)?)
    }

    /// What a value of a written type is.
    pub(super) fn of_type(&self, unit: UnitId, written: &str, steps: Steps<'_>) -> Option<Meaning> {
        let written = written.trim().trim_matches(['"', '\'']);
        let written = written.trim_start_matches(':').trim();
        let written = ["Optional[", "typing.Optional[", "Annotated["]
            .iter()
            .find_map(|outer| written.strip_prefix(outer))
            .map_or(written, |inner| inner.split([',', ']']).next().unwrap_or_default());
        let written = written.split('|').map(str::trim).find(|part| !matches!(*part, "None" | "undefined" | "null"))?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        if !written.starts_with(|c: char| c.is_alphabetic() || c == '_') || !written.chars().all(plain) {
            return None;
        }
        let mut parts = written.split('.');
        let first = parts.next()?;
        let imported = self.import_as(unit, first);
        let mut meaning = match imported {
            Some(import) => self.imported(unit, import, steps),
            None => Meaning::Class(unit, self.class_of_name(unit, first)?),
        };
        for part in parts {
            meaning = self.member(meaning, part, steps)?;
        }
        match meaning {
            Meaning::Class(unit, class) => Some(Meaning::Instance(unit, class)),
            Meaning::Outside(path) => Some(Meaning::Outside(path + "()")),
            _ => None,
        }
    }

    /// Whether a name of a method is one that a class's users call, and not a field.
    pub fn has_method(&self, (unit, class): ClassKey, name: &str) -> Option<FunctionId> {
        self.own_method(unit, class, name)
    }

    /// The constant text of a class's field.
    pub fn field_text(&self, (unit, class): ClassKey, name: &str) -> Option<&str> {
        match self.unit(unit).expr(self.own_field(unit, class, name)?) {
            ExprKind::Text(text) => Some(text),
            _ => None,
        }
    }
}
