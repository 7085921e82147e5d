"""The command `teacher`: one network per fold and encoder, and their probabilities for all images."""

import argparse
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipes.gpu.augment import SoftTargets, grid_points, make_mesh
from recipes.gpu.data import CLASS_COUNT, FOLD_COUNT, Data
from recipes.gpu.monitor import clock, gpu_usage, log, write_json
from recipes.gpu.network import FLIPS, Settings, build_network, predict, save_network
from recipes.gpu.train import Lane, train


def train_teachers(options: argparse.Namespace, data: Data) -> None:
    for text in options.encoders:
        name, seconds = text.split(":")
        path = options.out / f"teacher-{name}.npz"
        if path.exists():
            log(f"{path} exists; skipped")
            continue
        try:
            train_teacher(name, float(seconds), data, options, path)
        except Exception:  # the other encoders are still trained
            traceback.print_exc()
            log(f"{name} failed; continuing with the other encoders")
        if options.cuda:
            torch.cuda.empty_cache()


def train_teacher(name: str, seconds: float, data: Data, options: argparse.Namespace, path: Path) -> None:
    """All folds of one encoder; then out-of-fold probabilities with four views, and those of all images with one."""
    begin = clock()
    settings = Settings(
        name, tuple(options.shape), options.batch, options.encoder_rate, options.decoder_rate, ema=options.ema
    )  # fmt: skip
    lanes = [
        Lane(
            f"{name}-fold{fold}", build_network(settings, options.weights, data, options.seed + fold), settings, data,
            np.flatnonzero(data.fold != fold), options.seed + fold, None,
        )
        for fold in range(FOLD_COUNT)
    ]  # fmt: skip
    with gpu_usage(options.cuda) as usage:
        summary = train(lanes, begin + seconds - options.reading_seconds, not options.eager)
    summary["busy"] = usage
    begin_reading = clock()
    maps, presence, inside, inside_presence = predict_folds(lanes, data, settings.shape)
    summary["reading_seconds"] = round(clock() - begin_reading, 1)
    summary["pixel_precision"], summary["presence_precision"] = score(data, maps, presence, settings.shape)
    summary["seconds_in_all"] = round(clock() - begin, 1)
    write_json(options.out / f"teacher-{name}.json", summary)
    np.save(options.out / f"inside-{name}.npy", inside)
    np.save(options.out / f"inside-presence-{name}.npy", inside_presence)
    with path.with_suffix(".part").open("wb") as file:
        np.savez(file, maps=maps, presence=presence, shape=settings.shape)
    path.with_suffix(".part").rename(path)
    for lane in lanes[: options.keep_weights]:
        save_network(options.out / f"weights-{lane.name}.safetensors", lane.average)
    log(
        f"{name}: pixel AP {summary['pixel_precision']}, presence AP {summary['presence_precision']}, "
        f"{summary['seconds_in_all']} s"
    )


def predict_folds(
    lanes: list[Lane], data: Data, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Out-of-fold maps and presence; then maps and presence of every fold's network for all images."""
    images, grid = data.at(shape), (shape[0] // 4, shape[1] // 4)
    maps = np.zeros((len(data), CLASS_COUNT, *grid), np.uint8)
    presence = np.zeros((len(data), CLASS_COUNT), np.float32)
    inside = np.zeros((FOLD_COUNT, len(data), CLASS_COUNT, *grid), np.uint8)
    inside_presence = np.zeros((FOLD_COUNT, len(data), CLASS_COUNT), np.float32)
    for fold, lane in enumerate(lanes):
        unseen = np.flatnonzero(data.fold == fold)
        fold_maps, fold_presence = predict(lane.average, images, unseen, list(FLIPS))
        maps[unseen], presence[unseen] = fold_maps.cpu().numpy(), fold_presence.cpu().numpy()
        all_maps, all_presence = predict(lane.average, images, np.arange(len(data)), ["none"])
        inside[fold], inside_presence[fold] = all_maps.cpu().numpy(), all_presence.cpu().numpy()
    return maps, presence, inside, inside_presence


def score(
    data: Data, maps: np.ndarray, presence: np.ndarray, shape: tuple[int, int]
) -> tuple[list[float], list[float]]:
    """Average precision per class: of pixels on the grid of the maps, and of presence. For the log."""
    from sklearn.metrics import average_precision_score

    device = data.images.device
    rows, columns = (grid_points(maps.shape[axis + 2], shape[axis], device) for axis in (0, 1))
    mesh = make_mesh(rows, columns)
    counts = torch.zeros(CLASS_COUNT, 2, 256, device=device)
    for begin in range(0, len(data), 512):
        part = data.planes[begin : begin + 512].float()
        points = mesh.expand(len(part), -1, -1, -1)
        planes = functional.grid_sample(part, points, mode="nearest", align_corners=False) > 127
        levels = torch.from_numpy(maps[begin : begin + 512]).to(device).long()
        for index in range(CLASS_COUNT):
            visible = planes[:, CLASS_COUNT]
            cell = (planes[:, index].long() * 256 + levels[:, index])[visible]
            counts[index] += torch.bincount(cell, minlength=512).view(2, 256)
    pixels = [average_precision(histogram) for histogram in counts.double().cpu().numpy()]
    truth = data.presence.cpu().numpy()
    images = [
        round(float(average_precision_score(truth[:, index], presence[:, index])), 4) for index in range(CLASS_COUNT)
    ]
    return pixels, images


def average_precision(histogram: np.ndarray) -> float:
    """From the number of negatives and positives (2 × 256) at every level."""
    positives, total = histogram[1, ::-1].cumsum(), histogram.sum(0)[::-1].cumsum()
    recall_gain = np.diff(positives, prepend=0) / max(positives[-1], 1)
    return round(float((recall_gain * positives / np.maximum(total, 1)).sum()), 4)


@dataclass
class Teachers:
    """The mean probabilities of several encoders."""

    out_of_fold: SoftTargets
    inside: Tensor
    """FOLDS×N×C×h×w uint8: of every fold's networks, for all images"""
    inside_presence: Tensor
    """FOLDS×N×C"""

    def of_fold(self, fold: int) -> SoftTargets:
        return SoftTargets(self.inside[fold], self.inside_presence[fold], self.out_of_fold.shape)


def load_teachers(folder: Path, names: Sequence[str], device: torch.device) -> Teachers:
    """The mean of all encoders that were trained. They must have the same input shape."""
    names = [name for name in names if (folder / f"teacher-{name}.npz").exists()]
    log(f"teachers: {names}")
    files = [np.load(folder / f"teacher-{name}.npz") for name in names]
    shape = tuple(int(side) for side in files[0]["shape"])

    def mean_presence(arrays: Iterator[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.mean(list(arrays), axis=0)).to(device)

    out_of_fold = SoftTargets(
        mean_maps((file["maps"] for file in files), device), mean_presence(file["presence"] for file in files), shape
    )  # fmt: skip
    inside = [np.load(folder / f"inside-{name}.npy", mmap_mode="r") for name in names]
    return Teachers(
        out_of_fold,
        torch.stack([mean_maps((maps[fold] for maps in inside), device) for fold in range(FOLD_COUNT)]),
        mean_presence(np.load(folder / f"inside-presence-{name}.npy") for name in names),
    )


def mean_maps(arrays: Iterator[np.ndarray], device: torch.device) -> Tensor:
    """Levels of several networks → their rounded mean (uint8)."""
    total: Any = 0
    count = 0
    for array in arrays:
        total, count = total + torch.from_numpy(np.array(array)).to(device).half(), count + 1
    return (total / count).round().byte()
