"""Power cuts: the system calls of changes, replayed to every prefix with what was not synced kept, lost and torn."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import disk_model
import syscalls
from config_bench import OLD, Bench, new
from config_check import Story, check, check_trial

TITLE = "configd after a power cut at every system call"
RUNS = 1
MACHINE = False
PROGRAMS = ("configd",)

# So many ways of a torn cut at each prefix; of each kind that a journal would leave, and that no order explains.
TORN = 6
# Each how many-th prefix is cut; every one in a whole run.
STRIDE = 1
# So many changes of a large file follow each other until the ledger's log is written back into the database.
CHANGES = 24
# The same where the cut is the second one, of which each first one has its own.
TORN_AGAIN = 2
# Each how many-th of a change's syncs and renames is where a crash leaves what a start is then cut on.
START_STRIDE = 1
BRIEF = {"TORN": 1, "STRIDE": 6, "START_STRIDE": 4, "TORN_AGAIN": 1}

PROJECT = pathlib.Path(__file__).resolve().parents[2]
WRITERS = {
    "naive": "truncates the file and writes it, without a sync",
    "rename": "writes beside and renames, without a sync",
    "folder": "writes beside, syncs that, renames, and does not sync the folder",
    "whole": "writes beside, syncs, renames, syncs the folder",
}
FILES = ("service/.env", "service/worker.env", "other/.env")
# Larger than a page, so that a tear shows.
COMMENT = b"# a comment that nobody reads, as there are many\r\n"
FILE = OLD + COMMENT * 200


def has_method(name):
    return any(one["name"] == name for one in
               json.loads((PROJECT / "Protocols/configd.openrpc.json").read_text())["methods"])


def cases():
    there = ["first start", "set", "rollback", "checkpoint", "start after a cut in set"]
    if has_method("apply"):
        there += ["transaction", "start after a cut in transaction"]
    if has_method("confirm"):
        there += ["confirm", "taken back"]
    return [*there, "canary"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), "gcc", "libc6-dev"], check=True)
    configd = str(pathlib.Path(host.build) / "configd")
    run = {
        "first start": first_start, "set": change, "rollback": rollback, "checkpoint": checkpoint,
        "start after a cut in set": start_after_set, "transaction": transaction,
        "start after a cut in transaction": start_after_transaction, "confirm": confirm, "taken back": taken_back,
        "canary": canary,
    }[case]
    for _ in range(runs):
        began = time.monotonic()
        yield {**run(configd), "seconds": round(time.monotonic() - began)}


# ---- The sequences


def bench_for(configd, old=FILE, **options):
    """In memory: the model says what is durable, so that the disk need not."""
    root = tempfile.mkdtemp(prefix="mainstay-powercuts-", dir="/dev/shm")
    bench = Bench(root, configd, old=old, **options)
    bench.preload = str(bench.root / "same_files.so")
    source = str(PROJECT / "Tests/Fixtures/same_files.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", bench.preload, source], check=True)
    return bench


class Recording:
    """`with Recording(bench) as recording:` runs configd on the bench under strace; `call` notes what was acknowledged."""

    def __init__(self, bench):
        self.bench, self.log = bench, bench.root / "strace"
        self.disk = disk_model.Disk(bench.root, folders_of(bench), bench.known)
        self.began, self.generations = None, {}

    def __enter__(self):
        self.bench.start(*syscalls.strace(self.log))
        return self

    def act(self):
        """What is cut comes from now on."""
        self.bench.call("status")
        self.began = self.bench.calls

    def acknowledged(self, generation):
        self.generations[self.bench.calls] = generation

    def __exit__(self, *_):
        self.bench.stop(signal.SIGKILL)
        self.calls = syscalls.read(self.log)

    def prefixes(self):
        """Each call that counts with the number of acknowledged generations before it, and whether it is of the act; before
        the first of them nothing was done."""
        acknowledged, acts = None, self.began is None
        yield None, acknowledged, acts
        for call in self.calls:
            changed = self.disk.do(call)
            if call.isToSocket:
                for number in list(self.generations):
                    if b'"id":%d,' % number in call.data:
                        acknowledged = self.generations.pop(number)
                        changed = True
                acts = acts or b'"id":%d,' % (self.began or 0) in call.data
            if changed:
                yield call, acknowledged, acts


def first_start(configd):
    """The ledger is made, and the file becomes version 1."""
    bench = bench_for(configd)
    with Recording(bench) as recording:
        pass
    told = story(bench, FILE)
    return cut_everywhere(recording, "first start", told, as_told(bench, told))


def change(configd):
    bench = bench_for(configd)
    with Recording(bench) as recording:
        recording.act()
        bench.set("4000")
        recording.acknowledged(1)
    told = story(bench, FILE, new("4000", FILE), origins=["set"])
    return cut_everywhere(recording, "set", told, as_told(bench, told))


def rollback(configd):
    bench = bench_for(configd)
    with Recording(bench) as recording:
        bench.set("4000")
        recording.act()
        bench.call("rollback", service="gateway", version=1)
        recording.acknowledged(1)
    told = story(bench, new("4000", FILE), FILE, origins=["rollback"])
    told.first = 2
    return cut_everywhere(recording, "rollback", told, as_told(bench, told))


def checkpoint(configd):
    """So many changes that SQLite writes its log back: cut around that, since each change before is the same again."""
    large = FILE + COMMENT * 4_000
    bench = bench_for(configd, large)
    values = [str(4000 + number) for number in range(CHANGES)]
    with Recording(bench) as recording:
        recording.act()
        for generation, value in enumerate(values, start=1):
            bench.set(value)
            recording.acknowledged(generation)
    told = story(bench, large, *(new(value, large) for value in values), origins=["set"])
    near = Writeback(bench.root / "state/versions.db")
    return cut_everywhere(recording, "checkpoint", told, as_told(bench, told), near)


class Writeback:
    """Tells the calls around a write-back of the ledger's log: each sync of the database, some of the many writes, and the
    first calls after it, which begin the log anew."""

    # Each how many-th page's write counts, and so many calls after the last.
    EACH, AFTER = 12, 25

    def __init__(self, database):
        self.database, self.writes, self.after = str(database).encode(), 0, 0

    def __call__(self, call):
        if call is None or not call.arguments:
            return False
        if path_of(call) != self.database:
            self.after -= 1
            return self.after >= 0
        self.after, self.writes = self.AFTER, self.writes + 1
        return call.name != "pwrite64" or self.writes % self.EACH == 0


def transaction(configd):
    bench, recording, told = recorded_transaction(configd)
    return cut_everywhere(recording, "transaction", told, as_told(bench, told))


def recorded_transaction(configd):
    """Three files in two folders."""
    bench = bench_for(configd, names=FILES)
    with Recording(bench) as recording:
        recording.act()
        bench.apply("4000")
        recording.acknowledged(1)
    return bench, recording, story(bench, FILE, new("4000", FILE), origins=["set"])


def confirm(configd):
    """A change on trial, from its being asked for to its confirmation."""
    bench, recording, told = recorded_trial(configd, isConfirmed=True)
    return cut_everywhere(recording, "confirm", told, lambda said: check_trial(bench, told, said))


def taken_back(configd):
    """A change on trial that another boot takes back, and that one cut again."""
    bench, recording, told = recorded_trial(configd, isConfirmed=False)
    for _ in recording.prefixes():
        pass
    materialise(bench, recording.disk.after(disk_model.Kept()))
    again = Recording(bench)
    with again:
        pass
    return cut_everywhere(again, "taken back", told, lambda _: check_trial(bench, told, "applied", isGoingBack=True))


def recorded_trial(configd, isConfirmed):
    bench = bench_for(configd)
    bench.boots = 0
    with Recording(bench) as recording:
        recording.act()
        bench.set("4000", confirmMs=60_000)
        recording.acknowledged("applied")
        change = {"service": "gateway", "id": bench.pending()["id"]}
        bench.call("activated", **change, invocation="a process")
        recording.acknowledged("activated")
        if isConfirmed:
            bench.call("confirm", **change)
            recording.acknowledged("confirmed")
    return bench, recording, story(bench, FILE, new("4000", FILE), origins=["set", "rollback"])


def start_after_set(configd):
    bench = bench_for(configd)
    with Recording(bench) as recording:
        recording.act()
        bench.set("4000")
        recording.acknowledged(1)
    return start_after_cut(bench, recording, story(bench, FILE, new("4000", FILE), origins=["set"]))


def start_after_transaction(configd):
    return start_after_cut(*recorded_transaction(configd))


def start_after_cut(bench, recording, told):
    """The states that a crash before each sync and rename leaves, and the start on each of them cut again."""
    results, number = [], 0
    for call, acknowledged, acts in recording.prefixes():
        if not acts or call is None or call.name not in ("fdatasync", "fsync", "renameat", "renameat2"):
            continue
        number += 1
        if number % START_STRIDE:
            continue
        materialise(bench, recording.disk.after(disk_model.Kept()))
        again = Recording(bench)
        with again:
            pass
        # A start may end what was begun, or undo it; which, is seen when it was left alone.
        found = [file.read_bytes() for file in bench.files]
        generation = next(place for place, one in enumerate(told.generations) if list(one.values()) == found)
        only = Story(told.generations[:generation + 1], told.origins)
        seed = f"start after {call.name}, the {number}th"
        results.append(cut_everywhere(again, seed, told, as_told(bench, only, generation, told), again=True))
    bench.close()
    return added(results)


def story(bench, *contents, origins=()):
    """All files have the same content."""
    return Story([{str(file): content for file in bench.files} for content in contents], list(origins))


def added(results):
    total = {}
    for one in results:
        for key, value in one.items():
            total[key] = total.get(key, type(value)()) + value
    return total


# ---- Cutting


def folders_of(bench):
    return ("state", *(folder.name for folder in bench.folders))


def cut_everywhere(recording, seed, told, checked, is_wanted=lambda call: True, again=False):
    """Cuts the power after each call in each way, starts configd on what is left, and has it `checked`, which is told what was
    acknowledged. `told` is the story, whose first generation counts as old. The bench is closed unless it is cut `again`."""
    bench, seen, wanted, torn = recording.bench, set(), 0, TORN_AGAIN if again else TORN
    counts = {"prefixes": 0, "cuts": 0, "states": 0, "old": 0, "new": 0, "wrong": []}
    for number, (call, acknowledged, acts) in enumerate(recording.prefixes()):
        if not (acts and is_wanted(call)):
            continue
        wanted += 1
        if wanted % STRIDE and not (call and call.isToSocket):
            continue
        counts["prefixes"] += 1
        for cut in [disk_model.Kept(), disk_model.Lost(), *(disk_model.Torn(seed, number, one) for one in range(torn))]:
            counts["cuts"] += 1
            tree = recording.disk.after(cut)
            key = digest_of(tree, acknowledged)
            if key in seen:
                continue
            seen.add(key)
            materialise(bench, tree)
            counts["states"] += 1
            is_old = bench.file.exists() and bench.file.read_bytes() == told.generations[0][str(bench.file)]
            counts["old" if is_old else "new"] += 1
            place = f"{seed}, after call {number} ({call.name if call else 'none'}), {cut.name}"
            counts["wrong"] += [f"{place}: {problem}" for problem in checked(acknowledged)]
        if len(counts["wrong"]) > 20:
            break
    if not again:
        bench.close()
    return counts


def as_told(bench, told, least=0, before=None):
    """A check by a story: what was acknowledged, or at least `least`, or the next. What a cut leaves of several files may be of
    all the generations of `before`."""

    def checked(acknowledged):
        floor = max(acknowledged or 0, least)
        return check(bench, told, floor, min(floor + 1, len(told.generations) - 1), before)

    return checked


def digest_of(tree, *expected):
    digest = hashlib.sha256(repr(expected).encode())
    for path, (kind, data, rights, _) in sorted(tree.items()):
        digest.update(repr((path, kind, len(data), sorted(rights.items()))).encode())
        digest.update(data)
    return digest.digest()


def materialise(bench, tree):
    """Makes the bench's folders what a cut left."""
    for name in folders_of(bench):
        shutil.rmtree(bench.root / name, ignore_errors=True)
    bench.known = {}
    for path, (kind, data, rights, identity) in tree.items():
        path = bench.root / path
        if kind == "folder":
            path.mkdir()
        else:
            path.write_bytes(data)
        os.chown(path, rights["uid"], rights["gid"])
        os.chmod(path, rights["mode"])
        for name, value in rights["attributes"].items():
            os.setxattr(path, name, value)
        if identity is not None:
            bench.known[path.stat().st_ino] = identity


