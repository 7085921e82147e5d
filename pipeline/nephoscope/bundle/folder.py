"""What lies in a portable model folder: both networks (safetensors and ONNX), the rules, classes and shapes."""

import hashlib
from pathlib import Path
from typing import Any

from nephoscope.artifacts import refuse_earlier_version
from nephoscope.data.formats import FORMATS
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.rules.rules import read_rules

ANSWERS = "answers.safetensors"
"""What torch answers to the probe of `nephoscope.inference.engine_choice`, member by member."""
DESCRIPTION, RULES = "model.json", "rules.json"
KINDS = ("classifiers", "segmenters")
WHOLE = "export it again, or copy all of it"


def read_model(folder: Path) -> Any:
    """What model.json says: `data` (facts), `classifiers` and `segmenters` (names of members)."""
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UserError(f"{folder}: no portable model; `python -m stages.export` writes one")
    content: Any = None
    try:
        content = read_json(path)
        if Metadata.from_dict(content["data"]).format not in FORMATS:
            raise ValueError
        names = [RULES, *(f"{name}.safetensors" for kind in KINDS for name in content[kind])]
    except (ValueError, KeyError, TypeError):
        refuse_earlier_version(content, path, WHOLE)
        raise UserError(f"{path} does not describe a model; {WHOLE}") from None
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; {WHOLE}")
    if read_rules(folder / RULES, WHOLE).classes != tuple(content["data"]["classes"]):
        raise UserError(f"{path} does not describe a model whose classes are those of {RULES}; {WHOLE}")
    return content


def list_stems(folder: Path) -> list[Path]:
    """The path of every network without its ending."""
    content = read_model(folder)
    return [folder / name for kind in KINDS for name in content[kind]]


def classifier_checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in read_model(folder)["classifiers"]]


def fingerprint(folder: Path) -> str:
    """Of everything in a portable model folder that decides what comes out, and of nothing that lies beside it."""
    networks = [stem.with_suffix(ending) for stem in list_stems(folder) for ending in (".onnx", ".safetensors")]
    digest = hashlib.sha256()
    for path in sorted([folder / DESCRIPTION, folder / RULES, folder / ANSWERS, *networks]):
        if path.is_file():
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
