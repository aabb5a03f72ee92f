"""Must show 8: what the suite costs at rest, beside monit, node_exporter and Prometheus guarding and measuring the same."""

import os
import pathlib
import statistics
import subprocess
import time

import gateway
import rpc
from machine import PROJECT

TITLE = "the cost at rest"
RUNS = 1

SECONDS = 120
WARM_UP_S = 30
BRIEF = {"SECONDS": 15, "WARM_UP_S": 10}
AT_MOST = 0.75
SERIES_AT_LEAST = 500
TICKS = os.sysconf("SC_CLK_TCK")

PROMETHEUS = """\
global: {scrape_interval: 1s}
scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:9100"]}]}]
"""


def cases():
    return ["1 service", "20 services"]


def prepare(build):
    peers = ["monit", "prometheus", "prometheus-node-exporter"]
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), *peers], check=True)


def run(case, runs):
    """Inside the machine: both suites at once, over the same time."""
    ports = [7000 + number for number in range(int(case.split()[0]))]
    for port in ports:
        start_redis(port)
    for daemon in rpc.DAEMONS:
        gateway.systemctl("reload", f"mainstay-{daemon}.service")
    peers = start_peers(ports)
    try:
        time.sleep(WARM_UP_S)
        for _ in range(runs):
            yield measure(peers)
    finally:
        for process in peers.values():
            process.kill()
            process.wait()


def start_redis(port):
    """A real program to guard, as a unit of its own; the case before may have left it."""
    if gateway.main_pid(f"redis-{port}.service"):
        return
    subprocess.run(["systemd-run", "--quiet", f"--unit=redis-{port}", "--property=Restart=always",
                    "--property=RestartSec=15s", "redis-server", "--port", str(port), "--save", "",
                    "--daemonize", "no"], check=True)
    pathlib.Path(f"/etc/mainstay/services/redis-{port}.yaml").write_text(
        f"unit: redis-{port}.service\nliveness: {{tcp: 127.0.0.1:{port}, interval: 1s, timeout: 500ms}}\n")


def start_peers(ports):
    folder = pathlib.Path("/var/tmp/peers")
    folder.mkdir(exist_ok=True)
    checks = "".join(
        f"check process redis-{port} matching \"redis-server.*:{port}\"\n"
        f"  if failed host 127.0.0.1 port {port} with timeout 1 seconds then alert\n" for port in ports)
    control = folder / "monitrc"
    control.write_text(f"set daemon 1\nset logfile {folder}/monit.log\nset pidfile {folder}/monit.pid\n"
                       f"set idfile {folder}/monit.id\nset statefile {folder}/monit.state\n{checks}")
    control.chmod(0o600)
    (folder / "prometheus.yml").write_text(PROMETHEUS)
    words = {
        "monit": ["monit", "-I", "-c", str(control)],
        "node_exporter": ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:9100"],
        "prometheus": ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                       "--web.listen-address=127.0.0.1:9090"],
    }
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return {name: subprocess.Popen(command, **silent) for name, command in words.items()}


def cpu_s(pid):
    """User and system time of a process and of the children that it has reaped."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def pss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no Pss")


def measure(peers):
    ours = {daemon: gateway.main_pid(f"mainstay-{daemon}.service") for daemon in rpc.DAEMONS}
    all_pids = {**ours, **{name: process.pid for name, process in peers.items()}}
    before = {name: cpu_s(pid) for name, pid in all_pids.items()}
    began = time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    cpu = {name: (cpu_s(pid) - before[name]) * 60 / took for name, pid in all_pids.items()}
    pss = {name: pss_mib(pid) for name, pid in all_pids.items()}

    def total(figures, names):
        return sum(figures[name] for name in names)

    return {
        "seconds": round(took),
        "cpuSecondsAMinute": {name: round(value, 3) for name, value in cpu.items()},
        "pssMiB": {name: round(value, 1) for name, value in pss.items()},
        "series": rpc.call("metricsd", "status")["own"].get("series", 0),
        "cpuRatio": round(total(cpu, ours) / total(cpu, peers), 2),
        "pssRatio": round(total(pss, ours) / total(pss, peers), 2),
    }


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        figures[case] = runs[-1]
        for name in ("cpuRatio", "pssRatio"):
            value = statistics.median(one[name] for one in runs)
            if value > AT_MOST:
                problems.append(f"{case}: {name} {value}, at most {AT_MOST}")
        if runs[-1]["series"] < SERIES_AT_LEAST:
            problems.append(f"{case}: {runs[-1]['series']} series, at least {SERIES_AT_LEAST}")
    return figures, problems
