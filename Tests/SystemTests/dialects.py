"""Random bytes and random edits, held against the model of every reader of .env files, and against the real parsers.

The cases are those of ConfigCore's own tests (`EnvDocumentTests`, `ReaderAgreementTests`), so many times over. Real are node's
parser (`util.parseEnv`), python-dotenv, bash, dash, and systemd's `load_env_file`, called in its library. The others are modelled.
Fewer files go the whole way into a process's environment, as a service gets it: by `node --env-file`, and in the machine by a
transient unit with `EnvironmentFile=`.
"""

import collections
import os
import pathlib
import re
import subprocess
import time

from machine import Machine
from power_cuts import PROJECT

TITLE = "random bytes and edits of .env files, by every reader"
RUNS = 1
MACHINE = False
PROGRAMS = ("../debug/mainstayPackageTests.xctest",)

# How many times the tests' own number of cases; theirs are at least a 25th of what is to be shown.
TIMES = 25
BRIEF = {"TIMES": 1}
SUITES = "EnvDocumentTests|ReaderAgreementTests"
# At least, in a whole run: byte strings by each reader's grammar, edits that a real parser read, environments of processes.
AT_LEAST = {"identity": 100_000, "edits": 5_000, "environments": 200}
EDITS_TOGETHER = 100_000
REAL = ("node-env-file", "python-dotenv", "systemd", "bash", "dash")
MODELLED = ("node-dotenv", "compose", "docker")


def cases():
    return ["all readers", "a unit's environment"]


OUTSIDE = set(cases())


def prepare(build):
    """The tests are a program of the debug build."""
    if not program(build).exists():
        lines = f"cd '{PROJECT}'; source Scripts/lib/swift; swift build --build-tests \"${{walls[@]}}\""
        subprocess.run(["bash", "-c", lines], check=True, stdout=subprocess.DEVNULL)


def program(build):
    return pathlib.Path(build) / PROGRAMS[0]


def outside(case, host, runs):
    for _ in range(runs):
        if case == "all readers":
            yield tested(SUITES, host)
        else:
            # In a machine of its own: nothing is started by this host's systemd.
            with Machine(f"dialects-{os.getpid()}", host.build, "--bare") as machine:
                yield tested("environmentsOfServices", host, "MAINSTAY_READER_UNITS=1", where=machine.command)


def tested(suites, host, *environment, where=lambda *words: words):
    """Runs the tests and gives what they print. Colours would stand between the words that are looked for."""
    began = time.monotonic()
    words = ["env", "NO_COLOR=1", f"MAINSTAY_READER_CASES={TIMES}", *environment, str(program(host.build)),
             "--testing-library", "swift-testing", "--filter", suites]
    done = subprocess.run(where(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return figures_of(done.stdout, done.returncode) | {"times": TIMES, "seconds": round(time.monotonic() - began)}


def figures_of(text, status):
    """What the tests print of their cases, by what was asked and of which reader, and what failed."""
    counts = collections.defaultdict(dict)
    modelled = set()
    for what, reader, count, kind in re.findall(r"^dialects: (.*)\|(.*)\|(\d+)\|(.*)$", text, re.M):
        counts[what][reader] = int(count)
        if kind == "modelled":
            modelled.add(reader)
    wrong = re.findall(r"✘ (.* recorded an issue .*)$", text, re.M)
    if status != 0 and not wrong:
        wrong = [f"the tests ended with {status}: {text[-300:]}"]
    wrong += [f"no {reader} here" for reader in re.findall(r"skipped: no (.*) here", text)]
    return {"counts": counts, "modelled": sorted(modelled), "wrong": [one[:300] for one in wrong[:20]]}


def report(results):
    failures, table, together, seconds = [], [], 0, 0
    for case, runs in results.items():
        for figures in runs:
            failures += [f"{case}: {problem}" for problem in [*figures["wrong"], *lacks(case, figures)]]
            together += figures["counts"].get("edits", {}).get("all together", 0)
            seconds += figures["seconds"]
            table += rows(case, figures)
    return {"edits": together, "seconds": seconds, "table": table}, failures


def rows(case, figures):
    for reader in [*REAL, "sh", *MODELLED]:
        row = {camel(what): readers[reader] for what, readers in figures["counts"].items() if reader in readers}
        if row:
            modelled = {"modelled": True} if reader in figures["modelled"] else {}
            yield {"case": f"{case}: {reader}", **row, **modelled}


def lacks(case, figures):
    """What of the numbers to be shown is missing."""
    counts, whole = figures["counts"], figures["times"] >= TIMES > BRIEF["TIMES"]
    if case != "all readers":
        asked = counts.get("environments", {}).get("systemd", 0)
        if asked < (AT_LEAST["environments"] if whole else 1):
            yield f"{asked} units"
        return
    if sorted(figures["modelled"]) != sorted(MODELLED):
        yield f"modelled are {figures['modelled']}, expected {sorted(MODELLED)}"
    if not whole:
        return
    together = counts.get("edits", {}).get("all together", 0)
    if together < EDITS_TOGETHER:
        yield f"{together} edits, at least {EDITS_TOGETHER}"
    readers = {"identity": counts.get("identity", {}), "edits": REAL, "environments": ["node-env-file"]}
    for what, least in AT_LEAST.items():
        for reader in readers[what]:
            if counts.get(what, {}).get(reader, 0) < least:
                yield f"{reader}: {counts.get(what, {}).get(reader, 0)} {what}, at least {least}"


def camel(words):
    first, *rest = words.split()
    return first + "".join(word.capitalize() for word in rest)
