"""The engine cache: the fastest engine of every network of a model, found once per machine.

Trying all engines takes longer than most predictions, so the result is kept in the user's cache folder.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

import platformdirs

from nephoscope.files import read_json, write_json
from nephoscope.hardware import count_cores, list_gpus
from nephoscope.inference.agreement import LIMITS
from nephoscope.inference.engine_choice import LOGGER, ProbeOutput, find_fastest, find_fastest_joint
from nephoscope.inference.engines import EngineName
from nephoscope.settings.section import Machine

PACKAGES: dict[EngineName, str] = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""Engine → its package."""


def cache_path() -> Path:
    """The folder of the engine cache: in $NEPHOSCOPE_CACHE, or in the platform's cache folder."""
    root = os.environ.get("NEPHOSCOPE_CACHE")
    return (Path(root) if root else platformdirs.user_cache_path("nephoscope")) / "engines"


def choose_engines(
    cache: Path,
    fingerprint: str,
    stems: Sequence[Path],
    machine: Machine,
    expected: Mapping[str, ProbeOutput],
    joint: Path | None = None,
) -> dict[str, EngineName]:
    """Networks of a model (paths without ending, PyTorch's probe outputs by name) → engine by name of the network.

    With a joint graph (path without ending), all of them have the same engine.
    """
    if cached := cached_engines(cache, fingerprint, stems, machine):
        return cached
    LOGGER.info("testing which engine is the fastest on this machine; the result is kept in %s", cache)
    if joint is None:
        chosen = {stem.name: find_fastest(stem, machine, expected[stem.name]) for stem in stems}
    else:
        fastest = find_fastest_joint(joint, stems, machine, [expected[stem.name] for stem in stems])
        chosen = dict.fromkeys((stem.name for stem in stems), fastest)
    with suppress(OSError):  # without a writable cache, engines are tested in every run
        cache.mkdir(parents=True, exist_ok=True)
        write_json(_entry(cache, fingerprint, machine), chosen)
    return chosen


def cached_engines(cache: Path, fingerprint: str, stems: Sequence[Path], machine: Machine) -> dict[str, EngineName]:
    """The cached choice; empty if there is none."""
    engines = _read(_entry(cache, fingerprint, machine))
    return engines if engines.keys() == {stem.name for stem in stems} else {}


def _entry(cache: Path, fingerprint: str, machine: Machine) -> Path:
    return cache / f"{_key(fingerprint, machine)}.json"


def _read(path: Path) -> dict[str, EngineName]:
    """Engines by name of the network; empty if the file is missing or invalid."""
    try:
        content = read_json(path)
        return content if set(content.values()) <= set(get_args(EngineName)) else {}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _key(fingerprint: str, machine: Machine) -> str:
    """Hash of everything that may change which engine is the fastest."""
    parts: list[Any] = [fingerprint, machine.model_dump(mode="json"), count_cores(), _processor()]
    parts += [list_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES", "")]
    parts += [LIMITS, installed("nephoscope")]
    parts += [installed(package) for package in PACKAGES.values()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _processor() -> list[str]:
    """What identifies the processor, because machines of several kinds may share a cache."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})


def installed(package: str) -> str:
    """The installed version of a package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
