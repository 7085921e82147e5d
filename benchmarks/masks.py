"""RLE and the decision of one mask, against pycocotools' C, plain Python and scipy, on the same masks:

    python -m benchmarks.masks                       # 350×525 and 1400×2100
    python -m benchmarks.masks --cold --out masks.json

Medians of one thread; what is compared takes turns, so that a busy machine slows all of it alike, and every call comes
after an untimed one of its own, or with --cold after other memory filled the caches: what went before, such as a slow
Python loop, would favour whoever comes last. Every result is checked before it is timed.

pycocotools encodes from masks in Fortran's order: from ours it has to turn them first ("pycocotools"), as our own does
too; "pycocotools, turned" is spared that.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco
from scipy import ndimage
from tqdm import tqdm

from pipeline.masks.rle import Shape, decode_rle, encode_rle
from pipeline.masks.rule import Rule, decide

SHAPES = ((350, 525), (1400, 2100))
OURS = "ours"
ELSEWHERE = np.zeros(8_000_000)
"""64 MB, more than caches hold."""
RULE = Rule(presence_threshold=0.5, pixel_threshold=150, min_area=500)
Row = dict[str, Any]
Tasks = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for every row of the table, repeats included")
    parser.add_argument("--cold", action="store_true", help="with caches full of something else before every call")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    given = parser.parse_args()

    cv2.setNumThreads(1)
    rows = [
        {"task": task, "shape": list(shape), "mask": name, "microseconds": medians(tasks, given)}
        for shape in SHAPES
        for task, name, tasks in tqdm(list(comparisons(shape)), desc="×".join(map(str, shape)), unit="row")
    ]
    print(as_markdown(rows))
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def comparisons(shape: Shape) -> list[tuple[str, str, Tasks]]:
    """Task, kind of mask, and everybody's way to do it."""
    masks = draw_masks(shape)
    rle = [(name, encoding(mask), decoding(mask)) for name, mask in masks.items()]
    found = [("encode", name, tasks) for name, tasks, _ in rle] + [("decode", name, tasks) for name, _, tasks in rle]
    levels, visible = smooth_levels(shape), np.ones(shape, bool)
    visible[:, shape[1] // 4 : shape[1] // 3] = False  # a gap between two swaths
    return [*found, ("decide", "smooth", deciding(levels, visible))]


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
    assert (decide(1.0, levels, visible, RULE) == loop_decide(levels, visible)).all()
    return {
        OURS: lambda: decide(1.0, levels, visible, RULE),
        "scipy and a loop": lambda: loop_decide(levels, visible),
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


def loop_decide(levels: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """As it is usually written: label, then go through the components one by one."""
    labels, count = ndimage.label(np.where(visible, levels, 0) >= RULE.pixel_threshold, np.ones((3, 3)))
    decided = np.zeros(levels.shape, bool)
    for label in range(1, count + 1):
        component = labels == label
        if component.sum() >= RULE.min_area:
            decided |= component
    return decided


def draw_masks(shape: Shape) -> dict[str, np.ndarray]:
    rng, rectangles = np.random.default_rng(0), np.zeros(shape, bool)
    for top, left in rng.random((8, 2)) * 0.7 * shape:
        rectangles[int(top) : int(top) + shape[0] // 4, int(left) : int(left) + shape[1] // 4] = True
    return {
        "rectangles": rectangles,
        "smooth": smooth_levels(shape) >= RULE.pixel_threshold,
        "empty": np.zeros(shape, bool),
        "full": np.ones(shape, bool),
        "noise": rng.random(shape) < 0.5,
    }


def smooth_levels(shape: Shape) -> np.ndarray:
    """Hills, 100 down a column and 150 along a row."""
    hills = cv2.resize(np.random.default_rng(1).random((100, 150)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * hills, 0, 255).astype(np.uint8)


def medians(tasks: Tasks, given: argparse.Namespace) -> dict[str, float]:
    """Microseconds each, from as many rounds as the time allows, at least three."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    end = time.perf_counter() + given.seconds
    while len(times[OURS]) < 3 or time.perf_counter() < end:
        for name, task in tasks.items():
            if given.cold:
                np.add(ELSEWHERE, 1, out=ELSEWHERE)
            else:
                task()
            begin = time.perf_counter()
            task()
            times[name].append(1e6 * (time.perf_counter() - begin))
    return {name: statistics.median(each) for name, each in times.items()}


def as_markdown(rows: list[Row]) -> str:
    """One line per comparison; what others take is told in µs and as a multiple of ours."""
    lines = ["| task | shape | mask | ours, µs | others, µs (× ours) |", "|---|---|---|--:|---|"]
    for row in rows:
        others = dict(row["microseconds"])
        ours = others.pop(OURS)
        told = "; ".join(f"{name} {other:,.0f} (×{other / ours:.1f})" for name, other in others.items())
        lines.append(f"| {row['task']} | {'×'.join(map(str, row['shape']))} | {row['mask']} | {ours:,.0f} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
