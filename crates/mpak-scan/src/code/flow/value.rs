//! What is known of a value: whether outsiders choose it, by what way it came, what it is safe for.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::code::facts::Span;
use crate::code::program::{Meaning, UnitId};

/// Longest text that is kept of one value, in characters.
const TEXT_CHARS_MAX: usize = 2_000;
/// Deepest nesting of values in each other.
const DEPTH_MAX: u8 = 12;
/// Most sources that are kept of one value.
const TAINTS_COUNT_MAX: usize = 6;
/// Most parts of two values that are joined one by one.
const JOINED_COUNT_MAX: usize = 2_048;
/// Most parts of a value that are looked into for sources.
const PARTS_COUNT_MAX: usize = 256;
/// Most constant texts that one value is known to be one of, and the longest such text in bytes.
const TEXTS_COUNT_MAX: usize = 4;
const TEXTS_BYTES_MAX: usize = 64;
/// Most things that one value is known to be one of.
const MEANINGS_COUNT_MAX: usize = 64;

/// Who chooses a value; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Source {
    /// The environment or the command line: whoever starts the server.
    Environment,
    /// The bundle does not tell: a parameter that nothing in it gives.
    Unknown,
    /// Whoever made an archive, by the names in it.
    Archive,
    /// An answer from the network.
    Network,
    /// The model, by the arguments of a tool.
    Tool,
}

/// What a value is safe for, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Safe(u16);

impl Safe {
    /// Text for a shell.
    pub const SHELL: Self = Self(1);
    /// Path below a folder, with its links followed.
    pub const PATH: Self = Self(1 << 1 | 1 << 9);
    /// Path below a folder by its text, as long as no link leads out of it.
    pub const BELOW: Self = Self(1 << 1);
    /// Host of a URL.
    pub const HOST: Self = Self(1 << 2);
    /// Text for a database.
    pub const QUERY: Self = Self(1 << 3);
    /// Source code.
    pub const CODE: Self = Self(1 << 4);
    /// An argument that is no option.
    pub const ARGUMENT: Self = Self(1 << 5);
    /// Text for the system's opener.
    pub const OPENER: Self = Self(1 << 6);
    /// Everything that text can do harm in.
    pub const ALL: Self = Self(0x7f | 1 << 9);
    /// Quoted as one word of a shell: safe for it only where no other quotes stand around.
    pub const QUOTED: Self = Self(1 << 7);
    /// The source's path was compared after its links were followed.
    pub const LINKS_SEEN: Self = Self(1 << 10);
    /// Path without `..`.
    pub const DOTLESS: Self = Self(1 << 11);
    /// Path that does not begin at the root.
    pub const ROOTLESS: Self = Self(1 << 12);
    /// Without a single quote that could end one: safe for a shell between single quotes.
    pub const BETWEEN_QUOTES: Self = Self(1 << 8);

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both are safe for.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// All but these.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it is safe for all of these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What two texts both begin with.
fn common_begin(one: Option<&str>, other: Option<&str>) -> Option<Rc<str>> {
    let (one, other) = (one?, other?);
    let same = one.char_indices().zip(other.chars()).take_while(|((_, a), b)| a == b);
    let end = same.last().map(|((at, c), _)| at + c.len_utf8())?;
    Some(one[..end].into())
}

/// One place on the way of a value.
#[derive(Debug)]
pub struct Step {
    /// Where.
    pub unit: UnitId,
    /// Where.
    pub span: Span,
    /// What happens there.
    pub what: String,
    /// The place before.
    pub before: Option<Rc<Step>>,
    /// How many places there are up to here.
    pub length: u32,
}

/// Key of a source.
pub type Origin = u32;

/// What of a path is resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resolved {
    /// Nothing.
    #[default]
    No,
    /// `..`, by its text.
    Dots,
    /// Links as well.
    Links,
}

/// One source that a value holds text of.
#[derive(Clone, Debug)]
pub struct Taint {
    /// Who.
    pub source: Source,
    /// Which.
    pub origin: Origin,
    /// What its text in this value is safe for.
    pub safe: Safe,
    /// What of a path is resolved.
    pub resolved: Resolved,
    /// Whether its begin was cut off: what is proven of this path is not proven of the source's.
    pub edited: bool,
    /// Whether links were followed after the name was checked: what was proven of the name says nothing any more.
    pub followed: bool,
    /// Whether the value is the source's text, unchanged.
    pub direct: bool,
    /// Whether the value may begin with it.
    pub starts: bool,
    /// The way.
    pub path: Rc<Step>,
}

