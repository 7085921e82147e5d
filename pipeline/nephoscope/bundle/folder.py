"""The content of a portable model folder: networks (safetensors and ONNX), rules, classes and shapes."""

import hashlib
from pathlib import Path
from typing import Any

from nephoscope.artifacts import refuse_earlier_version
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.rules.rules import read_rules

REFERENCE_OUTPUTS = "reference_outputs.safetensors"
"""Outputs of each member in PyTorch for the probe image of `nephoscope.inference.engine_choice`."""
DESCRIPTION, RULES = "model.json", "rules.json"
KINDS = ("classifiers", "segmenters")
WAY_OUT = "export it again, or copy all of it"


def read_model(folder: Path) -> Any:
    """model.json, checked: `data` (the metadata), `classifiers` and `segmenters` (names of members)."""
    path = folder / DESCRIPTION
    if not path.is_file():
        found = f"holds no portable model, because {DESCRIPTION} is missing" if folder.is_dir() else "does not exist"
        raise UserError(
            f"{folder} {found}; give the folder that `python -m stages.export` writes (artifacts/export/model), "
            "or leave out --model"
        )
    content: Any = None
    try:
        content = read_json(path)
        metadata = Metadata.from_dict(content["data"])
        _ = metadata.data_format  # raises an error if the format or a class cannot be used
        names = [RULES, *(f"{name}.safetensors" for kind in KINDS for name in content[kind])]
    except (ValueError, KeyError, TypeError, AttributeError):
        refuse_earlier_version(content, path, WAY_OUT)
        raise UserError(f"{path} does not describe a model; {WAY_OUT}") from None
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; {WAY_OUT}")
    if read_rules(folder / RULES, WAY_OUT).classes != metadata.classes:
        raise UserError(f"{path} and {RULES} have different classes; {WAY_OUT}")
    return content


def list_stems(folder: Path) -> list[Path]:
    """The path of every network, without its suffix."""
    content = read_model(folder)
    return [folder / name for kind in KINDS for name in content[kind]]


def classifier_checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in read_model(folder)["classifiers"]]


def fingerprint(folder: Path) -> str:
    """SHA-256 of all files that decide the predictions; other files in the folder do not count."""
    networks = [stem.with_suffix(suffix) for stem in list_stems(folder) for suffix in (".onnx", ".safetensors")]
    digest = hashlib.sha256()
    for path in sorted([folder / DESCRIPTION, folder / RULES, folder / REFERENCE_OUTPUTS, *networks]):
        if path.is_file():
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
