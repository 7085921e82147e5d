"""Open a portable model folder: the ensemble of both networks, and the rules."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from nephoscope.bundle.folder import (
    KINDS,
    REFERENCE_OUTPUTS,
    RULES,
    WAY_OUT,
    fingerprint,
    joint_stem,
    list_stems,
    verify_model,
)
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.inference.engine_cache import cache_path, choose_engines
from nephoscope.inference.engine_choice import ENGINES, open_joint
from nephoscope.inference.engines import Engine, EngineName
from nephoscope.inference.ensemble import Ensemble
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.settings.choices import Choice
from nephoscope.settings.section import Machine


def open_portable(
    folder: Path, engine: Choice = "auto", machine: Machine | None = None, streams: int = 1
) -> tuple[Ensemble, Rules]:
    """A portable model folder → ensemble and rules. A folder whose files differ from their checksums is refused.

    "auto" uses the fastest installed engine that matches PyTorch, separately for each network unless the model has a
    joint graph. Without a `machine`, the networks compute in the precision that the rules were tuned with. One stream
    uses all cores for one call, which gives the lowest latency. As many streams as cores give the highest throughput.
    """
    content, rules = verify_model(folder), read_rules(folder / RULES, WAY_OUT)
    machine = machine or machine_of(rules)
    engines = _open_engines(folder, _choose_engines(folder, engine, machine), machine, streams)
    ensemble = Ensemble(
        Metadata.from_dict(content["data"]),
        inference_settings=rules.inference_settings,
        engines={name: engine.description for name, engine in engines.items()},
        **{kind: [engines[name] for name in content[kind]] for kind in KINDS},
    )
    return ensemble, rules


def machine_of(rules: Rules) -> Machine:
    """The machine of a model folder: any device, and the precision that the rules were tuned with."""
    return Machine(precision=rules.inference_settings.precision)


def _choose_engines(folder: Path, engine: Choice, machine: Machine) -> dict[str, EngineName]:
    """Name of a network → the name of its engine."""
    stems, joint = list_stems(folder), joint_stem(folder)
    missing = [stem.name for stem in (*stems, *filter(None, [joint])) if not stem.with_suffix(".onnx").is_file()]
    if missing and engine != "torch":
        raise UserError(f"{folder}: no ONNX file of {', '.join(missing)}; export it again, or use --engine torch")
    if engine == "auto":
        expected = _load_reference_outputs(folder)
        return choose_engines(cache_path(), fingerprint(folder), stems, machine, expected, joint)
    return dict.fromkeys((stem.name for stem in stems), engine)


def _open_engines(
    folder: Path, engine_names: dict[str, EngineName], machine: Machine, streams: int
) -> dict[str, Engine]:
    """Name of a network → its engine. PyTorch has no joint graph, and computes each network by itself."""
    joint, different = joint_stem(folder), set(engine_names.values())
    if joint and len(different) == 1 and "torch" not in different:
        return open_joint(different.pop(), joint, list_stems(folder), machine, streams)
    return {name: ENGINES[engine](folder / name, machine, streams) for name, engine in engine_names.items()}


def _load_reference_outputs(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    path = folder / REFERENCE_OUTPUTS
    if not path.is_file():
        raise UserError(f"{path} is missing; {WAY_OUT}, or choose an --engine")
    try:
        outputs = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} cannot be read ({error}); {WAY_OUT}, or choose an --engine") from None
    empty = [stem.name for stem in list_stems(folder) if stem.name not in outputs or not outputs[stem.name].size]
    if empty:
        raise UserError(f"{path} has no outputs of {', '.join(empty)}; {WAY_OUT}, or choose an --engine")
    return outputs
