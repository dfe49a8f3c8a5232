//! Expressions.

use ruff_python_ast::{
    self as ast, CmpOp, Expr, FStringPart, InterpolatedStringElement, Number, Operator, Parameters, UnaryOp,
};
use std::collections::BTreeSet;

use super::super::builder::assign;
use super::super::facts::{Arg, Block, Comparison, ExprId, ExprKind, Span, Statement};
use super::{Lower, definitions, names};

impl Lower {
    pub(super) fn assign_to(&mut self, target: &Expr, value: ExprId, out: &mut Block) {
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
                    let part = known.as_ref().map_or_else(|| self.builder.element(value, at, span), |items| items[at]);
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

    pub(super) fn expr(&mut self, expr: &Expr) -> ExprId {
        let span = self.span(expr);
        if !self.builder.deeper() {
            return self.nothing(span);
        }
        let id = self.lowered(expr, span);
        self.builder.higher();
        id
    }

    pub(super) fn exprs<'a>(&mut self, exprs: impl IntoIterator<Item = &'a Expr>) -> Vec<ExprId> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    pub(super) fn lowered(&mut self, expr: &Expr, span: Span) -> ExprId {
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
                ExprKind::Function(self.function(None, parameters, &definitions::Body::Expression(&e.body), span))
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

    pub(super) fn yielded(&mut self, value: &Expr) -> ExprId {
        let value = self.expr(value);
        self.before.push(Statement::Yield(Some(value)));
        value
    }

    /// A chain of operators, without recursion along its left side, which may be very long.
    pub(super) fn operations(&mut self, last: &ast::ExprBinOp) -> ExprId {
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

    pub(super) fn both_numbers(&self, left: ExprId, right: ExprId) -> bool {
        let number = |id| matches!(self.builder.unit().expr(id), ExprKind::Number(_));
        number(left) && number(right)
    }

    pub(super) fn operation(&mut self, op: Operator, left: ExprId, right: ExprId, span: Span) -> ExprId {
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
                let parts = self.filled(&template, &values, super::folding::percent_fields, span);
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

    pub(super) fn comprehension(
        &mut self,
        generators: &[ast::Comprehension],
        key: Option<&Expr>,
        element: &Expr,
    ) -> ExprKind {
        let mut names = BTreeSet::new();
        for generator in generators {
            names::target(&generator.target, &mut names);
        }
        self.scope(&names, false);
        let mut tests = Vec::new();
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
                tests.push(test);
                let skipped = vec![Statement::Jump];
                self.before.push(Statement::If { test, then: Vec::new(), otherwise: skipped });
            }
        }
        let key = key.map(|key| self.expr(key));
        let value = self.expr(element);
        self.scopes.pop();
        if !tests.is_empty() {
            self.builder.kept(value, tests);
        }
        if key.is_some() { ExprKind::Dict(vec![(key, value)]) } else { ExprKind::List(vec![value]) }
    }

    pub(super) fn comparison(&mut self, e: &ast::ExprCompare, span: Span) -> ExprId {
        let mut left = self.expr(&e.left);
        let mut tests = Vec::new();
        for (op, right) in e.ops.iter().zip(&e.comparators) {
            let right = self.expr(right);
            let op = match op {
                CmpOp::Eq | CmpOp::Is => Comparison::Equal,
                CmpOp::NotEq | CmpOp::IsNot => Comparison::Unequal,
                CmpOp::In => Comparison::In,
                CmpOp::NotIn => Comparison::NotIn,
                CmpOp::Lt => Comparison::Less,
                CmpOp::LtE => Comparison::AtMost,
                CmpOp::Gt => Comparison::More,
                CmpOp::GtE => Comparison::AtLeast,
            };
            tests.push(self.builder.push(ExprKind::Compare { op, left, right }, span));
            left = right;
        }
        match tests.as_slice() {
            &[only] => only,
            _ => self.builder.push(ExprKind::All(tests), span),
        }
    }

    pub(super) fn call(&mut self, e: &ast::ExprCall, span: Span) -> ExprId {
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

    pub(super) fn f_string(&mut self, value: &ast::FStringValue, span: Span) -> ExprId {
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

    pub(super) fn interpolated<'a>(
        &mut self,
        elements: impl Iterator<Item = &'a InterpolatedStringElement>,
    ) -> Vec<ExprId> {
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

pub(super) fn number(number: &Number) -> f64 {
    match number {
        Number::Int(int) => int.as_i64().and_then(|int| u32::try_from(int).ok()).map_or(f64::INFINITY, f64::from),
        Number::Float(float) => *float,
        Number::Complex { real, .. } => *real,
    }
}
