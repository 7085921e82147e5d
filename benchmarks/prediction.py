"""Whole prediction, file to RLE, against the plain way with the same networks, input shapes, flips and threads:

    python -m benchmarks.prediction --model artifacts/export/model --pictures 48

The plain way: decode the whole JPEG with PIL, resize it, torch in eager fp32 view by view and picture by picture,
scipy's labels with a loop over components, RLE by a loop over pixels. Pictures are drawn scenes at 1400×2100.
"""

import argparse
import dataclasses
import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image as PilImage
from scipy import ndimage

from pipeline.data.formats import FORMATS
from pipeline.data.synthetic import write_dataset
from pipeline.data.visible import find_visible
from pipeline.delivery.pictures import Reader, decide_batch, decide_pictures, predict_batch
from pipeline.delivery.portable import EXACT, open_portable
from pipeline.inference.two_stage import FLIPS, TwoStage
from pipeline.masks.dice import dice
from pipeline.masks.geometry import resize_mask
from pipeline.masks.rle import decode_rle
from pipeline.masks.rule import Flip, RawPresences, Rule, Rules, presences, strongest_mean
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.machine import calm_allocator

SHAPE = FORMATS["clouds"].rle_shape
JUDGED = FORMATS["clouds"].judged_shape
SCENE_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("artifacts/export/model"), help="a portable model folder")
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--plain", type=int, default=12, help="pictures for the plain way, which takes its time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    given = parser.parse_args()

    calm_allocator()
    with tempfile.TemporaryDirectory() as folder:
        scenes = Path(folder) / "scenes"
        write_dataset(scenes, labelled=given.pictures, shape=SHAPE, seed=SCENE_SEED)
        figures = measure(given, sorted(map(str, (scenes / "train_images").iterdir())), read_truths(scenes))
    print(json.dumps(figures, indent=2))
    if given.out:
        given.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def measure(given: argparse.Namespace, paths: list[str], truths: dict[str, np.ndarray]) -> dict[str, object]:
    model, rules = open_portable(given.model)
    list(decide_pictures(model, rules, paths[:8], 8))  # compiles
    fast, slow = [], []
    for _ in range(given.repeats):  # in turns, so that both meet the machine in the same mood
        seconds, ours = timed(lambda: list(decide_pictures(model, rules, paths, 8)))
        fast.append(seconds / len(paths))
        # In a process of its own: the plain way knows nothing of allocators.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, theirs = pool.apply(predict_all_plainly, (given.model, paths[: given.plain]))
        slow.append(seconds / given.plain)
    ours_masks = [decode(one.rles, rules) for one in ours[: given.plain]]
    plain_masks = [decode(rles, rules) for rles in theirs]
    judged = [truths[Path(path).name] for path in paths[: given.plain]]
    return {
        "pictures": len(paths),
        "plain pictures": given.plain,
        "flips": list(rules.reading.flips),
        "engine": type(model.segmenters[0]).__name__,
        "threads": torch.get_num_threads(),
        "milliseconds per picture": 1000 * statistics.median(fast),
        "milliseconds per picture, plain": 1000 * statistics.median(slow),
        "ratio": statistics.median(slow) / statistics.median(fast),
        "equal mask pixels": float(np.mean([a == b for a, b in zip(ours_masks, plain_masks, strict=True)])),
        "mean Dice": mean_dice(ours_masks, judged),
        "mean Dice, plain": mean_dice(plain_masks, judged),
        "steps": break_down(model, rules, paths),
    }


def predict_all_plainly(folder: Path, paths: list[str]) -> tuple[float, list[list[str]]]:
    """Seconds and, per picture, RLE per class."""
    model, rules = open_portable(folder, "torch", EXACT)
    plain = dataclasses.replace(
        model,
        classifiers=[load_checkpoint(path)[0].eval() for path in sorted(folder.glob("classifier-*.safetensors"))],
        segmenters=[load_checkpoint(path)[0].eval() for path in sorted(folder.glob("segmenter-*.safetensors"))],
    )
    predict_plainly(plain, rules, paths[0])
    return timed(lambda: [predict_plainly(plain, rules, path) for path in paths])


