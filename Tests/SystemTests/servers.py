"""The servers whose figures metricsd reads, started by hand on loopback beside the exporter of each, and what hangs them."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import gateway
import rpc

PACKAGES = {"redis": "prometheus-redis-exporter", "postgres": "prometheus-postgres-exporter"}
PORTS = {"redis": 19379, "postgres": 19432}
EXPORTER_PORTS = {"redis": 19121, "postgres": 19187}
# What each is known by in the figures.
PREFIXES = {"redis": "redis_", "postgres": "pg_"}
UP = {"redis": "redis_up", "postgres": "pg_up"}

# Lines below `metricsd:`.
SETTINGS = """infrastructure:
  redis:
    - {{address: "127.0.0.1:{redis}", interval: 1s, timeout: 500ms}}
  postgres:
    - {{address: "127.0.0.1:{postgres}", user: mainstay, interval: 1s, timeout: 500ms, sizeInterval: 1s}}"""
HANG_S = 5
# A round of a collector may come so late, ms, while both cores are at work.
LATE_MS = 500
# Of each collector that goes on: one series, and how far apart its rounds are, ms.
OTHERS = {"node_load1": 1000, "node_filesystem_avail_bytes": 5000, "mainstay_metrics_series": 1000,
          'up{collector="system"}': 1000}
WITNESS = {"redis": "redis_uptime_in_seconds", "postgres": "pg_settings_max_connections"}


def settings():
    return SETTINGS.format(**PORTS).splitlines()


@contextlib.contextmanager
def both():
    """A Redis and a PostgreSQL server; gives the functions that hang each for HANG_S."""
    with tempfile.TemporaryDirectory(prefix="servers-") as folder, redis(folder), postgres(folder) as leader:
        yield {"redis": hang_redis, "postgres": lambda: hang_postgres(leader)}


@contextlib.contextmanager
def redis(folder):
    words = ["redis-server", "--port", str(PORTS["redis"]), "--bind", "127.0.0.1", "--save", "", "--dir", folder,
             "--enable-debug-command", "local", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        gateway.wait_until("Redis listens", lambda: answers("redis"), 20)
        for command in ("SET a 1 EX 3600", "GET a", "GET none", "LPUSH a 1"):
            ask_redis(command)
        yield
    finally:
        process.kill()  # it has nothing to keep
        process.wait(10)


@contextlib.contextmanager
def postgres(folder):
    """Run as the user that may not be root; gives the id of its first process."""
    programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    user = pwd.getpwnam("postgres")
    data = pathlib.Path(folder) / "postgres"
    data.mkdir()
    os.chown(data, user.pw_uid, user.pw_gid)
    os.chmod(folder, 0o755)

    def run(*words):
        subprocess.run(words, user=user.pw_uid, group=user.pw_gid, cwd=data, check=True, stdout=subprocess.DEVNULL)

    run(programs / "initdb", "-D", data / "data", "-A", "trust", "-N")
    words = [programs / "postgres", "-D", data / "data", "-p", str(PORTS["postgres"]), "-k", data,
             "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=16MB"]
    process = subprocess.Popen(words, user=user.pw_uid, group=user.pw_gid, cwd=data, stderr=subprocess.DEVNULL)
    try:
        gateway.wait_until("PostgreSQL listens", lambda: answers("postgres"), 20)
        for statement in ("CREATE ROLE mainstay LOGIN IN ROLE pg_monitor", "CREATE DATABASE app"):
            run("psql", "-h", data, "-p", str(PORTS["postgres"]), "-d", "postgres", "-qc", statement)
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(data, ignore_errors=True)


def answers(server):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORTS[server]), 1):
        return True
    return False


def ask_redis(command):
    with socket.create_connection(("127.0.0.1", PORTS["redis"]), HANG_S + 5) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(4096)


def exporter_words(server):
    """The exporter's command line, and what it wants in its environment."""
    listen = f"127.0.0.1:{EXPORTER_PORTS[server]}"
    if server == "redis":
        return [PACKAGES[server], "-redis.addr", f"redis://127.0.0.1:{PORTS[server]}", "-web.listen-address", listen], {}
    source = f"host=127.0.0.1 port={PORTS[server]} user=mainstay dbname=postgres sslmode=disable"
    return [PACKAGES[server], f"--web.listen-address={listen}"], {"DATA_SOURCE_NAME": source}


# ---- What hangs


def hang_redis():
    answer = ask_redis(f"DEBUG SLEEP {HANG_S}")
    if not answer.startswith(b"+OK"):
        raise RuntimeError(f"DEBUG SLEEP: {answer}")


def hang_postgres(leader):
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(leader)], capture_output=True, text=True, check=True)
    processes = [leader, *map(int, children.stdout.split())]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(HANG_S)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def hung(server, folder, hang):
    """One hang, and what metricsd's figures say of it: of the server itself, and of all that was to go on."""
    other = next(name for name in PORTS if name != server)
    with rpc.Connection("metricsd", folder=folder) as connection:
        gateway.wait_until("both are up", lambda: all(last(connection, UP[name]) == 1 for name in PORTS), 30)
        time.sleep(HANG_S)
        before = failures(connection)
        began = now_ms()
        hang()
        ended = now_ms()
        back = gateway.wait_until("it is up again", lambda: last(connection, UP[server]) == 1 and now_ms(), 30)
        time.sleep(1)
        after = failures(connection)
        gaps = {name: widest(connection, name, began - 1000 * HANG_S, ended) - every
                for name, every in {**OTHERS, WITNESS[other]: 1000}.items()}
        return {
            "hungMs": ended - began,
            "downSeen": 0 in values(connection, UP[server], began, ended + 1000),
            "upAgainMs": back - ended,
            "latestOthersMs": max(gaps.values()), "lateness": gaps,
            "othersFailed": {name: after[name] - before.get(name, 0) for name in after
                             if not name.startswith(f"{server}:") and after[name] > before.get(name, 0)},
            "ownFailures": sum(after[name] - before[name] for name in after if name.startswith(f"{server}:")),
        }


def lacks(hung):
    """What was not to be so while a server hung."""
    if not hung["downSeen"] or not hung["ownFailures"]:
        yield "that it hung was not told"
    if hung["latestOthersMs"] > LATE_MS:
        yield f"others were late by {hung['latestOthersMs']} ms: {hung['lateness']}"
    for name, count in hung["othersFailed"].items():
        yield f"{count:.0f} rounds of {name} failed meanwhile"


def now_ms():
    return int(time.time() * 1000)


def points(connection, selector, start, end):
    return connection.call("queryRange", selector=selector, fromMs=start, toMs=end)["series"]


def values(connection, selector, start, end):
    return [float(value) for series in points(connection, selector, start, end) for _, value in series["points"]]


def last(connection, selector):
    found = values(connection, selector, now_ms() - 7000, now_ms())
    return found[-1] if found else None


def widest(connection, selector, start, end):
    """The longest time between two rounds, ms, from `start` to `end`; both ends count."""
    times = sorted({point[0] for series in points(connection, selector, start, end) for point in series["points"]})
    if len(times) < 2:
        return end - start
    return max(late - early for early, late in zip(times, times[1:]))


def failures(connection):
    """Rounds that gave nothing, by collector, over metricsd's life."""
    found = points(connection, "scrape_failures_total", now_ms() - 5000, now_ms())
    return {series["labels"]["collector"]: float(series["points"][-1][1]) for series in found if series["points"]}
