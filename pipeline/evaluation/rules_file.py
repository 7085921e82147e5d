"""The rules of a run, as every stage after `tune` reads them."""

from pathlib import Path

from pipeline.artifacts import written
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules
from pipeline.mendable import Mendable


def read_rules(path: Path) -> Rules:
    content = written(path, "tune")
    try:
        return Rules.model_validate(read_json(content))
    except ValueError:
        raise Mendable(f"{path} holds no rules; `python -m stages.tune` writes them anew") from None
