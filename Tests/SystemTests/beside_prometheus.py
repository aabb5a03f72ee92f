"""metricsd beside Prometheus 2.42 in one run: what a thousand series each second cost, and how long the same queries take.

Both scrape one exporter, which gives both the same values in the same second; beside that Prometheus scrapes node_exporter each second,
whose figures metricsd measures itself. Costs are of metricsd on one side, of Prometheus and node_exporter on the other.
"""

import contextlib
import os
import pathlib
import random
import subprocess
import time

import prometheus
import store_format
from machine import PROJECT
from metrics_bench import MetricsBench, scraping_bench
from page_exporter import page_exporter
from store import folder

TITLE = "metricsd beside Prometheus: a thousand series each second, and queries over two days"
RUNS = 1
MACHINE = False
PROGRAMS = ("metricsd",)

# Its last ten minutes are measured; blocks of metricsd are complete after ten.
WARM_S, MEASURED_S = 75, 600
# Samples of the queries' series: one a second.
SPAN_S, QUERIED = 172_800, 100
QUERY_RUNS = 9
BRIEF = {"WARM_S": 10, "MEASURED_S": 40, "SPAN_S": 3_600, "QUERY_RUNS": 3}

# The bars: metricsd's cost as a share of Prometheus's.
MOST = {"bytesPerSample": 0.7, "cpu": 0.5, "pss": 0.4, "query": 1.0}
QUERIES = {
    "sum by (host) (walk)": 60,
    "sum by (host) (rate(count[5m]))": 60,
    "walk{of=\"7\"}": 60,
    "max_over_time(walk{of=\"7\"}[1h])": 300,
}


def cases():
    return ["scraping", "queries"]


OUTSIDE = set(cases())


def prepare(build):
    packages = str(PROJECT / "Scripts/lib/packages")
    # Not started by their installation: the cases start their own.
    subprocess.run([packages, "prometheus", "prometheus-node-exporter"], check=True)


def outside(case, host, runs):
    run = {"scraping": scraping, "queries": queries}[case]
    for _ in range(runs):
        yield run(host.build)


@contextlib.contextmanager
def node_exporter(port):
    process = subprocess.Popen(["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


# ---- What it costs


def scraping(build):
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(page_exporter())
        node_port = prometheus.free_port()
        node = stack.enter_context(node_exporter(node_port))
        peer = stack.enter_context(prometheus.Prometheus(targets=(port, node_port)))
        bench = stack.enter_context(scraping_bench(build, port))
        ours, theirs = (bench.daemon.pid,), (peer.process.pid, node)
        time.sleep(WARM_S)
        before, began = (cpu(ours), cpu(theirs)), time.monotonic()
        memory = []
        while time.monotonic() - began < MEASURED_S:
            time.sleep(10)
            memory.append((pss(ours), pss(theirs)))
        after = cpu(ours), cpu(theirs)
        seconds = time.monotonic() - began
        mine, whole = stored(bench), peer.snapshot()
        with bench.connection() as connection:
            scraped = connection.call("query", query='count({job="gateway"})')["series"]
    return {
        "bytesPerSample": pair(mine["bytesPerSample"], whole["bytesPerSample"]),
        "cpu": pair((after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds),
        "pss": pair(max(one for one, _ in memory), max(other for _, other in memory)),
        "samples": pair(mine["samples"], whole["samples"]),
        "scraped": scraped[0]["points"][-1][1] if scraped else None,
    }


def pair(ours, theirs):
    return {"metricsd": round(ours, 4), "prometheus": round(theirs, 4), "ratio": round(ours / theirs, 3)}


def cpu(pids):
    """Seconds of processor time so far."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss(pids):
    """KiB."""
    found = 0
    for pid in pids:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        found += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return found


def stored(bench):
    """What complete blocks take, their times, names and indexes included, for each sample in them."""
    samples = size = 0
    for path in folder(bench).glob("*.blocks"):
        data = path.read_bytes()
        for frame in store_format.frames(data):
            size += frame.end - frame.start
            if frame.kind == store_format.CHUNK:
                samples += store_format.varints(frame.payload[store_format.chunk_start(frame.payload):], 2)[0][1]
    return {"samples": samples, "bytesPerSample": size / max(1, samples)}


# ---- How long the same queries take


def queries(build):
    end = int(time.time()) // 60 * 60 * 1000 - 60_000
    begin = end - SPAN_S * 1000
    with prometheus.Prometheus() as peer, MetricsBench(build) as bench:
        load(bench, peer, begin)
        figures = {}
        for query, step in QUERIES.items():
            ours, theirs = [], []
            for _ in range(QUERY_RUNS):
                with bench.connection() as connection:
                    ours.append(timed(lambda: whole(connection, query, begin, end, step * 1000)))
                theirs.append(timed(lambda: peer.range(query, begin, end, step * 1000)))
            same = ours[0][1] == theirs[0][1]
            figures[query] = pair(least(ours), least(theirs)) | {"same": same}
    return {"samples": SPAN_S * QUERIED * 2, "milliseconds": figures}


def load(bench, peer, begin):
    rng = random.Random(4)
    walks, counts = [0.0] * QUERIED, [0] * QUERIED
    window = 600
    for start in range(0, SPAN_S, window):
        series, lines = [], []
        for number in range(QUERIED):
            labels = {"of": str(number), "host": str(number % 5)}
            for name, values in (("walk", walks), ("count", counts)):
                samples = []
                for tick in range(start, min(start + window, SPAN_S)):
                    if name == "walk":
                        values[number] = round(values[number] + rng.uniform(-1, 1), 2)
                    else:
                        values[number] += rng.choice((0, 1, 2, 7))
                    samples.append((begin + tick * 1000, values[number]))
                series.append((name, labels, samples))
                lines += [f'{name}{{of="{number}",host="{number % 5}"}} {value!r} {at}\n' for at, value in samples]
        peer.write(series)
        bench.take_in(lines)


def whole(connection, query, begin, end, step):
    """All pages, as Prometheus answers at once."""
    words, points = {"query": query, "fromMs": begin, "toMs": end, "stepMs": step}, 0
    page = connection.call("query", **words)
    points += sum(len(one["points"]) for one in page["series"])
    while "next" in page:
        page = connection.call("query", **words, cursor=page["next"])
        points += sum(len(one["points"]) for one in page["series"])
    return points


def timed(ask):
    began = time.perf_counter()
    answer = ask()
    took = (time.perf_counter() - began) * 1000
    return took, answer if isinstance(answer, int) else sum(len(one["points"]) for one in answer["series"])


def least(runs):
    return min(took for took, _ in runs)


def report(results):
    figures = {case: runs[-1] for case, runs in results.items()}
    problems = []
    for name in ("bytesPerSample", "cpu", "pss"):
        ratio = figures.get("scraping", {}).get(name, {}).get("ratio", 0)
        if ratio > MOST[name]:
            problems.append(f"{name} is {ratio} of Prometheus's, more than {MOST[name]}")
    for query, one in figures.get("queries", {}).get("milliseconds", {}).items():
        if one["ratio"] > MOST["query"]:
            problems.append(f"{query} takes {one['ratio']} of Prometheus's time")
        if not one["same"]:
            problems.append(f"{query} gives another number of points")
    return figures, problems