def timed(call):  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def break_down(model: TwoStage, rules: Rules, paths: list[str]) -> dict[str, float]:
    """Milliseconds per picture of each step by itself, one after the other."""
    reading, pictures = timed(lambda: [Reader(model)(path) for path in paths])
    predicting, predictions = timed(
        lambda: [predict_batch(model, pictures[i : i + 8]) for i in range(0, len(paths), 8)]
    )
    networks, _ = timed(lambda: [run_networks(model, pictures[i : i + 8]) for i in range(0, len(paths), 8)])
    flat = [one for batch in predictions for one in batch]
    deciding, _ = timed(lambda: decide_batch(rules, paths, flat))
    steps = {
        "read and resize": reading,
        "networks": networks,
        "averaging and levels": predicting - networks,
        "rule and RLE": deciding,
    }
    return {name: 1000 * seconds / len(paths) for name, seconds in steps.items()}


def run_networks(model: TwoStage, pictures: list) -> None:  # type: ignore[type-arg]
    images = np.stack([image for image, _ in pictures])
    for engine in (*model.classifiers, *model.segmenters):
        for _ in model.reading.flips:
            engine(images)


def predict_plainly(model: TwoStage, rules: Rules, path: str) -> list[str]:
    """RLE per class."""
    height, width = model.facts.cache_shape
    image = np.asarray(PilImage.open(path).convert("RGB").resize((width, height), PilImage.Resampling.BOX))
    scores = np.mean([run(engine, image, flip) for engine in model.classifiers for flip in rules.reading.flips], axis=0)
    maps = np.mean([run(engine, image, flip) for engine in model.segmenters for flip in rules.reading.flips], axis=0)
    rows, columns = model.facts.judged_shape
    levels = np.stack([np.round(255 * cv2.resize(one, (columns, rows))).astype(np.uint8) for one in maps])
    visible = resize_mask(find_visible(image, model.facts.nodata), model.facts.judged_shape)
    strongest = strongest_mean(levels, visible, rules.reading.strongest_share)
    (presence,) = presences(RawPresences(scores[None], strongest[None]), rules)
    each = zip(presence, levels, rules.rules, strict=True)
    return [encode_plainly(decide_plainly(score, level * visible, rule)) for score, level, rule in each]


@torch.no_grad()
def run(network: torch.nn.Module, image: np.ndarray, flip: Flip) -> np.ndarray:
    rows, columns = FLIPS[flip]
    batch = torch.from_numpy(np.ascontiguousarray(image[rows, columns].transpose(2, 0, 1)))[None]
    found = torch.sigmoid(network(batch))[0].numpy()
    return found if found.ndim == 1 else found[..., rows, columns]


def decide_plainly(presence: float, levels: np.ndarray, rule: Rule) -> np.ndarray:
    predicted = np.zeros(levels.shape, bool)
    if presence < rule.presence_threshold:
        return predicted
    if rule.core_threshold and (levels >= rule.core_threshold).sum() < rule.core_area:
        return predicted
    labels, count = ndimage.label(levels >= rule.pixel_threshold, structure=np.ones((3, 3)))
    for label in range(1, count + 1):
        component = labels == label
        if component.sum() >= rule.min_area and levels[component].max() >= (rule.seed_threshold or 0):
            predicted[component] = True
    return predicted


def encode_plainly(mask: np.ndarray) -> str:
    runs, last, start = [], False, 0
    for place, value in enumerate(mask.T.ravel()):
        if value and not last:
            start = place
        if last and not value:
            runs += [start + 1, place - start]
        last = value
    return " ".join(map(str, runs + ([start + 1, mask.size - start] if last else [])))


def decode(rles, rules: Rules) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.stack([decode_rle(rle, rules.judged_shape) for rle in rles])


def mean_dice(masks: list[np.ndarray], truths: list[np.ndarray]) -> float:
    pairs = [(a, b) for one, true in zip(masks, truths, strict=True) for a, b in zip(true, one, strict=True)]
    return float(np.mean([dice(a, b) for a, b in pairs]))


def read_truths(folder: Path) -> dict[str, np.ndarray]:
    """File name → masks (C×H×W) at the judged shape."""
    table = pd.read_csv(folder / "train.csv", keep_default_na=False)
    keys = table["Image_Label"].str.rsplit("_", n=1, expand=True)
    masks = [resize_mask(decode_rle(rle, SHAPE), JUDGED) for rle in table["EncodedPixels"]]
    order = {name: index for index, name in enumerate(FORMATS["clouds"].classes)}
    truths = {name: np.zeros((len(order), *JUDGED), bool) for name in keys[0].unique()}
    for name, class_name, mask in zip(keys[0], keys[1], masks, strict=True):
        truths[name][order[class_name]] = mask
    return truths


if __name__ == "__main__":
    main()
