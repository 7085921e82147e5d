import numpy as np
import pytest

from nephoscope.evaluation.calibration import (  # fmt: skip
    CHANCE,
    EVERY_CLASS,
    Stated,
    brier_table,
    confidence_table,
    reliability_table,
    statements,
)
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.rules.presence import PresenceDecision, RawPresences, decide_presence
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules


def rules(chance: tuple[Calibration, ...] | None = None, *, force: bool = False) -> Rules:
    return Rules(
        classes=("a", "b"),
        output_shape=(2, 3),
        inference_settings=InferenceSettings(),
        classifier_weight=1,
        classifier_calibrations=(Calibration(), Calibration()),
        top_fraction_calibrations=(Calibration(), Calibration()),
        force_top_class=force,
        chance_calibrations=chance,
        rules=tuple(Rule(presence_threshold=0.5, pixel_threshold=128, min_area=0) for _ in range(2)),
    )


def raw(*scores: tuple[float, float]) -> RawPresences:
    return RawPresences(np.array(scores), np.zeros((len(scores), 2)))


def test_bins_tell_what_was_stated_and_what_was_found() -> None:
    scores = np.array([[0.72], [0.78], [0.1], [1.0]])
    table = reliability_table([Stated("x", scores)], np.array([[True], [False], [False], [True]]), ("a",))
    assert table["class_name"].tolist() == ["a"] * 3 + [EVERY_CLASS] * 3
    first = table[table["class_name"] == "a"]
    assert first["stated"].tolist() == pytest.approx([0.1, 0.75, 1.0])
    assert first["found"].tolist() == [0, 0.5, 1]
    assert first["pictures"].tolist() == [1, 2, 1]


def test_brier_scores_and_errors_of_calibration() -> None:
    scores, present = np.array([[0.8, 0.5], [0.2, 0.5]]), np.array([[True, True], [True, False]])
    table = brier_table([Stated("x", scores)], present, ("a", "b"), Bootstrap(50)).set_index("class_name")
    assert table.loc["a", "brier"] == pytest.approx((0.04 + 0.64) / 2)
    assert table.loc["b", "brier"] == pytest.approx(0.25)
    assert table.loc["b", "calibration_error"] == pytest.approx(0)
    assert table.loc["a", "calibration_error"] == pytest.approx((0.2 + 0.8) / 2)
    assert table.loc[EVERY_CLASS, "brier"] == pytest.approx((0.34 + 0.25) / 2)


def test_a_chance_changes_no_decision() -> None:
    sharper = (Calibration(slope=3.0), Calibration(intercept=-9.0))
    given = raw((0.6, 0.6), (0.4, 0.9))
    plain, told = decide_presence(given, rules()), decide_presence(given, rules(sharper))
    assert (plain.present == told.present).all()
    np.testing.assert_allclose(plain.probability, given.classifier)
    assert told.probability[0, 0] > 0.6
    assert told.probability[0, 1] < 0.01
    assert statements(given, rules(sharper))[-1].source == CHANCE


def test_confidence_is_the_chance_that_the_decision_is_right() -> None:
    decision = PresenceDecision(
        np.array([[0.9, 0.1, 0.6, 0.4]]), np.array([[0.9, 0.1, 0.6, 0.4]]), np.array([[True, False, True, True]])
    )
    assert decision.confidence[0].tolist() == pytest.approx([0.9, 0.9, 0.6, 0.4])
    assert decision.unsure.tolist() == [[False, False, True, True]]


def test_a_forced_class_is_no_likelier_for_that() -> None:
    decision = decide_presence(raw((0.2, 0.1)), rules(force=True))
    assert decision.present.tolist() == [[True, False]]
    assert decision.probability[0, 0] == pytest.approx(0.2)
    assert decision.unsure.tolist() == [[True, False]]


def test_sure_and_unsure_decisions_and_how_often_they_are_wrong() -> None:
    decision = PresenceDecision(
        np.array([[0.9, 0.6], [0.8, 0.1]]), np.array([[0.9, 0.6], [0.8, 0.1]]), np.array([[True, True], [True, False]])
    )
    table = confidence_table(decision, np.array([[True, False], [False, False]]), ("a", "b")).set_index(
        ["mark", "class_name"]
    )
    assert table.loc[("sure", "a"), "wrong_share"] == 0.5
    assert table.loc[("sure", "a"), "stated_wrong_share"] == pytest.approx(0.15)
    assert table.loc[("unsure", "b"), "share"] == 0.5
    assert table.loc[("unsure", EVERY_CLASS), "wrong_share"] == 1
    assert np.isnan(table.loc[("unsure", "a"), "wrong_share"])
