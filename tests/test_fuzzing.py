"""The fuzzer finds what breaks a parser, and what it once found stays mended."""

from pathlib import Path

import pytest

from benchmarks.fuzz import find_breaking
from tests.corpus.targets import TARGETS, Target, read_found


@pytest.mark.filterwarnings("ignore")  # of the libraries, about damaged files
@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_found_stays_mended(target: str) -> None:
    for content in [*TARGETS[target].seeds(), *read_found().get(target, [])]:
        TARGETS[target](content)


def test_the_fuzzer_finds_what_breaks_a_parser(tmp_path: Path) -> None:
    def parse(content: bytes) -> None:
        if b"sound" not in content:
            raise KeyError("sound")

    current = tmp_path / "current"
    breaking = find_breaking(Target(lambda: [], parse), [b"sound"], 0, current)
    assert breaking is not None
    assert b"sound" not in breaking
    assert find_breaking(Target(lambda: [], len), [b"sound"], 0, current) is None
