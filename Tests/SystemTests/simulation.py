"""Must show 7: 48 simulated hours from each of 200 seeds: no invariant broken, the same digest again, a seed's CPU."""

import concurrent.futures
import hashlib
import os
import pathlib
import statistics
import subprocess
import time

TITLE = "48 simulated hours from many seeds"
RUNS = 1
MACHINE = False
PROGRAMS = ("simulate",)

HOURS = 48
SEEDS = 200
# So many of the first seeds are run twice.
REPEATED = 10
BRIEF = {"SEEDS": 4, "REPEATED": 2}

CPU_S_AT_MOST = 2.0
WALL_S_AT_MOST = 240

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def cases():
    return [f"{HOURS} h"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    """On this host: one process a seed, as many at once as there are cores for us."""
    program = prepare(host.build)
    seeds = [*range(1, SEEDS + 1), *range(1, REPEATED + 1)]
    for _ in range(runs):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            done = list(pool.map(lambda seed: simulate(program, seed), seeds))
        yield summary(done[:SEEDS], done[SEEDS:], time.monotonic() - began)


def prepare(build):
    """`simulate` beside the other executables: built where it is not there, since no machine needs it."""
    program = pathlib.Path(build) / "simulate"
    if not program.exists():
        subprocess.run([str(PROJECT / "Scripts/lib/build"), "simulate"], check=True, stdout=subprocess.DEVNULL)
    if not program.exists():
        raise RuntimeError(f"no simulate in {build}")
    return str(program)


def simulate(program, seed):
    """One seed's run: what it printed, and the CPU time that it took."""
    words = [program, "--hours", str(HOURS), "--seed", str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        lines = process.stdout.read().splitlines()
        _, status, usage = os.wait4(process.pid, 0)  # not wait(): only this tells the CPU time
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1) or not lines:
        raise RuntimeError(f"seed {seed}: simulate ended with {process.returncode}")
    return {
        "seed": seed,
        "line": lines[0],
        "figures": dict(word.split("=", 1) for word in lines[0].split()),
        "broken": [line.strip().removeprefix("broken: ") for line in lines[1:]],
        "cpuS": usage.ru_utime + usage.ru_stime,
    }


def summary(first, again, wall_s):
    slowest = max(first, key=lambda one: one["cpuS"])
    digests = " ".join(one["figures"]["digest"] for one in first)
    counts = {name: sum(int(one["figures"][name]) for one in first) for name in ("faults", "incidents", "restarts")}
    return {
        "seeds": len(first),
        **counts,
        "broken": [f"seed {one['seed']}: {problem}" for one in first for problem in one["broken"]],
        "repeated": len(again),
        "different": [one["seed"] for one, other in zip(first, again) if one["line"] != other["line"]],
        # Two reports with the same one saw the same 200 runs.
        "digestOfDigests": hashlib.sha256(digests.encode()).hexdigest()[:16],
        "cpuSecondsASeed": {
            "median": round(statistics.median(one["cpuS"] for one in first), 2),
            "max": round(slowest["cpuS"], 2),
            "slowestSeed": slowest["seed"],
        },
        "wallSeconds": round(wall_s, 1),
    }


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        figures[case] = runs[-1]
        for one in runs:
            problems += one["broken"]
            problems += [f"seed {seed} did not give the same run again" for seed in one["different"]]
            median = one["cpuSecondsASeed"]["median"]
            if median > CPU_S_AT_MOST:
                problems.append(f"{case}: {median} s of CPU a seed at the median, at most {CPU_S_AT_MOST}")
            if one["wallSeconds"] > WALL_S_AT_MOST:
                problems.append(f"{case}: {one['wallSeconds']} s in all, at most {WALL_S_AT_MOST}")
    return figures, problems
