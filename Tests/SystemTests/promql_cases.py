"""From one seed: samples of some 250 series, and thousands of expressions over them.

Half of the expressions are random, of a grammar that knows types and labels, so that few are refused and few find
nothing. The others are every function, operator and aggregation in turn, and the lists of promql_lists.py.
"""

import math
import random
import re

import promql_lists
from prometheus import STALE

BASE_MS = 1_700_000_000_000
SPAN_MS = 7_200_000
STEP_MS = 15_000


# ---- The samples


def samples(seed):
    """All series, as `Prometheus.write` takes them."""
    return Samples(seed).series


class Samples:
    """A series is a list of times and a list of values. Values come from a walk of their own for each series."""

    def __init__(self, seed):
        self.rng = random.Random(f"samples {seed}")
        self.series = []
        self.of_nodes()
        self.of_services()
        self.of_databases()
        self.of_pods()
        self.odd_values()
        self.odd_times()
        self.odd_buckets()
        self.odd_names()

    def add(self, name, labels, values, times=None):
        self.series.append((name, labels, list(zip(times or self.times(), values))))

    def times(self, step_ms=STEP_MS, jitter_ms=0, begin_ms=0, end_ms=SPAN_MS):
        found = []
        for ms in range(begin_ms, end_ms + 1, step_ms):
            found.append(BASE_MS + ms + (self.rng.randint(0, jitter_ms) if jitter_ms else 0))
        return found

    def count_of(self):
        return SPAN_MS // STEP_MS + 1

    def counter(self, most, resets=0.0, whole=True):
        """Grows by up to `most` a step; begins anew, not always at zero, with the probability `resets`."""
        value = self.rng.uniform(0, most * 100)
        found = []
        for _ in range(self.count_of()):
            value += self.rng.uniform(0, most)
            if self.rng.random() < resets:
                value = self.rng.choice([0.0, self.rng.uniform(0, most)])
            found.append(float(math.floor(value)) if whole else value)
        return found

    def gauge(self, low, high, digits=None):
        value = self.rng.uniform(low, high)
        found = []
        for _ in range(self.count_of()):
            value = min(high, max(low, value + self.rng.uniform(-0.08, 0.08) * (high - low)))
            found.append(value if digits is None else round(value, digits))
        return found

    def switch(self, chance, values=(1.0, 0.0)):
        """The first value, with the probability `chance` the second."""
        return [values[1] if self.rng.random() < chance else values[0] for _ in range(self.count_of())]

    def same(self, value):
        return [float(value)] * self.count_of()

    def of_nodes(self):
        for number in (1, 2, 3):
            where = {"job": "node", "instance": f"n{number}:9100"}
            jitter = self.times(jitter_ms=900 * (number - 1))
            self.add("up", where, self.switch(0.02 * number), jitter)
            version = {"version": f"1.{number % 2}.0", "revision": f"r{number}"}
            self.add("build_info", {**where, **version}, self.same(1), jitter)
            self.add("node_load1", where, self.gauge(0.01, 4, digits=2), jitter)
            self.add("node_boot_time_seconds", where, self.same(1_699_000_000 + 1234.5 * number), jitter)
            self.add("node_memory_MemTotal_bytes", where, self.same(number * 8_589_934_592), jitter)
            self.add("node_memory_MemAvailable_bytes", where, self.gauge(1e9, number * 8e9, digits=0), jitter)
            for cpu in ("0", "1"):
                for mode, most in (("idle", 14.0), ("user", 3.0), ("system", 1.0)):
                    values = self.counter(most, resets=0.002 if number == 3 else 0, whole=False)
                    self.add("node_cpu_seconds_total", {**where, "cpu": cpu, "mode": mode}, values, jitter)
            for mountpoint, fstype in (("/", "ext4"), ("/run", "tmpfs")):
                disk = {**where, "device": f"/dev/{fstype}", "mountpoint": mountpoint, "fstype": fstype}
                self.add("node_filesystem_size_bytes", disk, self.same(1e11 / number), jitter)
                self.add("node_filesystem_avail_bytes", disk, self.gauge(1e10, 1e11 / number, digits=0), jitter)
                self.add("node_filesystem_readonly", disk, self.same(0), jitter)
            for device in ("eth0", "lo"):
                card = {**where, "device": device}
                self.add("node_network_receive_bytes_total", card, self.counter(5e6), jitter)
            disk = {**where, "device": "sda"}
            self.add("node_disk_io_time_seconds_total", disk, self.counter(9, whole=False), jitter)

    def of_services(self):
        for job, ports in (("api", ("a1:8080", "a2:8080")), ("web", ("w1:80", "w2:80"))):
            for instance in ports:
                where = {"job": job, "instance": instance}
                self.add("up", where, self.switch(0.05))
                self.add("build_info", {**where, "version": "2.0.1", "revision": f"r-{instance[:2]}"}, self.same(1))
                for method in ("GET", "POST") if job == "api" else ("GET",):
                    for code, most in (("200", 400), ("404", 30), ("500", 7)):
                        values = self.counter(most, resets=0.004 if job == "web" else 0)
                        self.add("http_requests_total", {**where, "method": method, "code": code}, values)
                self.histogram("http_request_duration_seconds", where, ("0.1", "0.5", "1", "+Inf"))
            self.add("job:http_requests:rate5m", {"job": job}, self.gauge(10, 90), self.times(60_000))

    def histogram(self, name, labels, bounds, resets=0.0):
        steps = [self.counter(most, resets) for most in (9, 6, 4, 0.3)]
        total = [0.0] * self.count_of()
        for bound, values in zip(bounds, steps):
            total = [one + more for one, more in zip(total, values)]
            self.add(f"{name}_bucket", {**labels, "le": bound}, total)
        self.add(f"{name}_sum", labels, [value * 0.317 for value in total])
        self.add(f"{name}_count", labels, total)

    def of_databases(self):
        where = {"job": "mysql", "instance": "m1:9104"}
        self.add("mysql_up", where, self.switch(0.1))
        self.add("mysql_global_status_queries_total", where, self.counter(900))
        self.add("mysql_global_status_slow_queries_total", where, self.counter(0.4))
        self.add("mysql_global_status_threads_connected", where, self.gauge(3, 60, digits=0))
        self.add("mysql_global_variables_max_connections", where, self.same(151))
        self.add("mysql_slave_lag_seconds", where, self.gauge(0, 90, digits=0))
        for name in ("app", "audit"):
            base = {"job": "postgres", "datname": name}
            self.add("pg_stat_database_numbackends", base, self.gauge(1, 40, digits=0))
            for what, most in (("xact_commit_total", 300), ("xact_rollback_total", 9), ("deadlocks_total", 0.1)):
                self.add(f"pg_stat_database_{what}", base, self.counter(most, resets=0.003))
            self.add("pg_stat_database_blks_hit", base, self.counter(5000))
            self.add("pg_stat_database_blks_read", base, self.counter(50))
        self.add("pg_settings_max_connections", {"job": "postgres"}, self.same(100))
        for number in (1, 2):
            where = {"job": "redis", "instance": f"r{number}:6379"}
            self.add("redis_up", where, self.switch(0.1))
            self.add("redis_memory_used_bytes", where, self.gauge(1e6, 9e8, digits=0))
            self.add("redis_memory_max_bytes", where, self.same(1e9 * (number - 1)))
            self.add("redis_connected_clients", where, self.gauge(0, 30, digits=0))
            for what, most in (("keyspace_hits", 90), ("keyspace_misses", 8), ("rejected_connections", 0.2)):
                self.add(f"redis_{what}_total", where, self.counter(most))

    def of_pods(self):
        for number, (space, phase) in enumerate((("shop", "Running"), ("shop", "Pending"), ("infra", "Running"))):
            pod = {"namespace": space, "pod": f"{space}-{number}"}
            for one in ("Pending", "Running"):
                self.add("kube_pod_status_phase", {**pod, "phase": one}, self.same(one == phase))
            owner = {"owner_kind": ("ReplicaSet", "Job", "StatefulSet")[number], "owner_name": f"{space}-of-{number}"}
            self.add("kube_pod_owner", {**pod, **owner}, self.same(1))
            values = self.counter(0.05 * (number + 1))
            self.add("kube_pod_container_status_restarts_total", {**pod, "container": "main"}, values)
            for resource, value in (("cpu", 0.25 * (number + 1)), ("memory", 1.5e8 * (number + 1))):
                self.add("kube_pod_container_resource_requests", {**pod, "resource": resource}, self.same(value))
        self.add("ALERTS_like", {"alertname": "Down", "alertstate": "firing"}, self.same(1))

    def odd_values(self):
        for number, room in enumerate(('"quoted"', "back\\slash", "Käse 温度", "new\nline", "plain")):
            self.add("temperature_celsius", {"room": room}, self.gauge(-30 + number * 5, 40, digits=3))
        self.add("huge", {"n": "1"}, self.gauge(1e299, 1e300))
        self.add("huge", {"n": "2"}, self.gauge(1e17, 1e18))
        self.add("tiny", {"n": "1"}, self.gauge(1e-300, 1e-299))
        self.add("tiny", {"n": "2"}, self.gauge(1e-10, 1e-9))
        self.add("constant", {}, self.same(42))
        self.add("small_ratio", {"part": "a"}, self.gauge(-1, 1))
        self.add("small_ratio", {"part": "b"}, self.gauge(0, 1))
        self.add("small_ratio", {"part": "c"}, self.gauge(-0.5, 0.25, digits=4))
        odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.5]
        for number, share in ((1, 0.1), (2, 0.5)):
            plain = self.gauge(-5, 5, digits=1)
            values = [self.rng.choice(odd) if self.rng.random() < share else one for one in plain]
            self.add("special", {"n": str(number)}, values)
        for kind, value in (("nan", math.nan), ("inf", math.inf), ("minus inf", -math.inf), ("minus zero", -0.0)):
            self.add("special", {"n": kind}, self.same(value))
        # The day's last second, leap days, the first and the last day of a year, before 1970, and a fraction.
        for when in (0, 951_782_399, 951_782_400, 1_709_164_800, 4_107_542_400, 1_704_067_199, 1_704_067_200, -1,
                     -86_401, 1_700_000_000.75, 253_402_300_799):
            self.add("epoch_seconds", {"when": str(when)}, self.same(when))

    def odd_times(self):
        whole = self.times()
        values = self.counter(20, resets=0.01, whole=False)
        # Gaps on both sides of five minutes, and of exactly five.
        for number, gap_ms in enumerate((300_000, 315_000, 600_000, 285_000)):
            kept = [one for one in zip(whole, self.gauge(0, 10)) if (one[0] - BASE_MS) % 1_800_000 > gap_ms - STEP_MS]
            self.series.append(("gappy", {"n": str(number)}, kept))
        for number, every in enumerate((40, 97, 180)):
            marked = [(ms, STALE if 0 < (at % every) <= number + 1 and at > every else value)
                      for at, (ms, value) in enumerate(zip(whole, values))]
            self.series.append(("stale_marked", {"n": str(number)}, marked))
        for number, (begin, end) in enumerate(((0.3, 1), (0.52, 0.9), (0.8, 1))):
            kept = [one for one in zip(whole, self.counter(5)) if begin <= (one[0] - BASE_MS) / SPAN_MS <= end]
            self.series.append(("late", {"n": str(number)}, kept))
        for number, end in enumerate((0.2, 0.5, 0.75)):
            kept = [one for one in zip(whole, self.counter(5)) if (one[0] - BASE_MS) / SPAN_MS <= end]
            if number:
                kept.append((kept[-1][0] + STEP_MS, STALE))
            self.series.append(("early", {"n": str(number)}, kept))
        for number, jitter in enumerate((400, 3000, 14_000)):
            self.add("jittered", {"n": str(number)}, self.counter(9, resets=0.01), self.times(jitter_ms=jitter))
        for number, step in enumerate((120_000, 200_000, 270_000)):
            self.add("sparse", {"n": str(number)}, self.gauge(-9, 9), self.times(step, jitter_ms=9000))
        self.add("resetting_total", {"n": "often"}, self.counter(3, resets=0.2))
        self.add("resetting_total", {"n": "seldom"}, self.counter(3, resets=0.01))
        begin = self.rng.randint(60, 200) * STEP_MS
        for number, step in enumerate((STEP_MS, 60_000)):
            times = self.times(step, begin_ms=begin)
            self.add("from_zero_total", {"n": str(number)}, [at * 1.5 for at in range(len(times))], times)

    def odd_buckets(self):
        for le in ("1", "5", "10"):
            self.add("no_inf_bucket", {"le": le}, self.counter(int(le)))
        for le, value in (("1", 10), ("2", 30), ("3", 25), ("4", 28), ("+Inf", 40)):
            self.add("uneven_bucket", {"le": le}, self.same(value))
        self.histogram("negative", {}, ("-5", "-1", "2", "+Inf"), resets=0.01)
        for le in ("1", "2", "+Inf"):
            self.add("empty_bucket", {"le": le}, self.same(0))
        self.add("only_inf_bucket", {"le": "+Inf"}, self.same(5))
        for le, value in (("0.1", 1), ("1e-1", 2), ("Inf", 7), ("not a number", 3), ("1e1", 5), ("0x10", 6)):
            self.add("odd_le_bucket", {"le": le}, self.same(value))

    def odd_names(self):
        for name in ("sum", "by", "offset", "start", "end", "on", "bool", "group_left"):
            named = name if name in ("sum", "by", "offset", "start", "end") else f"{name}_metric"
            self.add(named, {"by": "1", "n": "2"}, self.gauge(0, 9, digits=1))
        self.add("on", {"by": "1"}, self.gauge(0, 9, digits=1))
        self.add(":odd:", {}, self.same(3))
        self.add("rate:sum", {}, self.same(4))
        words = ("by", "on", "sum", "and", "inf", "start", "group_left", "offset", "bool")
        labels = {word: str(number) for number, word in enumerate(words, start=1)}
        self.add("keyword_labels", labels, self.same(1))
        self.add("keyword_labels", {**labels, "by": "2", "inf": "6"}, self.same(2))


