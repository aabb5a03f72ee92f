"""Must show 8: the memory floors of all four daemons stay flat over two hours of everyday work."""

import itertools
import os
import pathlib
import time

import gateway
import rpc
import suite

TITLE = "memory floors over two hours"
RUNS = 1

MINUTES = 120
WINDOW_S = 600  # a floor is the least of a window: what was freed meanwhile does not count
WARM_UP_WINDOWS = 3  # arenas and buffers fill once
# configd's page cache of 512 KiB fills with the versions of some 500 changes, and then stays (seen: 1,840 KiB at rest,
# 2,416 after 600 changes, 2,416 after 1,600). At a change a minute that would take the two hours and look like a leak.
CHANGES_FIRST = 800
SAMPLE_EVERY_S = 5
# A reply with the last incidents takes memory by their number. The gateway dies each five minutes: five are there when the
# warm-up is over, twenty only after 100 minutes (seen: the floor rose with each death up to the 20th, then no more).
INCIDENTS_ASKED = 5
BRIEF = {"MINUTES": 1, "WINDOW_S": 10, "WARM_UP_WINDOWS": 3, "CHANGES_FIRST": 20}

# The last three floors against the first three after the warm-up, by their medians.
GROWTH_AT_MOST = 0.02


def cases():
    return ["everyday work"]


def run(case, runs):
    """Inside the machine."""
    suite.wait_for_daemons()
    for _ in range(runs):
        pids = {daemon: suite.daemon_pid(daemon) for daemon in rpc.DAEMONS}
        windows = {daemon: [] for daemon in rpc.DAEMONS}
        for number in range(CHANGES_FIRST):
            change_a_setting(number)
        with Work() as work:
            for _ in range(MINUTES * 60 // WINDOW_S):
                floors = least(pids, WINDOW_S)
                for daemon, value in floors.items():
                    windows[daemon].append(value)
        yield {
            "minutes": MINUTES,
            "floorsKiB": windows,
            "samePids": pids == {daemon: suite.daemon_pid(daemon) for daemon in rpc.DAEMONS},
            "done": work.done,
        }


def least(pids, seconds):
    """The least anonymous memory of each process, in KiB, over a time."""
    floors = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for daemon, pid in pids.items():
            value = anonymous_kib(pid)
            floors[daemon] = min(value, floors.get(daemon, value))
        time.sleep(min(SAMPLE_EVERY_S, max(0.0, end - time.monotonic())))
    return floors


def anonymous_kib(pid):
    """Resident memory that no file backs: heap and stacks."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no RssAnon")


def change_a_setting(number):
    rpc.call("configd", "set", service=gateway.SERVICE, values={"FLOORS": str(number)}, reason="floors")


class Work(suite.Meanwhile):
    """What operators, scripts and a service's bad days ask of the suite, a round every two seconds."""

    def __init__(self):
        super().__init__()
        self.done = {"rounds": 0, "calls": 0, "connections": 0, "settings": 0, "deaths": 0, "silences": 0}

    def run(self):
        for number in itertools.count():
            if self.ended.wait(2):
                return
            self.done["rounds"] += 1
            for daemon in rpc.DAEMONS:
                self.ask(daemon, number)
            if number % 30 == 10:
                change_a_setting(number)
                self.done["settings"] += 1
            if number % 150 == 100:
                self.kill_the_gateway()

    def ask(self, daemon, number):
        """A connection of its own, as a script makes it; every tenth one subscribes and is dropped."""
        questions = {
            "configd": [("history", {"service": gateway.SERVICE}), ("get", {"service": gateway.SERVICE})],
            "metricsd": [
                ("queryRange", {"selector": "node_load1", "fromMs": int(suite.now_ms()) - 600_000,
                                "toMs": int(suite.now_ms())}),
                ("series", {"selector": "node_cpu_seconds_total", "limit": 10}), ("metrics", {}),
            ],
            "healthd": [("health", {"service": gateway.SERVICE}), ("metrics", {})],
            "watchdogd": [("incidents", {"service": gateway.SERVICE, "limit": INCIDENTS_ASKED}), ("metrics", {})],
        }
        try:
            with rpc.Connection(daemon) as connection:
                self.done["connections"] += 1
                asked = [("status", {}), *questions[daemon], *([("subscribe", {})] if number % 10 == 0 else [])]
                for method, params in asked:
                    connection.call(method, **params)
                    self.done["calls"] += 1
        except rpc.Silent:
            self.done["silences"] += 1

    def kill_the_gateway(self):
        pid = gateway.main_pid()
        if pid:
            os.kill(pid, 9)
            self.done["deaths"] += 1


def report(results):
    (figures,) = results["everyday work"][-1:]
    rows, problems = {}, []
    for daemon, floors in figures["floorsKiB"].items():
        kept = floors[WARM_UP_WINDOWS:]
        first, last = median(kept[:3]), median(kept[-3:])
        growth = last / first - 1
        rows[daemon] = {"floorsKiB": floors, "growthShare": round(growth, 4)}
        if growth > GROWTH_AT_MOST:
            problems.append(f"{daemon}: its floor grew by {growth:.1%} after the warm-up, at most {GROWTH_AT_MOST:.0%}")
    if not figures["samePids"]:
        problems.append("a daemon was started anew meanwhile")
    if figures["done"]["silences"]:
        problems.append(f"{figures['done']['silences']} calls without an answer")
    return {"minutes": figures["minutes"], "done": figures["done"], "daemons": rows}, problems


def median(values):
    return sorted(values)[len(values) // 2]
