//! What the flow finds: handlers with a fault and their fixed twins.

use super::*;
use crate::code::read;
use crate::code::tools::handlers;

mod forms;

/// The worst danger of each kind in some files, with the source's word.
fn judged(files: &[(&str, &str)]) -> Vec<String> {
    let program = Program::new(files.iter().filter_map(|(path, text)| read(path, text.as_bytes())).collect());
    let handlers = handlers(&program);
    let (flows, whole) = flows(&program, &handlers, &|_| true, &|_| true);
    assert!(whole);
    let mut shown: Vec<String> =
        flows.iter().map(|f| format!("{:?} {:?} {:?} {}", f.kind, f.danger, f.source, f.call)).collect();
    shown.sort();
    shown.dedup();
    shown
}

fn worst(files: &[(&str, &str)]) -> Danger {
    let program = Program::new(files.iter().filter_map(|(path, text)| read(path, text.as_bytes())).collect());
    let handlers = handlers(&program);
    let (flows, _) = flows(&program, &handlers, &|_| true, &|_| true);
    flows.iter().map(|flow| flow.danger).max().unwrap_or(Danger::Constant)
}

#[track_caller]
fn python(body: &str, bad: bool) {
    let text = format!(
        "import os, subprocess, shlex, re, sqlite3, yaml, pickle, httpx, requests, ipaddress, io, zipfile, psycopg\nfrom functools import partial\nfrom pathlib import Path\nfrom urllib.parse import urlparse\nfrom mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\n{body}"
    );
    let found = worst(&[("server.py", &text)]) >= Danger::High;
    assert_eq!(found, bad, "{:#?}\n{body}", judged(&[("server.py", &text)]));
}

#[track_caller]
fn script(body: &str, bad: bool) {
    let text = format!(
        "import axios from 'axios';\nimport {{ exec, execFile, execFileSync, spawn, spawnSync, execSync }} from 'child_process';\nimport {{ promisify }} from 'util';\nimport fs from 'fs/promises';\nimport path from 'path';\nimport {{ z }} from 'zod';\n{body}"
    );
    let found = worst(&[("server.js", &text)]) >= Danger::High;
    assert_eq!(found, bad, "{:#?}\n{body}", judged(&[("server.js", &text)]));
}

#[test]
fn shells_and_programs_in_python() {
    let tool = |body: &str| format!("@mcp.tool()\ndef t(name: str, n: int) -> str:\n{body}");
    for (body, bad) in [
        ("    os.system('ls ' + name)\n", true),
        ("    subprocess.run(f'ls {name}', shell=True)\n", true),
        ("    subprocess.run(\n      f'ls {name}',\n      shell=True)\n", true),
        ("    subprocess.run(['ls', name])\n", false),
        ("    subprocess.run(['ls', '--', name], shell=False)\n", false),
        ("    subprocess.run(f'ls {n}', shell=True)\n", false),
        ("    subprocess.run(['bash', '-c', f'ls {name}'])\n", true),
        ("    subprocess.run(f'ls {shlex.quote(name)}', shell=True)\n", false),
        ("    cmd = ['ls']\n    cmd.append(name)\n    subprocess.run(' '.join(cmd), shell=True)\n", true),
        ("    if name not in ('a', 'b'):\n        raise ValueError\n    os.system('ls ' + name)\n", false),
        ("    if not re.fullmatch(r'[a-z0-9_]+', name):\n        return 'no'\n    os.system('ls ' + name)\n", false),
        ("    if not re.match(r'[a-z]+', name):\n        return 'no'\n    os.system('ls ' + name)\n", true),
        ("    safe = name.replace(';', '')\n    os.system('ls ' + safe)\n", true),
        ("    eval(name)\n", true),
        ("    subprocess.run([name, '-l'])\n", true),
        ("    subprocess.run('clear', shell=True)\n", false),
        ("    return run_it({'cmd': name})\ndef run_it(o):\n    return os.popen(o['cmd']).read()\n", true),
        ("    return run_it({'cmd': 'ls', 'x': name})\ndef run_it(o):\n    return os.popen(o['cmd']).read()\n", false),
        ("    pickle.loads(name)\n", true),
        ("    yaml.load(name, Loader=yaml.SafeLoader)\n", false),
        ("    yaml.load(name)\n", true),
    ] {
        python(&tool(body), bad);
    }
}

