"""metricsd's figures of the host beside Debian's node_exporter at the same moment: what agrees, and what is not covered.

Each round scrapes the exporter, has metricsd measure, and scrapes again, so that what moves is bracketed by the exporter's own
two values. A series agrees where metricsd's value lies between them; where the exporter's values move, by as much more as they
moved in all rounds together, since what is read twice may pass a peak in between. On this host metricsd is started by hand; in
the machine it is the installed one, in its sandbox, and the exporter's collector of systemd's units runs too.

The same for the servers that a service needs, beside redis_exporter and postgres_exporter; and each of them is hung for some
seconds, while the other and the host must be measured as ever.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import gateway
import rpc
import servers
from machine import PROJECT, Machine
from metrics_bench import MetricsBench

TITLE = "metricsd beside the exporters for the host, Redis and PostgreSQL"
RUNS = 1
MACHINE = False
PROGRAMS = ("metricsd",)

PACKAGE = "prometheus-node-exporter"
PORT = 19100
ROUNDS = 10
PAUSE_S = 1.0
BRIEF = {"ROUNDS": 4, "PAUSE_S": 0.3}
# Of the rounds of a series: the others may have met a figure between two of the exporter's readings, as running processes.
SHARE_THAT_AGREES = 0.8
# Both print the shortest text that reads back the same, but may come to a value by different quotients.
RELATIVE = 1e-9

# What the measuring itself moves: each side has threads and sockets of its own at work while it measures, and so is not what
# the other sees. How far apart the two may be.
DISTURBED = {"node_procs_running": 16, "node_sockstat_sockets_used": 8, "node_filefd_allocated": 4,
             # Pages on their way to the disk: for milliseconds, so that neither reading before nor after need see them.
             "node_memory_Writeback_bytes": 1 << 20,
             "redis_connected_clients": 1,
             "redis_memory_used_bytes": 1 << 17, "redis_memory_used_dataset_bytes": 1 << 17,
             "pg_stat_activity_count": 2, "pg_stat_activity_max_tx_duration": 0.1, "pg_stat_database_numbackends": 2}

# What an exporter tells of itself.
EXPORTERS_OWN = re.compile(
    "go_|process_|promhttp_|(node|redis|pg)_exporter_|node_(scrape|textfile)_|pg_scrape_|redis_(target_scrape|last_key_groups)_")
# What of the exporter's is not covered, and why. Another metric that only it has is a complaint.
NOT_COVERED = {
    "node_disk_info|node_disk_(ata|device_mapper|filesystem)_": "needs udev's database",
    "node_dmi_info": "serial numbers and dates of the board, for an inventory",
    "node_cpu_info|node_cpu_(frequency|scaling_frequency|package|core|isolated)": "kinds and clocks of processors",
    "node_hwmon_|node_power_supply_|node_rapl_|node_edac_|node_nvme_": "of the board, with drivers of their own",
    "node_(md|btrfs|xfs|zfs|bcache|nfs|nfsd|mountstats|tapestats)_": "of one kind of storage",
    "node_(bonding|infiniband|ipvs|fibrechannel|wifi)_": "of one kind of network",
    "node_systemd_(socket|timer|service|unit_start|unit_tasks)_": "a call to process 1 for each unit, each time",
    "node_systemd_version": "of the package, for an inventory",
    "redis_(slowlog_|last_slow_execution_)": "commands of their own, which an account for figures need not be allowed",
    "redis_config_io_threads": "of CONFIG GET, for the same reason",
    "redis_latency_percentiles_usec": "since the server's start, so of little use; redis_commands_duration_seconds_total is there",
    "pg_settings_": "settings that bound nothing which is measured",
}
# Of what some series are not covered on purpose.
EMPTY_DATABASES = "databases that hold nothing have no series"
IN_PART = {"node_systemd_unit_state": "of guarded units and of those that failed; all are in node_systemd_units",
           "redis_db_keys": EMPTY_DATABASES, "redis_db_keys_expiring": EMPTY_DATABASES}
# A unit that fails, in the machine: none of Mainstay's business, but its state must be told.
FAILED_UNIT = "exporters-fails"

# How a series compares.
KINDS = ("agree", "differ", "notCovered", "oursOnly")


def cases():
    return ["this host", "the machine", *servers.PACKAGES]


OUTSIDE = set(cases())


def prepare(build):
    """The exporters, which are only ever started by hand."""
    script = str(PROJECT / "Scripts/lib/packages")
    for package in (PACKAGE, *servers.PACKAGES.values()):
        known = subprocess.run(["dpkg-query", "-Wf", "${db:Status-Status}", package], capture_output=True, text=True)
        if known.stdout != "installed":
            subprocess.run([script, package], check=True)
            subprocess.run(["systemctl", "disable", "--quiet", f"{package}.service"], check=True)
    missing = [name for name in PROGRAMS if not (pathlib.Path(build) / name).exists()]
    if missing:
        subprocess.run([str(PROJECT / "Scripts/lib/build"), *missing], check=True, stdout=subprocess.DEVNULL)


def outside(case, host, runs):
    for _ in range(runs):
        if case in servers.PACKAGES:
            with servers.both() as hangs, MetricsBench(host.build, *servers.settings()) as bench:
                yield {**of_server(case, bench.sockets), "hung": servers.hung(case, bench.sockets, hangs[case])}
                bench.must_live()
        elif case == "this host":
            with MetricsBench(host.build) as bench:
                yield compared(bench.sockets)
                bench.must_live()
        else:
            with Machine(f"exporters-{os.getpid()}", host.build) as machine:
                machine.run("systemd-run", "--quiet", f"--unit={FAILED_UNIT}", "false")
                lines = ["import exporters, json", f"exporters.ROUNDS, exporters.PAUSE_S = {ROUNDS}, {PAUSE_S}",
                         "print(json.dumps(exporters.compared()))"]
                yield json.loads(machine.python("\n".join(lines)))


# ---- Both sides


@contextlib.contextmanager
def host_exporter(folder):
    words = [PACKAGE, f"--web.listen-address=127.0.0.1:{PORT}", "--web.disable-exporter-metrics"]
    has_systemd = pathlib.Path("/run/systemd/system").exists()
    words.append("--collector.systemd" if has_systemd else "--no-collector.systemd")
    with exporter(words, PORT, folder) as connection:
        yield connection


@contextlib.contextmanager
def exporter(words, port, folder, environment=None):
    with running(words, pathlib.Path(folder) / "exporter.log", environment):
        # Open from the first to the last: a connection for each scrape would itself be among the sockets that are counted.
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            gateway.wait_until("the exporter answers", lambda: answers(connection), 20)
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def running(words, log, environment=None):
    with log.open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})})
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"{words[0]} ended with {process.returncode}: {log.read_text()[-500:]}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def answers(connection):
    try:
        return scrape(connection)
    except (OSError, http.client.HTTPException):
        connection.close()
        return None


def scrape(connection):
    """The exporter's values by series."""
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    page = response.read().decode()
    if response.status != 200:
        raise RuntimeError(f"the exporter answers {response.status}: {page[:200]}")
    return values_of(page)


