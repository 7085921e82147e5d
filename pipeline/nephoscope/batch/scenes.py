"""Scenes of a batch: which addresses are scenes, and their prediction. A file of several times is several scenes."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath

from nephoscope.batch.maps import MapOptions
from nephoscope.data.manifest import Metadata
from nephoscope.earth.reading.open import DATASETS, is_scene, open_scenes
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result
from nephoscope.inference.scenes import predict_scene
from nephoscope.rules.rules import Rules

LOGGER = logging.getLogger(__name__)
TIME_MARK = "#time="
"""Between the address of a file and the number of one of its times."""


def is_scene_address(address: str, options: MapOptions) -> bool:
    return is_scene(split_time(address)[0], options.bounds)


def split_time(address: str) -> tuple[str, int]:
    """An address → that of the file, and the number of the time.

    >>> split_time("maps.nc#time=3")
    ('maps.nc', 3)
    """
    file, mark, number = address.rpartition(TIME_MARK)
    return (file, int(number)) if mark and number.isdecimal() else (address, 0)


def expand_times(addresses: Iterable[str]) -> Iterator[str]:
    """Addresses → addresses; a NetCDF file or Zarr store of several times becomes one address for each of them."""
    for address in addresses:
        count = _count_times(address) if address.rstrip("/").lower().endswith(DATASETS) else 1
        yield from [address] if count == 1 else [f"{address}{TIME_MARK}{number}" for number in range(count)]


def _count_times(address: str) -> int:
    try:
        scenes = list(open_scenes(address))
    except (UserError, OSError):  # its problem is noted when it is read
        return 1
    for scene in scenes:
        scene.close()
    return max(1, len(scenes))


def predict_address(model: Ensemble, rules: Rules, address: str, options: MapOptions) -> Result:
    """Open one scene, and predict it. Its file stays open while the result is in use, for overlays."""
    scene = _open(address, options)
    warn_of_grain(PurePosixPath(address).name, scene, model.metadata)
    return predict_scene(model, rules, scene, overlap=options.overlap)


def warn_of_grain(image_id: str, scene: Scene, metadata: Metadata) -> None:
    """Log a warning if the pixels of a scene are coarser than those that the networks read.

    The map has a flag, too, but the summary shows only numbers.
    """
    if scene.place is None or metadata.ground_size is None:
        return
    found, read = scene.place.source_cell, metadata.ground_size[0] / metadata.cache_shape[0]
    if found > read:
        text = "%s: its pixels are %.3g° high; the networks read pixels of %.3g°, and results mean little"
        LOGGER.warning(text, image_id, found, read)


def _open(address: str, options: MapOptions) -> Scene:
    file, number = split_time(address)
    scenes = open_scenes(file, bounds=options.bounds, time=options.time)
    for earlier in islice(scenes, number):
        earlier.close()
    scene = next(scenes, None)
    if scene is None:
        raise UserError("has no place")
    for later in scenes:
        later.close()
    return scene
