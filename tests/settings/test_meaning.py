"""Settings mean what their descriptions say, also at the edge of what is allowed."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from nephoscope.settings.data import Prepare
from nephoscope.settings.inference import Predict
from nephoscope.settings.section import Section
from nephoscope.settings.training import TrainSegmenter
from nephoscope.settings.tuning import Tune


def test_a_range_has_its_first_and_its_last_number() -> None:
    settings = Tune.model_validate({
        "pixel_thresholds": {"first": 5, "last": 25, "step": 10},
        "min_areas": {"first": 0, "last": 7, "step": 5},
    })  # fmt: skip
    assert settings.pixel_thresholds == (5, 15, 25)
    assert settings.min_areas == (0, 5)


def test_thresholds_and_areas_ascend_and_differ_whatever_their_order() -> None:
    settings = Tune(pixel_thresholds=(200, 51, 51), min_areas=(9, 0, 9, 4))
    assert settings.pixel_thresholds == (51, 200)
    assert settings.min_areas == (0, 4, 9)


def test_folds_without_a_member_are_not_held_out() -> None:
    assert Prepare(folds=5, folds_held_out=2).held_out == 2
    assert Prepare(folds=5, folds_held_out=5).held_out == 5
    assert Prepare(folds=5).held_out == 5
    assert Prepare().held_out == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Prepare(validation_share=0.5, holdout_share=0.5), "must stay below 1"),
        (lambda: Prepare(folds=2, folds_held_out=3), "3, but there are 2 folds"),
        (lambda: TrainSegmenter(loss={"bce": 1.0, "dice": -0.5}), "greater than 0"),
        (lambda: Predict(flips=("none", "none")), "named twice"),
        (lambda: Tune.model_validate({"fold": 4}), "Extra inputs are not permitted"),
    ],
)
def test_settings_that_would_give_nonsense_are_refused(make: Callable[[], Section], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()
