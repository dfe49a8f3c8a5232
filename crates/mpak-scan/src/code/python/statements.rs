//! Statements: blocks, branches, loops, imports.

use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

use super::super::builder::{Chain, assign};
use super::super::facts::{Block, ExprId, ExprKind, Import, Statement};
use super::Lower;

impl Lower {
    pub(super) fn block(&mut self, statements: &[Stmt]) -> Block {
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
    pub(super) fn value(&mut self, expr: &Expr, out: &mut Block) -> ExprId {
        let id = self.expr(expr);
        out.append(&mut self.before);
        id
    }

    pub(super) fn statement(&mut self, statement: &Stmt, out: &mut Block) {
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
                let target = out.last().and_then(|assigned| match assigned {
                    Statement::Assign { target, .. } if s.value.is_some() => Some(*target),
                    _ => None,
                });
                if let Some(ExprKind::Var(var)) = target.map(|target| self.builder.unit().expr(target)) {
                    let var = *var;
                    let written = self.builder.unit().source.get(s.annotation.range().to_std_range());
                    if let Some(written) = written.map(str::to_owned) {
                        self.builder.typed(var, written);
                    }
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
                let body = self.block(&s.body);
                // What raises in it is forgotten, with all that should have come behind.
                if s.items.iter().any(|item| suppresses(&item.context_expr)) {
                    out.push(Statement::Any(vec![body, Vec::new()]));
                } else {
                    out.extend(body);
                }
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

    pub(super) fn expression_statement(&mut self, expr: &Expr, out: &mut Block) {
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

    pub(super) fn otherwise(&mut self, clauses: &[ast::ElifElseClause]) -> Block {
        // From the last on, so that a chain of a thousand `elif` needs no recursion here.
        let mut chain = Chain::new(Vec::new());
        for clause in clauses.iter().rev() {
            let mut block = Vec::new();
            match &clause.test {
                None => block = self.block(&clause.body),
                Some(test) => {
                    let test = self.value(test, &mut block);
                    let then = self.block(&clause.body);
                    let otherwise = chain.otherwise();
                    block.push(Statement::If { test, then, otherwise });
                }
            }
            chain.put(block);
        }
        chain.end()
    }

    pub(super) fn for_loop(&mut self, s: &ast::StmtFor, out: &mut Block) {
        let (span, of) = (self.span(&*s.target), self.value(&s.iter, out));
        let element = self.builder.push(ExprKind::Index { of, key: None }, span);
        let mut body = Vec::new();
        self.assign_to(&s.target, element, &mut body);
        body.extend(self.block(&s.body));
        out.push(Statement::Loop { test: None, body });
        out.extend(self.block(&s.orelse));
    }

    pub(super) fn try_statement(&mut self, s: &ast::StmtTry, out: &mut Block) {
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

    pub(super) fn import(&mut self, s: &ast::StmtImport) {
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

    pub(super) fn import_from(&mut self, s: &ast::StmtImportFrom) {
        let dots = ".".repeat(s.level as usize);
        let module = format!("{dots}{}", s.module.as_ref().map(ast::Identifier::as_str).unwrap_or_default());
        for alias in &s.names {
            let (span, member) = (self.span(alias), alias.name.as_str());
            let var = self.lookup(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
            self.builder.import(Import { var, module: module.clone(), member: Some(member.to_owned()), span });
        }
    }
}

/// `contextlib.suppress(…)`
fn suppresses(context: &Expr) -> bool {
    let Expr::Call(call) = context else { return false };
    match &*call.func {
        Expr::Name(name) => name.id.as_str() == "suppress",
        Expr::Attribute(member) => member.attr.as_str() == "suppress",
        _ => false,
    }
}

/// Whether a call of it never comes back.
pub(super) fn ends_the_process(callee: &Expr) -> bool {
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
