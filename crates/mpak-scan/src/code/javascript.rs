//! JavaScript's and TypeScript's syntax tree as facts. Types are left out, but for those of parameters.

use std::collections::HashMap;

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    self, Argument, ArrayExpressionElement, ArrowFunctionBody, AssignmentOperator, AssignmentTarget,
    AssignmentTargetMaybeDefault, AssignmentTargetProperty, BinaryOperator, BindingPattern, ChainElement, ClassElement,
    Declaration, ExportDefaultDeclarationKind, Expression, ForStatementInit, ForStatementLeft,
    ImportDeclarationSpecifier, LogicalOperator, MemberExpression, MethodDefinitionKind, ModuleExportName,
    ObjectPropertyKind, PropertyKey, SimpleAssignmentTarget, UnaryOperator,
};
use oxc_parser::Parser;
use oxc_semantic::{ReferenceId, Scoping, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType};

use super::builder::{Builder, assign};
use super::facts::{
    Arg, Block, Class, ClassId, Comparison, ExprId, ExprKind, FunctionId, Import, Language, Param, Reading, Span,
    Statement, Unit, VarId,
};

mod jsdoc;

/// Reads a text that passed the limits.
pub(super) fn read(path: &str, language: Language, source: String) -> Unit {
    let allocator = Allocator::default();
    let text = source.clone();
    let parsed = Parser::new(&allocator, &text, source_type(path, language)).parse();
    let reading = match parsed.diagnostics.first() {
        None => Reading::Whole,
        Some(error) => Reading::Partly(error.to_string()),
    };
    let scoping = SemanticBuilder::new().with_build_nodes(false).build(&parsed.program).semantic.into_scoping();
    let builder = Builder::new(path, language, source);
    let mut lower = Lower { builder, scoping, vars: HashMap::new(), before: Vec::new(), docs: jsdoc::Docs::default() };
    for comment in &parsed.program.comments {
        lower.docs.add(comment, &text);
        let span = lower.span(comment.span);
        lower.builder.comment(span);
    }
    let body = lower.block(&parsed.program.body);
    lower.builder.finish(body, reading)
}

fn source_type(path: &str, language: Language) -> SourceType {
    let extension = path.rsplit('.').next().unwrap_or_default();
    match (language, extension) {
        (Language::TypeScript, "tsx") => SourceType::tsx(),
        (Language::TypeScript, _) => SourceType::ts(),
        (_, "mjs") => SourceType::mjs().with_jsx(true),
        (_, "cjs") => SourceType::cjs().with_jsx(true),
        _ => SourceType::unambiguous().with_jsx(true),
    }
}

struct Lower {
    builder: Builder,
    scoping: Scoping,
    vars: HashMap<SymbolId, VarId>,
    /// Statements that stand in the expression being lowered, and run before it.
    before: Block,
    docs: jsdoc::Docs,
}

impl Lower {
    fn span(&self, span: oxc_span::Span) -> Span {
        self.builder.span(span.start, span.end)
    }

    fn text(&mut self, text: &str, span: Span) -> ExprId {
        self.builder.push(ExprKind::Text(text.to_owned()), span)
    }

    fn nothing(&mut self, span: Span) -> ExprId {
        self.builder.push(ExprKind::Other(Vec::new()), span)
    }

    fn var(&mut self, symbol: Option<SymbolId>, name: &str) -> VarId {
        let Some(symbol) = symbol else { return self.builder.declare(name) };
        if let Some(&var) = self.vars.get(&symbol) {
            return var;
        }
        let var = self.builder.declare(name);
        self.vars.insert(symbol, var);
        var
    }

    fn reference(&mut self, name: &str, id: Option<ReferenceId>, span: Span) -> ExprId {
        let symbol = id.and_then(|id| self.scoping.get_reference(id).symbol_id());
        let kind = match (symbol, name) {
            (Some(_), _) => ExprKind::Var(self.var(symbol, name)),
            (None, "undefined") => ExprKind::Nothing,
            (None, _) => ExprKind::Free(name.to_owned()),
        };
        self.builder.push(kind, span)
    }

    fn binding(&mut self, id: &ast::BindingIdentifier<'_>) -> ExprId {
        let var = self.var(id.symbol_id.get(), id.name.as_str());
        let span = self.span(id.span);
        self.builder.push(ExprKind::Var(var), span)
    }

    /// A variable that only an import binds, for `require("x")` in the middle of an expression.
    fn module(&mut self, module: &str, span: Span) -> ExprId {
        let var = self.builder.declare(module);
        self.builder.import(Import { var: Some(var), module: module.to_owned(), member: None, span });
        self.builder.push(ExprKind::Var(var), span)
    }

