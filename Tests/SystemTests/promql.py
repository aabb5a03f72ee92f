"""PromQL: thousands of expressions, half of them random, over some 250 series, each answered as by Prometheus 2.42.

By hand, with nothing written to a report:

    promql.py                    a table of what differs, and twenty in full
    promql.py --dump FOLDER      writes samples.txt, cases.jsonl and Prometheus's answers.jsonl
    promql.py --against FOLDER   the comparison with such a folder, without Prometheus
    promql.py --valid            how many of the expressions Prometheus takes, by kind
    --seed N, --count N          other samples and expressions, and how many
    --only TEXT                  only expressions that hold this text
    --build FOLDER               where metricsd is
"""

import argparse
import collections
import json
import math
import pathlib
import re
import subprocess
import sys

import promql_cases
import rpc
from metrics_bench import MetricsBench, query
from prometheus import STALE, Prometheus

TITLE = "PromQL beside Prometheus 2.42"
RUNS = 5
MACHINE = False
PROGRAMS = ("metricsd",)

SEED = 1
COUNT = 5000
BATCH = 500
BRIEF = {"COUNT": 500}

# How far apart two values may be: the same operations in another order, and another library's sine. By 1e-9 a time of
# now, in seconds, could be wrong by more than a second.
RELATIVE, ABSOLUTE = 1e-11, 1e-12
COUNTED = ("compared", "undecided", "refused", "found", "different")
OWN_FAILURES = ("unexpected result in StepInvariantExpr evaluation", "execution: unexpected number of samples")
# Of what differs, so many are told by a run, and so many parts of one answer.
TOLD, PARTS = 20, 3

# Of a case, what is asked.
WORDS = ("query", "timeMs", "fromMs", "toMs", "stepMs")

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def cases():
    return [f"{first} to {min(first + BATCH, COUNT + 1) - 1}" for first in range(1, COUNT + 1, BATCH)]


OUTSIDE = set(cases())


def prepare(build):
    """Prometheus, of which no service runs: each batch starts its own."""
    subprocess.run([str(PROJECT / "Scripts/lib/packages"), "prometheus"], check=True)
    subprocess.run(["systemctl", "--quiet", "mask", "prometheus.service"], check=True, stderr=subprocess.DEVNULL)


def outside(case, host, runs):
    """Each run has a seed of its own."""
    answerer = DaemonAnswerer(host.build)
    first, last = (int(word) for word in case.split(" to "))
    for seed in range(SEED, SEED + runs):
        series = promql_cases.samples(seed)
        batch = promql_cases.cases(seed, COUNT)[first - 1:last]
        decided, theirs = prometheus_answers(series, batch)
        figures = figures_of(decided, theirs, answerer.answers(series, decided))
        yield figures | {"seed": seed, "undecided": len(batch) - len(decided)}


def figures_of(batch, theirs, ours):
    complaints = list(filter(None, map(complaint, batch, theirs, ours)))
    return {
        "compared": len(batch),
        "refused": sum("error" in one for one in theirs),
        "found": sum(found_something(one) for one in theirs),
        "different": len(complaints),
        "wrong": complaints[:TOLD],
    }


def report(results):
    runs = [(case, figures) for case, runs in results.items() for figures in runs]
    totals = {name: sum(figures[name] for _, figures in runs) for name in COUNTED}
    problems = []
    for case, figures in runs:
        problems += [f"{case}, seed {figures['seed']}: {one}" for one in figures["wrong"]]
    return {"seeds": sorted({figures["seed"] for _, figures in runs}), **totals}, problems


# ---- The two sides


def prometheus_answers(series, batch):
    """The cases that Prometheus decides, and its answers. Undecided is what comes out otherwise where the same series
    were created in another order: among equals, what topk takes; and sums where nearly all is cancelled out. So is what
    Prometheus fails in by an error of its own, such as a constant range vector in brackets."""
    one, other = (answers_over(order, batch) for order in (series, series[::-1]))
    decided = [
        at for at, case in enumerate(batch)
        if difference(case, one[at], other[at]) is None and not is_own_failure(one[at])
    ]
    return [batch[at] for at in decided], [one[at] for at in decided]


def is_own_failure(answer):
    return any(words in answer.get("error", {}).get("message", "") for words in OWN_FAILURES)


def answers_over(series, batch):
    with Prometheus() as prometheus:
        prometheus.write(series)
        return [prometheus_answer(prometheus, case) for case in batch]


def prometheus_answer(prometheus, case):
    if "timeMs" in case:
        return prometheus.instant(case["query"], case["timeMs"])
    return prometheus.range(case["query"], case["fromMs"], case["toMs"], case["stepMs"])


