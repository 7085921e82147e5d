"""Scenes in memory, and an ensemble without networks whose maps can be computed by hand."""

from collections.abc import Mapping

import cv2
import numpy as np

from nephoscope.data.manifest import Metadata
from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.scene import Place, Scene
from nephoscope.inference.ensemble import Ensemble
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules

CLASSES = ("a", "b")
CACHE_SHAPE = OUTPUT_SHAPE = (28, 42)
"""Cells of half a degree."""
PIXELS = 4
"""Pixels per degree."""
METADATA = Metadata("clouds", CLASSES, (56, 84), OUTPUT_SHAPE, CACHE_SHAPE)


class ArrayScene(Scene):
    """An image in memory. `reads` notes which windows were read."""

    def __init__(self, image: Image, bounds: Bounds, seen: Mask | None = None) -> None:
        self.image, self.name, self.source = image, "scene", "an array"
        self.seen = np.ones(image.shape[:2], bool) if seen is None else seen
        self.place = Place(Grid.from_bounds(bounds, image.shape[:2]), np.datetime64("2020-01-20T14:00:00"))
        self.attributes: Mapping[str, str] = {}
        self.reads: list[tuple[slice, slice]] = []

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        height, width = self.image.shape[:2]
        assert 0 <= rows.start < rows.stop <= height
        assert 0 <= columns.start < columns.stop <= width
        self.reads.append((rows, columns))
        seen = self.seen[rows, columns]
        return np.where(seen[..., None], self.image[rows, columns], 0).astype(np.uint8), seen


class ContextEngine:
    """Probabilities are red and green, both mixed with the mean of the image, so that they depend on the window."""

    def __init__(self, *, maps: bool, context: float = 0.3) -> None:
        self.input_shape, self.maps, self.context = CACHE_SHAPE, maps, context
        self.images: list[Image] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.images += list(images)
        colours = images[..., :2].astype(np.float32).transpose(0, 3, 1, 2) / 255
        means = colours.mean(axis=(2, 3), keepdims=True)
        mixed = (1 - self.context) * colours + self.context * means
        return np.asarray(mixed if self.maps else means[:, :, 0, 0], np.float32)


def stand_in(context: float = 0.3) -> Ensemble:
    engines = [ContextEngine(maps=maps, context=context) for maps in (False, True)]
    return Ensemble(METADATA, engines[:1], engines[1:], InferenceSettings())


def scene_rules(min_area: int = 10, **changes: object) -> Rules:
    """Rules of which every part matters for the scenes of `draw_clouds`."""
    rules = tuple(
        Rule(presence_threshold=threshold, pixel_threshold=level, min_area=min_area)
        for threshold, level in ((0.4, 130), (0.45, 150))
    )
    content = {
        "classes": CLASSES,
        "output_shape": OUTPUT_SHAPE,
        "inference_settings": InferenceSettings(),
        "classifier_weight": 0.5,
        "classifier_calibrations": (Calibration(slope=1.5), Calibration(intercept=0.2)),
        "top_fraction_calibrations": (Calibration(slope=0.8), Calibration(intercept=-0.5)),
        "presence_calibrations": (Calibration(slope=1.2), Calibration()),
        "adaptive_power": 0.5,
        "rules": rules,
    }
    return Rules.model_validate(content | changes)


def draw_clouds(height: float, width: float, *, seed: int = 0, pixels: int = PIXELS) -> Image:
    """Smooth bright spots over these degrees, different in every region, nowhere black."""
    rng = np.random.default_rng(seed)
    shape: Shape = round(height * pixels), round(width * pixels)
    image = np.zeros((*shape, 3), np.float32)
    for cells in (7, 3, 1):
        coarse = rng.random((max(2, int(height / cells)), max(2, int(width / cells)), 3), np.float32)
        image += cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(30 + 75 * image, 30, 255).astype(np.uint8)
