"""Random bytes and random edits, held against the model of every reader of .env files, and against the real parsers.

The cases are those of ConfigCore's own tests (`EnvDocumentTests`, `ReaderAgreementTests`), so many times over. Real are node's
parser (`util.parseEnv`, which `--env-file` is), python-dotenv, bash, dash, and systemd's `load_env_file`, called in its library:
what `EnvironmentFile=` is read with, though not by process 1. The others are modelled.
"""

import collections
import os
import pathlib
import re
import subprocess
import time

from power_cuts import PROJECT

TITLE = "random bytes and edits of .env files, by every reader"
RUNS = 1
MACHINE = False
PROGRAMS = ("../debug/mainstayPackageTests.xctest",)

# How many times the tests' own number of cases; theirs are at least a 25th of what is to be shown.
TIMES = 25
BRIEF = {"TIMES": 1}
SUITES = "EnvDocumentTests|ReaderAgreementTests"
# At least, in a whole run: byte strings by each reader's grammar, edits of which each was made for several readers, edits that
# a real parser read.
AT_LEAST = {"identity": 100_000, "edits": 5_000}
EDITS_TOGETHER = 100_000
REAL = ("node-env-file", "python-dotenv", "systemd", "bash", "dash")
MODELLED = ("node-dotenv", "compose", "docker")


def cases():
    return ["all readers"]


OUTSIDE = set(cases())


def prepare(build):
    """The tests are a program of the debug build."""
    if not program(build).exists():
        lines = f"cd '{PROJECT}'; source Scripts/lib/swift; swift build --build-tests \"${{walls[@]}}\""
        subprocess.run(["bash", "-c", lines], check=True, stdout=subprocess.DEVNULL)


def program(build):
    return pathlib.Path(build) / PROGRAMS[0]


def outside(case, host, runs):
    words = [str(program(host.build)), "--testing-library", "swift-testing", "--filter", SUITES]
    environment = {**os.environ, "MAINSTAY_READER_CASES": str(TIMES)}
    for _ in range(runs):
        began = time.monotonic()
        done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        yield figures_of(done.stdout, done.returncode) | {"times": TIMES, "seconds": round(time.monotonic() - began)}


def figures_of(text, status):
    """What the tests print of their cases, by what was asked and of which reader, and what failed."""
    counts = collections.defaultdict(dict)
    modelled = set()
    for what, reader, count, kind in re.findall(r"^dialects: (.*)\|(.*)\|(\d+)\|(.*)$", text, re.M):
        counts[what][reader] = int(count)
        if kind == "modelled":
            modelled.add(reader)
    wrong = re.findall(r"^✘ (.*)$", text, re.M)
    if status != 0 and not wrong:
        wrong = [f"the tests ended with {status}: {text[-300:]}"]
    wrong += [f"no {reader} here" for reader in re.findall(r"skipped: no (.*) here", text)]
    return {"counts": counts, "modelled": sorted(modelled), "wrong": [one[:300] for one in wrong[:20]]}


def report(results):
    failures, table = [], []
    for figures in results["all readers"]:
        failures += figures["wrong"]
        counts = figures["counts"]
        together = counts.get("edits", {}).get("all together", 0)
        for reader in [*REAL, "sh", *MODELLED]:
            row = {"case": reader, **{camel(what): readers[reader] for what, readers in counts.items() if reader in readers}}
            table.append(row | ({"modelled": True} if reader in figures["modelled"] else {}))
        if sorted(figures["modelled"]) != sorted(MODELLED):
            failures.append(f"modelled are {figures['modelled']}, expected {sorted(MODELLED)}")
        if figures["times"] < TIMES or TIMES == BRIEF["TIMES"]:
            continue
        if together < EDITS_TOGETHER:
            failures.append(f"{together} edits, at least {EDITS_TOGETHER}")
        for what, least in AT_LEAST.items():
            for reader in REAL if what == "edits" else counts[what]:
                if counts[what].get(reader, 0) < least:
                    failures.append(f"{reader}: {counts[what].get(reader, 0)} {what}, at least {least}")
    return {"edits": together, "seconds": figures["seconds"], "table": table}, failures


def camel(words):
    first, *rest = words.split()
    return first + "".join(word.capitalize() for word in rest)
