"""What a durable change costs beside the least that a durable write costs, alone and with 64 writers, at 100 and at 100,000 versions."""

import contextlib
import itertools
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from config_bench import Bench

TITLE = "a durable change beside temp, fsync, rename, fsync in C"
RUNS = 8
MACHINE = False
PEERS = ("metricsd", "healthd", "watchdogd")
PROGRAMS = ("configd", *PEERS)

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "Scripts/lib/bench"
# The file: 64 keys, filled up to the size of the floor's.
BYTES = 4096
KEYS = 64
FILE = "".join(f"K{number}={0:020}\n" for number in range(KEYS)).encode()
FILE += b"# " + b"x" * (BYTES - len(FILE) - 3) + b"\n"
ALONE = 200
# Each of 64 writers makes so many changes of its own key.
EACH = 20
FEW, MANY = 100, 100_000
ASKED = 60
BRIEF = {"ALONE": 60, "EACH": 5, "MANY": 2_000, "ASKED": 20}

# The most and the least that the issue allows.
AT_MOST = {"to the floor": 2.0, "at many versions": 1.5, "PSS MiB": 12.0}
AT_LEAST_GROUPED = 4.0


# A disk in a file on the host's: ext4 as mkfs makes it, since the host's own may be without a journal, as build machines are.
DISK_MIB = 1024


