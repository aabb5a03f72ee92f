"""Must show 9: an upgrade of all four daemons leaves the gateway's process as it is."""

import time

import rpc

TITLE = "an upgrade of the suite"
RUNS = 3


def cases():
    return ["all four daemons", "one after another"]


OUTSIDE = set(cases())

LOOK = """
import gateway, suite
suite.wait_for_daemons()
suite.settle()
print(gateway.main_pid(), len(suite.incidents()))
"""
# As dpkg does it: a new file takes the old one's name while the old one still runs.
REPLACE = """
cp -a /usr/lib/mainstay /usr/lib/mainstay.new
cd /usr/lib/mainstay.new
for file in *; do mv "$file" "/usr/lib/mainstay/$file"; done
rmdir /usr/lib/mainstay.new
"""


def outside(case, machine, runs):
    """From the host, since the new files come from there."""
    for _ in range(runs):
        pid, incidents = map(int, machine.python(LOOK).split())
        old = daemon_pids(machine)
        machine.run("sh", "-ec", REPLACE)
        began = time.monotonic()
        if case == "all four daemons":
            machine.run("systemctl", "restart", *(f"mainstay-{daemon}.service" for daemon in rpc.DAEMONS))
        else:
            for daemon in rpc.DAEMONS:
                machine.run("systemctl", "restart", f"mainstay-{daemon}.service")
        took = time.monotonic() - began
        time.sleep(10)
        new_pid, new_incidents = map(int, machine.python(LOOK).split())
        restarted = sum(a != b for a, b in zip(old, daemon_pids(machine)))
        yield {
            "samePid": pid == new_pid,
            "incidents": new_incidents - incidents,
            "restarted": restarted,
            "tookS": round(took, 2),
        }


def daemon_pids(machine):
    show = ("systemctl", "show", "-P", "MainPID")
    return [machine.run(*show, f"mainstay-{daemon}.service").strip() for daemon in rpc.DAEMONS]


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one in figures:
            rows.append({"case": case, **one})
            if not one["samePid"] or one["incidents"] or one["restarted"] != len(rpc.DAEMONS):
                failures.append(f"{case}: {one}")
    return {"table": rows}, failures