#[test]
fn paths_hosts_and_queries_in_python() {
    let tool = |body: &str| format!("ROOT = '/srv'\n@mcp.tool()\ndef t(p: str) -> str:\n{body}");
    for (body, bad) in [
        ("    return open(os.path.join(ROOT, p)).read()\n", true),
        (
            "    f = os.path.realpath(os.path.join(ROOT, p))\n    if not f.startswith(ROOT):\n        raise ValueError\n    return open(f).read()\n",
            true,
        ),
        (
            "    f = os.path.realpath(os.path.join(ROOT, p))\n    if not f.startswith(ROOT + os.sep):\n        raise ValueError\n    return open(f).read()\n",
            false,
        ),
        (
            "    f = os.path.join(ROOT, p)\n    if not f.startswith(ROOT + '/'):\n        raise ValueError\n    return open(f).read()\n",
            true,
        ),
        (
            "    f = (Path(ROOT) / p).resolve()\n    if not f.is_relative_to(ROOT):\n        raise ValueError\n    return f.read_text()\n",
            false,
        ),
        ("    f = (Path(ROOT) / p).resolve()\n    f.relative_to(ROOT)\n    return f.read_text()\n", false),
        ("    f = Path(ROOT) / p\n    return f.read_text()\n", true),
        ("    return open(os.path.join(ROOT, os.path.basename(p))).read()\n", false),
        (
            "    f = check(p)\n    return open(f).read()\ndef check(x):\n    r = os.path.realpath(x)\n    if os.path.commonpath([r, ROOT]) != ROOT:\n        raise ValueError\n    return r\n",
            false,
        ),
        ("    return requests.get(p).text\n", true),
        ("    return requests.get('https://api.test/v1/' + p).text\n", false),
        ("    return requests.get(f'https://{p}/x').text\n", true),
        (
            "    if urlparse(p).hostname not in {'a.test'}:\n        raise ValueError\n    return httpx.get(p).text\n",
            false,
        ),
        ("    c = sqlite3.connect('x.db')\n    return c.execute('select * from t where id = ' + p).fetchall()\n", true),
        ("    c = psycopg.connect('x')\n    return c.execute(psycopg.sql.SQL(f'select * from {p}').format())\n", true),
        (
            "    c = psycopg.connect('x')\n    q = psycopg.sql.SQL('select * from {}').format(psycopg.sql.Identifier(p))\n    return c.execute(q)\n",
            false,
        ),
        ("    subprocess.run(shlex.join(['say', p]) + ' | play', shell=True)\n", false),
        ("    return os.popen(f'arp {ipaddress.IPv4Address(p)}').read()\n", false),
        ("    return zipfile.ZipFile(io.BytesIO(p))\n", false),
        ("    if not any(c.isalnum() for c in p):\n        return\n    os.system(p)\n", true),
        ("    if not all(c.isalnum() for c in p):\n        return\n    os.system(p)\n", false),
        ("    os.spawnlp(os.P_WAIT, 'sh', 'sh', '-c', p)\n", true),
        ("    __import__('os').system(p)\n", true),
        ("    f = os.path.realpath(p)\n    if not f.startswith(p + os.sep):\n        return\n    os.remove(f)\n", true),
        ("    r = partial(subprocess.run, shell=True)\n    r(p)\n", true),
        ("    subprocess.run(['bash', '-s'], input=p)\n", true),
        ("    subprocess.run(['bash', 'x.sh'], input=p)\n", false),
        (
            "    c = sqlite3.connect('x.db')\n    return c.execute('select * from t where id = ?', (p,)).fetchall()\n",
            false,
        ),
        (
            "    c = sqlite3.connect('x.db')\n    cur = c.cursor()\n    q = f'select * from {p}'\n    cur.execute(q)\n",
            true,
        ),
    ] {
        python(&tool(body), bad);
    }
}

