"""The list of mutations fits the code, and the benchmark reports what tests find and what they do not."""

import ast
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import mutations
from benchmarks.mutations import LIST, Mutation, Outcome, find_stale, markdown, read_mutations
from benchmarks.tree_copy import HANG, TreeCopy, run_in_copies
from tests.builders.source_tree import ROOMS, ROOT

WRONG = Mutation("masks/area.py", "one pixel too many", "return width", "return 1 + width", ("test_area.py",))
UNSEEN = Mutation("masks/area.py", "no test of height", "return height", "return 0", ("test_area.py",), "it is lazy")
AREA = """
def across(width):
    return width

def down(height):
    return height
"""
TEST = """
from nephoscope.masks.area import across

def test_across():
    assert across(2) == 2
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with a function that is tested, and one that is not."""
    packages = dict.fromkeys(("pipeline/nephoscope/__init__.py", "pipeline/nephoscope/masks/__init__.py"), "")
    files = {**packages, str(WRONG.path): AREA, "tests/conftest.py": "", "tests/test_area.py": TEST}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def test_every_mutation_applies_to_the_code_of_today() -> None:
    assert find_stale(read_mutations(LIST), ROOT) == []


def test_every_mutation_changes_code_that_python_can_read() -> None:
    for mutation in read_mutations(LIST):
        text = (ROOT / mutation.path).read_text("utf-8")
        changed = text.replace(mutation.old, mutation.new)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text)), mutation.error


def test_every_room_has_mutations() -> None:
    listed = read_mutations(LIST)
    assert {mutation.room for mutation in listed} == set(ROOMS)
    assert len(listed) >= 120
    assert len({(mutation.file, mutation.error) for mutation in listed}) == len(listed)


def test_mutations_are_killed_or_survive_in_a_copy_of_the_tree(tree: Path) -> None:
    before = (tree / WRONG.path).read_text("utf-8")
    found: dict[Mutation, str] = {}
    run_in_copies([WRONG, UNSEEN], tree, 1, found.__setitem__)
    assert found == {WRONG: "tests/test_area.py::test_across", UNSEEN: ""}
    assert (tree / WRONG.path).read_text("utf-8") == before
    assert find_stale([WRONG, UNSEEN], tree) == []


def test_tests_that_hang_are_ended_and_the_copy_is_mended(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = TreeCopy(tree, tmp_path_factory.mktemp("copy"))
    assert copy.try_change(WRONG, limit=0.01) == HANG
    assert find_stale([WRONG], copy.folder) == []


def test_tests_that_fail_without_a_mutation_are_refused(tree: Path) -> None:
    with (tree / "tests/test_area.py").open("a") as file:
        file.write("def test_broken():\n    assert False\n")
    (tree / "tests/test_other.py").write_text(TEST, "utf-8")
    other = replace(WRONG, tests=("test_other.py",))
    with pytest.raises(SystemExit, match="test_broken: fails without a mutation"):
        run_in_copies([WRONG, other], tree, 1, lambda *_: None)


@pytest.mark.parametrize("text", ["def across(width):\n    return 0\n", "a = 1\nreturn width\nreturn width\n"])
def test_a_mutation_whose_text_is_missing_or_repeated_is_stale(tree: Path, text: str) -> None:
    (tree / WRONG.path).write_text(text, "utf-8")
    (tree / "tests/test_area.py").unlink()
    problems = find_stale([WRONG], tree)
    assert len(problems) == 2
    assert "return width" in problems[0]
    assert "tests/test_area.py" in problems[1]


def test_a_result_is_valid_until_its_file_or_its_tests_change(tree: Path) -> None:
    keys = [WRONG.key(tree)]
    for path in (tree / WRONG.path, tree / "tests/test_area.py"):
        path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")
        keys.append(WRONG.key(tree))
    assert len(set(keys)) == 3
    assert WRONG.key(tree) != UNSEEN.key(tree)


def test_the_table_has_rates_and_survivors_with_their_reasons() -> None:
    outcomes = {WRONG: Outcome(WRONG.file, WRONG.error, "a test"), UNSEEN: Outcome(UNSEEN.file, UNSEEN.error, "")}
    text = markdown(outcomes)
    assert "| masks | 2 | 50% |" in text
    assert "| masks/area.py | no test of height | it is lazy |" in text
    assert "one pixel too many" not in text


Main = Callable[[Callable[[Mutation], str]], int]


@pytest.fixture
def main(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Run the benchmark on the tree, with a function that stands for its tests → the exit code."""
    monkeypatch.setattr(mutations, "ROOT", tree)
    monkeypatch.setattr(mutations, "TABLE", tree / "table")
    monkeypatch.setattr(mutations, "UNFINISHED", tree / "build/unfinished.json")
    monkeypatch.setattr(mutations, "read_mutations", lambda _: [WRONG, UNSEEN])
    monkeypatch.setattr(mutations.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["mutations", "--only-changed"])

    def call(find: Callable[[Mutation], str]) -> int:
        def run(todo: Sequence[Mutation], _: Path, __: int, record: Callable[[Mutation, str], None]) -> None:
            for mutation in todo:
                record(mutation, find(mutation))

        monkeypatch.setattr(mutations, "run_in_copies", run)
        with pytest.raises(SystemExit) as end:
            mutations.main()
        assert isinstance(end.value.code, int)
        return end.value.code

    return call


def test_a_rate_below_nine_in_ten_ends_in_exit_code_1(main: Main, tree: Path) -> None:
    assert main(lambda mutation: "a test" if mutation is WRONG else "") == 1
    (tree / "table.json").unlink()
    assert main(lambda _: "a test") == 0


def test_an_interrupted_run_resumes_and_unchanged_results_stay(main: Main, tree: Path) -> None:
    def interrupt(mutation: Mutation) -> str:
        if mutation is UNSEEN:
            raise KeyboardInterrupt
        return "a test"

    with pytest.raises(KeyboardInterrupt):
        main(interrupt)
    tried: list[Mutation] = []
    assert main(lambda mutation: tried.append(mutation) or "another test") == 0
    assert tried == [UNSEEN]
    assert not (tree / "build/unfinished.json").exists()
    assert main(lambda mutation: tried.append(mutation) or "another test") == 0
    assert tried == [UNSEEN]


def test_the_rows_of_other_rooms_are_kept(main: Main, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Mutation("rules/area.py", "in another room", "return width", "return 2", ("test_area.py",))
    (tree / other.path).parent.mkdir()
    (tree / other.path).write_text(AREA, "utf-8")
    monkeypatch.setattr(mutations, "read_mutations", lambda _: [WRONG, other])
    assert main(lambda _: "a test") == 0
    (tree / "tests/test_area.py").write_text(TEST + "# changed\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["mutations", "--room", "rules"])
    assert main(lambda _: "") == 1
    table = (tree / "table.md").read_text("utf-8")
    assert "| masks | 1 | 100% |" in table
    assert "| rules | 1 | 0% |" in table
