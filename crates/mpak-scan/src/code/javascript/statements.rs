//! Statements: blocks, branches, loops, declarations.

use oxc_ast::ast::{self, BindingPattern, Declaration, Expression, ForStatementInit, ForStatementLeft};
use oxc_span::GetSpan;

use super::super::builder::{Chain, assign};
use super::super::facts::{Block, Comparison, ExprId, ExprKind, Span, Statement};
use super::Lower;
use super::modules::export_name;

impl Lower {
    pub(super) fn block(&mut self, statements: &[ast::Statement<'_>]) -> Block {
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

    pub(super) fn one(&mut self, statement: &ast::Statement<'_>) -> Block {
        self.block(std::slice::from_ref(statement))
    }

    pub(super) fn value(&mut self, expr: &Expression<'_>, out: &mut Block) -> ExprId {
        let id = self.expr(expr);
        out.append(&mut self.before);
        id
    }

    pub(super) fn statement(&mut self, statement: &ast::Statement<'_>, out: &mut Block) {
        use ast::Statement as S;
        match statement {
            S::BlockStatement(s) => out.extend(self.block(&s.body)),
            S::BreakStatement(_) | S::ContinueStatement(_) => out.push(Statement::Jump),
            S::ExpressionStatement(s) => self.expression_statement(&s.expression, out),
            S::ReturnStatement(s) => {
                let value = s.argument.as_ref().map(|value| self.value(value, out));
                out.push(Statement::Return(value));
            }
            S::ThrowStatement(s) => {
                let value = self.value(&s.argument, out);
                out.push(Statement::Raise(Some(value)));
            }
            S::IfStatement(s) => {
                let test = self.value(&s.test, out);
                let then = self.one(&s.consequent);
                let otherwise = s.alternate.as_ref().map(|s| self.one(s)).unwrap_or_default();
                out.push(Statement::If { test, then, otherwise });
            }
            S::DoWhileStatement(s) => self.repeated(Some(&s.test), &s.body, None, out),
            S::WhileStatement(s) => self.repeated(Some(&s.test), &s.body, None, out),
            S::ForStatement(s) => {
                match &s.init {
                    Some(ForStatementInit::VariableDeclaration(declaration)) => self.variables(declaration, out),
                    Some(init) => {
                        if let Some(init) = init.as_expression() {
                            self.expression_statement(init, out);
                        }
                    }
                    None => {}
                }
                self.repeated(s.test.as_ref(), &s.body, s.update.as_ref(), out);
            }
            S::ForInStatement(s) => self.each(&s.left, &s.right, &s.body, out),
            S::ForOfStatement(s) => self.each(&s.left, &s.right, &s.body, out),
            S::LabeledStatement(s) => out.extend(self.one(&s.body)),
            S::SwitchStatement(s) => self.switch(s, out),
            S::TryStatement(s) => self.try_statement(s, out),
            S::WithStatement(s) => {
                let object = self.value(&s.object, out);
                out.push(Statement::Do(object));
                out.extend(self.one(&s.body));
            }
            S::ImportDeclaration(s) => self.import(s),
            S::ExportAllDeclaration(s) => {
                let span = self.span(s.span);
                let value = self.module(s.source.value.as_str(), span);
                let name = s.exported.as_ref().map_or("*".to_owned(), export_name);
                self.builder.export(&name, value);
            }
            S::ExportDefaultDeclaration(s) => self.export_default(s, out),
            S::ExportDeclaration(s) => {
                let before = out.len();
                self.docs.reach(s.span.start, s.declaration.span().start);
                self.declaration(&s.declaration, out);
                self.export_declared(&out[before..]);
            }
            S::ExportNamedDeclaration(s) => {
                for specifier in &s.specifiers {
                    let value = self.exported(&specifier.local);
                    self.builder.export(&export_name(&specifier.exported), value);
                }
            }
            S::ExportFromDeclaration(s) => {
                let span = self.span(s.span);
                let of = self.module(s.source.value.as_str(), span);
                for specifier in &s.specifiers {
                    let name = export_name(&specifier.local);
                    let value = self.builder.push(ExprKind::Member { of, name }, span);
                    self.builder.export(&export_name(&specifier.exported), value);
                }
            }
            S::TSExportAssignment(s) => {
                let value = self.value(&s.expression, out);
                self.builder.export("default", value);
            }
            other => {
                if let Some(declaration) = other.as_declaration() {
                    self.declaration(declaration, out);
                }
            }
        }
    }

    pub(super) fn repeated(
        &mut self,
        test: Option<&Expression<'_>>,
        body: &ast::Statement<'_>,
        update: Option<&Expression<'_>>,
        out: &mut Block,
    ) {
        let test = test.map(|test| self.value(test, out));
        let mut body = self.one(body);
        if let Some(update) = update {
            self.expression_statement(update, &mut body);
        }
        out.push(Statement::Loop { test, body });
    }

    pub(super) fn each(
        &mut self,
        left: &ForStatementLeft<'_>,
        right: &Expression<'_>,
        body: &ast::Statement<'_>,
        out: &mut Block,
    ) {
        let of = self.value(right, out);
        let span = self.span(left.span());
        let element = self.builder.push(ExprKind::Index { of, key: None }, span);
        let mut inner = Vec::new();
        match left {
            ForStatementLeft::VariableDeclaration(declaration) => {
                if let Some(first) = declaration.declarations.first() {
                    self.bind(&first.id, element, &mut inner);
                }
            }
            other => {
                if let Some(target) = other.as_assignment_target() {
                    self.assign_to(target, element, &mut inner);
                }
            }
        }
        inner.extend(self.one(body));
        out.push(Statement::Loop { test: None, body: inner });
    }

    pub(super) fn switch(&mut self, s: &ast::SwitchStatement<'_>, out: &mut Block) {
        let left = self.value(&s.discriminant, out);
        let mut otherwise = Vec::new();
        let mut ways: Vec<(Vec<ExprId>, Block, Span)> = Vec::new();
        let mut tests = Vec::new();
        for case in &s.cases {
            let span = self.span(case.span);
            match &case.test {
                Some(test) => {
                    let right = self.value(test, out);
                    tests.push(self.builder.push(ExprKind::Compare { op: Comparison::Equal, left, right }, span));
                }
                None => {
                    otherwise = self.block(&case.consequent);
                    continue;
                }
            }
            // A case without statements is another test of the next one.
            if !case.consequent.is_empty() {
                let body = self.block(&case.consequent);
                ways.push((std::mem::take(&mut tests), body, span));
            }
        }
        let mut chain = Chain::new(otherwise);
        for (tests, then, span) in ways.into_iter().rev() {
            let test = match tests.as_slice() {
                &[only] => only,
                _ => self.builder.push(ExprKind::Either(tests), span),
            };
            let otherwise = chain.otherwise();
            chain.put(vec![Statement::If { test, then, otherwise }]);
        }
        out.extend(chain.end());
    }

    pub(super) fn try_statement(&mut self, s: &ast::TryStatement<'_>, out: &mut Block) {
        let mut ways = vec![self.block(&s.block.body)];
        if let Some(handler) = &s.handler {
            let mut way = Vec::new();
            if let Some(param) = &handler.param {
                let error = self.nothing(self.span(param.span));
                self.bind(&param.pattern, error, &mut way);
            }
            way.extend(self.block(&handler.body.body));
            ways.push(way);
        }
        out.push(Statement::Any(ways));
        if let Some(last) = &s.finalizer {
            out.extend(self.block(&last.body));
        }
    }

    pub(super) fn declaration(&mut self, declaration: &Declaration<'_>, out: &mut Block) {
        match declaration {
            Declaration::VariableDeclaration(d) => self.variables(d, out),
            Declaration::FunctionDeclaration(d) => {
                let Some(id) = &d.id else { return };
                let target = self.binding(id);
                let value = self.function_value(d, None);
                out.push(assign(target, value));
            }
            Declaration::ClassDeclaration(d) => {
                let value = self.class(d, out);
                if let Some(id) = &d.id {
                    let target = self.binding(id);
                    out.push(assign(target, value));
                }
            }
            Declaration::TSEnumDeclaration(d) => {
                let target = self.binding(&d.id);
                let span = self.span(d.span);
                let members = d.body.members.iter().map(|m| {
                    let key = Some(self.text(m.id.static_name().as_str(), span));
                    let value = m.initializer.as_ref().map(|v| self.expr(v));
                    (key, value.unwrap_or_else(|| self.builder.push(ExprKind::Number(0.0), span)))
                });
                let members = members.collect();
                let value = self.builder.push(ExprKind::Dict(members), span);
                out.push(assign(target, value));
            }
            Declaration::TSImportEqualsDeclaration(d) => {
                if let ast::TSModuleReference::ExternalModuleReference(reference) = &d.module_reference {
                    let span = self.span(d.span);
                    let target = self.binding(&d.id);
                    let value = self.module(reference.expression.value.as_str(), span);
                    out.push(assign(target, value));
                }
            }
            Declaration::TSTypeAliasDeclaration(_)
            | Declaration::TSInterfaceDeclaration(_)
            | Declaration::TSExternalModuleDeclaration(_)
            | Declaration::TSNamespaceDeclaration(_)
            | Declaration::TSGlobalDeclaration(_) => {}
        }
    }

    pub(super) fn variables(&mut self, declaration: &ast::VariableDeclaration<'_>, out: &mut Block) {
        for declarator in &declaration.declarations {
            if let (BindingPattern::BindingIdentifier(id), Some(written)) =
                (&declarator.id, &declarator.type_annotation)
            {
                let var = self.var(id.symbol_id.get(), id.name.as_str());
                if let Some(written) = self.written(written) {
                    self.builder.typed(var, written);
                }
            }
            let Some(init) = &declarator.init else { continue };
            let value = match &declarator.id {
                BindingPattern::BindingIdentifier(id) => self.named(init, id.name.as_str()),
                _ => self.expr(init),
            };
            out.append(&mut self.before);
            self.bind(&declarator.id, value, out);
        }
    }

    /// A value that gets a name: `const f = () => …` is the function `f`.
    pub(super) fn named(&mut self, init: &Expression<'_>, name: &str) -> ExprId {
        let value = self.expr(init);
        if let ExprKind::Function(function) = *self.builder.unit().expr(value) {
            self.builder.function_mut(function).name.get_or_insert_with(|| name.to_owned());
        }
        value
    }

    pub(super) fn expression_statement(&mut self, expr: &Expression<'_>, out: &mut Block) {
        let value = self.value(expr, out);
        // An assignment has already become a statement.
        if matches!(expr.without_parentheses(), Expression::AssignmentExpression(_) | Expression::UpdateExpression(_)) {
            return;
        }
        out.push(if self.ends_the_process(value) { Statement::Raise(Some(value)) } else { Statement::Do(value) });
    }

    pub(super) fn ends_the_process(&self, id: ExprId) -> bool {
        let unit = self.builder.unit();
        let ExprKind::Call { callee, .. } = unit.expr(id) else { return false };
        let ExprKind::Member { of, name } = unit.expr(*callee) else { return false };
        matches!(name.as_str(), "exit" | "abort") && matches!(unit.expr(*of), ExprKind::Free(p) if p == "process")
    }
}
