"""Fine-tune students on real images, on a CPU: the packed images that they learned from are smoother than JPEGs.

    python -m recipes.gpu.finetune --names fold0 fold1 fold2 fold3 fold4 final0 --epochs 2 --out data/student

With `--epochs 0`, no weight is trained. At the end, the statistics of batch normalisation are computed anew from the
real training images.

The stage `prepare` must have run, with the cache shape that the students will read. Every student is saved as it
finishes, and its state after every 50 steps, so an interrupted run resumes.

Targets are the truth, mixed with the soft targets by `--soft`. Soft targets of an image come from networks that never
saw it, but that saw other folds. For an unbiased cross-fitted score, use `--soft 0` for the students of folds.
"""

import argparse
import copy
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.files import atomic_write
from nephoscope.hardware import count_cores
from nephoscope.training.depthwise import QuickDepthwise
from recipes.gpu.augment import Augment, SoftTargets
from recipes.gpu.data import CLASS_COUNT, Data
from recipes.gpu.monitor import log
from recipes.gpu.network import JointNetwork, Settings, save_network
from recipes.gpu.soft_targets import read_targets
from recipes.gpu.student import parse_name
from recipes.gpu.train import compute_loss, make_schedule

FOLDER = Path(__file__).parent
SAVE_EVERY = 50
"""steps"""
STATISTICS_IMAGES = 1536
"""from which the statistics of batch normalisation are computed"""


@dataclass
class State:
    """A student in training."""

    network: JointNetwork
    average: JointNetwork
    optimiser: torch.optim.Optimizer
    step: int = 0

    def save(self, path: Path) -> None:
        parts = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")}
        with atomic_write(path) as unfinished:
            torch.save({**parts, "step": self.step}, unfinished)

    def load(self, path: Path) -> None:
        saved = torch.load(path, weights_only=True)
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(saved[name])
        self.step = saved["step"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="the pipeline's results")
    parser.add_argument("--students", type=Path, default=FOLDER / "students")
    parser.add_argument("--soft-targets", type=Path, default=FOLDER / "soft-targets.npz")
    parser.add_argument("--names", nargs="+", required=True, help="fold0 … fold4 never see their fold; final0 sees all")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-4, help="peak learning rate of all layers")
    parser.add_argument("--soft", type=float, default=0.0, help="share of the soft targets")
    parser.add_argument("--cutmix", type=float, default=0.5)
    parser.add_argument("--bf16", action="store_true", help="faster on CPUs with AVX512-BF16")
    parser.add_argument("--keep-statistics", action="store_true", help="of batch normalisation")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(count_cores())
    options.out.mkdir(parents=True, exist_ok=True)
    data, soft = read_data(options)
    for name in options.names:
        finetune(name, data, soft, options)


def read_data(options: argparse.Namespace) -> tuple[Data, SoftTargets]:
    """Real images at the cache shape, with the folds of the students and the soft targets of every image."""
    prepared = Artifacts(options.artifacts).prepare
    image_ids = Manifest.load(prepared.manifest).images["image_id"]
    cache = Cache.open(prepared.cache)
    folds = pd.read_csv(options.students / "folds.csv").set_index("image_id")["fold"]
    known = np.flatnonzero(image_ids.isin(folds.index))
    targets = read_targets(options.soft_targets)
    target_rows = pd.Series(range(len(targets.image_ids)), targets.image_ids)[image_ids[known]].to_numpy()
    truth, visible = torch.from_numpy(cache.truth[known]), torch.from_numpy(cache.visible[known])
    planes = torch.stack([*((truth >> index) & 1 for index in range(CLASS_COUNT)), visible.to(torch.uint8)], 1)
    images = torch.from_numpy(cache.images[known]).permute(0, 3, 1, 2)
    presence = planes[:, :CLASS_COUNT].amax((2, 3)).float()
    data = Data(image_ids[known].to_numpy(), folds[image_ids[known]].to_numpy(), presence, planes * 255, images)
    maps, soft_presence = targets.maps[target_rows], targets.presence[target_rows]
    return data, SoftTargets(torch.from_numpy(maps), torch.from_numpy(soft_presence), (192, 288))


