"""Land and sea: a mask of the Earth at 0.05°, which is part of the package.

It comes from NOAA's GLOBE elevations; `docs/land_mask.py` writes it and names the sources. Lakes count as land.
"""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

LAND_FILE = Path(__file__).with_name("land.png")
"""3600×7200 cells of one bit, white where there is land; the first cell lies at 90° N, 180° W."""
CELLS_PER_DEGREE = 20


def land_at(latitude: npt.ArrayLike, longitude: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Degrees that broadcast against each other → True on land. Longitudes may have any origin.

    >>> land_at(13.2, -59.55), land_at(13.2, 360 - 58.0)  # Barbados, and the sea east of it
    (array(True), array(False))
    """
    cells = read_land()
    rows = np.floor((90 - np.asarray(latitude, float)) * CELLS_PER_DEGREE).astype(int).clip(0, len(cells) - 1)
    columns = np.floor((np.asarray(longitude, float) + 180) * CELLS_PER_DEGREE).astype(int) % cells.shape[1]
    return np.asarray(cells[rows, columns])


@cache
def read_land() -> npt.NDArray[np.bool_]:
    """The whole mask (3600×7200), from north to south and from 180° W to 180° E."""
    content = np.frombuffer(LAND_FILE.read_bytes(), np.uint8)
    cells = np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)) > 0
    cells.flags.writeable = False
    return cells
