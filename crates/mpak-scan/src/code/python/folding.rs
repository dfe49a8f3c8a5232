//! Calls and operators that only put texts together.

use super::super::facts::{Arg, ExprId, ExprKind, Span};
use super::Lower;

impl Lower {
    /// A template whose fields are filled in order; what is left of the values comes after it.
    pub(super) fn filled(
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

    /// Calls that only put texts together: `"{}".format(x)`, `"".join(["a", "b"])`, `chr(104)`.
    pub(super) fn folded(&mut self, callee: ExprId, args: &[Arg], span: Span) -> Option<ExprId> {
        let unit = self.builder.unit();
        let values: Vec<ExprId> = args.iter().map(|arg| arg.value).collect();
        match unit.expr(callee) {
            ExprKind::Free(name) if name == "chr" && values.len() == 1 => self.builder.characters(&values, span),
            ExprKind::Member { of, name } => match (name.as_str(), unit.expr(*of)) {
                ("format", ExprKind::Text(template)) => {
                    let template = template.clone();
                    let parts = self.filled(&template, &values, brace_fields, span);
                    Some(self.builder.join(parts, span))
                }
                ("join", ExprKind::Text(between)) => {
                    let &[items] = values.as_slice() else { return None };
                    let ExprKind::List(items) = unit.expr(items) else { return None };
                    let (between, items) = (between.clone(), items.clone());
                    self.builder.join_between(&between, &items, span)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// Where `%s` and its kin stand.
pub(super) fn percent_fields(template: &str) -> Vec<std::ops::Range<usize>> {
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
pub(super) fn brace_fields(template: &str) -> Vec<std::ops::Range<usize>> {
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
