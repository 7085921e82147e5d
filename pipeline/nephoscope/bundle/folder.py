"""The content of a portable model folder: networks (safetensors and ONNX), rules, classes, shapes and checksums."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nephoscope.artifacts import refuse_earlier_version
from nephoscope.data.formats import FORMATS
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.models.metadata import load_metadata
from nephoscope.rules.rules import LARGEST_SIDE, read_rules

REFERENCE_OUTPUTS = "reference_outputs.safetensors"
"""Outputs of each member in PyTorch for the probe image of `nephoscope.inference.engine_choice`."""
DESCRIPTION, RULES = "model.json", "rules.json"
CHECKSUMS = "sha256"
"""Key of model.json: name of a file → its SHA-256. Rules have none, because people may replace them."""
KINDS = ("classifiers", "segmenters")
JOINT = "joint"
"""Key of model.json, if there is a joint graph: its name, which is also that of its file."""
SHAPES = ("rle_shape", "output_shape", "cache_shape")
WAY_OUT = "export it again, or copy all of it"


def read_model(folder: Path) -> Any:
    """model.json, checked: `data` (the metadata), `classifiers` and `segmenters` (names of members), `sha256`.

    `joint`, the name of the joint graph, is there only if the model has one.
    """
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
        networks = [_check_name(name) for kind in KINDS for name in _check_names(content[kind])]
        _check_joint(content, networks)
    except (ValueError, KeyError, TypeError, AttributeError):
        refuse_earlier_version(content, path, WAY_OUT)
        raise UserError(f"{path} does not describe a model; {WAY_OUT}") from None
    _refuse_wrong_shapes(path, metadata)
    for name in (RULES, *(f"{name}.safetensors" for name in networks)):
        if not (folder / name).is_file():
            raise UserError(f"{folder}: {name} is missing; {WAY_OUT}")
    _refuse_other_rules(folder, metadata)
    _refuse_missing_checksums(path, content)
    return content


def _check_names(names: Any) -> list[Any]:
    if not isinstance(names, list) or not names:
        raise ValueError("a model has at least one network of each kind")
    return names


def _check_name(name: Any) -> str:
    """A name that is a path could read a file outside of the folder. Suffixes are added to it."""
    if not isinstance(name, str) or not name or "." in name or Path(name).name != name:
        raise ValueError(f"{name!r} is no name of a network")
    return name


def _check_joint(content: Mapping[str, Any], networks: Sequence[str]) -> None:
    if JOINT not in content:
        return
    if _check_name(content[JOINT]) in networks or [len(content[kind]) for kind in KINDS] != [1, 1]:
        raise ValueError("a joint graph has a name of its own, one classifier and one segmenter")


def _refuse_wrong_shapes(path: Path, metadata: Metadata) -> None:
    for name in SHAPES:
        shape = getattr(metadata, name)
        sides = shape if isinstance(shape, tuple) and len(shape) == 2 else (None,)
        if not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
            raise UserError(
                f"{path}: {name} is {shape}; expected a height and a width from 1 to {LARGEST_SIDE}; {WAY_OUT}"
            )
        fixed = getattr(FORMATS.get(metadata.format), name, shape)
        if shape != fixed:
            raise UserError(f"{path}: {name} is {shape}, but {metadata.format} has {fixed}; {WAY_OUT}")


def _refuse_other_rules(folder: Path, metadata: Metadata) -> None:
    rules = read_rules(folder / RULES, WAY_OUT)
    if rules.classes != metadata.classes:
        raise UserError(f"{folder / DESCRIPTION} and {RULES} have different classes; {WAY_OUT}")
    if rules.output_shape != metadata.output_shape:
        raise UserError(f"{folder / DESCRIPTION} and {RULES} have different output shapes; {WAY_OUT}")


def _refuse_missing_checksums(path: Path, content: Mapping[str, Any]) -> None:
    checksums = content.get(CHECKSUMS)
    if not isinstance(checksums, dict):
        raise UserError(f"{path} holds no checksums, as an earlier version of nephoscope wrote it; export it again")
    for name in checked_files(content):
        if name not in checksums:
            raise UserError(f"{path} holds no checksum of {name}; {WAY_OUT}")


def checked_files(content: Mapping[str, Any]) -> list[str]:
    """model.json → names of the files that have checksums."""
    networks = [f"{name}{suffix}" for name in network_names(content) for suffix in (".onnx", ".safetensors")]
    return [REFERENCE_OUTPUTS, *networks, *([f"{content[JOINT]}.onnx"] if JOINT in content else [])]


def network_names(content: Mapping[str, Any]) -> list[str]:
    """model.json → names of the classifiers, then of the segmenters."""
    return [name for kind in KINDS for name in content[kind]]


def verify_model(folder: Path) -> Any:
    """model.json, after a check of every file of the model: its checksum, and the data that a network was trained on.

    Only the engine that is used knows whether a missing ONNX file or missing reference outputs matter.
    """
    content = read_model(folder)
    for path in (folder / name for name in checked_files(content)):
        if path.is_file() and hash_file(path) != content[CHECKSUMS][path.name]:
            raise UserError(f"{path} is damaged or was changed: its checksum differs from {DESCRIPTION}; {WAY_OUT}")
    metadata = Metadata.from_dict(content["data"])
    for name in network_names(content):
        if load_metadata(folder / f"{name}.safetensors").data != metadata:
            raise UserError(f"{folder / DESCRIPTION} and {name}.safetensors describe different data; {WAY_OUT}")
    return content


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_stems(folder: Path) -> list[Path]:
    """The path of every network, without its suffix."""
    return [folder / name for name in network_names(read_model(folder))]


def joint_stem(folder: Path) -> Path | None:
    """The path of the joint graph without its suffix, if the model has one."""
    name = read_model(folder).get(JOINT)
    return folder / name if name else None


def classifier_checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{name}.safetensors" for name in verify_model(folder)["classifiers"]]


def fingerprint(folder: Path) -> str:
    """SHA-256 of all files that decide the predictions; other files in the folder do not count."""
    names = checked_files(read_model(folder))
    digest = hashlib.sha256()
    for path in sorted(folder / name for name in (DESCRIPTION, RULES, *names)):
        if path.is_file():
            digest.update(path.name.encode() + bytes.fromhex(hash_file(path)))
    return digest.hexdigest()
