"""Must show 8: a `status` request beside a C echo of the same bytes, in one run."""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile

import rpc

TITLE = "a status request beside a C echo"
RUNS = 5

COUNT = 30_000
PIPELINED = 200_000
DEPTH = 64
DAEMON = "watchdogd"
BRIEF = {"COUNT": 5_000, "PIPELINED": 20_000}

# The most that the issue allows: ratios to the echo, and requests a second.
AT_MOST = {"one core": 3.0, "unpinned": 1.5}
AT_LEAST_PER_S = 80_000

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "Scripts/lib/bench"


def cases():
    return ["one core", "unpinned", "pipelined"]


def run(case, runs):
    """Inside the machine: the same request to both, turn about."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("echo", "client"):
            subprocess.run(["gcc", "-O2", "-o", f"{folder}/{name}", f"{SOURCES}/{name}.c"], check=True)
        request = {"jsonrpc": "2.0", "id": 1, "method": "status", "params": {"deadlineMs": 1000}}
        pathlib.Path(f"{folder}/request").write_text(json.dumps(request, separators=(",", ":")))
        reply = {"jsonrpc": "2.0", "id": 1, "result": rpc.call(DAEMON, "status")}
        pathlib.Path(f"{folder}/reply").write_text(json.dumps(reply, separators=(",", ":")))
        echo = subprocess.Popen([f"{folder}/echo", f"{folder}/echo.sock", f"{folder}/reply"])
        daemon = int(subprocess.check_output(["systemctl", "show", "-P", "MainPID", f"mainstay-{DAEMON}"]))
        pin = case == "one core"
        try:
            while not os.path.exists(f"{folder}/echo.sock"):
                pass
            for pid in (daemon, echo.pid):
                place(pid, "0" if pin else "0,1")
            for _ in range(runs):
                yield measure(folder, case, pin)
        finally:
            place(daemon, "0,1")
            echo.kill()
            echo.wait()


def place(pid, cpus):
    subprocess.run(["taskset", "-a", "-p", "-c", cpus, str(pid)], check=True, stdout=subprocess.DEVNULL)


def measure(folder, case, pin):
    def client(socket, count, depth):
        words = [f"{folder}/client", socket, f"{folder}/request", str(count), str(depth)]
        return json.loads(subprocess.check_output((["taskset", "-c", "0"] if pin else []) + words))

    echo_socket, socket = f"{folder}/echo.sock", rpc.path(DAEMON)
    if case == "pipelined":
        echo, status = (client(where, PIPELINED, DEPTH) for where in (echo_socket, socket))
        return {"echoPerS": echo["perSecond"], "statusPerS": status["perSecond"], "replyBytes": status["replyBytes"]}
    echo, status = (client(where, COUNT, 1) for where in (echo_socket, socket))
    return {"echoNs": echo["medianNs"], "statusNs": status["medianNs"], "replyBytes": status["replyBytes"],
            "ratio": round(status["medianNs"] / echo["medianNs"], 2)}


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        figures[case] = {name: statistics.median(one[name] for one in runs) for name in runs[0]}
    for case, most in AT_MOST.items():
        if figures[case]["ratio"] > most:
            problems.append(f"{case}: {figures[case]['ratio']} times the echo, at most {most}")
    if figures["pipelined"]["statusPerS"] < AT_LEAST_PER_S:
        problems.append(f"pipelined: {figures['pipelined']['statusPerS']:.0f} a second, at least {AT_LEAST_PER_S}")
    return figures, problems
