"""A service's user swaps links, folders and pipes under configd while it writes: nothing outside the declared file is touched."""

import ast
import base64
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import rpc
from config_bench import OLD, Bench, new
from power_cuts import PROJECT

TITLE = "configd in a folder whose owner swaps things under it"
RUNS = 1
MACHINE = False
PROGRAMS = ("configd",)

SWAPS = 10_000

# A user without a name; nobody else has it.
USER = 61_234
CANARY = b"canary-5d1fb0c7a6e9"
# What a change may be refused with here. Anything else is a fault.
REFUSALS = ("notPlainFile", "fileMissing", "ownerChanged", "shrinkRefused", "notPermitted",
            "beingWritten", "keepsChanging")
# What is looked at of what lies outside.
WHAT = ("content", "inode", "uid", "gid", "mode", "mtime")
# Each reply of these is looked through for the canary.
READINGS = (("get", {}), ("state", {}), ("validate", {"values": {"PORT": "1"}}), ("show", {"version": 1}))


def cases():
    return ["swaps", "canary"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), "gcc", "libc6-dev"], check=True)
    for number in range(runs):
        yield (attack if case == "swaps" else canary)(str(pathlib.Path(host.build) / "configd"), seed=number + 1)


class Scene:
    """HOME belongs to the service's user, with all that lies in it; OUTSIDE belongs to root, and only root may read it."""

    def __init__(self, configd):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-swaps-", dir="/var/tmp"))
        self.root.chmod(0o755)
        self.home, self.outside = self.root / "home", self.root / "outside"
        self.bench = Bench(self.root / "bench", configd, mainstay="configd:\n  versionsKept: 100000\n")
        shutil.rmtree(self.bench.root / "service")
        self.declared = self.home / "app/.env"
        settings = self.bench.root / "settings/services/gateway.yaml"
        settings.write_text(settings.read_text().replace(str(self.bench.file), str(self.declared)))
        self.bench.files, self.bench.file, self.bench.folders = [self.declared], self.declared, [self.declared.parent]
        (self.outside / "folder").mkdir(parents=True)
        for name in (".env", "folder/.env", "hard"):
            self.secret(self.outside / name)
        self.furnish()

    def secret(self, path):
        path.write_bytes(OLD.replace(b"production", CANARY))
        path.chmod(0o600)
        os.utime(path, ns=(10**18, 10**18))

    def furnish(self):
        for folder in ("app", "stage/folder", "stage/other"):
            (self.home / folder).mkdir(parents=True)
        for file in ("app/.env", "stage/file", "stage/other/.env"):
            (self.home / file).write_bytes(OLD)
        os.mkfifo(self.home / "stage/pipe")
        (self.home / "stage/link").symlink_to(self.outside / ".env")
        (self.home / "stage/dangling").symlink_to(self.outside / "new")
        (self.home / "stage/outside").symlink_to(self.outside / "folder")
        for path in [self.home, *self.home.rglob("*")]:
            os.chown(path, USER, USER, follow_symlinks=False)
        self.link()

    def link(self):
        """A hard link of a secret, which the user may not make where `fs.protected_hardlinks` is set: here he has one anyway."""
        try:
            os.link(self.outside / "hard", self.home / "stage/hard")
        except FileExistsError:
            pass

    def swapper(self, swaps, seed):
        program = str(self.root / "swapper")
        subprocess.run(["gcc", "-O2", "-o", program, str(PROJECT / "Tests/Fixtures/swapper.c")], check=True)
        words = [program, str(self.home), str(self.outside), str(swaps), str(seed)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, user=USER, group=USER, extra_groups=[])

    def untouched(self):
        """Everything about what lies outside that a write, or a change of owner, would change."""
        found = {}
        for path in sorted([self.outside, *self.outside.rglob("*")]):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (content, status.st_ino, status.st_uid, status.st_gid, oct(status.st_mode), status.st_mtime_ns)
        return found


def attack(configd, seed):
    scene = Scene(configd)
    bench, wrong = scene.bench, []
    try:
        bench.start()
        before, pid = scene.untouched(), bench.daemon.pid
        began = time.monotonic()
        swapper = scene.swapper(SWAPS, seed)
        ended, writers = threading.Event(), [Writer(scene, number) for number in range(3)]
        for writer in writers:
            writer.start(ended)
        swaps, _ = swapper.communicate()
        seconds = time.monotonic() - began
        ended.set()
        for writer in writers:
            writer.thread.join()
        outcomes = sum((writer.outcomes for writer in writers), collections.Counter())
        wrong += [problem for writer in writers for problem in writer.wrong]
        if swapper.returncode != 0:
            wrong.append(f"the swapper ended with {swapper.returncode}")
        wrong += aftermath(scene, before, pid)
        swaps = json.loads(swaps or "{}")
        return {"swaps": sum(swaps.values()), "kinds": swaps, "sets": outcomes.pop("taken", 0), "refused": dict(outcomes),
                "seconds": round(seconds), "wrong": wrong[:20]}
    finally:
        bench.stop(signal.SIGKILL)
        shutil.rmtree(scene.root)


