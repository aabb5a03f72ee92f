"""Real etcd: 500 revisions at once with a bad one in the middle, etcd killed and back; the file holds the last valid one, status keys say why."""

import base64
import http.client
import json
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
import suite
from machine import Machine

TITLE = "configd-etcd on a real etcd-server"
RUNS = 3
MACHINE = False
PROGRAMS = ("configd", "configd-etcd")

REVISIONS = 500
BAD = 250
GONE_S = 2.0
# Between two revisions while daemons are killed.
PAUSE_S = 0.005
BRIEF = {"GONE_S": 0.5, "PAUSE_S": 0.002}
# From the last put, or from etcd's return, to the file.
SETTLED_S_AT_MOST = 15.0

PROJECT = pathlib.Path(__file__).resolve().parents[2]
BADLY = "two\nlines"  # no line of a file that docker reads can hold it


def cases():
    return ["at once", "etcd killed within", "daemons killed", "behind", "compacted", "on trial", "with a password", "as a unit"]


OUTSIDE = set(cases())


def prepare(build):
    """etcd, and the executables where they are not there yet."""
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), "etcd-server"], check=True)
    missing = [name for name in PROGRAMS if not (pathlib.Path(build) / name).exists()]
    if missing:
        subprocess.run([str(PROJECT / "Scripts/lib/build"), *missing], check=True, stdout=subprocess.DEVNULL)


def outside(case, host, runs):
    """On this host: an etcd, a configd and a configd-etcd of their own; but for their units."""
    if case == "as a unit":
        for _ in range(runs):
            with Machine(f"etcd-{os.getpid()}", host.build, "--unit", "etcd.service") as machine:
                yield json.loads(machine.python("import etcd, json; print(json.dumps(etcd.as_a_unit()))"))
        return
    act = {
        "at once": at_once, "etcd killed within": killed_within, "daemons killed": daemons_killed, "behind": behind,
        "compacted": compacted, "on trial": on_trial, "with a password": with_a_password,
    }[case]
    for _ in range(runs):
        bench = Bench(host.build, confirm="1s" if case == "on trial" else None, password=case == "with a password")
        try:
            yield act(bench)
        except Exception:
            print(bench.tail(), flush=True)
            raise
        finally:
            bench.close()


# ---- The cases


def at_once(bench):
    """Everything runs. The file is read all the time, and must never hold but a valid value, each newer than the one before."""
    bench.start()
    with Reader(bench.file) as reader:
        last, bad, put_s = burst(bench)
        settled_s = bench.settle(str(REVISIONS))
    wrong = verdicts(bench, last, bad) + reader.wrong()
    return {"putS": put_s, "settledS": settled_s, **counts(bench), "valuesSeen": len(reader.seen), "wrong": wrong}


def killed_within(bench):
    """etcd is killed at the 300th revision and is away for a while; the rest comes when it is back."""
    bench.start()
    with Reader(bench.file) as reader:
        _, bad, _ = burst(bench, last=300)
        bench.kill_etcd()
        bench.until(lambda: not bench.status()["answers"], "configd-etcd notices")
        time.sleep(GONE_S)
        while_gone = bench.value()
        bench.start_etcd()
        back = time.monotonic()
        last, _, _ = burst(bench, first=301)
        bench.settle(str(REVISIONS))
        settled_s = round(time.monotonic() - back, 2)
    wrong = verdicts(bench, last, bad) + reader.wrong()
    if not while_gone.isdigit() or not 1 <= int(while_gone) <= 300:
        wrong.append(f"with etcd gone the file held {while_gone!r}")
    return {"whileGone": while_gone, "settledS": settled_s, **counts(bench), "wrong": wrong}


def daemons_killed(bench):
    """configd and configd-etcd are killed in turn while the revisions come, each as often as there is time."""
    bench.start()
    kills = []
    with Reader(bench.file) as reader, Killer(bench, kills):
        last, bad, _ = burst(bench, pause_s=PAUSE_S)
    settled_s = bench.settle(str(REVISIONS))
    return {"kills": len(kills), "settledS": settled_s, **counts(bench),
            "wrong": verdicts(bench, last, bad) + reader.wrong()}


