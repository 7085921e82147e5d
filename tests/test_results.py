"""Every figure of README's table comes from a record, and every record from the run whose lock is beside it."""

import json
import re
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import results
from nephoscope.artifacts import SHIPPED
from tests.builders.source_tree import ROOT

SETTINGS = {"embedded": ROOT / "params.yaml", "clouds-cpu-quick": ROOT / "recipes/clouds-cpu-quick.yaml"}


def locked_stages(name: str) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(results.LOCKS[name].read_text("utf-8"))["stages"]
    return stages


def digest(path: Path) -> str:
    return md5(path.read_bytes()).hexdigest()


def test_the_table_of_readme_is_that_of_the_records() -> None:
    readme = results.README.read_text("utf-8")
    assert readme == results.render(readme), "run `python -m docs.results`"


@pytest.mark.parametrize("name", results.LOCKS)
def test_every_file_of_a_record_is_of_the_locked_run(name: str) -> None:
    known, record = dict(results.locked_outs(results.LOCKS[name])), results.RUNS / name
    for folder in results.LISTED:
        listed = record / f"{folder}.json"
        assert f"{digest(listed)}.dir" == known[folder]
        known |= {f"{folder}/{one['relpath']}": one["md5"] for one in json.loads(listed.read_text("utf-8"))}
    assert {path: digest(record / path) for path in results.KEPT} == {path: known[path] for path in results.KEPT}


@pytest.mark.parametrize("name", results.LOCKS)
def test_a_locked_run_is_of_the_settings_told(name: str) -> None:
    settings = yaml.safe_load(SETTINGS[name].read_text("utf-8"))
    for stage in locked_stages(name).values():
        for section, values in stage["params"]["params.yaml"].items():
            assert values == settings[section]


def test_readme_tells_of_the_shipped_model_what_its_card_does() -> None:
    rows = [line.split(" | ") for line in results.README.read_text("utf-8").splitlines()]
    (ours,) = [row for row in rows if row[0] == f"| **{results.OURS}**"]
    card = (SHIPPED / "card.md").read_text("utf-8")
    dice, low, high = re.findall(r"0\.\d{3}", ours[results.SHIPPED_COLUMN])
    assert f"| mean | {dice} | {low} to {high} |" in card
    told = {row[0]: re.findall(r"0\.\d{3}", row[results.SHIPPED_COLUMN]) for row in rows if len(row) == len(ours)}
    classes = re.findall(r"^\| (?:Fish|Flower|Gravel|Sugar) \| (0\.\d{3}) .*\| (0\.\d{3}) \|$", card, re.MULTILINE)
    assert told["| Fish, Flower, Gravel, Sugar"] == [dice for dice, _ in classes]
    assert told["| average precision of presence"] == [precision for _, precision in classes]
    for reference in results.REFERENCES:
        assert f"{reference} {told[f'| {reference}'][0]}" in card
