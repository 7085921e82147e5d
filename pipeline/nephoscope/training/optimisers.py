"""Optimisers and learning-rate schedules, with separate rates for encoder and decoder."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from nephoscope.models.network import Network
from nephoscope.settings.training import Optimiser, OptimiserName, ScheduleName

Groups = list[dict[str, Any]]
OPTIMISERS: dict[OptimiserName, Callable[[Groups, float], optim.Optimizer]] = {
    "radam": lambda groups, decay: optim.RAdam(groups, weight_decay=decay, decoupled_weight_decay=True),
    "adamw": lambda groups, decay: optim.AdamW(groups, weight_decay=decay, fused=True),
    "adam": lambda groups, decay: optim.Adam(groups, weight_decay=decay, fused=True),
    "nadam": lambda groups, decay: optim.NAdam(groups, weight_decay=decay, decoupled_weight_decay=True),
    "sgd": lambda groups, decay: optim.SGD(groups, weight_decay=decay, momentum=0.9, nesterov=True, fused=True),
    "rmsprop": lambda groups, decay: optim.RMSprop(groups, weight_decay=decay, momentum=0.9),
}


def _onecycle(optimiser: optim.Optimizer, settings: Optimiser, steps: int) -> LRScheduler | None:
    if steps < 4:
        return None  # too short for a rise and a fall
    peaks = [group["lr"] for group in optimiser.param_groups]
    # PyTorch divides by the length of the rise and of the fall, so both need at least one step.
    rising = min(max(settings.warmup_share, 2 / steps), 1 - 2 / steps)
    return OneCycleLR(optimiser, peaks, total_steps=steps, pct_start=rising, cycle_momentum=False)


def _cosine(optimiser: optim.Optimizer, settings: Optimiser, steps: int) -> LRScheduler:
    rising = settings.warmup_share * steps

    def share(step: int) -> float:
        if step < rising:
            return (step + 1) / (rising + 1)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))

    return LambdaLR(optimiser, share)


def _plateau(optimiser: optim.Optimizer, settings: Optimiser, _: int) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(
        optimiser, mode="max", factor=settings.plateau_factor, patience=settings.plateau_patience, threshold=0.0
    )


SCHEDULES: dict[ScheduleName, Callable[[optim.Optimizer, Optimiser, int], LRScheduler | None]] = {
    "constant": lambda *_: None,
    "onecycle": _onecycle,
    "cosine": _cosine,
    "plateau": _plateau,
}


def build_optimiser(network: Network, settings: Optimiser, further: Iterable[nn.Parameter] = ()) -> optim.Optimizer:
    """The first group is the encoder, if there is one; the last is the decoder or head, with `further` parameters."""
    rates = {
        "encoder": (network.encoder_parameters(), settings.encoder_rate),
        "decoder": ([*network.decoder_parameters(), *further], settings.decoder_rate),
    }
    groups = [{"name": name, "params": params, "lr": rate} for name, (params, rate) in rates.items() if params]
    return OPTIMISERS[settings.name](groups, settings.weight_decay)


def build_schedule(optimiser: optim.Optimizer, settings: Optimiser, steps: int) -> LRScheduler | None:
    """A schedule over this many batches; `plateau` is stepped once per epoch with the score."""
    return SCHEDULES[settings.schedule](optimiser, settings, steps)
