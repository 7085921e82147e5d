"""Whole prediction, file to RLE, against the plain way with the same networks, input shapes, flips and threads:

    python -m benchmarks.prediction --model artifacts/export/model --pictures 96

The plain way decodes the whole JPEG with PIL and resizes it. It runs eager PyTorch in fp32 on one view at a time,
labels components with scipy, and encodes RLE with a loop over pixels. Images are synthetic scenes of 1400×2100. Both
ways take turns in separate processes. The steps are also timed alone; their sum exceeds the whole, where they overlap.
"""

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from benchmarks.decode import draw_pictures, read_plainly
from benchmarks.engines import mean_dice
from benchmarks.masks import loop_decide, loop_encode
from benchmarks.table import Row, alone, peak_gib, print_rows, timed
from nephoscope.batch.pictures import Reader, decide_batch, decide_pictures, predict_batch
from nephoscope.batch.predict import predict_pictures
from nephoscope.bundle.export import EXACT
from nephoscope.bundle.load import open_portable
from nephoscope.data.formats import FORMATS
from nephoscope.data.visible import find_visible
from nephoscope.hardware import count_cores, keep_freed_memory
from nephoscope.inference.ensemble import FLIPS, Ensemble
from nephoscope.masks.geometry import resize_mask
from nephoscope.masks.rle import decode_rle
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.rules.decide import adapt_rules
from nephoscope.rules.presence import RawPresences, presences, top_fraction_mean
from nephoscope.rules.rules import Flip, Rule, Rules

RLE_SHAPE, OUTPUT_SHAPE = FORMATS["clouds"].rle_shape, FORMATS["clouds"].output_shape
BATCH = 4
ROUNDS = 4
"""Repetitions of all images for the fast way, so that starting and stopping its threads carries little weight."""
PLAIN = "the plain way"
EQUAL_PIXELS, DICE_APART = 0.995, 0.001
"""Minimum share of equal mask pixels, and maximum change of Dice, between both ways."""
RLEs = list[tuple[str, ...]]
Steps = dict[str, float]
READ, NETWORKS, RULE = "read and resize", "networks, average, levels", "rule and RLE"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("artifacts/export/model"), help="a portable model folder")
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--plain", type=int, default=96, help="pictures for the plain way, which is slow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--against", type=Path, help="another model folder, timed in the same turns")
    arguments = parser.parse_args()
    rows = measure(arguments.model, arguments.pictures, arguments.plain, arguments.repeats, arguments.against)
    print_rows(rows if arguments.against else rows + measure_growth(arguments.model))


def measure(
    model: Path, pictures: int = 96, plain: int = 96, repeats: int = 3, against: Path | None = None
) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        paths = [str(path) for path in draw_pictures(scenes, pictures)]
        turns = [
            (
                alone(predict_fast, model, paths),
                alone(predict_plainly, model, paths[:plain]),
                *([alone(predict_fast, against, paths)] if against else []),
            )
            for _ in range(repeats)
        ]
        truths = read_truths(scenes)
    (_, _, rles), (_, _, plain_rles) = turns[0][:2]
    note = _agreement(rles[:plain], plain_rles, [truths[Path(path).name] for path in paths[:plain]])
    ours, theirs = (statistics.median(turn[way][0] for turn in turns) for way in (0, 1))
    case = f"{RLE_SHAPE[0]}×{RLE_SHAPE[1]} JPEG, both networks"
    steps = [
        Row(f"prediction: {name}", case, "ms", *_by_step(turns, 0, name), PLAIN, *_by_step(turns, 1, name))
        for name in (READ, NETWORKS, RULE)
    ]
    rows = [Row("whole prediction", case, "ms", ours, PLAIN, theirs, note), *steps]
    if against:
        other = statistics.median(turn[2][0] for turn in turns)
        rows.append(Row("whole prediction", case, "ms", ours, f"the model {against.name}", other))
    return rows


