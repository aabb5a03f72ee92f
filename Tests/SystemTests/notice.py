"""Must show 8: from SIGKILL to watchdogd's notice, beside a program that does nothing but wait for such a death."""

import os
import pathlib
import re
import select
import signal
import statistics
import subprocess
import tempfile
import time
import typing

TITLE = "SIGKILL to watchdogd's notice"
RUNS = 40
BRIEF = {}

# From the signal to the return of the epoll_wait(2) with which watchdogd's loop, and with it the core, hears of it. Of a
# small process, since the kernel takes milliseconds to take a large one apart before anybody can hear that it ended.
AT_MOST_MS = 0.5

SMALL = """
import subprocess, suite
words = "systemd-run --quiet --unit=small --property=Restart=always --property=RestartSec=15s sleep infinity"
subprocess.run(words.split(), check=True)
open("/etc/mainstay/services/small.yaml", "w").write("unit: small.service\\n")
subprocess.run("systemctl reload mainstay-watchdogd.service".split(), check=True)
suite.settle()
"""
SETTLED = """
import gateway, suite, subprocess
unit = "{unit}.service"
gateway.wait_until("it runs", lambda: gateway.main_pid(unit) not in (0, {old}), 30)
gateway.wait_until("it is watched", lambda: suite.condition("{unit}") == "watching", 60)
subprocess.run(["mainstay", "reset", "{unit}"], check=True, capture_output=True)
print(gateway.main_pid(unit))
"""


def cases():
    return ["floor", "small", "gateway"]


OUTSIDE = set(cases())


def outside(case, machine, runs):
    """From the host, where the kernel's tracepoints can be read; nothing is traced but what is measured. The floor has
    runs of its own: a second program that wakes for the same death would take one of the host's cores from watchdogd."""
    if case == "floor":
        yield from floor(runs)
        return
    if case == "small":
        machine.python(SMALL)
    inner = int(machine.run("systemctl", "show", "-P", "MainPID", "mainstay-watchdogd.service"))
    threads = threads_of(on_host(inner, machine))
    with Trace([threads["bus"], threads["loop"]]) as trace:
        old, deaths = 0, []
        for _ in range(runs):
            old = int(machine.python(SETTLED.format(unit=case, old=old)))
            deaths.append(kill(on_host(old, machine)))
    events = trace.events()
    for tids, killed in deaths:
        # A thread that is gone from the tables when it tells the parent has the number -1.
        ended = first(events, killed, lambda one: one.name == "signal_generate" and one.tid in {*tids, -1})
        thread = first(events, ended, lambda one: one.name == "sys_exit_epoll_wait" and one.tid == threads["bus"])
        loop = first(events, thread, lambda one: one.name == "sys_exit_epoll_wait" and one.tid == threads["loop"])
        times = {"endedMs": ended, "threadMs": thread, "noticedMs": loop}
        yield {name: round((at - killed) / 1e6, 4) for name, at in times.items()}


def threads_of(pid):
    """The thread that waits for pidfds, and the one that the core runs on."""
    names = {entry.name: (entry / "comm").read_text().strip() for entry in pathlib.Path(f"/proc/{pid}/task").iterdir()}
    return {"bus": next(int(tid) for tid, name in names.items() if name == "bus"),
            "loop": next(int(tid) for tid, name in names.items() if name.startswith("NIO"))}


def kill(pid):
    """Kills a process; its threads, and when that was. Returns when all that follows from it is over."""
    tids = {int(tid) for tid in os.listdir(f"/proc/{pid}/task")}
    killed = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    return tids, killed


def floor(runs):
    """A poll(2) here, on nothing but the pidfd of a process that nobody guards."""
    for _ in range(runs):
        with subprocess.Popen(["sleep", "infinity"]) as process:
            time.sleep(0.5)  # as idle as the host is in the other cases
            descriptor = os.pidfd_open(process.pid)
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            killed = time.monotonic_ns()
            process.kill()
            poller.poll()
            polled = time.monotonic_ns()
            os.close(descriptor)
        yield {"noticedMs": round((polled - killed) / 1e6, 4)}


class Event(typing.NamedTuple):
    name: str
    tid: int
    at: int


def first(events, since, wanted):
    """When the first event of a kind came after a time."""
    found = next((one.at for one in events if one.at > since and wanted(one)), None)
    if found is None:
        raise RuntimeError("perf lost an event")
    return found


class Trace:
    """`with Trace(tids) as trace:` notes when these threads' epoll_wait returned, and when a process had ended: the kernel tells
    its parent (SIGCHLD) in the moment in which it wakes those who wait for its pidfd."""

    LINE = re.compile(r"\s*(-?\d+)\s+(\d+)\.(\d{9}):\s+\w+:(\w+):")

    def __init__(self, tids):
        self.filter = " || ".join(f"common_pid == {tid}" for tid in tids)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.data = f"{self.folder.name}/perf.data"
        words = ["perf", "record", "-q", "-a", "-k", "CLOCK_MONOTONIC", "-o", self.data,
                 "-e", "syscalls:sys_exit_epoll_wait", "--filter", self.filter, "-e", "signal:signal_generate",
                 "--filter", f"sig == {int(signal.SIGCHLD)}"]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        time.sleep(2)  # perf says nowhere that it records
        if self.process.poll() is not None:
            raise RuntimeError(f"perf: {self.process.stderr.read()}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        words = ["perf", "script", "-i", self.data, "--ns", "-F", "tid,time,event,trace"]
        self.text = subprocess.run(words, capture_output=True, text=True).stdout
        self.folder.cleanup()

    def events(self):
        found = []
        for line in self.text.splitlines():
            match = self.LINE.match(line)
            if match:
                tid, seconds, nanoseconds, name = match.groups()
                found.append(Event(name, int(tid), int(seconds) * 10**9 + int(nanoseconds)))
        return found


def on_host(inner, machine):
    """The host's number for a process of the machine."""
    leader = pathlib.Path(f"/run/mainstay-machines/{machine.name}/leader").read_text().strip()
    space = os.readlink(f"/proc/{leader}/ns/pid")
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns/pid") == space:
                numbers = next(line for line in (entry / "status").read_text().splitlines() if line.startswith("NSpid"))
                if numbers.split()[-1] == str(inner):
                    return int(entry.name)
        except OSError:
            continue  # it ended meanwhile
    raise RuntimeError(f"no process {inner} in the machine")


def report(results):
    rows, failures = {}, []
    for case, figures in results.items():
        rows[case] = {name: at_median_and_worst(figures, name) for name in figures[0]}
    if rows["small"]["noticedMs"]["median"] > AT_MOST_MS:
        failures.append(f"small: noticed after {rows['small']['noticedMs']['median']} ms, at most {AT_MOST_MS}")
    late = statistics.median(one["noticedMs"] - one["endedMs"] for one in results["gateway"])
    if late > AT_MOST_MS:
        failures.append(f"gateway: noticed {late} ms after its end, at most {AT_MOST_MS}")
    return {"gatewayAfterItsEndMedianMs": round(late, 4), "cases": rows}, failures


def at_median_and_worst(figures, name):
    values = [one[name] for one in figures]
    return {"median": round(statistics.median(values), 4), "worst": max(values)}
