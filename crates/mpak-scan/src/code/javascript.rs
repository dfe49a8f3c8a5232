//! JavaScript's and TypeScript's syntax tree as facts. Types are left out, but for those of parameters.
//!
//! `statements`, `targets`, `expressions`, `functions` and `modules` lower what they are named for; `folding`
//! knows the calls that are only another way to write a text.

use foldhash::HashMap;

use oxc_allocator::Allocator;
use oxc_ast::ast;
use oxc_parser::Parser;
use oxc_semantic::{ReferenceId, Scoping, SemanticBuilder, SymbolId};
use oxc_span::SourceType;

use super::builder::Builder;
use super::facts::{Block, ExprId, ExprKind, Import, Language, Reading, Span, Unit, VarId};

mod expressions;
mod folding;
mod functions;
mod jsdoc;
mod modules;
mod statements;
mod targets;

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
    let mut lower =
        Lower { builder, scoping, vars: HashMap::default(), before: Vec::new(), docs: jsdoc::Docs::default() };
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
