//! Which names a body of Python statements binds, functions and classes inside it left aside.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{ExceptHandler, Expr, ExprContext, Pattern, Stmt};

/// Names that a body binds, less those that it declares to be of an outer scope.
pub(super) fn bound(body: &[Stmt]) -> BTreeSet<String> {
    let mut names = Names::default();
    for statement in body {
        names.visit_stmt(statement);
    }
    names.bound.retain(|name| !names.outer.contains(name));
    names.bound
}

/// Names that an assignment to a target binds.
pub(super) fn target(target: &Expr, bound: &mut BTreeSet<String>) {
    let mut names = Names::default();
    names.visit_expr(target);
    bound.append(&mut names.bound);
}

/// Deepest nesting that is looked into, as the lowering goes no deeper.
const DEPTH_MAX: u32 = super::super::builder::DEPTH_MAX * 2;

#[derive(Default)]
struct Names {
    bound: BTreeSet<String>,
    outer: BTreeSet<String>,
    depth: u32,
}

impl Names {
    fn bind(&mut self, name: &str) {
        self.bound.insert(name.to_owned());
    }

    fn deeper(&mut self, walk: impl FnOnce(&mut Self)) {
        if self.depth < DEPTH_MAX {
            self.depth += 1;
            walk(self);
            self.depth -= 1;
        }
    }
}

impl Visitor<'_> for Names {
    fn visit_stmt(&mut self, statement: &Stmt) {
        match statement {
            Stmt::FunctionDef(def) => self.bind(def.name.as_str()),
            Stmt::ClassDef(def) => self.bind(def.name.as_str()),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    let first = if alias.asname.is_some() { name } else { name.split('.').next().unwrap_or(name) };
                    self.bind(first);
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.bind(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
                }
            }
            Stmt::Global(s) => self.outer.extend(s.names.iter().map(ToString::to_string)),
            Stmt::Nonlocal(s) => self.outer.extend(s.names.iter().map(ToString::to_string)),
            _ => self.deeper(|names| walk_stmt(names, statement)),
        }
    }

    fn visit_except_handler(&mut self, handler: &ExceptHandler) {
        let ExceptHandler::ExceptHandler(handler) = handler;
        if let Some(name) = &handler.name {
            self.bind(name.as_str());
        }
        self.deeper(|names| handler.body.iter().for_each(|statement| names.visit_stmt(statement)));
    }

    fn visit_pattern(&mut self, pattern: &Pattern) {
        let name = match pattern {
            Pattern::MatchAs(p) => p.name.as_ref(),
            Pattern::MatchStar(p) => p.name.as_ref(),
            Pattern::MatchMapping(p) => p.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str());
        }
        self.deeper(|names| walk_pattern(names, pattern));
    }

    fn visit_expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Name(name) if name.ctx == ExprContext::Store => self.bind(name.id.as_str()),
            // Scopes of their own.
            Expr::Lambda(_) | Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) | Expr::Generator(_) => {}
            _ => self.deeper(|names| walk_expr(names, expr)),
        }
    }
}