def _by_step(turns: list[Any], way: int, name: str) -> tuple[float]:
    return (statistics.median(turn[way][1][name] for turn in turns),)


def _agreement(ours: RLEs, theirs: RLEs, truths: list[np.ndarray]) -> str:
    our_masks, their_masks = (
        np.stack([[decode_rle(rle, OUTPUT_SHAPE) for rle in image] for image in rles]) for rles in (ours, theirs)
    )
    equal = float((our_masks == their_masks).mean())
    dices = [mean_dice(masks, np.stack(truths)) for masks in (our_masks, their_masks)]
    costly = equal < EQUAL_PIXELS or abs(dices[0] - dices[1]) > DICE_APART
    warning = f"**more than {100 * EQUAL_PIXELS} % and {DICE_APART} allow**: " if costly else ""
    note = f"{100 * equal:.2f} % of mask pixels equal, Dice {dices[0]:.4f} and {dices[1]:.4f} on {len(ours)} scenes"
    return warning + note


def predict_fast(folder: Path, paths: list[str]) -> tuple[float, Steps, RLEs]:
    """Milliseconds per image, milliseconds per image of each step alone, and RLE per image and class."""
    keep_freed_memory()
    cv2.setNumThreads(1)
    model, rules = open_portable(folder, streams=count_cores())
    list(decide_pictures(model, rules, paths[:48], BATCH, count_cores()))  # compiles
    many = paths * ROUNDS
    seconds, decided = timed(lambda: list(decide_pictures(model, rules, many, BATCH, count_cores())))
    steps = break_down(open_portable(folder)[0], rules, paths)
    return 1000 * seconds / len(many), steps, [image.record.rles for image in decided[: len(paths)]]


def break_down(model: Ensemble, rules: Rules, paths: list[str]) -> Steps:
    reading, images = timed(lambda: [Reader(model.metadata)(path) for path in paths])
    batches = [images[begin : begin + BATCH] for begin in range(0, len(paths), BATCH)]
    predicting, predictions = timed(lambda: [predict_batch(model, batch) for batch in batches])
    deciding, _ = timed(
        lambda: decide_batch(rules, paths, [prediction for batch in predictions for prediction in batch])
    )
    steps = {READ: reading, NETWORKS: predicting, RULE: deciding}
    return {name: 1000 * seconds / len(paths) for name, seconds in steps.items()}


def predict_plainly(folder: Path, paths: list[str]) -> tuple[float, Steps, RLEs]:
    """As predict_fast, by the plain way."""
    model, rules = open_portable(folder, "torch", EXACT)
    networks: dict[str, Any] = {  # modules of PyTorch in place of engines
        kind: [load_checkpoint(path)[0].eval() for path in sorted(folder.glob(f"{kind[:-1]}-*.safetensors"))]
        for kind in ("classifiers", "segmenters")
    }
    plain = dataclasses.replace(model, **networks)
    predict_one_plainly(plain, rules, paths[0], {})
    steps: Steps = {}
    seconds, rles = timed(lambda: [predict_one_plainly(plain, rules, path, steps) for path in paths])
    return 1000 * seconds / len(paths), {name: 1000 * each / len(paths) for name, each in steps.items()}, rles


def predict_one_plainly(model: Ensemble, rules: Rules, path: str, steps: Steps) -> tuple[str, ...]:
    def clocked(step: str, call: Callable[[], Any]) -> Any:
        seconds, result = timed(call)
        steps[step] = steps.get(step, 0.0) + seconds
        return result

    image = clocked(READ, lambda: read_plainly(Path(path), model.metadata.cache_shape))
    scores, maps = clocked(
        NETWORKS, lambda: [average_plainly(model, kind, image) for kind in (model.classifiers, model.segmenters)]
    )
    levels, presence, own = clocked(NETWORKS, lambda: to_levels_plainly(model, rules, image, scores, maps))
    return tuple(clocked(RULE, lambda: [
        loop_encode(loop_decide(score, level, rule))
        for score, level, rule in zip(presence, levels, own, strict=True)
    ]))  # fmt: skip


