//! Calls that are only another way to write a text or a module.

use super::super::facts::{Arg, ExprId, ExprKind, Span};
use super::Lower;

impl Lower {
    /// Calls that are something else: `require("x")`, `String.fromCharCode(1, 2)`, `"a".concat(b)`,
    /// `["a", "b"].join("")`.
    pub(super) fn folded(&mut self, callee: ExprId, args: &[Arg], span: Span) -> Option<ExprId> {
        let unit = self.builder.unit();
        let values: Vec<ExprId> = args.iter().map(|arg| arg.value).collect();
        match unit.expr(callee) {
            ExprKind::Free(name) if name == "require" => {
                let module = unit.text(*values.first()?)?.to_owned();
                Some(self.module(&module, span))
            }
            ExprKind::Member { of, name } => match (unit.expr(*of), name.as_str()) {
                (ExprKind::Free(string), "fromCharCode" | "fromCodePoint") if string == "String" => {
                    self.builder.characters(&values, span)
                }
                (ExprKind::Text(_) | ExprKind::Join(_), "concat") => {
                    let parts = std::iter::once(*of).chain(values).collect();
                    Some(self.builder.join(parts, span))
                }
                (ExprKind::List(items), "join") => {
                    let between = match values.first() {
                        Some(&between) => unit.text(between)?.to_owned(),
                        None => ",".to_owned(),
                    };
                    let items = items.clone();
                    self.builder.join_between(&between, &items, span)
                }
                _ => None,
            },
            _ => None,
        }
    }
}
