#!/usr/bin/env python3
"""Measures publishing on PostgreSQL: one replica, two, and two of which one is killed in the middle.

    python3 bench/publish.py [--publishes 2000] [--publishers 32] [--rounds 3] [--mpak target/release/mpak]
                             [--storage folder|s3|both]

Starts a PostgreSQL of its own from the installed programs (as another user where it runs as root) with its
usual durability: every commit is on disk. Each publish is a bundle of its own; a publisher whose replica
dies goes on with the other. With `--storage s3` the bundles go to an S3 emulator, the one of the tests, which is
installed below `target/` where it is not there yet: then the replicas share no disk, and the data folder of the
killed one is removed before anything is asked for. After each round every acknowledged version is asked for on a replica that
starts afterwards: each must be there once, with its bytes, and nothing else.
"""
import argparse
import concurrent.futures
import hashlib
import http.client
import io
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = 20


class Postgres:
    """A server in a temporary folder."""

    def __init__(self):
        found = shutil.which("initdb")
        newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
        assert found or newest, "needs PostgreSQL's initdb, pg_ctl and postgres; on Debian: apt-get install postgresql"
        self.programs = Path(found).resolve().parent if found else newest[-1].parent
        self.folder = Path(tempfile.mkdtemp(prefix="mpak-bench-postgres-"))
        self.as_user = {}
        if os.geteuid() == 0:
            users = [u for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")]
            user = sorted(users, key=lambda u: u.pw_name != "postgres")[0]
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.run("initdb", "-D", "data", "-U", "mpak", "--auth", "trust", "-E", "UTF8", "--locale", "C")
        self.run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o",
                 f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=", "start")
        self.databases = itertools.count()

    def run(self, program, *arguments):
        subprocess.run([self.programs / program, *arguments], cwd=self.folder, check=True, env={"LC_ALL": "C"},
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.as_user)

    def database(self):
        name = f"bench{next(self.databases)}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mpak", "-T", "template0", name)
        return f"postgres://mpak@127.0.0.1:{self.port}/{name}"

    def close(self):
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)


class Folder:
    """Bundles in a folder that all replicas see."""

    name = "a shared folder"

    def section(self, folder):
        return f'url = "file:{folder / "blobs"}"'

    def close(self):
        pass


