//! Python's syntax tree as facts.
//!
//! Names are resolved by Python's own rule: what a function binds anywhere in its body is local to it.

use std::collections::{BTreeSet, HashMap};

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{
    self as ast, CmpOp, ExceptHandler, Expr, FStringPart, InterpolatedStringElement, Number, Operator, Parameters,
    Pattern, PySourceType, Stmt, UnaryOp,
};
use ruff_text_size::Ranged;

use super::builder::{Builder, assign};
use super::facts::{
    Arg, Block, Class, ClassId, Comparison, ExprId, ExprKind, FunctionId, Import, Language, Param, Reading, Span,
    Statement, Unit, VarId,
};

mod names;

/// Reads a text that passed the limits.
pub(super) fn read(path: &str, source: String) -> Unit {
    let parsed = ruff_python_parser::parse_unchecked_source(&source, PySourceType::Python);
    let reading = match parsed.errors().first() {
        None => Reading::Whole,
        Some(error) => Reading::Partly(error.error.to_string()),
    };
    let builder = Builder::new(path, Language::Python, source);
    let mut lower = Lower { builder, scopes: Vec::new(), before: Vec::new() };
    for token in parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Comment) {
        let span = lower.span(token);
        lower.builder.comment(span);
    }
    lower.module(&parsed.syntax().body, reading)
}

struct Scope {
    names: HashMap<String, VarId>,
    /// A class's names are seen in its body only, not by its methods.
    class: bool,
}

struct Lower {
    builder: Builder,
    scopes: Vec<Scope>,
    /// Statements that stand in the expression being lowered, and run before it.
    before: Block,
}

impl Lower {
    fn module(mut self, body: &[Stmt], reading: Reading) -> Unit {
        let names = names::bound(body);
        self.scope(&names, false);
        let body = self.block(body);
        let Some(scope) = self.scopes.pop() else { return self.builder.finish(body, reading) };
        let mut names: Vec<_> = scope.names.into_iter().collect();
        names.sort();
        for (name, var) in names {
            let value = self.builder.push(ExprKind::Var(var), Span::default());
            self.builder.export(&name, value);
        }
        self.builder.finish(body, reading)
    }

    fn span(&self, node: &impl Ranged) -> Span {
        self.builder.span(node.start().to_u32(), node.end().to_u32())
    }

    fn scope(&mut self, names: &BTreeSet<String>, class: bool) {
        let names = names.iter().map(|name| (name.clone(), self.builder.declare(name))).collect();
        self.scopes.push(Scope { names, class });
    }

    fn lookup(&self, name: &str) -> Option<VarId> {
        let innermost = self.scopes.len().saturating_sub(1);
        let seen = |(at, scope): &(usize, &Scope)| *at == innermost || !scope.class;
        self.scopes.iter().enumerate().rev().filter(seen).find_map(|(_, scope)| scope.names.get(name).copied())
    }

    fn name(&mut self, name: &str, span: Span) -> ExprId {
        let kind = self.lookup(name).map_or_else(|| ExprKind::Free(name.to_owned()), ExprKind::Var);
        self.builder.push(kind, span)
    }

    fn nothing(&mut self, span: Span) -> ExprId {
        self.builder.push(ExprKind::Other(Vec::new()), span)
    }

    fn block(&mut self, statements: &[Stmt]) -> Block {
        let mut block = Vec::with_capacity(statements.len());
        if self.builder.deeper() {
            let outer = std::mem::take(&mut self.before);
            for statement in statements {
                self.statement(statement, &mut block);
            }
            self.before = outer;
            self.builder.higher();
        }
        block
    }

    /// Lowers an expression, with what runs before it.
    fn value(&mut self, expr: &Expr, out: &mut Block) -> ExprId {
        let id = self.expr(expr);
        out.append(&mut self.before);
        id
    }

