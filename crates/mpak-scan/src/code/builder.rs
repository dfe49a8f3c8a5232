//! Builds a [`Unit`]: what every language's lowering shares: the arena, scopes, joining constants, limits.

use std::collections::BTreeMap;

use super::facts::{
    Arg, Block, Class, ClassId, Export, Expr, ExprId, ExprKind, Function, FunctionId, Import, Language, Reading, Span,
    Statement, Unit, Var, VarId,
};

/// Deepest nesting of statements and expressions that is lowered; deeper parts are left out.
pub(crate) const DEPTH_MAX: u32 = 256;
/// Most expressions of one unit; the rest is left out.
const EXPRS_COUNT_MAX: usize = 4_000_000;
/// Longest text that constants are joined to, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A unit under construction.
pub(crate) struct Builder {
    unit: Unit,
    /// First byte of each line.
    lines: Vec<u32>,
    depth: u32,
    cut: bool,
    /// Where the variables of each function are looked up, innermost last.
    current: FunctionId,
}

impl Builder {
    pub(crate) fn new(path: &str, language: Language, source: String) -> Self {
        let newlines = memchr::memchr_iter(b'\n', source.as_bytes());
        let after = newlines.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX));
        let lines = std::iter::once(0).chain(after).collect();
        let top = Function {
            name: None,
            params: Vec::new(),
            body: Vec::new(),
            decorators: Vec::new(),
            doc: None,
            class: None,
            accessor: false,
            parent: None,
            span: Span { line: 1, start: 0, end: u32::try_from(source.len()).unwrap_or(u32::MAX) },
        };
        let unit = Unit {
            path: path.to_owned(),
            language,
            reading: Reading::Whole,
            imports: Vec::new(),
            exports: Vec::new(),
            functions: vec![top],
            classes: Vec::new(),
            vars: Vec::new(),
            exprs: Vec::new(),
            types: BTreeMap::new(),
            kept: BTreeMap::new(),
            comments: Vec::new(),
            source,
        };
        Self { unit, lines, depth: 0, cut: false, current: FunctionId::TOP }
    }

    /// What is built so far.
    pub(crate) fn unit(&self) -> &Unit {
        &self.unit
    }

    /// A place, from byte offsets.
    pub(crate) fn span(&self, start: u32, end: u32) -> Span {
        let line = self.lines.partition_point(|&first| first <= start);
        Span { line: u32::try_from(line).unwrap_or(u32::MAX), start, end }
    }

    /// Goes one level deeper, unless that is too deep: then nothing below is to be lowered.
    pub(crate) fn deeper(&mut self) -> bool {
        if self.depth >= DEPTH_MAX || self.unit.exprs.len() >= EXPRS_COUNT_MAX {
            self.cut = true;
            return false;
        }
        self.depth += 1;
        true
    }

    /// Comes back from a level.
    pub(crate) fn higher(&mut self) {
        self.depth -= 1;
    }

    /// Remembers the written type of a variable.
    pub(crate) fn typed(&mut self, var: VarId, written: String) {
        self.unit.types.entry(var).or_insert(written);
    }

    /// Adds an expression.
    pub(crate) fn push(&mut self, kind: ExprKind, span: Span) -> ExprId {
        let id = ExprId(u32::try_from(self.unit.exprs.len()).unwrap_or(u32::MAX));
        self.unit.exprs.push(Expr { kind, span });
        id
    }

    /// Texts put together; those beside each other that are constant become one.
    pub(crate) fn join(&mut self, parts: Vec<ExprId>, span: Span) -> ExprId {
        let mut joined: Vec<ExprId> = Vec::with_capacity(parts.len());
        // The constant parts since the last one that is not: their text, and the parts as far as they matter.
        let mut text = String::new();
        let mut run: Vec<ExprId> = Vec::new();
        for part in parts.into_iter().flat_map(|part| self.parts(part)).collect::<Vec<_>>() {
            match self.constant(part) {
                Some(constant) if text.len() + constant.len() <= TEXT_BYTES_MAX => {
                    run.truncate(1);
                    run.push(part);
                    text.push_str(&constant);
                }
                _ => {
                    self.end_text(&mut joined, &mut text, &mut run, span);
                    joined.push(part);
                }
            }
        }
        self.end_text(&mut joined, &mut text, &mut run, span);
        match joined.as_slice() {
            [] => self.push(ExprKind::Text(String::new()), span),
            &[only] if self.unit.text(only).is_some() => only,
            _ => self.push(ExprKind::Join(joined), span),
        }
    }

    /// Adds the text of some constant parts, if it is not empty.
    fn end_text(&mut self, joined: &mut Vec<ExprId>, text: &mut String, run: &mut Vec<ExprId>, span: Span) {
        let (text, run) = (std::mem::take(text), std::mem::take(run));
        match run.as_slice() {
            [] => {}
            _ if text.is_empty() => {}
            &[only] => joined.push(only),
            _ => joined.push(self.push(ExprKind::Text(text), span)),
        }
    }

    /// Items put together with a text between them; none where one of them may be several, or where it comes to too
    /// much text.
    pub(crate) fn join_between(&mut self, between: &str, items: &[ExprId], span: Span) -> Option<ExprId> {
        if items.iter().any(|&item| matches!(self.unit.expr(item), ExprKind::Spread(_))) {
            return None;
        }
        // The text is written down once for each gap.
        if between.len().saturating_mul(items.len()) > TEXT_BYTES_MAX {
            return None;
        }
        let mut parts = Vec::with_capacity(items.len() * 2);
        for (at, &item) in items.iter().enumerate() {
            if at > 0 {
                parts.push(self.push(ExprKind::Text(between.to_owned()), span));
            }
            parts.push(item);
        }
        Some(self.join(parts, span))
    }

    /// The text of code points; none where one of them is not constant, or no code point.
    pub(crate) fn characters(&mut self, codes: &[ExprId], span: Span) -> Option<ExprId> {
        let codes = codes.iter().map(|&code| match *self.unit.expr(code) {
            ExprKind::Number(code) => character(code),
            _ => None,
        });
        let text = codes.collect::<Option<String>>()?;
        Some(self.push(ExprKind::Text(text), span))
    }

    fn parts(&self, part: ExprId) -> Vec<ExprId> {
        match self.unit.expr(part) {
            ExprKind::Join(parts) => parts.clone(),
            _ => vec![part],
        }
    }

    fn constant(&self, id: ExprId) -> Option<String> {
        match self.unit.expr(id) {
            ExprKind::Text(text) => Some(text.clone()),
            ExprKind::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(format!("{number:.0}")),
            _ => None,
        }
    }

    /// A call without keywords.
    pub(crate) fn call(&mut self, callee: ExprId, args: Vec<ExprId>, span: Span) -> ExprId {
        let args = args.into_iter().map(|value| Arg { name: None, value }).collect();
        self.push(ExprKind::Call { callee, args, new: false }, span)
    }

    /// An element by its position.
    pub(crate) fn element(&mut self, of: ExprId, at: usize, span: Span) -> ExprId {
        let number = f64::from(u32::try_from(at).unwrap_or(u32::MAX));
        let key = Some(self.push(ExprKind::Number(number), span));
        self.push(ExprKind::Index { of, key }, span)
    }

    /// Declares a variable of the current function.
    pub(crate) fn declare(&mut self, name: &str) -> VarId {
        let id = VarId(u32::try_from(self.unit.vars.len()).unwrap_or(u32::MAX));
        self.unit.vars.push(Var { name: name.to_owned(), function: self.current });
        id
    }

    /// Adds a function, whose parent is the current one, and makes it the current one; gives back which
    /// was, for [`Self::leave`].
    pub(crate) fn enter(&mut self, name: Option<&str>, span: Span) -> (FunctionId, FunctionId) {
        let id = FunctionId(u32::try_from(self.unit.functions.len()).unwrap_or(u32::MAX));
        self.unit.functions.push(Function {
            name: name.map(str::to_owned),
            params: Vec::new(),
            body: Vec::new(),
            decorators: Vec::new(),
            doc: None,
            class: None,
            accessor: false,
            parent: Some(self.current),
            span,
        });
        (id, std::mem::replace(&mut self.current, id))
    }

    /// Goes back to the function around it.
    pub(crate) fn leave(&mut self, before: FunctionId) {
        self.current = before;
    }

    /// A function, to be filled.
    pub(crate) fn function_mut(&mut self, id: FunctionId) -> &mut Function {
        &mut self.unit.functions[id.0 as usize]
    }

    /// Adds a class, to be filled.
    pub(crate) fn class(&mut self, class: Class) -> ClassId {
        let id = ClassId(u32::try_from(self.unit.classes.len()).unwrap_or(u32::MAX));
        self.unit.classes.push(class);
        id
    }

    /// A class, to be filled.
    pub(crate) fn class_mut(&mut self, id: ClassId) -> &mut Class {
        &mut self.unit.classes[id.0 as usize]
    }

    /// Adds an import.
    pub(crate) fn import(&mut self, mut import: Import) {
        if import.module.starts_with("node:") {
            import.module.drain(.."node:".len());
        }
        self.unit.imports.push(import);
    }

    /// Adds an export.
    pub(crate) fn export(&mut self, name: &str, value: ExprId) {
        self.unit.exports.push(Export { name: name.to_owned(), value });
    }

    /// Remembers which tests an element of a comprehension passes.
    pub(crate) fn kept(&mut self, element: ExprId, tests: Vec<ExprId>) {
        self.unit.kept.insert(element, tests);
    }

    /// Adds a comment.
    pub(crate) fn comment(&mut self, span: Span) {
        self.unit.comments.push(span);
    }

    /// Ends with the statements of the top level.
    pub(crate) fn finish(mut self, body: Block, reading: Reading) -> Unit {
        self.unit.functions[0].body = body;
        self.unit.reading = match reading {
            Reading::Whole if self.cut => Reading::Partly(format!(
                "it is nested deeper than {DEPTH_MAX} or has more than {EXPRS_COUNT_MAX} expressions"
            )),
            reading => reading,
        };
        self.unit
    }
}

