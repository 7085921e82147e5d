"""Speed of the engines with both networks of a finished run, against eager PyTorch in fp32, and their effect on Dice:

    python -m benchmarks.engines --artifacts artifacts

Milliseconds per view, in batches of eight. Dice is measured on all holdout images with the rules of the run.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from benchmarks.table import Row, medians, print_rows
from nephoscope.artifacts import Artifacts
from nephoscope.bundle.export import EXACT
from nephoscope.bundle.load import open_portable
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.data.truth import Truth
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.inference.engines import Engine, EngineName
from nephoscope.inference.result import decide_results
from nephoscope.masks.dice import dice
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.settings.choices import Choice
from nephoscope.settings.section import Machine

CHOICES: tuple[EngineName, ...] = ("torch", "onnx", "openvino")
PLAIN = "torch as it comes"
BATCH = 8
MOST_DICE_CHANGE = 0.001
"""An engine should not change Dice by more. With few images, a single changed decision can exceed this."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="of a finished run")
    print_rows(measure(parser.parse_args().artifacts))


def measure(artifacts: Path, seconds: float = 8.0) -> list[Row]:
    model = Artifacts(artifacts).export.model
    agreement = holdout_agreement(Artifacts(artifacts))
    rows = []
    for kind in ("classifier", "segmenter"):
        checkpoint = next(iter(sorted(model.glob(f"{kind}-*.safetensors"))))
        network, metadata = load_checkpoint(checkpoint)
        views = np.concatenate([draw_probe(metadata.input_shape)] * (BATCH // 2))
        engines = {name: ENGINES[name](checkpoint.with_suffix(""), Machine(accelerator="cpu"), 1) for name in CHOICES}
        tasks = {PLAIN: run_plainly(network.eval(), views)} | {str(name): run(engines[name], views) for name in CHOICES}
        times = {name: 1000 * median / BATCH for name, median in medians(tasks, seconds).items()}
        case = f"{kind} {metadata.input_shape[0]}×{metadata.input_shape[1]}"
        work = f"{count_flops(network, views) / BATCH / 1e9:.2f} GFLOP a view"
        rows += [Row(f"engine {name}", case, "ms", times[name], PLAIN, times[PLAIN], work) for name in CHOICES]
    return [_with_agreement(row, agreement) for row in rows]


def _with_agreement(row: Row, agreement: dict[str, str]) -> Row:
    note = agreement.get(row.step.removeprefix("engine "), "") if "segmenter" in row.case else ""
    return dataclasses.replace(row, note="; ".join(filter(None, (row.note, note))))


def run(engine: Engine, views: np.ndarray) -> Callable[[], Any]:
    return lambda: engine(views)


def run_plainly(network: torch.nn.Module, views: np.ndarray) -> Callable[[], Any]:
    @torch.no_grad()
    def predict() -> torch.Tensor:
        return torch.sigmoid(network(torch.from_numpy(np.ascontiguousarray(views.transpose(0, 3, 1, 2)))))

    return predict


def count_flops(network: torch.nn.Module, views: np.ndarray) -> int:
    with FlopCounterMode(display=False) as counter:
        run_plainly(network, views)()
    return int(counter.get_total_flops())


def holdout_agreement(artifacts: Artifacts) -> dict[str, str]:
    """Engine → its Dice on holdout, that of PyTorch in fp32, and the share of equal mask pixels, as text."""
    manifest = Manifest.load(artifacts.prepare.manifest)
    cache, truth = Cache.open(artifacts.prepare.cache), Truth.load(artifacts.prepare.truth, manifest.metadata)
    rows = manifest.rows("holdout")
    true = np.stack([truth.masks(manifest.images["image_id"].iloc[row]) for row in rows])
    reference = decide_all(artifacts.export.model, "torch", EXACT, cache, rows)
    notes: dict[str, str] = {}
    for name in CHOICES:
        masks = decide_all(artifacts.export.model, name, Machine(accelerator="cpu"), cache, rows)
        ours, theirs = mean_dice(masks, true), mean_dice(reference, true)
        warning = f"**more than {MOST_DICE_CHANGE} apart**: " if abs(ours - theirs) > MOST_DICE_CHANGE else ""
        same = 100 * float((masks == reference).mean())
        notes[name] = (
            f"{warning}Dice {ours:.4f}, torch in fp32 {theirs:.4f}, {same:.2f} % of the pixels equal; "
            f"{len(rows)} holdout pictures"
        )
    return notes


def decide_all(model: Path, engine: Choice, machine: Machine, cache: Cache, rows: np.ndarray) -> np.ndarray:
    both, rules = open_portable(model, engine, machine)
    batches = [rows[begin : begin + BATCH] for begin in range(0, len(rows), BATCH)]
    masks = []
    for batch in tqdm(batches, desc=f"holdout, {engine}", unit="batch", disable=None):
        predictions = both.predict(cache.images[batch], cache.visible[batch])
        masks += [result.masks for result in decide_results([str(row) for row in batch], predictions, rules)]
    return np.stack(masks)


def mean_dice(masks: np.ndarray, true: np.ndarray) -> float:
    images = zip(true, masks, strict=True)
    return float(np.mean([dice(a, b) for truth, predicted in images for a, b in zip(truth, predicted, strict=True)]))


if __name__ == "__main__":
    main()
