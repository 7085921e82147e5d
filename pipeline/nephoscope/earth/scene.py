"""A scene: an image of any size whose place is known, read window by window."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nephoscope.earth.grid import Grid
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask


@dataclass(frozen=True)
class Place:
    """Where and when an array was seen. The grid is regular: longitude and latitude, north up."""

    grid: Grid
    time: np.datetime64 | None = None
    """UTC, in seconds."""
    source_grid: Grid | None = None
    """The grid of the source, if it is another one than longitude and latitude. GeoTIFFs are written on it."""
    source_cell: float = 0.01
    """Height of a source pixel in degrees: the grain that was seen."""
    sensor: str = ""
    """Such as "MODIS Aqua"; empty if it is not known."""


class Scene(ABC):
    """An image with a place. Subclasses read their own kind of source; none of them holds a large scene in memory."""

    name: str
    """image_id of the results, such as the file name."""
    place: Place
    """`place.grid.shape` is the shape of the scene in pixels."""
    source: str
    """Address, or a description of an array in memory."""
    attributes: Mapping[str, str]
    """What the source says of itself (global attributes, tags)."""

    @abstractmethod
    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        """A window within the scene → pixels (h×w×3 uint8, RGB; 0 where nothing was seen) and the pixels seen (h×w).

        Thread-safe.
        """

    def close(self) -> None:  # noqa: B027  (most scenes have nothing to release)
        """Release files."""
