//! What is found in short programs.

use std::fmt::Write as _;

use serde_json::json;

use super::{Access, When};
use crate::evidence::Evidence;

fn letter(access: Access) -> &'static str {
    match access {
        Access::Subprocess => "run",
        Access::Native => "native",
        Access::Outbound => "out",
        Access::Inbound => "in",
        Access::Read => "read",
        Access::Write => "write",
        Access::EnvironmentRead => "env",
        Access::EnvironmentWrite => "setenv",
    }
}

fn when(when: When) -> &'static str {
    match when {
        When::Start => "start",
        When::Handler => "handler",
        When::Elsewhere => "else",
    }
}

/// `run@start git` for each use of some files, of which the first is entered.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let document = json!({"server": {"entry_point": files[0].0}});
    let evidence = Evidence::of_files(&document, files);
    let show = |used: &super::Use| {
        let mut shown = format!("{}@{}", letter(used.access), when(used.when));
        if used.secret {
            shown.push('!');
        }
        if used.open {
            shown.push('*');
        }
        if let Some(what) = &used.what {
            shown = format!("{shown} {what}");
        }
        shown
    };
    evidence.capabilities().uses.iter().map(show).collect()
}

#[test]
fn python_uses_are_found_under_any_name() {
    for (source, expected) in [
        ("import subprocess\nsubprocess.run(['git', 'log'])\n", vec!["run@start git"]),
        ("from subprocess import run as r\ndef f():\n  r('ls -l', shell=True)\n", vec!["run@else ls"]),
        ("import os\ngo = os.system\ngo('date')\n", vec!["run@start date"]),
        ("import os as o\ngetattr(o, 'sys' + 'tem')('date')\n", vec!["run@start date"]),
        ("import os\nvars(os)['system']('date')\n", vec!["run@start date"]),
        ("import os\nos.__dict__['system']('date')\n", vec!["run@start date"]),
        ("import os\nos.__getattribute__('system')('date')\n", vec!["run@start date"]),
        ("import os\nfrom operator import attrgetter\nattrgetter('system')(os)('date')\n", vec!["run@start date"]),
        ("import sys, os\nsys.modules['os'].system('date')\n", vec!["run@start date"]),
        ("import os\nglobals()['os'].system('date')\n", vec!["run@start date"]),
        ("__import__('subprocess').Popen(['id'])\n", vec!["run@start id"]),
        ("import importlib\nm = importlib.import_module('os')\nm.popen('w')\n", vec!["run@start w"]),
        ("import subprocess\nRUN = {'a': subprocess.call}\nRUN['a'](['id'])\n", vec!["run@start", "run@start id"]),
        ("from os import *\nsystem('x')\n", vec!["run@start x"]),
        ("import subprocess\ndef f(cmd): subprocess.run(cmd)\nf(['git'])\n", vec!["run@start git"]),
        ("import subprocess\ndef f(cmd): subprocess.run(cmd)\n", vec!["run@else*"]),
        (
            "import asyncio, subprocess\nasync def f():\n  await asyncio.to_thread(subprocess.run, ['git'])\n",
            vec!["run@else"],
        ),
        ("exec('import os\\nos.system(\\'id\\')')\n", vec!["run@start id"]),
        ("import os\ndef f(p): return os.environ[p + '_TOKEN']\n", vec!["env@else! …_TOKEN"]),
        ("import sqlite3\nc = sqlite3.connect(':memory:')\nc.load_extension('x')\n", vec!["native@start x"]),
        (
            "import os\nfrom functools import partial\nr = partial(lambda p, n: os.getenv(p + n), 'GH_')\nr('TOKEN')\n",
            vec!["env@start! GH_TOKEN"],
        ),
        ("import os\na, b = map(os.environ.get, ('A', 'B_KEY'))\n", vec!["env@start A", "env@start! B_KEY"]),
        ("import os\np = os.path.expandvars('$A/${B_TOKEN}')\n", vec!["env@start A", "env@start! B_TOKEN"]),
        ("import click\n@click.option('--x', envvar='A_KEY')\ndef f(x): pass\n", vec!["env@start! A_KEY"]),
        ("import pandas as pd\nd = pd.read_csv('https://x.example/r.csv')\n", vec!["out@start x.example"]),
        ("import boto3\nA = boto3.client('sts').get_caller_identity()['A']\n", vec!["out@start"]),
        ("import boto3\nc = boto3.Session().client('s3')\n", vec!["out@else"]),
        ("import transformers\nm = transformers.pipeline('x', './model')\n", vec!["out@start"]),
        (
            "from selenium import webdriver\nclass B(webdriver.Chrome): pass\ndef f(): B()\n",
            vec!["run@else", "out@else"],
        ),
        ("import subprocess\n", vec![]),
        ("# subprocess.run('x')\n'''os.system('x')'''\nimport os\np = os.path.join('a', 'b')\n", vec![]),
        ("from urllib.parse import quote\nquote('x')\n", vec![]),
        ("import subprocess\ntry: pass\nexcept subprocess.CalledProcessError: pass\n", vec![]),
        ("import requests\nrequests.get('https://api.example.org/x')\n", vec!["out@start api.example.org"]),
        (
            "import httpx\nclient = httpx.AsyncClient()\nasync def f():\n  return await client.get('https://a.example/')\n",
            vec!["out@else", "out@else a.example"],
        ),
        (
            "import requests\ns = requests.Session()\ndef f(u):\n  with s as x: return x.get(u)\n",
            vec!["out@else", "out@else"],
        ),
        (
            "import aiohttp\nasync def f():\n  async with aiohttp.ClientSession() as s:\n    async with s.get('http://x.example/') as r: return await r.json()\n",
            vec!["out@else", "out@else x.example"],
        ),
        (
            "import os\nos.environ['HOME']\nos.getenv('API_KEY')\nos.environ.get('X', '')\n",
            vec!["env@start HOME", "env@start! API_KEY", "env@start X"],
        ),
        ("from os import environ as e\ne['A'] = 'x'\n'B' in e\n", vec!["setenv@start A", "env@start B"]),
        (
            "import os, subprocess\nsubprocess.run(['git'], env={**os.environ, 'A': 'b'})\n",
            vec!["run@start git", "env@start *"],
        ),
        ("import os, json\njson.dumps(dict(os.environ))\n", vec!["env@start! *"]),
        (
            "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n  api_key: str\n  model_config = {'env_prefix': 'APP_'}\n  debug: bool = False\n",
            vec!["env@start! APP_API_KEY", "env@start APP_DEBUG"],
        ),
        ("open('/tmp/x').read()\nopen('/tmp/y', 'w')\n", vec!["read@start /tmp/x", "write@start /tmp/y"]),
        (
            "from pathlib import Path\nk = (Path.home() / '.ssh' / 'id_rsa').read_text()\n",
            vec!["read@start! ~/.ssh/id_rsa"],
        ),
        ("import os\nopen(os.path.expanduser('~/.aws/credentials'))\n", vec!["read@start! ~/.aws/credentials"]),
        ("from pathlib import Path\ndef f(p: Path): p.write_text('x')\n", vec!["write@else"]),
        ("import os\nhere = os.path.dirname(__file__)\nopen(os.path.join(here, 'data.json'))\n", vec![]),
        ("for p in ['~/.netrc', 'x']:\n  open(p)\n", vec!["read@start! ~/.netrc"]),
        ("import ctypes\nctypes.c_int(3)\nctypes.CDLL('libc.so.6')\n", vec!["native@start libc.so.6"]),
        ("import sqlite3\nsqlite3.connect(':memory:')\nsqlite3.connect('a.db')\n", vec!["write@start a.db"]),
        (
            "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\nimport requests\n@mcp.tool()\ndef f(q: str): return requests.get(q)\nif __name__ == '__main__':\n  mcp.run()\n",
            vec!["out@handler"],
        ),
        ("from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\nmcp.run(transport='sse')\n", vec!["in@start"]),
        (
            "import asyncpg\nfrom contextlib import asynccontextmanager\nfrom fastmcp import FastMCP\n@asynccontextmanager\nasync def life(s):\n  yield await asyncpg.connect(host='db.example')\nFastMCP('x', lifespan=life)\n",
            vec!["out@start"],
        ),
        (
            "import requests\nfrom fastapi import FastAPI\napp = FastAPI()\n@app.on_event('startup')\ndef a(): requests.get('https://a.example/')\n@app.on_event('shutdown')\ndef b(): requests.get('https://b.example/')\n",
            vec!["out@start a.example", "out@else b.example"],
        ),
        (
            "import socketserver, threading\ns = socketserver.ThreadingTCPServer(('', 7), None)\nthreading.Thread(target=s.serve_forever).start()\n",
            vec!["in@start"],
        ),
        (
            "import subprocess\nclass Job(subprocess.Popen):\n  pass\ndef make(a, cls=Job): return cls(['job', a])\n",
            vec!["run@else job"],
        ),
        ("from plumbum import local\nwc = local['wc']\ndef f(x): return wc['-w', x]()\n", vec!["run@else"]),
    ] {
        assert_eq!(found(&[("server/main.py", source)]), expected, "{source}");
    }
}

