"""A real Prometheus as a fixture: started on a loopback port, filled by remote write, asked over its HTTP API."""

import http.client
import json
import math
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.parse

# In a series' samples in place of a value: the series ends here.
STALE = "stale"
STALE_BITS = 0x7FF0000000000002
# The one that Go's math.NaN() gives. No other NaN is written, so that none is taken for a stale marker.
NAN_BITS = 0x7FF8000000000001

# Prometheus refuses what is more than an hour older than its newest sample: all series are written window by window.
WINDOW_MS = 600_000
LITERAL_BYTES = 65_536
READY_S = 60


class Prometheus:
    """`with Prometheus() as prometheus:` runs one with an empty data folder of its own, which is gone afterwards. `targets` are
    ports on loopback, scraped each second."""

    def __init__(self, program="prometheus", targets=()):
        self.program, self.targets = program, targets
        self.connection = None

    def __enter__(self):
        # On a disk, not in memory: /tmp may be either.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-prometheus-", dir="/var/tmp"))
        (self.folder / "prometheus.yml").write_text("global:\n  evaluation_interval: 1m\n" + self.scraped())
        self.port = free_port()
        try:
            self.start()
        except Exception:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        """Returns when it is ready, with what an earlier life wrote."""
        words = [
            self.program, f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver",
            "--web.enable-admin-api", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
        ]
        # One core: the host's others are other people's.
        environment = {**os.environ, "GOMAXPROCS": "1"}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, env=environment)
        self.wait_until_ready()

    def stop(self):
        if self.connection:
            self.connection.close()
            self.connection = None
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def scraped(self):
        if not self.targets:
            return ""
        names = ", ".join(f"'127.0.0.1:{port}'" for port in self.targets)
        return f"scrape_configs: [{{job_name: all, scrape_interval: 1s, static_configs: [{{targets: [{names}]}}]}}]\n"

    def snapshot(self):
        """What all its samples take on disk, as the blocks of a snapshot."""
        # Prometheus closes what was idle for minutes.
        if self.connection:
            self.connection.close()
            self.connection = None
        status, body = self.send("POST", "/api/v1/admin/tsdb/snapshot")
        if status != 200:
            raise RuntimeError(f"snapshot: {status} {body.decode(errors='replace')}")
        folder = self.folder / "data/snapshots" / json.loads(body)["data"]["name"]
        samples = sum(json.loads(path.read_text())["stats"]["numSamples"] for path in folder.glob("*/meta.json"))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return {"samples": samples, "bytesPerSample": size / max(1, samples)}

    def wait_until_ready(self):
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if self.send("GET", "/-/ready")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"prometheus is not ready: {(self.folder / 'log').read_text()[-500:]}")

    def write(self, series):
        """Sends series, each `(name, labels, [(ms, value), ...])`. Prometheus has them in the order given."""
        times = [ms for _, _, samples in series for ms, _ in samples]
        for begin in range(min(times), max(times) + 1, WINDOW_MS):
            written = []
            for name, labels, samples in series:
                within = [one for one in samples if begin <= one[0] < begin + WINDOW_MS]
                if within:
                    written.append((name, labels, within))
            if written:
                self.write_request(encoded(written))

    def write_request(self, body):
        headers = {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, answer = self.send("POST", "/api/v1/write", snappy(body), headers)
        if status != 204:
            raise RuntimeError(f"remote write: {status} {answer.decode(errors='replace')}")

    def instant(self, query, time_ms):
        return self.ask("/api/v1/query", query=query, time=seconds(time_ms))

    def range(self, query, from_ms, to_ms, step_ms):
        return self.ask(
            "/api/v1/query_range", query=query, start=seconds(from_ms), end=seconds(to_ms), step=seconds(step_ms))

    def ask(self, path, **form):
        """The answer in the form that metricsd gives: `type`, and `series` or `text`; or `error` with its message."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        _, body = self.send("POST", path, urllib.parse.urlencode(form).encode(), headers)
        answer = json.loads(body)
        if answer["status"] != "success":
            return {"error": {"message": f"{answer['errorType']}: {answer['error']}"}}
        return normalised(answer["data"]["resultType"], answer["data"]["result"])

    def send(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=150)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except Exception:
            self.connection.close()
            self.connection = None
            raise


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def seconds(ms):
    """As the API reads it: seconds, with milliseconds behind the point."""
    return f"{'-' if ms < 0 else ''}{abs(ms) // 1000}.{abs(ms) % 1000:03}"


def normalised(kind, result):
    if kind == "string":
        return {"type": kind, "text": result[1]}
    if kind == "scalar":
        return {"type": kind, "series": [{"name": "", "labels": {}, "points": points([result])}]}
    series = []
    for one in result:
        labels = dict(one["metric"])
        name = labels.pop("__name__", "")
        series.append({"name": name, "labels": labels, "points": points(one.get("values") or [one["value"]])})
    return {"type": kind, "series": series}


def points(values):
    return [[round(time_s * 1000), value] for time_s, value in values]


# ---- Remote write 1.0, of which Prometheus needs no more than this


def encoded(series):
    """The WriteRequest: a list of time series as field 1."""
    return b"".join(field(1, time_series(*one)) for one in series)


def time_series(name, labels, samples):
    """Labels as field 1, in the order of their names as the protocol wants it, and samples as field 2."""
    text = b""
    for label, value in sorted({**labels, "__name__": name}.items()):
        text += field(1, field(1, label.encode()) + field(2, value.encode()))
    return text + b"".join(field(2, sample(*one)) for one in samples)


def sample(ms, value):
    """The value, a fixed 64 bits, as field 1, and the time, a varint, as field 2."""
    return b"\x09" + struct.pack("<Q", bits(value)) + b"\x10" + varint(ms)


def bits(value):
    if value == STALE:
        return STALE_BITS
    return NAN_BITS if math.isnan(value) else struct.unpack("<Q", struct.pack("<d", value))[0]


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number):
    text = bytearray()
    number &= (1 << 64) - 1
    while number > 127:
        text.append(number & 127 | 128)
        number >>= 7
    text.append(number)
    return bytes(text)


def snappy(data):
    """The block format with nothing compressed: the length, then literals."""
    text = [varint(len(data))]
    for begin in range(0, len(data), LITERAL_BYTES):
        literal = data[begin:begin + LITERAL_BYTES]
        text += [bytes([61 << 2]), struct.pack("<H", len(literal) - 1), literal]
    return b"".join(text)
