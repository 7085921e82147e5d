"""Do the tests find errors? Each mutation of `mutations.toml` puts one error into a copy of the tree; a test must fail:

    python -m benchmarks.mutations                       # all: more than an hour; writes benchmarks/mutations.{md,json}
    python -m benchmarks.mutations --room masks rules    # only these rooms; the rows of others are kept
    python -m benchmarks.mutations --only-changed        # keeps results whose mutation, file and tests are the same

A mutation is killed if a test fails, or if the tests hang. The exit code is 1 if fewer than 90 % are killed. An
interrupted run resumes. The copy holds the files that git knows or would add, as they are on disk.
"""

import argparse
import hashlib
import json
import signal
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.tree_copy import run_in_copies
from nephoscope.files import read_json, write_json

ROOT = Path(__file__).parents[1]
LIST, TABLE = Path(__file__).with_name("mutations.toml"), Path(__file__).with_name("mutations")
UNFINISHED = ROOT / "build" / "mutations.json"
"""Results of an interrupted run; git ignores the folder."""
PACKAGE = Path("pipeline/nephoscope")
LEAST_KILLED = 0.9


@dataclass(frozen=True)
class Mutation:
    """One error: in a file of the package, the text `old` is replaced by `new`."""

    file: str
    error: str
    """What goes wrong, in words."""
    old: str
    new: str
    tests: tuple[str, ...] = ()
    """Files, folders or single tests (file::test) in `tests/`; by default the tests of the room."""
    survives: str = ""
    """Why no test finds it, if that is known."""

    @property
    def room(self) -> str:
        return Path(self.file).parts[0].removesuffix(".py")

    @property
    def path(self) -> Path:
        """In the tree."""
        return PACKAGE / self.file

    @property
    def test_paths(self) -> tuple[str, ...]:
        return tuple(f"tests/{name}" for name in self.tests or (self.room,))

    def test_files(self, root: Path) -> list[Path]:
        """Files or folders."""
        return [root / name.partition("::")[0] for name in self.test_paths]

    def key(self, root: Path) -> str:
        """Hash of what decides the result: the mutation, its file, and the tests."""
        tests = [path for test in self.test_files(root) for path in sorted(test.rglob("*.py")) or [test]]
        files = [root / self.path, root / "tests/conftest.py", *tests]
        content = [self.file, self.old, self.new, *(path.read_text("utf-8") for path in files)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    file: str
    error: str
    killed_by: str
    """The first test that failed; empty if the mutation survived."""


Outcomes = dict[str, Outcome]
"""By the key of the mutation."""


def main() -> None:
    mutations = read_mutations(LIST)
    rooms = list(dict.fromkeys(mutation.room for mutation in mutations))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", nargs="+", choices=rooms, default=rooms, help="only mutations of these rooms")
    parser.add_argument("--only-changed", action="store_true", help="keep valid results of the table")
    parser.add_argument("--jobs", type=int, default=1, help="number of copies that are tested side by side")
    arguments = parser.parse_args()
    if stale := find_stale(mutations, ROOT):
        raise SystemExit("\n".join([*stale, "the code has changed; correct these in benchmarks/mutations.toml"]))

    keys = {mutation: mutation.key(ROOT) for mutation in mutations}
    chosen = [mutation for mutation in mutations if mutation.room in arguments.room]
    last = _read(TABLE.with_suffix(".json"))
    outcomes = (last if arguments.only_changed else {}) | _read(UNFINISHED)

    def record(mutation: Mutation, killed_by: str) -> None:
        outcomes[keys[mutation]] = Outcome(mutation.file, mutation.error, killed_by)
        _write(UNFINISHED, outcomes)

    # Then the tests that run are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated; the same command resumes"))
    todo = [mutation for mutation in chosen if keys[mutation] not in outcomes]
    run_in_copies(todo, ROOT, arguments.jobs, record)
    known = last | outcomes
    latest = {(outcome.file, outcome.error): key for key, outcome in known.items()}
    # A mutation that was not tried today keeps its last result, until `--only-changed` tries it again.
    of = {
        mutation: key if key in known else latest.get((mutation.file, mutation.error)) for mutation, key in keys.items()
    }
    measured = {mutation: known[key] for mutation, key in of.items() if key is not None}
    _write(TABLE.with_suffix(".json"), {key: known[key] for key in of.values() if key is not None})
    TABLE.with_suffix(".md").write_text(markdown(measured), "utf-8")
    UNFINISHED.unlink(missing_ok=True)
    of_chosen = {mutation: measured[mutation] for mutation in chosen}
    print(markdown(of_chosen))
    raise SystemExit(0 if kill_rate(list(of_chosen.values())) >= LEAST_KILLED else 1)


def read_mutations(path: Path) -> list[Mutation]:
    entries = tomllib.loads(path.read_text("utf-8"))["mutation"]
    return [Mutation(**{**entry, "tests": tuple(entry.get("tests", ()))}) for entry in entries]


def find_stale(mutations: Sequence[Mutation], root: Path) -> list[str]:
    """A line for everything that keeps a mutation from being applied and tested."""
    problems = []
    for mutation in mutations:
        path = root / mutation.path
        count = path.read_text("utf-8").count(mutation.old) if path.is_file() else 0
        if count != 1:
            problems.append(f"{mutation.file}: found {count} times, expected once: {mutation.old}")
        missing = [path.relative_to(root) for path in mutation.test_files(root) if not path.exists()]
        problems += [f"{mutation.file}: no {name}" for name in missing]
    return problems


def kill_rate(outcomes: Sequence[Outcome]) -> float:
    return sum(bool(outcome.killed_by) for outcome in outcomes) / max(1, len(outcomes))


def markdown(measured: Mapping[Mutation, Outcome]) -> str:
    """The kill rate of every room, and the survivors."""
    by_room: dict[str, list[Outcome]] = {}
    for mutation, outcome in measured.items():
        by_room.setdefault(mutation.room, []).append(outcome)
    rows = [*by_room.items(), ("**all**", list(measured.values()))]
    lines = [f"| {room} | {len(found)} | {kill_rate(found):.0%} |" for room, found in rows]
    survivors = [mutation for mutation, outcome in measured.items() if not outcome.killed_by]
    told = [f"| {mutation.file} | {mutation.error} | {mutation.survives or 'no test yet'} |" for mutation in survivors]
    return "\n".join([
        "# Mutations", "", "`python -m benchmarks.mutations`: one error at a time in the code, found by tests or not.",
        "", "| room | mutations | killed |", "|---|--:|--:|", *lines,
        "", "## Survivors", "", *(["| file | error | why |", "|---|---|---|", *told] if told else ["None."]), "",
    ])  # fmt: skip


def _read(path: Path) -> Outcomes:
    return {key: Outcome(**row) for key, row in read_json(path).items()} if path.is_file() else {}


def _write(path: Path, outcomes: Outcomes) -> None:
    write_json(path, {key: asdict(outcome) for key, outcome in outcomes.items()})


if __name__ == "__main__":
    main()
