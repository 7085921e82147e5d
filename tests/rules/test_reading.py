"""Rules of a run: read as they were written, or refused with the way out."""

import json
from pathlib import Path
from typing import Any

import pytest

from nephoscope.artifacts import EARLIER_KEYS
from nephoscope.errors import UserError
from nephoscope.files import write_json
from nephoscope.rules.rules import read_rules
from tests.builders.example_rules import rules


def test_rules_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_json(tmp_path / "rules.json", rules().model_dump())
    assert read_rules(tmp_path / "rules.json") == rules()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{}", "classes: Field required"),
        ('{"classes": ["Fish"', "Expecting ',' delimiter"),
        ("[]", "Input should be a valid dictionary"),
        ("[" * 3000, "nested too deeply"),
        ('{"classes":' * 3000, "nested too deeply"),
        ('{"force_top_class": ' + "7" * 5000 + "}", "4300 digits"),
        ('{"classes": [], "classes": ["Fish"]}', "the key 'classes' is there twice"),
        ("\xff", "can't decode byte 0xff"),
    ],
    ids=lambda text: text[:24],
)
def test_damaged_rules_name_the_stage_that_writes_them(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "rules.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(
        UserError, match=r"rules\.json holds no rules \(.*\); run `python -m stages\.tune` again"
    ) as refused:
        read_rules(tmp_path / "rules.json")
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": []},
        {"output_shape": [0, 525]},
        {"output_shape": [350, -1]},
        {"output_shape": [10**9, 10**9]},
        {"rules": [{"presence_threshold": 0, "pixel_threshold": 1, "min_area": 10**30}]},
        {"classifier_calibrations": [{"slope": float("nan")}]},
    ],
    ids=str,
)
def test_rules_that_nothing_can_follow_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "rules.json").write_text(json.dumps({**rules().model_dump(), **change}))
    with pytest.raises(UserError, match=rf"holds no rules \({next(iter(change))}"):
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
