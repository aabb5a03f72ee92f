"""Issue 3, must show 4: a change on trial that makes the gateway slow goes back by itself, whoever dies; a good one stays."""

import asyncio
import json
import os
import signal
import time

import gateway
import load
import rpc
import suite

TITLE = "commit confirmed by health"
RUNS = 1

WINDOW_S = 60
RATE = 65  # requests a second, as the seed's gateway has them
BEFORE_S = 45  # how long the service is served before the commit, so that there is something to compare with
# From the commit to the old version in force. A change that nobody activates goes back when that was due: by the settings drain 5 s,
# stop 5 s, start 15 s, and 30 s in reserve. One that is activated has the window after that.
ACTIVATION_S = 55
MARGIN_S = 3

BAD = {"SLOW_MS": "40"}
GOOD = {"DB_POOL_SIZE": "12"}

CASES = (
    "a good change", "slow", "slow, healthd killed", "slow, healthd gone", "slow, watchdogd killed",
    "slow, watchdogd gone", "slow, configd killed", "good, watchdogd gone", "slow, the host rebooted",
)
# All of them take twelve minutes.
BRIEF = {"BEFORE_S": 30, "CASES": ("a good change", "slow", "slow, configd killed")}


def cases():
    return list(CASES)


OUTSIDE = {"slow, the host rebooted"}


