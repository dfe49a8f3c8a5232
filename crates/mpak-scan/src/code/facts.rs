//! Source code in one form for every language: what the parsers give and what the controls ask.
//!
//! A [`Unit`] is one file. Its functions hold statements, statements hold expressions, expressions stand
//! in one arena and name each other by [`ExprId`]. Names are resolved within the file: a name is a
//! [`VarId`] or, where nothing in the file binds it, free. What the languages only spell differently is
//! one thing here: `await x` is `x`, an f-string and a template are a [`ExprKind::Join`], `with x as y` is
//! an assignment, `for y of x` assigns a member of `x`, a destructuring is several assignments.

use std::collections::BTreeMap;

/// The language of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript, modules and scripts, with JSX.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// POSIX shell and bash.
    Shell,
}

/// How far a unit could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// To its end, without errors.
    Whole,
    /// With errors in the syntax; what follows them may be missing.
    Partly(String),
    /// Not at all: too large, too deep, not text. The reason names what was found and the limit.
    Unread(String),
}

/// A place in the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// From 1.
    pub line: u32,
    /// First byte.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
}

/// Key of an expression in [`Unit::exprs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExprId(pub u32);

/// Key of a variable in [`Unit::vars`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(pub u32);

/// Key of a function in [`Unit::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// Key of a class in [`Unit::classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

impl FunctionId {
    /// What runs when the file is loaded.
    pub const TOP: Self = Self(0);
}

/// Most of a line that is shown, before a place and from it on.
const LINE_BEFORE_BYTES_MAX: usize = 1 << 10;
const LINE_AFTER_BYTES_MAX: usize = 4 << 10;

/// One source file.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Path in the bundle.
    pub path: String,
    /// Language.
    pub language: Language,
    /// How far it could be read.
    pub reading: Reading,
    /// What other modules it names, wherever in the file.
    pub imports: Vec<Import>,
    /// What it offers to others. Of Python modules that is every variable of the top level.
    pub exports: Vec<Export>,
    /// Functions, methods and closures; the first is the top level.
    pub functions: Vec<Function>,
    /// Classes.
    pub classes: Vec<Class>,
    /// Variables, parameters among them.
    pub vars: Vec<Var>,
    /// All expressions.
    pub exprs: Vec<Expr>,
    /// Types of variables that are no parameters, as the source spells them.
    pub types: BTreeMap<VarId, String>,
    /// Tests that elements of a comprehension pass, by the element's expression.
    pub kept: BTreeMap<ExprId, Vec<ExprId>>,
    /// All comments, which only text controls ask for.
    pub comments: Vec<Span>,
    /// The text.
    pub source: String,
}

/// A module that a unit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The variable that holds it; none for `import "x"` and for a name that is not constant.
    pub var: Option<VarId>,
    /// As written, without `node:`; Python's relative ones keep their leading dots (`..pkg.mod`).
    pub module: String,
    /// The member: `system` in `from os import system`, `default` for a default import. None for the module.
    pub member: Option<String>,
    /// Where.
    pub span: Span,
}

/// A name that a unit offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// `default`, or the name that others ask for; `*` for all of the module in `value`.
    pub name: String,
    /// What it is.
    pub value: ExprId,
}

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Var {
    /// Its name.
    pub name: String,
    /// The function that declares it.
    pub function: FunctionId,
}

/// A function, method or closure.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name, where it has one; of `const f = () => …` that is `f`.
    pub name: Option<String>,
    /// Parameters in order; a method's receiver (`self`, `cls`) is the first of Python's.
    pub params: Vec<Param>,
    /// Statements.
    pub body: Block,
    /// Decorators, outermost first.
    pub decorators: Vec<ExprId>,
    /// Docstring or JSDoc, without its quotes and stars.
    pub doc: Option<String>,
    /// The class of a method.
    pub class: Option<ClassId>,
    /// Whether reading the member of its name runs it: a property, a getter.
    pub accessor: bool,
    /// The function around it; none for the top level only.
    pub parent: Option<FunctionId>,
    /// Where.
    pub span: Span,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its variable. A destructured parameter has a variable without a name, taken apart in the body.
    pub var: VarId,
    /// Name by which callers may give it.
    pub name: String,
    /// Type, where one is written: `str`, `Literal["a", "b"]`, `z.infer<…>` as the source spells it.
    pub annotation: Option<String>,
    /// Default.
    pub default: Option<ExprId>,
    /// Takes all that is left: `*args`, `...rest`.
    pub rest: bool,
    /// Takes all keywords that are left: `**kwargs`.
    pub keywords: bool,
}

/// A class.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name.
    pub name: Option<String>,
    /// What it extends.
    pub bases: Vec<ExprId>,
    /// Methods by name; `constructor` and `__init__` both stand as `__init__`.
    pub methods: Vec<(String, FunctionId)>,
    /// Fields with a value, and Python's annotated ones (value is then the annotation's text).
    pub fields: Vec<(String, ExprId)>,
    /// Types of Python's annotated fields, as the source spells them, in order.
    pub types: Vec<(String, String)>,
    /// Types of TypeScript's fields, as the source spells them.
    pub declared: Vec<(String, String)>,
    /// Where.
    pub span: Span,
}

/// Statements in order.
pub type Block = Vec<Statement>;

