//! Python's syntax tree as facts.
//!
//! Names are resolved by Python's own rule: what a function binds anywhere in its body is local to it; `names`
//! finds what that is. `statements`, `matching`, `expressions` and `definitions` lower what they are named for;
//! `folding` knows the calls and operators that only put texts together.

use std::collections::BTreeSet;

use foldhash::HashMap;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{PySourceType, Stmt};
use ruff_text_size::Ranged;

use super::builder::Builder;
use super::facts::{Block, ExprId, ExprKind, Language, Reading, Span, Unit, VarId};

mod definitions;
mod expressions;
mod folding;
mod matching;
mod names;
mod statements;

/// Reads a text that passed the limits.
pub(super) fn read(path: &str, source: String) -> Unit {
    let parsed = ruff_python_parser::parse_unchecked_source(&source, PySourceType::Python);
    let reading = match parsed.errors().first() {
        None => Reading::Whole,
        Some(error) => Reading::Partly(error.error.to_string()),
    };
    let builder = Builder::new(path, Language::Python, source);
    let mut lower = Lower { builder, scopes: Vec::new(), before: Vec::new() };
    for token in parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Comment) {
        let span = lower.span(token);
        lower.builder.comment(span);
    }
    lower.module(&parsed.syntax().body, reading)
}

struct Scope {
    names: HashMap<String, VarId>,
    /// A class's names are seen in its body only, not by its methods.
    class: bool,
}

struct Lower {
    builder: Builder,
    scopes: Vec<Scope>,
    /// Statements that stand in the expression being lowered, and run before it.
    before: Block,
}

impl Lower {
    fn module(mut self, body: &[Stmt], reading: Reading) -> Unit {
        let names = names::bound(body);
        self.scope(&names, false);
        let body = self.block(body);
        let Some(scope) = self.scopes.pop() else { return self.builder.finish(body, reading) };
        let mut names: Vec<_> = scope.names.into_iter().collect();
        names.sort();
        for (name, var) in names {
            let value = self.builder.push(ExprKind::Var(var), Span::default());
            self.builder.export(&name, value);
        }
        self.builder.finish(body, reading)
    }

    fn span(&self, node: &impl Ranged) -> Span {
        self.builder.span(node.start().to_u32(), node.end().to_u32())
    }

    fn scope(&mut self, names: &BTreeSet<String>, class: bool) {
        let names = names.iter().map(|name| (name.clone(), self.builder.declare(name))).collect();
        self.scopes.push(Scope { names, class });
    }

    fn lookup(&self, name: &str) -> Option<VarId> {
        let innermost = self.scopes.len().saturating_sub(1);
        let seen = |(at, scope): &(usize, &Scope)| *at == innermost || !scope.class;
        self.scopes.iter().enumerate().rev().filter(seen).find_map(|(_, scope)| scope.names.get(name).copied())
    }

    fn name(&mut self, name: &str, span: Span) -> ExprId {
        let kind = self.lookup(name).map_or_else(|| ExprKind::Free(name.to_owned()), ExprKind::Var);
        self.builder.push(kind, span)
    }

    fn nothing(&mut self, span: Span) -> ExprId {
        self.builder.push(ExprKind::Other(Vec::new()), span)
    }
}

#[cfg(test)]
mod tests {
    use crate::code::on_large_stack;
    use crate::code::show::show;

    use super::*;

    fn shown(source: &str) -> String {
        show(&read("server.py", source.to_owned()))
    }

    #[test]
    fn names_are_resolved_and_texts_are_joined() {
        insta::assert_snapshot!(shown(
            r#"
import os, subprocess as sp
import urllib.request
from os import system as run
from . import tools

BASE = "ht" "tp" + "s://" + chr(97)

class Files(Base):
    root: str
    limit = 3

    async def read(self, name: str, *rest, deep: bool = False, **more) -> str:
        """Reads."""
        global count
        count += 1
        path = os.path.join(self.root, f"{name}.txt")
        if not path.startswith(BASE) or name in ("a", "b"):
            raise ValueError("no")
        with open(path) as file, lock:
            a, (b, *c) = file.read(), name
        for k, v in more.items():
            yield [x for x in v if x != k]
        try:
            await run("ls %s" % name)
        except OSError as error:
            return error
        finally:
            sys.exit(1)

count = 0
f = lambda x, y=BASE: (z := x) + y
sp.run(["ls", "-l"], shell=True, **f)
"".join(["a", "b"])
"{} is {name}".format(f, name=count)
"#
        ));
    }

    #[test]
    fn a_match_is_a_chain_of_tests() {
        insta::assert_snapshot!(shown(
            "def f(name, args):\n  match name:\n    case 'a' | 'b':\n      g(args)\n    case {'k': v}:\n      h(v)\n    case other if other.ok:\n      i(other)\n    case _:\n      raise E\n"
        ));
    }

    #[test]
    fn broken_and_hostile_texts_are_read_as_far_as_they_go() {
        on_large_stack(|| {
            let unit = read("x.py", "import os\ndef f(:\n  os.system('x')\n".to_owned());
            assert!(matches!(unit.reading, Reading::Partly(_)));
            assert_eq!(unit.imports.len(), 1);
            let unit = read("x.py", format!("x = {}'b'\n", "'a' + ".repeat(100_000)));
            assert!(unit.exprs.iter().any(|e| matches!(&e.kind, ExprKind::Text(t) if t.len() == 100_001)));
            for piece in ["not ", "-", "lambda: ", "a if b else ", "x = ", "f(", "[", "{1:", "a.", "if x:\n ", "@"] {
                let unit = crate::code::read("x.py", piece.repeat(20_000).as_bytes()).unwrap();
                assert_ne!(unit.reading, Reading::Whole, "{piece}");
            }
        });
    }
}