class Load(suite.Meanwhile):
    """`with Load() as served:` serves the gateway its usual rate, in parts of 5 s; `p95(since)` is what they took."""

    def __init__(self):
        super().__init__()
        self.parts = []

    def run(self):
        while not self.ended.is_set():
            began = time.monotonic()
            tally = asyncio.run(load.offer([(5, RATE)]))
            self.parts.append((began, tally.figures()["p95Ms"]))

    def p95(self, since, until=None):
        values = [ms for at, ms in self.parts if ms and at >= since and (until is None or at + 5 <= until)]
        return sorted(values)[len(values) // 2] if values else None


def commit(values):
    """The change's number, and when it was in force."""
    reply = rpc.call("configd", "set", service=gateway.SERVICE, values=values, confirmMs=WINDOW_S * 1000, reason="test")
    return reply["pending"], reply["version"], time.monotonic()


def pending():
    """What is on trial, or None where nothing is; `silent` where configd does not answer."""
    try:
        found = rpc.call("configd", "pending", 1.0, service=gateway.SERVICE)["pending"]
    except (rpc.Silent, rpc.Refused):
        return "silent"
    return found[0] if found else None


def head():
    return rpc.call("configd", "history", service=gateway.SERVICE, limit=1)["versions"][0]


def environment():
    """What the gateway's process was started with."""
    try:
        with open(f"/proc/{gateway.main_pid()}/environ", "rb") as file:
            return dict(pair.split(b"=", 1) for pair in file.read().split(b"\0") if b"=" in pair)
    except OSError:
        return {}


def file_says(key):
    with open("/etc/gateway/.env") as file:
        return any(line.startswith(f"{key}=") for line in file)


def wait_until_over(change, began, limit_s):
    """Follows the trial; the seconds from the commit until it was activated, and until its files were old or it was confirmed."""
    seen = {"phases": []}
    while time.monotonic() - began < limit_s:
        found = pending()
        now = round(time.monotonic() - began, 2)
        if found == "silent":
            time.sleep(0.05)
            continue
        if found is None or found["id"] != change:
            seen["overS"] = now
            return seen
        if not seen["phases"] or seen["phases"][-1] != found["phase"]:
            seen["phases"].append(found["phase"])
            seen[f"{found['phase']}S"] = now
            if "end" in found:
                seen["end"] = found["end"]["kind"]
                seen["detail"] = found["end"].get("detail", "")
            if found["phase"] == "takenBack":
                return seen
        time.sleep(0.1)
    return seen


def disturb(what):
    """Kills the daemon once, or for good; returns how to mend it."""
    if what is None:
        return lambda: None
    daemon, how = what
    unit = f"mainstay-{daemon}.service"
    if how == "killed":
        os.kill(suite.daemon_pid(daemon), signal.SIGKILL)
        return lambda: None
    gateway.systemctl("kill", "-s", "KILL", unit)
    gateway.systemctl("stop", unit)
    return lambda: gateway.systemctl("start", unit)


def parts(case):
    """The change's values, and what is done to whom."""
    kind, _, rest = case.partition(", ")
    words = rest.split(" ")
    return (GOOD if "good" in kind else BAD), (tuple(words) if rest else None)


def run(case, runs):
    """Inside the machine."""
    values, what = parts(case)
    for _ in range(runs):
        begin_as_before()
        yield one(values, what)


def begin_as_before():
    """Whatever a case before this one left: every daemon runs, and the gateway is as fast as it is."""
    for daemon in rpc.DAEMONS:
        gateway.systemctl("start", f"mainstay-{daemon}.service")
    suite.wait_for_daemons()
    gateway.wait_until("nothing is on trial", lambda: pending() is None, 2 * WINDOW_S)
    if file_says("SLOW_MS"):
        rpc.call("configd", "set", service=gateway.SERVICE, remove=["SLOW_MS"])
        gateway.systemctl("restart", gateway.UNIT)


def one(values, what):
    suite.settle()
    before, incidents = head(), len(suite.incidents())
    key = next(iter(values))
    with Load() as served:
        time.sleep(BEFORE_S)
        # watchdogd before the commit, so that nobody activates it; the others in the window.
        mend = disturb(what) if what and what[0] == "watchdogd" else None
        change, version, began = commit(values)
        in_force = {"file": file_says(key)}
        if mend is None:
            gateway.wait_until("it is activated", lambda: phase_is("activated"), ACTIVATION_S)
            activated = time.monotonic()
            mend = disturb(what)
        else:
            activated = began
        figures = wait_until_over(change, began, WINDOW_S + ACTIVATION_S + MARGIN_S)
        back_s = figures.get("takenBackS", figures.get("overS"))
        middle = time.monotonic()
        mend()
        suite.wait_for_daemons()
        figures["followed"] = bool(gateway.wait_until("the service follows", lambda: follows(key), 60))
        time.sleep(11)
        figures["p95Ms"] = {
            "before": served.p95(0, began), "with": served.p95(activated, middle), "after": served.p95(time.monotonic() - 11),
        }
    now = head()
    figures |= {
        "case": "good" if values is GOOD else "slow", "wasInForce": in_force["file"], "backS": back_s,
        "kept": now["version"] == version, "restored": now.get("restored") == before["version"],
        "author": now["authorUID"], "incidents": len(suite.incidents()) - incidents, "story": story(change),
    }
    undo(values)
    return figures


def phase_is(wanted):
    found = pending()
    return isinstance(found, dict) and found["phase"] == wanted


def follows(key):
    """The process runs what the file says, and nothing is left to be done."""
    return (key.encode() in environment()) == file_says(key) and pending() is None and gateway.health()


def story(change):
    """Which daemons told of the change, by one call."""
    lines = suite.journal(f"MAINSTAY_CHANGE={change}", output="json").splitlines()
    return sorted({json.loads(line).get("MAINSTAY_DAEMON", "?") for line in lines})


def undo(values):
    """A confirmed change goes again, so that the next case begins as this one did."""
    if values is not GOOD:
        return
    rpc.call("configd", "set", service=gateway.SERVICE, values={"DB_POOL_SIZE": "10"})


REBOOT_BEFORE = f"""
import json, time
import confirm, gateway, suite
confirm.begin_as_before(); suite.settle()
before = confirm.head()
change, version, began = confirm.commit(confirm.BAD)
gateway.wait_until("it is activated", lambda: confirm.phase_is("activated"), {ACTIVATION_S})
print(json.dumps([before["version"], change, version, b"SLOW_MS" in confirm.environment()]))
"""
REBOOT_AFTER = """
import json, time
import confirm, gateway, rpc, suite
suite.wait_for_daemons()
up = float(open("/proc/uptime").read().split()[0])
file_is_old = not confirm.file_says("SLOW_MS")
now = confirm.head()
gateway.wait_until("the service follows", lambda: confirm.follows("SLOW_MS"), 60)
print(json.dumps([file_is_old, now["version"], now.get("restored"), now["reason"], confirm.story(CHANGE)]))
"""


def outside(case, machine, runs):
    """The reboot, which the test itself would not outlive."""
    for _ in range(runs):
        before, change, version, ran = json.loads(machine.python(REBOOT_BEFORE))
        machine.reboot()
        began = time.monotonic()
        is_old, now, restored, reason, told = json.loads(machine.python(REBOOT_AFTER.replace("CHANGE", str(change))))
        yield {
            "case": "reboot", "wasInForce": ran, "backAtStart": is_old, "kept": now == version,
            "restored": restored == before, "reason": reason, "story": told,
            "lookedAfterS": round(time.monotonic() - began, 2),
        }


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one_run in figures:
            rows.append({**one_run, "case": case})
            failures += [f"{case}: {problem}" for problem in problems(case, one_run)]
    return {"windowS": WINDOW_S, "activationLimitS": ACTIVATION_S, "table": rows}, failures


def problems(case, one_run):
    if not one_run["wasInForce"]:
        yield "it was never in force"
    if case == "a good change":
        if not one_run["kept"] or "activatedS" not in one_run:
            yield "it was not confirmed"
        return
    if one_run["kept"] or not one_run["restored"]:
        yield "the old version is not in force"
    if case == "slow, the host rebooted":
        if not one_run["backAtStart"]:
            yield "it was not back when the daemons answered"
        return
    # Killed before the commit it is back at once, and then there is a window; gone, there is none.
    limit = ACTIVATION_S if "watchdogd gone" in case else ACTIVATION_S + WINDOW_S
    if one_run["backS"] is None or one_run["backS"] > limit + MARGIN_S:
        yield f"it went back after {one_run['backS']} s"
    if not one_run["followed"]:
        yield "the service does not run what is in force"
    if "watchdogd gone" in case and "activated" in one_run["phases"]:
        yield "somebody activated it"
    slow = one_run["p95Ms"]
    if case in ("slow", "slow, healthd gone") and (slow["with"] or 0) < 3 * (slow["before"] or 0):
        yield f"it was not slow: {slow}"