def cases():
    return ["one at a time", "one at a time, ext4 with a journal", "64 writers", "many versions"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    # On a disk, not in memory: /tmp may be either.
    folder = tempfile.mkdtemp(prefix="mainstay-config-speed-", dir="/var/tmp")
    # The peers have one uid here, and would be among the 64 writers' connections.
    settings = f"connections:\n  maximumPerUser: {KEYS + 16}\n"
    if case == "many versions":
        settings += f"configd:\n  versionsKept: {MANY + FEW}\n"
    measured = {"64 writers": together, "many versions": versions}.get(case, alone)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        for name in ("setter", "floor"):
            subprocess.run(["gcc", "-O2", "-o", f"{folder}/{name}", f"{SOURCES}/{name}.c"], check=True)
        if "journal" in case:
            place = stack.enter_context(journaled(folder))
        else:
            place = folder
        bench = Bench(f"{place}/configd", str(pathlib.Path(host.build) / "configd"), mainstay=settings, old=FILE)
        stack.callback(bench.stop)
        bench.start()
        stack.enter_context(peers(bench, host.build))
        yield from measured(bench, folder, runs)


@contextlib.contextmanager
def journaled(folder):
    place = f"{folder}/disk"
    pathlib.Path(place).mkdir()
    subprocess.run(["truncate", "--size", f"{DISK_MIB}M", f"{folder}/image"], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", f"{folder}/image"], check=True)
    subprocess.run(["mount", "-o", "loop", f"{folder}/image", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def peers(bench, build):
    """configd's memory is counted beside its peers, with whom it shares libraries."""
    folders = [f"--{name}={bench.root / name}" for name in ("settings", "sockets", "state")]
    running = []
    try:
        for name in PEERS:
            words = [str(pathlib.Path(build) / name), "--foreground", *folders]
            running.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        sockets = [bench.root / f"sockets/{name}.sock" for name in PEERS]
        Bench.until(lambda: all(socket.exists() for socket in sockets))
        yield
        for name, process in zip(PEERS, running):
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended by itself, with {process.returncode}")
    finally:
        for process in running:
            process.kill()
            process.wait()


def setter(bench, folder, writers, count):
    words = [f"{folder}/setter", str(bench.root / "sockets/configd.sock"), str(writers), str(count)]
    figures = json.loads(subprocess.check_output(words))
    if figures["refused"]:
        raise RuntimeError(f"{figures['refused']} changes were refused")
    return figures


def floor_ns(bench, folder):
    words = [f"{folder}/floor", str(bench.root / "service/floor"), str(len(FILE)), str(ALONE)]
    return int(subprocess.check_output(words))


def pss_mib(bench):
    for line in pathlib.Path(f"/proc/{bench.daemon.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 2)
    raise RuntimeError("no Pss")


def alone(bench, folder, runs):
    """Turn about, so that both see the same disk."""
    setter(bench, folder, 1, ALONE)
    for _ in range(runs):
        floor, change = floor_ns(bench, folder), setter(bench, folder, 1, ALONE)
        yield {"floorUs": round(floor / 1000), "setUs": round(change["medianNs"] / 1000),
               "ratio": round(change["medianNs"] / floor, 2), "pssMiB": pss_mib(bench)}


def together(bench, folder, runs):
    setter(bench, folder, KEYS, EACH)
    for _ in range(runs):
        serial, grouped = setter(bench, folder, 1, ALONE), setter(bench, folder, KEYS, EACH)
        yield {"serialPerS": round(serial["perSecond"]), "groupedPerS": round(grouped["perSecond"]),
               "ratio": round(grouped["perSecond"] / serial["perSecond"], 2), "pssMiB": pss_mib(bench)}


def versions(bench, folder, runs):
    """The same questions where there are few versions and where there are many."""
    measured = []
    for count in (FEW, MANY):
        while (newest := bench.call("history", service="gateway", limit=1)["versions"][0]["version"]) < count:
            setter(bench, folder, KEYS, max(1, min(200, (count - newest) // KEYS)))
        measured.append([ask(bench) for _ in range(runs)])
        memory = pss_mib(bench)
    for few, many in zip(*measured):
        yield {**{f"{name}Us": [few[name], many[name]] for name in few}, "pssMiB": memory}


def ask(bench):
    """The median time of each question, in microseconds. A rollback goes to one of two versions that are long past, turn about, so
    that each changes the file."""
    newest = bench.call("history", service="gateway", limit=1)["versions"][0]["version"]
    # An odd way back first: the rollbacks of the run before left the same two contents in turn.
    long_past = itertools.cycle((newest - FEW // 2 - 1, newest - FEW // 2))
    questions = {
        "history": lambda: bench.call("history", service="gateway", limit=50),
        "diff": lambda: bench.call("diff", service="gateway", **{"from": newest - FEW // 2, "to": newest}),
        "rollback": lambda: bench.call("rollback", service="gateway", version=next(long_past)),
    }
    figures = {}
    for name, question in questions.items():
        times = []
        for _ in range(ASKED):
            began = time.perf_counter_ns()
            answer = question()
            times.append(time.perf_counter_ns() - began)
            if name == "rollback" and not answer["keys"]:
                raise RuntimeError("a rollback changed nothing")
        figures[name] = round(statistics.median(times) / 1000)
    return figures


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        figures[case] = {"pssMiB": max(one["pssMiB"] for one in runs)}
        for name in runs[0]:
            values = [one[name] for one in runs]
            if name == "pssMiB":
                continue
            if isinstance(values[0], list):
                few, many = (statistics.median(column) for column in zip(*values))
                ratio = round(statistics.median(pair[1] / pair[0] for pair in values), 2)
                figures[case][name] = {"few": few, "many": many, "ratio": ratio}
                if ratio > AT_MOST["at many versions"]:
                    problems.append(f"{name} takes {ratio} times as long at {MANY} versions")
            else:
                figures[case][name] = statistics.median(values)
        if figures[case]["pssMiB"] > AT_MOST["PSS MiB"]:
            problems.append(f"{case}: PSS {figures[case]['pssMiB']} MiB")
    for case in cases()[:2]:
        if (ratio := figures.get(case, {}).get("ratio", 0)) > AT_MOST["to the floor"]:
            problems.append(f"{case}: a change takes {ratio} times the floor, at most {AT_MOST['to the floor']}")
    if (ratio := figures.get("64 writers", {}).get("ratio", AT_LEAST_GROUPED)) < AT_LEAST_GROUPED:
        problems.append(f"64 writers make {ratio} times as many changes as one, at least {AT_LEAST_GROUPED}")
    return figures, problems
