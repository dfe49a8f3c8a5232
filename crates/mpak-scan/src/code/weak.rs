//! Calls that switch protection off whatever data reaches them, and comments that silence a finding without a reason.
//!
//! The shapes are those that Bandit and its likes call severe and that need no flow. Whose the code is decides who asks.

use std::collections::BTreeSet;

use super::facts::{Arg, ExprId, ExprKind, FunctionId, Span, Statement, Unit};
use super::program::{Program, UnitId};

/// Most of them that are told of one bundle.
const FOUND_COUNT_MAX: usize = 200;

/// A place where protection is off.
#[derive(Clone, Debug)]
pub struct Weak {
    /// Where.
    pub unit: UnitId,
    /// Where.
    pub span: Span,
    /// Rule without the control.
    pub rule: &'static str,
    /// What is seen.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// Finds them in the units that a bundle's author answers for.
pub fn find(program: &Program, is_own: &dyn Fn(&Unit) -> bool) -> Vec<Weak> {
    let mut found = Vec::new();
    for (id, unit) in program.units().filter(|(_, unit)| is_own(unit)) {
        for (call, callee, args) in unit.calls() {
            if found.len() >= FOUND_COUNT_MAX {
                return found;
            }
            let Some((rule, what, fix)) = of_call(program, id, unit, callee, args) else { continue };
            found.push(Weak { unit: id, span: unit.span(call), rule, what, fix });
        }
        for function in &unit.functions {
            of_assignments(id, unit, &function.body, &mut found);
        }
    }
    found
}

/// Comments of these lines that say `nosec` and no reason.
pub fn silenced(unit: &Unit, lines: &[u32]) -> Vec<Span> {
    let is = |span: &&Span| {
        let text = unit.source.get(span.start as usize..span.end as usize).unwrap_or_default();
        let text = text.trim_start_matches(['#', '/', '*', ' ']).trim();
        let rest = text.strip_prefix("nosec").or_else(|| text.strip_prefix("NOSEC"));
        rest.is_some_and(|rest| !rest.trim_start_matches([':', '-', ' ']).contains(' '))
    };
    let lines: BTreeSet<&u32> = lines.iter().collect();
    let there = unit.comments.iter().filter(|span| lines.contains(&span.line));
    there.filter(is).copied().take(FOUND_COUNT_MAX).collect()
}

type Told = (&'static str, &'static str, &'static str);

const CERTIFICATES: Told = (
    "certificates",
    "certificates of servers are not checked",
    "leave the check on; give the certificate of an own authority",
);

fn of_call(program: &Program, id: UnitId, unit: &Unit, callee: ExprId, args: &[Arg]) -> Option<Told> {
    let named = |name: &str| args.iter().find(|arg| arg.name.as_deref() == Some(name)).map(|arg| unit.expr(arg.value));
    let off = |name: &str| matches!(named(name), Some(ExprKind::Bool(false)));
    let on = |name: &str| matches!(named(name), Some(ExprKind::Bool(true)));
    let last = match unit.expr(callee) {
        ExprKind::Member { name, .. } | ExprKind::Free(name) => name.as_str(),
        ExprKind::Var(var) => unit.vars[var.0 as usize].name.as_str(),
        _ => return None,
    };
    // Only calls that could be one of these are followed to what they mean.
    let rejects = || {
        args.iter().any(|arg| match unit.expr(arg.value) {
            ExprKind::Dict(members) => members.iter().take(64).any(|(key, value)| {
                key.and_then(|key| unit.text(key)) == Some("rejectUnauthorized")
                    && matches!(unit.expr(*value), ExprKind::Bool(false))
            }),
            _ => false,
        })
    };
    let path = || program.outside(id, FunctionId::TOP, callee).unwrap_or_default();
    match last {
        "_create_unverified_context" => Some(CERTIFICATES),
        "get" | "post" | "put" | "patch" | "delete" | "head" | "request" | "Client" | "AsyncClient"
            if off("verify") =>
        {
            let path = path();
            (path.starts_with("requests.") || path.starts_with("httpx.")).then_some(CERTIFICATES)
        }
        "Agent" | "request" | "get" | "connect" | "create" | "fetch" if rejects() => Some(CERTIFICATES),
        "AutoAddPolicy" | "WarningPolicy" => path().starts_with("paramiko.").then_some((
            "host-keys",
            "keys of hosts are not checked",
            "load the known keys of hosts and refuse others",
        )),
        "run" if on("debug") => path().starts_with("flask.").then_some((
            "debugger",
            "a debugger that runs code is open on a port",
            "start it without `debug`",
        )),
        _ => None,
    }
}

/// `process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"`, `ssl._create_default_https_context = …`
fn of_assignments(id: UnitId, unit: &Unit, statements: &[Statement], found: &mut Vec<Weak>) {
    for statement in statements {
        if found.len() >= FOUND_COUNT_MAX {
            return;
        }
        match statement {
            Statement::Assign { target, value } => {
                let ExprKind::Member { name, .. } = unit.expr(*target) else { continue };
                let off = match name.as_str() {
                    "NODE_TLS_REJECT_UNAUTHORIZED" => unit.text(*value) == Some("0"),
                    "_create_default_https_context" => true,
                    _ => false,
                };
                if off {
                    let (rule, what, fix) = CERTIFICATES;
                    found.push(Weak { unit: id, span: unit.span(*target), rule, what, fix });
                }
            }
            Statement::If { then, otherwise, .. } => {
                of_assignments(id, unit, then, found);
                of_assignments(id, unit, otherwise, found);
            }
            Statement::Loop { body, .. } => of_assignments(id, unit, body, found),
            Statement::Any(ways) => ways.iter().for_each(|way| of_assignments(id, unit, way, found)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::read;

    #[test]
    fn protection_that_is_off_is_told() {
        for (path, text, rules) in [
            (
                "s.py",
                "import requests\nrequests.get(u, verify=False)\nrequests.get(u, verify=True)\n",
                vec!["certificates"],
            ),
            (
                "s.py",
                "import ssl\nssl._create_default_https_context = ssl._create_unverified_context\n",
                vec!["certificates"],
            ),
            (
                "s.py",
                "import paramiko\nc = paramiko.SSHClient()\nc.set_missing_host_key_policy(paramiko.AutoAddPolicy())\n",
                vec!["host-keys"],
            ),
            ("s.py", "from flask import Flask\napp = Flask('x')\napp.run(debug=True)\n", vec!["debugger"]),
            ("s.py", "runner.run(debug=True)\nbox.get(verify=False)\n", vec![]),
            (
                "s.js",
                "import https from 'https';\nnew https.Agent({ rejectUnauthorized: false });\n",
                vec!["certificates"],
            ),
            (
                "s.js",
                "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';\nprocess.env.OTHER = '0';\n",
                vec!["certificates"],
            ),
        ] {
            let program = Program::new(read(path, text.as_bytes()).into_iter().collect());
            let found: Vec<&str> = find(&program, &|_| true).iter().map(|weak| weak.rule).collect();
            assert_eq!(found, rules, "{text}");
        }
    }

    #[test]
    fn a_comment_without_a_reason_silences() {
        let text = "a()  # nosec\nb()  # nosec: the text is constant\nc()  # nosec B602\nd()  # no\n";
        let unit = read("s.py", text.as_bytes()).unwrap();
        let lines: Vec<u32> = silenced(&unit, &[1, 2, 3, 4]).iter().map(|span| span.line).collect();
        assert_eq!(lines, [1, 3]);
    }
}
