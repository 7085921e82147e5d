"""Training steps of both networks, against the plain loop:

    python -m benchmarks.training

Ours reads batches from the cache and trains with Lightning in the precision chosen for the machine. The plain loop
decodes and resizes every JPEG (1400×2100) with PIL and trains in eager fp32. Networks, loss, optimiser, input shape,
batches, flips and threads are the same. Both take turns in separate processes. Medians over steps after a warm-up.
"""

import argparse
import os
import statistics
import tempfile
import time
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback

from benchmarks.decode import draw_pictures, read_plainly
from benchmarks.table import Row, alone, print_rows
from nephoscope.artifacts import Artifacts
from nephoscope.data.formats import FORMATS
from nephoscope.data.manifest import Manifest
from nephoscope.hardware import keep_freed_memory
from nephoscope.masks.rle import Shape
from nephoscope.settings.data import Prepare
from nephoscope.settings.training import TrainClassifier, Training, TrainingMachine, TrainSegmenter
from nephoscope.training.augmentation import Augment, Sample
from nephoscope.training.fit import build_task, build_trainer, quiet
from nephoscope.training.loaders import CachedImages, make_train_loader
from nephoscope.training.optimisers import build_optimiser
from nephoscope.training.tasks import ClassifierTask, SegmenterTask
from stages import prepare

SHAPE: Shape = (192, 288)
PICTURES = 64
WARM = 3
"""Warm-up steps, not counted: they allocate memory that later steps reuse."""
CLASSES = len(FORMATS["clouds"].classes)
CPU = TrainingMachine(accelerator="cpu")
Settings = TrainClassifier | TrainSegmenter
NETWORKS: dict[str, Settings] = {
    "classifier": TrainClassifier(machine=CPU),
    "segmenter": TrainSegmenter(machine=CPU),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help="of each network, each way, each turn")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    print_rows(measure(arguments.steps, arguments.repeats))


def measure(steps: int = 12, repeats: int = 2) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_pictures(root / "scenes", PICTURES)
        settings = Prepare(root=root / "scenes", cache_shape=SHAPE, validation_share=0, holdout_share=0)
        prepare.main(settings, Artifacts(root))
        return [measure_network(name, root, steps, repeats) for name in NETWORKS]


def measure_network(name: str, root: Path, steps: int, repeats: int) -> Row:
    turns = [(alone(train_fast, name, root, steps), alone(train_plainly, name, root, steps)) for _ in range(repeats)]
    ours, theirs = (
        1000 * statistics.median(seconds) / NETWORKS[name].batch_size for seconds in zip(*turns, strict=True)
    )
    note = f"{1000 / ours:.1f} pictures a second, {1000 / theirs:.1f} the plain way"
    case = f"{name} {SHAPE[0]}×{SHAPE[1]}, batches of {NETWORKS[name].batch_size}"
    return Row("training step, per picture", case, "ms", ours, "the plain loop", theirs, note)


class Clock(Callback):
    """Measures seconds from the end of a step to the end of the next, so reading the batch is included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        return float(np.median(np.diff(self.ends)[WARM:]))


def train_fast(name: str, root: Path, steps: int) -> float:
    """Median seconds of a step."""
    keep_freed_memory()
    params, clock = NETWORKS[name], Clock()
    pictures, task = open_images(CachedImages, root, params), build_benchmark_task(params)
    task.network.to(memory_format=torch.channels_last)
    loader = make_train_loader(pictures, many_rows(params, steps), params, seed=0)
    os.chdir(root)  # where Lightning leaves its last checkpoint
    with quiet():
        warnings.filterwarnings("ignore", ".*no `val_dataloader`.*")
        build_trainer(params.model_copy(update={"epochs": 1}), [clock]).fit(task, loader)
    return clock.seconds


def train_plainly(name: str, root: Path, steps: int) -> float:
    params, clock = NETWORKS[name], Clock()
    pictures, task = open_images(ImagesFromFiles, root, params), build_benchmark_task(params)
    task.setup("fit")
    optimiser = build_optimiser(task.network.train(), params.optimiser)
    for batch in make_train_loader(pictures, many_rows(params, steps), params, seed=0):
        optimiser.zero_grad()
        plain = batch._replace(images=batch.images.contiguous())
        task.compare(task.network(plain.images), plain).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(task.network.parameters(), params.gradient_clip or float("inf"))
        optimiser.step()
        clock.on_train_batch_end()
    return clock.seconds


class ImagesFromFiles(CachedImages):
    """Images decoded from JPEG at every access; masks come from the cache."""

    def read(self, row: int) -> Sample:
        return super().read(row)._replace(image=read_plainly(self.paths[row], SHAPE))

    @cached_property
    def paths(self) -> list[Path]:
        return sorted((self.folder.parents[1] / "scenes" / "train_images").iterdir())


def open_images(kind: type[CachedImages], root: Path, params: Training) -> CachedImages:
    prepared = Artifacts(root).prepare
    presence = Manifest.load(prepared.manifest).presence()
    return kind(prepared.cache, presence, SHAPE, Augment(params.augmentation))


def build_benchmark_task(params: Settings) -> ClassifierTask | SegmenterTask:
    return build_task(params, SHAPE, torch.full((CLASSES,), 0.5), seed=0, weights="bundled")


def many_rows(params: Training, steps: int) -> np.ndarray:
    return np.arange((WARM + 1 + steps) * params.batch_size) % PICTURES


if __name__ == "__main__":
    main()
