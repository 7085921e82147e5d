"""README's results match their sources: the record of the default run, and the card of the shipped model."""

import re
from hashlib import md5
from pathlib import Path

import yaml

from docs import results
from nephoscope.artifacts import SHIPPED
from nephoscope.files import read_json
from tests.builders.source_tree import ROOT


def test_the_table_in_readme_matches_the_record() -> None:
    readme = results.README.read_text("utf-8")
    assert readme == results.render(readme), "run `python -m docs.results`"


def test_the_record_belongs_to_the_run_in_dvc_lock() -> None:
    locked = results.locked_hashes()
    for folder, names in results.RECORDED.items():
        listing = results.RECORD / f"{folder}.json"
        hashes = {file["relpath"]: file["md5"] for file in read_json(listing)}
        assert f"{hash_of(listing)}.dir" == locked[folder], (
            "run `dvc repro`, then `python -m docs.results --record embedded`"
        )
        assert {name: hash_of(results.RECORD / folder / name) for name in names}.items() <= hashes.items()


def hash_of(path: Path) -> str:
    return md5(path.read_bytes()).hexdigest()


def test_the_run_in_dvc_lock_used_the_settings_in_params_yaml() -> None:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    for stage in yaml.safe_load(results.LOCK.read_text("utf-8"))["stages"].values():
        for section, values in stage["params"]["params.yaml"].items():
            assert values == settings[section]


def test_readme_reports_the_shipped_model_as_its_card_does() -> None:
    rows = [line.strip("| ").split(" | ") for line in results.README.read_text("utf-8").splitlines()]
    shipped = {row[0]: re.findall(r"0\.\d{3}", row[2]) for row in rows if len(row) == 3}
    card = (SHIPPED / "card.md").read_text("utf-8")
    dice, low, high = shipped[results.OURS]
    assert f"| mean | {dice} | {low} to {high} |" in card
    classes = re.findall(r"^\| (?:Fish|Flower|Gravel|Sugar) \| (0\.\d{3}) .*\| (0\.\d{3}) \|$", card, re.MULTILINE)
    assert shipped[results.DICE] == [dice for dice, _ in classes]
    assert shipped[results.PRECISION] == [precision for _, precision in classes]
    for reference in results.REFERENCES:
        assert f"{reference} {shipped[f'reference: {reference}'][0]}" in card
