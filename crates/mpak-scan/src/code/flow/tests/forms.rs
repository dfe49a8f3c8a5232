//! Forms of code through which text comes, and checks that hold or only look so: each with its twin.

use super::{python, script};

fn tool(body: &str) -> String {
    format!("@mcp.tool()\ndef t(name: str, n: int) -> str:\n{body}")
}

fn handler(body: &str) -> String {
    format!("server.tool('t', {{ name: z.string(), url: z.string() }}, async ({{ name, url }}) => {{\n{body}\n}});\n")
}

#[test]
fn objects_are_followed_through_what_runs_by_itself_in_python() {
    let job = |field: &str, body: &str| {
        format!(
            "from pydantic import BaseModel\nclass Job(BaseModel):\n    name: {field}\n    def line(self):\n        return f'ls {{self.name}}'\n{body}"
        )
    };
    for (field, bad) in [("str", true), ("int", false)] {
        python(&job(field, "@mcp.tool()\ndef t(job: Job):\n    os.system(job.line())\n"), bad);
        python(
            &job(field, "@mcp.tool()\ndef t(jobs: list[Job]):\n    for job in jobs:\n        os.system(job.line())\n"),
            bad,
        );
        python(
            &job(
                field,
                "@mcp.tool()\ndef t(data: dict):\n    job = Job.model_validate(data)\n    os.system(job.line())\n",
            ),
            bad,
        );
    }
    let command = |last: &str| {
        format!(
            "class Command:\n    def __init__(self, word):\n        self.words = ['ls']\n        self.words.append(word)\n    @property\n    def line(self):\n        return ' '.join(self.words)\n    def __str__(self):\n        return ' '.join(self.words)\n    def __call__(self):\n        os.system(' '.join(self.words))\n@mcp.tool()\ndef t(name: str):\n    command = Command(name)\n    {last}\n"
        )
    };
    for (last, bad) in [
        ("os.system(command.line)", true),
        ("os.system(f'{command}')", true),
        ("os.system(str(command))", true),
        ("command()", true),
    ] {
        python(&command(last), bad);
    }
    let registry = |run: &str| {
        format!(
            "HANDLERS = {{}}\ndef register(name):\n    def keep(function):\n        HANDLERS[name] = function\n        return function\n    return keep\n@register('run')\ndef run(arguments):\n    {run}\n@server.call_tool()\nasync def call(name, arguments):\n    return HANDLERS[name](arguments)\n"
        )
    };
    python(&registry("os.system('ls ' + arguments['path'])"), true);
    python(&registry("subprocess.run(['ls', '--', arguments['path']])"), false);
}

#[test]
fn objects_are_followed_through_what_runs_by_itself_in_scripts() {
    let class = |inner: &str, last: &str| {
        format!(
            "class Job {{\n  constructor(name) {{ this.name = name; }}\n  {inner}\n}}\n{}",
            handler(&format!("const job = new Job(name); {last}"))
        )
    };
    for (inner, last) in [
        ("get line() { return `ls ${this.name}`; }", "execSync(job.line);"),
        ("toString() { return `ls ${this.name}`; }", "execSync(`${job}`);"),
        ("set target(value) { execSync(`ls ${value}`); } get target() { return ''; }", "job.target = name;"),
    ] {
        script(&class(inner, last), true);
        script(&class(&inner.replace("this.name", "1").replace("${value}", "1"), last), false);
    }
    script(
        &format!(
            "class Table {{ constructor() {{ this.runs = {{}}; }} add(key, run) {{ this.runs[key] = run; }} call(key, value) {{ return this.runs[key](value); }} }}\nconst table = new Table();\ntable.add('a', (value) => execSync(`ls ${{value}}`));\n{}",
            handler("return table.call('a', name);")
        ),
        true,
    );
}

