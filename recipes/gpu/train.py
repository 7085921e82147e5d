"""Training: several networks at the same time, each on a stream of its own, each step as one CUDA graph."""

import copy
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recipes.gpu.augment import NOISE_COUNT, Augment, Batch, SoftTargets
from recipes.gpu.data import CLASS_COUNT, Data
from recipes.gpu.monitor import clock, log, synchronise
from recipes.gpu.network import JointNetwork, Settings

MAX_STEPS = 6_000


def compute_loss(map_logits: Tensor, presence_logits: Tensor, batch: Batch, settings: Settings) -> Tensor:
    """BCE against truth and teacher, Dice against the truth alone, and BCE of presence."""
    share, map_logits, visible = settings.soft, map_logits.float(), batch.visible.float()
    target = (1 - share) * batch.truth + share * batch.soft
    pointwise = functional.binary_cross_entropy_with_logits(map_logits, target, reduction="none") * visible
    cross_entropy = pointwise.sum() / (visible.sum() * CLASS_COUNT).clamp(min=1)
    probabilities, masks = map_logits.sigmoid() * visible, batch.truth * visible
    intersection, total = (probabilities * masks).sum((0, 2, 3)), (probabilities + masks).sum((0, 2, 3))
    shown = (masks.sum((0, 2, 3)) > 0).float()
    dice = ((1 - 2 * intersection / total.clamp(min=1e-6)) * shown).mean()
    presence_target = (1 - share) * batch.presence + share * batch.soft_presence
    presence = functional.binary_cross_entropy_with_logits(presence_logits.float(), presence_target)
    return (1 - settings.dice) * cross_entropy + settings.dice * dice + settings.presence * presence


