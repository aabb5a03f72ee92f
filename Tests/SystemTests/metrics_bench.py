"""A metricsd of its own, in the foreground on folders of its own: what the proofs about metricsd start, stop and kill."""

import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import rpc

PROJECT = pathlib.Path(__file__).resolve().parents[2]
# One frame is 1 MiB; JSON's escapes make some of it.
PIECE_BYTES = 600_000
PATIENCE_S = 30


class MetricsBench:
    """`settings` are the lines of mainstay.yaml below `metricsd:`. With `isLater` whoever makes it starts it himself."""

    def __init__(self, build, *settings, isLater=False):
        self.isLater = isLater
        self.program = str(pathlib.Path(build) / "metricsd")
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mainstay-metrics-", dir="/var/tmp"))
        for folder in ("settings/services", "sockets", "state"):
            (self.root / folder).mkdir(parents=True)
        self.sockets = str(self.root / "sockets")
        if settings:
            lines = "".join(f"  {line}\n" for line in settings)
            (self.root / "settings/mainstay.yaml").write_text(f"metricsd:\n{lines}")
        self.daemon = None

    def __enter__(self):
        if not self.isLater:
            self.start()
        return self

    def __exit__(self, *_):
        if self.daemon and self.daemon.poll() is None:
            self.stop()
        shutil.rmtree(self.root)

    def start(self, before=()):
        """Returns when it answers. `before` are the words of a program that runs it."""
        folders = [word for name in ("settings", "sockets", "state") for word in (f"--{name}", str(self.root / name))]
        documents = ["--documents", str(PROJECT / "Protocols")]
        with open(self.root / "log", "ab") as log:
            self.daemon = subprocess.Popen([*before, self.program, "--foreground", *folders, *documents], stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(rpc.Silent):
                with self.connection() as connection:
                    connection.call("status")
                    return
            self.must_live()
            time.sleep(0.05)
        raise RuntimeError(f"metricsd does not answer: {self.log()[-500:]}")

    def must_live(self):
        """Whoever asked it little may not have noticed that it ended."""
        if self.daemon.poll() is not None:
            raise RuntimeError(f"metricsd ended with {self.daemon.returncode}: {self.log()[-500:]}")

    def log(self):
        return (self.root / "log").read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        """Its exit status."""
        self.daemon.send_signal(how)
        return self.daemon.wait(10)

    def connection(self, timeout=PATIENCE_S):
        return rpc.Connection("metricsd", timeout, self.sockets)

    def take_in(self, lines, text_format="prometheus"):
        """Imports lines of text, as many calls as it takes; how many samples were taken."""
        taken = 0
        with self.connection() as connection:
            for piece in pieces(lines):
                taken += connection.call("import", text=piece, format=text_format)["samples"]
        return taken


@contextlib.contextmanager
def scraping_bench(build, port, *settings, before=()):
    """One that scrapes a page on loopback each second as the service `gateway`'s."""
    with MetricsBench(build, *settings, isLater=True) as bench:
        (bench.root / "settings/services/gateway.yaml").write_text(
            f"unit: gateway.service\nmetrics: {{scrape: 'http://127.0.0.1:{port}/metrics', interval: 1s, timeout: 500ms}}\n")
        bench.start(before)
        yield bench


def pieces(lines):
    piece, size = [], 0
    for line in lines:
        piece.append(line)
        size += len(line.encode())
        if size > PIECE_BYTES:
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        yield "".join(piece)


def query(connection, words):
    """All pages of an answer as one, or `{"error": …}` where it is refused."""
    try:
        whole = page = connection.call("query", **words)
        while "next" in page:
            page = connection.call("query", **words, cursor=page["next"])
            for series in page["series"]:
                last = whole["series"][-1] if whole["series"] else None
                if last and (last["name"], last["labels"]) == (series["name"], series["labels"]):
                    last["points"] += series["points"]
                else:
                    whole["series"].append(series)
    except rpc.Refused as refusal:
        return {"error": {"message": str(refusal)}}
    return whole