/// Most tests of a chain (`elif`, `case`) that stand inside each other; a longer chain becomes any of shorter ones.
const CHAIN_LENGTH_MAX: usize = 100;

/// A chain of tests that is built from its last one on.
pub(crate) struct Chain {
    otherwise: Block,
    length: usize,
    done: Vec<Block>,
}

impl Chain {
    /// Begins with what is done when no test holds.
    pub(crate) fn new(otherwise: Block) -> Self {
        Self { otherwise, length: 0, done: Vec::new() }
    }

    /// What is done when the test before all that were put in does not hold.
    pub(crate) fn otherwise(&mut self) -> Block {
        let otherwise = std::mem::take(&mut self.otherwise);
        if self.length < CHAIN_LENGTH_MAX {
            return otherwise;
        }
        self.length = 0;
        self.done.push(otherwise);
        Vec::new()
    }

    /// Puts a test in front, which holds what [`Self::otherwise`] gave.
    pub(crate) fn put(&mut self, block: Block) {
        self.otherwise = block;
        self.length += 1;
    }

    /// The whole chain.
    pub(crate) fn end(mut self) -> Block {
        if self.done.is_empty() {
            return self.otherwise;
        }
        self.done.push(self.otherwise);
        self.done.reverse();
        vec![Statement::Any(self.done)]
    }
}

/// The character of a code point.
fn character(code: f64) -> Option<char> {
    // A cast saturates, and what is no code point is no character.
    #[expect(clippy::cast_sign_loss, reason = "a negative code becomes 0")]
    let code = (code.fract() == 0.0).then_some(code as u32)?;
    char::from_u32(code)
}

/// An assignment.
pub(crate) fn assign(target: ExprId, value: ExprId) -> Statement {
    Statement::Assign { target, value }
}
