"""The record that a shard keeps of an image, and the figures of each class as every output shows them."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple, Self

import numpy as np

from nephoscope.data.formats import Format
from nephoscope.earth.grid import GEOGRAPHIC, Grid
from nephoscope.earth.scene import Place
from nephoscope.inference.result import Result
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.rules.presence import SURE


class Record(NamedTuple):
    """One image: its masks and figures, or its problem. Tuples follow the order of the classes."""

    address: str
    problem: str = ""
    """Why the image has no result; empty if it has one."""
    rles: tuple[str, ...] = ()
    """Masks, as the competition writes them."""
    areas: tuple[int, ...] = ()
    """Pixels in each mask."""
    presence: tuple[float, ...] = ()
    """Calibrated probability that the class is there."""
    confidence: tuple[float, ...] = ()
    """Probability that the decision on presence is right."""
    present: tuple[bool, ...] = ()
    """The decision on presence."""
    visible_share: float = 0.0
    """Share of the image that the satellite saw."""
    shape: Shape = (0, 0)
    """Of the masks: the output shape, or that of a larger scene. (0, 0) with a problem."""
    transform: tuple[float, ...] = ()
    """Of the masks' grid in longitude and latitude, as in `Grid`; empty without a place."""
    time: str = ""
    """When it was seen, in ISO 8601 (UTC); empty if that is not known."""
    scene: str = ""
    """Name of a scene; empty for an image, which is named as its file."""
    stamp: str = ""
    """Of the file when it was read, see `storage.stamp`; empty if that is not known."""

    @classmethod
    def from_result(cls, address: str, result: Result) -> Self:
        place, (height, width) = result.place, result.visible.shape
        return cls(
            address,
            rles=tuple(map(encode_rle, result.masks)),
            areas=tuple(np.count_nonzero(result.masks, axis=(1, 2)).tolist()),
            presence=tuple(result.presence.tolist()),
            confidence=tuple(result.confidence.tolist()),
            present=tuple(result.present.tolist()),
            visible_share=float(result.visible.mean()),
            shape=(height, width),
            transform=place.grid.transform if place else (),
            time=str(place.time) if place and place.time is not None else "",
            scene=result.image_id if place else "",
        )

    @property
    def image_id(self) -> str:
        return self.scene or PurePosixPath(self.address).name

    @property
    def place(self) -> Place | None:
        """Where and when the masks were seen; None if that is not known."""
        if not self.transform:
            return None
        a, b, c, d, e, f = self.transform
        time = np.datetime64(self.time) if self.time else None
        return Place(Grid(GEOGRAPHIC, (a, b, c, d, e, f), self.shape), time)


@dataclass(frozen=True)
class ClassResult:
    """One class in one image, rounded to four digits."""

    class_name: str
    presence: float
    """Calibrated probability that the class is there."""
    present: bool
    """The decision. Rules maximise Dice and may reject a class that is likely there."""
    confidence: float
    """Probability that the decision is right."""
    unsure: bool
    """True where the confidence is below two thirds."""
    area_share: float
    """Share of the image that the mask covers."""
    rle: str
    """The mask at its shape."""


def class_results(record: Record, data_format: Format) -> list[ClassResult]:
    """A record without a problem → its classes in their order."""
    height, width = record.shape
    rows = zip(
        data_format.classes,
        record.presence,
        record.present,
        record.confidence,
        record.areas,
        record.rles,
        strict=True,
    )
    return [
        ClassResult(
            name,
            round(presence, 4),
            present,
            round(confidence, 4),
            confidence < SURE,
            round(area / (height * width), 4),
            rle,
        )
        for name, presence, present, confidence, area, rle in rows
    ]