#[test]
fn script_uses_are_found_under_any_name() {
    for (source, expected) in [
        (
            "import { exec } from 'node:child_process';\nimport { promisify } from 'util';\nconst run = promisify(exec);\nrun('git log');\n",
            vec!["run@start git"],
        ),
        ("const { spawn: s } = require('child_process');\ns('git', ['log']);\n", vec!["run@start git"]),
        ("const cp = require('child_' + 'process');\ncp['ex' + 'ec']('id');\n", vec!["run@start id"]),
        (
            "export async function f() { const { execFile } = await import('node:child_process'); execFile('ls'); }\n",
            vec!["run@else ls"],
        ),
        ("import('child_process').then((cp) => cp.exec('id'));\n", vec!["run@start id"]),
        (
            "import { createRequire } from 'module';\nconst r = createRequire(import.meta.url);\nr('child_process').exec('id');\n",
            vec!["run@start id"],
        ),
        ("const m = /x/.exec('y');\nconst db = open(); db.exec('select');\n", vec![]),
        ("import { exec } from 'child_process';\n// exec('x')\nconst s = \"exec('x')\";\n", vec![]),
        ("fetch('https://a.example/x');\n", vec!["out@start a.example"]),
        ("const f = globalThis.fetch; export const g = () => f('https://a.example');\n", vec!["out@else a.example"]),
        ("if (typeof fetch === 'undefined') throw new Error('no');\n", vec![]),
        (
            "import axios from 'axios';\nconst api = axios.create({ baseURL: 'https://a.example' });\nexport const f = () => api.get('/x');\n",
            vec!["out@else a.example", "out@else"],
        ),
        (
            "import express from 'express';\nconst app = express();\napp.get('/x', (q, r) => r.send(''));\napp.listen(3000);\n",
            vec!["in@start"],
        ),
        ("const { API_KEY, HOME } = process.env;\n", vec!["env@start! API_KEY", "env@start HOME"]),
        (
            "const name = 'GH_TOKEN';\nconst t = process.env[name];\nprocess.env.X = '1';\n",
            vec!["env@start! GH_TOKEN", "setenv@start X"],
        ),
        (
            "import { spawn } from 'child_process';\nspawn('git', [], { env: { ...process.env, A: 'b' } });\n",
            vec!["run@start git", "env@start *"],
        ),
        (
            "import { z } from 'zod';\nconst e = z.object({ PORT: z.string(), DB_PASSWORD: z.string() }).parse(process.env);\n",
            vec!["env@start! DB_PASSWORD", "env@start PORT"],
        ),
        ("function load(env) { return env.PORT; }\nload(process.env);\n", vec!["env@start PORT"]),
        (
            "import fs from 'fs';\nimport path from 'path';\nimport os from 'os';\nfs.readFileSync(path.join(os.homedir(), '.ssh', 'id_rsa'));\n",
            vec!["read@start! ~/.ssh/id_rsa"],
        ),
        (
            "import * as fs from 'fs/promises';\nexport class S { fs = fs; async put(p) { await this.fs.writeFile(p, ''); } }\n",
            vec!["write@else"],
        ),
        (
            "import { readFileSync } from 'fs';\nimport { fileURLToPath } from 'url';\nimport { dirname, join } from 'path';\nconst here = dirname(fileURLToPath(import.meta.url));\nJSON.parse(readFileSync(join(here, '..', 'package.json'), 'utf8'));\n",
            vec![],
        ),
        ("import fs from 'fs';\n['a', 'b'].map(fs.readFileSync);\n", vec!["read@start"]),
        ("const addon = require('./build/Release/x.node');\n", vec!["native@start ./build/Release/x.node"]),
        ("import type { ChildProcess } from 'child_process';\nlet p;\n", vec![]),
        (
            "import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';\nconst s = new McpServer({});\ns.tool('a', {}, async () => { await fetch('https://a.example'); });\n",
            vec!["out@handler a.example"],
        ),
        ("setTimeout(() => fetch('https://a.example/'), 0);\n", vec!["out@start a.example"]),
        ("async function f() { await fetch('https://a.example/'); }\nvoid f();\n", vec!["out@start a.example"]),
        (
            "const load = module.require.bind(module);\nload(['child', 'process'].join('_')).execFileSync('id');\n",
            vec!["run@start id"],
        ),
        (
            "import { createClient } from 'redis';\nconst kv = createClient({ url: 'redis://a.example' });\nkv.on('error', (e) => e);\nexport const f = () => kv.get('a');\n",
            vec!["out@else a.example", "out@else"],
        ),
        (
            "import { readFile } from 'fs/promises';\nimport { homedir } from 'os';\nimport { join } from 'path';\nconst where = ['.aws', 'credentials'];\nreadFile(join(homedir(), ...where));\n",
            vec!["read@start! ~/.aws/credentials"],
        ),
    ] {
        assert_eq!(found(&[("server/index.js", source)]), expected, "{source}");
    }
}

