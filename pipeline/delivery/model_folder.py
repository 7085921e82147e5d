"""What lies in a portable model folder: both networks (safetensors and ONNX), the rules, classes and shapes."""

import hashlib
from pathlib import Path
from typing import Any

from pipeline.json_file import read_json
from pipeline.mendable import Mendable

ANSWERS = "answers.safetensors"
"""What torch answers to the probe of `pipeline.inference.choosing`, member by member."""


def read_model(folder: Path) -> Any:
    """What model.json says: `data` (facts), `classifiers` and `segmenters` (names of members)."""
    path = folder / "model.json"
    if not path.is_file():
        raise Mendable(f"{folder}: no portable model; `python -m stages.export` writes one")
    return read_json(path)


def list_stems(folder: Path) -> list[Path]:
    """The path of every network without its ending."""
    content = read_model(folder)
    return [folder / name for kind in ("classifiers", "segmenters") for name in content[kind]]


def classifier_checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in read_model(folder)["classifiers"]]


def fingerprint(folder: Path) -> str:
    """Of everything in a portable model folder that decides what comes out."""
    read_model(folder)
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix != ".md"):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
