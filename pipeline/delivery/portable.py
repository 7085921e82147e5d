"""A portable model folder → both stages, ready to predict."""

import shutil
import sys
import tempfile
from pathlib import Path

from safetensors.numpy import load_file
from tqdm import tqdm

from pipeline.data.manifest import Facts
from pipeline.delivery.choices import Choice
from pipeline.delivery.model_folder import ANSWERS, fingerprint, kept_here, list_stems, read_model
from pipeline.inference.choosing import ENGINES
from pipeline.inference.remembered import choose_engines
from pipeline.inference.two_stage import TwoStage
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules
from pipeline.params import Machine


def open_portable(
    folder: Path, engine: Choice = "auto", machine: Machine | None = None, streams: int = 1
) -> tuple[TwoStage, Rules]:
    """A portable model folder → both stages and the rules. "auto": every network by the fastest engine like torch.

    With one stream a call has all cores, and a picture is done soonest; with as many as there are cores, most are done.
    """
    content, machine = read_model(folder), machine or Machine()
    if engine != "torch":
        folder = with_onnx(folder)
    every = list_stems(folder)
    if engine == "auto":
        answers = load_file(folder / ANSWERS)
        names = choose_engines(kept_here() / "engines", fingerprint(folder), every, machine, answers)
    else:
        names = dict.fromkeys((stem.name for stem in every), engine)
    rules = Rules.model_validate(read_json(folder / "rules.json"))
    opened = {
        kind: [ENGINES[names[name]](folder / name, machine, streams) for name in content[kind]]
        for kind in ("classifiers", "segmenters")
    }
    return TwoStage(Facts.from_dict(content["data"]), reading=rules.reading, **opened), rules


def with_onnx(folder: Path) -> Path:
    """The folder, or where it has no ONNX a copy that has, made once a machine and kept in the user's cache."""
    if all(stem.with_suffix(".onnx").is_file() for stem in list_stems(folder)):
        return folder
    kept = kept_here() / "models" / fingerprint(folder)[:16]
    if not kept.is_dir():
        from pipeline.delivery.exporting import add_onnx  # when it is wanted: torch takes seconds to load

        tqdm.write(f"{folder}: preparing the model for this machine, which is done once", file=sys.stderr)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as own:
            made = Path(shutil.copytree(folder, Path(own) / "model"))
            add_onnx(made)
            # Another process may have been sooner, and be reading its own: then that one stays.
            try:
                made.rename(kept)
            except OSError:
                if not kept.is_dir():
                    raise
    return kept
