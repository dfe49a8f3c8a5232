//! Functions and classes.

use ruff_python_ast::{self as ast, Expr, Parameters, Stmt};
use ruff_text_size::Ranged;
use std::collections::BTreeSet;

use super::super::builder::assign;
use super::super::facts::{Block, Class, ClassId, ExprId, ExprKind, FunctionId, Param, Span, Statement};
use super::{Lower, names};

impl Lower {
    pub(super) fn function_def(&mut self, def: &ast::StmtFunctionDef, out: &mut Block) {
        let span = self.span(&def.name);
        let decorators = def.decorator_list.iter().map(|d| self.value(&d.expression, out)).collect();
        let function = self.function(Some(def.name.as_str()), &def.parameters, &Body::Statements(&def.body), span);
        let decorators: Vec<ExprId> = decorators;
        let accessor = decorators.iter().any(|&decorator| self.makes_property(decorator));
        let made = self.builder.function_mut(function);
        (made.decorators, made.accessor) = (decorators, accessor);
        let target = self.name(def.name.as_str(), span);
        let value = self.builder.push(ExprKind::Function(function), span);
        out.push(assign(target, value));
    }

    /// `@property`, `@functools.cached_property`
    fn makes_property(&self, decorator: ExprId) -> bool {
        let unit = self.builder.unit();
        let name = match unit.expr(decorator) {
            ExprKind::Free(name) | ExprKind::Member { name, .. } => name,
            ExprKind::Var(var) => &unit.vars[var.0 as usize].name,
            _ => return false,
        };
        matches!(name.as_str(), "property" | "cached_property" | "computed_field" | "hybrid_property")
    }

    pub(super) fn function(
        &mut self,
        name: Option<&str>,
        parameters: &Parameters,
        body: &Body<'_>,
        span: Span,
    ) -> FunctionId {
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

    pub(super) fn parameters(&mut self, id: FunctionId, parameters: &Parameters, defaults: Vec<Option<ExprId>>) {
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

    pub(super) fn class_def(&mut self, def: &ast::StmtClassDef, out: &mut Block) {
        let span = self.span(&def.name);
        for decorator in &def.decorator_list {
            let decorator = self.value(&decorator.expression, out);
            out.push(Statement::Do(decorator));
        }
        let arguments = def.arguments.as_ref().map(|a| a.args.iter().collect::<Vec<_>>()).unwrap_or_default();
        let bases = arguments.into_iter().map(|base| self.value(base, out)).collect();
        let class = Class {
            name: Some(def.name.to_string()),
            bases,
            methods: Vec::new(),
            fields: Vec::new(),
            types: Vec::new(),
            declared: Vec::new(),
            span,
        };
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

    pub(super) fn members(&mut self, id: ClassId, source: &[Stmt], body: &Block) {
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
        let mut types = Vec::new();
        for statement in source {
            if let Stmt::AnnAssign(ast::StmtAnnAssign { target, annotation, value, .. }) = statement
                && let Expr::Name(name) = &**target
            {
                let text = self.builder.unit().source.get(annotation.range().to_std_range()).unwrap_or_default();
                let text = text.to_owned();
                types.push((name.id.to_string(), text.clone()));
                if value.is_none() {
                    let span = self.span(&**annotation);
                    fields.push((name.id.to_string(), self.builder.push(ExprKind::Text(text), span)));
                }
            }
        }
        for (_, method) in &methods {
            self.builder.function_mut(*method).class = Some(id);
        }
        let class = self.builder.class_mut(id);
        (class.methods, class.fields, class.types) = (methods, fields, types);
    }
}

pub(super) fn docstring(body: &[Stmt]) -> Option<String> {
    let Some(Stmt::Expr(ast::StmtExpr { value, .. })) = body.first() else { return None };
    value.as_string_literal_expr().map(|text| text.value.to_str().to_owned())
}

pub(super) enum Body<'a> {
    Statements(&'a [Stmt]),
    Expression(&'a Expr),
}