class S3:
    """Bundles in an emulator of S3, each round below a prefix of its own."""

    name = "S3"
    packages = "moto[server]==5.2.5"

    def __init__(self):
        tests = ROOT / "target/emulators-python/venv"
        own = ROOT / "target/bench-python"
        python = next((v / "bin/python" for v in (tests, own) if (v / "bin/moto_server").exists()), None)
        if python is None:
            subprocess.run([sys.executable, "-m", "venv", own], check=True)
            python = own / "bin/python"
            subprocess.run([python, "-m", "pip", "install", "--quiet", self.packages], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        script = ROOT / "crates/mpak-testkit/src/emulators/s3.py"
        self.process = subprocess.Popen([python, script, self.host.split(":")[1], "a-secret"], stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = http.client.HTTPConnection(self.host, timeout=30)
                connection.request("PUT", "/blobs")
                assert connection.getresponse().status == 200
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, "the emulator of S3 does not start"
                time.sleep(0.1)

    def section(self, folder):
        return (f'url = "s3://blobs/{folder.name}"\nendpoint = "http://{self.host}"\npath_style = true\n'
                'access_key_id = "an-id"\nsecret_access_key = "a-secret"')

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Replica:
    def __init__(self, mpak, folder, name, database, storage):
        self.folder = folder / name
        config = folder / f"{name}.toml"
        config.write_text(f"""listen = "127.0.0.1:0"
data = "{folder / name}"
[log]
filter = "error"
[database]
url = "{database}"
[storage]
{storage.section(folder)}
[rates]
publishes_per_minute = 0
reads_per_minute = 0
""")
        self.process = subprocess.Popen([mpak, "serve", "--config", config], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.host = self.process.stdout.readline().split("//")[1].strip()
        first = folder / name / "first-token"
        self.first_token = first.read_text().strip() if first.exists() else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def bundle(name, version):
    manifest = {"manifest_version": "0.3", "name": name, "version": version, "description": "Measures publishing.",
                "author": {"name": "bench"}, "server": {"type": "node", "entry_point": "server/index.js", "mcp_config": {
                    "command": "node", "args": ["${__dirname}/server/index.js"]}}}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("server/index.js", f"// {name} {version}\n" * 50)
    return out.getvalue()


class Publishers:
    """Publishers with one connection each; `hosts` are the replicas that they turn to in turn."""

    def __init__(self, hosts, token, jobs, count):
        self.hosts, self.token, self.jobs = hosts, token, iter(jobs)
        self.lock, self.done, self.times, self.again = threading.Lock(), {}, [], 0
        self.half = threading.Event()
        self.half_count = len(jobs) // 2
        self.count = count

    def next(self):
        with self.lock:
            return next(self.jobs, None)

    def work(self, number):
        at, connection = number, None
        while (job := self.next()) is not None:
            name, version, bytes_ = job
            began = time.perf_counter()
            for attempt in range(1000):
                try:
                    if connection is None:
                        connection = http.client.HTTPConnection(self.hosts[at % len(self.hosts)], timeout=60)
                    connection.request("PUT", f"/api/v1/packages/@bench/{name}/versions/{version}/artifacts/any",
                                       bytes_, {"authorization": f"Bearer {self.token}"})
                    answer = connection.getresponse()
                    body = answer.read()
                    if answer.status in (200, 201):
                        break
                    assert answer.status == 503, (answer.status, body)
                    time.sleep(0.05)
                except (OSError, http.client.HTTPException):
                    # This replica is gone: the next one.
                    at, connection = at + 1, None
                with self.lock:
                    self.again += 1
            else:
                raise AssertionError(f"{name} {version} was not published")
            with self.lock:
                self.done[(name, version)] = hashlib.sha256(bytes_).hexdigest()
                self.times.append(time.perf_counter() - began)
                if len(self.done) >= self.half_count:
                    self.half.set()

    def run(self):
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(self.count) as pool:
            for worker in [pool.submit(self.work, n) for n in range(self.count)]:
                worker.result()
        return time.perf_counter() - began


def check(replica, done):
    """Everything acknowledged is there once, with its bytes, and nothing else is."""
    connection, listed = http.client.HTTPConnection(replica.host, timeout=60), {}

    def get(path, accept):
        connection.request("GET", path, headers={"accept": accept})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body)
        return body

    for name in sorted({name for name, _ in done}):
        for version in json.loads(get(f"/v1/bundles/@bench/{name}/versions", "application/json"))["versions"]:
            key = (name, version["version"])
            assert key not in listed and version["artifacts_count"] == 1, f"doubled: {key}"
            path = f"/v1/bundles/@bench/{name}/versions/{version['version']}/download"
            answer = json.loads(get(path, "application/json"))
            host_path = "/" + answer["url"].split("//")[1].split("/", 1)[1]
            listed[key] = hashlib.sha256(get(host_path, "*/*")).hexdigest()
    assert listed == done, f"lost: {len(done.keys() - listed.keys())}, not acknowledged: {len(listed.keys() - done.keys())}"


def measure(options, postgres, storage, replicas, kill):
    folder = Path(tempfile.mkdtemp(prefix="mpak-bench-"))
    database = postgres.database()
    running = [Replica(options.mpak, folder, f"replica{n}", database, storage) for n in range(replicas)]
    try:
        jobs = [(f"p{n % PACKAGES}", f"1.{n // PACKAGES}.0") for n in range(options.publishes)]
        jobs = [(name, version, bundle(name, version)) for name, version in jobs]
        publishers = Publishers([r.host for r in running], running[0].first_token, jobs, options.publishers)
        if kill:
            killer = threading.Thread(target=lambda: (publishers.half.wait(), running[0].kill()))
            killer.start()
        took = publishers.run()
        assert len(publishers.done) == options.publishes
        if kill:
            killer.join()
            shutil.rmtree(running[0].folder)
        fresh = Replica(options.mpak, folder, "fresh", database, storage)
        running.append(fresh)
        check(fresh, publishers.done)
        times = sorted(publishers.times)
        return options.publishes / took, times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000, publishers.again
    finally:
        for replica in running:
            if replica.process.poll() is None:
                replica.stop()
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publishes", type=int, default=2000)
    parser.add_argument("--publishers", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mpak", type=Path, default=ROOT / "target/release/mpak")
    parser.add_argument("--storage", choices=["folder", "s3", "both"], default="folder")
    options = parser.parse_args()
    postgres = Postgres()
    storages = [kind() for word, kind in (("folder", Folder), ("s3", S3)) if options.storage in (word, "both")]
    try:
        kinds = [("one replica", 1, False), ("two replicas", 2, False), ("two, one killed in the middle", 2, True)]
        results = {(storage.name, kind): [] for kind, _, _ in kinds for storage in storages}
        for _ in range(options.rounds):
            for kind, replicas, kill in kinds:
                for storage in storages:
                    results[storage.name, kind].append(measure(options, postgres, storage, replicas, kill))
        print(f"| {options.publishes} publishes, {options.publishers} at a time | Per second | p50 | p99 | Tried again | Lost | Doubled |")
        print("|---|---|---|---|---|---|---|")
        rates = {}
        for (storage, kind), rows in results.items():
            rate, p50, p99, again = (statistics.median(column) for column in zip(*rows))
            rates[storage, kind] = rate
            ratio = f" ({rate / rates[Folder.name, kind]:.0%} of a shared folder)" if storage != Folder.name and len(storages) > 1 else ""
            print(f"| {kind}, {storage} | {rate:.0f}{ratio} | {p50:.0f} ms | {p99:.0f} ms | {again:.0f} | 0 | 0 |", flush=True)
    finally:
        for storage in storages:
            storage.close()
        postgres.close()


if __name__ == "__main__":
    main()