def canary(configd, seed):
    """A writer that trusts the path, as root, under the same swaps: it must be seen to read a secret, and to write to one."""
    scene = Scene(configd)
    try:
        before, has_read = scene.untouched(), False
        swapper = scene.swapper(500, seed)
        while swapper.poll() is None:
            scene.link()
            try:
                file = os.open(scene.declared, os.O_RDWR | os.O_NONBLOCK)
                content = os.pread(file, 1 << 20, 0)
                has_read = has_read or holds_canary(content)
                os.pwrite(file, content, 0)
                os.close(file)
            except OSError:
                continue
        has_written = scene.untouched() != before
        faults = [name for name, seen in (("read", has_read), ("written", has_written)) if not seen]
        return {"wrong": [f"the naive writer was not seen to have {fault} what lies outside" for fault in faults]}
    finally:
        shutil.rmtree(scene.root)


class Writer:
    """Sets and reads on, and notes each answer."""

    def __init__(self, scene, number):
        self.scene, self.number = scene, number
        self.outcomes, self.wrong = collections.Counter(), []

    def start(self, ended):
        self.thread = threading.Thread(target=self.run, args=(ended,))
        self.thread.start()

    def run(self, ended):
        turn = 0
        with rpc.Connection("configd", 10, str(self.scene.bench.root / "sockets")) as connection:
            while not ended.is_set():
                turn += 1
                self.scene.link()
                self.ask(connection, "set", values={"PORT": str(4000 + turn % 5000)}, force=turn % 7 == 0)
                if turn % 50 == 0:
                    self.ask(connection, "rollback")
                method, more = READINGS[turn % len(READINGS)]
                self.ask(connection, method, **more)

    def ask(self, connection, method, **more):
        try:
            answer = repr(connection.call(method, service="gateway", **more))
            if method == "set":
                self.outcomes["taken"] += 1
        except rpc.Refused as refusal:
            answer = str(refusal)
            error = ast.literal_eval(answer[answer.index("{"):])["data"]["error"]
            if method == "set":
                self.outcomes[error] += 1
            if error not in REFUSALS:
                self.wrong.append(f"{method}: {answer[:300]}")
        except rpc.Silent as silence:
            self.wrong.append(f"{method}: {silence}")
            return
        if holds_canary(answer.encode()):
            self.wrong.append(f"{method}: the answer holds the secret: {answer[:200]}")


def holds_canary(data):
    """As it is, or in base64 at any of the three places where it may begin there."""
    encoded = [base64.b64encode(b"\0" * shift + CANARY)[4:-4] for shift in range(3)]
    return CANARY in data or any(one in data for one in encoded)


def aftermath(scene, before, pid):
    """What is wrong once the swapper has ended."""
    bench, wrong = scene.bench, []
    after = scene.untouched()
    for path in {*before, *after}:
        if before.get(path) != after.get(path):
            pairs = zip(WHAT, before.get(path, ()), after.get(path, ()))
            changed = [what for what, one, other in pairs if one != other] or ["made or taken away"]
            wrong.append(f"outside: {path}: {', '.join(changed)}")
    if bench.daemon.poll() is not None or bench.daemon.pid != pid:
        return [*wrong, f"configd ended with {bench.daemon.poll()}"]
    bench.call("set", service="gateway", values={"PORT": "5999"}, force=True)
    if b"PORT=5999" not in scene.declared.read_bytes():
        wrong.append("left alone, the next change does not do what it says")
    head, versions = bench.call("get", service="gateway")["version"], bench.history()
    numbers = [one["version"] for one in versions]
    if numbers != list(range(numbers[0], numbers[-1] - 1, -1)) or head["version"] != numbers[0]:
        wrong.append("the history is not linear")
    if os.stat(scene.declared).st_uid != USER:
        wrong.append(f"the declared file belongs to {os.stat(scene.declared).st_uid}")
    bench.stop()
    for path in [*(bench.root / "state").iterdir(), bench.root / "log", *scene.home.rglob("*")]:
        is_own = path.is_file() and not path.is_symlink() and not path.samefile(scene.outside / "hard")
        if is_own and holds_canary(path.read_bytes()):
            wrong.append(f"{path} holds the secret")
    return wrong


def report(results):
    failures = []
    for case, figures in results.items():
        for one in figures:
            failures += [f"{case}: {problem}" for problem in one["wrong"]]
            if case == "canary":
                continue
            if not one["sets"] or not one["refused"]:
                failures.append(f"{case}: not both outcomes were seen: {one['sets']} sets, refused {one['refused']}")
            missed = [kind for kind, count in one["kinds"].items() if not count]
            if missed:
                failures.append(f"{case}: no swap with {', '.join(missed)}")
    return {"table": [{"case": case, **one} for case, figures in results.items() for one in figures]}, failures
