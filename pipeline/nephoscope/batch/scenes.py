"""Scenes of a batch: which addresses are scenes, and their prediction. A file of several times is several scenes."""

from collections.abc import Iterable, Iterator
from itertools import islice

from nephoscope.batch.maps import MapOptions
from nephoscope.earth.reading.open import DATASETS, is_scene, open_scenes
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result
from nephoscope.inference.scenes import predict_scene
from nephoscope.rules.rules import Rules

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
    return predict_scene(model, rules, _open(address, options), overlap=options.overlap)


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