class Killer(suite.Meanwhile):
    """Kills one daemon after the other, and starts each again."""

    def __init__(self, bench, kills):
        super().__init__()
        self.bench, self.kills = bench, kills

    def run(self):
        while not self.ended.wait(0.3):
            name = ("configd", "configd-etcd")[len(self.kills) % 2]
            self.bench.stop(name, signal.SIGKILL)
            self.kills.append(name)
            self.bench.start(name)


def behind(bench):
    """Nobody follows while 500 revisions come and etcd is killed; they are all found waiting. Then etcd is gone for good."""
    bench.start()
    bench.put("KEY", "0")
    bench.settle("0")
    bench.stop("configd-etcd")
    last, bad, _ = burst(bench)
    bench.kill_etcd()
    bench.start("configd-etcd")
    wrong = [] if bench.value() == "0" else ["without etcd the file changed"]
    before = counts(bench)["versions"]
    bench.start_etcd()
    settled_s = bench.settle(str(REVISIONS))
    wrong += verdicts(bench, last, bad)
    made = counts(bench)["versions"] - before
    if made != 1:
        wrong.append(f"{made} versions of what waited together")
    figures = counts(bench)
    bench.kill_etcd()
    bench.stop("configd-etcd", signal.SIGKILL)
    bench.start("configd-etcd")
    if bench.value() != str(REVISIONS):
        wrong.append(f"with etcd gone for good the file holds {bench.value()!r}")
    return {"settledS": settled_s, **figures, "versionsOfBacklog": made, "wrong": wrong}


def compacted(bench):
    """What was missed is compacted away: the keys are listed, and what etcd had set and has no more is removed."""
    bench.start()
    bench.transaction({"KEY": "1", "GOING": "1"})
    bench.settle("1")
    bench.stop("configd-etcd")
    bench.transaction({"GOING": None})
    bench.call("/v3/kv/deleterange", {"key": text64("/mainstay/gateway/env/OWN")})
    revision = bench.put("KEY", "2")
    bench.call("/v3/kv/compaction", {"revision": str(revision)})
    bench.start("configd-etcd")
    settled_s = bench.settle("2")
    wrong = [] if b"GOING" not in bench.file.read_bytes() else ["a deleted key is still there"]
    if b"OWN=here" not in bench.file.read_bytes():
        wrong.append("a key that etcd never set is gone")
    return {"settledS": settled_s, **counts(bench), "wrong": wrong}


def on_trial(bench):
    """Nobody confirms: it goes back by itself, its status says so, and a restart does not try it again."""
    bench.start()
    revision = bench.put("KEY", "1")
    began = time.monotonic()
    bench.until(lambda: bench.value() == "1", "it is on trial")
    bench.until(lambda: (bench.written() or {}).get("outcome") == "onTrial", "its status says so")
    bench.until(lambda: (bench.written() or {}).get("outcome") == "takenBack", "it is taken back", 60)
    settled_s = round(time.monotonic() - began, 2)
    refusal = bench.written(f"/refused/{revision}")
    wrong = []
    if bench.value() != "none":
        wrong.append(f"the file holds {bench.value()!r}")
    if refusal["error"] != "takenBack" or not refusal["remedy"]:
        wrong.append(f"its status key says {refusal}")
    versions = counts(bench)["versions"]
    bench.stop("configd-etcd")
    bench.start("configd-etcd")
    bench.until(lambda: bench.status()["answers"], "it follows again")
    if counts(bench)["versions"] != versions:
        wrong.append("a restart tried it again")
    return {"takenBackS": settled_s, **counts(bench), "why": refusal["message"], "wrong": wrong}


def with_a_password(bench):
    """etcd asks who is there, and its tokens run out."""
    bench.start()
    bench.put("KEY", "1")
    settled_s = bench.settle("1")
    time.sleep(3)  # the tokens of this etcd live for two seconds
    bench.put("KEY", "2")
    bench.settle("2")
    bench.until(lambda: bench.written()["applied"] == bench.revision, "its status is written")
    return {"settledS": settled_s, **counts(bench), "wrong": []}


