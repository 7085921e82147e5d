"""Versions, hardware, the model, its engines, and places: what a bug report needs."""

import platform
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from nephoscope.bundle.folder import DESCRIPTION, RULES, fingerprint, list_stems, read_model
from nephoscope.bundle.load import machine_of
from nephoscope.earth.writing.attributes import read_attributes
from nephoscope.errors import EXTRAS, UserError
from nephoscope.hardware import count_cores
from nephoscope.inference.engine_cache import PACKAGES, cache_path, cached_engines, installed
from nephoscope.models.metadata import load_metadata
from nephoscope.names import printable
from nephoscope.rules.rules import read_rules
from nephoscope.settings.training import TrainingMachine

Description = dict[str, dict[str, Any]]
ROOT = Path(__file__).parents[2]
SHOWN_EXTRAS = ("train", "app", "cluster", "earth")
"""The extra openvino is an engine, and shown with the engines."""


def describe(model: Path) -> Description:
    """Section → name → value."""
    return {
        "nephoscope": {"version": version("nephoscope"), "python": platform.python_version(), "code": str(ROOT)},
        "machine": describe_machine(),
        "model": describe_model(model),
        "engines": {name: installed(package) for name, package in PACKAGES.items()},
        "extras": {name: installed(EXTRAS[name][0]) for name in SHOWN_EXTRAS},
        "places": {"model": str(model), "chosen engines": str(cache_path())},
        "packages": {name: installed(name) for name in sorted(direct_requirements())},
    }


def describe_file(path: Path) -> Description:
    """How a file or folder was made; of a portable model, the networks and their engines."""
    if (path / DESCRIPTION).is_file():
        return {"model": describe_model(path)}
    return {"file": {"path": str(path)}, "attributes": dict(read_attributes(path))}


def describe_machine() -> dict[str, Any]:
    description = {"system": platform.platform(), "cores": count_cores()}
    try:
        import torch

        from nephoscope.models.devices import resolve_training_precision
    except ModuleNotFoundError:  # without the extra `train`
        return description
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        **description,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "GPUs": ", ".join(gpus) or "none",
        "training precision": resolve_training_precision(TrainingMachine()),
    }


def describe_model(folder: Path) -> dict[str, Any]:
    """A portable model, or the problem with it."""
    try:
        digest = fingerprint(folder)
    except UserError as error:
        return {"problem": str(error)}
    stems = list_stems(folder)
    rules = read_rules(folder / RULES)
    engines = cached_engines(cache_path(), digest, stems, machine_of(rules))
    description: dict[str, Any] = {
        "fingerprint": digest[:16],
        "classes": ", ".join(read_model(folder)["data"]["classes"]),
        "precision": rules.inference_settings.precision,
    }
    for stem in stems:
        metadata = load_metadata(stem.with_suffix(".safetensors"))
        height, width = metadata.input_shape
        engine = engines.get(stem.name, "not chosen yet")
        description[stem.name] = f"{metadata.encoder}, {height}×{width}, engine {engine}"
    return description


def direct_requirements() -> set[str]:
    """Packages that nephoscope requires directly, without those of extras."""
    requirements = [Requirement(line) for line in requires("nephoscope") or ()]
    return {needed.name for needed in requirements if "extra" not in str(needed.marker)}


def show_description(description: Description) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for section, values in description.items():
        table.add_section()
        for index, (name, value) in enumerate(values.items()):
            table.add_row(section if index == 0 else "", *map(printable, (name, str(value))))
    Console().print(table)