/// A statement.
#[derive(Clone, Debug)]
pub enum Statement {
    /// `target = value`; `x += y` assigns a [`ExprKind::Join`] or [`ExprKind::Other`] of both.
    Assign {
        /// What gets the value: a [`ExprKind::Var`], [`ExprKind::Member`], [`ExprKind::Index`] or free name.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// Computes and forgets.
    Do(ExprId),
    /// Leaves the function.
    Return(Option<ExprId>),
    /// Gives a value to the caller and goes on.
    Yield(Option<ExprId>),
    /// Raises, throws, or calls what never comes back (`sys.exit()`, `process.exit()`).
    Raise(Option<ExprId>),
    /// Takes one of two ways.
    If {
        /// Decides.
        test: ExprId,
        /// When it holds.
        then: Block,
        /// When not.
        otherwise: Block,
    },
    /// Comes again; the element's assignment is the first statement of the body.
    Loop {
        /// Goes on while it holds; none where elements are taken one by one.
        test: Option<ExprId>,
        /// Comes again.
        body: Block,
    },
    /// Any of these: the body of a `try` with what follows it, then each handler; the cases of a `match`.
    Any(Vec<Block>),
    /// Leaves a loop or goes on with its next turn.
    Jump,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A constant text, after joining what is constant.
    Text(String),
    /// A constant number.
    Number(f64),
    /// `true`, `false`.
    Bool(bool),
    /// `None`, `null`, `undefined`.
    Nothing,
    /// Bytes, as far as they are wanted: those of `b"…"`.
    Bytes(Vec<u8>),
    /// A variable of the file.
    Var(VarId),
    /// A name that nothing in the file binds: `open`, `process`, `fetch`.
    Free(String),
    /// `of.name`, `of?.name`.
    Member {
        /// Holds it.
        of: ExprId,
        /// Its name.
        name: String,
    },
    /// `of[key]`; a slice and an element of a loop have no key.
    Index {
        /// Holds it.
        of: ExprId,
        /// Which.
        key: Option<ExprId>,
    },
    /// `callee(args)`.
    Call {
        /// What is called.
        callee: ExprId,
        /// With what.
        args: Vec<Arg>,
        /// `new callee(args)`.
        new: bool,
    },
    /// Texts put together: `+` where a side is text, templates, f-strings, `%`, `.format`. A tagged template
    /// is a call of its tag with the join as its only argument.
    Join(Vec<ExprId>),
    /// Comparison.
    Compare {
        /// How.
        op: Comparison,
        /// Left side.
        left: ExprId,
        /// Right side.
        right: ExprId,
    },
    /// `not x`, `!x`.
    Not(ExprId),
    /// All of these: `and`, `&&`.
    All(Vec<ExprId>),
    /// One of these: `or`, `||`, `??`.
    Either(Vec<ExprId>),
    /// `then if test else otherwise`, `test ? then : otherwise`.
    Choice {
        /// Decides.
        test: ExprId,
        /// When it holds.
        then: ExprId,
        /// When not.
        otherwise: ExprId,
    },
    /// Lists, tuples, sets and comprehensions (their element).
    List(Vec<ExprId>),
    /// Objects and dictionaries; a member without a key is spread into it.
    Dict(Vec<(Option<ExprId>, ExprId)>),
    /// A function as a value.
    Function(FunctionId),
    /// A class as a value.
    Class(ClassId),
    /// A regular expression literal.
    Pattern(String),
    /// `...x`, `*x`, `**x`.
    Spread(ExprId),
    /// Anything else, with its parts: a value flows through it.
    Other(Vec<ExprId>),
}

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Keyword.
    pub name: Option<String>,
    /// Value; [`ExprKind::Spread`] for `*x`, `**x` and `...x`.
    pub value: ExprId,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`, `===`, `is`.
    Equal,
    /// `!=`, `!==`, `is not`.
    Unequal,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `>`.
    More,
    /// `>=`.
    AtLeast,
}

impl Comparison {
    /// Whether it asks which of two comes first.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::More | Self::AtLeast)
    }
}

impl Unit {
    /// An expression.
    pub fn expr(&self, id: ExprId) -> &ExprKind {
        &self.exprs[id.0 as usize].kind
    }

    /// Where an expression stands.
    pub fn span(&self, id: ExprId) -> Span {
        self.exprs[id.0 as usize].span
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// A constant text.
    pub fn text(&self, id: ExprId) -> Option<&str> {
        match self.expr(id) {
            ExprKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The source line of a place, without indentation; of a very long one what stands around the place.
    pub fn line(&self, span: Span) -> &str {
        let bytes = self.source.as_bytes();
        let at = (span.start as usize).min(bytes.len());
        let (from, to) = (at.saturating_sub(LINE_BEFORE_BYTES_MAX), bytes.len().min(at + LINE_AFTER_BYTES_MAX));
        let mut start = bytes[from..at].iter().rposition(|&b| b == b'\n').map_or(from, |n| from + n + 1);
        let mut end = bytes[at..to].iter().position(|&b| b == b'\n').map_or(to, |n| at + n);
        while !self.source.is_char_boundary(start) {
            start += 1;
        }
        while !self.source.is_char_boundary(end) {
            end -= 1;
        }
        self.source.get(start..end).unwrap_or_default().trim()
    }

    /// The flags of a regular expression literal: `gi` of `/x/gi`.
    pub fn pattern_flags(&self, id: ExprId) -> &str {
        let span = self.span(id);
        let text = self.source.get(span.start as usize..span.end as usize).unwrap_or_default();
        text.rsplit_once('/').map_or("", |(_, flags)| flags)
    }

    /// All calls, in the order of the source.
    pub fn calls(&self) -> impl Iterator<Item = (ExprId, ExprId, &[Arg])> {
        self.exprs.iter().enumerate().filter_map(|(at, expr)| match &expr.kind {
            ExprKind::Call { callee, args, .. } => Some((ExprId(u32::try_from(at).ok()?), *callee, args.as_slice())),
            _ => None,
        })
    }
}
