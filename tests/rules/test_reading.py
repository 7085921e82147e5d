"""Rules of a run: read as they were written, or refused with the way out."""

from pathlib import Path

import pytest

from nephoscope.artifacts import EARLIER_KEYS
from nephoscope.errors import UserError
from nephoscope.files import write_json
from nephoscope.rules.rules import read_rules
from tests.builders.example_rules import rules


def test_rules_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_json(tmp_path / "rules.json", rules().model_dump())
    assert read_rules(tmp_path / "rules.json") == rules()


@pytest.mark.parametrize("content", ["{}", '{"classes": ["Fish"', "[]"])
def test_damaged_rules_name_the_stage_that_writes_them(tmp_path: Path, content: str) -> None:
    (tmp_path / "rules.json").write_text(content)
    with pytest.raises(UserError, match=r"rules\.json holds no rules; run `python -m stages\.tune` again"):
        read_rules(tmp_path / "rules.json")


def test_missing_rules_name_the_stage_that_writes_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rules\.json is missing; `python -m stages\.tune` writes it"):
        read_rules(tmp_path / "rules.json")


@pytest.mark.parametrize(("earlier", "today"), EARLIER_KEYS.items())
def test_rules_of_an_earlier_version_are_refused_with_the_name_of_today(
    tmp_path: Path, earlier: str, today: str
) -> None:
    content = rules().model_dump()
    write_json(tmp_path / "rules.json", {earlier: content.pop(today), **content})
    message = (
        rf"rules\.json was written by an earlier version of nephoscope \({earlier} is now {today}\); "
        r"run `python -m stages\.tune` again"
    )
    with pytest.raises(UserError, match=message):
        read_rules(tmp_path / "rules.json")