class Lane:
    """One network in training, with its optimiser, schedule, average weights and CUDA graph."""

    def __init__(
        self,
        name: str,
        network: JointNetwork,
        settings: Settings,
        data: Data,
        rows: np.ndarray,
        seed: int,
        soft: SoftTargets | None,
    ) -> None:
        self.name, self.settings, self.rows, self.seed = name, settings, rows, seed
        self.device = data.images.device
        self.cuda = self.device.type == "cuda"
        self.network = network.to(self.device, memory_format=settings.memory_format)
        self.initial = {key: value.clone() for key, value in self.network.state_dict().items()}
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.augment = Augment(data, settings, soft)
        groups = self.network.parameter_groups(settings)
        self.rates = [group.pop("rate") for group in groups]
        groups = [{**group, "lr": torch.zeros((), device=self.device)} for group in groups]
        foreach = None if self.cuda else False
        self.optimiser = torch.optim.AdamW(groups, capturable=self.cuda, fused=self.cuda, foreach=foreach)
        # A graph reads everything that changes from step to step from these tensors.
        self.step = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.order = torch.zeros(MAX_STEPS, settings.batch, dtype=torch.int32, device=self.device)
        self.noise = torch.rand(MAX_STEPS if self.cuda else 64, settings.batch, NOISE_COUNT, device=self.device)
        self.schedule = torch.zeros(MAX_STEPS, 2, device=self.device)
        self.losses = torch.zeros(MAX_STEPS, device=self.device)
        self.live_values = [value for value in self.network.state_dict().values() if value.is_floating_point()]
        self.average_values = [value for value in self.average.state_dict().values() if value.is_floating_point()]
        self.graph: Any = None
        self.stream = torch.cuda.Stream() if self.cuda else None

    def plan(self, steps: int) -> None:
        """Fill the order of the images, the learning rates, the averaging weights and the noise."""
        self.steps = min(steps, MAX_STEPS)
        random = np.random.default_rng(self.seed)
        needed = self.steps * self.settings.batch
        epochs = [random.permutation(self.rows) for _ in range(-(-needed // len(self.rows)))]
        order = np.concatenate(epochs)[:needed].reshape(self.steps, -1)
        self.order[: self.steps] = torch.from_numpy(order).int().to(self.device)
        schedule = torch.from_numpy(make_schedule(self.steps, self.settings)).float()
        self.schedule[: self.steps] = schedule.to(self.device)
        generator = torch.Generator(self.device).manual_seed(self.seed)
        self.noise.uniform_(generator=generator)

    def reset(self) -> None:
        """Back to the initial weights, in place: a captured graph keeps using the same memory."""
        with torch.no_grad():
            for network in (self.network, self.average):
                for key, value in network.state_dict().items():
                    value.copy_(self.initial[key])
            for state in self.optimiser.state.values():
                for value in state.values():
                    value.zero_()
            self.step.zero_()

    def take_step(self) -> None:
        rows = self.order.index_select(0, self.step)[0].long()
        noise = self.noise.index_select(0, self.step % len(self.noise))[0]
        rate, update = self.schedule.index_select(0, self.step)[0]
        batch = self.augment(rows, noise)
        with torch.autocast(self.device.type, torch.bfloat16):
            map_logits, presence_logits = self.network(batch.images)
        loss = compute_loss(map_logits, presence_logits, batch, self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip, foreach=True)
        for group, peak in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"].copy_(rate * peak)
        self.optimiser.step()
        with torch.no_grad():
            change = torch._foreach_sub(self.live_values, self.average_values)
            torch._foreach_mul_(change, update)
            torch._foreach_add_(self.average_values, change)
            self.losses.index_copy_(0, self.step, loss.detach()[None])
            self.step.add_(1)

    def prepare(self, capture: bool) -> None:
        """Warm up, capture the graph, and return to the initial weights."""
        self.network.train()
        self.plan(16)
        if self.cuda:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                for _ in range(3):
                    self.take_step()
            torch.cuda.synchronize()
            if capture:
                self._capture()
        else:
            self.take_step()
        self.reset()

    def _capture(self) -> None:
        try:
            graph = torch.cuda.CUDAGraph()
            self.optimiser.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph, stream=self.stream):
                self.take_step()
            self.graph = graph
        except Exception as error:  # a slower step is better than none
            log(f"{self.name}: the CUDA graph failed ({error!r}); training without it")
            torch.cuda.synchronize()

    def advance(self) -> None:
        """One step on this lane's stream."""
        with torch.cuda.stream(self.stream) if self.cuda else nullcontext():
            if self.graph is not None:
                self.graph.replay()
            else:
                self.take_step()


def make_schedule(steps: int, settings: Settings) -> np.ndarray:
    """Steps × 2: the factor of the learning rate (warm-up, then cosine), and the update weight of the average."""
    number = np.arange(steps)
    done, warmup = number / steps, settings.warmup
    rate = np.where(done < warmup, done / warmup, 0.5 * (1 + np.cos(np.pi * (done - warmup) / (1 - warmup))))
    update = 1 - np.minimum(settings.ema, (1 + number) / (10 + number))
    return np.stack([np.maximum(rate, 1e-3), update], 1)


def train(lanes: list[Lane], deadline: float, capture: bool = True, max_steps: int | None = None) -> dict[str, Any]:
    """Train all lanes at the same time, for as many steps as fit before the deadline (seconds of `clock`)."""
    cuda = lanes[0].cuda
    for lane in lanes:
        lane.prepare(capture)
    synchronise(cuda)
    ready = clock()
    seconds = _seconds_per_round(lanes, cuda)
    steps = max(2, int((deadline - clock()) / seconds))
    steps = min(steps, MAX_STEPS, max_steps or MAX_STEPS)
    batch_total = sum(lane.settings.batch for lane in lanes)
    captured = lanes[0].graph is not None
    log(
        f"{len(lanes)} lanes, {1000 * seconds:.1f} ms a round, {batch_total / seconds:.0f} images/s, "
        f"{steps} steps, captured {captured}"
    )
    for lane in lanes:
        lane.plan(steps)
        lane.reset()
    synchronise(cuda)
    begin = time.monotonic()
    done = _take_steps(lanes, steps, deadline, cuda)
    took = time.monotonic() - begin
    summary = {
        "lanes": len(lanes), "steps": done, "batch": lanes[0].settings.batch, "seconds": round(took, 1),
        "pictures_per_second": round(done * batch_total / took), "ready_at": round(ready, 1),
        "captured": captured, "settings": vars(lanes[0].settings),
        "losses": {lane.name: mean_losses(lane.losses[:done]) for lane in lanes},
    }  # fmt: skip
    for lane in lanes:
        lane.graph = None
    return summary


def _seconds_per_round(lanes: list[Lane], cuda: bool) -> float:
    """Measured time of one step of every lane."""
    rounds = 12 if cuda else 1
    for lane in lanes:
        lane.plan(rounds + 4)
    for repeats in (2, rounds):  # the first rounds are not timed
        synchronise(cuda)
        begin = time.monotonic()
        for _ in range(repeats):
            for lane in lanes:
                lane.advance()
        synchronise(cuda)
    return (time.monotonic() - begin) / rounds


def _take_steps(lanes: list[Lane], steps: int, deadline: float, cuda: bool) -> int:
    """Returns the number of steps taken: fewer than planned if the deadline passed by 15 seconds."""
    done = 0
    while done < steps:
        for _ in range(min(20, steps - done)):
            for lane in lanes:
                lane.advance()
            done += 1
        synchronise(cuda)
        if done % 100 < 20 or done == steps:
            losses = [lane.losses[max(0, done - 50) : done].mean().item() for lane in lanes]
            log(f"step {done}/{steps}, loss {np.mean(losses):.4f}")
        if clock() > deadline + 15:
            log("stopped: slower than measured")
            break
    return done


def mean_losses(losses: Tensor, part_count: int = 40) -> list[float]:
    """Mean losses of consecutive parts of the training."""
    values = losses.float().cpu().numpy()
    return [round(float(part.mean()), 4) for part in np.array_split(values, min(part_count, len(values)))]