class DaemonAnswerer:
    """A metricsd that has imported the samples, asked over its socket."""

    # The samples are from 2023.
    SETTINGS = ("retention: {time: 3600d}",)

    def __init__(self, build):
        self.build = build

    def answers(self, series, batch):
        """One for each case. Where the daemon ends before it has answered all, that case has the answer `{"crash": why}`,
        and so have those behind it."""
        with MetricsBench(self.build, *self.SETTINGS) as bench:
            lines = sample_lines(series)
            if (taken := bench.take_in(lines)) != len(lines):
                raise RuntimeError(f"{taken} of {len(lines)} samples were taken")
            found = []
            with bench.connection() as connection:
                try:
                    for case in batch:
                        found.append(query(connection, {name: case[name] for name in WORDS if name in case}))
                except rpc.Silent as silence:
                    why = {"crash": f"{silence}; exit status {bench.daemon.poll()}; {bench.log()[-300:]}"}
                    found += [why] * (len(batch) - len(found))
            return found


def sample_lines(series):
    """One sample a line, series by series, in Prometheus's format; `stale` ends a series."""
    rows = []
    for name, labels, samples in series:
        inside = ",".join(f'{label}="{escaped(value)}"' for label, value in labels.items())
        key = f"{name}{{{inside}}}" if inside else name
        rows += [f"{key} {number_text(value)} {ms}\n" for ms, value in samples]
    return rows


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(value):
    if value == STALE:
        return value
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


# ---- The comparison


def complaint(case, theirs, ours):
    """None where both answers are the same; else all that one needs to see the difference."""
    why = difference(case, theirs, ours)
    if why is None:
        return None
    return f"{json.dumps(case, ensure_ascii=False)}: {why}\n  Prometheus: {shown(theirs)}\n  ours:       {shown(ours)}"