impl Taint {
    /// What its text is safe for where this is proven of its source.
    #[must_use]
    pub fn safe_where(&self, proven: Safe) -> Safe {
        // A path that is checked with its links followed is known as far as its dots are resolved.
        let seen = proven.has(Safe::LINKS_SEEN) && self.resolved >= Resolved::Dots;
        let proven = if self.followed { proven.without(Safe::BELOW) } else { proven };
        let safe = self.safe.and(if seen { proven.and(Safe::PATH) } else { proven });
        // Without `..` a path stays below what it is joined to, unless it begins at the root.
        let stays = safe.has(Safe::DOTLESS.and(Safe::ROOTLESS)) && !self.followed;
        if stays { safe.and(Safe::BELOW) } else { safe }
    }
}

/// What is known of a value.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// Sources.
    pub taints: Vec<Taint>,
    /// The whole text, where it is constant.
    pub text: Option<Rc<str>>,
    /// The text that it begins with, where that is constant.
    pub prefix: Option<Rc<str>>,
    /// The few constant texts that it may be, where it is one of several.
    pub texts: Option<Rc<[Rc<str>]>>,
    /// Members, where they are known one by one.
    pub fields: Option<Rc<BTreeMap<String, Value>>>,
    /// Elements, where they are known one by one.
    pub items: Option<Rc<Vec<Value>>>,
    /// What it may be: functions, classes and instances of the bundle, and things from outside.
    pub means: Option<Rc<Vec<Meaning>>>,
    /// Whether it is true, where that is constant.
    pub is: Option<bool>,
    /// Whether it stands for any number of elements of a list.
    pub several: bool,
    /// How deep values lie in each other.
    pub(super) depth: u8,
}

impl Value {
    /// A constant text. Of a long one only the begin is known, since values are copied all the time.
    pub fn text(text: &str) -> Self {
        match text.char_indices().nth(TEXT_CHARS_MAX) {
            None => Self { text: Some(text.into()), prefix: Some(text.into()), ..Self::default() },
            Some((end, _)) => Self { prefix: Some(text[..end].into()), ..Self::default() },
        }
    }

    /// A thing that is known.
    pub fn meaning(meaning: Meaning) -> Self {
        Self { means: Some(Rc::new(vec![meaning])), ..Self::default() }
    }

    /// What it may be.
    pub fn meanings(&self) -> &[Meaning] {
        self.means.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Adds what it may be.
    pub fn may_mean(&mut self, more: Option<&Rc<Vec<Meaning>>>) {
        match (&mut self.means, more) {
            (Some(held), Some(more)) if !Rc::ptr_eq(held, more) => {
                let new: Vec<&Meaning> = more.iter().filter(|meaning| !held.contains(meaning)).collect();
                if !new.is_empty() && held.len() < MEANINGS_COUNT_MAX {
                    let new: Vec<Meaning> = new.into_iter().cloned().collect();
                    let held = Rc::make_mut(held);
                    held.extend(new);
                    held.truncate(MEANINGS_COUNT_MAX);
                }
            }
            (held @ None, Some(more)) => *held = Some(Rc::clone(more)),
            _ => {}
        }
    }

    /// With members.
    #[must_use]
    pub fn with_fields(mut self, fields: BTreeMap<String, Self>) -> Self {
        let fields: BTreeMap<String, Self> = fields.into_iter().map(|(name, value)| (name, self.part(value))).collect();
        self.fields = Some(Rc::new(fields));
        self
    }

    /// With elements.
    #[must_use]
    pub fn with_items(mut self, items: Vec<Self>) -> Self {
        let items: Vec<Self> = items.into_iter().map(|value| self.part(value)).collect();
        self.items = Some(Rc::new(items));
        self
    }

    /// A value that becomes a part of this one: of one that is too deep only the sources are kept, since
    /// values are walked through and dropped part by part.
    #[must_use]
    pub fn part(&mut self, value: Self) -> Self {
        if value.depth >= DEPTH_MAX {
            return value.derived();
        }
        self.depth = self.depth.max(value.depth + 1);
        value
    }

    /// Only the sources of a value, as they come out of a computation.
    #[must_use]
    pub fn derived(&self) -> Self {
        let taint = |taint: &Taint| Taint { direct: false, ..taint.clone() };
        Self { taints: self.taints.iter().map(taint).collect(), ..Self::default() }
    }

    /// The sources of a value and of all that it holds.
    #[must_use]
    pub fn deep(&self) -> Self {
        let mut all = self.derived();
        let mut left = PARTS_COUNT_MAX;
        self.gather(&mut all, &mut left);
        all
    }

    fn gather(&self, all: &mut Self, left: &mut usize) {
        let fields = self.fields.iter().flat_map(|fields| fields.values());
        let items = self.items.iter().flat_map(|items| items.iter());
        for part in fields.chain(items) {
            if *left == 0 {
                return;
            }
            *left -= 1;
            all.absorb(&part.derived());
            part.gather(all, left);
        }
    }

    /// With each source changed.
    #[must_use]
    pub fn each(mut self, change: impl Fn(&mut Taint)) -> Self {
        self.taints.iter_mut().for_each(change);
        self
    }

    /// Adds the sources of another.
    pub fn absorb(&mut self, other: &Self) {
        for taint in &other.taints {
            let held = self.taints.len();
            match self.taints.iter_mut().find(|t| t.origin == taint.origin) {
                Some(same) => {
                    same.safe = Safe(same.safe.0 & taint.safe.0);
                    same.resolved = same.resolved.min(taint.resolved);
                    same.edited |= taint.edited;
                    same.followed |= taint.followed;
                    same.direct &= taint.direct;
                    same.starts |= taint.starts;
                }
                None if held < TAINTS_COUNT_MAX => self.taints.push(taint.clone()),
                None => {}
            }
        }
    }

    /// Either of two values.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let mut left = JOINED_COUNT_MAX;
        self.or_within(other, &mut left)
    }

