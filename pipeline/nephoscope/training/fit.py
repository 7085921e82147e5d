"""Fit one member, from its initial weights to its best checkpoint. A killed run resumes."""

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor

from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape
from nephoscope.models.classifier import build_classifier
from nephoscope.models.devices import resolve_training_precision
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.models.segmenter import build_segmenter
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training.augmentation import Augment
from nephoscope.training.callbacks import History, SaveBest, SaveMidway, SaveState, Unfreezing
from nephoscope.training.ema import ExponentialMovingAverage
from nephoscope.training.loaders import CachedImages, make_train_loader, make_validation_loader
from nephoscope.training.members import Member, Phase, Rows, member_rows
from nephoscope.training.sampling import balance
from nephoscope.training.tasks import ClassifierTask, SegmenterTask

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}
SAVE_EVERY = timedelta(minutes=2)
"""A killed run loses at most this."""


def fit_member(
    member: Member,
    params: TrainClassifier | TrainSegmenter,
    manifest: Manifest,
    cache: Path,
    phases: Sequence[Phase],
    weights: str,
) -> None:
    """Train one member phase by phase. Each phase keeps its best checkpoint, from which the next one starts."""
    for phase in phases:
        if not phase.progress.finished.is_file():
            _fit_phase(member, phase, _metadata(member, params, phase, manifest), manifest, cache, weights)
        weights = str(phase.progress.best)


def _fit_phase(
    member: Member, phase: Phase, metadata: NetworkMetadata, manifest: Manifest, cache: Path, weights: str
) -> None:
    params, progress, seed = phase.params, phase.progress, member.seed
    seed_everything(seed, workers=True, verbose=False)
    with quiet():
        trainer = build_trainer(params, _callbacks(phase, metadata))
    rows, validation_rows = _rows(member, params, manifest, trainer.world_size)
    task = build_task(params, metadata.input_shape, _positive_shares(params, manifest, rows), seed, weights)
    task.network.to(memory_format=torch.channels_last)
    torch.set_float32_matmul_precision("high")  # TF32 on GPUs, where bf16 is off

    presence = manifest.presence()
    augmented = CachedImages(cache, presence, metadata.input_shape, Augment(params.augmentation))
    plain = CachedImages(cache, presence, metadata.input_shape)
    with quiet():
        try:
            trainer.fit(
                task,
                make_train_loader(augmented, rows, params, seed),
                make_validation_loader(plain, validation_rows, params),
                ckpt_path=progress.last if progress.last.is_file() else None,
                weights_only=True,
            )
        except SIGTERMException:  # it would end the process with code 0, as if the outputs were there
            raise SystemExit(f"{member.name}: terminated; run the same command again to resume") from None
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        if not progress.best.is_file():
            raise UserError(
                f"{member.name}: no epoch has a valid {params.monitor}; does any validation image show a class? Add "
                "images, or set monitor: loss"
            )
        progress.finished.touch()


def _rows(
    member: Member, params: TrainClassifier | TrainSegmenter, manifest: Manifest, processes: int
) -> tuple[Rows, Rows]:
    """Rows for training, and for choosing the epoch; at least one of each for every process."""
    rows, validation_rows = member_rows(member, manifest)
    if isinstance(params, TrainSegmenter) and params.pictures == "positives":
        rows = rows[manifest.presence(rows).any(axis=1)]
    for split, split_rows in (("train", rows), ("validation", validation_rows)):
        if split_rows.size == 0:
            raise UserError(
                f"{member.name}: no image for {split}; change prepare.validation_share or prepare.holdout_share"
            )
        if split_rows.size < processes:  # a process without an image would leave the others waiting
            raise UserError(
                f"{member.name}: {processes} processes, but {split_rows.size} image(s) for {split}; lower "
                "machine.devices or machine.nodes, or change prepare.validation_share or prepare.holdout_share"
            )
    return rows, validation_rows


