"""Boxes as maps: a table with the columns Date, label, lon1, lon2, lat1, lat2, as Rasp et al. (2020) published them."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.batch.occurrence.cells import Axes, Floats
from nephoscope.errors import UserError

SIDES = ("lon1", "lon2", "lat1", "lat2")
COLUMNS = ("Date", "label", *SIDES)
STEP = 0.25
"""Degrees of a pixel. A pixel belongs to a box that holds its centre."""
MAX_BYTES = 500_000_000


@dataclass(frozen=True)
class BoxTable:
    """A map per day of the table. Everything counts as seen; a day without any box is no day."""

    path: Path
    boxes: pd.DataFrame
    step: float = STEP
    has_land: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.path)

    @classmethod
    def read_csv(cls, path: Path) -> "BoxTable":
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path} is larger than {MAX_BYTES / 1e6:.0f} MB; split the table")
        try:
            boxes = pd.read_csv(path, usecols=list(COLUMNS))
            boxes["Date"] = pd.to_datetime(boxes["Date"]).dt.normalize()
            boxes[list(SIDES)] = boxes[list(SIDES)].astype(float)
        except (ValueError, TypeError) as error:
            expected = ", ".join(COLUMNS)
            raise UserError(f"{path}: no table of boxes: {error}; expected the columns {expected}") from None
        if boxes.isna().any(axis=None) or boxes.empty:
            raise UserError(f"{path}: {int(boxes.isna().any(axis=1).sum())} of {len(boxes)} boxes lack a value")
        return cls(path, boxes)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        return tuple(sorted(map(str, self.boxes["label"].unique())))

    @cached_property
    def days(self) -> dict[np.datetime64, pd.DataFrame]:
        grouped = self.boxes.groupby("Date")
        return {np.datetime64(pd.Timestamp(str(day)), "s"): table for day, table in grouped}

    @property
    def times(self) -> list[np.datetime64]:
        return list(self.days)

    @cached_property
    def axes(self) -> Axes:
        """The whole degrees around all boxes."""
        north, south = np.ceil(self._extreme("lat", "max")), np.floor(self._extreme("lat", "min"))
        west, east = np.floor(self._extreme("lon", "min")), np.ceil(self._extreme("lon", "max"))
        latitude = np.arange(round((north - south) / self.step))
        longitude = np.arange(round((east - west) / self.step))
        top, left = north - self.step * latitude, west + self.step * longitude
        return Axes(np.stack([top - self.step, top], 1), np.stack([left, left + self.step], 1))

    def _extreme(self, axis: str, side: str) -> float:
        return float(self.boxes[[f"{axis}1", f"{axis}2"]].agg(side).agg(side))

    def read(self, number: int, rows: slice) -> tuple[npt.NDArray[np.float32], None]:
        latitude, longitude = self.axes.latitude[rows].mean(1), self.axes.longitude.mean(1)
        masks = np.zeros((len(self.patterns), len(latitude), len(longitude)), np.float32)
        day = self.days[self.times[number]]
        for label, (west, east, north, south) in zip(day["label"], day[list(SIDES)].to_numpy(float), strict=True):
            inside = _between(-latitude, -north, -south), _between(longitude, west, east)
            masks[self.patterns.index(str(label)), inside[0], inside[1]] = 1
        return masks, None


def _between(centres: Floats, one: float, other: float) -> slice:
    """Rising centres → those from one edge of a box to the other."""
    low, high = min(one, other), max(one, other)
    return slice(int(centres.searchsorted(low)), int(centres.searchsorted(high, "right")))
