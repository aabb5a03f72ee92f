"""Must show 4: one journalctl call tells the whole story of an incident, and at rest the suite is silent."""

import json
import re
import time

import gateway
import suite

TITLE = "the journal's story"
RUNS = 1
REST_S = 300
BRIEF = {"REST_S": 60}
LINES_A_MINUTE = 1
CATALOG = "/usr/lib/systemd/catalog/mainstay.catalog"
STORY = ("incidentOpened", "evidenceCollected", "actionTaken", "validated", "incidentClosed")


def cases():
    return ["story block", "story SIGKILL", "rest"]


def names_by_id():
    found = re.findall(r"(?m)^# mainstay-id: (\w+)\n-- ([0-9a-f]{32})$", open(CATALOG).read())
    return {identifier: name for name, identifier in found}


def run(case, runs):
    """Inside the machine."""
    for _ in range(runs):
        yield run_rest() if case == "rest" else run_story(case.split(" ")[1])


def run_story(fault):
    suite.settle()
    pid = gateway.main_pid()
    outage = gateway.inject(fault, pid)
    gateway.watch(outage, pid)
    incident = suite.incident_since(outage.began_wall_ms)
    time.sleep(2)
    match = f"MAINSTAY_INCIDENT={incident['id']}"
    entries = [json.loads(line) for line in suite.journal(match).splitlines()]
    names = names_by_id()
    told = [names.get(entry.get("MESSAGE_ID", "").replace("-", ""), "unknown") for entry in entries]
    explained = suite.journal(match, "-x", output="short")
    return {
        "told": told,
        "missing": [name for name in STORY if name not in told],
        "withoutService": sum(entry.get("MAINSTAY_SERVICE") != gateway.SERVICE for entry in entries),
        "explained": explained.count("Defined-By: Mainstay"),
        "messages": [entry["MESSAGE"] for entry in entries],
    }


def run_rest():
    suite.settle()
    time.sleep(20)
    since = f"@{int(time.time())}"
    time.sleep(REST_S)
    lines = [json.loads(line)["MESSAGE"] for line in suite.journal("--since", since, "-u", "mainstay-*").splitlines()]
    rate = round(len(lines) * 60 / REST_S, 2)
    return {"seconds": REST_S, "lines": len(lines), "linesAMinute": rate, "first": lines[:10]}


def report(results):
    rows, failures = [], []
    for case, figures in results.items():
        for one in figures:
            rows.append({"case": case, **one})
            if case == "rest":
                if one["linesAMinute"] >= LINES_A_MINUTE:
                    failures.append(f"{case}: {one['linesAMinute']} lines a minute")
                continue
            missing = set(one["missing"])
            if case.endswith("SIGKILL"):
                missing.discard("evidenceCollected")  # there is no process left to read
            if missing or "unknown" in one["told"]:
                failures.append(f"{case}: told {one['told']}, missing {missing}")
            if one["explained"] < len(one["told"]):
                failures.append(f"{case}: {one['explained']} of {len(one['told'])} entries are in the catalogue")
            if one["withoutService"]:
                failures.append(f"{case}: {one['withoutService']} entries do not name the service")
    return {"table": rows}, failures
