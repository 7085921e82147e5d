"""The rules of a run, as every stage after `tune` reads them."""

from pathlib import Path

from nephoscope.artifacts import require_artifact
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.rules.rules import Rules


def read_rules(path: Path) -> Rules:
    content = require_artifact(path, "tune")
    try:
        return Rules.model_validate(read_json(content))
    except ValueError:
        raise UserError(f"{path} holds no rules; `python -m stages.tune` writes them anew") from None