#[test]
fn files_count_when_the_server_comes_to_them() {
    let tools = ("server/tools.py", "import subprocess\ndef run(): subprocess.run(['git'])\n");
    let test = ("tests/test_x.py", "import subprocess\nsubprocess.run(['make'])\n");
    let main = ("server/main.py", "from server.tools import run\n");
    assert_eq!(found(&[main, tools, test]), ["run@else git"]);
    let evidence = Evidence::of_files(&json!({"server": {"entry_point": "server/main.py"}}), &[main, tools, test]);
    assert_eq!(evidence.capabilities().unreached, ["tests/test_x.py"]);
    // Without an entry point everything counts, and so does what is started by name.
    let evidence = Evidence::of_files(&json!({}), &[tools, test]);
    assert_eq!(evidence.capabilities().uses.len(), 2);
    let starter = ("server/main.py", "import subprocess, sys\nsubprocess.run([sys.executable, 'tests/test_x.py'])\n");
    assert_eq!(found(&[starter, tools, test]), ["run@start python", "run@else make"]);
}

#[test]
fn packages_that_lie_beside_the_code_are_come_to() {
    let main = ("server/main.py", "import tiny\nfrom tiny.more import go\n");
    let package = ("deps/tiny/__init__.py", "import socket\ns = socket.socket()\ns.sendto(b'x', ('a.example', 1))\n");
    let more = ("deps/tiny/more.py", "import subprocess\ndef go(): subprocess.run(['git'])\n");
    let other = ("deps/other/__init__.py", "import os\nos.system('id')\n");
    let shown = found(&[main, package, more, other]);
    assert!(shown.contains(&"out@start".to_owned()) && shown.contains(&"run@else git".to_owned()), "{shown:?}");
    assert!(!shown.iter().any(|one| one.contains("id")), "{shown:?}");
}

