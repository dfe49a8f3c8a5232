#!/usr/bin/env python3
"""Measures the road of a bundle, each figure against a peer or a floor in the same run.

    python3 bench/road.py [start] [version] [memory] [pack] [extract] [publish] [crowd]

Needs `target/release/mpak`; `pack` also needs npm (it installs the npm `mcpb` tool into a temporary
folder) and, like `extract`, vendors two real servers. Runs are interleaved: ours, peer, ours, peer, …
Medians are printed, with the ratio ours / peer.
"""
import concurrent.futures
import hashlib
import base64
import http.client
import io
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MPAK = ROOT / "target/release/mpak"
HELLO = (json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}) + "\n").encode()


def row(what, ours, peer, peer_name, unit="ms", target=""):
    ratio = f"{ours / peer:.2f}" if peer else "–"
    print(f"| {what} | {ours:.1f} {unit} | {peer:.1f} {unit} ({peer_name}) | {ratio} | {target} |", flush=True)


def timed(command, **kwargs):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)
    return (time.perf_counter() - start) * 1000


def peak_kib(command):
    """Peak resident memory of one run, in KiB."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, command
    return usage.ru_maxrss


def interleaved(count, *functions):
    results = [[] for _ in functions]
    for _ in range(count):
        for result, function in zip(results, functions):
            result.append(function())
    return [statistics.median(result) for result in results]


class World:
    """A home, a registry and a token in a temporary folder."""

    def __init__(self):
        self.root = Path(tempfile.mkdtemp(prefix="mpak-bench-"))
        self.env = dict(os.environ, HOME=str(self.root), MPAK_HOME=str(self.root / "home"))
        self.server = subprocess.Popen(
            [MPAK, "serve", "--data", self.root / "registry", "--listen", "127.0.0.1:0"],
            env=self.env, stdout=subprocess.PIPE, stderr=open(self.root / "log", "w"), text=True)
        self.url = self.server.stdout.readline().split()[-1]
        made = self.mpak("admin", "token", "create", "--data", self.root / "registry", "--name", "bench", "--json")
        self.token = json.loads(made)["token"]
        self.env.update(MPAK_REGISTRY_URL=self.url, MPAK_TOKEN=self.token)

    def mpak(self, *arguments):
        done = subprocess.run([MPAK, *map(str, arguments)], env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def close(self):
        self.server.send_signal(signal.SIGTERM)
        self.server.wait()
        subprocess.run(["chmod", "-R", "u+w", self.root], check=False)
        shutil.rmtree(self.root, ignore_errors=True)


def example_bundle(world):
    folder = world.root / "example"
    shutil.copytree(ROOT / "crates/mpak/src/demo/example", folder)
    (folder / "server").mkdir()
    shutil.copy(MPAK, folder / "server/mpak")
    world.mpak("pack", folder, world.root / "example.mcpb")
    world.mpak("publish", world.root / "example.mcpb", "--name", "@demo/example")


def first_byte(command, env):
    start = time.perf_counter()
    server = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    server.stdin.write(HELLO)
    server.stdin.flush()
    assert server.stdout.read(1) == b"{"
    elapsed = (time.perf_counter() - start) * 1000
    server.stdin.close()
    server.wait()
    return elapsed


def bench_start():
    world = World()
    example_bundle(world)
    run = [str(MPAK), "run", "@demo/example"]
    first_byte(run, world.env)
    direct = [str(MPAK), "example-server"]
    ours, peer = interleaved(60, lambda: first_byte(run, world.env), lambda: first_byte(direct, world.env))
    row("`mpak run`, cached, to the first byte", ours, peer, "the server itself", target=f"≤ 10 ms added; added {ours - peer:.1f} ms")
    world.close()


def bench_version():
    ours, peer = interleaved(60, lambda: timed([MPAK, "--version"]), lambda: timed(["/bin/true"]))
    row("`mpak --version`", ours, peer, "`true`", target="≤ 5 ms")


def bench_memory():
    world = World()
    example_bundle(world)
    launcher = subprocess.Popen([MPAK, "run", "@demo/example"], env=world.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    launcher.stdin.write(HELLO)
    launcher.stdin.flush()
    launcher.stdout.read(1)
    time.sleep(0.5)
    resident = lambda pid: int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")).split()[1]) / 1024
    child = open(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read().split()[0]
    row("launcher's memory while a server runs", resident(launcher.pid), resident(child), "the server", unit="MB", target="≤ 10 MB")
    launcher.stdin.close()
    launcher.wait()
    world.close()


def vendored(world):
    """Two real servers with their dependencies, as folders ready to pack."""
    trees = {}
    for name in ("everything", "time"):
        bundle, folder = world.root / f"{name}.mcpb", world.root / f"{name}-tree"
        world.mpak("pack", ROOT / "crates/mpak/src/demo" / name, bundle, "--vendor")
        world.mpak("unpack", bundle, folder)
        trees[name] = (folder, bundle)
    return trees


def bench_pack():
    world = World()
    tools = world.root / "tools"
    subprocess.run(["npm", "install", "--silent", "--prefix", tools, "@anthropic-ai/mcpb@2.1.2"], check=True, stdout=subprocess.DEVNULL)
    mcpb = tools / "node_modules/.bin/mcpb"
    for name, (folder, _) in vendored(world).items():
        a, b = world.root / "a.mcpb", world.root / "b.mcpb"
        ours, peer = interleaved(5, lambda: timed([MPAK, "pack", folder, a], env=world.env), lambda: timed([mcpb, "pack", folder, b]))
        row(f"pack {name}", ours, peer, "npm mcpb 2.1.2", target="faster")
        row(f"pack {name}, size", a.stat().st_size / 1024, b.stat().st_size / 1024, "npm mcpb 2.1.2", unit="KiB", target="within 2 %")
    world.close()


def bench_extract():
    world = World()
    for name, (_, bundle) in vendored(world).items():
        out = world.root / "out"

        def run(command):
            shutil.rmtree(out, ignore_errors=True)
            return timed(command, env=world.env)
        ours, peer = interleaved(7, lambda: run([MPAK, "unpack", bundle, out]), lambda: run(["unzip", "-q", bundle, "-d", out]))
        row(f"unpack {name}", ours, peer, "unzip", target="≤ 1")
        shutil.rmtree(out, ignore_errors=True)
        print(f"| unpack {name}, peak memory | {peak_kib([str(MPAK), 'unpack', str(bundle), str(out)]) / 1024:.1f} MB | – | – | < 64 MB |")
    world.close()


def small_bundle(name, version, noise=b""):
    manifest = {"manifest_version": "0.3", "name": name, "version": version, "description": "bench", "author": {"name": "bench"},
                "server": {"type": "node", "entry_point": "index.js", "mcp_config": {"command": "node", "args": ["${__dirname}/index.js"]}}, "tools": []}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("index.js", "// nothing\n")
        if noise:
            archive.writestr("noise.bin", noise)
    return data.getvalue()


def upload(world, connection, package, version, data):
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    connection.request("PUT", f"/api/v1/packages/{package}/versions/{version}/artifacts/any", body=data,
                       headers={"Authorization": f"Bearer {world.token}", "Digest": f"sha-256={digest}"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def bench_publish():
    world = World()
    bundles = [world.root / f"big{i}.mcpb" for i in range(7)]
    for i, path in enumerate(bundles):
        path.write_bytes(small_bundle("big", f"1.0.{i}", os.urandom(10 << 20)))
    floor = world.root / "floor"
    remaining = iter(bundles)
    ours, peer = interleaved(7, lambda: timed([MPAK, "publish", next(remaining), "--name", "@bench/big"], env=world.env),
                             lambda: timed(["dd", f"if={bundles[0]}", f"of={floor}", "bs=1M", "conv=fsync"]))
    row("publish 10 MB", ours, peer, "`dd` to disk with fsync", target="< 1 s")
    world.close()


def bench_crowd():
    world = World()
    host = world.url.split("//")[1]
    jobs = [(f"@bench/p{i % 10}", f"1.{i // 10}.0") for i in range(1000)]

    def one(job):
        connection = http.client.HTTPConnection(host, timeout=120)
        status, body = upload(world, connection, *job, small_bundle(job[0].split("/")[1], job[1]))
        assert status == 201, (job, status, body)
    start = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(1000) as pool:
        list(pool.map(one, jobs))
    elapsed = time.perf_counter() - start
    listed = set()
    for package in {package for package, _ in jobs}:
        connection = http.client.HTTPConnection(host)
        connection.request("GET", f"/v1/bundles/{package}/versions")
        versions = [v["version"] for v in json.loads(connection.getresponse().read())["versions"]]
        assert len(versions) == len(set(versions)), "doubled"
        listed |= {(package, version) for version in versions}
    assert listed == set(jobs), "lost"
    print(f"| 1,000 publishes at once, ten packages | {elapsed:.1f} s ({1000 / elapsed:.0f}/s) | none lost, none doubled | – | none lost, none doubled |")
    world.close()


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["version", "start", "memory", "pack", "extract", "publish", "crowd"]
    print("| What | Ours | Peer or floor | Ratio | Aim |\n|---|---|---|---|---|", flush=True)
    for name in chosen:
        globals()[f"bench_{name}"]()