    fn statement(&mut self, statement: &Stmt, out: &mut Block) {
        match statement {
            Stmt::FunctionDef(def) => self.function_def(def, out),
            Stmt::ClassDef(def) => self.class_def(def, out),
            Stmt::Return(s) => {
                let value = s.value.as_ref().map(|value| self.value(value, out));
                out.push(Statement::Return(value));
            }
            Stmt::Assign(s) => {
                let value = self.value(&s.value, out);
                for target in &s.targets {
                    self.assign_to(target, value, out);
                }
            }
            Stmt::AugAssign(s) => {
                let (span, old) = (self.span(s), self.expr(&s.target));
                let new = self.value(&s.value, out);
                let value = self.operation(s.op, old, new, span);
                self.assign_to(&s.target, value, out);
            }
            Stmt::AnnAssign(s) => {
                if let Some(value) = &s.value {
                    let value = self.value(value, out);
                    self.assign_to(&s.target, value, out);
                }
            }
            Stmt::For(s) => self.for_loop(s, out),
            Stmt::While(s) => {
                let test = Some(self.value(&s.test, out));
                let body = self.block(&s.body);
                out.push(Statement::Loop { test, body });
                out.extend(self.block(&s.orelse));
            }
            Stmt::If(s) => {
                let test = self.value(&s.test, out);
                let then = self.block(&s.body);
                let otherwise = self.otherwise(&s.elif_else_clauses);
                out.push(Statement::If { test, then, otherwise });
            }
            Stmt::With(s) => {
                for item in &s.items {
                    let value = self.value(&item.context_expr, out);
                    match &item.optional_vars {
                        Some(target) => self.assign_to(target, value, out),
                        None => out.push(Statement::Do(value)),
                    }
                }
                out.extend(self.block(&s.body));
            }
            Stmt::Match(s) => self.match_statement(s, out),
            Stmt::Raise(s) => {
                let raised = s.exc.as_ref().map(|exc| self.value(exc, out));
                out.push(Statement::Raise(raised));
            }
            Stmt::Try(s) => self.try_statement(s, out),
            Stmt::Assert(s) => {
                let test = self.value(&s.test, out);
                out.push(Statement::If { test, then: Vec::new(), otherwise: vec![Statement::Raise(None)] });
            }
            Stmt::Import(s) => self.import(s),
            Stmt::ImportFrom(s) => self.import_from(s),
            Stmt::Expr(s) => self.expression_statement(&s.value, out),
            Stmt::Delete(s) => {
                for target in &s.targets {
                    let target = self.value(target, out);
                    out.push(Statement::Do(target));
                }
            }
            Stmt::Break(_) | Stmt::Continue(_) => out.push(Statement::Jump),
            Stmt::TypeAlias(_) | Stmt::Global(_) | Stmt::Nonlocal(_) | Stmt::Pass(_) | Stmt::IpyEscapeCommand(_) => {}
        }
    }

    fn expression_statement(&mut self, expr: &Expr, out: &mut Block) {
        let (value, returned) = match expr {
            Expr::Yield(y) => (y.value.as_deref(), true),
            Expr::YieldFrom(y) => (Some(&*y.value), true),
            other => (Some(other), false),
        };
        let Some(value) = value else { return };
        let id = self.value(value, out);
        let ends = matches!(expr, Expr::Call(call) if ends_the_process(&call.func));
        out.push(match (returned, ends) {
            (true, _) => Statement::Yield(Some(id)),
            (_, true) => Statement::Raise(Some(id)),
            _ => Statement::Do(id),
        });
    }

    fn otherwise(&mut self, clauses: &[ast::ElifElseClause]) -> Block {
        // From the last on, so that a chain of a thousand `elif` needs no recursion here.
        let mut otherwise = Vec::new();
        for clause in clauses.iter().rev() {
            let mut block = Vec::new();
            match &clause.test {
                None => block = self.block(&clause.body),
                Some(test) => {
                    let test = self.value(test, &mut block);
                    let then = self.block(&clause.body);
                    block.push(Statement::If { test, then, otherwise });
                }
            }
            otherwise = block;
        }
        otherwise
    }

    fn for_loop(&mut self, s: &ast::StmtFor, out: &mut Block) {
        let (span, of) = (self.span(&*s.target), self.value(&s.iter, out));
        let element = self.builder.push(ExprKind::Index { of, key: None }, span);
        let mut body = Vec::new();
        self.assign_to(&s.target, element, &mut body);
        body.extend(self.block(&s.body));
        out.push(Statement::Loop { test: None, body });
        out.extend(self.block(&s.orelse));
    }

    fn try_statement(&mut self, s: &ast::StmtTry, out: &mut Block) {
        let mut body = self.block(&s.body);
        body.extend(self.block(&s.orelse));
        let mut ways = vec![body];
        for ExceptHandler::ExceptHandler(handler) in &s.handlers {
            let mut way = Vec::new();
            if let Some(name) = &handler.name {
                let (span, error) = (self.span(name), self.nothing(self.span(name)));
                let target = self.name(name.as_str(), span);
                way.push(assign(target, error));
            }
            way.extend(self.block(&handler.body));
            ways.push(way);
        }
        out.push(Statement::Any(ways));
        out.extend(self.block(&s.finalbody));
    }

