//! Names followed through imports, aliases and re-exports.

use super::*;
use crate::code::read;

fn program(files: &[(&str, &str)]) -> Program {
    Program::new(files.iter().filter_map(|(path, text)| read(path, text.as_bytes())).collect())
}

/// What the callees of a unit's calls mean, in order.
fn callees(program: &Program, path: &str) -> Vec<String> {
    let (id, unit) = program.units().find(|(_, unit)| unit.path == path).unwrap();
    let within = |at: ExprId| {
        let span = unit.span(at);
        let inside =
            |f: &&(usize, &crate::code::facts::Function)| f.1.span.start <= span.start && span.end <= f.1.span.end;
        let functions: Vec<_> = unit.functions.iter().enumerate().collect();
        let inner = functions.iter().filter(inside).min_by_key(|f| f.1.span.end - f.1.span.start);
        FunctionId(inner.map_or(0, |f| u32::try_from(f.0).unwrap()))
    };
    let meaning = |callee: ExprId| match program.meaning(id, within(callee), callee) {
        Meaning::Outside(path) => path,
        Meaning::Function(unit, function) => {
            let unit = program.unit(unit);
            format!("{}:{}", unit.path, unit.function(function).name.clone().unwrap_or_default())
        }
        Meaning::Class(unit, class) => {
            let unit = program.unit(unit);
            format!("{}:class {}", unit.path, unit.classes[class.0 as usize].name.clone().unwrap_or_default())
        }
        other => format!("{other:?}"),
    };
    unit.calls().map(|(_, callee, _)| meaning(callee)).collect()
}

#[test]
fn python_names_are_followed_through_imports_and_aliases() {
    let program = program(&[
        (
            "src/app/server.py",
            "import os.path as p\nfrom os import system as run\nfrom . import tools\nfrom .tools import helper, Box\nfrom app.deep.mod import far\nimport subprocess\ngo = run\ngo('x')\np.join('a')\ntools.helper()\nhelper()\nfar()\nBox().open()\nsubprocess.Popen([]).communicate()\n",
        ),
        (
            "src/app/tools.py",
            "import shutil\nclass Base:\n  def open(self):\n    return self.store.get()\nclass Box(Base):\n  def __init__(self):\n    self.store = shutil\ndef helper(): pass\n",
        ),
        ("src/app/deep/mod.py", "def far(): pass\n"),
    ]);
    let found = callees(&program, "src/app/server.py");
    for expected in [
        "os.system",
        "os.path.join",
        "src/app/tools.py:helper",
        "src/app/deep/mod.py:far",
        "src/app/tools.py:class Box",
        "src/app/tools.py:open",
        "subprocess.Popen",
        "subprocess.Popen().communicate",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:?}");
    }
}

#[test]
fn script_names_are_followed_through_requires_and_re_exports() {
    let program = program(&[
        (
            "dist/index.js",
            "import { promisify } from 'util';\nimport cp, { exec as e } from 'node:child_process';\nimport { deep, Store } from './lib/index.js';\nconst run = promisify(e);\nrun('x');\ncp.spawn('y');\nrequire('fs').promises.readFile('z');\ndeep();\nnew Store().load();\nconst { execSync } = require('child_process');\nexecSync('q');\n",
        ),
        ("dist/lib/index.ts", "export * from './deep.js';\nexport { Store } from './store';\n"),
        ("dist/lib/deep.ts", "export function deep() {}\n"),
        (
            "dist/lib/store.ts",
            "import * as fs from 'fs/promises';\nexport class Store { constructor() { this.fs = fs; } load() { this.fs.readFile('a'); this.other(); } other = () => {} }\n",
        ),
    ]);
    let found = callees(&program, "dist/index.js");
    for expected in [
        "child_process.exec",
        "child_process.spawn",
        "fs.promises.readFile",
        "dist/lib/deep.ts:deep",
        "dist/lib/store.ts:load",
        "child_process.execSync",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected} is not in {found:?}");
    }
    let found = callees(&program, "dist/lib/store.ts");
    assert_eq!(found, ["fs.promises.readFile", "dist/lib/store.ts:other"]);
}
