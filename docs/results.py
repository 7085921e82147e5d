"""README's figures, from the records of the runs behind them:

    python -m docs.results --record embedded    # the finished run in artifacts/ and its dvc.lock become a record
    python -m docs.results                      # README's table is written anew from the records

A record is a folder in docs/runs/: the small files of a run, as DVC's lock of it knows them.
"""

import argparse
import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nephoscope.files import read_json

RUNS = Path(__file__).with_name("runs")
README = Path(__file__).parents[1] / "README.md"
LOCKS = {"embedded": README.with_name("dvc.lock"), "clouds-cpu-quick": RUNS / "clouds-cpu-quick/lock.yaml"}
"""The runs of README's table, and what DVC noted of each, with hashes of all that it read and made."""
SHIPPED_COLUMN = 2
"""Between the two: the shipped model, whose figures are those of its card; its run left no lock."""
KEPT = (
    "artifacts/train_segmenter/history.csv",
    "artifacts/train_segmenter/metrics.json",
    "artifacts/train_classifier/history.csv",
    "artifacts/train_classifier/metrics.json",
    "artifacts/tune/metrics.json",
    "artifacts/tune/rules.json",
    "artifacts/tune/tables/estimates.csv",
    "artifacts/tune/tables/trials.csv",
    "artifacts/evaluate/metrics.json",
    "artifacts/evaluate/tables/brier.csv",
    "artifacts/evaluate/tables/dice.csv",
    "artifacts/evaluate/tables/presence.csv",
    "artifacts/evaluate/tables/steps.csv",
    "artifacts/evaluate/tables/confidence_marks.csv",
    "artifacts/export/metrics.json",
)
LISTED = ("artifacts/tune/tables", "artifacts/evaluate/tables")
"""Folders of which a lock knows one hash: that of a list of their files and hashes, which is kept beside the files."""
CACHE = Path(".dvc/cache/files/md5")
CLASSES = ("Fish", "Flower", "Gravel", "Sugar")
OURS = "nephoscope"
REFERENCES = ("all masks empty", "whole image, every class", "perfect presence, whole image")


@dataclass(frozen=True)
class Record:
    """The small files of one run, as they were in its folder."""

    folder: Path

    def row(self, table: str, **key: str) -> dict[str, str]:
        """The one row of a table that has these cells."""
        with (self.folder / "artifacts" / table).open(newline="", encoding="utf-8") as file:
            (row,) = [row for row in csv.DictReader(file) if key.items() <= row.items()]
        return row

    def dice(self, reference: str) -> str:
        row = self.row("evaluate/tables/dice.csv", reference=reference, class_name="mean")
        return spell(row["dice"], row["low"], row["high"])

    def cross_fitted(self) -> str:
        row = self.row("tune/tables/estimates.csv", estimate="cross-fitted", class_name="mean")
        return spell(row["dice"], row["low"], row["high"])

    def untuned(self) -> str:
        row = self.row("evaluate/tables/steps.csv", step="threshold 0.5", class_name="mean")
        return spell(row["dice"], row["low"], row["high"])

    def per_class(self, figure: str) -> str:
        metrics: dict[str, Any] = read_json(self.folder / "artifacts/evaluate/metrics.json")
        return ", ".join(f"{metrics[figure][name]:.3f}" for name in CLASSES)


def spell(mean: str, low: str, high: str) -> str:
    """
    >>> spell("0.70184", "0.66442", "0.73702")
    '0.702 [0.664, 0.737]'
    """
    return f"{float(mean):.3f} [{float(low):.3f}, {float(high):.3f}]"


def embolden(figure: str) -> str:
    """
    >>> embolden("0.702 [0.664, 0.737]")
    '**0.702** [0.664, 0.737]'
    """
    dice, _, interval = figure.partition(" ")
    return f"**{dice}** {interval}"


def table() -> dict[str, list[str]]:
    """The figures of both runs by README's name for them."""
    records = [Record(RUNS / name) for name in LOCKS]
    return {
        f"**{OURS}**": [embolden(record.dice(OURS)) for record in records],
        "rules tuned likewise, cross-fitted on validation": [record.cross_fitted() for record in records],
        "threshold 0.5 in place of the tuned rules": [record.untuned() for record in records],
        ", ".join(CLASSES): [record.per_class("dice") for record in records],
        "average precision of presence": [record.per_class("presence_average_precision") for record in records],
        **{reference: [record.dice(reference) for record in records] for reference in REFERENCES},
    }


def render(readme: str) -> str:
    lines = readme.split("\n")
    for label, (embedded, quick) in table().items():
        (place,) = [index for index, line in enumerate(lines) if line.startswith(f"| {label} |")]
        shipped = lines[place].split(" | ")[SHIPPED_COLUMN].removesuffix(" |")
        lines[place] = f"| {label} | {embedded} | {shipped} | {quick} |"
    return "\n".join(lines)


def locked_outs(lock: Path) -> Iterator[tuple[str, str]]:
    """Every path that the run made, with its hash."""
    for stage in yaml.safe_load(lock.read_text("utf-8"))["stages"].values():
        yield from ((out["path"], out["md5"]) for out in stage["outs"])


def record(name: str) -> None:
    for path in KEPT:
        copy(Path(path), RUNS / name / path)
    copy(Path("dvc.lock"), LOCKS[name])
    hashes = dict(locked_outs(LOCKS[name]))
    for folder in LISTED:
        copy(CACHE / hashes[folder][:2] / hashes[folder][2:], RUNS / name / f"{folder}.json")


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.resolve() != source.resolve():
        shutil.copyfile(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", choices=LOCKS, help="keep the figures of the run in this folder under that name")
    given = parser.parse_args()
    if given.record:
        record(given.record)
    README.write_text(render(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