def as_a_unit():
    """Inside the machine: Debian's etcd and configd-etcd's own unit, each started and stopped by systemctl."""
    wrong, unit = [], "mainstay-configd-etcd.service"
    suite.wait_for_daemons()
    # Without an etcd in the settings there is nothing to follow: it says so once, and is not tried again.
    gateway.systemctl("start", unit, check=False)
    gateway.wait_until("it is refused", lambda: shown(unit, "ActiveState") == "failed", 15)
    if (shown(unit, "ExecMainStatus"), shown(unit, "NRestarts")) != ("78", "0"):
        wrong.append(f"without settings: status {shown(unit, 'ExecMainStatus')}, {shown(unit, 'NRestarts')} restarts")
    with open("/etc/mainstay/mainstay.yaml", "a") as file:
        file.write("etcd:\n  endpoints: [http://127.0.0.1:2379]\n  host: here\n  services:\n    - name: gateway\n")
    gateway.systemctl("start", "etcd.service")
    gateway.systemctl("start", unit)
    began = time.monotonic()
    put("SEEN", "1")
    arrived = arrives("SEEN=1")
    figures = {"arrivedS": round(time.monotonic() - began, 2), "user": owner(gateway.main_pid(unit))}
    # As each daemon's own do: a word that its settings changed, a KILL, a stop.
    gateway.systemctl("reload", unit)
    os.kill(gateway.main_pid(unit), signal.SIGKILL)
    gateway.wait_until("it is back", lambda: rpc.answers("configd-etcd"), 15)
    put("SEEN", "2")
    arrived &= arrives("SEEN=2")
    if "follows 127.0.0.1:2379 at revision" not in row():
        wrong.append(f"`mainstay status` says {row()!r}")
    began = time.monotonic()
    gateway.systemctl("stop", unit)
    figures |= {"stoppedS": round(time.monotonic() - began, 2), "result": shown(unit, "Result")}
    put("SEEN", "3")
    time.sleep(1)
    if "SEEN=2" not in pathlib.Path("/etc/gateway/.env").read_text():
        wrong.append("a stopped one went on")
    if subprocess.run(["mainstay", "status"], capture_output=True).returncode == 3:
        wrong.append("`mainstay status` misses one that was stopped")
    gateway.systemctl("start", unit)
    arrived &= arrives("SEEN=3")
    if not arrived:
        wrong.append("a revision did not arrive in the file")
    if figures["result"] != "success" or figures["user"] != "mainstay-etcd":
        wrong.append(f"it ran as {figures['user']} and stopped with {figures['result']}")
    figures["security"] = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", unit], capture_output=True, text=True).stdout.splitlines()[-1].strip()
    # What was said at warning and above, of which its first start and its KILL are meant.
    said = [json.loads(line) for line in suite.journal("-p", "warning", "-u", unit).splitlines()]
    figures["warnings"] = [one["MESSAGE"] for one in said][:10]
    return {**figures, "wrong": wrong}


def row():
    """What `mainstay status` says of it."""
    lines = subprocess.run(["mainstay", "status"], capture_output=True, text=True).stdout.splitlines()
    return next((line for line in lines if line.startswith("configd-etcd")), "")


def shown(unit, what):
    return gateway.systemctl("show", "-P", what, unit)


def owner(pid):
    return pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name


def put(key, value):
    body = {"key": text64(f"/mainstay/gateway/env/{key}"), "value": text64(value)}
    connection = http.client.HTTPConnection("127.0.0.1", 2379, timeout=5)
    connection.request("POST", "/v3/kv/put", json.dumps(body))
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"etcd: {answer.status} {answer.read()[:200]}")
    connection.close()


def arrives(line):
    return bool(gateway.wait_until(
        line, lambda: line in pathlib.Path("/etc/gateway/.env").read_text().splitlines(), SETTLED_S_AT_MOST))


def burst(bench, first=1, last=REVISIONS, pause_s=0.0):
    """One put after the other, as fast as etcd takes them. Returns the last revision, the bad one, and how long it took."""
    began, bad = time.monotonic(), None
    for number in range(first, last + 1):
        revision = bench.put("KEY", BADLY if number == BAD else str(number))
        if number == BAD:
            bad = revision
        time.sleep(pause_s)
    return revision, bad, round(time.monotonic() - began, 2)