def difference(case, theirs, ours):
    """None, or in what the answers differ. Where both refuse, what they say of it is not compared."""
    if "crash" in ours:
        return f"crashed: {ours['crash']}"
    if "error" in theirs or "error" in ours:
        if "error" in theirs and "error" in ours:
            return None
        return "refused by Prometheus alone" if "error" in theirs else "refused by ours alone"
    if theirs["type"] != ours.get("type"):
        return f"the type is {ours.get('type')}, not {theirs['type']}"
    if theirs["type"] == "string":
        return None if theirs["text"] == ours.get("text") else "another text"
    try:
        return difference_of_series(case, theirs["series"], ours["series"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        return f"an answer of no known form: {type(error).__name__}: {error}"


def difference_of_series(case, theirs, ours):
    same = Same(case)
    expected, given = by_labels(theirs), by_labels(ours)
    if not all(given.values()):
        return "a series without points"
    if len(given) != len(ours):
        return "two series have the same labels"
    if "count_values" in case["query"].lower():
        # Two grids, since two values that are all but the same may be on both sides of a line of one.
        for shift in (1, 1 + 4e-13):
            if expected.keys() != given.keys():
                expected, given = (with_rounded_labels(by_labels(side), shift) for side in (theirs, ours))
    if expected.keys() != given.keys():
        if has_limit(case["query"]) and same.multisets(theirs, ours):
            return None
        lacking, excessive = expected.keys() - given.keys(), given.keys() - expected.keys()
        return names_of("lacks", lacking) + names_of("has in excess", excessive)
    for key in expected:
        if (why := same.points(expected[key], given[key])) is not None:
            if has_limit(case["query"]) and same.multisets(theirs, ours):
                return None
            return f"{text_of(key)} {why}"
    if is_sorted(case) and not all(map(same.values, values_of(theirs), values_of(ours))):
        return "another order"
    return None


class Same:
    """What counts as the same for one case."""

    def __init__(self, case):
        # Beside the smallest samples, what is near zero otherwise is not.
        self.absolute = 0.0 if "tiny" in case["query"] or "1e-300" in case["query"] else ABSOLUTE

    def values(self, one, other):
        one, other = float(one), float(other)
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=self.absolute)

    def points(self, theirs, ours):
        """None, or the first point that differs."""
        for their, our in zip(theirs, ours):
            if their[0] != our[0]:
                return f"at {our[0]} in place of {their[0]}"
            if not self.values(their[1], our[1]):
                return f"at {their[0]}: {our[1]} in place of {their[1]}"
        return None if len(theirs) == len(ours) else f"has {len(ours)} points, not {len(theirs)}"

    def multisets(self, theirs, ours):
        """Whether at each time the same values are there, of whatever series: which of equals topk takes is open."""
        expected, given = values_by_time(theirs), values_by_time(ours)
        return expected.keys() == given.keys() and all(
            len(expected[ms]) == len(given[ms]) and all(map(self.values, expected[ms], given[ms])) for ms in expected)


def values_by_time(series):
    found = collections.defaultdict(list)
    for one in series:
        for ms, value in one["points"]:
            found[ms].append(float(value))
    return {ms: sorted(values, key=lambda value: (math.isnan(value), value)) for ms, values in found.items()}


def values_of(series):
    return [one["points"][0][1] for one in series]


def by_labels(series):
    return {(one.get("name") or "", tuple(sorted(one["labels"].items()))): one["points"] for one in series}


def with_rounded_labels(series, shift):
    """Labels that count_values made of values: their last digits count as little as in a value.
    How a number is written, with an exponent or without, has to be the same."""
    return {
        (name, tuple((label, rounded(text, shift)) for label, text in labels)): points
        for (name, labels), points in series.items()
    }


def rounded(text, shift):
    """A number without an exponent and without idle zeros; what is none is left as it is."""
    return f"{float(text) * shift:.12e}" if re.fullmatch(r"-?\d+(\.\d*[1-9])?", text) else text


def text_of(key):
    name, labels = key
    return name + "{" + ", ".join(f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels) + "}"


def names_of(what, keys):
    if not keys:
        return ""
    more = f" and {len(keys) - PARTS} more" if len(keys) > PARTS else ""
    return f"{what} {', '.join(map(text_of, sorted(keys)[:PARTS]))}{more}. "


def is_sorted(case):
    """Whether the whole expression is a sort, at an instant: nowhere else is the order defined."""
    text = case["query"].strip()
    if "timeMs" not in case or not re.match(r"sort(_desc)?\s*\(", text):
        return False
    depth = 0
    for at, one in enumerate(text):
        depth += {"(": 1, ")": -1}.get(one, 0)
        if depth == 0 and one == ")":
            return at == len(text) - 1
    return False


def has_limit(query):
    return re.search(r"topk|bottomk", query, re.I) is not None


def found_something(answer):
    return "text" in answer or bool(answer.get("series"))


def shown(answer):
    text = json.dumps(answer, ensure_ascii=False)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"


# ---- By hand


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", default="")
    parser.add_argument("--build", default=str(PROJECT / ".build/release"))
    parser.add_argument("--dump", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--against", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--valid", action="store_true")
    options = parser.parse_args()
    if options.against:
        batch, theirs = read_lines(options.against / "cases.jsonl"), read_lines(options.against / "answers.jsonl")
        series = promql_cases.samples(json.loads((options.against / "seed.json").read_text()))
        chosen = [at for at, case in enumerate(batch) if options.only in case["query"]]
        batch, theirs = [batch[at] for at in chosen], [theirs[at] for at in chosen]
    else:
        series = promql_cases.samples(options.seed)
        batch = [case for case in promql_cases.cases(options.seed, options.count) if options.only in case["query"]]
        asked = len(batch)
        batch, theirs = prometheus_answers(series, batch)
        print(f"{asked - len(batch)} of {asked} are undecided and left out")
    if options.dump:
        dump(options.dump, options.seed, series, batch, theirs)
    if options.dump or options.valid:
        print_validity(batch, theirs)
        return 0
    return print_differences(batch, theirs, DaemonAnswerer(options.build).answers(series, batch))


def dump(folder, seed, series, batch, theirs):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed.json").write_text(json.dumps(seed))
    (folder / "samples.txt").write_text("".join(sample_lines(series)))
    for name, rows in (("cases", batch), ("answers", theirs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_lines(path):
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def print_validity(batch, theirs):
    table = collections.defaultdict(collections.Counter)
    for case, answer in zip(batch, theirs):
        outcome = "refused" if "error" in answer else "found" if found_something(answer) else "empty"
        table[case["kind"]][outcome] += 1
    print(f"{'kind':14}{'cases':>7}{'found':>7}{'empty':>7}{'refused':>9}")
    for kind, row in table.items():
        print(f"{kind:14}{sum(row.values()):7}{row['found']:7}{row['empty']:7}{row['refused']:9}")


def print_differences(batch, theirs, ours):
    """By the words that the expressions hold; then the shortest ones in full, since they tell most."""
    asked, different, complaints = collections.Counter(), collections.Counter(), []
    for case, their, our in zip(batch, theirs, ours):
        used = words_of(case["query"])
        asked.update(used)
        if (text := complaint(case, their, our)) is not None:
            different.update(used)
            complaints.append((len(case["query"]), text))
    print(f"{len(complaints)} of {len(batch)} differ")
    if complaints:
        print(f"\n{'word':28}{'cases':>7}{'differ':>8}")
        for word, count in different.most_common():
            print(f"{word:28}{asked[word]:7}{count:8}")
        print()
        print("\n\n".join(text for _, text in sorted(complaints)[:TOLD]))
    return 1 if complaints else 0


def words_of(query):
    """The functions, aggregations, operators and modifiers of an expression."""
    text = re.sub(r"\"(\\.|[^\"])*\"|'(\\.|[^'])*'|`[^`]*`|#.*", "", query)
    words = {word.lower() for word in re.findall(r"\b([a-z_0-9]+)\s*\(", text, re.I)}
    names = r"\b(and|or|unless|atan2|bool|offset|by|without|on|ignoring|group_left|group_right|sum|avg|min|max|count)\b"
    words |= {word.lower() for word in re.findall(names, text, re.I)}
    words |= set(re.findall(r"==|!=|=~|!~|<=|>=|<|>|[-+*/%^@]", text))
    if re.search(r"\[\w+:", text):
        words.add("subquery")
    return words or {"selector or number"}


if __name__ == "__main__":
    sys.exit(main())
