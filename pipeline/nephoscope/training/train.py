"""Train all members of a network. A killed run resumes."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from lightning.fabric.utilities.rank_zero import rank_zero_only

from nephoscope import models, training
from nephoscope.artifacts import PrepareFolder, TrainFolder
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.files import atomic_write, write_json
from nephoscope.models.metadata import load_metadata, refuse_other_data
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training.fit import fit_member
from nephoscope.training.members import Member, Phase, list_members, list_phases

SEGMENTER = "segmenter"


def train_members(
    params: TrainClassifier | TrainSegmenter,
    prepared: PrepareFolder,
    folder: TrainFolder,
    segmenters: Path | None = None,
) -> None:
    """Train every member in turn, then write members, history and metrics.

    `segmenters` is the folder of trained segmenters, for `weights: segmenter`.
    """
    manifest = Manifest.load(prepared.manifest)
    members = list_members(params.seeds, manifest.metadata.folds)
    if params.weights == SEGMENTER and segmenters is not None:
        refuse_other_data(segmenters.glob("*.safetensors"), manifest.metadata)
    weights = {member: find_weights(member, params.weights, segmenters) for member in members}
    run = _resume_folder(folder.resume, resume_key(params, manifest, prepared.cache, weights.values()))
    phases = {member: list_phases(params, run / member.name) for member in members}
    for member in members:
        fit_member(member, params, manifest, prepared.cache, phases[member], weights[member])
    if _is_first():
        _write_outputs(phases, folder)


def _is_first() -> bool:
    """Only the first of several processes writes common files."""
    return bool(getattr(rank_zero_only, "rank", 0) == 0)


def find_weights(member: Member, weights: str, segmenters: Path | None) -> str:
    """The value of the setting `weights`, with `segmenter` replaced by a checkpoint.

    It is the segmenter of the same name, or else the first one that held out the same fold.
    """
    if weights != SEGMENTER or segmenters is None:
        return weights
    checkpoints = {path.stem: path for path in sorted(segmenters.glob("*.safetensors"))}
    if member.name in checkpoints:
        return str(checkpoints[member.name])
    fitting = [path for path in checkpoints.values() if load_metadata(path).fold == member.fold]
    if not fitting:
        raise UserError(
            f"weights: {SEGMENTER}, but {segmenters} has no segmenter for {member.name}; "
            "run `dvc repro train_segmenter`, or use weights: bundled"
        )
    return str(fitting[0])


def resume_key(
    params: TrainClassifier | TrainSegmenter, manifest: Manifest, cache: Path, weights: Iterable[str] = ()
) -> str:
    """Hash of settings, data, initial weights and code. A run resumes only if all of them are the same."""
    content = [params.model_dump(mode="json"), manifest.metadata.to_dict(), manifest.images.to_csv(index=False)]
    initial = (Path(value) for value in weights)
    files = [*sorted(cache.iterdir()), *(path for path in initial if path.is_file())]
    files += [path for package in (training, models) for path in sorted(Path(package.__path__[0]).glob("*.py"))]
    content += [_digest(path) for path in files]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resume_folder(folder: Path, key: str) -> Path:
    """The folder of this run's state; folders of other runs are deleted."""
    if _is_first() and folder.is_dir():
        for other in folder.iterdir():
            if other.name != key:
                shutil.rmtree(other)
    return folder / key


def best_checkpoint(phases: Sequence[Phase]) -> Path:
    """The checkpoint with the highest score. If fine-tuning gains nothing, it is that of the main phase."""
    return max((phase.progress.best for phase in phases), key=lambda path: load_metadata(path).score)


def _write_outputs(phases: dict[Member, list[Phase]], folder: TrainFolder) -> None:
    best = {member.name: best_checkpoint(member_phases) for member, member_phases in phases.items()}
    with atomic_write(folder.members) as unfinished:
        unfinished.mkdir()
        for name, path in best.items():
            shutil.copyfile(path, unfinished / f"{name}.safetensors")
    with atomic_write(folder.history) as unfinished:
        histories = [
            pd.read_csv(phase.progress.history) for member_phases in phases.values() for phase in member_phases
        ]
        pd.concat(histories, ignore_index=True).to_csv(unfinished, index=False)
    metadata = [load_metadata(path) for path in best.values()]
    write_json(folder.metrics, {"score": round(float(np.mean([member.score for member in metadata])), 3)})
    shutil.rmtree(folder.resume)