    /// The constant texts that it may be.
    pub fn all_texts(&self) -> impl Iterator<Item = &Rc<str>> {
        self.text.iter().chain(self.texts.iter().flat_map(|texts| texts.iter()))
    }

    /// The texts of either of two values; none where one of them may be another text.
    fn either_text(&self, other: &Self) -> Option<Rc<[Rc<str>]>> {
        let constant = |value: &Self| value.taints.is_empty() && (value.text.is_some() || value.texts.is_some());
        if !constant(self) || !constant(other) {
            return None;
        }
        let mut all: Vec<Rc<str>> = Vec::new();
        for text in self.all_texts().chain(other.all_texts()) {
            if !all.contains(text) {
                all.push(Rc::clone(text));
            }
        }
        let few = all.len() <= TEXTS_COUNT_MAX && all.iter().all(|text| text.len() <= TEXTS_BYTES_MAX);
        few.then(|| all.into())
    }

    /// The same, going into so many parts: one part may stand in many others.
    fn or_within(mut self, other: &Self, left: &mut usize) -> Self {
        let Some(rest) = left.checked_sub(1) else {
            self.absorb(&other.derived());
            self.may_mean(other.means.as_ref());
            (self.text, self.texts, self.prefix, self.is) = (None, None, None, None);
            return self;
        };
        *left = rest;
        self.absorb(other);
        self.may_mean(other.means.as_ref());
        self.depth = self.depth.max(other.depth);
        self.several |= other.several;
        if self.is != other.is {
            self.is = None;
        }
        if self.text != other.text || self.texts.is_some() {
            self.texts = self.either_text(other);
            self.text = None;
        }
        if self.prefix != other.prefix {
            self.prefix = common_begin(self.prefix.as_deref(), other.prefix.as_deref());
        }
        self.fields = match (self.fields, &other.fields) {
            (Some(a), Some(b)) if !Rc::ptr_eq(&a, b) => {
                let mut both = (*a).clone();
                for (name, value) in b.iter() {
                    let joined =
                        both.get(name).map_or_else(|| value.clone(), |before| before.clone().or_within(value, left));
                    both.insert(name.clone(), joined);
                }
                Some(Rc::new(both))
            }
            (a, b) => a.or_else(|| b.clone()),
        };
        self.items = match (self.items, &other.items) {
            (Some(a), Some(b)) if Rc::ptr_eq(&a, b) => Some(a),
            (Some(a), Some(b)) if a.len() == b.len() => {
                Some(Rc::new(a.iter().zip(b.iter()).map(|(a, b)| a.clone().or_within(b, left)).collect()))
            }
            (Some(a), Some(b)) => Some(if a.len() > b.len() { a } else { Rc::clone(b) }),
            (a, b) => a.or_else(|| b.clone()),
        };
        self
    }
}