def verdicts(bench, last, bad):
    """What is wrong with the status keys."""
    wrong = []
    try:
        bench.until(lambda: (bench.written() or {}).get("applied") == last, "the status key says so", 5)
    except TimeoutError:
        wrong.append(f"the status key says {bench.written()}, the last revision is {last}")
        return wrong
    status, refusal = bench.written(), bench.written(f"/refused/{bad}")
    if status["outcome"] != "applied" or status["refused"] != bad:
        wrong.append(f"the status key says {status}")
    if not refusal or refusal["error"] != "unwritable" or "docker" not in refusal["message"] or not refusal["remedy"]:
        wrong.append(f"the bad revision's key says {refusal}")
    if refused := [key for key in bench.keys("/mainstay-status/") if "/refused/" in key][1:]:
        wrong.append(f"others were refused: {refused}")
    return wrong


def counts(bench):
    history = bench.ask("configd", "history", service="gateway", limit=1)["versions"]
    return {"versions": history[0]["version"], "statusKeys": len(bench.keys("/mainstay-status/"))}


class Reader(suite.Meanwhile):
    """Reads the file all the time, and notes what values it held."""

    def __init__(self, file):
        super().__init__()
        self.file, self.seen = file, []

    def run(self):
        while not self.ended.wait(0.001):
            value = value_of(self.file)
            if not self.seen or self.seen[-1] != value:
                self.seen.append(value)

    def wrong(self):
        values = [value for value in self.seen if value != "none"]
        bad = [value for value in values if not value.isdigit() or int(value) == BAD]
        order = [int(value) for value in values if value.isdigit()]
        return [f"the file held {bad}"] if bad else [] if order == sorted(order) else [f"out of order: {order}"]


def value_of(file):
    for line in file.read_text().splitlines():
        if line.startswith("KEY="):
            return line[4:].strip("'\"")
    return "missing"


# ---- The programs


