"""64 clients set the same and different keys while configd is killed every 2 s: one linear history, nothing acknowledged lost."""

import ast
import collections
import pathlib
import random
import signal
import statistics
import tempfile
import threading
import time

import rpc
from config_bench import Bench, checksum

TITLE = "64 clients and a configd that is killed every 2 s"
RUNS = 1
MACHINE = False
PROGRAMS = ("configd",)

# As many as one user may have connections (Protocols/README.md).
CLIENTS = 64
SECONDS = 60
KILL_EVERY_S = 2
# The same for all clients, beside one of each one's own.
SHARED = 4
# No change takes longer, a restart included. That holds among clients that compare versions and among those that do not; of the
# first beside the second it is told and not judged, since a comparison is lost to every change that came first.
LONGEST_S = 10
BRIEF = {"SECONDS": 8}

RETRIED = ("versionConflict", "limitExceeded")


def cases():
    return ["half compare versions", "all compare versions"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    for number in range(runs):
        yield contend(str(pathlib.Path(host.build) / "configd"), number + 1, everyone=case.startswith("all"))


class Client:
    """Sets one key after the other until the time is up, each time to another value; some clients by compare-and-swap."""

    def __init__(self, bench, number, seed, comparesVersions):
        self.bench, self.number, self.random = bench, number, random.Random(f"{seed}/{number}")
        self.comparesVersions = comparesVersions
        # Value by version: what configd said was done. What it never answered may have been done or not.
        self.acknowledged, self.unanswered = {}, set()
        self.conflicts, self.silences, self.wrong, self.tookS = 0, 0, [], []
        self.connection = None

    def run(self, until):
        turn = 0
        while time.monotonic() < until:
            turn += 1
            key = f"SHARED_{self.random.randrange(SHARED)}" if self.random.random() < 0.5 else f"OWN_{self.number}"
            began = time.monotonic()
            # One that the end cut off has waited as well.
            self.change(key, f"{self.number}-{turn}")
            self.tookS.append(time.monotonic() - began)
        if self.connection:
            self.connection.__exit__()

    def change(self, key, value):
        """Tries until it is acknowledged, each time with another value: of one that was not answered nobody knows whether it was set."""
        tries, version = 0, None
        while time.monotonic() - self.bench.began < SECONDS:
            tries += 1
            asked = f"{key}={value}.{tries}"
            try:
                if self.comparesVersions and version is None:
                    version = self.call("get", keys=["PORT"])["version"]["version"]
                terms = {"ifVersion": version} if self.comparesVersions else {}
                self.unanswered.add(asked)
                done = self.call("set", values={key: f"{value}.{tries}"}, reason=asked, **terms)
                self.unanswered.discard(asked)
                self.acknowledged[done["version"]] = asked
                return True
            except rpc.Refused as refusal:
                self.unanswered.discard(asked)
                error = ast.literal_eval(str(refusal)[str(refusal).index("{"):])["data"]
                name = error["error"]
                self.conflicts += 1
                if name == "versionConflict":
                    version = error["found"]
                elif name not in RETRIED:
                    self.wrong.append(str(refusal)[:300])
                    return False
            except rpc.Silent:
                self.silences += 1
                time.sleep(0.02)
        return False  # the time was up

    def call(self, method, **more):
        try:
            if self.connection is None:
                self.connection = rpc.Connection("configd", 10, str(self.bench.root / "sockets"))
            return self.connection.call(method, service="gateway", **more)
        except rpc.Silent:
            if self.connection:
                self.connection.__exit__()
            self.connection = None
            raise


def contend(configd, seed, everyone):
    root = tempfile.mkdtemp(prefix="mainstay-contention-", dir="/var/tmp")
    bench = Bench(root, configd, mainstay="configd:\n  versionsKept: 1000000\n")
    try:
        bench.start()
        bench.began = time.monotonic()
        clients = [Client(bench, number, seed, everyone or number % 2 == 0) for number in range(CLIENTS)]
        threads = [threading.Thread(target=client.run, args=(bench.began + SECONDS,)) for client in clients]
        for thread in threads:
            thread.start()
        kills = 0
        while time.monotonic() < bench.began + SECONDS:
            time.sleep(KILL_EVERY_S)
            bench.stop(signal.SIGKILL)
            kills += 1
            bench.start()
        for thread in threads:
            thread.join()
        wrong = [problem for client in clients for problem in client.wrong]
        figures, found = settle(bench, clients)
        for client in clients:
            if (everyone or not client.comparesVersions) and max(client.tookS) > LONGEST_S:
                wrong.append(f"client {client.number}: a change took {max(client.tookS):.1f} s, at most {LONGEST_S}")
        return {
            "kills": kills, **figures, "acknowledged": sum(len(client.acknowledged) for client in clients),
            "conflicts": sum(client.conflicts for client in clients),
            "unanswered": sum(len(client.unanswered) for client in clients),
            "comparing": waits([client for client in clients if client.comparesVersions]),
            "notComparing": waits([client for client in clients if not client.comparesVersions]),
            "wrong": (wrong + found)[:20],
        }
    finally:
        bench.close()


def waits(clients):
    """How long these clients' changes took, and how many they were."""
    if not clients:
        return {}
    took = [second for client in clients for second in client.tookS]
    counts = [len(client.acknowledged) for client in clients]
    return {"clients": len(clients), "fewest": min(counts), "most": max(counts),
            "medianMs": round(statistics.median(took) * 1000, 1), "worstS": round(max(took), 2)}


def settle(bench, clients):
    """Starts it once more and holds the history against what each client was told."""
    wrong = []
    bench.stop(signal.SIGKILL)
    bench.start()
    history = {one["version"]: one for one in bench.history()}
    newest = max(history)
    if sorted(history) != list(range(1, newest + 1)):
        wrong.append(f"the history has {len(history)} versions, the newest is {newest}")
    acknowledged = collections.Counter()
    for client in clients:
        for version, asked in client.acknowledged.items():
            acknowledged[version] += 1
            found = history.get(version)
            if found is None or found["reason"] != asked:
                wrong.append(f"version {version} is {found and found['reason']!r}, client {client.number} was told {asked!r}")
    twice = [version for version, count in acknowledged.items() if count > 1]
    if twice:
        wrong.append(f"two clients were told of one version: {twice[:5]}")
    known = {asked for client in clients for asked in [*client.acknowledged.values(), *client.unanswered]}
    strange = [one["version"] for one in history.values() if one["version"] > 1 and one["reason"] not in known]
    if strange:
        wrong.append(f"{len(strange)} versions that nobody asked for: {strange[:5]}")
    reasons = collections.Counter(one["reason"] for one in history.values())
    done_twice = [reason for reason, count in reasons.items() if count > 1]
    if done_twice:
        wrong.append(f"done twice: {done_twice[:5]}")
    wrong += replayed(bench, history)
    # A lock that somebody's death left would refuse or hold up this one.
    began = time.monotonic()
    bench.set("5999")
    after_s = time.monotonic() - began
    if after_s > 1:
        wrong.append(f"the next change took {after_s:.1f} s")
    if bench.strays():
        wrong.append(f"left over: {bench.strays()}")
    return {"versions": newest}, wrong


def replayed(bench, history):
    """The file must hold what the changes in the order of the history make of it, key by key, and be its newest version."""
    wrong, expected = [], {}
    for version in sorted(history):
        key, _, value = history[version]["reason"].partition("=")
        if value:
            expected[key] = value
    content = bench.file.read_bytes()
    lines = dict(line.split("=", 1) for line in content.decode().splitlines() if line.startswith(("SHARED_", "OWN_")))
    if lines != expected:
        differing = [key for key in {*lines, *expected} if lines.get(key) != expected.get(key)]
        wrong.append(f"the file is not what the history makes of it: {differing[:5]}")
    if checksum(content) != history[max(history)]["checksum"]:
        wrong.append("the file is not its newest version")
    return wrong


def report(results):
    failures = []
    for case, figures in results.items():
        for one in figures:
            failures += [f"{case}: {problem}" for problem in one["wrong"]]
            if not one["conflicts"] or not one["unanswered"]:
                failures.append(f"{case}: no conflict or no cut-off change was met")
    return {"table": [{"case": case, **one} for case, figures in results.items() for one in figures]}, failures
