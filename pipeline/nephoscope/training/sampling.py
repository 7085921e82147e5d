"""The order of images: a pure function of seed and epoch, shared among processes and resumable."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed
from torch.utils.data import Sampler


class Draw(NamedTuple):
    """One image of one epoch. The seed fixes its augmentation, whichever process computes it."""

    row: int
    seed: int


class Shuffled(Sampler[Draw]):
    """Rows in a new order every epoch. With weights they are drawn with replacement, in proportion to their weight."""

    def __init__(self, rows: npt.NDArray[np.int64], seed: int, weights: Tensor | None = None) -> None:
        self.rows, self.seed, self.weights = rows, seed, weights
        self.epoch = 0
        self.skipped = 0
        """Number of draws of this epoch that a resumed run has used already."""

    def set_epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.skipped = epoch, 0

    def __iter__(self) -> Iterator[Draw]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = self._order(generator)
        seeds = torch.randint(2**31, (len(order),), generator=generator)
        rank, count = process()
        for index in range(rank + self.skipped * count, len(self) * count, count):
            yield Draw(int(self.rows[order[index]]), int(seeds[index]))

    def _order(self, generator: torch.Generator) -> Tensor:
        if self.weights is None:
            return torch.randperm(len(self.rows), generator=generator)
        return torch.multinomial(self.weights, len(self.rows), replacement=True, generator=generator)

    def __len__(self) -> int:
        """The same for every process; otherwise processes would wait forever for one with fewer batches."""
        return len(self.rows) // process()[1]


class InOrder(Sampler[Draw]):
    """Every row once, divided among the processes."""

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Draw]:
        rank, count = process()
        return (Draw(int(row), 0) for row in self.rows[rank::count])

    def __len__(self) -> int:
        rank, count = process()
        return len(self.rows[rank::count])


def balance(presence: npt.NDArray[np.bool_]) -> Tensor:
    """Presence (N×C) → weights (N) that draw every combination of classes equally often."""
    _, pattern, counts = np.unique(presence, axis=0, return_inverse=True, return_counts=True)
    return torch.from_numpy(1.0 / counts[pattern.reshape(-1)])


def process() -> tuple[int, int]:
    """Rank of this process, and the number of processes."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
