"""configd's writes on real file systems: the disk as it is at each system call, mounted anew; on those without one, KILL."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import config_kill
from config_bench import OLD, Bench, new
from config_check import Story, check
from power_cuts import FILES, PROJECT, has_method

TITLE = "configd's write on real file systems, cut off at every system call"
RUNS = 1
MACHINE = False
PROGRAMS = ("configd",)

# Each how many-th call is where the disk is looked at, or where KILL comes.
STRIDE = 1
BRIEF = {"STRIDE": 9}

# What makes each on a file, and the smallest that it takes.
DISKS = {
    "ext4": (64, ["mkfs.ext4", "-q", "-F"]),
    "xfs": (320, ["mkfs.xfs", "-q", "-f"]),
    "btrfs": (256, ["mkfs.btrfs", "-q", "-f"]),
}
PACKAGES = ("e2fsprogs", "xfsprogs", "btrfs-progs")
# The calls after which a disk may be another.
CHANGING = (
    "openat", "openat2", "write", "pwrite64", "ftruncate", "fallocate", "fchown", "fchmod", "fsetxattr", "fsync", "fdatasync",
    "rename", "renameat", "renameat2", "unlink", "unlinkat", "linkat",
)


def cases():
    return [*DISKS, "tmpfs", "overlay"]


OUTSIDE = set(cases())


def prepare(_):
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), *PACKAGES], check=True)


def outside(case, host, runs):
    """In a mount namespace of its own: nothing that it mounts is seen by others, and all of it goes with it."""
    words = ["unshare", "--mount", sys.executable, "-B", __file__, case, str(STRIDE)]
    environment = {**os.environ, "MAINSTAY_CONFIGD": str(pathlib.Path(host.build) / "configd")}
    for _ in range(runs):
        began = time.monotonic()
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise RuntimeError(f"{case}: the run ended with {done.returncode}: {last}")
        yield {**json.loads(done.stdout), "seconds": round(time.monotonic() - began)}


def sequences():
    """What each is prepared by and does, and the story of its generations."""

    def everywhere(bench, *contents):
        return [{str(file): content for file in bench.files} for content in contents]

    found = {
        "set": (lambda bench: None, lambda bench: bench.set("4000"),
                lambda bench: Story(everywhere(bench, OLD, new("4000")), ["set"])),
        "rollback": (lambda bench: bench.set("4000"), lambda bench: bench.call("rollback", **bench.target(), version=1),
                     lambda bench: Story(everywhere(bench, new("4000"), OLD), ["rollback"], first=2)),
    }
    if has_method("apply"):
        found["transaction"] = (lambda bench: None, lambda bench: bench.apply("4000"), found["set"][2])
    return found


# ---- File systems on a disk of their own


class Disk:
    """A file system in a file, in memory; its disk can be copied as it is, which is what a power cut leaves."""

    def __init__(self, kind, folder):
        self.kind, self.image, self.place = kind, folder / "disk", folder / "mounted"
        self.folder = folder
        self.place.mkdir()
        size, words = DISKS[kind]
        with open(self.image, "wb") as file:
            file.truncate(size << 20)
        subprocess.run([*words, str(self.image)], check=True, stdout=subprocess.DEVNULL)

    def mount(self):
        subprocess.run(["mount", "-t", self.kind, "-o", "loop", str(self.image), str(self.place)], check=True)

    def unmount(self):
        subprocess.run(["umount", str(self.place)], check=True)

    def copy(self, name):
        """As it is, without a sync; only what is not a hole."""
        subprocess.run(["cp", "--sparse=auto", str(self.image), str(self.folder / name)], check=True)

    def become(self, name):
        """Unmounted, it is what a copy holds."""
        (self.folder / name).rename(self.image)


def cut_disk(kind):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-filesystems-", dir="/dev/shm"))
    try:
        result = {"states": 0, "old": 0, "new": 0, "wrong": []}
        for name, (prepared, act, story_of) in sequences().items():
            figures = cut_sequence(kind, folder / name, name, prepared, act, story_of)
            result[name] = figures["states"]
            for key in ("states", "old", "new", "wrong"):
                result[key] += figures[key]
        result["canary"] = canary(kind, folder / "canary")
        if result["canary"] != "lost":
            result["wrong"].append(f"the canary: what was never synced is {result['canary']}, expected lost")
        return result
    finally:
        shutil.rmtree(folder)


def cut_sequence(kind, folder, name, prepared, act, story_of):
    folder.mkdir()
    disk = Disk(kind, folder)
    disk.mount()
    bench = Bench(disk.place / "bench", names=FILES if name == "transaction" else FILES[:1])
    # What is there before configd begins is there for good.
    os.sync()
    bench.start()
    prepared(bench)
    bench.call("get", **bench.target())
    story = story_of(bench)
    copies = copies_along(disk, bench, act)
    disk.unmount()
    figures = {"states": 0, "old": 0, "new": 0, "wrong": []}
    for number, (copy, acknowledged) in enumerate(copies):
        disk.become(copy)
        disk.mount()
        found = bench.file.read_bytes() if bench.file.exists() else b""
        figures["new" if found == story.generations[1][str(bench.file)] else "old"] += 1
        figures["states"] += 1
        least = 1 if acknowledged else 0
        problems = check(bench, story, least, 1, told=Story(story.generations[least:]))
        figures["wrong"] += [f"{kind}, {name}, cut {number} of {len(copies)}: {problem}" for problem in problems]
        disk.unmount()
    shutil.rmtree(folder)
    return figures


def copies_along(disk, bench, act):
    """Stops configd after each of the act's calls and copies the disk; the last copy is from right after the answer. Returns the
    copies' names, each with whether the change was acknowledged."""
    trap = config_kill.Trap(bench, f"{','.join(CHANGING)}:signal=SIGSTOP")
    bench.timeout = 120  # it is stopped most of the time
    copies, stops = [], Stops(trap, bench.daemon)
    actor = threading.Thread(target=act, args=(bench,))
    actor.start()
    while actor.is_alive():
        if not stops.is_new():
            continue
        if stops.count % STRIDE == 0:
            disk.copy(f"cut-{len(copies)}")
            copies.append((f"cut-{len(copies)}", False))
        stops.let_go()
    disk.copy("acknowledged")
    # strace leaves no thread that is stopped, and configd may be again: by what it writes down after its answer, or by a look.
    bench.stop(signal.SIGKILL)
    trap.close()
    bench.timeout = 5
    return [*copies, ("acknowledged", True)]


