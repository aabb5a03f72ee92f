"""Bad input on every socket: reasoned refusals, bounded memory, and nobody else harmed."""

import json
import os
import random
import resource
import socket
import struct
import threading
import time

import rpc

TITLE = "bad input"
RUNS = 3

NOBODY = 65534
CONNECTIONS = 1000
PER_USER = 64
# What a daemon may hold more while it is being attacked: 16 MiB of unfinished frames over all connections, what waits for readers
# that do not read, and what the allocator keeps of it.
GROWTH_MIB = 48
# What the slowest of the others' calls may take meanwhile.
OTHERS_MS = 1000

BRIEF = {"RUNS": 1}

SPOILT = {
    "nothing": b"",
    "no JSON": b"hello",
    "half an object": b'{"jsonrpc":"2.0"',
    "trailing comma": b'{"jsonrpc":"2.0","id":1,"method":"status",}',
    "doubled key": b'{"jsonrpc":"2.0","id":1,"id":2,"method":"status"}',
    "byte-order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}',
    "unpaired surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "NaN": b'{"jsonrpc":"2.0","id":NaN,"method":"status"}',
    "100,000 levels of lists": b"[" * 100_000,
    "100,000 levels of objects": b'{"a":' * 100_000,
    "65 levels": b"[" * 65 + b"]" * 65,
    "an endless text": b'"' + b"x" * (1 << 20 - 1),
    "a number of 1,000 digits": b'{"jsonrpc":"2.0","id":' + b"9" * 1000 + b',"method":"status"}',
    "two values": b'{"jsonrpc":"2.0","id":1,"method":"status"} {}',
    "a batch": b'[{"jsonrpc":"2.0","id":1,"method":"status"}]',
    "a text": b'"status"',
    "another version": b'{"jsonrpc":"1.0","id":1,"method":"status"}',
    "an object as id": b'{"jsonrpc":"2.0","id":{},"method":"status"}',
    "a number as method": b'{"jsonrpc":"2.0","id":1,"method":7}',
    "a list as params": b'{"jsonrpc":"2.0","id":1,"method":"status","params":[]}',
    "a strange member": b'{"jsonrpc":"2.0","id":1,"method":"status","extra":1}',
    "a deadline in words": b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"deadlineMs":"soon"}}',
    "a deadline in the past": b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"deadlineMs":-1}}',
}

WRONG = [None, 17, -1.5, True, [], {}, [[]], "x" * 100_000, {"a": {"b": []}}, 2**53, ""]


def cases():
    return [
        "random bytes", "broken frames", "broken JSON", "wrong types", "a reader that never reads", "1,000 connections",
        "every class of access",
    ]


def run(case, runs):
    attack = {
        "random bytes": random_bytes,
        "broken frames": broken_frames,
        "broken JSON": broken_json,
        "wrong types": wrong_types,
        "a reader that never reads": silent_reader,
        "1,000 connections": many_connections,
        "every class of access": access,
    }[case]
    for number in range(runs):
        figures = {}
        for daemon in rpc.DAEMONS:
            with Witness(daemon) as witness:
                outcome = attack(daemon, random.Random(number))
                time.sleep(0.2)
            figures[daemon] = {**outcome, **witness.figures()}
        yield figures


def report(results):
    rows, failures = [], []
    for case, runs in results.items():
        for daemon in rpc.DAEMONS:
            figures = [one[daemon] for one in runs]
            rows.append(
                {
                    "case": case,
                    "daemon": daemon,
                    "inputs": sum(one["inputs"] for one in figures),
                    "refusedWithReason": sum(one["refused"] for one in figures),
                    "growthMiB": max(one["growthMiB"] for one in figures),
                    "othersCalls": sum(one["calls"] for one in figures),
                    "othersWorstMs": max(one["worstMs"] for one in figures),
                }
            )
            for one in figures:
                failures += [f"{case}: {daemon}: {problem}" for problem in one["problems"] + one["harm"]]
    return {"table": rows}, failures


# ---- Who looks on


