"""Maps of patterns in files, as `predict` writes them, with masks that a test chooses."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Bounds
from nephoscope.earth.writing.netcdf import write_netcdf
from tests.builders.earth_results import make_place, make_result

SEA: Bounds = (-50, 10, -40, 20)
"""Four by four cells of 2.5°, without land."""


def write_map(
    path: Path,
    time: str,
    masks: npt.NDArray[np.bool_],
    visible: npt.NDArray[np.bool_] | None = None,
    bounds: Bounds = SEA,
    sensor: str = "MODIS Aqua",
    **changes: Any,
) -> Path:
    """Masks (4×H×W) of one overpass → a NetCDF file."""
    shape: tuple[int, int] = masks.shape[1:]  # type: ignore[assignment]
    seen = np.ones(shape, bool) if visible is None else visible
    place = make_place(bounds, shape, time=np.datetime64(time, "s"), sensor=sensor)
    result = make_result(place, shape, masks=masks & seen, visible=seen, **changes)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_netcdf(result.to_xarray(), path)
    return path


def draw_masks(seed: int, shape: tuple[int, int] = (40, 40), share: float = 0.4) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random((4, *shape)) < share