#[test]
fn what_leads_to_itself_ends() {
    for source in [
        "let o = {}; o = { ...o, a: 1 }; o.missing(); o.a.b.c();\n",
        "const a = () => a()()(); a().x.y.z();\nclass A extends A { get() { return this.get().get(); } }\nnew A().get();\n",
        "const f = (x) => f(f)(x(f)); f(f)(f);\nlet p = [p, ...p]; p.map(p).map(p);\n",
        "export * from './index.js'; import { x } from './index.js'; x.y(); process.env = { ...process.env };\n",
    ] {
        found(&[("server/index.js", source)]);
    }
    for source in [
        "from server.main import *\nx.y.z()\nfrom . import *\n",
        "class A(A):\n  @property\n  def b(self): return self.b.b\nA().b.b.c()\n",
        "def f(x: f) -> f: return f(f)(x)\nd = {**d, 'a': d}\nd['b']['c']()\np = p / p / (p / p)\np.read_text()\n",
    ] {
        found(&[("server/main.py", source)]);
    }
}

#[test]
fn scripts_run_programs() {
    let script = "#!/bin/sh\ncd /tmp\ncurl -s https://a.example/x > out.txt\n";
    // Only where scripts are read as code.
    let shown = found(&[("server/run.sh", script)]);
    if crate::code::read("server/run.sh", script.as_bytes()).is_some() {
        assert_eq!(shown, ["run@start curl", "out@start a.example", "write@start out.txt"]);
    }
}

