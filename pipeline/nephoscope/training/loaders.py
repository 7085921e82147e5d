"""Data loading: from the cache to batches of tensors."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nephoscope.data.cache import Cache
from nephoscope.data.images import fit_image
from nephoscope.masks.geometry import from_planes, resize_mask, to_planes
from nephoscope.masks.rle import Shape
from nephoscope.models.devices import resolve_workers
from nephoscope.settings.training import Training
from nephoscope.training.augmentation import Arrays, Augment, Sample, cut_and_mix, draw_box
from nephoscope.training.sampling import Draw, InOrder, Shuffled, balance


class Batch(NamedTuple):
    images: Tensor
    """N×3×H×W uint8, channels last in memory"""
    planes: Tensor
    """N×H×W uint8 or int32; bit c is class c"""
    visible: Tensor
    """N×H×W bool"""
    presence: Tensor
    """N×C float, 0 to 1"""


class CachedImages(Dataset[tuple[Sample, npt.NDArray[np.bool_], int]]):
    """Samples of the cache at the input shape of the network."""

    def __init__(
        self, folder: Path, presence: npt.NDArray[np.bool_], shape: Shape, augment: Augment | None = None
    ) -> None:
        self.folder, self.presence, self.shape, self.augment = folder, presence, shape, augment
        self._cache: Cache | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Every process maps the files itself; pickling the arrays would copy the whole cache.
        return {**self.__dict__, "_cache": None}

    def __getitem__(self, draw: Draw) -> tuple[Sample, npt.NDArray[np.bool_], int]:
        sample = self.read(draw.row)
        if self.augment is not None:
            sample = self.augment(sample, draw.seed)
        return sample, self.presence[draw.row], draw.seed

    def read(self, row: int) -> Sample:
        """A sample of the cache at the input shape, not augmented."""
        if self._cache is None:
            self._cache = Cache.open(self.folder)
        cached = Sample(self._cache.images[row], self._cache.truth[row], self._cache.visible[row])
        return resize_sample(cached, self.shape)


class Collate:
    """Samples → batch, with CutMix in a share of the batches."""

    def __init__(self, cutmix: float = 0.0) -> None:
        self.cutmix = cutmix

    def __call__(self, drawn: Sequence[tuple[Sample, npt.NDArray[np.bool_], int]]) -> Batch:
        samples, presence, seeds = zip(*drawn, strict=True)
        images, planes, visible = (np.stack(arrays) for arrays in zip(*samples, strict=True))
        arrays = Arrays(images, planes, visible, np.stack(presence).astype(np.float32))
        # Not the seed alone: the first image was augmented with it.
        random = np.random.default_rng([seeds[0], len(seeds)])
        if random.random() < self.cutmix:
            arrays = cut_and_mix(arrays, draw_box((planes.shape[1], planes.shape[2]), random))
        batch = Batch(*(torch.from_numpy(array) for array in arrays))
        return batch._replace(images=batch.images.permute(0, 3, 1, 2))


class ResumableLoader(DataLoader[Any]):
    """A loader that resumes in the middle of an epoch. Lightning saves its state in checkpoints."""

    sampler: Shuffled
    served = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        self.served = self.sampler.skipped // (self.batch_size or 1)
        for batch in super().__iter__():
            self.served += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.epoch, "served": self.served}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.sampler.set_epoch(state["epoch"])
        self.sampler.skipped = state["served"] * (self.batch_size or 1)


def make_train_loader(
    images: CachedImages, rows: npt.NDArray[np.int64], params: Training, seed: int
) -> ResumableLoader:
    weights = balance(images.presence[rows]) if params.sampling == "balanced" else None
    sampler = Shuffled(rows, seed, weights)
    # The last, smaller batch is dropped: batch norm cannot use a batch of one image.
    return ResumableLoader(
        images,
        params.batch_size,
        sampler=sampler,
        collate_fn=Collate(params.augmentation.cutmix),
        drop_last=len(sampler) >= params.batch_size,
        **_loader_options(params),
    )


def make_validation_loader(images: CachedImages, rows: npt.NDArray[np.int64], params: Training) -> DataLoader[Any]:
    return DataLoader(images, params.batch_size, sampler=InOrder(rows), collate_fn=Collate(), **_loader_options(params))


def resize_sample(sample: Sample, shape: Shape) -> Sample:
    """The sample at this shape; the image as networks see it."""
    if sample.planes.shape == tuple(shape):
        return sample
    masks = from_planes(sample.planes, 8 * sample.planes.itemsize)
    planes = to_planes(np.stack([resize_mask(mask, shape) if mask.any() else np.zeros(shape, bool) for mask in masks]))
    return Sample(fit_image(sample.image, shape), planes, resize_mask(sample.visible, shape))


def _loader_options(params: Training) -> dict[str, Any]:
    workers = resolve_workers(params.machine)
    return {
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": torch.cuda.is_available() and params.machine.accelerator != "cpu",
    }
