"""README's results match their sources: the record of the default run, and the card of the shipped model."""

import re
import shlex
from hashlib import md5
from pathlib import Path

import pytest
import yaml

from docs import results, run_commands
from nephoscope.artifacts import SHIPPED
from nephoscope.files import read_json, write_json
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


def write_metrics(artifacts: Path, **dices: float | None) -> Path:
    for stage, dice in dices.items():
        write_json(artifacts / stage / "metrics.json", {"dice": dice, "low": 0.1, "high": 0.9})
    return artifacts


@pytest.mark.parametrize("change", [0, 0.029, -0.029])
def test_a_run_close_to_the_record_passes_the_check(tmp_path: Path, change: float) -> None:
    recorded = results.recorded_dice()
    run = write_metrics(tmp_path, **{stage: dice + change for stage, dice in recorded.items()})
    assert results.differences_from_record(run) == []
    assert list(recorded.values()) == pytest.approx([float(dice) for dice in dices_in_readme()], abs=6e-4)


def dices_in_readme() -> list[str]:
    """Cross-fitted Dice, and Dice on holdout, of the synthetic scenes."""
    readme = results.README.read_text("utf-8")
    labels = ("cross-fitted on validation", re.escape(results.OURS))
    return [re.search(rf"^\| {label} \| \**(0\.\d{{3}})", readme, re.MULTILINE)[1] for label in labels]  # type: ignore[index]


@pytest.mark.parametrize("stage", ["tune", "evaluate"])
@pytest.mark.parametrize("dice", [-0.031, 0.031, None])
def test_a_run_unlike_the_record_fails_the_check(tmp_path: Path, stage: str, dice: float | None) -> None:
    recorded = results.recorded_dice()
    changed = None if dice is None else recorded[stage] + dice
    run = write_metrics(tmp_path, **{**recorded, stage: changed})
    (difference,) = results.differences_from_record(run)
    assert difference == f"{stage}: the Dice is {changed}, the record has {recorded[stage]:.3f} ± 0.03"


def test_a_run_without_metrics_fails_the_check(tmp_path: Path) -> None:
    missing = [f"{tmp_path / stage / 'metrics.json'} is missing; run `dvc repro`" for stage in ("tune", "evaluate")]
    assert results.differences_from_record(tmp_path) == missing


@pytest.mark.parametrize(("change", "code"), [(0, None), (-0.1, "evaluate: the Dice is")])
def test_the_check_ends_with_an_error_if_the_run_is_not_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: float, code: str | None
) -> None:
    recorded = results.recorded_dice()
    write_metrics(tmp_path / "artifacts", **{**recorded, "evaluate": recorded["evaluate"] + change})
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["results", "--check"])
    with pytest.raises(SystemExit) as ended:
        results.main()
    assert ended.value.code == code or str(ended.value.code).startswith(str(code))


def test_ci_checks_the_run_right_behind_the_command_that_makes_it() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8").replace("\\\n", " ")
    line = re.search(r"python -m docs\.run_commands (.*?) \|\|", script)
    assert line
    planned = run_commands.plan(run_commands.parser().parse_args(shlex.split(line[1])), ROOT)
    checks = [index for index, block in enumerate(planned) if "docs.results --check" in block.script]
    assert len(checks) == 1
    assert planned[checks[0]].reason is None
    assert planned[checks[0] - 1].script.strip().endswith("&& dvc repro")


def test_a_check_without_its_place_ends_the_commands() -> None:
    arguments = run_commands.parser().parse_args(["--after", "no such command", "true", "README.md"])
    with pytest.raises(SystemExit, match="no block that is run contains 'no such command'"):
        run_commands.plan(arguments, ROOT)


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