def path_of(call):
    """The path that strace showed beside a descriptor."""
    word = call.arguments[0]
    return bytes.fromhex(word[word.index("<") + 1:word.rindex(">")].replace("\\x", "")) if "<\\x" in word else b""


# ---- The canary: writers that are known to be wrong, under the same replayer


def canary(_):
    """Four small writers: the replayer must find fault with three of them, and none with the last."""
    found, wrong = {}, []
    for writer in WRITERS:
        root = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-powercuts-", dir="/dev/shm"))
        (root / "service").mkdir()
        file, log = root / "service/.env", root / "strace"
        file.write_bytes(FILE)
        disk = disk_model.Disk(root, ("service",))
        words = [*syscalls.strace(log), sys.executable, "-B", str(PROJECT / "Tests/SystemTests/naive_writer.py"), writer,
                 str(file)]
        subprocess.run(words, check=True, input=new("4000", FILE))
        faults = 0
        for number, call in enumerate(syscalls.read(log)):
            if not disk.do(call) and not is_farewell(call):
                continue
            floor = 1 if is_farewell(call) else 0
            for cut in [disk_model.Kept(), disk_model.Lost(), *(disk_model.Torn(writer, number, one) for one in range(8))]:
                content = disk.after(cut).get("service/.env", (None, None))[1]
                faults += content not in ((FILE, new("4000", FILE))[floor:])
        found[writer] = faults
        if (faults == 0) != (writer == "whole"):
            wrong.append(f"the replayer finds {faults} faults with a writer that {WRITERS[writer]}")
        shutil.rmtree(root)
    return {"faults": found, "wrong": wrong}


def is_farewell(call):
    """The writer's word that it is done."""
    return call.name == "write" and call.descriptor() == 1


def report(results):
    failures, table = [], []
    for case, figures in results.items():
        for one in figures:
            failures += [f"{case}: {problem}" for problem in one["wrong"][:20]]
            table.append({"case": case, **one, "wrong": one["wrong"][:20]})
            if "prefixes" in one and case in ("set", "rollback", "transaction", "confirm") and not (one["old"] and one["new"]):
                failures.append(f"{case}: not both outcomes were seen")
    states = sum(one.get("states", 0) for one in table)
    return {"states": states, "table": table}, failures
