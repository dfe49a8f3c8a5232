//! Expressions.

use oxc_ast::ast::{
    self, Argument, ArrayExpressionElement, AssignmentOperator, AssignmentTarget, BinaryOperator, ChainElement,
    Expression, LogicalOperator, MemberExpression, ObjectPropertyKind, UnaryOperator,
};
use oxc_span::GetSpan;

use super::super::builder::assign;
use super::super::facts::{Arg, Comparison, ExprId, ExprKind, Span, Statement};
use super::Lower;

impl Lower {
    pub(super) fn expr(&mut self, expr: &Expression<'_>) -> ExprId {
        let span = self.span(expr.span());
        if !self.builder.deeper() {
            return self.nothing(span);
        }
        let id = self.lowered(expr, span);
        self.builder.higher();
        id
    }

    pub(super) fn lowered(&mut self, expr: &Expression<'_>, span: Span) -> ExprId {
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
                    (UnaryOperator::Void, ExprKind::Number(_)) => ExprKind::Nothing,
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

    pub(super) fn spread(&mut self, argument: &Expression<'_>, span: Span) -> ExprId {
        let value = self.expr(argument);
        self.builder.push(ExprKind::Spread(value), span)
    }

    pub(super) fn template(&mut self, e: &ast::TemplateLiteral<'_>, span: Span) -> ExprId {
        let mut parts = Vec::new();
        let mut expressions = e.expressions.iter();
        for quasi in &e.quasis {
            let text = quasi.value.cooked.as_ref().unwrap_or(&quasi.value.raw).to_string();
            parts.push(self.builder.push(ExprKind::Text(text), span));
            parts.extend(expressions.next().map(|e| self.expr(e)));
        }
        self.builder.join(parts, span)
    }

    pub(super) fn object(&mut self, e: &ast::ObjectExpression<'_>, span: Span) -> ExprId {
        let mut members = Vec::with_capacity(e.properties.len());
        for property in &e.properties {
            match property {
                ObjectPropertyKind::SpreadProperty(s) => members.push((None, self.expr(&s.argument))),
                ObjectPropertyKind::ObjectProperty(p) => {
                    let at = self.span(p.key.span());
                    let key = match self.key(&p.key) {
                        Ok(name) => {
                            let value = self.named(&p.value, &name);
                            if p.kind == ast::PropertyKind::Get
                                && let ExprKind::Function(getter) = *self.builder.unit().expr(value)
                            {
                                self.builder.function_mut(getter).accessor = true;
                            }
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

    pub(super) fn member(&mut self, member: &MemberExpression<'_>, span: Span) -> ExprId {
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

    pub(super) fn arguments(&mut self, arguments: &[Argument<'_>]) -> Vec<Arg> {
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

    pub(super) fn call(&mut self, e: &ast::CallExpression<'_>, span: Span) -> ExprId {
        let callee = self.expr(&e.callee);
        let args = self.arguments(&e.arguments);
        match self.folded(callee, &args, span) {
            Some(folded) => folded,
            None => self.builder.push(ExprKind::Call { callee, args, new: false }, span),
        }
    }

    pub(super) fn logical(&mut self, last: &ast::LogicalExpression<'_>) -> Vec<ExprId> {
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
    pub(super) fn operations(&mut self, last: &ast::BinaryExpression<'_>) -> ExprId {
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

    pub(super) fn operation(&mut self, operator: BinaryOperator, left: ExprId, right: ExprId, span: Span) -> ExprId {
        use BinaryOperator as B;
        let op = match operator {
            B::Equality | B::StrictEquality => Comparison::Equal,
            B::Inequality | B::StrictInequality => Comparison::Unequal,
            B::LessThan => Comparison::Less,
            B::LessEqualThan => Comparison::AtMost,
            B::GreaterThan => Comparison::More,
            B::GreaterEqualThan => Comparison::AtLeast,
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

    pub(super) fn assignment(&mut self, e: &ast::AssignmentExpression<'_>, span: Span) -> ExprId {
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
}
