"""The example of the page about own data: the same labels in three formats."""

import sys
from pathlib import Path

import pytest

from docs import own_data
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from nephoscope.data.synthetic import write_dataset


@pytest.mark.parametrize("name", own_data.WRITERS)
def test_the_example_is_a_data_set_without_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    write_dataset(tmp_path / "artifacts/synthesize/dataset", labelled=6, unlabelled=1, shape=(70, 105))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["own_data", "data/own", "--format", name, "--count", "5"])
    own_data.main()
    problems: list[object] = []
    source = open_source(Path("data/own"), name, OwnOptions(), problems)  # type: ignore[arg-type]
    assert not problems
    assert source.images["labelled"].sum() == 5
    assert len(source.annotations) > 1