class Witness:
    """Another client of the same daemon, which must notice nothing, and the daemon's memory meanwhile."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.calls, self.worst, self.harm = 0, 0.0, []

    def __enter__(self):
        self.connection = rpc.Connection(self.daemon, timeout=2.0)
        self.pid = self.connection.call("status")["pid"]
        self.start = self.peak = self.memory()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.connection.socket.close()
        try:
            if rpc.call(self.daemon, "status")["pid"] != self.pid:
                self.harm.append("it was restarted")
        except (rpc.Silent, rpc.Refused) as error:
            self.harm.append(f"afterwards: {error}")

    def watch(self):
        while not self.over.wait(0.02):
            began = time.monotonic()
            try:
                self.connection.call("status")
            except (rpc.Silent, rpc.Refused) as error:
                self.harm.append(f"another client: {error}")
                return
            self.calls += 1
            self.worst = max(self.worst, time.monotonic() - began)
            self.peak = max(self.peak, self.memory())

    def memory(self):
        try:
            with open(f"/proc/{self.pid}/status") as file:
                return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
        except OSError:
            return 0.0

    def figures(self):
        growth = round(self.peak - self.start, 1)
        if growth > GROWTH_MIB:
            self.harm.append(f"it grew by {growth} MiB, {GROWTH_MIB} is the limit")
        if self.worst * 1000 > OTHERS_MS:
            self.harm.append(f"another client waited {self.worst * 1000:.0f} ms")
        return {"calls": self.calls, "worstMs": round(self.worst * 1000, 1), "growthMiB": growth, "harm": self.harm}


def as_user(uid, gid, groups, work):
    """What `work()` returns in a child process of that user; it must be plain data."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setgroups(groups)
            os.setgid(gid)
            os.setuid(uid)
            result = work()
        except BaseException as error:  # told to the parent; the child must not go on as a second test
            result = {"inputs": 0, "refused": 0, "problems": [f"{type(error).__name__}: {error}"]}
        with os.fdopen(writer, "w") as file:
            json.dump(result, file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text)


def stranger(work):
    return as_user(NOBODY, NOBODY, [], work)


# ---- What a stranger sends


def connect(daemon, timeout=5.0):
    peer = socket.socket(socket.AF_UNIX)
    # Blocking: with a timeout a full backlog is an error at once.
    peer.connect(rpc.path(daemon))
    peer.settimeout(timeout)
    return peer


def frame(body):
    return struct.pack(">I", len(body)) + body


def send(peer, data):
    """Sends what the daemon is willing to take: it may close half-way."""
    try:
        peer.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def answer(peer):
    """The next message, or None at the end of the stream."""
    try:
        head = take(peer, 4)
        body = take(peer, struct.unpack(">I", head)[0]) if len(head) == 4 else b""
    except ConnectionResetError:
        return None
    return json.loads(body) if body else None


def take(peer, count):
    """So many bytes, or fewer at the end of the stream. MSG_WAITALL would not do: a socket with a timeout does not block."""
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            break
        data += more
    return data


def is_reasoned(message):
    """An error with its code, name, message and what to do."""
    error = (message or {}).get("error") or {}
    data = error.get("data") or {}
    return isinstance(error.get("code"), int) and error.get("message") and data.get("error") and data.get("remedy")


class Tally:
    def __init__(self):
        self.inputs, self.refused, self.problems = 0, 0, []

    def expect_refusal(self, what, peer, closes=True):
        self.inputs += 1
        try:
            message = answer(peer)
            if not is_reasoned(message):
                self.problems.append(f"{what}: no reasoned refusal but {str(message)[:200]}")
                return
            self.refused += 1
            if closes and answer(peer) is not None:
                self.problems.append(f"{what}: the connection stayed open")
        except TimeoutError:
            self.problems.append(f"{what}: no answer within {peer.gettimeout()} s")

    def outcome(self):
        return {"inputs": self.inputs, "refused": self.refused, "problems": self.problems[:10]}


def random_bytes(daemon, generator):
    def work():
        tally = Tally()
        for number in range(300):
            with connect(daemon) as peer:
                junk = generator.randbytes(generator.randrange(5, 4096))
                # Every third as a frame of the right length: the JSON reader's turn.
                send(peer, frame(junk) if number % 3 == 0 else b"\xff" + junk)
                tally.expect_refusal(f"random bytes {number}", peer)
        return tally.outcome()

    return stranger(work)


def broken_frames(daemon, generator):
    def work():
        tally = Tally()
        for length in (0, (1 << 20) + 1, 1 << 31, (1 << 32) - 1):
            with connect(daemon) as peer:
                send(peer, struct.pack(">I", length))
                tally.expect_refusal(f"a length of {length}", peer)
        # Frames that never end: nothing to refuse yet, so the daemon waits, and holds a bounded part of it.
        waiting = [connect(daemon) for _ in range(PER_USER - 2)]
        for peer in waiting:
            tally.inputs += 1
            peer.setblocking(False)
            try:
                peer.send(struct.pack(">I", 1 << 20) + b'"' + b"x" * ((1 << 20) - 2))
            except OSError:
                pass
        until = time.monotonic() + 3
        while time.monotonic() < until:
            for peer in waiting:
                try:
                    peer.send(b"x" * 65536)
                except OSError:
                    pass
            time.sleep(0.01)
        for peer in waiting:
            peer.close()
        # One byte at a time is slow, not wrong.
        with connect(daemon) as peer:
            for byte in frame(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}'):
                peer.send(bytes([byte]))
            if not (answer(peer) or {}).get("id") == 1:
                tally.problems.append("a request in single bytes was not answered")
        return tally.outcome()

    return stranger(work)


