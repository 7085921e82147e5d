"""Truth at the output shape: the annotated masks as RLE, decoded on demand."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.manifest import Metadata
from nephoscope.files import atomic_write
from nephoscope.masks.rle import Shape, decode_rle

COLUMNS = ["image_id", "class_name", "rle"]


@dataclass(frozen=True)
class Truth:
    classes: tuple[str, ...]
    output_shape: Shape
    rles: dict[tuple[str, str], str]
    """(image_id, class_name) → RLE; empty masks are left out."""

    def masks(self, image_id: str) -> npt.NDArray[np.bool_]:
        """The masks of an image (C×H×W) at the output shape."""
        rles = (self.rles.get((image_id, name), "") for name in self.classes)
        return np.stack([decode_rle(rle, self.output_shape) for rle in rles])

    @classmethod
    def load(cls, path: Path, metadata: Metadata) -> Self:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        keys = zip(table["image_id"], table["class_name"], strict=True)
        return cls(metadata.classes, metadata.output_shape, dict(zip(keys, table["rle"], strict=True)))


def write_truth(rows: Iterable[tuple[str, str, str]], path: Path) -> None:
    """Write rows of (image_id, class_name, RLE at the output shape) as a table."""
    with atomic_write(path) as unfinished:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(unfinished, index=False)