#[test]
fn handlers_that_nothing_loads_are_looked_at() {
    let main = ("server/main.py", "print('starts by other ways')\n");
    let tools = ("server/tools.py", "import subprocess\n@mcp.tool()\ndef a() -> None:\n  subprocess.run(['git'])\n");
    assert_eq!(found(&[main, tools]), ["run@handler git"]);
}

#[test]
fn hostile_code_ends_soon() {
    // Names that lead to each other, many ways.
    let mut source = String::new();
    for at in 0..3_000 {
        for to in 1..9 {
            let _ = writeln!(source, "a{at} = a{}", (at * 7 + to) % 3_000);
        }
    }
    source.push_str("a0()\n");
    for at in 0..3_000 {
        let _ = writeln!(source, "def f{at}(x): return f{}(x)(x)", (at * 5 + 1) % 3_000);
    }
    let before = std::time::Instant::now();
    found(&[("server/main.py", &source)]);
    assert!(before.elapsed().as_secs() < 60, "{:?}", before.elapsed());
}

#[test]
fn objects_that_are_spread_into_each_other_end_soon() {
    // Each holds the next ones, so that the ways to the last one double at each.
    let mut source = String::new();
    for at in 0..400 {
        let spread: String = (1..12).fold(String::new(), |all, to| format!("{all}...o{}, ", (at + to) % 400));
        let _ = writeln!(source, "const o{at} = {{ {spread}a{at}: require('child_process') }};\no{at}.missing();");
    }
    source.push_str("o0.a1.execSync('git');\n");
    let before = std::time::Instant::now();
    let shown = found(&[("server/index.js", &source)]);
    assert!(before.elapsed().as_secs() < 30, "{:?}", before.elapsed());
    assert!(shown.contains(&"run@start git".to_owned()), "{shown:?}");
}

