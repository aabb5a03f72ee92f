"""Must show 1: every fault of the reference gateway, how fast it is seen and how fast the gateway serves again."""

import os
import shutil
import statistics
import subprocess
import time

import gateway
import suite

TITLE = "fault to first good /health"
RUNS = 20
INTERVALS_S = (1, 2)  # the liveness probe's; 2 s is the default
TIMED = True
# One run is no measurement: a brief table asks for the class and the recovery, and for its time only as the promise has it.
BRIEF = {"INTERVALS_S": (1,), "TIMED": False}
PROMISED_S = 60.0

# The limits, in seconds above the gateway's own start time, on the median of the runs. Death is compared with systemd's
# own restart in the same machine.
LIMITS = {
    (1, "SIGSTOP"): 2.0, (1, "loop"): 3.5, (1, "loop?worker"): 3.5, (1, "block"): 3.5, (1, "loop?io"): 40.0,
    (2, "SIGSTOP"): 6.0, (2, "loop"): 6.0, (2, "loop?worker"): 6.0, (2, "block"): 6.0, (2, "loop?io"): 42.0,
}
DEATH_OVER_SYSTEMD_S = 0.025

PLAIN = "gateway-plain.service"
PLAIN_PORT = 3001
LINGER = "/etc/systemd/system/gateway.service.d/60-slow-reaper.conf"


def cases():
    """`plain` first: what the others are compared with."""
    return ["plain"] + [f"{interval}s {fault}" for interval in INTERVALS_S for fault in (*gateway.FAULTS, "zombie")]


def run(case, runs):
    """Inside the machine. Yields one dictionary of figures a run."""
    if case == "plain":
        yield from run_plain(runs)
        return
    interval, fault = case.split(" ", 1)
    suite.set_probe_interval(int(interval[0]))
    if fault == "zombie":
        install_slow_reaper()
        fault = "SIGKILL"
    for _ in range(runs):
        suite.settle()
        pid = gateway.main_pid()
        with suite.Starvation() as starvation:
            outage = gateway.inject(fault, pid)
            gateway.watch(outage, pid)
            incident = suite.incident_since(outage.began_wall_ms)
        yield {
            "class": incident["class"],
            "classRight": incident["class"] == gateway.FAULTS[fault][1],
            "outcome": incident["outcome"],
            "detectS": round((incident["openedAtMs"] - outage.began_wall_ms) / 1000, 4),
            "goneS": outage.gone_s,
            "recoverS": outage.back_s,
            "starved": starvation.seen,  # such a run says nothing of Mainstay's speed
        }
    if os.path.exists(LINGER):
        os.remove(LINGER)
        gateway.systemctl("daemon-reload")
        gateway.systemctl("restart", gateway.UNIT)


def run_plain(runs):
    """A second gateway that nobody guards but systemd, with no delay: its own start time, and systemd's time to bring
    it back from SIGKILL."""
    unit = open("/etc/systemd/system/gateway.service").read()
    unit = unit.replace("[Service]", f"[Service]\nEnvironment=PORT={PLAIN_PORT}\nRestart=always\nRestartSec=0")
    unit = unit.replace("EnvironmentFile=/etc/gateway/.env", "EnvironmentFile=/etc/gateway/plain.env")
    unit = unit.replace("[Unit]", "[Unit]\nStartLimitIntervalSec=0")
    subprocess.run("sed s/^PORT=.*// /etc/gateway/.env > /etc/gateway/plain.env", shell=True, check=True)
    with open(f"/etc/systemd/system/{PLAIN}", "w") as file:
        file.write(unit)
    gateway.systemctl("daemon-reload")
    for _ in range(runs):
        gateway.systemctl("stop", PLAIN)
        start = gateway.Outage(suite.now_ms() / 1000, time.monotonic())
        gateway.systemctl("start", "--no-block", PLAIN)
        gateway.wait_until("it serves", lambda: gateway.health(PLAIN_PORT, 0.2), 30, 0.001)
        start_s = time.monotonic() - start.began
        pid = gateway.main_pid(PLAIN)
        outage = gateway.inject("SIGKILL", pid, PLAIN_PORT)
        gateway.watch(outage, pid, PLAIN_PORT)
        yield {"startS": start_s, "recoverS": outage.back_s}
    gateway.systemctl("stop", PLAIN)


def install_slow_reaper():
    """The gateway under a parent that reaps it late: for 1.6 s its death is a zombie, of which process 1 hears
    nothing."""
    # Where the gateway's user can read it, wherever the project is.
    program = shutil.copy(os.path.join(os.path.dirname(__file__), "slow_reaper.py"), "/usr/local/lib/slow_reaper.py")
    with open(LINGER, "w") as file:
        file.write(
            "[Service]\nType=forking\nPIDFile=/run/gateway/pid\nRuntimeDirectory=gateway\nExecStart=\n"
            f"ExecStart=/usr/bin/python3 {program} 1.6 /run/gateway/pid /usr/bin/node /usr/lib/gateway/gateway.js\n"
        )
    gateway.systemctl("daemon-reload")
    gateway.systemctl("restart", gateway.UNIT)


def report(results):
    """From {case: [figures]} the table and whether every figure is within its limit."""
    plain = results["plain"]
    start_s = statistics.median(one["startS"] for one in plain)
    systemd_s = statistics.median(one["recoverS"] for one in plain)
    rows, failures = [], []
    for case, figures in results.items():
        if case == "plain":
            continue
        interval, fault = case.split(" ", 1)
        back = [one["recoverS"] for one in figures if one["recoverS"] is not None]
        calm = [one["recoverS"] for one in figures if one["recoverS"] is not None and not one["starved"]]
        row = {
            "case": case, "runs": len(figures), "recovered": len(back),
            "classRight": sum(one["classRight"] for one in figures),
            "classes": sorted({one["class"] for one in figures}),
            "detectMedianS": round(statistics.median(one["detectS"] for one in figures), 3),
            "starvedRuns": sum(one["starved"] for one in figures),
            "recoverMedianS": round(statistics.median(calm), 3) if calm else None,
            "recoverMaxS": round(max(back), 3) if back else None,
        }
        if fault in ("SIGKILL", "exit 1"):
            row["limitS"] = round(systemd_s + DEATH_OVER_SYSTEMD_S, 3)
        elif (int(interval[0]), fault) in LIMITS:
            row["limitS"] = round(LIMITS[int(interval[0]), fault] + start_s, 3)
        rows.append(row)
        if len(back) < len(figures):
            failures.append(f"{case}: not recovered in {len(figures) - len(back)} of {len(figures)} runs")
        elif TIMED and not calm:
            failures.append(f"{case}: the host was starved in every run")
        elif TIMED and "limitS" in row and row["recoverMedianS"] > row["limitS"]:
            failures.append(f"{case}: median {row['recoverMedianS']} s, limit {row['limitS']} s")
        elif calm and max(calm) > PROMISED_S + start_s:
            failures.append(f"{case}: {max(calm)} s, where 60 s are promised")
        if any(not one["classRight"] and (TIMED or not one["starved"]) for one in figures):
            failures.append(f"{case}: class right in {row['classRight']} of {len(figures)} runs: {row['classes']}")
    figures = {"gatewayStartMedianS": round(start_s, 3), "systemdRestartMedianS": round(systemd_s, 3), "table": rows}
    return figures, failures