class Stops:
    """configd's stops by the trap, one after the other."""

    def __init__(self, trap, daemon):
        self.trap, self.daemon, self.count = trap, daemon, 0

    def is_new(self):
        """Whether it is stopped, and was let go from the stop before; waits a moment where it is not."""
        # strace tells of each stop; the process alone would not show that it went on and stopped again.
        told = self.trap.log.read_text(errors="replace").count("stopped by SIGSTOP")
        if told == self.count or not is_stopped(self.daemon.pid):
            time.sleep(0.0005)
            return False
        self.count = told
        return True

    def let_go(self):
        self.daemon.send_signal(signal.SIGCONT)


def is_stopped(pid):
    status = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return status[status.rindex(")") + 2] == "T"


def canary(kind, folder):
    """What becomes of a file that is written and renamed without a sync, to show that a copy of the disk is no sync."""
    folder.mkdir()
    disk = Disk(kind, folder)
    disk.mount()
    file = disk.place / ".env"
    file.write_bytes(OLD)
    os.sync()
    writer = str(pathlib.Path(__file__).parent / "naive_writer.py")
    subprocess.run([sys.executable, "-B", writer, "rename", str(file)], check=True, input=new("4000"), stdout=subprocess.DEVNULL)
    disk.copy("cut")
    disk.unmount()
    disk.become("cut")
    disk.mount()
    found = {OLD: "lost", new("4000"): "kept"}.get(file.read_bytes(), "torn")
    disk.unmount()
    shutil.rmtree(folder)
    return found


# ---- Those that no power cut survives, or that are none of their own


def kill_on(kind):
    """KILL before each call; the folder of every bench is on the file system, which lies in memory as the disks above do."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-filesystems-", dir="/dev/shm"))
    place = folder / "mounted"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "none", str(place)]
    if kind == "overlay":
        for name in ("lower", "upper", "work"):
            (folder / name).mkdir()
        options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        words = ["mount", "-t", "overlay", "none", "-o", options, str(place)]
    subprocess.run(words, check=True)
    tempfile.tempdir = str(place)
    config_kill.STRIDE = STRIDE
    try:
        result = {"states": 0, "old": 0, "new": 0, "wrong": []}
        for name, run in (("set", config_kill.kill_set), ("rollback", config_kill.kill_rollback)):
            figures = run()
            result[name] = figures["kills"]
            result["states"] += figures["kills"]
            for key in ("old", "new", "wrong"):
                result[key] += figures[key]
        return result
    finally:
        # Lazily: it is gone from the tree at once, and for good with the last program that still has a file of it open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        shutil.rmtree(folder)


def report(results):
    failures, table = [], []
    for case, figures in results.items():
        for one in figures:
            failures += [f"{case}: {problem}" for problem in one["wrong"][:20]]
            table.append({"case": case, **one, "wrong": one["wrong"][:20]})
            if not (one["old"] and one["new"]):
                failures.append(f"{case}: not both outcomes were seen")
    return {"states": sum(one["states"] for one in table), "table": table}, failures


def main(kind, stride):
    global STRIDE
    STRIDE = int(stride)
    print(json.dumps(cut_disk(kind) if kind in DISKS else kill_on(kind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
