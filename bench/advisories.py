#!/usr/bin/env python3
"""The peer of SC-02's look-ups: the same records and components by brute force with `packaging`.

python3 -m pip install packaging
python3 bench/advisories.py RECORDS.jsonl.gz

Prints what loading takes, and looking 500 components up in what was loaded. Ours, in the same run of the machine:
cargo run --release -p mpak-scan --example advisories RECORDS.jsonl.gz
"""

import collections
import gzip
import json
import re
import sys
import time

from packaging.version import InvalidVersion, Version

KNOWN = """django tensorflow pillow salt ansible requests jinja2 pyyaml urllib3 cryptography aiohttp flask numpy lxml
plone twisted tornado werkzeug paramiko sqlalchemy mlflow gradio apache-airflow wagtail nltk""".split()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def load(path):
    blocks = collections.defaultdict(list)
    with gzip.open(path, "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if "withdrawn" not in record:
                for affected in record.get("affected", []):
                    blocks[normal(affected["package"]["name"])].append((record["id"], affected))
    return blocks


def inside(events, version):
    marks = []
    for event in events:
        kind, bound = next(iter(event.items()))
        try:
            marks.append((Version("0.dev0") if bound == "0" else Version(bound), kind))
        except InvalidVersion:
            return False
    vulnerable = False
    for bound, kind in sorted(marks, key=lambda mark: mark[0]):
        if kind == "introduced" and version >= bound:
            vulnerable = True
        elif (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
            vulnerable = False
    return vulnerable


def affects(affected, text, version):
    if text in affected.get("versions", []):
        return True
    ranges = [r for r in affected.get("ranges", []) if r["type"] == "ECOSYSTEM"]
    return any(inside(r["events"], version) for r in ranges)


def main():
    started = time.perf_counter()
    blocks = load(sys.argv[1])
    loaded = time.perf_counter()
    components = [(KNOWN[i // 2 % len(KNOWN)], f"{i // 50}.{i % 7}.1") for i in range(0, 500, 2)]
    components += [(f"package-{i * 7919 % 300000}", "1.2.3") for i in range(1, 500, 2)]
    found = 0
    for name, text in components:
        version = Version(text)
        found += sum(affects(affected, text, version) for _, affected in blocks.get(name, []))
    done = time.perf_counter()
    print(f"loaded in {(loaded - started) * 1e3:.0f} ms, 500 components in {(done - loaded) * 1e3:.1f} ms, {found} records match")


if __name__ == "__main__":
    main()
