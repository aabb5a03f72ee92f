"""metricsd alone at a thousand series each second: whether its memory is flat over two hours of queries."""

import itertools
import pathlib
import time

import floors
import rpc
import suite
from machine import PROJECT
from metrics_bench import scraping_bench
from page_exporter import SERIES, page_exporter

TITLE = "metricsd's memory at a thousand series over two hours"
RUNS = 1
MACHINE = False
PROGRAMS = ("metricsd",)

MINUTES = 120
WINDOW_S = 600
WARM_UP_WINDOWS = 3
BRIEF = {"MINUTES": 1, "WINDOW_S": 10}

# Student's t for 95 %, two-sided, at the seven degrees of freedom that nine windows leave.
STUDENT = 2.365


def cases():
    return ["a thousand series"]


OUTSIDE = set(cases())


def outside(case, host, runs):
    for _ in range(runs):
        yield drift(host.build)


def drift(build):
    with page_exporter() as port, scraping_bench(build, port, before=["env", unit_environment()]) as bench:
        pid, windows = bench.daemon.pid, []
        with Asking(bench) as asking:
            for _ in range(MINUTES * 60 // WINDOW_S):
                windows.append(floors.least({"metricsd": pid}, WINDOW_S)["metricsd"])
        bench.must_live()
        with bench.connection() as connection:
            scrapes = only(connection, f'count_over_time(constant{{of="0"}}[{MINUTES}m])')
            series = only(connection, 'count({job="gateway"})')
        return {
            "minutes": MINUTES, "floorsKiB": windows, "asked": asking.asked, "silences": asking.silences,
            "scrapes": scrapes, "seriesAScrape": series,
        }


def only(connection, query):
    """The answer's one value; none is 0."""
    series = connection.call("query", query=query)["series"]
    return int(series[0]["points"][-1][1]) if series else 0


def unit_environment():
    """How the unit has malloc keep what was freed."""
    for line in (PROJECT / "systemd/mainstay-metricsd.service").read_text().splitlines():
        if line.startswith("Environment="):
            return line.removeprefix("Environment=")
    raise RuntimeError("the unit of metricsd sets no environment")


class Asking(suite.Meanwhile):
    """What dashboards and scripts ask, a round every two seconds on a connection of its own."""

    def __init__(self, bench):
        super().__init__()
        self.bench, self.asked, self.silences = bench, 0, 0

    def run(self):
        for number in itertools.count():
            if self.ended.wait(2):
                return
            now = int(time.time() * 1000)
            questions = [
                ("query", {"query": "sum by (host) (rate(count[5m]))", "fromMs": now - 600_000, "toMs": now, "stepMs": 15_000}),
                ("query", {"query": f'walk{{of="{number % SERIES}"}}', "fromMs": now - 600_000, "toMs": now, "stepMs": 1000}),
                ("queryRange", {"selector": 'noise{of="9"}', "fromMs": now - 600_000, "toMs": now}),
                ("exposition", {}), ("metrics", {}), ("status", {}),
            ]
            try:
                with self.bench.connection() as connection:
                    for method, params in questions:
                        connection.call(method, **params)
                        self.asked += 1
            except rpc.Silent:
                self.silences += 1


def slope(values):
    """KiB a window, and the half width of its 95 % interval, by least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((place - middle) ** 2 for place in range(count))
    rise = sum((place - middle) * (value - mean) for place, value in enumerate(values)) / spread
    rest = sum((value - mean - rise * (place - middle)) ** 2 for place, value in enumerate(values))
    return rise, STUDENT * (rest / (count - 2) / spread) ** 0.5


def report(results):
    (figures,) = results["a thousand series"][-1:]
    rise, error = slope(figures["floorsKiB"][WARM_UP_WINDOWS:])
    hour = 3600 / WINDOW_S
    figures |= {"slopeKiBPerHour": round(rise * hour, 1), "errorKiBPerHour": round(error * hour, 1)}
    problems = []
    if rise > error:
        problems.append(f"its floor rises by {rise * hour:.1f} KiB an hour, and the error is {error * hour:.1f}")
    if figures["silences"]:
        problems.append(f"{figures['silences']} rounds of questions without an answer")
    if figures["seriesAScrape"] < SERIES:
        problems.append(f"{figures['seriesAScrape']} series a scrape, not {SERIES}")
    if figures["scrapes"] < figures["minutes"] * 60 * 0.98:
        problems.append(f"{figures['scrapes']} scrapes in {figures['minutes']} minutes")
    return figures, problems