#[test]
fn checks_that_hold_and_checks_that_only_look_so() {
    for (body, bad) in [
        // What raises is forgotten.
        (
            "    import contextlib\n    with contextlib.suppress(ValueError):\n        if not re.fullmatch('[a-z]+', name): raise ValueError\n    os.system('ls ' + name)\n",
            true,
        ),
        ("    if not re.fullmatch('[a-z]+', name): raise ValueError\n    os.system('ls ' + name)\n", false),
        // A text of a path is the path.
        (
            "    f = Path(ROOT, name).resolve()\n    if not str(f).startswith(str(ROOT) + os.sep): raise ValueError\n    return f.read_text()\n",
            false,
        ),
        (
            "    f = Path(ROOT, name).resolve()\n    if not str(f).startswith(str(ROOT)): raise ValueError\n    return f.read_text()\n",
            true,
        ),
        ("    f = Path(ROOT, name).resolve()\n    inner = f.relative_to(ROOT)\n    return f.read_text()\n", false),
        (
            "    f = Path(ROOT, name).resolve()\n    if f.parent != ROOT: raise ValueError\n    return f.read_text()\n",
            false,
        ),
        (
            "    if not re.fullmatch(r'[\\w .-]+', name): raise ValueError\n    return open(os.path.join(ROOT, name)).read()\n",
            false,
        ),
        (
            "    if not re.fullmatch(r'[\\w ./-]+', name): raise ValueError\n    return open(os.path.join(ROOT, name)).read()\n",
            true,
        ),
        ("    if not re.fullmatch(r'[0-9+*/(). -]+', name): raise ValueError\n    return eval(name)\n", false),
        ("    if not re.fullmatch(r'[\\w+*/(). -]+', name): raise ValueError\n    return eval(name)\n", true),
        (
            "    parts = urlparse(name)\n    host = (parts.hostname or '').rstrip('.').lower()\n    if host not in {'a.example', 'b.example'}: raise ValueError\n    return requests.get(name)\n",
            false,
        ),
        (
            "    parts = urlparse(name)\n    host = (parts.path or '').rstrip('.').lower()\n    if host not in {'a.example', 'b.example'}: raise ValueError\n    return requests.get(name)\n",
            true,
        ),
    ] {
        python(&format!("ROOT = Path('/srv')\n{}", tool(body)), bad);
    }
    // A check that comes back early checks nothing there.
    let early = |first: &str| {
        format!(
            "def check(name):\n    {first}\n    if not re.fullmatch('[a-z]+', name):\n        raise ValueError\n{}",
            tool("    check(name)\n    os.system('ls ' + name)\n")
        )
    };
    python(&early("if name.startswith('x'):\n        return"), true);
    python(&early("if name is None:\n        return"), false);
    python(&early("pass"), false);
    // Where nobody set a root, nothing is to be checked.
    python(
        &format!(
            "def check(name, root):\n    if root is None:\n        return\n    if not re.fullmatch('[a-z]+', name):\n        raise ValueError\n{}",
            tool("    check(name, ROOTS)\n    os.system('ls ' + name)\n")
        )
        .replacen("def check", "ROOTS = os.environ.get('ROOTS')\ndef check", 1),
        false,
    );
    // Who starts the server may switch a check off.
    let option = |test: &str| {
        format!(
            "ALLOW = os.environ.get('ALLOW_INSIDE')\ndef check(name):\n    if not re.fullmatch('[a-z]+', name):\n        raise ValueError\n{}",
            tool(&format!("    if {test}:\n        check(name)\n    os.system('ls ' + name)\n"))
        )
    };
    python(&option("not ALLOW"), false);
    python(&option("n > 3"), true);
    python(&option("ALLOW"), true);
}

#[test]
fn names_of_fields_are_not_their_values() {
    let insert = |names: &str| {
        format!(
            "from dataclasses import asdict, dataclass, fields\n@dataclass\nclass Row:\n    name: str\n    city: str = ''\n{}",
            tool(&format!(
                "    row = Row(name=name)\n    names = {names}\n    db.execute(f\"INSERT INTO t ({{', '.join(names)}}) VALUES (?)\", (name,))\n"
            ))
        )
    };
    python(&insert("[f.name for f in fields(row)]"), false);
    python(&insert("list(asdict(row).keys())"), false);
    python(&insert("list(asdict(row).values())"), true);
}

#[test]
fn programs_that_are_one_of_a_few_are_known() {
    for (option, bad) in [("-c", true), ("-m", false)] {
        script(
            &format!(
                "const PYTHON = process.platform === 'win32' ? 'python' : 'python3';\n{}",
                handler(&format!("execFile(PYTHON, ['-I', '{option}', `print(${{name}})`]);"))
            ),
            bad,
        );
    }
}

#[test]
fn statements_are_found_in_objects() {
    for (call, bad) in [
        ("pool.query({ text: `SELECT * FROM t WHERE a = '${name}'` });", true),
        ("pool.query({ text: 'SELECT * FROM t WHERE a = $1', values: [name] });", false),
        ("db.exec(`DELETE FROM t WHERE a = '${name}'`);", true),
        ("agent.run(`Create a summary of ${name}`);", false),
    ] {
        script(&handler(call), bad);
    }
}

#[test]
fn clients_that_check_each_request_are_trusted() {
    let client = |hooks: &str| {
        format!(
            "async def refuse(request):\n    if not ipaddress.ip_address(request.url.host).is_global:\n        raise ValueError\nasync def log(request):\n    print(request)\n{}",
            tool(&format!(
                "    client = httpx.AsyncClient(event_hooks={{'request': [{hooks}]}})\n    return client.get(name)\n"
            ))
        )
    };
    python(&client("refuse"), false);
    python(&client("log"), true);
}
