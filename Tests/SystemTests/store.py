"""metricsd's store after damage, kills, power cuts and a full disk: what is left, and that it is what was stored.

Damage: an independent reader of the files says which samples must still be there after bytes were changed: those whose own
frame is untouched, whose time and whose series' name stand in an untouched frame. Kills and power cuts: everything that was shown or
acknowledged before is there after the next start. A full disk: nothing is lost while the room that was reserved lasts.
"""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import disk_model
import rpc
import store_format
import syscalls
from metrics_bench import MetricsBench

TITLE = "metricsd's store after damage, kills, power cuts and a full disk"
RUNS = 1
MACHINE = False
PROGRAMS = ("metricsd",)

# Segments of an hour.
SETTINGS = ("retention: {time: 16h, size: 64MiB}",)
SERIES = 12
# So many samples of each are imported for the case of damage, and so many times is each kind of damage done.
SAMPLES = 20_000
DAMAGES = 6
LIVES = 60
CUT_S = 20
# Each how many-th of the calls that count is cut after.
STRIDE = 2
FULL_S = 600
# The syncs of a life in whose place it is killed.
KILLED_AT = (3, 4, 5, 6, 7, 8)
BRIEF = {"SAMPLES": 9_000, "DAMAGES": 1, "LIVES": 4, "CUT_S": 7, "STRIDE": 5, "FULL_S": 15,
         "KILLED_AT": (5,)}

SECTOR = 4096
DISK_MIB = 96
# What a power cut may take (ms): the time between two commits, and the commit's own.
MOST_LOST_MS = 2000


