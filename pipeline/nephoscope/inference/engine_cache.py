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

import platformdirs
from tqdm import tqdm

from nephoscope.files import read_json, write_json
from nephoscope.hardware import count_cores, list_gpus
from nephoscope.inference.engine_choice import TOLERANCE, Answer, find_fastest
from nephoscope.inference.engines import EngineName
from nephoscope.settings.section import Machine

PACKAGES: dict[EngineName, str] = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""Engine → the package that computes."""


def cache_path() -> Path:
    """The folder of such choices: in $NEPHOSCOPE_CACHE, or the usual place for such things."""
    named = os.environ.get("NEPHOSCOPE_CACHE")
    return (Path(named) if named else platformdirs.user_cache_path("nephoscope")) / "engines"


def choose_engines(
    kept: Path, mark: str, stems: Sequence[Path], machine: Machine, answers: Mapping[str, Answer]
) -> dict[str, EngineName]:
    """Name of a network → its engine. `kept` is such a folder, and `mark` tells the model from others."""
    if known := cached_engines(kept, mark, stems, machine):
        return known
    tqdm.write("nephoscope: trying which engines are the fastest here, which is done once", file=sys.stderr)
    chosen = {stem.name: find_fastest(stem, machine, answers[stem.name]) for stem in stems}
    with suppress(OSError):  # where nothing can be kept, it is chosen anew every time
        kept.mkdir(parents=True, exist_ok=True)
        write_json(_note(kept, mark, machine), chosen)
    return chosen


def cached_engines(kept: Path, mark: str, stems: Sequence[Path], machine: Machine) -> dict[str, EngineName]:
    """What was chosen; nothing where that was not yet done."""
    known = _read(_note(kept, mark, machine))
    return known if known.keys() == {stem.name for stem in stems} else {}


def _note(kept: Path, mark: str, machine: Machine) -> Path:
    return kept / f"{_key(mark, machine)}.json"


def _read(path: Path) -> dict[str, EngineName]:
    """Nothing where there is no such file, or not one of ours."""
    try:
        content = read_json(path)
        return content if set(content.values()) <= set(get_args(EngineName)) else {}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _key(mark: str, machine: Machine) -> str:
    """Of all that another engine may be the fastest for."""
    metadata: list[Any] = [mark, machine.model_dump(mode="json"), count_cores(), _processor()]
    metadata += [list_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES", "")]
    metadata += [TOLERANCE, installed("nephoscope")]
    metadata += [installed(package) for package in PACKAGES.values()]
    return hashlib.sha256(json.dumps(metadata).encode()).hexdigest()[:16]


def _processor() -> list[str]:
    """A cache may be shared by machines of several kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})


def installed(package: str) -> str:
    """Its version, where it has one here."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
