"""Write README's table of results from the record of the default run.

    python -m docs.results --record embedded    # record the finished run in artifacts/, then write the table
    python -m docs.results                      # write the table from the record

The record, docs/runs/embedded/, holds the metrics of `tune` and `evaluate`. dvc.lock holds their hashes.
"""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nephoscope.files import read_json

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LOCK = ROOT / "dvc.lock"
RECORD = Path(__file__).with_name("runs") / "embedded"
TUNE, EVALUATE = "artifacts/tune/metrics.json", "artifacts/evaluate/metrics.json"
CLASSES = ("Fish", "Flower", "Gravel", "Sugar")
OURS = "**nephoscope**"
DICE = f"Dice of {', '.join(CLASSES)}"
PRECISION = "average precision of presence"
REFERENCES = ("all masks empty", "whole image, every class", "perfect presence, whole image")


def embedded_column() -> dict[str, str]:
    """Label of each row of README's table → its cell for the synthetic scenes."""
    metrics = read_json(RECORD / EVALUATE)
    dice = metrics["dice"]
    return {
        OURS: f"**{dice['mean']:.3f}** [{dice['low']:.3f}, {dice['high']:.3f}]",
        DICE: _per_class(dice),
        PRECISION: _per_class(metrics["presence_average_precision"]),
        "cross-fitted on validation": f"{read_json(RECORD / TUNE)['cross-fitted']['mean']:.3f}",
        **{f"reference: {name}": f"{dice['references'][name]:.3f}" for name in REFERENCES},
    }


def _per_class(scores: dict[str, Any]) -> str:
    return ", ".join(f"{scores[name]:.3f}" for name in CLASSES)


def render(readme: str) -> str:
    """README with the cells of the record; the column of the shipped model stays as it is."""
    lines = readme.split("\n")
    for label, cell in embedded_column().items():
        (place,) = [index for index, line in enumerate(lines) if line.startswith(f"| {label} |")]
        shipped = lines[place].split(" | ")[2].removesuffix(" |")
        lines[place] = f"| {label} | {cell} | {shipped} |"
    return "\n".join(lines)


def locked_hashes() -> Iterator[tuple[str, str]]:
    """(path, MD5) of every output in dvc.lock."""
    for stage in yaml.safe_load(LOCK.read_text("utf-8"))["stages"].values():
        yield from ((out["path"], out["md5"]) for out in stage["outs"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", choices=[RECORD.name], help="copy the metrics of the run in artifacts/ first")
    if parser.parse_args().record:
        for path in (TUNE, EVALUATE):
            shutil.copyfile(ROOT / path, RECORD / path)
    README.write_text(render(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
