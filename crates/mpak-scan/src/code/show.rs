//! Facts as text, for tests and for people who write rules.

use std::fmt::Write as _;

use super::facts::{Arg, Block, Comparison, ExprId, ExprKind, Statement, Unit, VarId};

/// Imports, functions with their bodies, classes and exports of a unit.
pub(crate) fn show(unit: &Unit) -> String {
    let mut out = String::new();
    for import in &unit.imports {
        let member = import.member.as_ref().map(|m| format!(" {m}")).unwrap_or_default();
        let var = import.var.map(|var| format!(" as {}", name(unit, var))).unwrap_or_default();
        let _ = writeln!(out, "import {}{member}{var}", import.module);
    }
    for (at, function) in unit.functions.iter().enumerate() {
        let params: Vec<String> = function
            .params
            .iter()
            .map(|p| {
                let stars = if p.keywords {
                    "**"
                } else if p.rest {
                    "*"
                } else {
                    ""
                };
                let annotation = p.annotation.as_ref().map(|a| format!(": {a}")).unwrap_or_default();
                let default = p.default.map(|d| format!(" = {}", expr(unit, d))).unwrap_or_default();
                format!("{stars}{}{annotation}{default}", name(unit, p.var))
            })
            .collect();
        let decorators: String = function.decorators.iter().map(|&d| format!("@{} ", expr(unit, d))).collect();
        let doc = function.doc.as_ref().map(|d| format!(" {d:?}")).unwrap_or_default();
        let called = function.name.as_deref().unwrap_or("");
        let _ = writeln!(out, "{decorators}fn#{at} {called}({}){doc}", params.join(", "));
        block(unit, &function.body, 1, &mut out);
    }
    for class in &unit.classes {
        let bases: Vec<String> = class.bases.iter().map(|&b| expr(unit, b)).collect();
        let _ = writeln!(out, "class {}({})", class.name.as_deref().unwrap_or(""), bases.join(", "));
        for (method, id) in &class.methods {
            let _ = writeln!(out, "  {method}: fn#{}", id.0);
        }
        for (field, value) in &class.fields {
            let _ = writeln!(out, "  {field} = {}", expr(unit, *value));
        }
    }
    let exports: Vec<String> = unit.exports.iter().map(|e| format!("{}={}", e.name, expr(unit, e.value))).collect();
    let _ = writeln!(out, "exports {}", exports.join(" "));
    out
}

fn name(unit: &Unit, var: VarId) -> String {
    let var = &unit.vars[var.0 as usize];
    let scope = if var.function.0 == 0 { String::new() } else { format!("·{}", var.function.0) };
    format!("{}{scope}", var.name)
}

fn block(unit: &Unit, statements: &Block, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    for statement in statements {
        match statement {
            Statement::Assign { target, value } => {
                let _ = writeln!(out, "{pad}{} = {}", expr(unit, *target), expr(unit, *value));
            }
            Statement::Do(value) => {
                let _ = writeln!(out, "{pad}{}", expr(unit, *value));
            }
            Statement::Return(value) => {
                let _ = writeln!(out, "{pad}return {}", value.map(|v| expr(unit, v)).unwrap_or_default());
            }
            Statement::Yield(value) => {
                let _ = writeln!(out, "{pad}yield {}", value.map(|v| expr(unit, v)).unwrap_or_default());
            }
            Statement::Raise(value) => {
                let _ = writeln!(out, "{pad}raise {}", value.map(|v| expr(unit, v)).unwrap_or_default());
            }
            Statement::If { test, then, otherwise } => {
                let _ = writeln!(out, "{pad}if {}", expr(unit, *test));
                block(unit, then, depth + 1, out);
                if !otherwise.is_empty() {
                    let _ = writeln!(out, "{pad}else");
                    block(unit, otherwise, depth + 1, out);
                }
            }
            Statement::Loop { test, body } => {
                let _ = writeln!(out, "{pad}loop {}", test.map(|t| expr(unit, t)).unwrap_or_default());
                block(unit, body, depth + 1, out);
            }
            Statement::Any(ways) => {
                for way in ways {
                    let _ = writeln!(out, "{pad}any");
                    block(unit, way, depth + 1, out);
                }
            }
            Statement::Jump => {
                let _ = writeln!(out, "{pad}jump");
            }
        }
    }
}

fn list(unit: &Unit, ids: &[ExprId], between: &str) -> String {
    ids.iter().map(|&id| expr(unit, id)).collect::<Vec<_>>().join(between)
}

/// One expression, in one line.
pub(crate) fn expr(unit: &Unit, id: ExprId) -> String {
    match unit.expr(id) {
        ExprKind::Text(text) => format!("{text:?}"),
        ExprKind::Number(number) => format!("{number}"),
        ExprKind::Bool(bool) => format!("{bool}"),
        ExprKind::Nothing => "nothing".to_owned(),
        ExprKind::Bytes(bytes) => format!("b{:?}", String::from_utf8_lossy(bytes)),
        ExprKind::Var(var) => name(unit, *var),
        ExprKind::Free(name) => format!("free:{name}"),
        ExprKind::Member { of, name } => format!("{}.{name}", expr(unit, *of)),
        ExprKind::Index { of, key } => {
            format!("{}[{}]", expr(unit, *of), key.map(|key| expr(unit, key)).unwrap_or_default())
        }
        ExprKind::Call { callee, args, new } => {
            let arg = |arg: &Arg| {
                let name = arg.name.as_ref().map(|name| format!("{name}=")).unwrap_or_default();
                format!("{name}{}", expr(unit, arg.value))
            };
            let args: Vec<String> = args.iter().map(arg).collect();
            format!("{}{}({})", if *new { "new " } else { "" }, expr(unit, *callee), args.join(", "))
        }
        ExprKind::Join(parts) => format!("<{}>", list(unit, parts, " ")),
        ExprKind::Compare { op, left, right } => {
            let op = match op {
                Comparison::Equal => "==",
                Comparison::Unequal => "!=",
                Comparison::In => "in",
                Comparison::NotIn => "not in",
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::More => ">",
                Comparison::AtLeast => ">=",
            };
            format!("({} {op} {})", expr(unit, *left), expr(unit, *right))
        }
        ExprKind::Not(of) => format!("!{}", expr(unit, *of)),
        ExprKind::All(of) => format!("({})", list(unit, of, " and ")),
        ExprKind::Either(of) => format!("({})", list(unit, of, " or ")),
        ExprKind::Choice { test, then, otherwise } => {
            format!("({} ? {} : {})", expr(unit, *test), expr(unit, *then), expr(unit, *otherwise))
        }
        ExprKind::List(of) => format!("[{}]", list(unit, of, ", ")),
        ExprKind::Dict(pairs) => {
            let pair = |(key, value): &(Option<ExprId>, ExprId)| match key {
                Some(key) => format!("{}: {}", expr(unit, *key), expr(unit, *value)),
                None => format!("...{}", expr(unit, *value)),
            };
            format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        ExprKind::Function(function) => format!("fn#{}", function.0),
        ExprKind::Class(class) => format!("class#{}", class.0),
        ExprKind::Pattern(pattern) => format!("/{pattern}/"),
        ExprKind::Spread(of) => format!("...{}", expr(unit, *of)),
        ExprKind::Other(of) => format!("other({})", list(unit, of, ", ")),
    }
}