# ---- The cases


def cases(seed, count):
    """`count` cases: `{"kind", "query", "timeMs"}` or `{"kind", "query", "fromMs", "toMs", "stepMs"}`. At least half of
    them are random, and where there is room, every other is among them."""
    rng = random.Random(f"cases {seed}")
    found = [{"kind": "edge of time", **case} for case in EDGES_OF_TIME]
    for query in promql_lists.lines(promql_lists.RANGE_ERRORS):
        found.append({"kind": "error", "query": query, **over_range(rng)})
    fixed = [*listed(), *systematic()]
    if len(found) + len(fixed) > count // 2:
        fixed = rng.sample(fixed, max(0, count // 2 - len(found)))
    found += [when(rng, kind, query) for kind, query in fixed]
    families = families_of(samples(seed))
    while len(found) < count:
        query, is_instant = Grammar(rng, families).expression()
        if rng.random() < 0.12:
            found.append(when(rng, "mutated", mutated(rng, query), is_instant=True))
        else:
            found.append(when(rng, "random", query, is_instant))
    return found[:count]


# The samples of `up{job="web"}` are at whole steps from BASE_MS to BASE_MS + SPAN_MS.
EDGES_OF_TIME = [
    *({"query": query, "timeMs": BASE_MS + ms} for query, ms in (
        ('up{job="web"}', SPAN_MS + 299_999), ('up{job="web"}', SPAN_MS + 300_000),
        ('up{job="web"}', SPAN_MS + 300_001),
        ('up{job="web"}', 0), ('up{job="web"}', -1), ('up{job="web"} offset 5m', SPAN_MS + 600_000), ("up", -3_600_000),
        ('up{job="web"}[1m]', 60_000), ('up{job="web"}[1m]', 60_001), ('up{job="web"}[1m]', 59_999),
        ('count_over_time(up{job="web"}[1m])', 60_000), ('count_over_time(up{job="web"}[1m])', 60_001),
        ('count_over_time(up{job="web"}[1m] offset 1m)', 120_000), ('count_over_time(up{job="web"}[15s])', 60_000),
        ('rate(http_requests_total{job="api"}[15s])', 60_000), ('rate(http_requests_total{job="api"}[1m])', 60_000),
        ('count_over_time(up{job="web"}[1m:15s])', 60_000), ('count_over_time(up{job="web"}[1m:15s])', 60_001),
        ('up{job="web"}[1m:15s]', 60_000), ('up{job="web"}[1m:20s]', 60_000), ('up{job="web"}[5m:]', 600_000),
        ('up{job="web"}[10m:1m]', SPAN_MS + 600_000), ("stale_marked[15m]", 1_800_000), ("special[2m]", 1_800_000),
        ('count_values("v", huge)', 600_000), ('count_values("v", tiny)', 600_000),
        ('count_values("v", special)', 600_000),
        ('count_values("v", epoch_seconds)', 600_000), ('count_values("v", small_ratio)', 600_000),
        ('abs({__name__=~"up|node_load1"})', 600_000), ('rate({__name__=~"up|node_load1"}[5m])', 600_000),
        ('-{__name__=~"up|node_load1"}', 600_000), ('{__name__=~"up|node_load1"} + 1', 600_000),
        ('{__name__=~"up|node_load1"}', 600_000),
        # About the beginning of all time, where steps before zero have to be aligned. At a time before it we refuse to look.
        ("time()", -BASE_MS), ("minute()", -BASE_MS + 59_999),
        ("count_over_time(vector(1)[5m:1m])", -BASE_MS + 100_000), ("vector(time())[5m:90s]", -BASE_MS + 100_000),
        ("up", -BASE_MS),
    )),
    *({"query": query, "fromMs": BASE_MS + first, "toMs": BASE_MS + last, "stepMs": step}
      for query, first, last, step in (
        ('up{job="web"}', SPAN_MS, SPAN_MS + 310_000, 5_000), ('up{job="web"}', -30_000, 30_000, 7_500),
        ("gappy", 1_700_000, 2_600_000, 15_000), ("stale_marked", 600_000, 3_600_000, 15_000),
        ("early", 1_200_000, 2_400_000, 30_000),
        ("count_over_time(gappy[5m])", 1_700_000, 2_600_000, 15_000), ('up{job="web"}', 600_000, 600_000, 1),
        ("count_over_time(gappy[5m:1m])", 1_700_000, 2_600_000, 15_000), ("up", 600_000, 3_600_000, 420_000),
        ('up{job="web"} @ start()', 600_000, 700_000, 20_000), ('up{job="web"} @ end()', 600_000, 710_000, 20_000),
        ("time()", 600_000, 610_000, 1_234), ("1", 600_000, 610_000, 5_000),
        ("-{__name__=~'up|node_load1'}", 600_000, 900_000, 60_000),
        # One series ends and then another begins, whose labels are the same without the name.
        *((query, 3_400_000, 4_000_000, 60_000) for query in (
            "early or late", "-(early or late)", "abs(early or late)", "(early or late) * 2", "late > early or early",
            '-{__name__=~"early|late"}', 'abs({__name__=~"early|late"})', 'rate({__name__=~"early|late"}[1m])',
            '{__name__=~"early|late"} > bool 0', '{__name__=~"early|late"}', 'sum by (n) ({__name__=~"early|late"})',
            'max_over_time((-{__name__=~"early|late"})[1m:15s])', 'timestamp({__name__=~"early|late"})',
            'label_replace({__name__=~"early|late"}, "__name__", "both", "", "")', "-(late or early)",
            '-{__name__=~"early|late", n="1"}', 'abs({__name__=~"early|late", n="1"})',
            '{__name__=~"early|late", n="1"}',
            '-{__name__=~"early|late", n="1"} + 1', 'sort({__name__=~"early|late", n="1"})',
            'label_replace({__name__=~"early|late", n="1"}, "__name__", "both", "", "")',
            'early{n="1"} or late{n="1"}', '-(early{n="1"} or late{n="1"})', '(early{n="1"} or late{n="1"}) and up',
            '{__name__=~"early|late", n="1"} and on () vector(1)', '{__name__=~"early|late", n="1"} > 0',
            'clamp_min({__name__=~"early|late", n="1"}, 0)', 'last_over_time({__name__=~"early|late", n="1"}[1m])',
        )),
        ("-(redis_keyspace_hits_total or redis_keyspace_misses_total)", 600_000, 1_200_000, 60_000),
        ("-(redis_keyspace_hits_total or on (job) redis_keyspace_misses_total)", 600_000, 1_200_000, 60_000),
        ("timestamp(sparse)", 600_000, 1_200_000, 60_000), ("sort(node_load1)", 600_000, 1_200_000, 60_000),
        ('up{job="web"}', 600_000, 500_000, 15_000), ('up{job="web"}', 600_000, 700_000, 0),
        ('up{job="web"}', 600_000, 700_000, -1000),
    )),
]


def listed():
    for query in (*promql_lists.lines(promql_lists.EDGES), *promql_lists.EDGES_OVER_LINES):
        yield "edge", query
    for query in promql_lists.lines(promql_lists.USERS):
        yield "user", query
    for query in (*promql_lists.lines(promql_lists.ERRORS), *promql_lists.ERRORS_OVER_LINES):
        yield "error", query


def when(rng, kind, query, is_instant=False):
    """At which time the expression is asked for. What is of no type that a range can have is asked for at an instant;
    what is to be refused, where all series have samples that could be its cause."""
    if is_instant or not can_be_range(query) or rng.random() < 0.5:
        return {"kind": kind, "query": query, "timeMs": a_time(rng, is_inner=kind == "error")}
    return {"kind": kind, "query": query, **over_range(rng, is_inner=kind == "error")}


def can_be_range(query):
    """Neither a string nor a range vector, as far as the lists and the grammar make them; nor what Prometheus gets
    wrong over a range."""
    text = query.strip()
    if re.search(r"predict_linear\(\w+\[\w+\] @|timestamp\(\w+ @ \S+ offset", text):
        return False
    return not (text[:1] in "\"'`" or text.endswith("]") or "[1m] offset" in text or "[1m] @" in text)


def a_time(rng, is_inner=False):
    """Mostly where all series have samples; now and then at the edge or beyond it, and not only at whole seconds."""
    kind = rng.random()
    if kind < 0.5:
        return BASE_MS + rng.randrange(1_800_000, SPAN_MS, STEP_MS)
    if kind < 0.92 or is_inner:
        return BASE_MS + rng.randrange(1_800_000, SPAN_MS)
    after = rng.choice([0, 299_999, 300_000, 300_001, SPAN_MS, SPAN_MS + 300_000, SPAN_MS + 300_001, SPAN_MS + 60_000])
    return BASE_MS + after


def over_range(rng, is_inner=False):
    begin = a_time(rng, is_inner)
    step = rng.choice([15_000, 15_000, 30_000, 60_000, 60_000, 13_700, 7_000, 300_000, 301_000, 420_000, 900_000, 1])
    points = rng.choice([1, 2, 3, 5, 11, 11, 30])
    # The end is not always on a step.
    end = begin + step * (points - 1) + rng.choice([0, 0, step // 2, step - 1])
    return {"fromMs": begin, "toMs": end, "stepMs": step}


SPLINTERS = (
    "by", "bool", "(", ")", "[5m]", "{", "}", "-", ",", "on", "offset 1m", "@ 5", "'", "#", "1", ":", "=~",
)


def mutated(rng, query):
    """With one part taken out, doubled, put elsewhere or in place of another: mostly refused, by both or by none."""
    parts = re.findall(r"\w+|\s+|\W", query)
    at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    kind = rng.randrange(5)
    if kind == 0:
        del parts[at]
    elif kind == 1:
        parts.insert(at, parts[at])
    elif kind == 2:
        parts[at], parts[other] = parts[other], parts[at]
    elif kind == 3:
        parts[at] = parts[other]
    else:
        parts.insert(at, rng.choice(SPLINTERS))
    return "".join(parts)


# ---- Every function, operator and aggregation in turn

OVER_TIME = (
    "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "idelta", "increase", "irate",
    "last_over_time", "max_over_time", "min_over_time", "present_over_time", "rate", "resets", "stddev_over_time",
    "stdvar_over_time", "sum_over_time",
)
OVER_TIME_WITH_NUMBERS = {
    "quantile_over_time": "{}, {{}}", "predict_linear": "{{}}, {}", "holt_winters": "{{}}, 0.{}, 0.{}",
}
TRIGONOMETRY = (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh",
)
PLAIN = ("abs", "ceil", "exp", "floor", "ln", "log10", "log2", "sgn", "sqrt", "deg", "rad", "round")
CALENDAR = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")
ARITHMETIC = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
SETS = ("and", "or", "unless")
AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
RANGED = (
    "node_load1", "http_requests_total", "gappy", "stale_marked", "late", "early", "jittered", "sparse", "special",
    "huge", "tiny",
    "constant", "resetting_total", "from_zero_total",
)


GROUPINGS = ("", " by (job)", " by (n)", " without (instance, code)", " by (nothing)", " without (n)", " by (room)")


def systematic():
    """`(kind, query)` for each, with few surroundings."""
    rng = random.Random("systematic")
    for name in (*OVER_TIME, *OVER_TIME_WITH_NUMBERS):
        for metric in RANGED:
            window = rng.choice(["1m", "5m", "5m", "7m30s", "10m", "45s", "20m", "5m:30s", "10m:", "3m:7s"])
            numbers = OVER_TIME_WITH_NUMBERS.get(name, "{{}}").format(rng.randint(1, 9), rng.randint(1, 9))
            if name == "quantile_over_time":
                numbers = f"0.{numbers}"
            yield "function", f"{name}({numbers.format(f'{metric}[{window}]')})"
    for name in (*TRIGONOMETRY, *PLAIN):
        for metric in ("small_ratio", "temperature_celsius", "special", "node_load1"):
            yield "function", f"{name}({metric})"
    for name in CALENDAR:
        for argument in ("epoch_seconds", "special", "timestamp(jittered)", ""):
            yield "function", f"{name}({argument})"
    numbers = ("2", "-3", "0.5", "0", "Inf", "-Inf", "NaN")
    for operator in ARITHMETIC:
        for vector in ("special", "temperature_celsius", "constant"):
            number = rng.choice(numbers)
            yield "operator", f"{vector} {operator} {number}"
            yield "operator", f"{number} {operator} {vector}"
        yield "operator", f"{rng.choice(numbers)} {operator} {rng.choice(numbers)}"
        yield "operator", f"node_memory_MemAvailable_bytes {operator} node_memory_MemTotal_bytes"
        yield "operator", f"node_load1 {operator} on (instance) group_left (version) build_info"
        yield "operator", f"sum by (job) (up) {operator} on (job) group_right up"
    for operator in COMPARISONS:
        for vector in ("special", "temperature_celsius", "up"):
            number = rng.choice((*numbers, "1"))
            for modifier in ("", " bool"):
                yield "operator", f"{vector} {operator}{modifier} {number}"
                yield "operator", f"{number} {operator}{modifier} {vector}"
        yield "operator", f"{rng.choice(numbers)} {operator} bool {rng.choice(numbers)}"
        for modifier in ("", " bool"):
            yield "operator", f"special {operator}{modifier} special offset 1m"
            yield "operator", f"node_load1 {operator}{modifier} on (instance) group_left (version) build_info"
            matching = f"{operator}{modifier} on (job) group_right"
            yield "operator", f"avg by (job) (http_requests_total) {matching} http_requests_total"
    for operator in SETS:
        for modifier in ("", " on (job)", " on (instance)", " on ()", " ignoring (instance)", " ignoring (code)"):
            yield "operator", f"up {operator}{modifier} http_requests_total > 500"
            yield "operator", f"special {operator}{modifier} gappy"
    for name in AGGREGATIONS:
        for metric in ("http_requests_total", "special", "gappy", "temperature_celsius"):
            grouping = rng.choice(GROUPINGS)
            yield "aggregation", f"{name}{grouping}({metric})"
            yield "aggregation", f"{name}(-{metric}){grouping}"
    for name in ("topk", "bottomk", "quantile", "count_values"):
        for metric in ("http_requests_total", "special", "temperature_celsius"):
            parameter = {"topk": "2", "bottomk": "3", "quantile": "0.7", "count_values": '"value"'}[name]
            grouping = rng.choice(["", " by (job)", " without (instance)", " by (n)"])
            yield "aggregation", f"{name}{grouping}({parameter}, {metric})"


# ---- Random expressions


class Family:
    """The series of one name, as the grammar has to know them."""

    def __init__(self, name, labels):
        self.name = name
        self.series = labels
        self.labels = sorted({label for one in labels for label in one})
        # All but those that the lexer takes for numbers where labels are grouped by.
        self.grouping_labels = [label for label in self.labels if label != "inf"]

    def values(self, label):
        return sorted({one[label] for one in self.series if label in one})

    def is_unique_by(self, labels):
        """Whether no two series have the same values of these labels, and all have them."""
        keys = [tuple(one.get(label) for label in labels) for one in self.series]
        return len(set(keys)) == len(keys) and not any(None in key for key in keys)


def families_of(series):
    names = {}
    for name, labels, _ in series:
        names.setdefault(name, []).append(labels)
    return {name: Family(name, labels) for name, labels in names.items()}


# Names that the grammar takes as they come, the plain ones more often.
ORDINARY = (
    "up", "node_load1", "node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes",
    "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "node_network_receive_bytes_total",
    "http_requests_total",
    "http_request_duration_seconds_bucket", "http_request_duration_seconds_sum", "http_request_duration_seconds_count",
    "build_info", "redis_keyspace_hits_total", "redis_keyspace_misses_total", "kube_pod_status_phase",
    "temperature_celsius",
    "pg_stat_database_xact_commit_total", "kube_pod_container_status_restarts_total", "small_ratio",
)
ODD = (
    "gappy", "stale_marked", "late", "early", "jittered", "sparse", "special", "huge", "tiny", "constant",
    "resetting_total",
    "from_zero_total", "keyword_labels", "sum", "by", "offset", "start", "job:http_requests:rate5m", "uneven_bucket",
)
# No two series of these have the same value, or only by a rare chance: what topk takes of them is defined.
DISTINCT = (
    "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_network_receive_bytes_total",
    "http_requests_total",
    "temperature_celsius", "small_ratio", "huge", "jittered", "epoch_seconds",
)
# Those with a job and an instance, and of them those that have a build_info.
WITH_BUILDS = (
    "up", "node_load1", "node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes",
    "node_filesystem_avail_bytes", "node_network_receive_bytes_total", "http_requests_total",
    "http_request_duration_seconds_bucket",
    "http_request_duration_seconds_sum",
)
ON_HOSTS = (*WITH_BUILDS, "redis_keyspace_hits_total", "redis_keyspace_misses_total")
# Of these no number is so great that a last bit's difference makes another sine.
SMALL = ("small_ratio", "temperature_celsius", "node_load1", "up", "sparse", "gappy", "tiny", "special", "constant")
GROWING_BUCKETS = ("http_request_duration_seconds_bucket",) * 4 + ("negative_bucket", "no_inf_bucket")
BUCKETS = (*GROWING_BUCKETS, "uneven_bucket", "odd_le_bucket")
NUMBERS = (
    "0", "1", "2", "3", "10", "100", "0.5", "1.5", "0.001", "1e3", "1e-3", "2.5E2", "0x1F", "010", "-1", "-0.5",
    ".5", "5.", "60",
    "3600", "1e+2", "0xff", "+7", "42", "7",
)
RARE_NUMBERS = ("Inf", "NaN", "-Inf", "+inf", "nan", "1e300", "INF")
DURATIONS = ("15s", "30s", "1m", "2m", "5m", "90s", "1m30s", "10m", "4m59s", "20001ms")
WINDOWS = ("1m", "2m", "5m", "5m", "10m", "10m", "7m30s", "45s", "61s", "20m", "1h", "300500ms")
SUBQUERIES = ("5m:1m", "10m:1m", "5m:30s", "10m:", "4m:", "10m:2m", "3m:17s", "2m:15s", "7m:1m1s", "20m:5m")


class Shape:
    """What is known of a vector's label sets: those of a family, or exactly some labels; whether they are unique
    without the name."""

    def __init__(self, family=None, labels=None, unique=True):
        self.family = family
        self.labels = labels
        self.unique = unique

    @property
    def is_known(self):
        return self.family is not None or self.labels is not None


UNKNOWN = Shape()
CLASHING = Shape(unique=False)


class Grammar:
    """Makes one expression. A method makes a part of it, of the type that it is named after, no deeper than `depth`.

    Not made is what Prometheus 2.42 itself gets wrong: over a range or within a subquery,
    `predict_linear(x[5m] @ T, …)` takes its window from a place that moves along, and `timestamp(x @ T offset D)` loses
    its offset.
    """

    def __init__(self, rng, families):
        self.rng = rng
        self.families = families
        # Odd spellings come together: an expression has many or none.
        self.is_odd = rng.random() < 0.15

    def expression(self):
        """The text, and whether only an instant can be asked for."""
        depth = self.rng.choice([1, 2, 2, 3, 3, 4])
        kind = self.rng.random()
        if kind < 0.06:
            return self.scalar(depth), False
        if kind < 0.08:
            return self.matrix(depth), True
        if kind < 0.11:
            return f"{self.rng.choice(['sort', 'sort_desc'])}({self.vector(depth)[0]})", True
        if kind < 0.13:
            name, number = self.rng.choice(["topk", "bottomk"]), self.rng.choice(["1", "2", "3", "5"])
            return f"{self.keyword(name)}{self.grouping()[0]}({number}, {self.unique(depth)})", False
        return self.vector(depth)[0], False

    # -- Spelling

    def chance(self, probability):
        return self.rng.random() < probability

    def keyword(self, word):
        return self.rng.choice([word, word.upper(), word.capitalize()]) if self.is_odd else word

    def gap(self):
        """Between two words, where white space is needed."""
        is_wide = self.is_odd and self.chance(0.4)
        return self.rng.choice([" ", "  ", "\n", "\t", " # why\n", " \r\n "]) if is_wide else " "

    def space(self):
        """Where none is needed."""
        return self.gap() if self.is_odd else ""

    def quoted(self, text):
        if "`" not in text and self.chance(0.1):
            return f"`{text}`"
        quote = "'" if self.chance(0.2) else '"'
        return quote + text.replace("\\", "\\\\").replace("\n", "\\n").replace(quote, "\\" + quote) + quote

    def pick(self, **weights):
        """One of the names, each as often as its weight says."""
        return self.rng.choices(list(weights), weights.values())[0]

    # -- Scalars

    def number(self):
        return self.rng.choice(RARE_NUMBERS if self.chance(0.04) else NUMBERS)

    def scalar(self, depth):
        kind = self.pick(number=5, time=0.5, pi=0.5, of_vector=1.5, binary=2, comparison=0.7, minus=0.7, brackets=0.7)
        if depth <= 0 or kind == "number":
            return self.number()
        if kind in ("time", "pi"):
            return f"{kind}({self.space()})"
        if kind == "of_vector":
            return f"scalar({self.aggregated(depth - 1, ())[0]})"
        if kind == "minus":
            return f"-{self.scalar(depth - 1)}"
        if kind == "brackets":
            return f"({self.scalar(depth - 1)})"
        left, right = self.scalar(depth - 1), self.scalar(depth - 1)
        if kind == "comparison":
            return f"({left} {self.rng.choice(COMPARISONS)} {self.keyword('bool')} {right})"
        operator = self.rng.choice(ARITHMETIC)
        if operator == "%":
            return f"({self.number()} % {self.number()})"
        return f"{left} {self.keyword(operator)} {right}" if self.chance(0.5) else f"({left} {operator} {right})"

    # -- Selectors

    def family(self):
        return self.families[self.rng.choice(ODD if self.chance(0.3) else ORDINARY)]

    def matchers(self, family):
        """Mostly such that something is left."""
        found = []
        for label in self.rng.sample(family.labels, min(len(family.labels), self.rng.choice([0, 0, 1, 1, 2]))):
            values = family.values(label)
            value = self.rng.choice(values)
            operator = self.rng.choice(["=", "=", "!=", "=~", "=~", "!~"])
            if operator in ("!=", "!~") and len(values) == 1:
                value = "none"
            if operator in ("=~", "!~"):
                value = self.pattern(value, values, is_positive=operator == "=~")
            found.append(f"{label}{self.space()}{operator}{self.space()}{self.quoted(value)}")
        if self.chance(0.04):
            found.append(self.rng.choice(['missing=""', 'missing!="x"', 'missing!~"x.+"', 'missing=~"x*"']))
        return found

    def pattern(self, value, values, is_positive):
        plain = escaped(value)
        forms = [plain, f"{plain}|none", f"(?:{plain})", f"^{plain}$", f"(?i){plain}"]
        if is_positive:
            first, last = escaped(value[:1]), escaped(value[-1:])
            forms += [".+", ".*", "|".join(escaped(one) for one in values), f"{first}.*", "[^,]+", f".*{last}"]
        return self.rng.choice(forms)

    def selector(self, family, spelled=None):
        """An instant selector with its modifiers, or with `spelled` a range selector."""
        matchers = self.matchers(family)
        name = family.name
        if self.chance(0.04):
            text = "{" + ", ".join([f'__name__="{name}"', *matchers]) + "}"
        elif matchers:
            comma = "," if self.chance(0.05) else ""
            text = f"{name}{self.space()}{{{self.space()}{(',' + self.gap()).join(matchers)}{comma}{self.space()}}}"
        else:
            text = name + ("{}" if self.chance(0.03) else "")
        return text + (f"[{spelled}]" if spelled else "") + self.modifiers()

    def modifiers(self):
        found = []
        if self.chance(0.1):
            sign = "-" if self.chance(0.25) else ""
            found.append(f" {self.keyword('offset')}{self.gap()}{sign}{self.rng.choice(DURATIONS)}")
        if self.chance(0.06):
            at = self.rng.choice(["start()", "end()", str((BASE_MS + self.rng.randrange(1_800_000, SPAN_MS)) / 1000)])
            found.append(f" @{self.space()}{at}")
        self.rng.shuffle(found)
        return "".join(found)

    def matrix(self, depth, family=None):
        return self.matrix_of(depth, family)[0]

    def matrix_of(self, depth, family=None):
        """A range selector or a subquery, and its shape."""
        if depth > 1 and self.chance(0.3):
            text, shape = self.unique_of(depth - 1, Shape(family=family.name) if family else None)
            if text[-1:] in ")]}" and self.chance(0.3) and not text.startswith("-"):
                inner = f"({text})"
            else:
                inner = text if text.replace("_", "").isalnum() and text not in KEYWORDS else f"({text})"
            return f"{inner}[{self.rng.choice(SUBQUERIES)}]{self.modifiers()}", shape
        family = family or self.family()
        return self.selector(family, self.rng.choice(WINDOWS)), Shape(family=family.name)

    # -- Instant vectors

    def unique(self, depth):
        return self.unique_of(depth)[0]

    def unique_of(self, depth, shape=None):
        """One whose label sets are unique without the name."""
        text, found = self.vector(depth, shape)
        if found.unique:
            return text, found
        return f"max by (instance) ({text})", Shape(labels=("instance",))

    def vector(self, depth, shape=None):
        """Its text and its shape, which is as asked for where one is."""
        if depth <= 0:
            return self.leaf(depth, shape)
        if shape and shape.labels is not None:
            return self.aggregated(depth, shape.labels)
        choices = {
            "leaf": 1, "mapped": 4, "over_time": 5, "with_scalar": 3, "same_shape": 2.5, "minus": 0.8, "brackets": 0.5,
        }
        if shape is None:
            choices |= {
                "remainder": 0.6, "grouped": 5, "of_sets": 2, "joined": 2.5, "relabelled": 1, "absence": 0.4,
                "of_scalar": 0.5, "quantile_of_buckets": 1, "limited": 1, "many_names": 0.3, "by_calendar": 0.5,
                "trigonometric": 1,
            }
        return getattr(self, self.pick(**choices))(depth, shape)

    def leaf(self, depth, shape):
        """A selector, or grouped selectors where the labels are given."""
        if shape and shape.labels is not None:
            return self.aggregated(0, shape.labels)
        family = self.families[shape.family] if shape else self.family()
        return self.selector(family), Shape(family=family.name)

    def mapped(self, depth, shape):
        text, found = self.unique_of(depth - 1, shape)
        if self.chance(0.1) and "@" not in text:
            # The age: of times themselves, variances would be no more than the error that is made with numbers so great.
            return f"(time() - timestamp({text}))", found
        name = self.rng.choice([*PLAIN, "clamp", "clamp_min", "clamp_max", "round"])
        extra = {"clamp": 2, "clamp_min": 1, "clamp_max": 1}.get(name, 1 if name == "round" and self.chance(0.4) else 0)
        words = [text, *(self.scalar(depth - 2) for _ in range(extra))]
        return f"{name}({self.space()}{', '.join(words)}{self.space()})", found

    def over_time(self, depth, shape):
        family = self.families[shape.family] if shape else None
        text, found = self.matrix_of(depth, family)
        name = self.rng.choice([*OVER_TIME[1:], "rate", "rate", "increase", *OVER_TIME_WITH_NUMBERS])
        if name == "predict_linear" and "@" in text:
            name = "deriv"
        if name == "quantile_over_time":
            text = f"{self.rng.choice(['0.5', '0.9', '0', '1', self.scalar(depth - 2)])}, {text}"
        elif name == "predict_linear":
            text += f", {self.rng.choice(['60', '3600', '-30', self.scalar(depth - 2)])}"
        elif name == "holt_winters":
            text += f", 0.{self.rng.randint(1, 9)}, 0.{self.rng.randint(1, 9)}"
        return f"{name}({text})", found

    def with_scalar(self, depth, shape):
        text, found = self.unique_of(depth - 1, shape)
        number = self.scalar(depth - 1)
        operator = self.operator()
        text = self.bracketed(text)
        pair = (text, operator, number) if self.chance(0.7) else (number, operator, text)
        return " ".join(pair), found

    def operator(self):
        """Comparisons mostly with bool, so that something is left."""
        if self.chance(0.7):
            return self.keyword(self.rng.choice([one for one in ARITHMETIC if one != "%"]))
        return self.rng.choice(COMPARISONS) + (f"{self.gap()}{self.keyword('bool')}" if self.chance(0.6) else "")

    def bracketed(self, text):
        return f"({text})" if self.chance(0.85) else text

    def same_shape(self, depth, shape):
        """One-to-one: both sides of one family, or grouped by the same labels."""
        left, found = self.unique_of(depth - 1, shape)
        if not found.is_known:
            return f"({left}) {self.operator()} {self.scalar(1)}", found
        right, _ = self.unique_of(depth - 1, Shape(family=found.family, labels=found.labels))
        matching = ""
        labels = found.labels if found.labels is not None else self.families[found.family].grouping_labels
        unique = found.labels is not None or self.families[found.family].is_unique_by(labels)
        if unique and self.chance(0.4):
            words = self.rng.sample(labels, len(labels))
            matching = f" {self.keyword('on')} ({', '.join(words)})"
        elif self.chance(0.15):
            matching = f" {self.keyword('ignoring')} (nothing)"
        return f"({left}) {self.operator()}{matching} ({right})", found

    def remainder(self, depth, shape=None):
        """Of values as they were written: elsewhere a last bit's difference can make another remainder."""
        family = self.family()
        right = self.number() if self.chance(0.6) else self.selector(family)
        return f"{self.selector(family)} % {right}", Shape(family=family.name)

    def minus(self, depth, shape):
        text, found = self.unique_of(depth - 1, shape)
        return f"{self.rng.choice(['-', '-', '+'])}{self.bracketed(text)}", found

    def brackets(self, depth, shape):
        text, found = self.vector(depth - 1, shape)
        return f"({self.space()}{text}{self.space()})", found

    def grouping(self, family=None):
        """The text of by or without, and the labels that are left where they are known."""
        labels = family.grouping_labels if family else ["job", "instance"]
        some = tuple(self.rng.sample(labels, min(len(labels), self.rng.choice([1, 1, 2]))))
        kind = self.rng.random()
        if kind < 0.2:
            return "", ()
        if kind < 0.75:
            return f" {self.keyword('by')}{self.space()} ({', '.join(some)})", some
        return f" {self.keyword('without')} ({', '.join(some)})", None

    def grouped(self, depth, shape=None):
        family = self.family()
        text, found = self.vector(depth - 1, Shape(family=family.name) if self.chance(0.7) else None)
        family = self.families[found.family] if found.family else None
        grouping, labels = self.grouping(family)
        name = self.rng.choice([*AGGREGATIONS, "sum", "sum", "avg", "quantile", "count_values"])
        if name == "count_values":
            return f"{self.keyword(name)}{grouping}(\"value\", {text})", UNKNOWN
        if name == "quantile":
            text = f"{self.rng.choice(['0.5', '0.9', '0', '1', '0.25', self.scalar(depth - 2)])}, {text}"
        after = grouping if self.chance(0.25) else ""
        before = "" if after else grouping
        shape = UNKNOWN if labels is None else Shape(labels=labels)
        return f"{self.keyword(name)}{before}{self.space()} ({text}){after}", shape

    def aggregated(self, depth, labels, names=(*ORDINARY, "gappy", "jittered")):
        """Grouped by exactly these labels, of a family that has them, among the names if there is one."""
        able = [name for name in names if set(labels) <= set(self.families[name].labels)]
        family = self.families[self.rng.choice(able)] if able else self.family()
        text, _ = self.vector(depth - 1, Shape(family=family.name))
        name = self.rng.choice(AGGREGATIONS)
        grouping = f" by ({', '.join(labels)})" if labels else ""
        return f"{self.keyword(name)}{grouping} ({text})", Shape(labels=tuple(labels))

    def of_sets(self, depth, shape=None):
        left, found = self.unique_of(depth - 1)
        is_alike = found.is_known and self.chance(0.5)
        right, _ = self.unique_of(depth - 1, Shape(family=found.family, labels=found.labels) if is_alike else None)
        operator = self.rng.choice(["or", "or", "and", "unless"])
        matching = self.rng.choice(["", "", "", " on (instance)", " on (job)", " ignoring (instance, n)", " on ()"])
        if operator == "and" and self.chance(0.5):
            matching = " on ()"
        shape = UNKNOWN if operator == "or" else found
        return f"{self.bracketed(left)} {self.keyword(operator)}{matching} {self.bracketed(right)}", shape

    def joined(self, depth, shape=None):
        """Many-to-one, to an info metric or to what is grouped by the labels that are matched."""
        operator = self.operator()
        many_of = self.families[self.rng.choice(ON_HOSTS)]
        many, found = self.unique_of(depth - 1, Shape(family=many_of.name))
        if self.chance(0.5) and many_of.name in WITH_BUILDS:
            one = self.selector_of("build_info")
            on = self.rng.choice(["instance", "job, instance", "instance, job"])
            labels = self.rng.choice(["version", "revision", "version, revision", ""])
        else:
            on = self.rng.choice(["instance", "job", "instance, job", ""])
            jobs = set(many_of.values("job"))
            near = [name for name in ON_HOSTS if jobs & set(self.families[name].values("job"))]
            one, _ = self.aggregated(depth - 1, tuple(on.split(", ")) if on else (), near)
            labels = ""
        # Never without brackets: those of the right side would be taken for them.
        include = self.rng.choice([f" ({labels})", f"({labels})"])
        is_left = self.chance(0.7)
        matching = f"{self.keyword('on')} ({on}) {self.keyword('group_left' if is_left else 'group_right')}{include}"
        left, right = (many, one) if is_left else (one, many)
        return f"({left}) {operator} {matching} ({right})", UNKNOWN

    def selector_of(self, name):
        return name if self.chance(0.6) else f"({name} {self.rng.choice(['* 2', '> 0', 'offset 1m'])})"

    def relabelled(self, depth, shape=None):
        """With a new label, so that no two series become the same."""
        text, _ = self.unique_of(depth - 1)
        if self.chance(0.4):
            labels = ", ".join(f'"{label}"' for label in self.rng.sample(["job", "instance", "n", "room", "code"], 2))
            return f'label_join({text}, "made", {self.quoted(self.rng.choice(["-", "", "/", "é"]))}, {labels})', UNKNOWN
        source = self.rng.choice(["job", "instance", "n", "room", "mode", "code"])
        patterns = ["(.*)", "(.+)", "([a-z]).*", "(?P<first>.).*", "(\\w+):(\\d+)", "(..?).*", "[0-9]+", ""]
        pattern = self.rng.choice(patterns)
        made = self.rng.choice(["$1", "x-$1", "${1}y", "$first", "constant", "$0", "$2:$1", "$1$1"])
        return f'label_replace({text}, "made", {self.quoted(made)}, "{source}", {self.quoted(pattern)})', UNKNOWN

    def absence(self, depth, shape=None):
        if self.chance(0.5):
            return f'absent({self.family().name}{{job="gone", instance=~"x.*"}})', UNKNOWN
        name = self.rng.choice(["gone", "late", "gappy"])
        return f'absent_over_time({name}{{n="7"}}[{self.rng.choice(WINDOWS)}])', UNKNOWN

    def of_scalar(self, depth, shape=None):
        return f"vector({self.scalar(depth - 1)})", Shape(labels=())

    def quantile_of_buckets(self, depth, shape=None):
        part = self.rng.choice(["0.5", "0.9", "0.99", "0", "1", "0.25", "0.1", self.scalar(depth - 2)])
        name = buckets = self.rng.choice(BUCKETS)
        if self.chance(0.6):
            name = self.rng.choice(GROWING_BUCKETS)
            window = self.selector(self.families[name], self.rng.choice(WINDOWS[1:]))
            buckets = f"{self.rng.choice(['rate', 'increase', 'irate'])}({window})"
        if name.startswith("http") and self.chance(0.5):
            buckets = f"sum by ({self.rng.choice(['le', 'le, job', 'instance, le'])}) ({buckets})"
        return f"histogram_quantile({part}, {buckets})", UNKNOWN

    def limited(self, depth, shape=None):
        """topk and bottomk, over values of which no two are the same."""
        family = self.families[self.rng.choice(DISTINCT)]
        text = self.selector(family)
        if self.chance(0.3):
            text = f"avg_over_time({self.selector(family, self.rng.choice(WINDOWS))})"
        number = self.rng.choice(["1", "2", "3", "5", "1.7"])
        name = self.keyword(self.rng.choice(["topk", "bottomk"]))
        return f"{name}{self.grouping(family)[0]}({number}, {text})", Shape(family=family.name)

    def many_names(self, depth, shape=None):
        patterns = ["up|node_load1", "node_memory_.*", "redis_.*_total", "node_(load1|boot_time_seconds)", "pg_.+"]
        pattern = self.rng.choice(patterns)
        return f'{{__name__=~"{pattern}"}}', CLASHING

    def by_calendar(self, depth, shape=None):
        of = self.rng.choice(["epoch_seconds", "timestamp(jittered)", "vector(time())", "node_boot_time_seconds", ""])
        return f"{self.rng.choice(CALENDAR)}({of})", UNKNOWN

    def trigonometric(self, depth, shape=None):
        family = self.families[self.rng.choice(SMALL)]
        text = self.selector(family)
        if self.chance(0.4):
            text = f"{self.rng.choice(['avg_over_time', 'max_over_time', 'delta'])}({self.selector(family, '5m')})"
        return f"{self.rng.choice(TRIGONOMETRY)}({text})", Shape(family=family.name)


# Names that are words of the language: a subquery's brackets behind them want them in brackets of their own.
KEYWORDS = ("sum", "by", "offset", "start", "end", "on")


def escaped(text):
    """As a pattern that means just this text, for RE2 as well as for Go: only what has to be escaped."""
    return "".join("\\" + one if one in r"\.+*?()|[]{}^$" else one for one in text)
