//! Work grows with the code and no faster, whatever the code is made of; what is too much is told.

use super::*;
use crate::code::read;
use crate::code::tools::handlers;

const PYTHON: &str = "from mcp.server.fastmcp import FastMCP\nimport os, re, subprocess\nmcp = FastMCP('x')\n@mcp.tool()\ndef t(a: str):\n";
const SCRIPT: &str = "import fs from 'fs';\nimport { exec } from 'child_process';\nimport { z } from 'zod';\n";

/// Steps of the work on one file, and whether it was done to its end.
fn steps(path: &str, text: &str) -> (u64, bool) {
    let program = Program::new(read(path, text.as_bytes()).into_iter().collect());
    let handlers = handlers(&program);
    let engine = followed(&program, &handlers, &|_| true, &|_| true);
    (engine.steps, !engine.cut)
}

fn times(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Code of a size, by what it is made of.
fn hostile(count: usize) -> Vec<(&'static str, &'static str, String)> {
    let in_tool =
        |lines: String| format!("{SCRIPT}server.tool('t', {{ a: z.string() }}, ({{ a }}) => {{\n{lines}}});\n");
    vec![
        (
            "tools",
            "s.js",
            times(count, |i| format!("server.tool('t{i}', {{ a: z.string() }}, ({{ a }}) => fs.readFileSync(a));\n")),
        ),
        ("chain of classes", "s.py", {
            let chain = times(count, |i| format!("class C{}(C{i}):\n  def run(self, a): return self.run(a)\n", i + 1));
            format!("class C0:\n  def run(self, a): return open(a)\n{chain}")
        }),
        ("methods", "s.py", {
            let methods = times(count, |i| format!("  def m{i}(self, a): return self.m{}(a)\n", i + 1));
            format!("class B:\n{methods}")
        }),
        ("circles of functions", "s.py", {
            let all = count;
            times(count, |i| format!("def f{i}(a): return f{}(a) + f{}(a)\n", (i * 7 + 1) % all, (i + 1) % all))
        }),
        ("assignments", "s.py", PYTHON.to_owned() + "  x0 = a\n" + &times(count, |i| format!("  x{} = x{i}\n", i + 1))),
        ("branches", "s.py", PYTHON.to_owned() + &times(count, |i| format!("  if a == '{i}': x{} = a\n", i % 50))),
        ("table", "s.js", {
            let members = times(count, |i| format!("k{i}: (a) => fs.readFileSync(a),\n"));
            let calls = times(count, |i| format!("T.k{i}(a);\n"));
            format!("const T = {{\n{members}}};\n{}", in_tool(calls))
        }),
        (
            "spread lists",
            "s.js",
            in_tool(
                "const l0 = [a];\n".to_owned() + &times(count, |i| format!("const l{} = [...l{i}, ...l{i}];\n", i + 1)),
            ),
        ),
        ("parts of a text", "s.py", PYTHON.to_owned() + "  os.system(f\"" + &"{a}x".repeat(count) + "\")\n"),
        ("parameters", "s.py", {
            let params = times(count, |i| format!("p{i}=1,"));
            format!("def f({params}): pass\n{PYTHON}{}", times(count, |_| "  f(a)\n".to_owned()))
        }),
        (
            "cases",
            "s.js",
            in_tool(format!("switch (a) {{{}}}", times(count, |i| format!("case '{i}': x{i} = a; break;\n")))),
        ),
        (
            "conditions",
            "s.py",
            PYTHON.to_owned() + "  if " + &vec!["a == 'x'"; count].join(" or ") + ":\n    open(a)\n",
        ),
        ("conditions of conditions", "s.py", {
            let chain =
                times(count.min(40), |i| format!("  x{} = {}\n", i + 1, vec![format!("x{i}"); 40].join(" and ")));
            format!("{PYTHON}  x0 = a == 'x'\n{chain}  if x{}:\n    open(a)\n", count.min(40))
        }),
        ("tables in tables", "s.js", {
            let chain = times(count.min(14), |i| {
                let members = times(30, |k| format!("k{k}: x{i}, "));
                let others = times(30, |k| format!("k{k}: y{i}, "));
                format!("const x{0} = {{ {members} }};\nconst y{0} = {{ {others} }};\n", i + 1)
            });
            let last = count.min(14);
            in_tool(format!(
                "const x0 = {{ a }}; const y0 = {{ b: a }};\n{chain}const z = a ? x{last} : y{last};\nfs.readFileSync(z.k1);\n"
            ))
        }),
    ]
}

#[test]
fn work_grows_no_faster_than_the_code() {
    for ((what, path, small), (_, _, large)) in hostile(50).into_iter().zip(hostile(100)) {
        let (one, two) = (steps(path, &small).0, steps(path, &large).0);
        assert!(
            two <= one * 3 + 5_000 || two <= ROOT_STEPS_MAX * 2,
            "{what}: {one} steps, and {two} for twice the code"
        );
    }
}

#[test]
fn families_of_very_many_classes_end_and_are_told() {
    let chain = |count: usize| {
        let classes = times(count, |i| format!("class C{}(C{i}):\n  def run(self, a): return self.go(a)\n", i + 1));
        format!("class C0:\n  def go(self, a): return self.run(a)\n{classes}")
    };
    let wide = |count: usize| {
        let classes = times(count, |i| {
            let (one, two) = (i / 2, (i * 2).saturating_sub(i / 3 + 1).min(i));
            format!("class D{}(D{one}, D{two}):\n  def run{i}(self, a): return self.missing(a)\n", i + 1)
        });
        format!("class D0:\n  pass\n{classes}")
    };
    for (what, text) in [("chain", chain(72_000)), ("two bases each", wide(40_000))] {
        let (steps, whole) = steps("s.py", &text);
        assert!(steps <= STEPS_MAX + ROOT_STEPS_MAX, "{what}: {steps} steps");
        assert!(whole || steps >= STEPS_MAX, "{what}: {steps} steps");
    }
    let (one, two) = (steps("s.py", &wide(400)).0, steps("s.py", &wide(800)).0);
    assert!(two <= one * 3, "{one} steps, and {two} for twice the classes");
}

#[test]
fn a_chain_of_very_many_tests_is_followed() {
    let cases = times(2_500, |i| format!("case '{i}': x = a; break;\n"));
    let script = format!(
        "{SCRIPT}server.tool('t', {{ a: z.string() }}, ({{ a }}) => {{ let x; switch (a) {{\n{cases}}}\nexec(x); }});\n"
    );
    steps("s.js", &script);
    let chain = times(2_500, |i| format!("  elif a == '{i}':\n    x = 1\n"));
    steps("s.py", &format!("{PYTHON}  if a: pass\n{chain}"));
}

#[test]
fn more_handlers_than_are_followed_are_told() {
    let few = times(10, |i| format!("server.tool('t{i}', {{ a: z.string() }}, ({{ a }}) => a);\n"));
    let many = times(tools::FOLLOWED_COUNT_MAX + 1, |i| {
        format!("server.tool('t{i}', {{ a: z.string() }}, ({{ a }}) => a);\n")
    });
    assert!(steps("s.js", &format!("{SCRIPT}{few}")).1);
    assert!(!steps("s.js", &format!("{SCRIPT}{many}")).1);
}

#[test]
fn of_very_many_flows_the_serious_ones_are_kept() {
    let harmless = times(HARMLESS_COUNT_MAX + 50, |i| format!("  subprocess.run(['ls', os.environ['A{i}']])\n"));
    let text = format!("{PYTHON}{harmless}  os.system(a)\n");
    let program = Program::new(read("s.py", text.as_bytes()).into_iter().collect());
    let (found, whole) = flows(&program, &handlers(&program), &|_| true, &|_| true);
    assert!(whole && found.len() <= HARMLESS_COUNT_MAX + 1, "{}", found.len());
    assert!(found.iter().any(|flow| flow.danger == Danger::Critical));
}
