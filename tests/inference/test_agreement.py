"""An engine that is wrong for one class only, or only where it matters, does not match PyTorch."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.folder import REFERENCE_OUTPUTS
from nephoscope.inference.agreement import LIMITS, Difference
from nephoscope.settings.section import Precision

OUTPUTS = load_file(SHIPPED / REFERENCE_OUTPUTS)
PRECISIONS = tuple(LIMITS)


def sparse_maps() -> np.ndarray:
    """Two images and two classes. The second is a defect of a few pixels, of which the network is never sure."""
    maps = np.random.default_rng(0).uniform(0.0, 0.9, (2, 2, 32, 48)).astype(np.float32)
    maps[:, 1] = 1e-4
    maps[0, 1, 3:6, 10:14] = 0.03
    return maps


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_engine_that_returns_zero_for_a_sparse_class_does_not_match(precision: Precision) -> None:
    expected = sparse_maps()
    output = expected.copy()
    output[:, 1] = 0
    difference = Difference.between(output, expected)
    assert difference.mean < 0.001
    assert difference.decisions == 0
    assert not difference.within(LIMITS[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_for_every_class_of_the_shipped_networks_zero_does_not_match(name: str, precision: Precision) -> None:
    expected = OUTPUTS[name]
    for index in range(expected.shape[1]):
        output = expected.copy()
        output[:, index] = 0
        assert not Difference.between(output, expected).within(LIMITS[precision]), index


def test_decisions_count_where_they_are_clear() -> None:
    """Neither the mean nor the strongest pixels show that a tenth of a map falls below one half."""
    expected = np.full((1, 1, 40, 50), 0.01, np.float32)
    expected[..., :8, :25] = 0.56
    expected[..., 0, :] = 0.99
    output = expected.copy()
    output[..., 1:8, :25] = 0.49
    difference = Difference.between(output, expected)
    assert (difference.mean < LIMITS["bf16"].mean, difference.strongest) == (True, 0)
    assert difference.decisions == pytest.approx(175 / 225)
    # Within the margin a decision may fall on either side.
    expected[..., 1:8, :25] = 0.54
    assert Difference.between(output, expected).decisions == 0


def test_the_figures_are_those_of_the_worst_class() -> None:
    expected = np.full((2, 3), 0.5, np.float32)
    output = expected.copy()
    output[:, 2] = np.e / (1 + np.e)  # log-odds 1
    mean, strongest, decisions = Difference.between(output, expected)
    assert mean == pytest.approx((np.e / (1 + np.e) - 0.5) / 3)
    assert strongest == pytest.approx(1)
    assert decisions == 0  # one half is within the margin


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_rounding_matches(name: str, precision: Precision) -> None:
    """Errors of the log-odds as the precision makes them, relative to their size."""
    rounding = {"fp32": 2e-6, "bf16": 2**-8}[precision]
    expected = OUTPUTS[name].astype(np.float64)
    log_odds = np.log(expected / (1 - expected))
    errors = np.random.default_rng(0).normal(0, rounding, expected.shape) * np.maximum(1, np.abs(log_odds))
    output = (1 / (1 + np.exp(-(log_odds + errors)))).astype(np.float32)
    assert Difference.between(output, OUTPUTS[name]).within(LIMITS[precision])


def test_nan_does_not_match() -> None:
    expected = sparse_maps()
    output = np.full_like(expected, np.nan)
    assert not Difference.between(output, expected).within(LIMITS["bf16"])
