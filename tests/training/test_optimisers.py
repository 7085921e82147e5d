"""Optimisers and schedules: the size of a step, and the rate of every group at every step."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn, optim

from nephoscope.models.classifier import build_classifier
from nephoscope.models.segmenter import build_segmenter
from nephoscope.settings.training import Optimiser
from nephoscope.training.optimisers import OPTIMISERS, build_optimiser, build_schedule

PEAKS = {"encoder": 2e-3, "decoder": 1e-2}


def groups() -> optim.Optimizer:
    """An optimiser of two groups with different rates."""
    parameters = {name: nn.Parameter(torch.ones(1)) for name in PEAKS}
    return optim.SGD([{"name": name, "params": [parameters[name]], "lr": rate} for name, rate in PEAKS.items()])


def rates_of(settings: Optimiser, steps: int) -> list[dict[str, float]]:
    """The rate of every group at every step, relative to its peak."""
    optimiser = groups()
    schedule, rates = build_schedule(optimiser, settings, steps), []
    for step in range(steps):
        rates.append({group["name"]: group["lr"] / PEAKS[group["name"]] for group in optimiser.param_groups})
        optimiser.step()
        if schedule is not None and step < steps - 1:
            schedule.step()
    return rates


def onecycle(step: int, steps: int, warmup: float) -> float:
    """From 1/25 of the peak up, and down to 1/10000 of that, along half cosines."""
    top = warmup * steps - 1
    if step <= top:
        return 1 + (1 / 25 - 1) / 2 * (1 + math.cos(math.pi * step / top))
    low = 1 / 25 / 10_000
    return low + (1 - low) / 2 * (1 + math.cos(math.pi * (step - top) / (steps - 1 - top)))


def cosine(step: int, steps: int, warmup: float) -> float:
    rise = warmup * steps
    return (step + 1) / (rise + 1) if step < rise else (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


@pytest.mark.parametrize(
    ("schedule", "expected"), [("constant", lambda *_: 1.0), ("onecycle", onecycle), ("cosine", cosine)]
)
@pytest.mark.parametrize("warmup", [0.25, 0.5])
def test_every_group_follows_the_schedule(
    schedule: str, expected: Callable[[int, int, float], float], warmup: float
) -> None:
    steps = 16
    settings = Optimiser.model_validate({"schedule": schedule, "warmup_share": warmup})
    for step, rates in enumerate(rates_of(settings, steps)):
        assert rates == dict.fromkeys(PEAKS, pytest.approx(expected(step, steps, warmup)))


def test_onecycle_of_any_length_rises_and_falls() -> None:
    for steps in range(1, 12):
        for share in (0.0, 0.25, 1.0):
            rates = [rate["decoder"] for rate in rates_of(Optimiser(schedule="onecycle", warmup_share=share), steps)]
            assert 0.8 < max(rates) <= 1 + 1e-9
            assert min(rates) > 0
            if steps >= 4:
                assert rates[0] == pytest.approx(1 / 25)
                assert rates[-1] < 1e-4


def test_plateau_lowers_all_rates_when_the_score_stops_rising() -> None:
    optimiser = groups()
    settings = Optimiser(schedule="plateau", plateau_patience=1, plateau_factor=0.3)
    schedule, rates = build_schedule(optimiser, settings, 0), []
    for score in (0.1, 0.2, 0.2, 0.1, 0.3, 0.4):
        schedule.step(score)  # type: ignore[union-attr]
        rates.append([group["lr"] for group in optimiser.param_groups])
    peaks, lowered = list(PEAKS.values()), [0.3 * rate for rate in PEAKS.values()]
    assert rates[:3] == [peaks] * 3
    assert [rate for step in rates[3:] for rate in step] == pytest.approx(lowered * 3)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("adam", 1.0),  # the sign of the gradient
        ("adamw", 1.0),
        ("radam", 0.5),  # the gradient itself, until its variance is known
        ("sgd", 0.5 * 1.9),  # momentum 0.9 with Nesterov's look ahead
        ("rmsprop", 1 / math.sqrt(1 - 0.99)),
    ],
)
def test_the_first_step_has_the_size_of_the_optimiser(name: str, step: float) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimiser = OPTIMISERS[name]([{"params": [weight], "lr": 0.01}], 0.0)  # type: ignore[index]
    weight.grad = torch.tensor([0.5])
    optimiser.step()
    assert weight.item() == pytest.approx(2 - 0.01 * step, abs=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_reaches_a_minimum(name: str) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimiser = OPTIMISERS[name]([{"params": [weight], "lr": 0.02}], 0.0)  # type: ignore[index]
    for _ in range(300):
        optimiser.zero_grad()
        (weight - 1).square().sum().backward()
        optimiser.step()
    assert weight.item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", ["adamw", "radam", "nadam"])
def test_weight_decay_is_decoupled_from_the_gradient(name: str) -> None:
    weight = nn.Parameter(torch.tensor([2.0]))
    optimiser = OPTIMISERS[name]([{"params": [weight], "lr": 0.01}], 0.3)  # type: ignore[index]
    for _ in range(10):
        weight.grad = torch.zeros(1)
        optimiser.step()
    assert weight.item() == pytest.approx(2 * (1 - 0.01 * 0.3) ** 10)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
def test_weight_decay_pulls_as_a_gradient_does(name: str) -> None:
    decayed, pulled = nn.Parameter(torch.tensor([2.0])), nn.Parameter(torch.tensor([2.0]))
    for weight, decay, gradient in ((decayed, 0.3, 0.0), (pulled, 0.0, 0.3 * 2)):
        optimiser = OPTIMISERS[name]([{"params": [weight], "lr": 0.01}], decay)  # type: ignore[index]
        weight.grad = torch.tensor([gradient])
        optimiser.step()
    assert decayed.item() == pytest.approx(pulled.item())
    assert decayed.item() < 2


def test_encoder_and_decoder_have_rates_of_their_own() -> None:
    settings = Optimiser(name="sgd", encoder_rate=1e-4, decoder_rate=1e-2, weight_decay=0.05)
    for network in (build_classifier("resnet10t", 2, (32, 32)), build_segmenter("FPN", "resnet18", 2)):
        further = nn.Parameter(torch.zeros(1))
        encoder, decoder = build_optimiser(network, settings, [further]).param_groups
        assert [group["lr"] for group in (encoder, decoder)] == [1e-4, 1e-2]
        assert [group["weight_decay"] for group in (encoder, decoder)] == [0.05, 0.05]
        head = {id(weight) for module in network.head_modules() for weight in module.parameters()}
        expected = {id(weight) for weight in network.encoder.parameters()} - head
        assert {id(weight) for weight in encoder["params"]} == expected
        everything = {id(weight) for weight in [*network.parameters(), further]}
        assert {id(weight) for weight in decoder["params"]} == everything - expected


def test_a_network_without_an_encoder_has_one_group() -> None:
    (group,) = build_optimiser(build_segmenter("VanillaUnet", "", 2), Optimiser(decoder_rate=0.02)).param_groups
    assert (group["name"], group["lr"]) == ("decoder", 0.02)