    fn match_statement(&mut self, s: &ast::StmtMatch, out: &mut Block) {
        let subject = self.value(&s.subject, out);
        let mut otherwise = Vec::new();
        for case in s.cases.iter().rev() {
            let mut then = Vec::new();
            let mut tests: Vec<ExprId> = self.pattern(&case.pattern, subject, &mut then).into_iter().collect();
            let mut block = Vec::new();
            if let Some(guard) = &case.guard {
                block.append(&mut then);
                tests.push(self.value(guard, &mut block));
            }
            then.extend(self.block(&case.body));
            let span = self.span(&case.pattern);
            match tests.as_slice() {
                [] => block.extend(then),
                &[test] => block.push(Statement::If { test, then, otherwise }),
                _ => {
                    let test = self.builder.push(ExprKind::All(tests), span);
                    block.push(Statement::If { test, then, otherwise });
                }
            }
            otherwise = block;
        }
        out.extend(otherwise);
    }

    /// Assigns what a pattern binds; its test, where it says which values it takes.
    fn pattern(&mut self, pattern: &Pattern, subject: ExprId, out: &mut Block) -> Option<ExprId> {
        let span = self.span(pattern);
        match pattern {
            Pattern::MatchValue(p) => {
                let right = self.expr(&p.value);
                Some(self.builder.push(ExprKind::Compare { op: Comparison::Equal, left: subject, right }, span))
            }
            Pattern::MatchOr(p) => {
                let tests: Option<Vec<_>> = p.patterns.iter().map(|p| self.pattern(p, subject, out)).collect();
                tests.map(|tests| self.builder.push(ExprKind::Either(tests), span))
            }
            Pattern::MatchAs(p) => {
                let test = p.pattern.as_ref().and_then(|pattern| self.pattern(pattern, subject, out));
                self.capture(p.name.as_ref(), subject, out);
                test
            }
            Pattern::MatchStar(p) => {
                self.capture(p.name.as_ref(), subject, out);
                None
            }
            Pattern::MatchSequence(p) => Some(self.parts(p.patterns.iter(), subject, span, out)),
            Pattern::MatchClass(p) => {
                let patterns = p.arguments.patterns.iter().chain(p.arguments.keywords.iter().map(|k| &k.pattern));
                Some(self.parts(patterns, subject, span, out))
            }
            Pattern::MatchMapping(p) => {
                for (key, pattern) in p.keys.iter().zip(&p.patterns) {
                    let key = Some(self.expr(key));
                    let part = self.builder.push(ExprKind::Index { of: subject, key }, span);
                    self.pattern(pattern, part, out);
                }
                self.capture(p.rest.as_ref(), subject, out);
                Some(self.builder.push(ExprKind::Other(vec![subject]), span))
            }
            Pattern::MatchSingleton(_) => Some(self.builder.push(ExprKind::Other(vec![subject]), span)),
        }
    }

