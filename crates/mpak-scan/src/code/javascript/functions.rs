//! Functions and classes.

use oxc_ast::ast::{self, ArrowFunctionBody, BindingPattern, ClassElement, Expression, MethodDefinitionKind};
use oxc_span::GetSpan;

use super::super::builder::assign;
use super::super::facts::{Block, Class, ClassId, ExprId, ExprKind, FunctionId, Param, Span, Statement};
use super::Lower;

impl Lower {
    pub(super) fn function_value(&mut self, f: &ast::Function<'_>, class: Option<ClassId>) -> ExprId {
        let span = self.span(f.span);
        let name = f.id.as_ref().map(|id| id.name.to_string());
        let statements = f.body.as_ref().map(|body| &body.statements[..]).unwrap_or_default();
        let id = self.function(name.as_deref(), &f.params, &Body::Statements(statements), f.span);
        self.builder.function_mut(id).class = class;
        self.builder.push(ExprKind::Function(id), span)
    }

    pub(super) fn arrow(&mut self, e: &ast::ArrowFunctionExpression<'_>, span: Span) -> ExprId {
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

    pub(super) fn function(
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
            let one = self.param(&param.pattern, param.type_annotation.as_deref(), initializer, false, &mut block);
            // `constructor(private readonly root: string)` is a field as well.
            if (param.accessibility.is_some() || param.readonly) && !one.name.is_empty() {
                let span = self.span(param.span);
                let of = self.builder.push(ExprKind::Free("this".to_owned()), span);
                let target = self.builder.push(ExprKind::Member { of, name: one.name.clone() }, span);
                let value = self.builder.push(ExprKind::Var(one.var), span);
                block.push(assign(target, value));
            }
            made.push(one);
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

    pub(super) fn param(
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
        let annotation = annotation.and_then(|written| self.written(written));
        Param { var, name, annotation, default, rest, keywords: false }
    }

    /// A type as it is spelled.
    pub(super) fn written(&self, annotation: &ast::TSTypeAnnotation<'_>) -> Option<String> {
        let span = annotation.type_annotation.span();
        self.builder.unit().source.get(span.start as usize..span.end as usize).map(str::to_owned)
    }

    pub(super) fn class(&mut self, c: &ast::Class<'_>, out: &mut Block) -> ExprId {
        let span = self.span(c.span);
        let bases = c.heritage.iter().map(|heritage| self.value(&heritage.expression, out)).collect();
        let name = c.id.as_ref().map(|id| id.name.to_string());
        let (types, declared) = (Vec::new(), Vec::new());
        let class = Class { name, bases, methods: Vec::new(), fields: Vec::new(), types, declared, span };
        let id = self.builder.class(class);
        let (mut methods, mut fields, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for element in &c.body.body {
            match element {
                ClassElement::MethodDefinition(m) => {
                    let name = match (m.kind, self.key(&m.key)) {
                        (MethodDefinitionKind::Constructor, _) => "__init__".to_owned(),
                        (MethodDefinitionKind::Set, Ok(name)) => format!("set {name}"),
                        (_, Ok(name)) => name,
                        (_, Err(_)) => String::new(),
                    };
                    let decorators = m.decorators.iter().map(|d| self.expr(&d.expression)).collect();
                    let value = self.function_value(&m.value, Some(id));
                    if let ExprKind::Function(method) = *self.builder.unit().expr(value) {
                        let function = self.builder.function_mut(method);
                        function.name = Some(name.clone());
                        function.decorators = decorators;
                        function.accessor = m.kind == MethodDefinitionKind::Get;
                        methods.push((name, method));
                    }
                }
                ClassElement::PropertyDefinition(p) => {
                    if let (Ok(name), Some(written)) = (self.key(&p.key), &p.type_annotation) {
                        declared.extend(self.written(written).map(|written| (name, written)));
                    }
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
        (class.methods, class.fields, class.declared) = (methods, fields, declared);
        self.builder.push(ExprKind::Class(id), span)
    }
}

pub(super) enum Body<'s, 'a> {
    Statements(&'s [ast::Statement<'a>]),
    Expression(&'s Expression<'a>),
}
