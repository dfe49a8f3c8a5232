//! What a module imports and offers, in both module systems.

use oxc_ast::ast::{self, ExportDefaultDeclarationKind, ImportDeclarationSpecifier, ModuleExportName};
use oxc_span::GetSpan;

use super::super::builder::assign;
use super::super::facts::{Block, ExprId, ExprKind, Import, Statement, Unit};
use super::Lower;

impl Lower {
    pub(super) fn import(&mut self, s: &ast::ImportDeclaration<'_>) {
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

    pub(super) fn export_default(&mut self, s: &ast::ExportDefaultDeclaration<'_>, out: &mut Block) {
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

    pub(super) fn named_default(
        &mut self,
        id: Option<&ast::BindingIdentifier<'_>>,
        value: ExprId,
        out: &mut Block,
    ) -> ExprId {
        if let Some(id) = id {
            let target = self.binding(id);
            out.push(assign(target, value));
        }
        value
    }

    /// `export const x = …`, `export function x`, `export class x`.
    pub(super) fn export_declared(&mut self, declared: &[Statement]) {
        for statement in declared {
            let Statement::Assign { target, .. } = statement else { continue };
            let unit = self.builder.unit();
            let ExprKind::Var(var) = unit.expr(*target) else { continue };
            let name = unit.vars[var.0 as usize].name.clone();
            self.builder.export(&name, *target);
        }
    }

    /// `exports.x = …`, `module.exports = …`.
    pub(super) fn export_assigned(&mut self, target: ExprId, value: ExprId) {
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

    pub(super) fn exported(&mut self, name: &ModuleExportName<'_>) -> ExprId {
        let span = self.span(name.span());
        match name {
            ModuleExportName::IdentifierReference(id) => self.reference(id.name.as_str(), id.reference_id.get(), span),
            ModuleExportName::IdentifierName(id) => self.builder.push(ExprKind::Free(id.name.to_string()), span),
            ModuleExportName::StringLiteral(text) => self.text(text.value.as_str(), span),
        }
    }
}

pub(super) fn export_name(name: &ModuleExportName<'_>) -> String {
    name.name().to_string()
}

/// `exports`, `module.exports`.
pub(super) fn is_exports(unit: &Unit, id: ExprId) -> bool {
    match unit.expr(id) {
        ExprKind::Free(name) => name == "exports",
        ExprKind::Member { of, name } => {
            name == "exports" && matches!(unit.expr(*of), ExprKind::Free(module) if module == "module")
        }
        _ => false,
    }
}
