"""The fastest engine of every network of a model, chosen once a machine and kept in the user's cache.

Trying them all takes longer than most predictions do.
"""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from pipeline.cores import count_cores
from pipeline.inference.choosing import Answer, find_fastest
from pipeline.inference.engines import EngineName
from pipeline.json_file import read_json, write_json
from pipeline.params import Machine

PACKAGES: dict[EngineName, str] = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""Engine → the package that computes."""
DRIVERS = ("nvidia[0-9]*", "kfd", "dxg")
"""In /dev, where a GPU can be computed on."""


def choose_engines(
    kept: Path, mark: str, stems: Sequence[Path], machine: Machine, answers: Mapping[str, Answer]
) -> dict[str, EngineName]:
    """Name of a network → its engine. `kept` is the folder of such choices, and `mark` tells the model from others."""
    path = kept / f"{_key(mark, machine)}.json"
    known = _read(path)
    if known.keys() == {stem.name for stem in stems}:
        return known
    tqdm.write("nephoscope: trying which engines are the fastest here, which is done once", file=sys.stderr)
    chosen = {stem.name: find_fastest(stem, machine, answers[stem.name]) for stem in stems}
    with suppress(OSError):  # where nothing can be kept, it is chosen anew every time
        kept.mkdir(parents=True, exist_ok=True)
        write_json(path, chosen)
    return chosen


def _read(path: Path) -> dict[str, EngineName]:
    """Nothing where there is no such file, or not one of ours."""
    try:
        content = read_json(path)
        return content if set(content.values()) <= set(get_args(EngineName)) else {}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _key(mark: str, machine: Machine) -> str:
    """Of all that another engine may be the fastest for."""
    facts: list[Any] = [mark, machine.model_dump(mode="json"), count_cores(), _processor(), _cards()]
    facts += [installed(package) for package in PACKAGES.values()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _processor() -> list[str]:
    """A cache may be shared by machines of several kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})


def _cards() -> list[str]:
    found = [path.name for driver in DRIVERS for path in Path("/dev").glob(driver)]
    return [*sorted(found), os.environ.get("CUDA_VISIBLE_DEVICES", "")]


def installed(package: str) -> str:
    """Its version, where it has one here."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