def broken_json(daemon, generator):
    def work():
        tally = Tally()
        for what, body in SPOILT.items():
            with connect(daemon) as peer:
                send(peer, frame(body))
                tally.expect_refusal(what, peer)
        return tally.outcome()

    return stranger(work)


def wrong_types(daemon, generator):
    """Parameters of wrong types for every method, by a caller who may act: the connection stays, nothing is done."""
    tally = Tally()
    with connect(daemon) as peer:
        for method in methods(daemon):
            names = [one["name"] for one in method.get("params", [])] or ["service"]
            for wrong in WRONG:
                # A method of many parameters still fits into a frame: one that is too large is another case, and closes.
                if isinstance(wrong, str):
                    wrong = wrong[: 900_000 // (len(names) + 1)]
                params = {name: wrong for name in names} | {"noSuchParameter": wrong}
                send(peer, frame(json.dumps(request(method["name"], params)).encode()))
                tally.expect_refusal(f"{method['name']} {str(params)[:60]}", peer, closes=False)
    return tally.outcome()


def silent_reader(daemon, generator):
    def work():
        tally = Tally()
        tally.inputs = 1
        body = frame(json.dumps(request("rpc.discover", {})).encode())
        peer = connect(daemon)
        peer.setblocking(False)
        began, sent = time.monotonic(), 0
        while time.monotonic() < began + 30:
            try:
                sent += peer.send(body)
            except BlockingIOError:
                time.sleep(0.01)
            except (BrokenPipeError, ConnectionResetError):
                tally.refused = 1
                return tally.outcome()
        tally.problems.append(f"not dropped in 30 s; it took {sent} bytes")
        return tally.outcome()

    return stranger(work)


def many_connections(daemon, generator):
    def work():
        tally = Tally()
        resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 100,) * 2)
        peers = []
        for _ in range(CONNECTIONS):
            peers.append(connect(daemon))
        for peer in peers[PER_USER:]:
            tally.expect_refusal("a connection over the limit", peer)
        for peer in peers[:PER_USER]:
            send(peer, frame(json.dumps(request("rpc.discover", {})).encode()))
            if "result" not in (answer(peer) or {}):
                tally.problems.append("a connection within the limit was not answered")
        for peer in peers:
            peer.close()
        return tally.outcome()

    raise_limit()
    return stranger(work)


def access(daemon, generator):
    """Every method, by callers of every kind: who may not is told so, who may gets past that."""
    import grp
    import pwd

    found = methods(daemon)
    groups = {name: grp.getgrnam(name).gr_gid for name in ("mainstay", "mainstay-admin")}
    users = {name: pwd.getpwnam(f"mainstay-{name}") for name in ("configd", "metricsd", "healthd")}
    callers = [
        ("a stranger", NOBODY, [], lambda method: method["x-access"] == "public"),
        ("a reader", NOBODY, [groups["mainstay"]], lambda method: method["x-access"] in ("public", "read")),
        ("an admin", NOBODY, [groups["mainstay-admin"]], lambda method: method["x-access"] != "peer"),
    ]
    for name, user in users.items():
        callers.append(
            (
                name, user.pw_uid, [],
                lambda method, name=name: method["x-access"] in ("public", "read")
                or name in method.get("x-peers", []),
            )
        )
    tally = Tally()
    for who, uid, gids, may in callers:

        def work():
            outcomes = []
            with connect(daemon) as peer:
                for method in found:
                    send(peer, frame(json.dumps(request(method["name"], {"noSuchParameter": 1})).encode()))
                    outcomes.append(answer(peer))
            return outcomes

        outcomes = as_user(uid, NOBODY, gids, work)
        if isinstance(outcomes, dict):
            tally.problems += outcomes["problems"]
            continue
        for method, message in zip(found, outcomes):
            tally.inputs += 1
            name = ((message.get("error") or {}).get("data") or {}).get("error")
            tally.refused += 1 if is_reasoned(message) else 0
            expected = "invalidParams" if may(method) else "accessDenied"
            if name != expected:
                tally.problems.append(f"{who}: {method['name']} ({method['x-access']}): {name}, expected {expected}")
    return tally.outcome()


def methods(daemon):
    """The daemon's methods as it tells them; a second name has what the first has."""
    told = rpc.call(daemon, "rpc.discover")["methods"]
    first = {one["name"]: one for one in told}
    return [{**first.get(one.get("x-same-as"), {}), **one} for one in told]


def request(method, params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def raise_limit():
    """The parent's limit bounds what a child of another user may ask for."""
    wanted = CONNECTIONS + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
