"""The command `student`: small networks, with and without a teacher, trained at the same time.

Names of students: `fold<k>` learns from the teacher of fold k, `plain<k>` has no teacher, and `final<seed>` learns from
all images with the out-of-fold maps of the teacher. `fold0_0.5` uses half of the images.
"""

import argparse
import traceback
from dataclasses import replace
from typing import Any

import numpy as np

from recipes.gpu.augment import SoftTargets
from recipes.gpu.data import CLASS_COUNT, Data
from recipes.gpu.monitor import clock, gpu_usage, log, write_json
from recipes.gpu.network import FLIPS, Settings, build_network, predict, save_network
from recipes.gpu.teacher import Teachers, load_teachers, score
from recipes.gpu.train import Lane, train


def train_students(options: argparse.Namespace, data: Data) -> None:
    for group, names in options.students.items():
        missing = [name for name in names if not (options.out / f"student-{group}-{name}.safetensors").exists()]
        if not missing:
            log(f"group {group} exists; skipped")
            continue
        try:
            train_group(group, missing, data, options)
        except Exception:  # the other groups are still trained
            traceback.print_exc()
            log(f"group {group} failed; continuing with the other groups")


def train_group(group: str, names: list[str], data: Data, options: argparse.Namespace) -> None:
    begin = clock()
    settings = Settings(
        options.encoder, tuple(options.shapes[group]), options.batch, options.encoder_rate, options.decoder_rate,
        soft=options.soft, ema=options.ema,
    )  # fmt: skip
    teachers = None
    if any(not name.startswith("plain") for name in names):
        teachers = load_teachers(options.out, options.teachers, data.images.device)
    lanes = [make_lane(name, settings, teachers, data, options) for name in names]
    with gpu_usage(options.cuda) as usage:
        deadline = begin + options.seconds_of[group] - options.reading_seconds
        summary = train(lanes, deadline, not options.eager)
    summary["busy"] = usage
    for lane in lanes:
        save_network(options.out / f"student-{group}-{lane.name}.safetensors", lane.average)
    summary |= predict_students(group, lanes, settings.shape, data, options)
    summary["seconds_in_all"] = round(clock() - begin, 1)
    write_json(options.out / f"student-{group}.json", summary)


def make_lane(
    name: str, settings: Settings, teachers: Teachers | None, data: Data, options: argparse.Namespace
) -> Lane:
    kind, number, share = parse_name(name)
    if kind == "plain":
        settings = replace(settings, soft=0.0)
    rows = np.arange(len(data)) if kind == "final" else np.flatnonzero(data.fold != number)
    if share < 1:
        rows = np.random.default_rng(0).permutation(rows)[: round(share * len(rows))]
    soft: SoftTargets | None = None
    if teachers is not None and kind != "plain":
        soft = teachers.of_fold(number) if kind == "fold" else teachers.out_of_fold
    seed = options.seed + number
    return Lane(name, build_network(settings, options.weights, data, seed), settings, data, rows, seed, soft)


def predict_students(
    group: str, lanes: list[Lane], shape: tuple[int, int], data: Data, options: argparse.Namespace
) -> dict[str, Any]:
    """Write the out-of-fold probabilities of every kind of student, and return their scores."""
    images, scores = data.at(shape), {}
    for kind, lane_of_fold in group_by_kind(lanes).items():
        maps = np.zeros((len(data), CLASS_COUNT, shape[0] // 4, shape[1] // 4), np.uint8)
        presence = np.zeros((len(data), CLASS_COUNT), np.float32)
        for fold, lane in lane_of_fold.items():
            unseen = np.flatnonzero(data.fold == fold)
            fold_maps, fold_presence = predict(lane.average, images, unseen, list(FLIPS))
            maps[unseen], presence[unseen] = fold_maps.cpu().numpy(), fold_presence.cpu().numpy()
        folds = sorted(lane_of_fold)
        np.savez(options.out / f"student-{group}-{kind}.npz", maps=maps, presence=presence, shape=shape, folds=folds)
        rows = np.flatnonzero(np.isin(data.fold, folds))
        pixels, presences = scores[kind] = score(data.subset(rows), maps[rows], presence[rows], shape)
        log(f"{group} {kind}: pixel AP {pixels} mean {np.mean(pixels):.4f}")
        log(f"{group} {kind}: presence AP {presences} mean {np.mean(presences):.4f}")
    return scores


def group_by_kind(lanes: list[Lane]) -> dict[str, dict[int, Lane]]:
    """Kind (with its share of the images) → fold → lane. Final students have no unseen images."""
    kinds: dict[str, dict[int, Lane]] = {}
    for lane in lanes:
        kind, number, share = parse_name(lane.name)
        if kind != "final":
            kinds.setdefault(kind if share == 1 else f"{kind}_{share}", {})[number] = lane
    return kinds


def parse_name(name: str) -> tuple[str, int, float]:
    """fold3 → fold, 3, 1.0; plain0_0.25 → plain, 0, 0.25"""
    name, _, share = name.partition("_")
    kind = name.rstrip("0123456789")
    return kind, int(name[len(kind) :]), float(share or 1)