#[test]
fn shells_paths_and_hosts_in_javascript() {
    let tool = |body: &str| {
        format!(
            "const run = promisify(exec);\nconst ROOT = '/srv';\nconst HOSTS = new Set(['https://a.test']);\nserver.tool('t', 'Does.', {{ name: z.string(), n: z.number() }}, async ({{ name, n }}) => {{ {body} }});\n"
        )
    };
    for (body, bad) in [
        ("exec('ls ' + name)", true),
        ("await run(`ls ${name}`)", true),
        ("execSync(`ls ${n}`)", false),
        ("execFile('ls', [name])", false),
        ("spawn('ls', [name], { shell: true })", true),
        ("spawn('sh', ['-c', name])", true),
        ("require('child_process').exec(name)", true),
        ("return helper({ a: name })", true),
        ("return new Promise((ok, no) => { exec(`ls ${name}`, (e, out) => ok(out)) })", true),
        ("if (!['a', 'b'].includes(name)) throw new Error('no'); exec('ls ' + name)", false),
        ("if (!/^[a-z]+$/.test(name)) { return null } exec('ls ' + name)", false),
        ("if (!/^[a-z]+/.test(name)) { return null } exec('ls ' + name)", true),
        ("return fs.readFile(path.join(ROOT, name))", true),
        ("const f = path.resolve(ROOT, name); if (!f.startsWith(ROOT)) throw 1; return fs.readFile(f)", true),
        (
            "const f = path.resolve(ROOT, name); if (!f.startsWith(ROOT + path.sep)) throw 1; return fs.readFile(f)",
            false,
        ),
        (
            "const f = path.resolve(ROOT, name); const rel = path.relative(ROOT, f); if (rel.startsWith('..') || path.isAbsolute(rel)) throw 1; return fs.readFile(f)",
            false,
        ),
        ("return fetch(name)", true),
        ("return fetch(`https://api.test/${name}`)", false),
        ("return fetch(`https://api.test/${encodeURIComponent(name)}`)", false),
        ("const u = new URL(name); if (u.hostname !== 'api.test') throw 1; return fetch(u)", false),
        ("return db.query(`select * from t WHERE id = ${name}`)", true),
        ("return db.query('select * from t WHERE id = $1', [name])", false),
        ("return eval(name)", true),
        ("return new Function(name)()", true),
        ("return re.exec(name)", false),
        ("execSync(`printf ${Buffer.from(name).toString('hex')} | xxd`)", false),
        ("return spawnSync('find', ['/srv', '-name', name])", false),
        ("return spawnSync('find', ['/srv', name])", true),
        ("return execFileSync('sh', ['count.sh', name])", false),
        ("return execFileSync('docker', ['exec', 'db', 'sh', '-c', name])", true),
        ("return spawnSync('bash', [], { input: name })", true),
        ("return fs.readFile(path.join(ROOT, path.parse(name).base))", false),
        ("return Promise.all([name].map((x, i) => fs.readFile(`/srv/${i}.png`)))", false),
        ("const { hostname } = new URL(name); if (!hostname.endsWith('.a.test')) throw 1; return fetch(name)", false),
        ("const { hostname } = new URL(name); if (!hostname.endsWith('a.test')) throw 1; return fetch(name)", true),
        ("if (!name.endsWith('.png')) throw 1; return fetch(name)", true),
        (
            "const bad = name.filter((x) => !HOSTS.has(x)); if (bad.length > 0) throw 1; for (const n of name) await fetch(n)",
            false,
        ),
        (
            "const bad = name.filter((x) => !HOSTS.has(x)); if (bad.length < 0) throw 1; for (const n of name) await fetch(n)",
            true,
        ),
        ("if (name && !HOSTS.has(name)) throw 1; if (name) await fetch(name)", false),
        ("return __awaiter(this, void 0, void 0, function* () { exec(name); })", true),
        ("return axios.create({ baseURL: `https://${name}/v1` })", true),
        ("return axios.create({ baseURL: `https://api.test/${name}` })", false),
    ] {
        let helper = if body.contains("helper(") { "function helper(o) { return exec(o.a); }\n" } else { "" };
        script(&format!("{}\n{helper}", tool(body)), bad);
    }
}

#[test]
fn requests_are_followed_through_dispatch_and_classes() {
    script(
        "class S { constructor() { this.root = '/srv'; } async go(args) { const { cmd } = args; return this.sh(cmd); } sh(c) { return execSync(c); } }\nconst s = new S();\nserver.setRequestHandler(CallToolRequestSchema, async (request) => { const { name, arguments: args } = request.params; switch (name) { case 'go': return s.go(args); default: throw new Error('x'); } });",
        true,
    );
    script(
        "server.setRequestHandler(CallToolRequestSchema, async (request) => { switch (request.params.name) { case 'go': return execFile('ls', ['--', String(request.params.arguments.p)]); } });",
        false,
    );
    python(
        "@server.call_tool()\nasync def call(name: str, arguments: dict):\n    if name == 'go':\n        return handle(**arguments)\ndef handle(path, mode='r'):\n    os.system(f'cat {path}')\n",
        true,
    );
}

