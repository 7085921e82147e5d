"""Results of images with a place, without networks."""

from typing import Any

import numpy as np

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.scene import Place
from nephoscope.inference.result import Result
from nephoscope.provenance import Provenance

ATLANTIC: Bounds = (-61, 10, -40, 24)
CLASSES = ("Fish", "Flower", "Gravel", "Sugar")
JANUARY = np.datetime64("2020-01-15T13:30:00", "s")
PROVENANCE = Provenance(
    model="a" * 64,
    rules="b" * 64,
    engines={"classifier-seed0": "onnx fp32", "segmenter-seed0": "openvino bf16"},
    version="0.1.0",
    command="nephoscope predict a.jpg --out maps",
    source="a.jpg",
    source_sha256="c" * 64,
)


def make_place(bounds: Bounds = ATLANTIC, shape: tuple[int, int] = (1400, 2100), **changes: Any) -> Place:
    return Place(Grid.from_bounds(bounds, shape), **{"time": JANUARY, "sensor": "MODIS Aqua"} | changes)


def make_result(place: Place | None, shape: tuple[int, int] = (70, 105), seed: int = 0, **changes: Any) -> Result:
    """Blobs of noise as levels, masks above level 150, and a strip that was not seen."""
    rng = np.random.default_rng(seed)
    visible = np.ones(shape, bool)
    visible[:, shape[1] // 5 : shape[1] // 4] = False
    levels = rng.integers(0, 256, (len(CLASSES), *shape), dtype=np.uint8)
    levels[:, : shape[0] // 2] //= 2
    levels[:, ~visible] = 0
    figures = {
        "presence": np.array([0.9, 0.5, 0.25, 0.75]),
        "present": np.array([True, True, False, True]),
        "confidence": np.array([0.9, 0.5, 0.75, 0.75]),
    }
    arrays = {"levels": levels, "visible": visible, "masks": (levels > 150) & figures["present"][:, None, None]}
    return Result("a.jpg", CLASSES, place=place, **figures | arrays | {"provenance": PROVENANCE} | changes)
