"""Every figure of README's table comes from a record, and every record from the run whose lock is beside it."""

import re
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import results
from pipeline.delivery.choices import SHIPPED
from tests.architecture import ROOT

SETTINGS = {"embedded": ROOT / "params.yaml", "clouds-cpu-quick": ROOT / "recipes/clouds-cpu-quick.yaml"}


def locked_stages(name: str) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load(results.LOCKS[name].read_text("utf-8"))["stages"]
    return stages


def kept_and_locked(name: str) -> dict[Path, str]:
    """Files of a record that the lock knows one by one, with their hashes there."""
    outs = {out["path"]: out["md5"] for stage in locked_stages(name).values() for out in stage["outs"]}
    return {results.RUNS / name / path: outs[path] for path in results.KEPT if path in outs}


def test_the_table_of_readme_is_that_of_the_records() -> None:
    readme = results.README.read_text("utf-8")
    assert readme == results.render(readme), "run `python -m docs.results`"


@pytest.mark.parametrize("name", results.LOCKS)
def test_a_record_is_of_the_locked_run(name: str) -> None:
    hashes = kept_and_locked(name)
    assert {"rules.json", "metrics.json", "history.csv"} <= {path.name for path in hashes}
    assert {path: md5(path.read_bytes()).hexdigest() for path in hashes} == hashes


@pytest.mark.parametrize("name", results.LOCKS)
def test_a_locked_run_is_of_the_settings_told(name: str) -> None:
    settings = yaml.safe_load(SETTINGS[name].read_text("utf-8"))
    for stage in locked_stages(name).values():
        for section, values in stage["params"]["params.yaml"].items():
            assert values == settings[section]


def test_readme_tells_of_the_shipped_model_what_its_card_does() -> None:
    rows = [line.split(" | ") for line in results.README.read_text("utf-8").splitlines()]
    (ours,) = [row for row in rows if row[0] == f"| **{results.OURS}**"]
    dice, low, high = re.findall(r"0\.\d{3}", ours[results.SHIPPED_COLUMN])
    assert f"| mean | {dice} | {low} to {high} |" in (SHIPPED / "card.md").read_text("utf-8")