#[test]
fn what_a_function_answers_proves_something_of_its_arguments() {
    let server = |check: &str| {
        format!(
            "const allowed = ['/srv'];\nfunction within(p, dirs) {{ if (!p) {{ return false; }} const n = path.resolve(p); return dirs.some(dir => {{ const d = path.resolve(dir); if (n === d) {{ return true; }} return {check}; }}); }}\nasync function valid(p) {{ const a = path.resolve(p); const ok = within(a, allowed); if (!ok) {{ throw new Error('no'); }} try {{ const real = await fs.realpath(a); if (!within(real, allowed)) throw new Error('no'); return real; }} catch (e) {{ throw e; }} }}\nserver.tool('t', 'x', {{ p: z.string() }}, async (args) => fs.readFile(await valid(args.p)));\n"
        )
    };
    script(&server("n.startsWith(d + path.sep)"), false);
    script(&server("n.startsWith(d)"), true);
    python(
        "def ok(p):\n    return p in ('a', 'b')\n@mcp.tool()\ndef t(p: str):\n    if not ok(p):\n        return 'no'\n    os.system(p)\n",
        false,
    );
    python(
        "def ok(p):\n    return p not in ('a', 'b')\n@mcp.tool()\ndef t(p: str):\n    if not ok(p):\n        return 'no'\n    os.system(p)\n",
        true,
    );
}

#[test]
fn methods_for_the_commands_of_git_take_options() {
    let tool = |body: &str| {
        format!(
            "import git\ndef diff(repo: git.Repo, target: str) -> str:\n{body}@mcp.tool()\ndef t(target: str) -> str:\n    return diff(git.Repo('/srv'), target)\n"
        )
    };
    for (body, bad) in [
        ("    return repo.git.diff('--unified=3', target)\n", true),
        ("    return repo.git.log('--', target)\n", false),
        ("    return repo.git.log('--since', target)\n", false),
        ("    if target.startswith('-'):\n        raise ValueError\n    return repo.git.diff(target)\n", false),
        ("    return repo.commit(target).hexsha\n", false),
    ] {
        python(&tool(body), bad);
    }
}

#[test]
fn links_decide_how_bad_a_checked_path_is() {
    let read = |resolve: &str, then: &str| {
        format!(
            "import os\n@mcp.tool()\ndef t(p: str):\n    f = os.path.{resolve}(os.path.join('/srv', p))\n    if not f.startswith('/srv' + os.sep):\n        raise ValueError\n    return open({then}).read()\n"
        )
    };
    for (resolve, then, expected) in [
        ("realpath", "f", Danger::Constant),
        ("abspath", "f", Danger::Medium),
        ("normpath", "f", Danger::Medium),
        ("abspath", "os.path.realpath(f)", Danger::High),
        // The same file, with its links followed once more.
        ("realpath", "p", Danger::Medium),
    ] {
        let text = read(resolve, then);
        assert_eq!(worst(&[("s.py", &text)]), expected, "{text}: {:#?}", judged(&[("s.py", &text)]));
    }
}

#[test]
fn what_one_way_proves_of_its_variable_outlives_the_way() {
    let tool = |start: &str, checked: &str| {
        format!(
            "const roots = ['/srv', '/data'];\nconst within = (p) => roots.some((root) => p.startsWith(root + path.sep));\nasync function reach(p) {{ {start} if (p) {{ at = await fs.realpath(path.join(at, p)); {checked} }} return at; }}\nserver.tool('t', 'x', {{ p: z.string() }}, async ({{ p }}) => fs.readFile(await reach(p)));\n"
        )
    };
    let refuse = "if (!within(at)) throw new Error('no');";
    script(&tool("let at = '/srv';", refuse), false);
    script(&tool("let at = '/srv';", ""), true);
    // Which root it is follows from what the model chooses, but the root is still one of the two.
    let found = "let at = roots.find((root) => path.resolve(root, p).startsWith(root + path.sep));";
    script(&tool(found, refuse), false);
    script(&tool(found, ""), true);
    script(
        "server.tool('t', 'x', { p: z.string() }, async ({ p }) => execSync(['ls', 'df'].find((c) => c + p)));",
        false,
    );
    script("server.tool('t', 'x', { p: z.string() }, async ({ p }) => execSync(p.split(',').find((c) => c)));", true);
}