    fn parts<'a>(
        &mut self,
        patterns: impl Iterator<Item = &'a Pattern>,
        subject: ExprId,
        span: Span,
        out: &mut Block,
    ) -> ExprId {
        for pattern in patterns {
            let part = self.builder.push(ExprKind::Index { of: subject, key: None }, span);
            self.pattern(pattern, part, out);
        }
        self.builder.push(ExprKind::Other(vec![subject]), span)
    }

    fn capture(&mut self, name: Option<&ast::Identifier>, value: ExprId, out: &mut Block) {
        if let Some(name) = name {
            let span = self.span(name);
            let target = self.name(name.as_str(), span);
            out.push(assign(target, value));
        }
    }

    fn import(&mut self, s: &ast::StmtImport) {
        for alias in &s.names {
            let (span, module) = (self.span(alias), alias.name.as_str());
            // `import a.b` binds `a`, which then has a member `b`.
            let (name, whole) = match &alias.asname {
                Some(name) => (name.as_str(), module),
                None => (module.split('.').next().unwrap_or(module), module.split('.').next().unwrap_or(module)),
            };
            let var = self.lookup(name);
            self.builder.import(Import { var, module: whole.to_owned(), member: None, span });
            if whole != module {
                self.builder.import(Import { var: None, module: module.to_owned(), member: None, span });
            }
        }
    }

    fn import_from(&mut self, s: &ast::StmtImportFrom) {
        let dots = ".".repeat(s.level as usize);
        let module = format!("{dots}{}", s.module.as_ref().map(ast::Identifier::as_str).unwrap_or_default());
        for alias in &s.names {
            let (span, member) = (self.span(alias), alias.name.as_str());
            let var = self.lookup(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
            self.builder.import(Import { var, module: module.clone(), member: Some(member.to_owned()), span });
        }
    }

    fn function_def(&mut self, def: &ast::StmtFunctionDef, out: &mut Block) {
        let span = self.span(&def.name);
        let decorators = def.decorator_list.iter().map(|d| self.value(&d.expression, out)).collect();
        let function = self.function(Some(def.name.as_str()), &def.parameters, &Body::Statements(&def.body), span);
        self.builder.function_mut(function).decorators = decorators;
        let target = self.name(def.name.as_str(), span);
        let value = self.builder.push(ExprKind::Function(function), span);
        out.push(assign(target, value));
    }

    fn function(&mut self, name: Option<&str>, parameters: &Parameters, body: &Body<'_>, span: Span) -> FunctionId {
        // Defaults are computed outside.
        let defaults: Vec<Option<ExprId>> =
            parameters.iter_non_variadic_params().map(|p| p.default.as_ref().map(|d| self.expr(d))).collect();
        let (id, before) = self.builder.enter(name, span);
        let mut names = match body {
            Body::Statements(body) => names::bound(body),
            Body::Expression(_) => BTreeSet::new(),
        };
        names.extend(parameters.iter().map(|p| p.name().to_string()));
        self.scope(&names, false);
        self.parameters(id, parameters, defaults);
        let (doc, body) = match body {
            Body::Statements(body) => (docstring(body), self.block(body)),
            Body::Expression(expr) => {
                let mut block = Vec::new();
                let outer = std::mem::take(&mut self.before);
                let value = self.value(expr, &mut block);
                self.before = outer;
                block.push(Statement::Return(Some(value)));
                (None, block)
            }
        };
        self.scopes.pop();
        self.builder.leave(before);
        let function = self.builder.function_mut(id);
        (function.doc, function.body) = (doc, body);
        id
    }

    fn parameters(&mut self, id: FunctionId, parameters: &Parameters, defaults: Vec<Option<ExprId>>) {
        let mut defaults = defaults.into_iter();
        let mut params = Vec::new();
        let plain = parameters.posonlyargs.iter().chain(&parameters.args);
        let mut add = |lower: &Self, parameter: &ast::Parameter, default, rest, keywords| {
            let name = parameter.name.as_str();
            let Some(var) = lower.lookup(name) else { return };
            let slice = |node: &Expr| lower.builder.unit().source.get(node.range().to_std_range()).map(str::to_owned);
            let annotation = parameter.annotation.as_ref().and_then(|annotation| slice(annotation));
            params.push(Param { var, name: name.to_owned(), annotation, default, rest, keywords });
        };
        for parameter in plain {
            add(self, &parameter.parameter, defaults.next().flatten(), false, false);
        }
        if let Some(rest) = &parameters.vararg {
            add(self, rest, None, true, false);
        }
        for parameter in &parameters.kwonlyargs {
            add(self, &parameter.parameter, defaults.next().flatten(), false, false);
        }
        if let Some(keywords) = &parameters.kwarg {
            add(self, keywords, None, false, true);
        }
        self.builder.function_mut(id).params = params;
    }

    fn class_def(&mut self, def: &ast::StmtClassDef, out: &mut Block) {
        let span = self.span(&def.name);
        for decorator in &def.decorator_list {
            let decorator = self.value(&decorator.expression, out);
            out.push(Statement::Do(decorator));
        }
        let arguments = def.arguments.as_ref().map(|a| a.args.iter().collect::<Vec<_>>()).unwrap_or_default();
        let bases = arguments.into_iter().map(|base| self.value(base, out)).collect();
        let class = Class { name: Some(def.name.to_string()), bases, methods: Vec::new(), fields: Vec::new(), span };
        let id = self.builder.class(class);
        self.scope(&names::bound(&def.body), true);
        let body = self.block(&def.body);
        self.members(id, &def.body, &body);
        self.scopes.pop();
        // What a class's body does, it does when the class is made.
        out.extend(body);
        let target = self.name(def.name.as_str(), span);
        let value = self.builder.push(ExprKind::Class(id), span);
        out.push(assign(target, value));
    }

    fn members(&mut self, id: ClassId, source: &[Stmt], body: &Block) {
        let (mut methods, mut fields) = (Vec::new(), Vec::new());
        for statement in body {
            let Statement::Assign { target, value } = statement else { continue };
            let unit = self.builder.unit();
            let ExprKind::Var(var) = unit.expr(*target) else { continue };
            let name = unit.vars[var.0 as usize].name.clone();
            match unit.expr(*value) {
                ExprKind::Function(method) => methods.push((name, *method)),
                _ => fields.push((name, *value)),
            }
        }
        for statement in source {
            if let Stmt::AnnAssign(ast::StmtAnnAssign { target, annotation, value: None, .. }) = statement
                && let Expr::Name(name) = &**target
            {
                let text = self.builder.unit().source.get(annotation.range().to_std_range()).unwrap_or_default();
                let text = ExprKind::Text(text.to_owned());
                let span = self.span(&**annotation);
                fields.push((name.id.to_string(), self.builder.push(text, span)));
            }
        }
        for (_, method) in &methods {
            self.builder.function_mut(*method).class = Some(id);
        }
        let class = self.builder.class_mut(id);
        (class.methods, class.fields) = (methods, fields);
    }

    fn assign_to(&mut self, target: &Expr, value: ExprId, out: &mut Block) {
        if !self.builder.deeper() {
            return;
        }
        let span = self.span(target);
        match target {
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let known = match self.builder.unit().expr(value) {
                    ExprKind::List(items) if items.len() == elts.len() => Some(items.clone()),
                    _ => None,
                };
                for (at, element) in elts.iter().enumerate() {
                    let part = known.as_ref().map_or_else(|| self.element(value, at, span), |items| items[at]);
                    self.assign_to(element, part, out);
                }
            }
            Expr::Starred(starred) => self.assign_to(&starred.value, value, out),
            _ => {
                let target = self.expr(target);
                out.push(assign(target, value));
            }
        }
        self.builder.higher();
    }

    fn element(&mut self, of: ExprId, at: usize, span: Span) -> ExprId {
        let number = f64::from(u32::try_from(at).unwrap_or(u32::MAX));
        let key = Some(self.builder.push(ExprKind::Number(number), span));
        self.builder.push(ExprKind::Index { of, key }, span)
    }

    fn expr(&mut self, expr: &Expr) -> ExprId {
        let span = self.span(expr);
        if !self.builder.deeper() {
            return self.nothing(span);
        }
        let id = self.lowered(expr, span);
        self.builder.higher();
        id
    }

    fn exprs<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<ExprId> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn lowered(&mut self, expr: &Expr, span: Span) -> ExprId {
        let kind = match expr {
            Expr::BoolOp(e) => {
                let values = self.exprs(&e.values);
                match e.op {
                    ast::BoolOp::And => ExprKind::All(values),
                    ast::BoolOp::Or => ExprKind::Either(values),
                }
            }
            Expr::Named(e) => {
                let value = self.expr(&e.value);
                let target = self.expr(&e.target);
                self.before.push(assign(target, value));
                return target;
            }
            Expr::BinOp(e) => return self.operations(e),
            Expr::UnaryOp(e) => {
                let operand = self.expr(&e.operand);
                match (e.op, self.builder.unit().expr(operand)) {
                    (UnaryOp::Not, _) => ExprKind::Not(operand),
                    (UnaryOp::USub, ExprKind::Number(number)) => ExprKind::Number(-number),
                    _ => ExprKind::Other(vec![operand]),
                }
            }
            Expr::Lambda(e) => {
                let none = Parameters::default();
                let parameters = e.parameters.as_deref().unwrap_or(&none);
                ExprKind::Function(self.function(None, parameters, &Body::Expression(&e.body), span))
            }
            Expr::If(e) => {
                let test = self.expr(&e.test);
                ExprKind::Choice { test, then: self.expr(&e.body), otherwise: self.expr(&e.orelse) }
            }
            Expr::Dict(e) => {
                let pair = |item: &ast::DictItem| {
                    let key = item.key.as_ref().map(|key| self.expr(key));
                    (key, self.expr(&item.value))
                };
                ExprKind::Dict(e.items.iter().map(pair).collect())
            }
            Expr::Set(e) => ExprKind::List(self.exprs(&e.elts)),
            Expr::List(e) => ExprKind::List(self.exprs(&e.elts)),
            Expr::Tuple(e) => ExprKind::List(self.exprs(&e.elts)),
            Expr::ListComp(e) => self.comprehension(&e.generators, None, &e.elt),
            Expr::SetComp(e) => self.comprehension(&e.generators, None, &e.elt),
            Expr::Generator(e) => self.comprehension(&e.generators, None, &e.elt),
            Expr::DictComp(e) => self.comprehension(&e.generators, e.key.as_deref(), &e.value),
            Expr::Await(e) => return self.expr(&e.value),
            Expr::Yield(e) => match &e.value {
                Some(value) => return self.yielded(value),
                None => ExprKind::Nothing,
            },
            Expr::YieldFrom(e) => return self.yielded(&e.value),
            Expr::Compare(e) => return self.comparison(e, span),
            Expr::Call(e) => return self.call(e, span),
            Expr::FString(e) => return self.f_string(&e.value, span),
            Expr::TString(e) => {
                let elements: Vec<_> = e.value.elements().cloned().collect();
                let parts = self.interpolated(elements.iter());
                return self.builder.join(parts, span);
            }
            Expr::StringLiteral(e) => ExprKind::Text(e.value.to_str().to_owned()),
            Expr::BytesLiteral(e) => ExprKind::Bytes(e.value.bytes().collect()),
            Expr::NumberLiteral(e) => ExprKind::Number(number(&e.value)),
            Expr::BooleanLiteral(e) => ExprKind::Bool(e.value),
            Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) | Expr::IpyEscapeCommand(_) => ExprKind::Nothing,
            Expr::Attribute(e) => ExprKind::Member { of: self.expr(&e.value), name: e.attr.to_string() },
            Expr::Subscript(e) => {
                let of = self.expr(&e.value);
                let key = (!e.slice.is_slice_expr()).then(|| self.expr(&e.slice));
                ExprKind::Index { of, key }
            }
            Expr::Starred(e) => ExprKind::Spread(self.expr(&e.value)),
            Expr::Name(e) => return self.name(e.id.as_str(), span),
            Expr::Slice(_) => ExprKind::Other(Vec::new()),
        };
        self.builder.push(kind, span)
    }

    fn yielded(&mut self, value: &Expr) -> ExprId {
        let value = self.expr(value);
        self.before.push(Statement::Yield(Some(value)));
        value
    }

    /// A chain of operators, without recursion along its left side, which may be very long.
    fn operations(&mut self, last: &ast::ExprBinOp) -> ExprId {
        let mut chain = vec![last];
        while let Some(Expr::BinOp(left)) = chain.last().map(|e| &*e.left) {
            chain.push(left);
        }
        let mut value = chain.last().map_or(ExprId(0), |first| self.expr(&first.left));
        let mut sum: Vec<ExprId> = Vec::new();
        for operation in chain.into_iter().rev() {
            let (span, right) = (self.span(operation), self.expr(&operation.right));
            // Sums are joined in one go: a thousand texts one by one would be copied a thousand times.
            if operation.op == Operator::Add && !self.both_numbers(value, right) {
                if sum.is_empty() {
                    sum.push(value);
                }
                sum.push(right);
                value = right;
                continue;
            }
            if !sum.is_empty() {
                value = self.builder.join(std::mem::take(&mut sum), span);
            }
            value = self.operation(operation.op, value, right, span);
        }
        let span = self.span(last);
        if sum.is_empty() { value } else { self.builder.join(sum, span) }
    }

    fn both_numbers(&self, left: ExprId, right: ExprId) -> bool {
        let number = |id| matches!(self.builder.unit().expr(id), ExprKind::Number(_));
        number(left) && number(right)
    }

    fn operation(&mut self, op: Operator, left: ExprId, right: ExprId, span: Span) -> ExprId {
        let unit = self.builder.unit();
        match (op, unit.expr(left), unit.expr(right)) {
            (Operator::Add, ExprKind::Number(a), ExprKind::Number(b)) => {
                let sum = ExprKind::Number(a + b);
                self.builder.push(sum, span)
            }
            (Operator::Add, ..) => self.builder.join(vec![left, right], span),
            (Operator::Mod, ExprKind::Text(template), values) => {
                let template = template.clone();
                let values = if let ExprKind::List(values) = values { values.clone() } else { vec![right] };
                let parts = self.filled(&template, &values, percent_fields, span);
                self.builder.join(parts, span)
            }
            // `folder / name` of `pathlib`.
            (Operator::Div, ..) => {
                let callee = self.builder.push(ExprKind::Free("/".to_owned()), span);
                self.builder.call(callee, vec![left, right], span)
            }
            _ => self.builder.push(ExprKind::Other(vec![left, right]), span),
        }
    }

    /// A template whose fields are filled in order; what is left of the values comes after it.
    fn filled(
        &mut self,
        template: &str,
        values: &[ExprId],
        fields: impl Fn(&str) -> Vec<std::ops::Range<usize>>,
        span: Span,
    ) -> Vec<ExprId> {
        let mut parts = Vec::new();
        let (mut from, mut values) = (0, values.iter());
        for field in fields(template) {
            parts.push(self.builder.push(ExprKind::Text(template[from..field.start].to_owned()), span));
            parts.extend(values.next());
            from = field.end;
        }
        parts.push(self.builder.push(ExprKind::Text(template[from..].to_owned()), span));
        parts.extend(values);
        parts
    }

    fn comprehension(&mut self, generators: &[ast::Comprehension], key: Option<&Expr>, element: &Expr) -> ExprKind {
        let mut names = BTreeSet::new();
        for generator in generators {
            names::target(&generator.target, &mut names);
        }
        self.scope(&names, false);
        for generator in generators {
            let (span, of) = (self.span(&generator.target), self.expr(&generator.iter));
            let each = self.builder.push(ExprKind::Index { of, key: None }, span);
            let mut block = std::mem::take(&mut self.before);
            self.assign_to(&generator.target, each, &mut block);
            block.append(&mut self.before);
            self.before = block;
            for test in &generator.ifs {
                // Elements that fail the test do not come.
                let test = self.expr(test);
                let skipped = vec![Statement::Jump];
                self.before.push(Statement::If { test, then: Vec::new(), otherwise: skipped });
            }
        }
        let key = key.map(|key| self.expr(key));
        let value = self.expr(element);
        self.scopes.pop();
        if key.is_some() { ExprKind::Dict(vec![(key, value)]) } else { ExprKind::List(vec![value]) }
    }

    fn comparison(&mut self, e: &ast::ExprCompare, span: Span) -> ExprId {
        let mut left = self.expr(&e.left);
        let mut tests = Vec::new();
        for (op, right) in e.ops.iter().zip(&e.comparators) {
            let right = self.expr(right);
            let op = match op {
                CmpOp::Eq | CmpOp::Is => Comparison::Equal,
                CmpOp::NotEq | CmpOp::IsNot => Comparison::Unequal,
                CmpOp::In => Comparison::In,
                CmpOp::NotIn => Comparison::NotIn,
                CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE => Comparison::Order,
            };
            tests.push(self.builder.push(ExprKind::Compare { op, left, right }, span));
            left = right;
        }
        match tests.as_slice() {
            &[only] => only,
            _ => self.builder.push(ExprKind::All(tests), span),
        }
    }

    fn call(&mut self, e: &ast::ExprCall, span: Span) -> ExprId {
        let callee = self.expr(&e.func);
        let mut args: Vec<Arg> =
            e.arguments.args.iter().map(|value| Arg { name: None, value: self.expr(value) }).collect();
        for keyword in &e.arguments.keywords {
            let value = self.expr(&keyword.value);
            args.push(match &keyword.arg {
                Some(name) => Arg { name: Some(name.to_string()), value },
                None => Arg { name: None, value: self.builder.push(ExprKind::Spread(value), span) },
            });
        }
        match self.folded(callee, &args, span) {
            Some(folded) => folded,
            None => self.builder.push(ExprKind::Call { callee, args, new: false }, span),
        }
    }

    /// Calls that only put texts together: `"{}".format(x)`, `"".join(["a", "b"])`, `chr(104)`.
    fn folded(&mut self, callee: ExprId, args: &[Arg], span: Span) -> Option<ExprId> {
        let unit = self.builder.unit();
        match unit.expr(callee) {
            ExprKind::Free(name) if name == "chr" => {
                let &[Arg { value, .. }] = &args else { return None };
                let ExprKind::Number(code) = *unit.expr(*value) else { return None };
                let text = super::javascript::character(code)?.to_string();
                Some(self.builder.push(ExprKind::Text(text), span))
            }
            ExprKind::Member { of, name } => match (name.as_str(), unit.expr(*of)) {
                ("format", ExprKind::Text(template)) => {
                    let template = template.clone();
                    let values: Vec<ExprId> = args.iter().map(|arg| arg.value).collect();
                    let parts = self.filled(&template, &values, brace_fields, span);
                    Some(self.builder.join(parts, span))
                }
                ("join", ExprKind::Text(between)) => {
                    let [Arg { value, .. }] = args else { return None };
                    let ExprKind::List(items) = unit.expr(*value) else { return None };
                    let (between, items) = (between.clone(), items.clone());
                    if items.iter().any(|&item| unit.text(item).is_none()) {
                        return None;
                    }
                    let mut parts = Vec::new();
                    for (at, item) in items.into_iter().enumerate() {
                        if at > 0 {
                            parts.push(self.builder.push(ExprKind::Text(between.clone()), span));
                        }
                        parts.push(item);
                    }
                    Some(self.builder.join(parts, span))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn f_string(&mut self, value: &ast::FStringValue, span: Span) -> ExprId {
        let mut parts = Vec::new();
        for part in value {
            match part {
                FStringPart::Literal(literal) => {
                    let text = ExprKind::Text(literal.value.to_string());
                    parts.push(self.builder.push(text, span));
                }
                FStringPart::FString(string) => parts.extend(self.interpolated(string.elements.iter())),
            }
        }
        self.builder.join(parts, span)
    }

    fn interpolated<'a>(&mut self, elements: impl Iterator<Item = &'a InterpolatedStringElement>) -> Vec<ExprId> {
        let mut parts = Vec::new();
        for element in elements {
            let span = self.span(element);
            parts.push(match element {
                InterpolatedStringElement::Literal(literal) => {
                    self.builder.push(ExprKind::Text(literal.value.to_string()), span)
                }
                InterpolatedStringElement::Interpolation(interpolation) => self.expr(&interpolation.expression),
            });
        }
        parts
    }
}

enum Body<'a> {
    Statements(&'a [Stmt]),
    Expression(&'a Expr),
}

fn docstring(body: &[Stmt]) -> Option<String> {
    let Some(Stmt::Expr(ast::StmtExpr { value, .. })) = body.first() else { return None };
    value.as_string_literal_expr().map(|text| text.value.to_str().to_owned())
}

/// Whether a call of it never comes back.
fn ends_the_process(callee: &Expr) -> bool {
    match callee {
        Expr::Name(name) => matches!(name.id.as_str(), "exit" | "quit"),
        Expr::Attribute(member) => match (&*member.value, member.attr.as_str()) {
            (Expr::Name(module), "exit") => module.id.as_str() == "sys",
            (Expr::Name(module), "_exit" | "abort") => module.id.as_str() == "os",
            _ => false,
        },
        _ => false,
    }
}

fn number(number: &Number) -> f64 {
    match number {
        Number::Int(int) => int.as_i64().and_then(|int| u32::try_from(int).ok()).map_or(f64::INFINITY, f64::from),
        Number::Float(float) => *float,
        Number::Complex { real, .. } => *real,
    }
}

/// Where `%s` and its kin stand.
fn percent_fields(template: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = template.as_bytes();
    let (mut fields, mut at) = (Vec::new(), 0);
    while let Some(start) = memchr::memchr(b'%', &bytes[at..]).map(|found| at + found) {
        let kind = bytes[start + 1..].iter().position(|b| b.is_ascii_alphabetic() || *b == b'%');
        let Some(length) = kind.filter(|&n| n < 32) else { break };
        let end = start + 1 + length + 1;
        if bytes[end - 1] != b'%' && template.is_char_boundary(end) {
            fields.push(start..end);
        }
        at = end;
    }
    fields
}

/// Where `{}`, `{0}` and `{name:>8}` stand.
fn brace_fields(template: &str) -> Vec<std::ops::Range<usize>> {
    let bytes = template.as_bytes();
    let (mut fields, mut at) = (Vec::new(), 0);
    while let Some(start) = memchr::memchr(b'{', &bytes[at..]).map(|found| at + found) {
        if bytes.get(start + 1) == Some(&b'{') {
            at = start + 2;
            continue;
        }
        let Some(length) = memchr::memchr(b'}', &bytes[start..]) else { break };
        fields.push(start..start + length + 1);
        at = start + length + 1;
    }
    fields
}

#[cfg(test)]
mod tests {
    use crate::code::on_large_stack;
    use crate::code::show::show;

    use super::*;

    fn shown(source: &str) -> String {
        show(&read("server.py", source.to_owned()))
    }

    #[test]
    fn names_are_resolved_and_texts_are_joined() {
        insta::assert_snapshot!(shown(
            r#"
import os, subprocess as sp
import urllib.request
from os import system as run
from . import tools

BASE = "ht" "tp" + "s://" + chr(97)

class Files(Base):
    root: str
    limit = 3

    async def read(self, name: str, *rest, deep: bool = False, **more) -> str:
        """Reads."""
        global count
        count += 1
        path = os.path.join(self.root, f"{name}.txt")
        if not path.startswith(BASE) or name in ("a", "b"):
            raise ValueError("no")
        with open(path) as file, lock:
            a, (b, *c) = file.read(), name
        for k, v in more.items():
            yield [x for x in v if x != k]
        try:
            await run("ls %s" % name)
        except OSError as error:
            return error
        finally:
            sys.exit(1)

count = 0
f = lambda x, y=BASE: (z := x) + y
sp.run(["ls", "-l"], shell=True, **f)
"".join(["a", "b"])
"{} is {name}".format(f, name=count)
"#
        ));
    }

    #[test]
    fn a_match_is_a_chain_of_tests() {
        insta::assert_snapshot!(shown(
            "def f(name, args):\n  match name:\n    case 'a' | 'b':\n      g(args)\n    case {'k': v}:\n      h(v)\n    case other if other.ok:\n      i(other)\n    case _:\n      raise E\n"
        ));
    }

    #[test]
    fn broken_and_hostile_texts_are_read_as_far_as_they_go() {
        on_large_stack(|| {
            let unit = read("x.py", "import os\ndef f(:\n  os.system('x')\n".to_owned());
            assert!(matches!(unit.reading, Reading::Partly(_)));
            assert_eq!(unit.imports.len(), 1);
            let unit = read("x.py", format!("x = {}'b'\n", "'a' + ".repeat(100_000)));
            assert!(unit.exprs.iter().any(|e| matches!(&e.kind, ExprKind::Text(t) if t.len() == 100_001)));
            for piece in ["not ", "-", "lambda: ", "a if b else ", "x = ", "f(", "[", "{1:", "a.", "if x:\n ", "@"] {
                let unit = crate::code::read("x.py", piece.repeat(20_000).as_bytes()).unwrap();
                assert_ne!(unit.reading, Reading::Whole, "{piece}");
            }
        });
    }
}