def average_plainly(model: Ensemble, networks: Any, image: np.ndarray) -> np.ndarray:
    return np.asarray(
        np.mean([run(network, image, flip) for network in networks for flip in model.inference_settings.flips], axis=0)
    )


@torch.no_grad()
def run(network: torch.nn.Module, image: np.ndarray, flip: Flip) -> np.ndarray:
    rows, columns = FLIPS[flip]
    batch = torch.from_numpy(np.ascontiguousarray(image[rows, columns].transpose(2, 0, 1)))[None]
    found = torch.sigmoid(network(batch))[0].numpy()
    return found if found.ndim == 1 else found[..., rows, columns]


def to_levels_plainly(
    model: Ensemble, rules: Rules, image: np.ndarray, scores: np.ndarray, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[Rule, ...]]:
    """Levels (C×H×W; 0 where invisible), presences (C) and the rules adapted to this image."""
    rows, columns = model.metadata.output_shape
    levels = np.stack([np.round(255 * cv2.resize(one, (columns, rows))).astype(np.uint8) for one in maps])
    visible = resize_mask(find_visible(image, model.metadata.nodata), model.metadata.output_shape)
    top_mean = top_fraction_mean(levels, visible, rules.inference_settings.top_fraction)
    presence = presences(RawPresences(scores[None], top_mean[None]), rules)[0]
    return levels * visible, presence, adapt_rules(rules, top_mean)


def read_truths(folder: Path) -> dict[str, np.ndarray]:
    """File name → masks (C×H×W) at the output shape."""
    table = pd.read_csv(folder / "train.csv", keep_default_na=False)
    keys = table["Image_Label"].str.rsplit("_", n=1, expand=True)
    masks = [resize_mask(decode_rle(rle, RLE_SHAPE), OUTPUT_SHAPE) for rle in table["EncodedPixels"]]
    order = {name: index for index, name in enumerate(FORMATS["clouds"].classes)}
    truths = {name: np.zeros((len(order), *OUTPUT_SHAPE), bool) for name in keys[0].unique()}
    for name, class_name, mask in zip(keys[0], keys[1], masks, strict=True):
        truths[name][order[class_name]] = mask
    return truths


def measure_growth(model: Path, pictures: int = 200) -> list[Row]:
    """Time per image and peak memory of `nephoscope predict`, for this number of images and for ten times as many."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        drawn = draw_pictures(Path(folder) / "scenes", 20)
        for place, count in ((few, pictures), (many, 10 * pictures)):
            place.mkdir()
            for index in range(count):
                os.link(drawn[index % len(drawn)], place / f"{index:06d}.jpg")
        (seconds, memory), (tenfold, memory_tenfold) = (alone(predict_folder, model, place) for place in (few, many))
    note = f"peak memory {memory_tenfold:.2f} GiB, a tenth of the pictures {memory:.2f}"
    case = f"{10 * pictures} JPEGs of {RLE_SHAPE[0]}×{RLE_SHAPE[1]}"
    return [
        Row(
            "cost of a picture",
            case,
            "ms",
            100 * tenfold / pictures,
            f"{pictures} of them",
            1000 * seconds / pictures,
            note,
        )
    ]


def predict_folder(model: Path, pictures: Path) -> tuple[float, float]:
    """Seconds, without opening the model, and peak GiB."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as out:
        # The first picture pays for opening and compiling.
        predict_pictures([str(next(pictures.iterdir()))], model, f"{out}/first")
        begin = time.perf_counter()
        predict_pictures([str(pictures)], model, f"{out}/all")
        seconds = time.perf_counter() - begin
    return seconds, peak_gib()


if __name__ == "__main__":
    main()