#[test]
fn what_runs_first_and_what_is_handed_over_is_followed() {
    // Events, state between tools, a table in a field, an abstract class, a request to a port.
    script(
        "import { EventEmitter } from 'events'; const bus = new EventEmitter(); bus.on('job', (job) => execSync(job.line)); server.tool('t', 'x', { p: z.string() }, async ({ p }) => bus.emit('job', { line: p }));",
        true,
    );
    script(
        "let last = ''; server.tool('a', 'x', { p: z.string() }, async ({ p }) => { last = p; }); server.tool('b', 'x', {}, async () => execSync(last));",
        true,
    );
    script(
        "class S { constructor() { this.table = new Map([['go', this.go.bind(this)]]); } go({ p }) { return execSync(p); } } const s = new S(); server.setRequestHandler(CallToolRequestSchema, async (r) => s.table.get(r.params.name)(r.params.arguments));",
        true,
    );
    script(
        "class Base { execute(a) { return this.run(a); } } class A extends Base { run(a) { return execSync(a.p); } } const all = [new A()]; server.tool('t', 'x', { p: z.string() }, async (a) => all[0].execute(a));",
        true,
    );
    script(
        "import http from 'http'; http.createServer((req, res) => { let body = ''; req.on('data', (part) => { body += part; }); req.on('end', () => execSync(body)); });",
        true,
    );
    script(
        "process.stdin.on('data', (text) => { const m = JSON.parse(text); if (m.method === 'tools/call') execSync(m.params.arguments.p); });",
        true,
    );
    script(
        "process.stdin.on('data', (text) => { const m = JSON.parse(text); if (m.method === 'tools/call') execFile('ls', ['--', m.params.arguments.p]); });",
        false,
    );
    python(
        "import sys, json\nfor line in sys.stdin:\n    m = json.loads(line)\n    if m['method'] == 'tools/call':\n        os.system(m['params']['arguments']['p'])\n",
        true,
    );
}

#[test]
fn what_no_handler_reaches_in_a_bundle_is_nobodys_handler() {
    let padding = "// node_modules/other/index.js\n".repeat(600);
    let text = format!(
        "{padding}function other(text) {{ return new Function(text); }}\nserver.tool('t', 'x', {{}}, async () => 1);\n"
    );
    assert!(worst(&[("dist/index.js", &text)]) < Danger::High, "{:#?}", judged(&[("dist/index.js", &text)]));
    let text = format!(
        "{padding}function other(text) {{ return new Function(text); }}\nserver.tool('t', 'x', {{ p: z.string() }}, async ({{ p }}) => other(p));\n"
    );
    assert_eq!(worst(&[("dist/index.js", &text)]), Danger::Critical);
}

#[test]
fn what_line_patterns_get_wrong() {
    for (path, text, bad) in [
        ("s.py", "import yaml\nyaml.load(f, Loader=yaml.SafeLoader)\n", false),
        ("s.py", "cursor.execute('select * from t where id=%s', (x,))\n", false),
        ("s.js", "// eval() is never used here\n", false),
        ("s.py", "import re\nre.compile(x).exec(data)\n", false),
        ("s.py", "import subprocess\nsubprocess.run(\n f'ls {x}',\n shell=True)\n", true),
        ("s.py", "from os import system\nsystem(cmd)\n", true),
        ("s.js", "import {exec} from 'child_process'; exec(`ls ${x}`)", true),
        ("s.js", "const run = require('util').promisify(require('child_process').exec); run(cmd)", true),
        ("s.js", "const cp = require('child_process'); cp.execSync(cmd)", true),
        ("src/inspector.js", "eval(x)", true),
        ("src/latest.py", "import os\nos.system(x)\n", true),
        ("src/vendor_api.py", "import os\nos.system(x)\n", true),
        ("src/depsolver.py", "import os\nos.system(x)\n", true),
        ("s.py", "import os\nos.system(x)  # nosec\n", true),
    ] {
        assert_eq!(worst(&[(path, text)]) >= Danger::High, bad, "{text}: {:#?}", judged(&[(path, text)]));
    }
}

#[test]
fn hostile_shapes_come_to_an_end() {
    let many = |count: usize, each: fn(usize) -> String| (0..count).map(each).collect::<String>();
    let branches = many(5_000, |i| format!("if(a.x{i}){{a=f(a.y{i})}}"));
    let stores = many(5_000, |i| format!("o.k{i}=o.k{};", i + 1));
    let members = many(100_000, |i| format!("k{i}:v{i},"));
    let calls =
        many(400, |i| format!("def f{i}(a, b):\n    return f{}(a, b) + f{}(b, a)\n", (i + 1) % 400, (i + 7) % 400));
    let circle = "let ok, a; const f = (x) => x; ok = f(ok ? a : f(ok ? 1 : ok));".to_owned();
    for (path, source) in [
        (
            "d.js",
            format!(
                "function g() {{ {circle} if (ok) {{ return a; }} }} server.tool('t', 'd', {{}}, async () => g());"
            ),
        ),
        ("a.js", format!("function f(a){{{branches}return a}}; server.tool('t','d',{{}},async(a)=>f(a))")),
        ("b.js", format!("const o={{{members}}};{stores}")),
        ("c.py", format!("x = '{}'\n{calls}", "a".repeat(900_000))),
    ] {
        // A quadratic way through one of these takes minutes.
        let program = Program::new(read(path, source.as_bytes()).into_iter().collect());
        let handlers = handlers(&program);
        flows(&program, &handlers, &|_| true, &|_| true);
    }
}