/// Steps of resolving all names of one file, and whether the work was done to its end.
fn steps(text: &str) -> (u64, bool) {
    let units = crate::code::read("s.py", text.as_bytes()).into_iter().collect();
    let program = crate::code::program::Program::new(units);
    let names = super::names::Names::new(&program);
    for (id, unit) in program.units() {
        for (_, callee, _) in unit.calls() {
            names.senses(id, callee);
        }
    }
    (names.steps(), !names.is_cut())
}

#[test]
fn names_of_very_many_classes_end_and_are_told() {
    let families = |count: usize| {
        let mut text = String::from("class D0:\n  pass\n");
        for i in 0..count {
            let (one, two) = (i / 2, (i * 2).saturating_sub(i / 3 + 1).min(i));
            let _ = write!(text, "class D{}(D{one}, D{two}):\n  def run{i}(self, a): return self.missing(a)\n", i + 1);
        }
        text
    };
    let (one, two) = (steps(&families(400)).0, steps(&families(800)).0);
    assert!(two <= one * 3, "{one} steps, and {two} for twice the classes");
    let (many, whole) = steps(&families(40_000));
    assert!(many <= super::names::STEPS_MAX + 1_000, "{many} steps");
    assert!(whole || many >= super::names::STEPS_MAX, "{many} steps");
}

#[test]
fn what_a_class_statement_runs_runs_at_the_start() {
    let base =
        "import socket\nclass F:\n  def __init_subclass__(cls, **k):\n    socket.create_connection(('a.test', 1))\n";
    assert_eq!(found(&[("s.py", "from base import F\nclass A(F):\n  pass\n"), ("base.py", base)]), ["out@start"]);
    assert_eq!(found(&[("s.py", "from base import F\nF\n"), ("base.py", base)]), ["out@else"]);
}

#[test]
fn detours_of_names_paths_and_variables_are_followed() {
    for (files, expected) in [
        (
            &[("s.py", "import ctypes as c\ndef f(x):\n  getattr(getattr(c, x).LoadLibrary('a'), x)()\n")][..],
            &["native@else*"][..],
        ),
        (
            &[("s.py", "from decouple import Config, RepositoryEmpty\nc = Config(RepositoryEmpty())\nc('API_KEY')\n")],
            &["env@start!  API_KEY"],
        ),
        (
            &[
                ("s.py", "import os\nimport names\nget = os.environ.__getitem__\nget(names.KEY)\n"),
                ("names.py", "S = 'acme'\nKEY = f'{S.upper()}_API_KEY'\n"),
            ],
            &["env@start! acme_API_KEY"],
        ),
        (
            &[("s.py", "from pathlib import Path\n(Path.home() / '.config' / 'autostart' / 'x').write_text('')\n")],
            &["write@start! ~/.config/autostart/x"],
        ),
        (
            &[(
                "s.js",
                "const under = (...p) => require('path').join(require('os').homedir(), ...p);\nrequire('fs').readFileSync(under('.config', 'gh', 'hosts.yml'));\n",
            )],
            &["read@start! ~/.config/gh/hosts.yml"],
        ),
        (
            &[(
                "s.py",
                "import configparser\nfrom pathlib import Path\nconfigparser.ConfigParser().read([Path.home() / '.aws' / x for x in ('a', 'credentials')])\n",
            )],
            &["read@start! ~/.aws/credentials"],
        ),
        (
            &[
                ("s.py", "from disk import Path\n(Path.home() / '.ssh' / 'id_rsa').read_text()\n"),
                (
                    "disk.py",
                    "class Path:\n  @classmethod\n  def home(cls):\n    return cls()\n  def __truediv__(self, p):\n    return Path()\n  def read_text(self):\n    return ''\n",
                ),
            ],
            &[],
        ),
    ] {
        let all = found(files);
        let is_there = |one: &&str| all.iter().any(|found| found.replace(' ', "") == one.replace(' ', ""));
        let right = if expected.is_empty() { all.is_empty() } else { expected.iter().all(is_there) };
        assert!(right, "{files:?}: {all:?}");
    }
}
