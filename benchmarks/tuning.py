"""The exact tuner against the usual loop: threshold, label, loop over components, Dice, for every cell of the grid.

Every timing runs in a new process. Maps are synthetic (smooth fields at the output shape, half of the truths empty), or
the validation maps of a finished run:

    python -m benchmarks.tuning                             # 546 pictures × 4 classes at 350×525
    python -m benchmarks.tuning --artifacts artifacts       # the validation maps of a run
    python -m benchmarks.tuning --growth                    # also half and twice the pictures, twice the pixels
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.robustness import open_labelled, tune_all
from benchmarks.table import Row, alone, peak_gib
from nephoscope.artifacts import Artifacts
from nephoscope.data.truth import Truth
from nephoscope.evaluation.labelled import LabelledImage, LabelledSplit
from nephoscope.evaluation.store import Prediction, ProbabilityStore, atomic_store
from nephoscope.masks.dice import dice
from nephoscope.masks.rle import Shape, encode_rle
from nephoscope.masks.spans import find_spans
from nephoscope.rules.presence import top_fraction_mean
from nephoscope.rules.rules import InferenceSettings
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.evidence import gather
from nephoscope.tuning.families import make_grid
from nephoscope.tuning.gains import gains_of_cell
from nephoscope.tuning.tune import tune

CLASSES = ("Fish", "Flower", "Gravel", "Sugar")
SAMPLED_CELLS = 40
SAMPLED_PICTURES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, help="of a finished run, instead of drawn maps")
    parser.add_argument("--pictures", type=int, default=546)
    parser.add_argument("--shape", type=int, nargs=2, default=[350, 525], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--growth", action="store_true", help="how time and memory grow with pictures and pixels")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    arguments = parser.parse_args()

    height, width = arguments.shape
    sizes = [(arguments.pictures, (height, width))]
    if arguments.growth:
        sizes += [(arguments.pictures // 2, (height, width)), (2 * arguments.pictures, (height, width))]
        sizes += [(arguments.pictures, (round(height * 2**0.5), round(width * 2**0.5)))]
    with tempfile.TemporaryDirectory() as folder:
        figures = [measure(arguments.artifacts, Path(folder), *size) for size in sizes]
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def measure_drawn(pictures: int = 136) -> list[Row]:
    """Rows for the table of all benchmarks, from a quarter of the images."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(None, Path(folder), pictures, (350, 525))
    search, loop = figures["joint search"], figures["usual loop"]
    ours, theirs = (1e6 * way["seconds per map and cell"] for way in (search, loop))
    note = f"{search['seconds']:.1f} s for {pictures} pictures, {search['peak GiB']:.2f} GiB; every Dice equal"
    return [Row("tuning, per map and cell", "joint search, drawn maps", "µs", ours, "the usual loop", theirs, note)]


def measure(artifacts: Path | None, folder: Path, pictures: int, shape: Shape) -> dict[str, Any]:
    opening = (open_run, artifacts) if artifacts else (open_drawn, draw(folder, pictures, shape))
    alone(search_once, *opening)  # compiles
    figures: dict[str, Any] = {
        "pictures": pictures,
        "shape": list(shape),
        "joint search": alone(search_once, *opening),
        "whole tuning": alone(tune_once, *opening),
        "usual loop": alone(loop_over_sample, *opening),
    }
    search, loop = figures["joint search"], figures["usual loop"]
    figures["ratio per cell"] = loop["seconds per map and cell"] / search["seconds per map and cell"]
    print(json.dumps(figures, indent=2))
    return figures


def open_run(artifacts: Path) -> LabelledSplit:
    return open_labelled(Artifacts(artifacts), "validation")


def open_drawn(folder: Path) -> LabelledSplit:
    rles = json.loads((folder / "truth.json").read_text("utf-8"))
    store = ProbabilityStore.open(folder / "validation.zarr.zip")
    truth = {(image_id, name): rle for image_id, masks in rles.items() for name, rle in masks.items() if rle}
    height, width = store[0].levels.shape[1:]
    return LabelledSplit(store, Truth(CLASSES, (height, width), truth))


def search_once(opening: Callable[[Any], LabelledSplit], source: Any) -> dict[str, float]:
    """Every class: all pixel thresholds × all areas × all presence thresholds, jointly."""
    labelled, settings = opening(source), Tune()
    grid = make_grid("presence", settings.pixel_thresholds, settings.min_areas)
    begin = time.perf_counter()
    evidence = gather(labelled)
    gathered = time.perf_counter()
    tune_all(evidence, grid, 0.5)
    seconds = time.perf_counter() - begin
    cells = len(labelled) * len(labelled.classes) * len(grid.pixel_thresholds) * len(grid.min_areas)
    return {
        "seconds": seconds,
        "of which reading and spans": gathered - begin,
        "peak GiB": peak_gib(),
        "seconds per map and cell": seconds / cells,
    }


