"""configd's write: KILL before each of its system calls, and disks that refuse; the file is old or new, byte for byte."""

import os
import pathlib
import re
import subprocess
import sys

import rpc
from config_bench import OLD, Bench, new

TITLE = "configd under KILL at every system call of a write"
RUNS = 1
# Waiting for work and telling the loop are no part of a write.
NO_PART = ("futex", "restart_syscall")
# Each how many-th call of a write is one that KILL comes before.
STRIDE = 1
# What of a write can fail; closing, locks of SQLite's and memory are left out.
FALLIBLE = ("openat2", "openat", "fallocate", "write", "pwrite64", "fchown", "fchmod", "fsync", "fdatasync", "renameat")


# The threads that write: the ledger and the names, and what goes on beside.
WRITERS = ("store", "beside")


class Trap:
    """strace on a thread, or several, from now on, doing `what` to its system calls; or only listening."""

    def __init__(self, bench, what=None, threads=WRITERS):
        self.log = bench.root / f"strace-{'-'.join(threads)}"
        if self.log.exists():
            self.log.unlink()
        tasks = [bench.thread(name) for name in threads]
        inject = ["-e", f"inject={what}"] if what else []
        attached = [word for task in tasks for word in ("-p", str(task))]
        self.process = subprocess.Popen(
            ["strace", "-qq", *attached, "-o", str(self.log), *inject], stderr=subprocess.DEVNULL
        )
        for task in tasks:
            tracer = f"/proc/{bench.daemon.pid}/task/{task}/status"
            Bench.until(lambda: f"TracerPid:\t{self.process.pid}" in pathlib.Path(tracer).read_text())

    def close(self):
        """Ends it, and returns the calls that it saw."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            # It waits for a thread that will not stop. The kernel lets go of what a tracer that is killed has traced.
            self.process.kill()
            self.process.wait(10)
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if not line.startswith(("+++", "---"))]


def calls_of(prepare, act):
    """The system calls of one write, of each thread in their order: the thread, the call's name, and which of that name it is in
    this thread since the trap."""
    bench = Bench()
    try:
        bench.start()
        prepare(bench)
        bench.call("get", service="gateway")
        traps = {thread: Trap(bench, threads=[thread]) for thread in WRITERS}
        act(bench)
        calls = []
        for thread, trap in traps.items():
            counts = {}
            for line in trap.close():
                # A call without a name is one that strace met when it came or left.
                if (match := re.match(r"\w+", line)) is None:
                    continue
                name = match.group()
                counts[name] = counts.get(name, 0) + 1
                if name not in NO_PART:
                    calls.append((thread, name, counts[name]))
        return calls
    finally:
        bench.close()


def cases():
    return ["set", "rollback", "refusing calls", "refusing disks"]


def run(case, runs):
    for _ in range(runs):
        yield {"set": kill_set, "rollback": kill_rollback, "refusing calls": refuse_calls, "refusing disks": refuse_disks}[case]()


# ---- KILL


def kill_set():
    return kill_everywhere(
        before=OLD, after=new("4000"), prepare=lambda bench: None, act=lambda bench: bench.set("4000")
    )


def kill_rollback():
    return kill_everywhere(
        before=new("4000"),
        after=OLD,
        prepare=lambda bench: bench.set("4000"),
        act=lambda bench: bench.call("rollback", service="gateway", version=1),
    )


def kill_everywhere(before, after, prepare, act):
    """One configd after the other, each killed before the next system call of the same write."""
    places, outcomes, wrong = {}, {"old": 0, "new": 0}, []
    calls = calls_of(prepare, act)
    for number, (thread, name, which) in [*enumerate(calls, start=1)][::STRIDE]:
        bench = Bench()
        try:
            bench.start()
            prepare(bench)
            identity, version = bench.identity(), bench.call("get", service="gateway")["version"]["version"]
            trap = Trap(bench, f"{name}:signal=KILL:when={which}", [thread])
            try:
                act(bench)
                acknowledged = True
            except (rpc.Silent, OSError):
                acknowledged = False
            try:
                bench.daemon.wait(5)
            except subprocess.TimeoutExpired:
                wrong.append(f"before call {number} ({name} of {thread}): it was not killed")
                continue
            finally:
                trap.close()
            bench.daemon = None
            place = f"{thread}: {name}"
            places[place] = places.get(place, 0) + 1
            problems = check(bench, before, after, acknowledged, identity, version)
            outcomes["new" if bench.seen == after else "old"] += 1
            wrong += [f"before call {number} ({name} of {thread}): {problem}" for problem in problems]
        finally:
            bench.close()
    return {"kills": sum(places.values()), "calls": places, **outcomes, "wrong": wrong}


def check(bench, before, after, acknowledged, identity, version):
    """What is wrong after a kill, before and after configd is started again; `bench.seen` is what the file held."""
    problems = []
    bench.seen = bench.file.read_bytes()
    if bench.seen not in (before, after):
        problems.append(f"neither old nor new: {len(bench.seen)} bytes")
    if acknowledged and bench.seen != after:
        problems.append("acknowledged, and lost")
    if bench.identity() != identity:
        problems.append(f"owner and mode are {bench.identity()}, were {identity}")
    bench.start()
    if bench.file.read_bytes() != bench.seen:
        problems.append("the start changed the file")
    got = bench.call("get", service="gateway")["version"]
    expected = version + (1 if bench.seen == after else 0)
    if got["version"] != expected:
        problems.append(f"version {got['version']}, expected {expected}")
    history = [one["version"] for one in bench.call("history", service="gateway")["versions"]]
    if history != list(range(expected, 0, -1)):
        problems.append(f"history is {history}")
    if bench.strays():
        problems.append(f"left over: {bench.strays()}")
    bench.set("5000")
    if bench.file.read_bytes() != new("5000"):
        problems.append("the next change does not do what it says")
    bench.stop()
    return problems


# ---- Calls and disks that refuse


def refuse_calls():
    """Each call of a write that can fail fails once, with two errors: the answer is a refusal, the file old or new."""
    tries, refused, wrong, places = 0, 0, [], {}
    calls = [call for call in calls_of(lambda bench: None, lambda bench: bench.set("4000")) if call[1] in FALLIBLE]
    for error in ("ENOSPC", "EIO"):
        for thread, name, which in calls:
            bench = Bench()
            try:
                bench.start()
                identity = bench.identity()
                bench.call("get", service="gateway")
                trap = Trap(bench, f"{name}:error={error}:when={which}", [thread])
                answer = "taken"
                try:
                    bench.set("4000")
                except rpc.Refused as refusal:
                    answer = re.search(r"'error': '(\w+)'", str(refusal)).group(1)
                    refused += 1
                except rpc.Silent:
                    answer = "silence"
                hit = any("(INJECTED)" in call for call in trap.close())
                tries += 1
                place = f"{thread}: {name} {error}: {answer if hit else 'not met'}"
                places[place] = places.get(place, 0) + 1
                wrong += [f"{place} {which}: {problem}" for problem in check_refused(bench, answer, identity)]
            finally:
                bench.close()
    return {"tries": tries, "refused": refused, "calls": places, "wrong": wrong}


def check_refused(bench, answer, identity):
    problems = []
    seen = bench.file.read_bytes()
    if answer == "silence":
        problems.append("no answer")
    if seen != new("4000") and (answer == "taken" or seen != OLD):
        problems.append(f"the file is neither: {len(seen)} bytes")
    if seen != OLD and answer not in ("taken", "durabilityUnknown"):
        problems.append("refused, but the file is new")
    if bench.identity() != identity:
        problems.append(f"owner and mode are {bench.identity()}")
    Bench.until(lambda: bench.set("5000"))
    if bench.file.read_bytes() != new("5000") or bench.strays():
        problems.append(f"the next change does not do what it says, left over: {bench.strays()}")
    bench.stop()
    return problems


def refuse_disks():
    """Real ones: a full file system, a read-only one, a file that is mounted over, one behind a symbolic link."""
    expected = {"full": "noSpace", "read-only": "readOnly", "mounted over": "mountPoint", "symbolic link": "notPlainFile"}
    found, wrong = {}, []
    for disk, name in expected.items():
        bench = Bench()
        try:
            before = bench.file.read_bytes()
            bench.start("unshare", "-m", "sh", "-c", mounts(disk, bench) + '\nexec "$@"', "sh")
            try:
                bench.set("4000")
                found[disk] = "taken"
            except rpc.Refused as refusal:
                found[disk] = re.search(r"'error': '(\w+)'", str(refusal)).group(1)
            if found[disk] != name:
                wrong.append(f"{disk}: {found[disk]}, expected {name}")
            inside = pathlib.Path(f"/proc/{bench.daemon.pid}/root{bench.file}")
            if inside.read_bytes() != before:
                wrong.append(f"{disk}: the file changed")
            strays = [one for one in os.listdir(inside.parent) if one not in (".env", "filler", "real.env")]
            if strays:
                wrong.append(f"{disk}: left over: {strays}")
        finally:
            bench.close()
    return {"disks": found, "wrong": wrong}


def mounts(disk, bench):
    """What makes the disk so, in a mount namespace of configd's own."""
    folder, file = bench.file.parent, bench.file
    full = f"""
        cp -p {file} {bench.root}/copy; mount -t tmpfs -o size=64k none {folder}; cp -p {bench.root}/copy {file}
        head -c 1m /dev/zero > {folder}/filler 2> {bench.root}/full || true"""
    return "set -e\n" + {
        "full": full,
        "read-only": f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}",
        "mounted over": f"cp -p {file} {bench.root}/copy; mount --bind {bench.root}/copy {file}",
        "symbolic link": f"mv {file} {folder}/real.env; ln -s {folder}/real.env {file}",
    }[disk]


def report(results):
    failures = []
    for case, figures in results.items():
        failures += [f"{case}: {problem}" for one in figures for problem in one["wrong"]]
    for case in ("set", "rollback"):
        for one in results[case]:
            if not one["old"] or not one["new"]:
                failures.append(f"{case}: not both outcomes were seen: {one['old']} old, {one['new']} new")
    return {"table": [{"case": case, **one} for case, figures in results.items() for one in figures]}, failures


def main():
    """config_kill.py [CASE...]: on this host, without a machine; MAINSTAY_CONFIGD names the program."""
    failures = []
    for case in sys.argv[1:] or cases():
        for figures in run(case, 1):
            print(f"{case}: {figures}", flush=True)
            failures += figures["wrong"]
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
