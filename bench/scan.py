#!/usr/bin/env python3
"""Time and memory of a whole scan, beside the rivals that can be installed by their ordinary clients.

cargo build --release && python3 bench/scan.py --data DIR [--rounds N] [--curve] [--no-rivals]

DIR keeps what is fetched and built: a Python bundle (`mcp-server-fetch` with its dependencies), a Node bundle
(`@modelcontextprotocol/server-filesystem` with its dependencies), one of three files, and the rivals. All run on the
same files, interleaved, in one run; the medians count. "Changed" is a warm scan after a line was added to a file of the
server's own. Processor time stands beside wall time: it counts where the machine is not quiet. `--curve` adds bundles
of 1 to 250 MB.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON_313 = ["python3.13", *map(str, pathlib.Path.home().glob(".pyenv/versions/3.13*/bin/python3"))]
SIZES_MB = [1, 4, 16, 64, 128, 250]
TIMEOUT_S = 400


def run(command, **options):
    """Wall time in ms, peak memory in MB, whether it ended by itself, and processor time in ms."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            process.kill()
            os.wait4(process.pid, 0)
            return TIMEOUT_S * 1000.0, 0.0, False, TIMEOUT_S * 1000.0
        time.sleep(0.0005)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = (time.perf_counter() - started) * 1000
    processor = (usage.ru_utime + usage.ru_stime) * 1000
    return wall, usage.ru_maxrss / 1024, process.returncode >= 0, processor


def need(command, log, **options):
    with open(log, "w") as out:
        return subprocess.run(command, stdout=out, stderr=out, check=False, **options).returncode == 0


def manifest(name, server):
    return json.dumps({"manifest_version": "0.3", "name": name, "version": "1.0.0", "description": "A benchmark.",
                       "author": {"name": "Bench"}, "server": server, "tools": []}, indent=2)


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def pack(tree, bundle):
    """Everything in the folder: `mpak pack` leaves out what servers do not need, and the rivals read it."""
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink()):
            out.write(path, path.relative_to(tree).as_posix())


def trees(data):
    """The three folders, made once."""
    py, js, fx = (data / name / "tree" for name in ("py", "js", "fx"))
    if not (py / "lib").exists():
        need([sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(py / "lib"),
              "mcp-server-fetch"], data / "py.log") or sys.exit("pip cannot install mcp-server-fetch")
    put(py / "manifest.json", manifest("mcp-server-fetch", {
        "type": "python", "entry_point": "lib/mcp_server_fetch/__main__.py", "mcp_config": {
            "command": "python3", "args": ["-m", "mcp_server_fetch"], "env": {"PYTHONPATH": "${__dirname}/lib"}}}))
    if not (js / "node_modules").exists():
        js.mkdir(parents=True, exist_ok=True)
        need(["npm", "i", "@modelcontextprotocol/server-filesystem"], data / "js.log", cwd=js) or sys.exit(
            "npm cannot install @modelcontextprotocol/server-filesystem")
    entry = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    put(js / "manifest.json", manifest("server-filesystem", {
        "type": "node", "entry_point": entry,
        "mcp_config": {"command": "node", "args": ["${__dirname}/" + entry]}}))
    put(fx / "manifest.json", manifest("small", {
        "type": "node", "entry_point": "server/index.js",
        "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"]}}))
    put(fx / "server/index.js", """import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
const server = new McpServer({ name: "small", version: "1.0.0" });
server.tool("add", "Adds two numbers", { a: z.number(), b: z.number() }, async ({ a, b }) =>
  ({ content: [{ type: "text", text: String(a + b) }] }));
""")
    put(fx / "README.md", "# Small\n\nAdds two numbers.\n")
    bundles = {}
    for name, tree in (("Python", py), ("Node", js), ("three files", fx)):
        bundle = data / f"bench-{tree.parent.name}.mcpb"
        if not bundle.exists():
            pack(tree, bundle)
        bundles[name] = (tree, bundle)
    return bundles


OWN = {"Python": "lib/mcp_server_fetch/server.py", "three files": "server/index.js",
       "Node": "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"}