    fn block(&mut self, statements: &[ast::Statement<'_>]) -> Block {
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

    fn one(&mut self, statement: &ast::Statement<'_>) -> Block {
        self.block(std::slice::from_ref(statement))
    }

    fn value(&mut self, expr: &Expression<'_>, out: &mut Block) -> ExprId {
        let id = self.expr(expr);
        out.append(&mut self.before);
        id
    }

    fn statement(&mut self, statement: &ast::Statement<'_>, out: &mut Block) {
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

    fn repeated(
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

    fn each(
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

    fn switch(&mut self, s: &ast::SwitchStatement<'_>, out: &mut Block) {
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
        for (tests, then, span) in ways.into_iter().rev() {
            let test = match tests.as_slice() {
                &[only] => only,
                _ => self.builder.push(ExprKind::Either(tests), span),
            };
            otherwise = vec![Statement::If { test, then, otherwise }];
        }
        out.extend(otherwise);
    }

    fn try_statement(&mut self, s: &ast::TryStatement<'_>, out: &mut Block) {
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

    fn declaration(&mut self, declaration: &Declaration<'_>, out: &mut Block) {
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

    fn variables(&mut self, declaration: &ast::VariableDeclaration<'_>, out: &mut Block) {
        for declarator in &declaration.declarations {
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
    fn named(&mut self, init: &Expression<'_>, name: &str) -> ExprId {
        let value = self.expr(init);
        if let ExprKind::Function(function) = *self.builder.unit().expr(value) {
            self.builder.function_mut(function).name.get_or_insert_with(|| name.to_owned());
        }
        value
    }

    fn bind(&mut self, pattern: &BindingPattern<'_>, value: ExprId, out: &mut Block) {
        if !self.builder.deeper() {
            return;
        }
        let span = self.span(pattern.span());
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                let target = self.binding(id);
                out.push(assign(target, value));
            }
            BindingPattern::AssignmentPattern(p) => {
                let default = self.value(&p.right, out);
                let either = self.builder.push(ExprKind::Either(vec![value, default]), span);
                self.bind(&p.left, either, out);
            }
            BindingPattern::ObjectPattern(p) => {
                for property in &p.properties {
                    let part = self.part(value, &property.key, span);
                    self.bind(&property.value, part, out);
                }
                if let Some(rest) = &p.rest {
                    self.bind(&rest.argument, value, out);
                }
            }
            BindingPattern::ArrayPattern(p) => {
                for (at, element) in p.elements.iter().enumerate() {
                    if let Some(element) = element {
                        let part = self.element(value, at, span);
                        self.bind(element, part, out);
                    }
                }
                if let Some(rest) = &p.rest {
                    self.bind(&rest.argument, value, out);
                }
            }
        }
        self.builder.higher();
    }

    fn element(&mut self, of: ExprId, at: usize, span: Span) -> ExprId {
        let number = f64::from(u32::try_from(at).unwrap_or(u32::MAX));
        let key = Some(self.builder.push(ExprKind::Number(number), span));
        self.builder.push(ExprKind::Index { of, key }, span)
    }

    fn part(&mut self, of: ExprId, key: &PropertyKey<'_>, span: Span) -> ExprId {
        let kind = match self.key(key) {
            Ok(name) => ExprKind::Member { of, name },
            Err(key) => ExprKind::Index { of, key: Some(key) },
        };
        self.builder.push(kind, span)
    }

    /// The name of a property, or the expression that computes it.
    fn key(&mut self, key: &PropertyKey<'_>) -> Result<String, ExprId> {
        match key {
            PropertyKey::StaticIdentifier(id) => Ok(id.name.to_string()),
            PropertyKey::PrivateIdentifier(id) => Ok(format!("#{}", id.name)),
            other => match other.as_expression() {
                Some(Expression::StringLiteral(text)) => Ok(text.value.to_string()),
                Some(expr) => Err(self.expr(expr)),
                None => Ok(String::new()),
            },
        }
    }

    fn assign_to(&mut self, target: &AssignmentTarget<'_>, value: ExprId, out: &mut Block) {
        if !self.builder.deeper() {
            return;
        }
        let span = self.span(target.span());
        match target {
            AssignmentTarget::ArrayAssignmentTarget(t) => {
                for (at, element) in t.elements.iter().enumerate() {
                    if let Some(element) = element {
                        let part = self.element(value, at, span);
                        self.assign_maybe(element, part, out);
                    }
                }
                if let Some(rest) = &t.rest {
                    self.assign_to(&rest.target, value, out);
                }
            }
            AssignmentTarget::ObjectAssignmentTarget(t) => {
                for property in &t.properties {
                    match property {
                        AssignmentTargetProperty::AssignmentTargetPropertyIdentifier(p) => {
                            let name = p.binding.name.to_string();
                            let part = self.builder.push(ExprKind::Member { of: value, name }, span);
                            let id = p.binding.reference_id.get();
                            let target = self.reference(p.binding.name.as_str(), id, span);
                            out.push(assign(target, part));
                        }
                        AssignmentTargetProperty::AssignmentTargetPropertyProperty(p) => {
                            let part = self.part(value, &p.name, span);
                            self.assign_maybe(&p.binding, part, out);
                        }
                    }
                }
                if let Some(rest) = &t.rest {
                    self.assign_to(&rest.target, value, out);
                }
            }
            other => {
                if let Some(simple) = other.as_simple_assignment_target() {
                    let target = self.simple_target(simple);
                    out.append(&mut self.before);
                    out.push(assign(target, value));
                    self.export_assigned(target, value);
                }
            }
        }
        self.builder.higher();
    }

    fn assign_maybe(&mut self, target: &AssignmentTargetMaybeDefault<'_>, value: ExprId, out: &mut Block) {
        match target {
            AssignmentTargetMaybeDefault::AssignmentTargetWithDefault(t) => {
                let default = self.value(&t.init, out);
                let span = self.span(t.span);
                let either = self.builder.push(ExprKind::Either(vec![value, default]), span);
                self.assign_to(&t.binding, either, out);
            }
            other => {
                if let Some(target) = other.as_assignment_target() {
                    self.assign_to(target, value, out);
                }
            }
        }
    }

    fn simple_target(&mut self, target: &SimpleAssignmentTarget<'_>) -> ExprId {
        let span = self.span(target.span());
        match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
                self.reference(id.name.as_str(), id.reference_id.get(), span)
            }
            SimpleAssignmentTarget::TSAsExpression(e) => self.expr(&e.expression),
            SimpleAssignmentTarget::TSSatisfiesExpression(e) => self.expr(&e.expression),
            SimpleAssignmentTarget::TSNonNullExpression(e) => self.expr(&e.expression),
            SimpleAssignmentTarget::TSTypeAssertion(e) => self.expr(&e.expression),
            other => match other.as_member_expression() {
                Some(member) => self.member(member, span),
                None => self.nothing(span),
            },
        }
    }

    fn import(&mut self, s: &ast::ImportDeclaration<'_>) {
        let (span, module) = (self.span(s.span), s.source.value.to_string());
        let Some(specifiers) = s.specifiers.as_ref().filter(|s| !s.is_empty()) else {
            self.builder.import(Import { var: None, module, member: None, span });
            return;
        };
        for specifier in specifiers {
            let (local, member) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(s) => (&s.local, Some(export_name(&s.imported))),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(s) => (&s.local, Some("default".to_owned())),
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(s) => (&s.local, None),
            };
            let var = Some(self.var(local.symbol_id.get(), local.name.as_str()));
            self.builder.import(Import { var, module: module.clone(), member, span });
        }
    }

    fn export_default(&mut self, s: &ast::ExportDefaultDeclaration<'_>, out: &mut Block) {
        let value = match &s.declaration {
            ExportDefaultDeclarationKind::FunctionDeclaration(f) => {
                let value = self.function_value(f, None);
                self.named_default(f.id.as_ref(), value, out)
            }
            ExportDefaultDeclarationKind::ClassDeclaration(c) => {
                let value = self.class(c, out);
                self.named_default(c.id.as_ref(), value, out)
            }
            ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => return,
            other => match other.as_expression() {
                Some(expr) => self.value(expr, out),
                None => return,
            },
        };
        out.push(Statement::Do(value));
        self.builder.export("default", value);
    }

    fn named_default(&mut self, id: Option<&ast::BindingIdentifier<'_>>, value: ExprId, out: &mut Block) -> ExprId {
        if let Some(id) = id {
            let target = self.binding(id);
            out.push(assign(target, value));
        }
        value
    }

    /// `export const x = …`, `export function x`, `export class x`.
    fn export_declared(&mut self, declared: &[Statement]) {
        for statement in declared {
            let Statement::Assign { target, .. } = statement else { continue };
            let unit = self.builder.unit();
            let ExprKind::Var(var) = unit.expr(*target) else { continue };
            let name = unit.vars[var.0 as usize].name.clone();
            self.builder.export(&name, *target);
        }
    }

    /// `exports.x = …`, `module.exports = …`.
    fn export_assigned(&mut self, target: ExprId, value: ExprId) {
        let unit = self.builder.unit();
        let mut exports = Vec::new();
        match unit.expr(target) {
            ExprKind::Member { of, name } if is_exports(unit, *of) => exports.push((name.clone(), value)),
            _ if is_exports(unit, target) => {
                exports.push(("default".to_owned(), value));
                if let ExprKind::Dict(members) = unit.expr(value) {
                    let named = members.iter().filter_map(|(key, v)| Some((unit.text((*key)?)?.to_owned(), *v)));
                    exports.extend(named);
                }
            }
            _ => {}
        }
        for (name, value) in exports {
            self.builder.export(&name, value);
        }
    }

    fn exported(&mut self, name: &ModuleExportName<'_>) -> ExprId {
        let span = self.span(name.span());
        match name {
            ModuleExportName::IdentifierReference(id) => self.reference(id.name.as_str(), id.reference_id.get(), span),
            ModuleExportName::IdentifierName(id) => self.builder.push(ExprKind::Free(id.name.to_string()), span),
            ModuleExportName::StringLiteral(text) => self.text(text.value.as_str(), span),
        }
    }

    fn expression_statement(&mut self, expr: &Expression<'_>, out: &mut Block) {
        let value = self.value(expr, out);
        // An assignment has already become a statement.
        if matches!(expr.without_parentheses(), Expression::AssignmentExpression(_) | Expression::UpdateExpression(_)) {
            return;
        }
        out.push(if self.ends_the_process(value) { Statement::Raise(Some(value)) } else { Statement::Do(value) });
    }

    fn ends_the_process(&self, id: ExprId) -> bool {
        let unit = self.builder.unit();
        let ExprKind::Call { callee, .. } = unit.expr(id) else { return false };
        let ExprKind::Member { of, name } = unit.expr(*callee) else { return false };
        matches!(name.as_str(), "exit" | "abort") && matches!(unit.expr(*of), ExprKind::Free(p) if p == "process")
    }

    fn expr(&mut self, expr: &Expression<'_>) -> ExprId {
        let span = self.span(expr.span());
        if !self.builder.deeper() {
            return self.nothing(span);
        }
        let id = self.lowered(expr, span);
        self.builder.higher();
        id
    }

    fn lowered(&mut self, expr: &Expression<'_>, span: Span) -> ExprId {
        let kind = match expr {
            Expression::BooleanLiteral(e) => ExprKind::Bool(e.value),
            Expression::NullLiteral(_) => ExprKind::Nothing,
            Expression::NumericLiteral(e) => ExprKind::Number(e.value),
            Expression::RegExpLiteral(e) => ExprKind::Pattern(e.regex.pattern.text.to_string()),
            Expression::StringLiteral(e) => ExprKind::Text(e.value.to_string()),
            Expression::TemplateLiteral(e) => return self.template(e, span),
            Expression::TaggedTemplateExpression(e) => {
                let callee = self.expr(&e.tag);
                let text = self.template(&e.quasi, span);
                return self.builder.call(callee, vec![text], span);
            }
            Expression::Identifier(e) => return self.reference(e.name.as_str(), e.reference_id.get(), span),
            Expression::ThisExpression(_) => ExprKind::Free("this".to_owned()),
            Expression::Super(_) => ExprKind::Free("super".to_owned()),
            Expression::ArrayExpression(e) => {
                let elements = e.elements.iter().filter_map(|element| match element {
                    ArrayExpressionElement::SpreadElement(s) => Some(self.spread(&s.argument, span)),
                    ArrayExpressionElement::Elision(_) => None,
                    other => other.as_expression().map(|e| self.expr(e)),
                });
                ExprKind::List(elements.collect())
            }
            Expression::ObjectExpression(e) => return self.object(e, span),
            Expression::ArrowFunctionExpression(e) => return self.arrow(e, span),
            Expression::FunctionExpression(e) => return self.function_value(e, None),
            Expression::ClassExpression(e) => {
                let mut block = Vec::new();
                let value = self.class(e, &mut block);
                self.before.append(&mut block);
                return value;
            }
            Expression::AssignmentExpression(e) => return self.assignment(e, span),
            Expression::UpdateExpression(e) => {
                let target = self.simple_target(&e.argument);
                let value = self.builder.push(ExprKind::Other(vec![target]), span);
                self.before.push(assign(target, value));
                return target;
            }
            Expression::AwaitExpression(e) => return self.expr(&e.argument),
            Expression::ParenthesizedExpression(e) => return self.expr(&e.expression),
            Expression::BinaryExpression(e) => return self.operations(e),
            Expression::LogicalExpression(e) => {
                let values = self.logical(e);
                match e.operator {
                    LogicalOperator::And => ExprKind::All(values),
                    LogicalOperator::Or | LogicalOperator::Coalesce => ExprKind::Either(values),
                }
            }
            Expression::ConditionalExpression(e) => {
                let test = self.expr(&e.test);
                ExprKind::Choice { test, then: self.expr(&e.consequent), otherwise: self.expr(&e.alternate) }
            }
            Expression::CallExpression(e) => return self.call(e, span),
            Expression::NewExpression(e) => {
                let callee = self.expr(&e.callee);
                let args = self.arguments(&e.arguments);
                ExprKind::Call { callee, args, new: true }
            }
            Expression::ChainExpression(e) => match &e.expression {
                ChainElement::CallExpression(e) => return self.call(e, span),
                ChainElement::TSNonNullExpression(e) => return self.expr(&e.expression),
                other => match other.as_member_expression() {
                    Some(member) => return self.member(member, span),
                    None => ExprKind::Other(Vec::new()),
                },
            },
            Expression::ImportExpression(e) => {
                if let Expression::StringLiteral(module) = &e.source {
                    return self.module(module.value.as_str(), span);
                }
                let callee = self.builder.push(ExprKind::Free("import".to_owned()), span);
                let source = self.expr(&e.source);
                return self.builder.call(callee, vec![source], span);
            }
            Expression::SequenceExpression(e) => {
                let mut last = None;
                for (at, expr) in e.expressions.iter().enumerate() {
                    let value = self.expr(expr);
                    if at + 1 < e.expressions.len() && !matches!(expr, Expression::AssignmentExpression(_)) {
                        self.before.push(Statement::Do(value));
                    }
                    last = Some(value);
                }
                return last.unwrap_or_else(|| self.nothing(span));
            }
            Expression::UnaryExpression(e) => {
                let argument = self.expr(&e.argument);
                match (e.operator, self.builder.unit().expr(argument)) {
                    (UnaryOperator::LogicalNot, _) => ExprKind::Not(argument),
                    (UnaryOperator::UnaryNegation, ExprKind::Number(number)) => ExprKind::Number(-number),
                    (UnaryOperator::Void, _) => ExprKind::Nothing,
                    (UnaryOperator::Typeof, _) => {
                        let callee = self.builder.push(ExprKind::Free("typeof".to_owned()), span);
                        return self.builder.call(callee, vec![argument], span);
                    }
                    _ => ExprKind::Other(vec![argument]),
                }
            }
            Expression::YieldExpression(e) => {
                let value = e.argument.as_ref().map(|value| self.expr(value));
                self.before.push(Statement::Yield(value));
                return value.unwrap_or_else(|| self.nothing(span));
            }
            Expression::TSAsExpression(e) => return self.expr(&e.expression),
            Expression::TSSatisfiesExpression(e) => return self.expr(&e.expression),
            Expression::TSTypeAssertion(e) => return self.expr(&e.expression),
            Expression::TSNonNullExpression(e) => return self.expr(&e.expression),
            Expression::TSInstantiationExpression(e) => return self.expr(&e.expression),
            Expression::PrivateInExpression(e) => ExprKind::Other(vec![self.expr(&e.right)]),
            Expression::ImportMeta(_) => ExprKind::Free("import.meta".to_owned()),
            Expression::BigIntLiteral(_)
            | Expression::NewTarget(_)
            | Expression::V8IntrinsicExpression(_)
            | Expression::JSXElement(_)
            | Expression::JSXFragment(_) => ExprKind::Other(Vec::new()),
            other => match other.as_member_expression() {
                Some(member) => return self.member(member, span),
                None => ExprKind::Other(Vec::new()),
            },
        };
        self.builder.push(kind, span)
    }

    fn spread(&mut self, argument: &Expression<'_>, span: Span) -> ExprId {
        let value = self.expr(argument);
        self.builder.push(ExprKind::Spread(value), span)
    }

    fn template(&mut self, e: &ast::TemplateLiteral<'_>, span: Span) -> ExprId {
        let mut parts = Vec::new();
        let mut expressions = e.expressions.iter();
        for quasi in &e.quasis {
            let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw).to_string();
            parts.push(self.builder.push(ExprKind::Text(text), span));
            parts.extend(expressions.next().map(|e| self.expr(e)));
        }
        self.builder.join(parts, span)
    }

    fn object(&mut self, e: &ast::ObjectExpression<'_>, span: Span) -> ExprId {
        let mut members = Vec::with_capacity(e.properties.len());
        for property in &e.properties {
            match property {
                ObjectPropertyKind::SpreadProperty(s) => members.push((None, self.expr(&s.argument))),
                ObjectPropertyKind::ObjectProperty(p) => {
                    let at = self.span(p.key.span());
                    let key = match self.key(&p.key) {
                        Ok(name) => {
                            let value = self.named(&p.value, &name);
                            members.push((Some(self.text(&name, at)), value));
                            continue;
                        }
                        Err(key) => key,
                    };
                    members.push((Some(key), self.expr(&p.value)));
                }
            }
        }
        self.builder.push(ExprKind::Dict(members), span)
    }

    fn member(&mut self, member: &MemberExpression<'_>, span: Span) -> ExprId {
        let kind = match member {
            MemberExpression::StaticMemberExpression(m) => {
                ExprKind::Member { of: self.expr(&m.object), name: m.property.name.to_string() }
            }
            MemberExpression::PrivateFieldExpression(m) => {
                ExprKind::Member { of: self.expr(&m.object), name: format!("#{}", m.field.name) }
            }
            MemberExpression::ComputedMemberExpression(m) => {
                let of = self.expr(&m.object);
                let key = self.expr(&m.expression);
                match self.builder.unit().text(key) {
                    Some(name) => ExprKind::Member { of, name: name.to_owned() },
                    None => ExprKind::Index { of, key: Some(key) },
                }
            }
        };
        self.builder.push(kind, span)
    }

    fn arguments(&mut self, arguments: &[Argument<'_>]) -> Vec<Arg> {
        let mut args = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let span = self.span(argument.span());
            let value = match argument {
                Argument::SpreadElement(s) => self.spread(&s.argument, span),
                other => match other.as_expression() {
                    Some(expr) => self.expr(expr),
                    None => self.nothing(span),
                },
            };
            args.push(Arg { name: None, value });
        }
        args
    }

    fn call(&mut self, e: &ast::CallExpression<'_>, span: Span) -> ExprId {
        let callee = self.expr(&e.callee);
        let args = self.arguments(&e.arguments);
        match self.folded(callee, &args, span) {
            Some(folded) => folded,
            None => self.builder.push(ExprKind::Call { callee, args, new: false }, span),
        }
    }

    /// Calls that are something else: `require("x")`, `String.fromCharCode(1, 2)`, `"a".concat(b)`,
    /// `["a", "b"].join("")`.
    fn folded(&mut self, callee: ExprId, args: &[Arg], span: Span) -> Option<ExprId> {
        let unit = self.builder.unit();
        match unit.expr(callee) {
            ExprKind::Free(name) if name == "require" => {
                let module = unit.text(args.first()?.value)?.to_owned();
                Some(self.module(&module, span))
            }
            ExprKind::Member { of, name } => match (unit.expr(*of), name.as_str()) {
                (ExprKind::Free(string), "fromCharCode" | "fromCodePoint") if string == "String" => {
                    let codes = args.iter().map(|arg| match *unit.expr(arg.value) {
                        ExprKind::Number(code) => character(code),
                        _ => None,
                    });
                    let text = codes.collect::<Option<String>>()?;
                    Some(self.builder.push(ExprKind::Text(text), span))
                }
                (ExprKind::Text(_) | ExprKind::Join(_), "concat") => {
                    let mut parts = vec![*of];
                    parts.extend(args.iter().map(|arg| arg.value));
                    Some(self.builder.join(parts, span))
                }
                (ExprKind::List(items), "join") => {
                    let between = match args.first() {
                        Some(arg) => unit.text(arg.value)?.to_owned(),
                        None => ",".to_owned(),
                    };
                    let items = items.clone();
                    if items.iter().any(|&item| matches!(unit.expr(item), ExprKind::Spread(_))) {
                        return None;
                    }
                    let mut parts = Vec::new();
                    for (at, item) in items.into_iter().enumerate() {
                        if at > 0 {
                            parts.push(self.text(&between, span));
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

    fn logical(&mut self, last: &ast::LogicalExpression<'_>) -> Vec<ExprId> {
        let mut chain = vec![last];
        while let Some(Expression::LogicalExpression(left)) = chain.last().map(|e| &e.left) {
            if left.operator != last.operator {
                break;
            }
            chain.push(left);
        }
        let mut values = Vec::with_capacity(chain.len() + 1);
        if let Some(first) = chain.last() {
            values.push(self.expr(&first.left));
        }
        for operation in chain.into_iter().rev() {
            values.push(self.expr(&operation.right));
        }
        values
    }

    /// A chain of operators, without recursion along its left side, which may be very long.
    fn operations(&mut self, last: &ast::BinaryExpression<'_>) -> ExprId {
        let mut chain = vec![last];
        while let Some(Expression::BinaryExpression(left)) = chain.last().map(|e| &e.left) {
            chain.push(left);
        }
        let Some(first) = chain.last() else { return self.nothing(self.span(last.span)) };
        let mut value = self.expr(&first.left);
        let mut sum: Vec<ExprId> = Vec::new();
        for operation in chain.into_iter().rev() {
            let (span, right) = (self.span(operation.span), self.expr(&operation.right));
            let numbers = [value, right].iter().all(|&id| matches!(self.builder.unit().expr(id), ExprKind::Number(_)));
            if operation.operator == BinaryOperator::Addition && !numbers {
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
            value = self.operation(operation.operator, value, right, span);
        }
        let span = self.span(last.span);
        if sum.is_empty() { value } else { self.builder.join(sum, span) }
    }

    fn operation(&mut self, operator: BinaryOperator, left: ExprId, right: ExprId, span: Span) -> ExprId {
        use BinaryOperator as B;
        let op = match operator {
            B::Equality | B::StrictEquality => Comparison::Equal,
            B::Inequality | B::StrictInequality => Comparison::Unequal,
            B::LessThan | B::LessEqualThan | B::GreaterThan | B::GreaterEqualThan => Comparison::Order,
            B::In => Comparison::In,
            B::Addition => {
                let unit = self.builder.unit();
                if let (ExprKind::Number(a), ExprKind::Number(b)) = (unit.expr(left), unit.expr(right)) {
                    let sum = ExprKind::Number(a + b);
                    return self.builder.push(sum, span);
                }
                return self.builder.join(vec![left, right], span);
            }
            _ => return self.builder.push(ExprKind::Other(vec![left, right]), span),
        };
        self.builder.push(ExprKind::Compare { op, left, right }, span)
    }

    fn assignment(&mut self, e: &ast::AssignmentExpression<'_>, span: Span) -> ExprId {
        let mut value = match &e.left {
            AssignmentTarget::AssignmentTargetIdentifier(id) => self.named(&e.right, id.name.as_str()),
            _ => self.expr(&e.right),
        };
        if e.operator != AssignmentOperator::Assign
            && let Some(target) = e.left.as_simple_assignment_target()
        {
            let old = self.simple_target(target);
            value = match e.operator {
                AssignmentOperator::Addition => self.builder.join(vec![old, value], span),
                operator if operator.is_logical() => self.builder.push(ExprKind::Either(vec![old, value]), span),
                _ => self.builder.push(ExprKind::Other(vec![old, value]), span),
            };
        }
        let mut block = std::mem::take(&mut self.before);
        self.assign_to(&e.left, value, &mut block);
        block.append(&mut self.before);
        self.before = block;
        value
    }

    fn function_value(&mut self, f: &ast::Function<'_>, class: Option<ClassId>) -> ExprId {
        let span = self.span(f.span);
        let name = f.id.as_ref().map(|id| id.name.to_string());
        let statements = f.body.as_ref().map(|body| &body.statements[..]).unwrap_or_default();
        let id = self.function(name.as_deref(), &f.params, &Body::Statements(statements), f.span);
        self.builder.function_mut(id).class = class;
        self.builder.push(ExprKind::Function(id), span)
    }

    fn arrow(&mut self, e: &ast::ArrowFunctionExpression<'_>, span: Span) -> ExprId {
        let body = match &e.body {
            ArrowFunctionBody::FunctionBody(body) => Body::Statements(&body.statements),
            other => match other.as_expression() {
                Some(expr) => Body::Expression(expr),
                None => Body::Statements(&[]),
            },
        };
        let id = self.function(None, &e.params, &body, e.span);
        self.builder.push(ExprKind::Function(id), span)
    }

    fn function(
        &mut self,
        name: Option<&str>,
        params: &ast::FormalParameters<'_>,
        body: &Body<'_, '_>,
        source: oxc_span::Span,
    ) -> FunctionId {
        let span = self.span(source);
        let (id, before) = self.builder.enter(name, span);
        let outer = std::mem::take(&mut self.before);
        let mut block = Vec::new();
        let mut made = Vec::with_capacity(params.items.len() + 1);
        for param in &params.items {
            let initializer = param.initializer.as_ref().map(|e| self.expr(e));
            made.push(self.param(&param.pattern, param.type_annotation.as_deref(), initializer, false, &mut block));
        }
        if let Some(rest) = &params.rest {
            made.push(self.param(&rest.rest.argument, rest.type_annotation.as_deref(), None, true, &mut block));
        }
        match body {
            Body::Statements(statements) => block.extend(self.block(statements)),
            Body::Expression(expr) => {
                let value = self.value(expr, &mut block);
                block.push(Statement::Return(Some(value)));
            }
        }
        self.before = outer;
        self.builder.leave(before);
        let doc = self.docs.before(source.start);
        let function = self.builder.function_mut(id);
        (function.params, function.body, function.doc) = (made, block, doc);
        id
    }

    fn param(
        &mut self,
        pattern: &BindingPattern<'_>,
        annotation: Option<&ast::TSTypeAnnotation<'_>>,
        initializer: Option<ExprId>,
        rest: bool,
        out: &mut Block,
    ) -> Param {
        let span = self.span(pattern.span());
        let (pattern, default) = match pattern {
            BindingPattern::AssignmentPattern(p) => (&p.left, Some(self.value(&p.right, out))),
            other => (other, initializer),
        };
        let (var, name) = if let BindingPattern::BindingIdentifier(id) = pattern {
            (self.var(id.symbol_id.get(), id.name.as_str()), id.name.to_string())
        } else {
            let var = self.builder.declare("");
            let value = self.builder.push(ExprKind::Var(var), span);
            self.bind(pattern, value, out);
            (var, String::new())
        };
        let annotation = annotation.and_then(|a| {
            let span = a.type_annotation.span();
            self.builder.unit().source.get(span.start as usize..span.end as usize).map(str::to_owned)
        });
        Param { var, name, annotation, default, rest, keywords: false }
    }

    fn class(&mut self, c: &ast::Class<'_>, out: &mut Block) -> ExprId {
        let span = self.span(c.span);
        let bases = c.heritage.iter().map(|heritage| self.value(&heritage.expression, out)).collect();
        let name = c.id.as_ref().map(|id| id.name.to_string());
        let id = self.builder.class(Class { name, bases, methods: Vec::new(), fields: Vec::new(), span });
        let (mut methods, mut fields) = (Vec::new(), Vec::new());
        for element in &c.body.body {
            match element {
                ClassElement::MethodDefinition(m) => {
                    let name = match (m.kind, self.key(&m.key)) {
                        (MethodDefinitionKind::Constructor, _) => "__init__".to_owned(),
                        (_, Ok(name)) => name,
                        (_, Err(_)) => String::new(),
                    };
                    let decorators = m.decorators.iter().map(|d| self.expr(&d.expression)).collect();
                    let value = self.function_value(&m.value, Some(id));
                    if let ExprKind::Function(method) = *self.builder.unit().expr(value) {
                        let function = self.builder.function_mut(method);
                        function.name = Some(name.clone());
                        function.decorators = decorators;
                        methods.push((name, method));
                    }
                }
                ClassElement::PropertyDefinition(p) => {
                    if let (Ok(name), Some(value)) = (self.key(&p.key), &p.value) {
                        let value = self.named(value, &name);
                        if let ExprKind::Function(method) = *self.builder.unit().expr(value) {
                            self.builder.function_mut(method).class = Some(id);
                            methods.push((name.clone(), method));
                        }
                        fields.push((name, value));
                    }
                }
                ClassElement::StaticBlock(s) => out.extend(self.block(&s.body)),
                ClassElement::AccessorProperty(_) | ClassElement::TSIndexSignature(_) => {}
            }
        }
        let class = self.builder.class_mut(id);
        (class.methods, class.fields) = (methods, fields);
        self.builder.push(ExprKind::Class(id), span)
    }
}

enum Body<'s, 'a> {
    Statements(&'s [ast::Statement<'a>]),
    Expression(&'s Expression<'a>),
}

/// The character of a code point.
pub(super) fn character(code: f64) -> Option<char> {
    // A cast saturates, and what is no code point is no character.
    #[expect(clippy::cast_sign_loss, reason = "a negative code becomes 0")]
    let code = (code.fract() == 0.0).then_some(code as u32)?;
    char::from_u32(code)
}

fn export_name(name: &ModuleExportName<'_>) -> String {
    name.name().to_string()
}

/// `exports`, `module.exports`.
fn is_exports(unit: &Unit, id: ExprId) -> bool {
    match unit.expr(id) {
        ExprKind::Free(name) => name == "exports",
        ExprKind::Member { of, name } => {
            name == "exports" && matches!(unit.expr(*of), ExprKind::Free(module) if module == "module")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::code::on_large_stack;
    use crate::code::show::show;

    use super::*;

    #[test]
    fn names_are_resolved_and_texts_are_joined() {
        let source = r#"
import fs, { readFile as rf } from "node:fs";
import * as path from "path";
const { exec, spawn: start = 3 } = require("child_process");
const util = require("util");
const run = util.promisify(exec);
export const base = "ht" + "tps://" + String.fromCharCode(97);
/** Reads a file. */
export async function read({ name, deep: { x } = {} }, ...rest) {
    let p = path.join(base, `${name}.txt`);
    p += ".bak";
    for (const [k, v] of Object.entries(rest)) console.log(k, v);
    if (!p.startsWith(base) || ["a", "b"].includes(name)) throw new Error("no");
    switch (name) { case "a": case "b": return await run(p); default: process.exit(1); }
    try { rf?.(p, (e, d) => d && this.x); } catch (e) { return e ?? null }
}
class Files extends Base {
    limit = 3;
    handler = async (args) => { this.last = args.path; };
    constructor(root) { super(root); this.root = root; }
    get(name) { return this.root[name]; }
}
module.exports = { run, Files };
exports.extra = new Files("/");
const t = sql`select ${x}`, u = a ? b : c, z = (q = 1, q);
"#;
        insta::assert_snapshot!(show(&read("server.js", Language::JavaScript, source.to_owned())));
    }

    #[test]
    fn types_are_left_out() {
        let source = "import type { A } from 'a';\nenum E { X = 'x' }\nfunction f(a: string, b?: z.infer<typeof S>): void { g(a as any, <B>b, a!) }\nexport default class implements A { private c(readonly: number) { return this.c } }\nimport cp = require('child_process');\nexport * from './x'; export { y as w } from './y';\ninterface I { a: string }\n";
        insta::assert_snapshot!(show(&read("server.ts", Language::TypeScript, source.to_owned())));
    }

    #[test]
    fn broken_and_hostile_texts_are_read_as_far_as_they_go() {
        on_large_stack(|| {
            let unit = read("x.js", Language::JavaScript, format!("x = {}'b'\n", "'a' + ".repeat(100_000)));
            assert!(unit.exprs.iter().any(|e| matches!(&e.kind, ExprKind::Text(t) if t.len() == 100_001)));
            for piece in [
                "!",
                "-",
                "()=>",
                "a?b:",
                "x = ",
                "f(",
                "[",
                "{a:",
                "a.",
                "if(x)",
                "if(x)a;else ",
                "new ",
                "typeof ",
                "await ",
                "`${",
                "a=>",
                "function(){",
                "async ",
                "a(b)",
                "void ",
                "<a>",
                "a,",
            ] {
                let unit = crate::code::read("x.js", piece.repeat(20_000).as_bytes()).unwrap();
                assert!(unit.exprs.len() < 1_000_000, "{piece}");
            }
        });
    }
}