def values_of(text):
    """The samples of a page: a series is its name and its labels, of which an empty one is the same as none."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        series, value = line.rsplit(" ", 1)
        name, _, labels = series.partition("{")
        pairs = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', labels)
        found[key(name, {label: unescaped(text) for label, text in pairs})] = float(value)
    return found


def unescaped(text):
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def key(name, labels):
    return name, tuple(sorted((label, value) for label, value in labels.items() if value))


def collect(connection, level="system"):
    """What metricsd measures now."""
    found, cursor = {}, {}
    while True:
        page = connection.call("collect", level=level, **cursor)
        if page["failed"]:
            raise RuntimeError(f"metricsd could not measure: {page['failed']}")
        for sample in page["samples"]:
            found[key(sample["name"], sample["labels"])] = float(sample["value"])
        if not page.get("next"):
            return found
        cursor = {"cursor": page["next"]}


# ---- The comparison


def compared(folder=None):
    """All rounds, and what they come to, by metric."""
    rounds = []
    with tempfile.TemporaryDirectory(prefix="exporters-") as logs, host_exporter(logs) as page:
        gateway.wait_until("metricsd answers", lambda: connects(folder), 20)
        with rpc.Connection("metricsd", folder=folder) as connection:
            collect(connection)  # the first of each side has to find everything
            for _ in range(ROUNDS):
                time.sleep(PAUSE_S)
                before = scrape(page)
                ours = collect(connection)
                rounds.append((before, ours, scrape(page)))
    return summary(rounds)


def of_server(server, folder):
    """As `compared`, of a server: labels that only one side has on purpose are left out, and so is what is NULL to the server."""
    words, environment = servers.exporter_words(server)
    port, prefix = servers.EXPORTER_PORTS[server], servers.PREFIXES[server]

    def plain(found):
        return {key(name, {label: value for label, value in labels if label not in ("server", "instance", "job")}): value
                for (name, labels), value in found.items() if name.startswith(prefix) and value == value}

    rounds = []
    with tempfile.TemporaryDirectory(prefix="exporters-") as logs, exporter(words, port, logs, environment) as page:
        gateway.wait_until("metricsd answers", lambda: connects(folder), 20)
        with rpc.Connection("metricsd", folder=folder) as connection:
            collect(connection, "infrastructure")
            for _ in range(ROUNDS):
                time.sleep(PAUSE_S)
                before = plain(scrape(page))
                ours = plain(collect(connection, "infrastructure"))
                rounds.append((before, ours, plain(scrape(page))))
    return summary(rounds)


def connects(folder):
    try:
        rpc.Connection("metricsd", folder=folder).__exit__()
        return True
    except rpc.Silent:
        return False


def summary(rounds):
    """Series of each metric by how they compare, with an example of what does not agree."""
    theirs = {series for before, _, after in rounds for series in (*before, *after)}
    theirs = {series for series in theirs if not EXPORTERS_OWN.match(series[0])}
    ours = {series for _, found, _ in rounds for series in found}
    table, examples, not_zero, failed_unit = {}, {}, set(), 0
    for series in sorted(theirs | ours):
        kind = kind_of(series, theirs, ours, rounds)
        row = table.setdefault(series[0], dict.fromkeys(KINDS, 0))
        row[kind] += 1
        if kind == "agree":
            failed_unit += ("name", f"{FAILED_UNIT}.service") in series[1]
            if any(found.get(series) for _, found, _ in rounds):
                not_zero.add(series[0])
        elif kind == "differ":
            values = [[side.get(series) for side in one] for one in rounds]
            examples.setdefault(series[0], f"{text_of(series)}: exporter, metricsd, exporter {values[:3]}")
        elif kind == "notCovered":
            examples.setdefault(series[0], text_of(series))
    return {"rounds": len(rounds), "metrics": table, "examples": examples, "notZero": len(not_zero),
            "failedUnit": failed_unit}


def kind_of(series, theirs, ours, rounds):
    if series not in theirs:
        return "oursOnly"
    if series not in ours:
        return "notCovered"
    return "agree" if agrees(series, rounds) else "differ"


def agrees(series, rounds):
    """Whether metricsd's value was between the exporter's in most rounds in which all three were there."""
    seen = [[side[series] for side in one] for one in rounds if all(series in side for side in one)]
    if not seen:
        return False
    scraped = [value for before, _, after in seen for value in (before, after)]
    slack = max(scraped) - min(scraped) + DISTURBED.get(series[0], 0)
    good = 0
    for before, ours, after in seen:
        low, high = min(before, after), max(before, after)
        more = slack + RELATIVE * max(abs(low), abs(high))
        good += low - more <= ours <= high + more or repr(ours) == repr(before)
    return good >= SHARE_THAT_AGREES * len(seen)


def text_of(series):
    name, labels = series
    return f"{name}{{{','.join(f'{label}={value}' for label, value in labels)}}}"


def report(results):
    figures, problems = {}, []
    for case, runs in results.items():
        one = runs[-1]
        kinds = by_kind(one["metrics"])
        figures[case] = {
            "rounds": one["rounds"],
            "metrics": {kind: len(names) for kind, names in kinds.items()} | {"agreeAndAreNotZero": one["notZero"]},
            "series": {kind: sum(row[kind] for row in one["metrics"].values()) for kind in KINDS},
            "agree": kinds["agree"],
            "inPart": {name: IN_PART.get(name) for name in kinds["inPart"]},
            "notCovered": {name: reason(name.split("*")[0]) for name in shortened(kinds["notCovered"])},
            "oursOnly": shortened(kinds["oursOnly"]),
        } | ({"hung": one["hung"]} if "hung" in one else {})
        problems += [f"{case}: {problem}" for problem in lacks(case, one, kinds)]
    return figures, problems


def lacks(case, one, kinds):
    """What was not to be so."""
    examples = one["examples"]
    if not kinds["agree"]:
        yield "nothing agrees"
    if case == "the machine" and one["failedUnit"] == 0:
        yield "the unit that failed is not told of"
    if "hung" in one:
        yield from servers.lacks(one["hung"])
    for name in kinds["differ"]:
        yield f"{name} differs: {examples[name]}"
    for name in kinds["notCovered"]:
        if reason(name) is None:
            yield f"{name} is not covered, and no reason is known"
    for name in kinds["inPart"]:
        if name not in IN_PART:
            yield f"{name} is covered in part: {examples[name]} is not"


def by_kind(table):
    """Metrics by how their series compare: what differs anywhere differs."""
    kinds = {"agree": [], "differ": [], "inPart": [], "notCovered": [], "oursOnly": []}
    for name, row in table.items():
        if row["differ"]:
            kinds["differ"].append(name)
        elif row["notCovered"]:
            kinds["inPart" if row["agree"] else "notCovered"].append(name)
        else:
            kinds["agree" if row["agree"] else "oursOnly"].append(name)
    return kinds


def reason(name):
    return next((why for pattern, why in NOT_COVERED.items() if re.match(f"(?:{pattern})", name)), None)


def shortened(names):
    """The exporter leaves most of /proc/vmstat out by default, and metricsd most settings: those names are only counted."""
    for prefix in ("node_vmstat_", "pg_settings_"):
        many = [name for name in names if name.startswith(prefix)]
        names = [name for name in names if name not in many] + ([f"{prefix}*: {len(many)}"] if many else [])
    return names
