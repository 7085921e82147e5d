"""Write README's table of results from the record of the default run.

    python -m docs.results --record embedded    # record the finished run in artifacts/, then write the table
    python -m docs.results                      # write the table from the record
    python -m docs.results --check              # fail unless the run in artifacts/ is as good as the record

The record, docs/runs/embedded/, holds some tables of `tune` and `evaluate`, and DVC's list of the files and hashes in
each folder of tables. dvc.lock holds the hash of that list.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LOCK = ROOT / "dvc.lock"
CACHE = ROOT / ".dvc/cache/files/md5"
RECORD = Path(__file__).with_name("runs") / "embedded"
TUNE, EVALUATE = "artifacts/tune/tables", "artifacts/evaluate/tables"
RECORDED = {TUNE: ("estimates.csv",), EVALUATE: ("dice.csv", "presence.csv", "steps.csv")}
CLASSES = ["Fish", "Flower", "Gravel", "Sugar"]
OURS = "**nephoscope**"
DICE = f"Dice of {', '.join(CLASSES)}"
PRECISION = "average precision of presence"
TOLERANCE = 0.03
"""Machines differ a little in the last digits, and training amplifies that. More is a defect."""
REFERENCES = ("all masks empty", "whole image, every class", "perfect presence, whole image")


def embedded_column() -> dict[str, str]:
    """Label of each row of README's table → its cell for the synthetic scenes."""
    dice, steps = _read(EVALUATE, "dice.csv"), _read(EVALUATE, "steps.csv")
    mean, _, interval = _mean(dice, reference="nephoscope").partition(" ")
    per_class = dice[dice["reference"] == "nephoscope"].set_index("class_name")["dice"]
    precision = _read(EVALUATE, "presence.csv").set_index("class_name")["average_precision"]
    return {
        OURS: f"**{mean}** {interval}",
        DICE: ", ".join(f"{per_class[name]:.3f}" for name in CLASSES),
        PRECISION: ", ".join(f"{precision[name]:.3f}" for name in CLASSES),
        "cross-fitted on validation": _mean(_read(TUNE, "estimates.csv"), estimate="cross-fitted"),
        "reference: threshold 0.5, no tuned rules": _mean(steps, step="threshold 0.5"),
        **{f"reference: {name}": _mean(dice, reference=name) for name in REFERENCES},
    }


def _read(folder: str, name: str) -> pd.DataFrame:
    return pd.read_csv(RECORD / folder / name)


def _mean(table: pd.DataFrame, **row: str) -> str:
    """The mean Dice and its interval in the row with these cells, such as "0.702 [0.664, 0.737]"."""
    return "{:.3f} [{:.3f}, {:.3f}]".format(*_mean_values(table, **row))


def _mean_values(table: pd.DataFrame, **row: str) -> list[float]:
    cells = {**row, "class_name": "mean"}
    (values,) = table[(table[list(cells)] == pd.Series(cells)).all(axis=1)][["dice", "low", "high"]].to_numpy().tolist()
    return list(values)


def render(readme: str) -> str:
    """README with the cells of the record; the column of the shipped model stays as it is."""
    lines = readme.split("\n")
    for label, cell in embedded_column().items():
        (place,) = [index for index, line in enumerate(lines) if line.startswith(f"| {label} |")]
        shipped = lines[place].split(" | ")[2].removesuffix(" |")
        lines[place] = f"| {label} | {cell} | {shipped} |"
    return "\n".join(lines)


def locked_hashes() -> dict[str, str]:
    """Path of every output in dvc.lock → its MD5; that of a folder ends in ".dir"."""
    stages = yaml.safe_load(LOCK.read_text("utf-8"))["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def record() -> None:
    """Copy the tables of the run in artifacts/, and DVC's list of each folder, into the record."""
    hashes = locked_hashes()
    for folder, names in RECORDED.items():
        (RECORD / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CACHE / hashes[folder][:2] / hashes[folder][2:], RECORD / f"{folder}.json")
        for name in names:
            shutil.copyfile(ROOT / folder / name, RECORD / folder / name)


def recorded_dice() -> dict[str, float]:
    """Stage → its Dice in the record: cross-fitted on validation, and on holdout."""
    return {
        "tune": _mean_values(_read(TUNE, "estimates.csv"), estimate="cross-fitted")[0],
        "evaluate": _mean_values(_read(EVALUATE, "dice.csv"), reference="nephoscope")[0],
    }


def differences_from_record(artifacts: Path) -> list[str]:
    """A sentence for each stage of a finished run whose Dice is not that of the record."""
    differences = []
    for stage, recorded in recorded_dice().items():
        path = artifacts / stage / "metrics.json"
        if not path.exists():
            differences.append(f"{path} is missing; run `dvc repro`")
            continue
        dice = json.loads(path.read_text("utf-8"))["dice"]
        if dice is None or abs(dice - recorded) > TOLERANCE:
            differences.append(f"{stage}: the Dice is {dice}, the record has {recorded:.3f} ± {TOLERANCE}")
    return differences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", choices=[RECORD.name], help="record the finished run in artifacts/ first")
    parser.add_argument("--check", action="store_true", help="compare the finished run in artifacts/ with the record")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit("\n".join(differences_from_record(ROOT / "artifacts")) or None)
    if arguments.record:
        record()
    README.write_text(render(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
