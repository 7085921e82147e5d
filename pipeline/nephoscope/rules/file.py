"""The rules of a run, as every stage after `tune` reads them."""

from pathlib import Path

from nephoscope.artifacts import written
from nephoscope.errors import Mendable
from nephoscope.files import read_json
from nephoscope.rules.rules import Rules


def read_rules(path: Path) -> Rules:
    content = written(path, "tune")
    try:
        return Rules.model_validate(read_json(content))
    except ValueError:
        raise Mendable(f"{path} holds no rules; `python -m stages.tune` writes them anew") from None
