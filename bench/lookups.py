#!/usr/bin/env python3
"""What SC-02 costs a scan: a bundle of 500 installed components against a snapshot as large as the real feeds make it.

python3 bench/lookups.py MPAK [--records FILE]... [--kev FILE] [--rounds N] [--data DIR]

Invents 220,000 records of malicious packages and 24,300 of vulnerable ones (npm, Go, crates.io; `--records` adds real
ones, as OSV), builds the snapshot with MPAK, and scans the bundle with and without it, interleaved with two floors:
reading the snapshot's bytes (`cat`), and hashing them once (`sha256sum`). Prints medians and least values of
processor and wall time. The snapshot is built once; `--data` keeps it.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

KNOWN = """django tensorflow pillow salt ansible requests jinja2 pyyaml urllib3 cryptography aiohttp flask numpy lxml
plone twisted tornado werkzeug paramiko sqlalchemy mlflow gradio apache-airflow wagtail nltk""".split()
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:H"
SUMMARY = "A parser of untrusted input reads beyond its buffer and lets the sender decide what is run"


def invented(path):
    chance = random.Random(2)
    with open(path, "w") as lines:
        def write(number, affected, **more):
            record = {"id": number, "modified": "2024-06-01T00:00:00Z", "affected": [affected], **more}
            lines.write(json.dumps(record) + "\n")

        for i in range(220_000):
            package = {"ecosystem": "npm", "name": f"package-{i}"}
            summary = f"Malicious code in package-{i} (npm)"
            write(f"MAL-2024-{i}", {"package": package, "versions": ["1.0.0", "99.0.0"]}, summary=summary)
        for ecosystem, count, name in (("npm", 18_000, "lib"), ("Go", 4_500, "example.com/mod"), ("crates.io", 1_800, "crate")):
            for i in range(count):
                fixed = ".".join(str(chance.randint(0, most)) for most in (9, 20, 9))
                events = [{"introduced": "0"}, {"fixed": fixed}]
                package = {"ecosystem": ecosystem, "name": f"{name}-{i % (count // 2)}"}
                affected = {"package": package, "ranges": [{"type": "SEMVER", "events": events}]}
                more = {"summary": SUMMARY + "." * chance.randint(0, 80)}
                more["severity"] = [{"type": "CVSS_V3", "score": VECTOR}]
                if ecosystem == "npm":
                    more["aliases"] = [f"CVE-2024-{i + 10_000}"]
                write(f"GHSA-{ecosystem[:2].lower()}-{i:06}", affected, **more)


def file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def bundle(folder):
    """250 packages of npm and 250 of PyPI; about half of them stand in the snapshot."""
    start = {"command": "node", "args": ["${__dirname}/server/index.js"]}
    server = {"type": "node", "entry_point": "server/index.js", "mcp_config": start}
    manifest = {"manifest_version": "0.3", "name": "@acme/many", "version": "1.0.0", "description": "d"}
    file(folder / "manifest.json", json.dumps({**manifest, "author": {"name": "a"}, "server": server}))
    file(folder / "server/index.js", "console.log(1)\n")
    for i in range(250):
        name = f"package-{(2 * i + 1) * 7_919 % 300_000}" if i % 2 else f"lib-{i * 31 % 9_000}"
        file(folder / f"node_modules/{name}/package.json", json.dumps({"name": name, "version": "1.2.3", "license": "MIT"}))
        name, version = KNOWN[i] if i < 25 else f"{KNOWN[i % 25]}-{i}", f"{i // 25}.{i % 7}.1"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
        file(folder / f"lib/{name}-{version}.dist-info/METADATA", metadata)


def timed(command):
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return (time.perf_counter() - started) * 1e3, (used.ru_utime + used.ru_stime) * 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mpak")
    parser.add_argument("--records", action="append", default=[])
    parser.add_argument("--kev")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    folder = given.data or Path(tempfile.mkdtemp())
    snapshot = folder / "snapshot"
    if not snapshot.exists():
        file(folder / "invented.jsonl", "")
        invented(folder / "invented.jsonl")
        bundle(folder / "bundle")
        build = [given.mpak, "advisories", "build", "--osv", folder / "invented.jsonl", "--out", snapshot]
        for records in given.records:
            build += ["--osv", records]
        subprocess.run(build + (["--kev", given.kev] if given.kev else []), check=True)
    scan = [given.mpak, "scan", folder / "bundle", "--json"]
    commands = {
        "scan with the snapshot": [*scan, "--advisories", snapshot],
        "scan without it": scan,
        "`cat` of the snapshot": ["cat", snapshot],
        "`sha256sum` of the snapshot": ["sha256sum", snapshot],
    }
    runs = {name: [] for name in commands}
    for _ in range(given.rounds):
        for name, command in commands.items():
            runs[name].append(timed(command))
    print(f"snapshot of {snapshot.stat().st_size / 1e6:.1f} MB, {given.rounds} interleaved rounds\n")
    print("| What | Processor, median | least | Wall, median | least |\n|---|---|---|---|---|")
    for name, times in runs.items():
        figures = [which([run[of] for run in times]) for of in (1, 0) for which in (statistics.median, min)]
        print(f"| {name} | " + " | ".join(f"{figure:.1f} ms" for figure in figures) + " |")
    with_it, without = (runs[name] for name in list(commands)[:2])
    added = [a[1] - b[1] for a, b in zip(with_it, without)]
    print(f"| added by SC-02 | {statistics.median(added):.1f} ms | {min(a[1] for a in with_it) - min(b[1] for b in without):.1f} ms | | |")


if __name__ == "__main__":
    main()