def cases():
    return ["damage", "kills", "power cuts", "a kill and a power cut", "full disk"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    run = {"damage": damage, "kills": kills, "power cuts": power_cuts,
           "a kill and a power cut": kill_and_cut, "full disk": full_disk}[case]
    for _ in range(runs):
        yield run(host.build)


def folder(bench):
    return next((bench.root / "state").rglob("*.log")).parent


def everything(connection, selector, from_ms=0, to_ms=None):
    """All samples of some series, as {(name and labels): {time: text}}, and how many records were left out."""
    found, damaged, words = {}, 0, {"selector": selector, "fromMs": from_ms, "toMs": to_ms or int(time.time() * 1000)}
    while True:
        page = connection.call("queryRange", **words, limit=11_000)
        damaged = max(damaged, page["damaged"])
        for series in page["series"]:
            found.setdefault(key(series["name"], series["labels"]), {}).update(series["points"])
        if "next" not in page:
            return found, damaged
        words = {"selector": selector, "cursor": page["next"]}


def key(name, labels):
    inner = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


# ---- Damage


def damage(build):
    rng = random.Random(7)
    with MetricsBench(build, *SETTINGS) as bench:
        stored = fill(bench, rng)
        bench.stop(signal.SIGKILL)
        state = folder(bench)
        original = bench.root / "original"
        shutil.copytree(state, original)
        known = Known(original)
        known.must_hold(stored, original)
        table = []
        for name, act in DAMAGE.items():
            shares = []
            for number in range(DAMAGES):
                shutil.rmtree(state)
                shutil.copytree(original, state)
                act(state, known, random.Random(f"{name} {number}"))
                shares.append(met(bench, state, known, stored, f"{name}, {number}"))
            table.append({"case": name, "times": DAMAGES, **{
                figure: round(sum(share[figure] for share in shares) / len(shares), 4) for figure in shares[0]}})
        bench.start()
    return {"samples": sum(map(len, stored.values())), "files": len(known.files), "table": table}


def fill(bench, rng):
    """Constants, counters and walks, in pieces: each import makes blocks of its own."""
    begin = int(time.time()) - SAMPLES - 1000
    stored = {f'damaged{{of="{number}"}}': {} for number in range(SERIES)}
    walks = [0.0] * SERIES
    piece = max(500, SAMPLES // 20)
    for start in range(0, SAMPLES, piece):
        lines = []
        for number, (name, points) in enumerate(stored.items()):
            for tick in range(start, min(start + piece, SAMPLES)):
                if number % 3 == 1:
                    walks[number] += 1
                elif number % 3 == 2:
                    walks[number] += rng.choice((-0.5, 0, 0, 0.1, 7))
                time_ms = (begin + tick) * 1000 + tick % 3
                points[time_ms] = walks[number]
                lines.append(f"{name} {walks[number]!r} {time_ms}\n")
        bench.take_in(lines)
    return stored


class Known:
    """The frames of a store that nothing has happened to, and what stands in them."""

    def __init__(self, state):
        self.files = {path.name: path.read_bytes() for path in sorted(state.iterdir()) if path.name != "spare.log"}
        self.frames = {name: list(store_format.frames(data)) for name, data in self.files.items()}
        self.content = {}

    def read(self, frame):
        """What a frame says; decoded once."""
        if frame.payload not in self.content:
            read = {store_format.TIMES: store_format.times, store_format.CHUNK: store_format.chunk,
                    store_format.SERIES: store_format.series}
            self.content[frame.payload] = read[frame.kind](frame.payload)
        return self.content[frame.payload]

    def left(self, state):
        """The samples that must be found in the folder as it is now, and the shares of frames and chunks that were touched."""
        names, times, chunks, touched, total = {}, {}, [], 0, 0
        lost = 0
        for file, frames in self.frames.items():
            now = (state / file).read_bytes() if (state / file).exists() else b""
            whole = [frame for frame in frames if now[frame.start:frame.end] == self.files[file][frame.start:frame.end]]
            if file.endswith(".summary") and len(whole) < len(frames):
                whole = []
            touched, total = touched + len(frames) - len(whole), total + len(frames)
            lost += sum(frame.kind == store_format.CHUNK for frame in frames)
            for frame in whole:
                if frame.kind == store_format.SERIES:
                    number, name = self.read(frame)
                    names[number] = name
                elif frame.kind == store_format.TIMES:
                    block, first, found = self.read(frame)
                    times.setdefault(block, {}).update(enumerate(found, first))
                elif frame.kind == store_format.CHUNK:
                    chunks.append(frame)
        samples = {}
        for frame in chunks:
            block, series, start, values = self.read(frame)
            points = samples.setdefault(names.get(series), {})
            for tick, value in enumerate(values, start):
                if tick in times.get(block, {}):
                    points[times[block][tick]] = value
        return samples, touched / total, lost - len(chunks)

    def must_hold(self, stored, state):
        samples, _, _ = self.left(state)
        for name, points in stored.items():
            if samples.get(name) != points:
                raise AssertionError(f"the files do not hold {name} as it was imported")


def met(bench, state, known, stored, place):
    """A start on what is left: exactly what must be there is there, and nothing that was never stored."""
    expected, touched, lost = known.left(state)
    bench.start()
    try:
        with bench.connection() as connection:
            found, damaged = everything(connection, '{__name__="damaged"}')
            told = damaged + connection.call("status")["own"]["damagedRecords"]
    finally:
        bench.stop(signal.SIGKILL)
    read = 0
    for name, points in stored.items():
        now = {at: float(value) for at, value in found.get(name, {}).items()}
        for at, value in now.items():
            if points.get(at) != value:
                raise AssertionError(f"{place}: {name} at {at} is {value} and was {points.get(at)}")
        whole = expected.get(name, {})
        # The log may have what the end of the newest segment lost; of all other files it tells nothing any more.
        if len(now) > len(whole) and not place.startswith(("a segment cut", "the newest")):
            raise AssertionError(f"{place}: {len(now)} samples of {name} are read, and {len(whole)} are whole")
        missing = [at for at in whole if at not in now]
        if missing:
            raise AssertionError(f"{place}: {len(missing)} samples of {name} are whole and not read, from {missing[0]}")
        read += len(now)
    if lost and not told:
        raise AssertionError(f"{place}: {lost} chunks are damaged, and nobody says so")
    total = sum(map(len, stored.values()))
    return {"framesTouched": touched, "samplesWhole": sum(len(expected.get(name, ())) for name in stored) / total,
            "samplesRead": read / total}


def change(path, edit):
    data = bytearray(path.read_bytes())
    edit(data)
    path.write_bytes(data)


def one_in_a_hundred_frames(state, known, rng):
    """A byte of each."""
    for file, frames in known.frames.items():
        def edit(data, frames=frames):
            for frame in frames:
                if rng.random() < 0.01:
                    data[rng.randrange(frame.start, frame.end)] ^= rng.randint(1, 255)
        change(state / file, edit)


def one_in_a_hundred_sectors(state, known, rng):
    for file, frames in known.frames.items():
        def edit(data, end=frames[-1].end if frames else 0):
            for start in range(0, end, SECTOR):
                if rng.random() < 0.01:
                    size = min(SECTOR, len(data) - start)
                    data[start:start + size] = rng.choice((rng.randbytes(size), bytes(size)))
        change(state / file, edit)


def one_in_a_hundred_bytes(state, known, rng):
    for file, frames in known.frames.items():
        def edit(data, end=frames[-1].end if frames else 0):
            for _ in range(end // 100):
                data[rng.randrange(end)] ^= rng.randint(1, 255)
        change(state / file, edit)


def segments(state):
    return sorted(state.glob("*.blocks"))


def cut_short(state, known, rng):
    path = rng.choice(segments(state))
    os.truncate(path, rng.randrange(path.stat().st_size))


def end_zeroed(state, known, rng):
    def edit(data):
        size = rng.randint(1, min(8192, len(data)))
        data[-size:] = bytes(size)
    change(segments(state)[-1], edit)


def summaries(state, known, rng):
    for path in sorted(state.glob("*.summary")):
        if rng.random() < 0.5:
            path.unlink()
        else:
            change(path, lambda data: data.__setitem__(rng.randrange(len(data)), rng.randrange(256)))


DAMAGE = {
    "a byte of 1 % of the frames": one_in_a_hundred_frames,
    "1 % of the sectors": one_in_a_hundred_sectors,
    "1 % of the bytes": one_in_a_hundred_bytes,
    "a segment cut short": cut_short,
    "the newest segment's end zeroed": end_zeroed,
    "summaries gone or damaged": summaries,
}


# ---- Kills


class Ledger:
    """What a client was shown or had acknowledged."""

    def __init__(self):
        self.samples = {}

    def shown(self, found):
        for name, points in found.items():
            self.samples.setdefault(name, {}).update(points)

    def missing(self, connection, selectors):
        """The first that is not there any more; None where all is."""
        found = {}
        for selector in selectors:
            found.update(everything(connection, selector)[0])
        for name, points in self.samples.items():
            now = found.get(name, {})
            for at, value in points.items():
                if now.get(at) != value:
                    return f"{name} at {at} was {value}, is {now.get(at)}"
        return None


LIVE = ("node_load1", 'up{collector="system"}', "node_context_switches_total")


def kills(build):
    rng, ledger = random.Random(11), Ledger()
    imports = queries = 0
    with MetricsBench(build, *SETTINGS) as bench:
        for life in range(LIVES):
            until = time.monotonic() + rng.uniform(0.2, 4)
            with bench.connection() as connection:
                while time.monotonic() < until:
                    if rng.random() < 0.3:
                        imports += 1
                        ledger.shown(imported(connection, imports))
                        if rng.random() < 0.2:
                            break
                    else:
                        queries += 1
                        selector = rng.choice(LIVE)
                        page = connection.call("queryRange", selector=selector, limit=11_000)
                        if not page["uncommitted"] and "next" not in page:
                            ledger.shown({key(one["name"], one["labels"]): dict(one["points"]) for one in page["series"]})
                    time.sleep(rng.uniform(0, 0.1))
            if life % 2:
                in_flight(bench, rng)
            bench.stop(signal.SIGKILL)
            bench.start()
            with bench.connection() as connection:
                if problem := ledger.missing(connection, (*LIVE, '{__name__="imported"}')):
                    raise AssertionError(f"life {life}: {problem}")
                told = connection.call("status")["own"]["damagedRecords"]
                if told:
                    raise AssertionError(f"life {life}: {told} records are damaged")
    return {"lives": LIVES, "queries": queries, "imports": imports,
            "samplesShown": sum(map(len, ledger.samples.values()))}


def in_flight(bench, rng):
    """An import and a query that nobody waits for: the KILL finds them under way, at any moment of a commit."""
    connections = [bench.connection() for _ in range(2)]
    begin = int(time.time() * 1000) - 40_000_000
    text = "".join(f"unanswered{{of=\"{tick % 20}\"}} {tick} {begin + tick}\n" for tick in range(8_000))
    connections[0].send("import", text=text, format="prometheus")
    connections[1].send("query", query=LIVE[0])
    time.sleep(rng.uniform(0, 0.06))
    for connection in connections:
        connection.socket.close()


def imported(connection, number):
    """A hundred samples of a series, acknowledged when this returns."""
    begin = int(time.time() * 1000) - 1_000_000 + number * 1000
    points = {begin + tick: f"{number * 100 + tick}" for tick in range(100)}
    text = "".join(f'imported{{of="{number % 7}"}} {value} {at}\n' for at, value in points.items())
    connection.call("import", text=text, format="prometheus")
    return {key("imported", {"of": str(number % 7)}): points}


# ---- Power cuts


def power_cuts(build):
    """The daemon's calls under strace, replayed up to each that counts: what was synced is kept, the rest is kept, lost or torn."""
    bench = MetricsBench(build, *SETTINGS)
    log = bench.root / "strace"
    disk = disk_model.Disk(bench.root, ("state",))
    bench.start(before=syscalls.strace(log, withTimes=True))
    try:
        acknowledged, measured = recorded(bench)
        bench.stop(signal.SIGKILL)
        return cut(bench, disk, syscalls.read(log), acknowledged, measured)
    finally:
        shutil.rmtree(bench.root, ignore_errors=True)


def recorded(bench):
    """A client that asks and imports for two seconds, and is silent for five: what each answer, by its id, had acknowledged; and
    the times of one series' samples, all of them."""
    acknowledged, imports, begin = {}, 0, time.monotonic()
    number = 1_000_000
    while (passed := time.monotonic() - begin) < CUT_S:
        time.sleep(0.15)
        if passed % 7 > 2:
            continue
        number += 1
        connection = rpc.Connection("metricsd", 10, bench.sockets, first_id=number)
        with connection:
            if number % 3 == 0:
                imports += 1
                acknowledged[number] = imported(connection, imports)
                continue
            page = connection.call("queryRange", selector=LIVE[number % 3], limit=11_000)
            if not page["uncommitted"]:
                acknowledged[number] = {key(one["name"], one["labels"]): dict(one["points"]) for one in page["series"]}
    with bench.connection() as connection:
        measured = sorted(everything(connection, LIVE[0])[0][LIVE[0]])
    return acknowledged, measured


def cut(bench, disk, calls, acknowledged, measured):
    ledger, wanted = Ledger(), 0
    figures = {"cuts": 0, "samplesShown": 0, "greatestLossMs": 0, "damageTold": 0}
    for number, call in enumerate(calls):
        changed = disk.do(call)
        if call.isToSocket:
            for one in [one for one in acknowledged if b'"id":%d,' % one in call.data]:
                ledger.shown(acknowledged.pop(one))
                changed = True
        if not changed:
            continue
        wanted += 1
        # Between a write and its sync most is at stake.
        if wanted % STRIDE and call.name != "pwrite64":
            continue
        for way in (disk_model.Kept(), disk_model.Lost(), disk_model.Torn("store", number)):
            figures["cuts"] += 1
            materialise(bench, disk.after(way))
            place = f"after call {number} ({call.name}), {way.name}"
            lost, told = started(bench, ledger, measured, call.at * 1000, place)
            figures["greatestLossMs"] = max(figures["greatestLossMs"], round(lost))
            figures["damageTold"] += told
    figures["samplesShown"] = sum(map(len, ledger.samples.values()))
    return figures


def started(bench, ledger, measured, at_ms, place):
    """How old the oldest sample is that the cut took (ms), and whether damage was told of."""
    bench.start()
    try:
        with bench.connection() as connection:
            if problem := ledger.missing(connection, (*LIVE, '{__name__="imported"}')):
                raise AssertionError(f"{place}: {problem}")
            there = everything(connection, LIVE[0])[0].get(LIVE[0], {})
            told = connection.call("status")["own"]["damagedRecords"] > 0
    finally:
        bench.stop(signal.SIGKILL)
    lost = max((at_ms - at for at in measured if at <= at_ms and at not in there), default=0)
    if lost > MOST_LOST_MS:
        raise AssertionError(f"{place}: a sample of {lost:.0f} ms before is gone")
    return lost, told


def kill_and_cut(build):
    """A KILL between a commit's write and its sync, a start that shows what was written, then a power cut: a start has to sync what
    it builds on."""
    shown = 0
    for number in KILLED_AT:
        bench = MetricsBench(build, *SETTINGS)
        disk = disk_model.Disk(bench.root, ("state",))
        logs = bench.root / "one", bench.root / "two"
        # strace cannot tamper with calls that its filter lets pass unseen.
        words = [word for word in syscalls.strace(logs[0]) if word != "--seccomp-bpf"]
        bench.start(before=[*words, "-e", f"inject=fdatasync:signal=KILL:when={number}"])
        try:
            bench.daemon.wait(60)
            bench.start(before=syscalls.strace(logs[1]))
            ledger = Ledger()
            with bench.connection() as connection:
                ledger.shown(everything(connection, LIVE[0])[0])
            bench.stop(signal.SIGKILL)
            for log in logs:
                for call in syscalls.read(log):
                    disk.do(call)
            materialise(bench, disk.after(disk_model.Lost()))
            bench.start()
            with bench.connection() as connection:
                if problem := ledger.missing(connection, (LIVE[0],)):
                    raise AssertionError(f"killed at sync {number}: {problem}")
            shown += sum(map(len, ledger.samples.values()))
        finally:
            if bench.daemon.poll() is None:
                bench.stop(signal.SIGKILL)
            shutil.rmtree(bench.root, ignore_errors=True)
    if not shown:
        raise AssertionError("nothing was shown")
    return {"kills": len(KILLED_AT), "samplesShown": shown}


def materialise(bench, tree):
    shutil.rmtree(bench.root / "state")
    for path, (kind, data, rights, _) in tree.items():
        path = bench.root / path
        if kind == "folder":
            path.mkdir()
        else:
            path.write_bytes(data)
        os.chmod(path, rights["mode"])


# ---- A full disk


def full_disk(build):
    """A small disk of its own, filled by somebody else."""
    image = pathlib.Path(f"/var/tmp/mainstay-disk-{os.getpid()}")
    with MetricsBench(build, *SETTINGS, isLater=True) as bench:
        with open(image, "wb") as file:
            file.truncate(DISK_MIB << 20)
        mount = bench.root / "state"
        try:
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
            subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
            bench.start()
            return {**while_full(bench, mount), **beyond(bench, mount)}
        finally:
            if bench.daemon and bench.daemon.poll() is None:
                bench.stop(signal.SIGKILL)
            subprocess.run(["umount", str(mount)], check=False)
            image.unlink()


def filled(mount):
    """Takes what room there is; the file to be removed."""
    path = mount / "somebody-else"
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 512):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return path


def figure(connection, name):
    found = connection.call("query", query=f'{name}{{daemon="metricsd"}}')["series"]
    return float(found[0]["points"][-1][1]) if found else None


def while_full(bench, mount):
    """While the reserved room lasts, nothing is missing."""
    ledger = Ledger()
    with bench.connection() as connection:
        for number in range(30):
            ledger.shown(imported(connection, number))
        time.sleep(3)
        other = filled(mount)
        began = int(time.time() * 1000)
        until = time.monotonic() + FULL_S
        while time.monotonic() < until:
            time.sleep(1)
            found, _ = everything(connection, LIVE[0])
            ledger.shown(found)
        with contextlib.suppress(rpc.Refused):
            ledger.shown(imported(connection, 1000))
        store_up = figure(connection, "mainstay_metrics_store_up")
        reserved = figure(connection, "mainstay_metrics_reserved_bytes")
        other.unlink()
        ended = int(time.time() * 1000)
        time.sleep(3)
        found, _ = everything(connection, LIVE[0], began, ended)
        rounds = sum(map(len, found.values()))
    bench.stop(signal.SIGKILL)
    bench.start()
    with bench.connection() as connection:
        if problem := ledger.missing(connection, (LIVE[0], '{__name__="imported"}')):
            raise AssertionError(f"after a full disk: {problem}")
    seconds = (ended - began) / 1000
    if store_up != 1:
        raise AssertionError("the store failed while there was reserved room")
    # The last round may not have been due.
    if rounds < int(seconds) - 1:
        raise AssertionError(f"{rounds} rounds in {seconds:.0f} s of a full disk")
    return {"secondsFull": round(seconds), "roundsWhileFull": rounds, "reservedBytesLeft": reserved}


def beyond(bench, mount):
    """When even the reserved room is used up: a clear refusal, nothing older is harmed, and it goes on with the first free room."""
    ledger, refused, kept = Ledger(), None, 0
    with bench.connection() as connection:
        for selector in (LIVE[0], '{__name__="imported"}'):
            ledger.shown(everything(connection, selector)[0])
        # The first commit of a life reserves.
        time.sleep(3)
        other = filled(mount)
        rng = random.Random(3)
        for number in range(400):
            begin = int(time.time() * 1000) - 50_000_000 + number * 100_000
            points = {begin + tick: repr(rng.random()) for tick in range(10_000)}
            lines = "".join(f'large{{of="{number % 5}"}} {value} {at}\n' for at, value in points.items())
            try:
                connection.call("import", text=lines, format="prometheus")
                kept += 1
                ledger.shown({key("large", {"of": str(number % 5)}): points})
            except rpc.Refused as refusal:
                refused = str(refusal)
                break
        if refused is None:
            raise AssertionError("there is always room on a full disk")
        time.sleep(2)
        if figure(connection, "mainstay_metrics_disk_full") != 1:
            raise AssertionError("no metric says that the disk is full")
        if "storeUnavailable" not in refused or "free space" not in refused:
            raise AssertionError(f"the refusal is {refused}")
        other.unlink()
        end = time.monotonic() + 10
        while connection.call("status")["own"]["store"] != "working":
            if time.monotonic() > end:
                raise AssertionError("the store does not work again")
            time.sleep(0.2)
        now = int(time.time() * 1000)
        time.sleep(3)
        if not everything(connection, LIVE[0], now)[0]:
            raise AssertionError("nothing is measured any more")
    bench.stop(signal.SIGKILL)
    bench.start()
    with bench.connection() as connection:
        if problem := ledger.missing(connection, (LIVE[0], '{__name__="large"}', '{__name__="imported"}')):
            raise AssertionError(f"after the reserved room was used up: {problem}")
    return {"samplesIntoReservedRoom": kept * 10_000}


def report(results):
    figures = {case: runs[-1] for case, runs in results.items()}
    problems = []
    if figures.get("damage"):
        frames = next(row for row in figures["damage"]["table"] if row["case"].startswith("a byte"))
        if frames["samplesRead"] < 0.9:
            problems.append(f"damage: {frames['samplesRead']:.1%} is read where 1 % of the frames are damaged")
    return figures, problems