def changed(name, bundle):
    """The same bundle with one more line in a file of the server's own."""
    path = bundle.with_name(f"{bundle.stem}-changed.mcpb")
    if not path.exists():
        with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for item in old.infolist():
                end = b"" if item.filename != OWN[name] else b"\n# one more\n" if name == "Python" else b"\n// one more\n"
                new.writestr(item, old.read(item) + end)
    return path


def rivals(data):
    """Commands of what could be installed, by name, and what is missing."""
    found, missing = {}, []
    venv = data / "rivals"
    if not (venv / "bin").exists():
        made = any(need([python, "-m", "venv", str(venv)], data / "venv.log")
                   for python in PYTHON_313 if shutil.which(python))
        if not made:
            missing.append("Python 3.13 and with it mpak-scanner, bandit, guarddog, detect-secrets")
        else:
            need([str(venv / "bin/pip"), "install", "-q", "mpak-scanner==0.2.9", "bandit", "guarddog",
                  "detect-secrets"], data / "rivals.log")
    environment = {**os.environ, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    commands = {
        "mpak-scanner 0.2.9": ("mpak-scanner", lambda tree, bundle: ["scan", str(bundle)]),
        "bandit": ("bandit", lambda tree, bundle: ["-q", "-r", str(tree)]),
        "guarddog": ("guarddog", lambda tree, bundle: [
            "npm" if (tree / "node_modules").exists() else "pypi", "scan", str(tree)]),
        "detect-secrets": ("detect-secrets", lambda tree, bundle: ["scan", "--all-files", str(tree)]),
    }
    for name, (program, arguments) in commands.items():
        if (venv / "bin" / program).exists():
            found[name] = ([str(venv / "bin" / program)], arguments, environment)
        else:
            missing.append(name)
    eslint = data / "eslint"
    if not (eslint / "node_modules").exists():
        eslint.mkdir(exist_ok=True)
        need(["npm", "i", "eslint", "eslint-plugin-security"], data / "eslint.log", cwd=eslint)
    if (eslint / "node_modules/.bin/eslint").exists():
        put(eslint / "eslint.config.mjs", """import security from "eslint-plugin-security";
export default [{ ...security.configs.recommended, files: ["**/*.js", "**/*.mjs", "**/*.cjs"], ignores: [] },
  { ignores: ["!**/node_modules/"] }];
""")
        found["eslint-plugin-security"] = (
            [str(eslint / "node_modules/.bin/eslint")],
            lambda tree, bundle: ["--no-config-lookup", "-c", str(eslint / "eslint.config.mjs"), str(tree)],
            os.environ)
    else:
        missing.append("eslint-plugin-security")
    for tool in ("syft", "grype", "trufflehog"):
        if not shutil.which(tool):
            missing.append(f"{tool} (a stage of mpak-scanner)")
    return found, missing


def measure(mpak, data, bundles, found, rounds):
    """Medians by bundle and program; every round runs all of them in turn."""
    times = {}
    with tempfile.TemporaryDirectory() as home:
        environment = {"MPAK_HOME": home, "HOME": home, "PATH": "/usr/bin:/bin"}
        for number in range(rounds):
            for name, (tree, bundle) in bundles.items():
                def note(what, figures):
                    times.setdefault((name, what), []).append(figures)
                note("ours, cold", run([mpak, "scan", "--no-cache", str(bundle)], env=environment))
                if number == 0:
                    run([mpak, "scan", str(bundle)], env=environment)
                note("ours, warm", run([mpak, "scan", str(bundle)], env=environment))
                with tempfile.TemporaryDirectory() as other:
                    # What is learned from the change must not be there the next time.
                    shutil.copytree(home, other, dirs_exist_ok=True)
                    there = {**environment, "MPAK_HOME": other, "HOME": other}
                    note("ours, changed", run([mpak, "scan", str(changed(name, bundle))], env=there))
                # What takes minutes is run once: its spread is nothing beside its length.
                for rival, (program, arguments, env) in found.items():
                    before = times.get((name, rival), [])
                    if before and before[0][0] > 20_000:
                        continue
                    note(rival, run(program + arguments(tree, bundle), env=env, cwd=data))
    return times


def table(bundles, times):
    for name, (tree, bundle) in bundles.items():
        with zipfile.ZipFile(bundle) as archive:
            sizes = [item.file_size for item in archive.infolist()]
        print(f"\n{name}: {len(sizes):,} files, {sum(sizes) / 1e6:.1f} MB unpacked\n")
        print("| What | Median | Fastest | Processor | Peak memory | Beside ours, cold |\n|---|---|---|---|---|---|")
        ours = statistics.median(ms for ms, *_ in times[name, "ours, cold"])
        for (of, what), runs in times.items():
            if of != name:
                continue
            median = statistics.median(ms for ms, *_ in runs)
            processor = statistics.median(cpu for *_, cpu in runs)
            ended = "" if all(ok for _, _, ok, _ in runs) else " (ended after the limit)"
            peak = max(mb for _, mb, *_ in runs)
            print(f"| {what} | {median:,.1f} ms{ended} | {min(ms for ms, *_ in runs):,.1f} ms | {processor:,.0f} ms | {peak:.0f} MB | "
                  f"{median / ours:.2f}× |")


def curve(mpak, data, rounds):
    """Bundles of growing size: invented code, texts and native files, alike in every size."""
    print("\n| Unpacked | Cold | Processor | Processor for each MB | Peak memory |\n|---|---|---|---|---|")
    for megabytes in SIZES_MB:
        bundle = data / f"curve-{megabytes}.mcpb"
        if not bundle.exists():
            invent(bundle, megabytes)
        runs = [run([mpak, "scan", "--no-cache", str(bundle)]) for _ in range(rounds)]
        median = statistics.median(ms for ms, *_ in runs)
        processor = statistics.median(cpu for *_, cpu in runs)
        print(f"| {megabytes} MB | {median:,.0f} ms | {processor:,.0f} ms | {processor / megabytes:.2f} ms | "
              f"{max(mb for _, mb, *_ in runs):.0f} MB |")


def invent(bundle, megabytes):
    chance = random.Random(1)
    words = [f"{a}{b}" for a in ("read", "write", "make", "find", "send") for b in ("File", "Name", "Item", "Page")]
    line = "export function {0}{2}(value, other) {{ const {1} = value + other; return {1} ? '{0}' : [{2}, \"{1}\"]; }}\n"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr("manifest.json", manifest("curve", {"type": "node", "entry_point": "server/index.js", "mcp_config": {
            "command": "node", "args": ["${__dirname}/server/index.js"]}}))
        out.writestr("server/index.js", "export const one = 1;\n" * 1000)
        for number in range(megabytes):
            code = "".join(line.format(chance.choice(words), chance.choice(words), chance.randrange(10**6))
                           for _ in range(1500))
            out.writestr(f"node_modules/p{number}/package.json", json.dumps({"name": f"p{number}", "version": "1.0.0",
                                                                             "gypfile": True}))
            for part in range(4):
                out.writestr(f"node_modules/p{number}/lib/{part}.js", code[part * 40_000:][:40_000])
            out.writestr(f"node_modules/p{number}/README.md", "Some words about it. " * 4_000)
            left = max(0, 1_000_000 - 160_000 - 84_000)
            out.writestr(f"node_modules/p{number}/native.node", b"\x7fELF\x02\x01\x01" + chance.randbytes(left // 2)
                         + bytes(left // 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--mpak", default=str(ROOT / "target/release/mpak"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--no-rivals", action="store_true")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True)
    data = arguments.data.resolve()
    bundles = trees(data)
    found, missing = ({}, []) if arguments.no_rivals else rivals(data)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; {arguments.rounds} rounds")
    if missing:
        print("missing: " + "; ".join(missing))
    table(bundles, measure(arguments.mpak, data, bundles, found, arguments.rounds))
    if arguments.curve:
        curve(arguments.mpak, data, min(arguments.rounds, 3))


if __name__ == "__main__":
    main()