def _metadata(
    member: Member, params: TrainClassifier | TrainSegmenter, phase: Phase, manifest: Manifest
) -> NetworkMetadata:
    segmenter = isinstance(params, TrainSegmenter)
    return NetworkMetadata(
        kind="segmenter" if segmenter else "classifier",
        architecture=params.architecture if isinstance(params, TrainSegmenter) else params.encoder,
        encoder=params.encoder,
        input_shape=phase.params.input_shape or manifest.metadata.cache_shape,
        data=manifest.metadata,
        member=member.name,
        seed=member.seed,
        fold=member.fold,
        epoch=-1,
        score=float("-inf"),
        settings=params.model_dump(mode="json"),
    )


def build_task(
    params: TrainClassifier | TrainSegmenter, shape: Shape, positive_shares: Tensor, seed: int, weights: str
) -> ClassifierTask | SegmenterTask:
    count = len(positive_shares)
    if isinstance(params, TrainSegmenter):
        segmenter = build_segmenter(
            params.architecture, params.encoder, count, decoder_width=params.decoder_width, weights=weights
        )
        return SegmenterTask(segmenter, params, positive_shares, seed)
    classifier = build_classifier(params.encoder, count, shape, dropout=params.dropout, weights=weights)
    return ClassifierTask(classifier, params, positive_shares, seed)


def _positive_shares(params: TrainClassifier | TrainSegmenter, manifest: Manifest, rows: Rows) -> Tensor:
    """Share of positives of each class (C): of images for a classifier, of pixels for a segmenter."""
    presence = manifest.presence(rows)
    drawn = balance(presence) if params.sampling == "balanced" else torch.ones(len(rows), dtype=torch.double)
    if not isinstance(params, TrainSegmenter):
        return (drawn @ torch.from_numpy(presence).double() / drawn.sum()).float()
    areas = manifest.images[[f"area_{name}" for name in manifest.metadata.classes]].to_numpy()[rows]
    counted = torch.from_numpy(areas > 0 if params.pictures == "positives" else np.ones_like(areas, bool)).double()
    counts = (drawn @ counted).clamp(min=torch.finfo(torch.double).tiny)  # avoids 0 / 0 for a class that never occurs
    return (drawn @ torch.from_numpy(areas).double() / counts).float()


def build_trainer(params: TrainClassifier | TrainSegmenter, callbacks: list[Callback]) -> Trainer:
    machine = params.machine
    return Trainer(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        strategy=machine.strategy,
        precision=PRECISIONS[resolve_training_precision(machine)],
        max_epochs=params.epochs,
        gradient_clip_val=params.gradient_clip,
        callbacks=callbacks,
        plugins=[SaveState()],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stderr.isatty(),
    )


def _callbacks(phase: Phase, metadata: NetworkMetadata) -> list[Callback]:
    params, progress = phase.params, phase.progress
    callbacks: list[Callback] = [
        SaveBest(progress.best, metadata, params.monitor, epochs_before=phase.epochs_before),
        History(progress.history, metadata.member, epochs_before=phase.epochs_before, epochs=params.epochs),
        ModelCheckpoint(progress.folder, "last", save_on_train_epoch_end=True, enable_version_counter=False),
        SaveMidway(progress.folder, "last", train_time_interval=SAVE_EVERY, enable_version_counter=False),
    ]
    if params.ema_decay is not None:
        callbacks.append(ExponentialMovingAverage(params.ema_decay))
    if params.frozen_epochs:
        callbacks.append(Unfreezing(params.frozen_epochs, params.unfreeze_steps))
    if params.patience is not None:
        mode = "min" if params.monitor == "loss" else "max"
        monitor, patience = f"validation_{params.monitor}", max(1, params.patience)
        callbacks.append(EarlyStopping(monitor, mode=mode, patience=patience, check_finite=False))
    if sys.stderr.isatty():
        callbacks.append(TQDMProgressBar())
    return callbacks


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's advice on hardware and loaders, which the settings decide."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*does not have many workers.*")
        # Lightning 2.6 uses an API that PyTorch 2.15 deprecates.
        warnings.filterwarnings("ignore", r".*LeafSpec.*", FutureWarning)
        warnings.filterwarnings("ignore", r"Checkpoint directory .* exists and is not empty.*")
        yield