def text64(text):
    return base64.b64encode(text.encode()).decode()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Bench:
    """An etcd, a configd and a configd-etcd of their own, in a folder of their own."""

    def __init__(self, build, confirm=None, password=False):
        self.build, self.password = build, password
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-etcd-"))
        for folder in ("settings/services", "sockets", "state", "service"):
            (self.root / folder).mkdir(parents=True)
        self.file = self.root / "service/.env"
        self.file.write_text("# kept by hand\nOWN=here\nKEY=none\nMODE=production\nLOG=/var/log/gateway\nWORKERS=4\n")
        self.port, self.peer_port = free_port(), free_port()
        self.processes, self.token, self.connection, self.revision = {}, None, None, 0
        (self.root / "settings/services/gateway.yaml").write_text(
            f"unit: gateway.service\nconfig:\n  files:\n    - path: {self.file}\n      readers: [systemd, docker]\n  activation: nothing\n")
        (self.root / "password").write_text("secret\n")
        user = f"  user: root\n  passwordFile: {self.root}/password\n" if password else ""
        (self.root / "settings/mainstay.yaml").write_text(
            f"etcd:\n  endpoints: [http://127.0.0.1:{self.port}]\n  host: here\n{user}  services:\n"
            f"    - name: gateway\n" + (f"      confirm: {confirm}\n" if confirm else ""))

    def start(self, *names):
        if not names:
            self.start_etcd()
            if self.password:
                self.call("/v3/auth/user/add", {"name": "root", "password": "secret"})
                self.call("/v3/auth/user/grant", {"user": "root", "role": "root"})
                self.call("/v3/auth/enable", {})
        for name in names or ("configd", "configd-etcd"):
            folders = {part: str(self.root / part) for part in ("settings", "sockets")}
            state = self.root / "state" / name
            state.mkdir(exist_ok=True)
            flags = [word for part, folder in folders.items() for word in (f"--{part}", folder)]
            flags += ["--state", str(state), "--documents", str(PROJECT / "Protocols"), "--foreground"]
            self.spawn(name, f"{self.build}/{name}", *flags)
            self.until(lambda one=name: self.ask(one, "status"), f"{name} answers")
        if not names:
            self.until(lambda: self.status()["answers"], "etcd is followed")

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peer_port}"
        self.spawn(
            "etcd", "etcd", "--data-dir", str(self.root / "etcd"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"default={peer}", *(["--auth-token-ttl", "2"] if self.password else []))
        self.connection = None
        path = "/v3/auth/authenticate" if self.token else "/v3/kv/range"
        self.until(lambda: self.call(path, {"key": text64("x")} if not self.token else
                                     {"name": "root", "password": "secret"}), "etcd answers", 20)

    def spawn(self, name, *words):
        log = open(self.root / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "ETCD_UNSUPPORTED_ARCH": ""})

    def stop(self, name, how=signal.SIGTERM):
        process = self.processes.pop(name, None)
        if process:
            process.send_signal(how)
            process.wait(10)

    def kill_etcd(self):
        self.stop("etcd", signal.SIGKILL)

    def close(self):
        for name in list(self.processes):
            self.stop(name, signal.SIGKILL)
        shutil.rmtree(self.root)

    def tail(self):
        return "\n".join(
            f"{log.name}: {line}" for log in self.root.glob("*.log")
            for line in log.read_text(errors="replace").splitlines()[-20:] if log.name != "etcd.log")

    # ---- What they say

    def ask(self, daemon, method, **params):
        with rpc.Connection(daemon, 5, str(self.root / "sockets")) as connection:
            return connection.call(method, **params)

    def status(self):
        return self.ask("configd-etcd", "status")["own"]

    def value(self):
        return value_of(self.file)

    def settle(self, value):
        """Waits until the file holds the value; returns how long that took."""
        began = time.monotonic()
        self.until(lambda: self.value() == value, f"the file holds {value}", 60)
        return round(time.monotonic() - began, 2)

    def until(self, condition, what, limit_s=10.0):
        end = time.monotonic() + limit_s
        while True:
            try:
                if condition():
                    return
            except rpc.Silent:
                pass
            except (OSError, http.client.HTTPException):
                self.connection = None
            if time.monotonic() > end:
                raise TimeoutError(f"waited {limit_s:.0f} s: {what}; the file holds {self.value()!r}")
            time.sleep(0.005)

    # ---- etcd's own HTTP

    def call(self, path, body):
        if self.password and self.token is None and path.startswith("/v3/kv/") and "configd-etcd" in self.processes:
            self.token = self.call("/v3/auth/authenticate", {"name": "root", "password": "secret"})["token"]
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"Authorization": self.token} if self.token else {}
        self.connection.request("POST", path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status == 401 and self.token:
            self.token = None
            return self.call(path, body)
        if answer.status != 200:
            raise RuntimeError(f"etcd {path}: {answer.status} {text[:200]}")
        return json.loads(text)

    def put(self, key, value):
        return self.transaction({key: value})

    def transaction(self, values):
        """Sets keys of the service in one revision, or deletes them where the value is None; returns the revision."""
        operations = []
        for key, value in values.items():
            name = text64(f"/mainstay/gateway/env/{key}")
            operations.append(
                {"request_delete_range": {"key": name}} if value is None
                else {"request_put": {"key": name, "value": text64(value)}})
        self.revision = int(self.call("/v3/kv/txn", {"success": operations})["header"]["revision"])
        return self.revision

    def range(self, prefix):
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        answer = self.call("/v3/kv/range", {"key": text64(prefix), "range_end": text64(end)})
        return {base64.b64decode(one["key"]).decode(): base64.b64decode(one.get("value", "")).decode()
                for one in answer.get("kvs", [])}

    def keys(self, prefix):
        return sorted(self.range(prefix)) if "etcd" in self.processes else []

    def written(self, rest=""):
        """What stands under the service's status key, or None."""
        text = self.range("/mainstay-status/gateway/here").get(f"/mainstay-status/gateway/here{rest}")
        return json.loads(text) if text else None


def report(results):
    problems = []
    for case, runs in results.items():
        problems += [f"{case}: {problem}" for one in runs for problem in one["wrong"]]
        for one in runs:
            if one.get("settledS", 0) > SETTLED_S_AT_MOST:
                problems.append(f"{case}: {one['settledS']} s until the file held it, at most {SETTLED_S_AT_MOST}")
    return {"table": [{"case": case, **one} for case, runs in results.items() for one in runs]}, problems
