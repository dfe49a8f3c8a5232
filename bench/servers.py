#!/usr/bin/env python3
"""Real servers under CQ-03, CQ-04 and CQ-05: every finding of high or critical severity, to be looked at by a person.

python3 bench/servers.py FOLDER [--scanner 'mpak scan'] [--all] [NAME…]

Reads the list in bench/servers.md, fetches each server that FOLDER does not hold yet by the ordinary clients (`npm
install --ignore-scripts`, `pip install --target`), writes a manifest that names its entry point, scans it and
prints one line per finding. Nothing that was fetched is run. `--all` prints the findings of every severity.
"""

import argparse
import collections
import configparser
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

CONTROLS = ("CQ-03", "CQ-04", "CQ-05")
LIST = pathlib.Path(__file__).with_name("servers.md")


def servers():
    """Rows of the first table: name and kind of registry."""
    row = re.compile(r"^\| `([^`]+)` \| [^|]*\| (npm|PyPI) \|", re.M)
    return [(match[1], match[2]) for match in row.finditer(LIST.read_text())]


def fetch(folder, name, kind):
    """Installs a server and its dependencies without running anything of theirs."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    if kind == "npm":
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", name]
    else:
        only = ["--only-binary", ":all:"]
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *only, "--target", ".", name]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        shutil.rmtree(folder)
        raise


def entry(folder, name, kind):
    """Version and entry point, as the package's own records say."""
    if kind == "npm":
        package = folder / "node_modules" / name
        record = json.loads((package / "package.json").read_text())
        started = record.get("bin") or record.get("main") or "index.js"
        started = started if isinstance(started, str) else next(iter(started.values()))
        return record["version"], (package / started).resolve().relative_to(folder.resolve()).as_posix(), "node"
    normal = re.sub(r"[-_.]+", "_", name).lower()
    found = [path for path in folder.glob("*.dist-info") if path.name.lower().startswith(normal + "-")]
    version = found[0].name.removesuffix(".dist-info").split("-")[-1]
    scripts = configparser.ConfigParser(delimiters=("=",))
    scripts.read(found[0] / "entry_points.txt")
    module = next(iter(scripts["console_scripts"].values())).split(":")[0].strip().replace(".", "/")
    places = [f"{module}.py", f"{module}/__init__.py"]
    return version, next(place for place in places if (folder / place).exists()), "python"


def manifest(folder, name, version, entry_point, kind):
    command = {"node": "node", "python": "python3"}[kind]
    config = {"command": command, "args": ["${__dirname}/" + entry_point]}
    document = {
        "manifest_version": "0.3",
        "name": re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-"),
        "version": version,
        "description": name,
        "author": {"name": "unknown"},
        "server": {"type": kind, "entry_point": entry_point, "mcp_config": config},
    }
    (folder / "manifest.json").write_text(json.dumps(document))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--scanner", default="mpak scan")
    arguments.add_argument("--all", action="store_true")
    given = arguments.parse_args()
    severities = collections.Counter()
    scanned = 0
    for name, kind in servers():
        if given.names and name not in given.names:
            continue
        folder = given.folder / kind / name.replace("/", "__")
        try:
            fetch(folder, name, kind)
            version, entry_point, runtime = entry(folder, name, kind)
        except (subprocess.SubprocessError, OSError, StopIteration, KeyError, IndexError) as error:
            print(f"# {name}: not fetched: {error}")
            continue
        manifest(folder, name, version, entry_point, runtime)
        started = time.monotonic()
        run = subprocess.run([*shlex.split(given.scanner), str(folder), "--json"], capture_output=True, text=True)
        took = time.monotonic() - started
        if not run.stdout:
            print(f"# {name}: not scanned: {run.stderr.strip()}")
            continue
        scanned += 1
        controls = [control for control in json.loads(run.stdout)["controls"] if control["id"] in CONTROLS]
        status = " ".join(f"{control['id']} {control['status']}" for control in controls)
        print(f"# {name} {version} ({kind}): {status}; {took:.1f} s; {controls[0]['reason']}")
        for control in controls:
            for finding in control["findings"]:
                severities[finding["severity"]] += 1
                if given.all or finding["severity"] in ("high", "critical"):
                    place = f"{finding.get('file')}:{finding.get('line')}"
                    print(f"  {finding['severity']:8} {finding['rule']} {place} {finding['title']}")
                    for step in finding.get("path") or []:
                        print(f"             {step['file'].split('/')[-1]}:{step['line']} {step['what']}")
                    print(f"             {(finding.get('evidence') or '')[:160]}")
    print(f"{scanned} servers; {dict(severities)}")


if __name__ == "__main__":
    main()