def finetune(name: str, data: Data, soft: SoftTargets, options: argparse.Namespace) -> None:
    path, resume = options.out / f"student-coarse-{name}.safetensors", options.out / f"{name}.resume"
    if path.exists():
        log(f"{path} exists; skipped")
        return
    shape = (data.images.shape[2], data.images.shape[3])
    settings = Settings("lite0", shape, options.batch, options.rate, options.rate, soft=options.soft,
                        cutmix=options.cutmix)  # fmt: skip
    kind, fold, _ = parse_name(name)
    rows = np.arange(len(data)) if kind == "final" else np.flatnonzero(data.fold != fold)
    order, schedule = plan_steps(rows, settings, options.epochs)
    state = begin(settings, options.students / path.name)
    if resume.exists():
        state.load(resume)
    augment, started = Augment(data, settings, soft), time.monotonic()
    losses: list[float] = []
    for step in range(state.step, len(order)):
        losses.append(take_step(state, augment, order[step], schedule[step], settings, options.bf16))
        if state.step % SAVE_EVERY == 0 or state.step == len(order):
            state.save(resume)
            seconds = (time.monotonic() - started) / len(losses)
            loss = np.mean(losses[-SAVE_EVERY:])
            log(f"{name}: step {state.step}/{len(order)}, loss {loss:.4f}, {seconds:.2f} s a step")
    if not options.keep_statistics:
        renew_statistics(state.average, data.images, rows)
    save_network(path, state.average)
    resume.unlink(missing_ok=True)


def plan_steps(rows: np.ndarray, settings: Settings, epochs: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps × batch: rows; and steps × 2: factor of the rate, update weight of the average."""
    random = np.random.default_rng(0)
    steps = round(epochs * len(rows) / settings.batch)
    shuffled = np.concatenate([random.permutation(rows) for _ in range(int(np.ceil(epochs)) + 1)])
    return shuffled[: steps * settings.batch].reshape(steps, settings.batch), make_schedule(steps, settings)


def begin(settings: Settings, path: Path) -> State:
    stored = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
    network = JointNetwork(settings, stored["mean"], stored["deviation"])
    network.load_state_dict(stored)
    network.train().to(memory_format=torch.channels_last)
    groups = [{**group, "lr": group.pop("rate")} for group in network.parameter_groups(settings)]
    optimiser = torch.optim.AdamW(groups, fused=True)
    return State(network, copy.deepcopy(network).eval().requires_grad_(False), optimiser)


def take_step(
    state: State, augment: Augment, rows: np.ndarray, factors: np.ndarray, settings: Settings, bf16: bool
) -> float:
    """Everything random depends on the step alone, so that a resumed run ends with the same weights."""
    torch.manual_seed(state.step)
    rate, update = (float(factor) for factor in factors)
    batch = augment(torch.from_numpy(rows), torch.rand(len(rows), 14))
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), QuickDepthwise() if bf16 else nullcontext():
        maps, presence = state.network(batch.images)
    loss = compute_loss(maps.float(), presence.float(), batch, settings)
    state.optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip)
    for group in state.optimiser.param_groups:
        group["lr"] = rate * settings.encoder_rate
    state.optimiser.step()
    _follow(state.average, state.network, update)
    state.step += 1
    return loss.item()


@torch.no_grad()
def renew_statistics(network: JointNetwork, images: Tensor, rows: np.ndarray, batch: int = 64) -> None:
    """Mean and variance of every batch normalisation, over some of these images as they are."""
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
        norm.train()
    chosen = np.random.default_rng(0).permutation(rows)[:STATISTICS_IMAGES]
    for begin in range(0, len(chosen), batch):
        network(images[torch.from_numpy(chosen[begin : begin + batch])].float())
    network.eval()


@torch.no_grad()
def _follow(average: JointNetwork, network: JointNetwork, update: float) -> None:
    def values(owner: JointNetwork) -> list[Tensor]:
        return [value for value in owner.state_dict().values() if value.is_floating_point()]

    for mean, live in zip(values(average), values(network), strict=True):
        mean.lerp_(live, update)


if __name__ == "__main__":
    main()
