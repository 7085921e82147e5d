"""Every fold is scored by the structure that was decided without it."""

from typing import Any

import numpy as np
import pytest

from nephoscope.settings.tuning import Tune
from nephoscope.tuning.crossfit import CrossFitting, LeftOut, Structure
from nephoscope.tuning.evidence import gather
from tests.builders.tuning_pictures import draw_pictures

SETTINGS = Tune(pixel_thresholds=(51, 102, 153), min_areas=(0, 3), folds=3, resamples=2, bootstrap=20)


def test_each_fold_is_scored_with_its_own_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the classifier's weight is decided as 1 for all images and as 0 without fold 1, fold 1 is scored with 0."""
    labelled = draw_pictures(7, count=30, classes=2)
    crossfitting = CrossFitting(gather(labelled), SETTINGS, [None] * 2, np.array(SETTINGS.min_areas))
    weights = {LeftOut({1}): 0.0}

    def decide(left_out: list[LeftOut], _: bool) -> Any:
        return [Structure(classifier_weight=weights.get(folds, 1.0)) for folds in left_out], [[] for _ in left_out]

    monkeypatch.setattr(crossfitting, "_decide", decide)
    cross_fitted = crossfitting.run()
    assert cross_fitted.fit.rules.classifier_weight == 1
    for fold, weight in ((0, 1.0), (1, 0.0), (2, 1.0)):
        (fit,) = crossfitting._fit([(Structure(classifier_weight=weight), LeftOut({fold}))], thinned=False)
        rows = crossfitting.folds == fold
        assert (cross_fitted.dices[rows] == crossfitting.evidence.dices(fit.rules)[rows]).all()
