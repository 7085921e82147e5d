"""A portable model folder → both stages, ready to predict."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from nephoscope.bundle.folder import ANSWERS, KINDS, RULES, WHOLE, fingerprint, list_stems, read_model
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.inference.engine_cache import cache_path, choose_engines
from nephoscope.inference.engine_choice import ENGINES
from nephoscope.inference.ensemble import Ensemble
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.settings.choices import Choice
from nephoscope.settings.section import Machine


def open_portable(
    folder: Path, engine: Choice = "auto", machine: Machine | None = None, streams: int = 1
) -> tuple[Ensemble, Rules]:
    """A portable model folder → both stages and the rules. "auto": every network by the fastest engine like torch.

    With one stream a call has all cores, and a picture is done soonest; with as many as there are cores, most are done.
    """
    content, machine = read_model(folder), machine or Machine()
    every = list_stems(folder)
    missing = [stem.name for stem in every if not stem.with_suffix(".onnx").is_file()]
    if missing and engine != "torch":
        raise UserError(f"{folder}: no ONNX of {', '.join(missing)}; export it anew, or use the engine torch")
    if engine == "auto" and not (folder / ANSWERS).is_file():
        raise UserError(f"{folder}: {ANSWERS} is missing; {WHOLE}, or choose an --engine")
    if engine == "auto":
        answers = _load_answers(folder)
        names = choose_engines(cache_path(), fingerprint(folder), every, machine, answers)
    else:
        names = dict.fromkeys((stem.name for stem in every), engine)
    rules = read_rules(folder / RULES, WHOLE)
    opened = {kind: [ENGINES[names[name]](folder / name, machine, streams) for name in content[kind]] for kind in KINDS}
    return Ensemble(Metadata.from_dict(content["data"]), inference_settings=rules.inference_settings, **opened), rules


def _load_answers(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    try:
        return load_file(folder / ANSWERS)
    except SafetensorError as error:
        raise UserError(f"{folder / ANSWERS} cannot be read ({error}); {WHOLE}, or choose an --engine") from None
