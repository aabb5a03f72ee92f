"""What must be true of a configd's files and of its ledger after a crash or a power cut, whenever that came."""

import contextlib
import dataclasses
import re
import signal
import sqlite3

import rpc
from config_bench import MODE, OWNER, checksum


@dataclasses.dataclass
class Story:
    """What a sequence of changes makes of the files: of each generation the content of every file, by its path, and what a
    change says it is. The first generation is version `first` of every file; `least` and `most` are then the generations that
    may be found: what was acknowledged, and what was asked for."""

    generations: list
    origins: list = dataclasses.field(default_factory=list)
    first: int = 1

    def numbers(self, file, generation):
        """The number of a file's newest version, and what each version held, as far as the story tells."""
        number, held = self.first, {self.first: self.generations[0][str(file)]}
        for before, after in zip(self.generations[:generation], self.generations[1:]):
            if after[str(file)] != before[str(file)]:
                number += 1
                held[number] = after[str(file)]
        return number, held


def check(bench, story, least, most, told=None):
    """What is wrong with what a crash left in the bench's folder, before and after configd is started on it. Of one file the start
    changes nothing: what a crash leaves is old or new already. Of several each one is, as the story `told` has it (where it is not
    `story`), and the start makes them all one or the other."""
    allowed = range(least, most + 1)
    generations = told.generations if told else [story.generations[one] for one in allowed]
    problems, before = found_wrong(bench, generations)
    return problems + started(
        bench, lambda: check_started(bench, story, allowed, before if len(bench.files) == 1 else None))


def found_wrong(bench, generations):
    """What is wrong with the files as a crash left them, and what they hold."""
    before = {str(file): file.read_bytes() if file.exists() else None for file in bench.files}
    wrong = [f"{file}: neither old nor new: {None if content is None else len(content)} bytes"
             for file, content in before.items() if not any(one[file] == content for one in generations)]
    return wrong, before


def started(bench, checks):
    """What is wrong once configd runs."""
    try:
        bench.start()
        problems = checks()
    except TimeoutError as error:
        problems = [f"configd does not start: {error}"]
    except (rpc.Refused, rpc.Silent) as error:
        problems = [f"configd says {str(error)[:300]}"]
    finally:
        bench.stop(signal.SIGKILL)
    return problems + ledger_damage(bench)


def check_trial(bench, story, said, isGoingBack=False):
    """The same for a change on trial, of which the caller was told that it is `applied`, `activated`, `confirmed` or (None) nothing.
    The boot is another after a power cut, so that what was not confirmed goes back; only what was said to be confirmed must stay,
    and after `activated` a confirmation was asked for."""
    old, new = story.generations
    problems, _ = found_wrong(bench, [new] if said and not isGoingBack else [old, new])
    return problems + started(bench, lambda: check_trial_started(bench, story, said))


def check_trial_started(bench, story, said):
    allowed = {None: ["never", "taken back"], "applied": ["taken back"], "activated": ["taken back", "confirmed"],
               "confirmed": ["confirmed"]}[said]
    problems = []
    for file in bench.files:
        end = end_of_trial(bench, story, file)
        if end not in allowed:
            problems.append(f"{file}: after {said} the trial is {end}, expected {' or '.join(allowed)}")
        if checksum(file.read_bytes()) != bench.history(file)[0]["checksum"]:
            problems.append(f"{file}: it is not what its newest version says")
    if bench.pending():
        problems.append(f"still pending: {bench.pending()}")
    return problems + check_tidy(bench)


def end_of_trial(bench, story, file):
    """What the history says of it."""
    ends = {"never": [0], "taken back": [0, 1, 0], "confirmed": [0, 1]}
    held = [checksum(one[str(file)]) for one in story.generations]
    history = [one["checksum"] for one in reversed(bench.history(file))]
    found = [name for name, versions in ends.items() if [held[one] for one in versions] == history]
    return found[0] if found else f"none of all, with {len(history)} versions"


def check_started(bench, story, allowed, before):
    now = {str(file): file.read_bytes() for file in bench.files}
    problems = [f"{file}: the start changed it" for file in now if before and before[file] != now[file]]
    generation = next((one for one in reversed(allowed) if story.generations[one] == now), None)
    if generation is None:
        return [*problems, "the files are of no one generation"]
    for one in bench.conditions():
        if one["condition"] != "whole":
            problems.append(f"{one['file']} is {one['condition']}: {one.get('problem')}")
    for file in bench.files:
        problems += check_ledger(bench, story, generation, file, now[str(file)])
    problems += check_tidy(bench)
    for file in bench.files:
        bench.set("5999", file)
        if file.read_bytes() != changed(now[str(file)], "5999"):
            problems.append(f"{file}: the next change does not do what it says")
    return problems


def check_tidy(bench):
    problems, expected = [], (*OWNER, oct(0o100000 | MODE))
    for file in bench.files:
        if bench.identity(file) != expected:
            problems.append(f"{file}: owner and mode are {bench.identity(file)}, were {expected}")
    return [*problems, f"left over: {bench.strays()}"] if bench.strays() else problems


def changed(content, value):
    """What a `set` of PORT must make of a file that came of `OLD`: the last one's value, and nothing else."""
    return re.sub(rb"(?s)(.*\nPORT=)\d+", rb"\g<1>" + value.encode(), content, count=1)


def check_ledger(bench, story, generation, file, content):
    problems = []
    newest, held = story.numbers(file, generation)
    history = bench.history(file)
    numbers = [one["version"] for one in history]
    if numbers != list(range(newest, 0, -1)):
        problems.append(f"{file}: the history is {numbers}, expected {newest} to 1")
    for one in history:
        expected = held.get(one["version"])
        if expected is not None and one["checksum"] != checksum(expected):
            problems.append(f"{file}: version {one['version']} is not what was written")
        if one["version"] > story.first and story.origins and one["origin"] not in story.origins:
            problems.append(f"{file}: version {one['version']} came by {one['origin']}")
    for version in {*numbers[:3], *numbers[-1:]}:
        bench.call("show", version=version, **bench.target(file))  # refused where its content is damaged or gone
    head = bench.call("get", **bench.target(file))["version"]
    if history and (head["version"] != numbers[0] or head["checksum"] != checksum(content)):
        problems.append(f"{file}: the head is version {head['version']}, and not what the file holds")
    return problems


def ledger_damage(bench):
    """What SQLite itself finds wrong with the ledger's database."""
    with contextlib.closing(sqlite3.connect(bench.root / "state/versions.db")) as ledger:
        found = [row[0] for row in ledger.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else [f"versions.db: {'; '.join(found)[:300]}"]
