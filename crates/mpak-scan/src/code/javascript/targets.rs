//! What is assigned to: patterns taken apart into single assignments.

use oxc_ast::ast::{
    AssignmentTarget, AssignmentTargetMaybeDefault, AssignmentTargetProperty, BindingPattern, Expression, PropertyKey,
    SimpleAssignmentTarget,
};
use oxc_span::GetSpan;

use super::super::builder::assign;
use super::super::facts::{Block, ExprId, ExprKind, Span};
use super::Lower;

impl Lower {
    pub(super) fn bind(&mut self, pattern: &BindingPattern<'_>, value: ExprId, out: &mut Block) {
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
                        let part = self.builder.element(value, at, span);
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

    pub(super) fn part(&mut self, of: ExprId, key: &PropertyKey<'_>, span: Span) -> ExprId {
        let kind = match self.key(key) {
            Ok(name) => ExprKind::Member { of, name },
            Err(key) => ExprKind::Index { of, key: Some(key) },
        };
        self.builder.push(kind, span)
    }

    /// The name of a property, or the expression that computes it.
    pub(super) fn key(&mut self, key: &PropertyKey<'_>) -> Result<String, ExprId> {
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

    pub(super) fn assign_to(&mut self, target: &AssignmentTarget<'_>, value: ExprId, out: &mut Block) {
        if !self.builder.deeper() {
            return;
        }
        let span = self.span(target.span());
        match target {
            AssignmentTarget::ArrayAssignmentTarget(t) => {
                for (at, element) in t.elements.iter().enumerate() {
                    if let Some(element) = element {
                        let part = self.builder.element(value, at, span);
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

    pub(super) fn assign_maybe(&mut self, target: &AssignmentTargetMaybeDefault<'_>, value: ExprId, out: &mut Block) {
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

    pub(super) fn simple_target(&mut self, target: &SimpleAssignmentTarget<'_>) -> ExprId {
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
}
