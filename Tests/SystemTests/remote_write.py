"""metricsd hands on what it measures: its receiver is down, and it is killed meanwhile; afterwards both hold the same samples."""

import http.client
import json
import math
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import prometheus
import rpc
from machine import PROJECT
from metrics_bench import query, scraping_bench
from page_exporter import page_exporter

TITLE = "remote write: the receiver away for ten minutes, metricsd killed meanwhile"
RUNS = 1
MACHINE = False
PROGRAMS = ("metricsd",)

BEFORE_S, AWAY_S, AFTER_S = 30, 600, 20
# Of metricsd: while the receiver is away, and while it is given what it missed.
KILLS_AWAY, KILLS_AFTER = 3, 6
BRIEF = {"BEFORE_S": 8, "AWAY_S": 20, "AFTER_S": 8, "KILLS_AWAY": 1, "KILLS_AFTER": 2}
CATCH_UP_S = 180
# A round that was measured is committed and handed on within the interval, a commit, and a request.
SETTLED_MS = 15_000
PORT_PATH = "/api/v1/write"


def cases():
    return ["prometheus", "victoria-metrics"]


OUTSIDE = set(cases())


def prepare(build):
    packages = str(PROJECT / "Scripts/lib/packages")
    subprocess.run([packages, "prometheus", "victoria-metrics"], check=True)


def outside(case, host, runs):
    for _ in range(runs):
        yield run_one(case, host.build)


def run_one(case, build):
    rng = random.Random(7)
    receiver = {"prometheus": prometheus.Prometheus, "victoria-metrics": VictoriaMetrics}[case]()
    with page_exporter() as page, receiver:
        settings = ["remoteWrite:", f"  - {{url: 'http://localhost:{receiver.port}{PORT_PATH}', interval: 1s, labels: {{origin: here}}}}"]
        with scraping_bench(build, page, *settings) as bench:
            began = now_ms()
            time.sleep(BEFORE_S)
            receiver.stop()
            away(bench, rng)
            back = time.monotonic()
            receiver.start()
            kill_while_sending(bench, rng)
            wait_until_level(bench)
            took = time.monotonic() - back
            time.sleep(AFTER_S)
            end = now_ms() - SETTLED_MS
            state = remote(bench)
            ours, theirs = of_metricsd(bench, began, end), of_receiver(case, receiver, began, end)
    return {
        "awayS": AWAY_S, "kills": KILLS_AWAY + KILLS_AFTER, "caughtUpS": round(took, 1),
        "series": len(ours), "samples": sum(map(len, ours.values())), **differences(case, ours, theirs),
        "refusedSamples": state["refusedSamples"],
    }


def now_ms():
    return int(time.time() * 1000)


def away(bench, rng):
    """KILLs at moments of its absence."""
    began = time.monotonic()
    moments = sorted(rng.uniform(0.2, 0.9) * AWAY_S for _ in range(KILLS_AWAY))
    for moment in moments:
        time.sleep(max(0, began + moment - time.monotonic()))
        kill(bench)
    time.sleep(max(0, began + AWAY_S - time.monotonic()))


def kill(bench):
    bench.stop(signal.SIGKILL)
    bench.start()


def kill_while_sending(bench, rng):
    for _ in range(KILLS_AFTER):
        time.sleep(rng.uniform(0.3, 2.5))
        kill(bench)


def remote(bench):
    with bench.connection() as connection:
        return connection.call("status")["own"]["remotes"][0]


def wait_until_level(bench):
    """Until what is measured arrives within seconds."""
    end = time.monotonic() + CATCH_UP_S
    while time.monotonic() < end:
        state = remote(bench)
        if now_ms() - state.get("toMs", 0) < 5000:
            return
        time.sleep(0.5)
    raise AssertionError(f"it is not level after {CATCH_UP_S} s: {state}")


# ---- What both hold


def slices(began, end):
    """Minutes: a page of metricsd's evaluates its query anew, so none is asked for all of the time."""
    for start in range(began, end, 60_000):
        # Both ends of a range are part of it.
        yield start, min(start + 59_999, end)


def of_metricsd(bench, began, end):
    held = {}
    with bench.connection() as connection:
        for start, stop in slices(began, end):
            answer = query(connection, {"query": f'{{__name__=~".+"}}[{stop - start}ms]', "timeMs": stop})
            take(held, answer)
    return held


def take(held, answer):
    if "error" in answer:
        raise AssertionError(answer["error"]["message"])
    for one in answer["series"]:
        labels = {name: value for name, value in one["labels"].items() if name != "origin"}
        key = one["name"] + json.dumps(labels, sort_keys=True)
        for at, value in one["points"]:
            held.setdefault(key, {}).setdefault(at, []).append(float(value))


def of_receiver(case, receiver, began, end):
    held = {}
    for start, stop in slices(began, end):
        if case == "prometheus":
            take(held, receiver.instant(f'{{__name__=~".+"}}[{stop - start}ms]', stop))
        else:
            take(held, receiver.held(start, stop))
    return held


def differences(case, ours, theirs):
    """Samples that the receiver lacks, that it has with another value or without metricsd having them, and that it has twice."""
    missing = strange = twice = 0
    for key, samples in ours.items():
        other = theirs.get(key, {})
        for at, (value,) in samples.items():
            if at not in other:
                missing += 1
                continue
            twice += len(other[at]) > 1
            strange += not all(is_same(case, value, one) for one in other[at])
    for key, samples in theirs.items():
        # VictoriaMetrics shows a marker that ends a series as a NaN.
        strange += sum(at not in ours.get(key, {}) and not math.isnan(values[0]) for at, values in samples.items())
    return {"missing": missing, "strange": strange, "twice": twice}


def is_same(case, value, other):
    """VictoriaMetrics keeps values as decimals with an exponent that those of a block share, so small ones lose digits."""
    if case == "prometheus":
        return prometheus.bits(value) == prometheus.bits(other)
    return math.isclose(value, other, rel_tol=1e-9) or (math.isnan(value) and math.isnan(other))


class VictoriaMetrics:
    """`with VictoriaMetrics() as receiver:` runs one on loopback with an empty folder of its own."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-victoria-", dir="/var/tmp"))
        self.port = prometheus.free_port()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        words = ["victoria-metrics", f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
                 "-retentionPeriod=1y",
                 # What arrives again after a KILL is kept once: README, "Past one host".
                 "-dedup.minScrapeInterval=1ms"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "GOMAXPROCS": "1"})
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.send("GET", "/health")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"victoria-metrics is not ready: {(self.folder / 'log').read_text()[-500:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def send(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def held(self, start, stop):
        """What is stored, in the form that metricsd gives."""
        words = urllib.parse.urlencode({"match[]": '{__name__=~".+"}', "start": prometheus.seconds(start), "end": prometheus.seconds(stop)})
        status, body = self.send("GET", f"/api/v1/export?{words}")
        if status != 200:
            raise RuntimeError(f"export: {status} {body[:200]}")
        series = []
        for line in body.splitlines():
            one = json.loads(line)
            labels = dict(one["metric"])
            name = labels.pop("__name__", "")
            points = [[at, value] for at, value in zip(one["timestamps"], one["values"]) if value is not None]
            series.append({"name": name, "labels": labels, "points": points})
        return {"series": series}


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        figures[case] = one = runs[-1]
        for name in ("missing", "strange", "twice", "refusedSamples"):
            if one[name]:
                problems.append(f"{case}: {one[name]} {name}")
    return figures, problems
