"""Must show 2: busy is not hung. A saturated gateway is never restarted, and an hour of load makes no incident."""

import asyncio
import subprocess
import threading

import gateway
import load
import suite

TITLE = "busy is not hung"
RUNS = 1

SATURATED_S = 120
STEADY_MINUTES = 60
COLLECTION_EVERY_S = 30
STARVED_AT_MOST = 0.1  # the share of the time in which watchdogd may hold back for want of CPU
BRIEF = {"SATURATED_S": 60, "STEADY_MINUTES": 1, "COLLECTION_EVERY_S": 10, "STARVED_AT_MOST": 1.0}


def cases():
    return ["40 clients of 60 ms", "65/s with bursts and collections"]


def run(case, runs):
    """Inside the machine."""
    for _ in range(runs):
        suite.settle()
        known = {one["id"] for one in suite.incidents()}
        pid = gateway.main_pid()
        with suite.Starvation() as starvation:
            figures = saturate() if case.startswith("40") else steady()
        classes = [one["class"] for one in suite.incidents() if one["id"] not in known]
        yield {**figures, "starvedS": starvation.seconds, "samePid": gateway.main_pid() == pid, "incidents": classes}


def saturate():
    """More work than one process can do, from clients that wait."""
    words = ["wrk", "-c", "40", "-t", "1", "-d", str(SATURATED_S), "--timeout", "30s",
             "http://127.0.0.1:3000/work?ms=60"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    rate = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("Requests/sec"))
    return {"seconds": SATURATED_S, "requestsPerS": float(rate)}


def steady():
    """The reference load: each tenth minute a burst of 175/s, each twentieth one of 300/s, both for 10 s."""
    plan = []
    for minute in range(STEADY_MINUTES):
        burst = {5: 175, 15: 300}.get(minute % 20, 175 if minute % 10 == 5 else None)
        plan += [(50, 65), (10, burst or 65)]
    ended = threading.Event()

    def collect():
        while not ended.wait(COLLECTION_EVERY_S):
            gateway.ask("/fault/gc", "POST")

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    tally = asyncio.run(load.offer(plan))
    ended.set()
    return {"minutes": STEADY_MINUTES, **tally.figures()}


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one in figures:
            rows.append({"case": case, **one})
            allowed = {"saturated"} if case.startswith("40") else set()
            if not one["samePid"]:
                failures.append(f"{case}: the gateway was restarted")
            if set(one["incidents"]) - allowed:
                failures.append(f"{case}: incidents {one['incidents']}")
            if one["starvedS"] > STARVED_AT_MOST * one.get("seconds", 60 * one.get("minutes", 0)):
                failures.append(f"{case}: the host was starved for {one['starvedS']} s: no verdict was asked for then")
            if case.startswith("40") and "saturated" not in one["incidents"]:
                failures.append(f"{case}: saturation was not seen")
    return {"table": rows}, failures