def tune_once(opening: Callable[[Any], LabelledSplit], source: Any) -> dict[str, float]:
    """With families, fusion, cross-fitting and bootstrap."""
    labelled = opening(source)
    begin = time.perf_counter()
    tune(labelled.store, labelled.truth)
    return {"seconds": time.perf_counter() - begin, "peak GiB": peak_gib()}


def loop_over_sample(opening: Callable[[Any], LabelledSplit], source: Any) -> dict[str, float]:
    """The usual loop on sampled cells and images; every Dice is checked against the tuner's."""
    labelled, settings, rng = opening(source), Tune(), np.random.default_rng(0)
    images = [labelled[int(index)] for index in rng.choice(len(labelled), SAMPLED_PICTURES, replace=False)]
    areas = np.array(settings.min_areas)
    cells = [(int(rng.integers(1, 256)), int(rng.choice(areas))) for _ in range(SAMPLED_CELLS)]
    seconds, count = 0.0, 0
    for image in tqdm(images, desc="usual loop", unit="image"):
        for index, (threshold, area) in ((c, cell) for c in range(len(labelled.classes)) for cell in cells):
            levels, truth = np.where(image.visible, image.levels[index], np.uint8(0)), image.truth[index]
            begin = time.perf_counter()
            usual = usual_dice(levels, truth, threshold, area)
            seconds, count = seconds + time.perf_counter() - begin, count + 1
            assert abs(usual - exact_dice(image, index, threshold, area)) < 1e-12
    return {"seconds": seconds, "cells compared": count, "seconds per map and cell": seconds / count}


def usual_dice(levels: np.ndarray, truth: np.ndarray, threshold: int, min_area: int) -> float:
    count, labels = cv2.connectedComponents((levels >= threshold).astype(np.uint8), connectivity=8)
    predicted = np.zeros(levels.shape, bool)
    for label in range(1, count):
        component = labels == label
        if component.sum() >= min_area:
            predicted[component] = True
    return dice(truth, predicted)


def exact_dice(image: LabelledImage, index: int, threshold: int, min_area: int) -> float:
    """The Dice that the tuner computes."""
    levels, truth = np.where(image.visible, image.levels[index], np.uint8(0)), image.truth[index]
    spans = find_spans(levels, truth)
    gains = gains_of_cell(spans, np.array([0, len(spans)]), np.array([truth.sum()]), threshold, min_area)
    return float(gains[0] + (not truth.any()))


def draw(folder: Path, pictures: int, shape: Shape) -> Path:
    """Write smooth fields as maps, with a fixed seed. The truth is a mixture of the map and another field."""
    place = folder / f"{pictures}-{shape[0]}"
    rng, rles = np.random.default_rng(0), {}
    image_ids = [f"{index:05d}" for index in range(pictures)]
    inference_settings = InferenceSettings()
    with atomic_store(place / "validation.zarr.zip", image_ids, CLASSES, shape, inference_settings) as writer:
        for index, image_id in enumerate(tqdm(image_ids, desc="drawing", unit="image")):
            fields = np.stack([smooth_field(rng, shape) for _ in CLASSES])
            present = rng.random(len(CLASSES)) < 0.5
            truths = (0.7 * fields + 0.3 * np.stack([smooth_field(rng, shape) for _ in CLASSES])) > 0.6
            truths &= present[:, None, None]
            levels = np.round(255 * fields * (0.5 + 0.5 * present[:, None, None])).astype(np.uint8)
            visible = np.ones(shape, bool)
            scores = np.clip(0.3 + 0.4 * present + rng.normal(0, 0.2, len(CLASSES)), 0, 1)
            writer.write(index, Prediction(levels, visible, scores, top_fraction_mean(levels, visible, 0.1)))
            rles[image_id] = dict(zip(CLASSES, map(encode_rle, truths), strict=True))
    (place / "truth.json").write_text(json.dumps(rles), "utf-8")
    return place


def smooth_field(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Values 0 to 1: hills about a fifth of the image wide, plus fine grain as in the output of a network."""
    hills = cv2.resize(rng.random((6, 9)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    grain = cv2.resize(rng.random((44, 66)), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(0.85 * hills + 0.15 * grain, 0, 1)


if __name__ == "__main__":
    main()
