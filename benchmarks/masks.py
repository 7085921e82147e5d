"""RLE and the rule for one mask, against pycocotools, OpenCV, scipy and plain Python, on the same masks:

    python -m benchmarks.masks        # 350×525 and 1400×2100

Medians of one thread; every result is checked first. pycocotools needs masks in Fortran order. "pycocotools" includes
the conversion, as ours does; "pycocotools, turned" does not.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco
from scipy import ndimage

from benchmarks.table import OURS, Row, medians, one_thread, print_rows, rows_against
from nephoscope.masks.rle import Shape, decode_rle, encode_rle
from nephoscope.rules.decide import decide
from nephoscope.rules.rules import Rule

SHAPES = ((350, 525), (1400, 2100))
RULE = Rule(presence_threshold=0.5, pixel_threshold=150, min_area=500)
Tasks = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for every comparison, repeats included")
    print_rows(measure(parser.parse_args().seconds))


def measure(seconds: float = 1.0) -> list[Row]:
    with one_thread():
        return [
            row
            for shape in SHAPES
            for step, mask, tasks in comparisons(shape)
            for row in rows_against(
                step, f"{shape[0]}×{shape[1]} {mask}", medians(tasks, seconds), scale=1e6, unit="µs"
            )
        ]


def comparisons(shape: Shape) -> Iterator[tuple[str, str, Tasks]]:
    """(step, kind of mask, the ways to do it)"""
    masks = draw_masks(shape)
    for name, mask in masks.items():
        yield "RLE encode", name, encoding(mask)
    for name, mask in masks.items():
        yield "RLE decode", name, decoding(mask)
    levels, visible = draw_levels(shape, hills=30), np.ones(shape, bool)
    visible[:, shape[1] // 4 : shape[1] // 3] = False  # a gap between two swaths
    yield "components and rule", "clouds", deciding(levels, visible)


def encoding(mask: np.ndarray) -> Tasks:
    turned = np.asfortranarray(mask.astype(np.uint8))
    assert encode_rle(mask) == loop_encode(mask)
    return {
        OURS: lambda: encode_rle(mask),
        "pycocotools": lambda: coco.encode(np.asfortranarray(mask.astype(np.uint8))),
        "pycocotools, turned": lambda: coco.encode(turned),
        "Python loop": lambda: loop_encode(mask),
    }


def decoding(mask: np.ndarray) -> Tasks:
    text, compressed = encode_rle(mask), coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    for decoded in (decode_rle(text, mask.shape), coco.decode(compressed), loop_decode(text, mask.shape)):
        assert (decoded == mask).all()
    return {
        OURS: lambda: decode_rle(text, mask.shape),
        "pycocotools": lambda: coco.decode(compressed),
        "Python loop": lambda: loop_decode(text, mask.shape),
    }


def deciding(levels: np.ndarray, visible: np.ndarray) -> Tasks:
    for other in (table_decide, loop_decide):
        assert (decide(1.0, levels, visible, RULE) == other(1.0, np.where(visible, levels, 0), RULE)).all()
    return {
        OURS: lambda: decide(1.0, levels, visible, RULE),
        "OpenCV and a table": lambda: table_decide(1.0, np.where(visible, levels, 0), RULE),
        "scipy and a loop": lambda: loop_decide(1.0, np.where(visible, levels, 0), RULE),
    }


def loop_encode(mask: np.ndarray) -> str:
    runs, previous = [], False
    for place, pixel in enumerate([*mask.ravel(order="F").tolist(), False], 1):
        if pixel and not previous:
            start = place
        elif previous and not pixel:
            runs.append(f"{start} {place - start}")
        previous = pixel
    return " ".join(runs)


def loop_decode(text: str, shape: Shape) -> np.ndarray:
    mask, numbers = np.zeros(shape[0] * shape[1], bool), list(map(int, text.split()))
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        mask[start - 1 : start - 1 + length] = True
    return np.ascontiguousarray(mask.reshape(shape, order="F"))


def table_decide(presence: float, levels: np.ndarray, rule: Rule) -> np.ndarray:
    """Without a loop: OpenCV labels and measures the components; a lookup table keeps the large ones."""
    if presence < rule.presence_threshold:
        return np.zeros(levels.shape, bool)
    mask = (levels >= rule.pixel_threshold).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    large = stats[:, cv2.CC_STAT_AREA] >= rule.min_area
    large[0] = False
    return np.asarray(large[labels])


def loop_decide(presence: float, levels: np.ndarray, rule: Rule) -> np.ndarray:
    """The usual way: label, then loop over the components. Levels are 0 where invisible."""
    decided = np.zeros(levels.shape, bool)
    if presence < rule.presence_threshold:
        return decided
    labels, count = ndimage.label(levels >= rule.pixel_threshold, np.ones((3, 3)))
    for label in range(1, count + 1):
        component = labels == label
        if component.sum() >= rule.min_area:
            decided |= component
    return decided


def draw_masks(shape: Shape) -> dict[str, np.ndarray]:
    rng, rectangles = np.random.default_rng(0), np.zeros(shape, bool)
    for top, left in rng.random((8, 2)) * 0.7 * shape:
        rectangles[int(top) : int(top) + shape[0] // 4, int(left) : int(left) + shape[1] // 4] = True
    return {
        "boxes": rectangles,
        "clouds": draw_levels(shape, hills=30) >= RULE.pixel_threshold,
        "grain": draw_levels(shape, hills=100) >= RULE.pixel_threshold,
        "noise": rng.random(shape) < 0.5,
    }


def draw_levels(shape: Shape, hills: int) -> np.ndarray:
    """Smooth hills; `hills` is their number per column."""
    heights = np.random.default_rng(1).random((hills, hills * 3 // 2))
    smooth = cv2.resize(heights, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * smooth, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
