"""The rules of a run, as every stage after `tune` reads them."""

from pathlib import Path

from pipeline.artifacts import written
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules


def read_rules(path: Path) -> Rules:
    return Rules.model_validate(read_json(written(path, "tune")))
