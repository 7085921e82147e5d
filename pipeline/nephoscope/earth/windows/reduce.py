"""Scenes with larger pixels, and pixels of a window. Nothing here holds more than a window of a scene."""

import math
from dataclasses import replace

import numpy as np

from nephoscope.earth.scene import Scene
from nephoscope.earth.windows.plan import Plan
from nephoscope.masks.geometry import Image, resize_image, resize_mask
from nephoscope.masks.rle import Mask, Shape

MOST_PIXELS = 16_000_000
"""Pixels of the finer scene that are read at once, if a row is not longer."""
FINEST = 4
"""A window may have this many times more pixels a side than usual. A finer scene is reduced before."""


class ReducedScene(Scene):
    """Means over the pixels of a finer scene. A pixel was seen if at least half of its area was."""

    def __init__(self, scene: Scene, shape: Shape) -> None:
        self._scene = scene
        self.name, self.source, self.attributes = scene.name, scene.source, scene.attributes
        self.place = replace(scene.place, grid=scene.place.grid.resized(shape))

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        height, width = self.place.grid.shape
        first, last, _ = rows.indices(height)
        left, right, _ = columns.indices(width)
        image, seen = np.zeros((last - first, right - left, 3), np.uint8), np.zeros((last - first, right - left), bool)
        source = self._scene.place.grid.shape
        across = slice(_scaled(left, width, source[1]), _scaled(right, width, source[1]))
        pixels_per_row = (across.stop - across.start) * source[0] / height
        step = max(1, int(MOST_PIXELS / pixels_per_row))
        for begin in range(first, last, step):
            end = min(last, begin + step)
            down = slice(_scaled(begin, height, source[0]), _scaled(end, height, source[0]))
            part = slice(begin - first, end - first)
            image[part], seen[part] = _reduce(*self._scene.read(down, across), (end - begin, right - left))
        return image, seen

    def close(self) -> None:
        self._scene.close()


def limit_resolution(scene: Scene, ground_size: tuple[float, float], usual: Shape) -> Scene:
    """The scene, or its reduction if a window of it had more than four times as many pixels a side as usual."""
    shape = scene.place.grid.shape
    cells = scene.place.grid.cell_size
    ratios = [ground / cell / side for ground, cell, side in zip(ground_size, cells, usual, strict=True)]
    factors = [math.ceil(ratio / FINEST) for ratio in ratios]
    if max(factors) <= 1:
        return scene
    height, width = (max(1, round(side / factor)) for side, factor in zip(shape, factors, strict=True))
    return ReducedScene(scene, (height, width))


def read_overview(scene: Scene, shape: Shape) -> Image:
    """The whole scene at this shape, for display."""
    height, width = scene.place.grid.shape
    if height >= shape[0] and width >= shape[1]:
        return ReducedScene(scene, shape).read(slice(0, shape[0]), slice(0, shape[1]))[0]
    return resize_image(scene.read(slice(0, height), slice(0, width))[0], shape)


def read_window(scene: Scene, plan: Plan, row: int, column: int) -> tuple[Image, Mask]:
    """Pixels of a window, and which of them were seen. What exceeds the scene is black and unseen."""
    height, down = plan.rows.source_pieces(row)
    width, across = plan.columns.source_pieces(column)
    if down[0][0] == slice(0, height) and across[0][0] == slice(0, width):  # all of it lies in the scene
        return scene.read(down[0][1], across[0][1])
    image, seen = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    for rows_inside, rows in down:
        for columns_inside, columns in across:
            image[rows_inside, columns_inside], seen[rows_inside, columns_inside] = scene.read(rows, columns)
    return image, seen


def _scaled(position: int, size: int, other_size: int) -> int:
    return math.floor(position * other_size / size + 0.5)


def _reduce(image: Image, seen: Mask, shape: Shape) -> tuple[Image, Mask]:
    reduced = resize_image(image, shape)
    if seen.all():
        return reduced, np.ones(shape, bool)
    # Unseen pixels are black; divided by the share that was seen, they do not darken the mean.
    share = resize_image(np.repeat(seen[..., None] * np.uint8(255), 3, axis=2), shape)
    brighter = reduced / np.maximum(share, 1) * 255
    kept = resize_mask(seen, shape)
    return np.where(kept[..., None], np.minimum(np.round(brighter), 255), 0).astype(np.uint8), kept
