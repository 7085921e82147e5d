"""JSON files, written whole or not at all. A number that is not known (NaN) is written as null, never as 0."""

import json
import math
from pathlib import Path
from typing import Any

from pipeline.artifacts import writing


def write_json(path: Path, content: Any) -> None:
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(_plain(content), indent=2, allow_nan=False) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
