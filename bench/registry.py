#!/usr/bin/env python3
"""Measures a registry with a large catalogue, each figure beside its floor, in one run.

    python3 bench/registry.py [--packages 100000] [--seconds 5] [--data DIR] [--mpak target/release/mpak]

The floor of a request is the same server with the same middleware answering as many fixed bytes. The load
generator (`mpak bench load`) is pinned to the last core, the server to the others. Searches are all
different, and no path is asked twice unless the server answers more than there are. With `--data` the
catalogue is kept and used again.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0))
LOAD_CORE, SERVER_CORES = CORES[-1], CORES[:-1] or CORES


def pinned(cores, command, **kwargs):
    return subprocess.Popen(["taskset", "-c", ",".join(map(str, cores)), *map(str, command)], **kwargs)


def resident_mb(pid, what="VmRSS"):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


class Server:
    """A registry on a catalogue, timed until its first answered search."""

    def __init__(self, mpak, data):
        began = time.perf_counter()
        self.process = pinned(SERVER_CORES, [mpak, "bench", "serve", "--data", data],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.json("/v1/bundles/search?q=server&limit=1")
        self.start_s = time.perf_counter() - began
        self.resident_mb = resident_mb(self.process.pid)

    def json(self, path):
        request = urllib.request.Request(self.url + path, headers={"accept": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Load:
    def __init__(self, mpak, server, seconds, folder):
        self.mpak, self.server, self.seconds, self.folder = mpak, server, seconds, folder

    def ask(self, paths, accept="application/json"):
        file = self.folder / "paths"
        file.write_text("\n".join(paths) + "\n")
        asking = pinned([LOAD_CORE], [self.mpak, "bench", "load", "--server", self.server.url.split("//")[1],
                                      "--paths", file, "--duration", self.seconds, "--accept", accept],
                        stdout=subprocess.PIPE, text=True)
        out, _ = asking.communicate()
        assert asking.returncode == 0, out
        result = json.loads(out)
        assert result["refused"] == 0, result
        return result

    def beside_floor(self, what, paths, target, accept="application/json"):
        ours = self.ask(paths, accept)
        floor = self.ask([f"/v1/floor/{ours['mean_bytes']}"])
        ratio = ours["per_second"] / floor["per_second"]
        print(f"| {what} | {ours['per_second']:,.0f}/s | {ours['p50_us'] / 1000:.2f} ms | {ours['p99_us'] / 1000:.2f} ms "
              f"| {ours['mean_bytes']:,} B | {floor['per_second']:,.0f}/s | {ratio:.0%} | {target} |", flush=True)


def catalogue(server, count):
    """Names of packages from all over the catalogue, with words that their texts use."""
    names, words = [], set()
    total = server.json("/v1/bundles/search?limit=1")["total"]
    for offset in range(0, total, max(total // (count // 100), 100)):
        for bundle in server.json(f"/v1/bundles/search?sort=name&limit=100&offset={offset}")["bundles"]:
            names.append((bundle["name"], bundle["latest_version"]))
            words.update((bundle["description"] or "").lower().strip(".").split())
            words.update(bundle["name"].split("/")[1].split("-")[:-1])
    return total, names, sorted(words)


def misspelt(word, dice):
    at = dice.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2:]


def searches(names, words, count, dice):
    """Different queries as people type them: a word, two, three, the begin of one, a name, one misspelt."""
    queries = {}
    while len(queries) < count:
        kind = dice.random()
        word = dice.choice(words)
        if kind < 0.25:
            query = word
        elif kind < 0.60:
            query = f"{word} {dice.choice(words)}"
        elif kind < 0.70:
            query = f"{word} {dice.choice(words)} {dice.choice(words)}"
        elif kind < 0.85:
            query = word[:max(3, len(word) - dice.randrange(1, 4))]
        elif kind < 0.95:
            query = dice.choice(names)[0].split("/")[dice.randrange(2)]
        else:
            query = misspelt(word, dice) if len(word) > 4 else word
        parameters = {"q": query, "limit": 20}
        # What is short or common comes again in another order and from another offset, so that all are different.
        if query in queries:
            parameters.update(offset=dice.randrange(0, 200), sort=dice.choice(["downloads", "recent", "name"]))
        path = "/v1/bundles/search?" + urllib.parse.urlencode(parameters)
        queries[path if query in queries else query] = path
    paths = list(queries.values())
    dice.shuffle(paths)
    return paths


def measure(mpak, data, seconds, folder):
    # The first start makes what later ones find: the search index, the static files.
    server = Server(mpak, data)
    first_start_s = server.start_s
    settle(server)
    server.stop()
    server = Server(mpak, data)
    try:
        measure_on(server, first_start_s, mpak, seconds, folder)
    finally:
        server.stop()


def settle(server, longest_s=180):
    """Waits until the server has nothing to do."""
    def used():
        fields = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    until = time.monotonic() + longest_s
    before = used()
    while time.monotonic() < until:
        time.sleep(2)
        now = used()
        if now - before < 10:
            return
        before = now


def measure_on(server, first_start_s, mpak, seconds, folder):
    dice = random.Random(1)
    total, names, words = catalogue(server, 40_000)
    resident_before = resident_mb(server.process.pid)
    print(f"\n{total:,} packages × 3 versions, 8 connections, {len(SERVER_CORES)} core(s) for the server:\n")
    print("| What | Ours | p50 | p99 | Answer | Floor | Ours / floor | Aim |\n|---|---|---|---|---|---|---|---|")
    load = Load(mpak, server, seconds, folder)
    dice.shuffle(names)
    query = urllib.parse.quote
    load.beside_floor("search", searches(names, words, 60_000, dice), "≥ 3,000/s, p99 < 10 ms, ≥ 25 %")
    load.beside_floor("detail", [f"/v1/bundles/{name}" for name, _ in names], "≥ 40 %")
    load.beside_floor("download, resolved", [f"/v1/bundles/{name}/versions/{version}/download?os=linux&arch=x64"
                                             for name, version in names], "≥ 40 %")
    load.beside_floor("download of `latest`, resolved",
                      [f"/v1/bundles/{name}/versions/latest/download" for name, _ in names], "≥ 40 %")
    load.beside_floor("versions", [f"/v1/bundles/{name}/versions" for name, _ in names], "")
    load.beside_floor("index file", [f"/index/v1/{name}.json" for name, _ in names], "")
    if is_there(server, "/v1/servers/search"):
        load.beside_floor("server", [f"/v1/servers/{query(name, safe='')}" for name, _ in names], "≥ 40 %")
        load.beside_floor("servers, a page", [f"/v1/servers?limit=20&cursor={offset}" for offset in range(0, 10_000)],
                          "≥ 40 %")
    load.beside_floor("package page", [f"/packages/{name}" for name, _ in names], "", "text/html")
    print("\n| What | Ours | Aim |\n|---|---|---|")
    print(f"| first start (makes the index) | {first_start_s:.2f} s | – |")
    print(f"| cold start, to the first answered search | {server.start_s:.2f} s | < 2 s |")
    print(f"| resident after the start | {server.resident_mb:.0f} MB | < 250 MB |")
    print(f"| resident before the load | {resident_before:.0f} MB | < 250 MB |")
    print(f"| resident after the load | {resident_mb(server.process.pid):.0f} MB | < 250 MB |")
    print(f"| most that was ever resident | {resident_mb(server.process.pid, 'VmHWM'):.0f} MB | – |", flush=True)


def is_there(server, path):
    try:
        server.json(path)
        return True
    except urllib.error.HTTPError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--mpak", type=Path, default=ROOT / "target/release/mpak")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mpak-bench-"))
    try:
        data = given.data or folder / "data"
        if not (data / "registry.db").exists():
            began = time.perf_counter()
            subprocess.run([given.mpak, "bench", "catalogue", "--packages", str(given.packages), "--data", data],
                           check=True, stderr=subprocess.DEVNULL)
            print(f"{given.packages:,} packages written in {time.perf_counter() - began:.0f} s")
        measure(given.mpak, data, given.seconds, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
