import numpy as np
import pytest
from sklearn.metrics import fbeta_score

from nephoscope.errors import UserError
from nephoscope.rules.presence import RawPresences, presences
from nephoscope.settings.tuning import Tune
from nephoscope.tuning.constraints import Constraint, constraints_of
from nephoscope.tuning.search import Problem
from nephoscope.tuning.tune import Tuning, tune

PRESENCE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
PRESENT = np.array([True, True, False, True, False, False])


SETTINGS = Tune(
    presence="classifier",
    family="presence",
    pixel_thresholds=(100,),
    min_areas=(0,),
    folds=3,
    resamples=3,
    bootstrap=20,
)


def allowed_counts(constraint: Constraint) -> list[int]:
    """The allowed numbers of shown images."""
    return np.flatnonzero(Problem.gated(PRESENCE, np.ones(6), PRESENT, constraint).allowed).tolist()


def test_bounds_on_precision_and_recall() -> None:
    assert allowed_counts(Constraint("a", min_precision=0.75)) == [1, 2, 4]
    assert allowed_counts(Constraint("a", min_recall=0.6)) == [2, 3, 4, 5, 6]
    assert allowed_counts(Constraint("a", min_precision=0.75, min_recall=1)) == [4]


@pytest.mark.parametrize("beta", [0.5, 1, 2])
def test_the_best_f_beta(beta: float) -> None:
    scores = [fbeta_score(PRESENT, np.arange(6) < count, beta=beta, zero_division=0) for count in range(7)]
    assert allowed_counts(Constraint("a", beta=beta)) == np.flatnonzero(np.isclose(scores, max(scores))).tolist()


def test_weights_count() -> None:
    weight = np.array([1, 1, 5, 1, 1, 1.0])
    problem = Problem.gated(PRESENCE, weight, PRESENT, Constraint("a", min_precision=0.4))
    assert np.flatnonzero(problem.allowed).tolist() == [1, 2]


def test_impossible_bounds_are_refused_with_what_is_possible() -> None:
    cuts = np.ones(7, bool)
    with pytest.raises(UserError, match=r"Fish: no presence threshold has precision >= 0.9 and recall >= 1.*0.750"):
        Constraint("Fish", min_precision=0.9, min_recall=1).check(cuts, np.ones(6), PRESENT)
    Constraint("Fish", min_precision=0.9).check(cuts, np.ones(6), PRESENT)


def test_the_nearest_cut_is_allowed_if_none_satisfies_the_bounds() -> None:
    assert allowed_counts(Constraint("Fish", min_precision=0.9, min_recall=1)) == [4]


def test_settings_name_classes() -> None:
    constraints = constraints_of(Tune(min_precision={"a": 0.9, "every": 0.5}, min_recall={"b": 0.7}), ("a", "b"))
    assert constraints == [Constraint("a", 0.9, 0.0), Constraint("b", 0.5, 0.7)]
    assert constraints_of(Tune(), ("a", "b")) == [None, None]
    with pytest.raises(UserError, match=r"min_recall: unknown class \['c'\]"):
        constraints_of(Tune(min_recall={"c": 0.5}), ("a", "b"))


def noisy_pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maps that show the mask in every image, and a classifier that is right in four of five."""
    rng = np.random.default_rng(0)
    truths = np.zeros((60, 1, 12, 12), bool)
    truths[::2, :, 3:9, 3:9] = True
    right = rng.random((60, 1)) < 0.8
    presences = np.where(right == truths.any((2, 3)), 0.5 + 0.5 * rng.random((60, 1)), 0.5 * rng.random((60, 1)))
    maps = np.broadcast_to(0.7 * truths[:1], truths.shape) + 0.3 * rng.random(truths.shape)
    return maps, truths, presences


@pytest.mark.parametrize(
    "objective", [{"objective": "f_beta"}, {"min_recall": {"every": 0.9}}, {"min_precision": {"Fish": 0.9}}]
)
def test_forcing_is_refused_with_constraints(objective: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="force_top_class: true conflicts with objective"):
        Tune.model_validate({"force_top_class": True, **objective})


def test_the_tuned_rule_satisfies_its_bounds() -> None:
    maps, truths, scores = noisy_pictures()
    tuning = tune(maps, truths, scores, settings=SETTINGS.model_copy(update={"min_recall": {"every": 0.95}}))
    shown, present = shown_by(tuning, scores), truths.any((2, 3))
    assert (shown & present).sum() / present.sum() >= 0.95
    free = tune(maps, truths, scores, settings=SETTINGS)
    assert shown_by(free, scores).sum() < shown.sum()


def shown_by(tuning: Tuning, scores: np.ndarray) -> np.ndarray:
    return presences(RawPresences(scores, scores), tuning.rules) >= tuning.rules.rules[0].presence_threshold


def test_a_bound_for_every_class_skips_classes_that_are_never_annotated() -> None:
    maps, truths, scores = (np.concatenate([array, array], axis=1) for array in noisy_pictures())
    truths[:, 1] = False
    bounds = ({"every": 0.9}, {"class 0": 0.9, "class 1": 0.9})
    for_every, for_each = (SETTINGS.model_copy(update={"min_recall": bound}) for bound in bounds)
    rules = tune(maps, truths, scores, settings=for_every).rules.rules
    assert rules[0].presence_threshold < 1 < rules[1].presence_threshold
    with pytest.raises(UserError, match=r"class 1: never annotated in validation, .* tune\.min_recall"):
        tune(maps, truths, scores, settings=for_each)


def test_impossible_bounds_stop_the_tuning() -> None:
    maps, truths, scores = noisy_pictures()
    with pytest.raises(UserError, match="class 0: no presence threshold has precision >= 1"):
        tune(
            maps,
            truths,
            scores,
            settings=SETTINGS.model_copy(update={"min_precision": {"every": 1}, "min_recall": {"every": 0.9}}),
        )


def test_shrinkage_moves_no_class_that_has_bounds() -> None:
    random = np.random.default_rng(0)
    truths = np.zeros((60, 3, 10, 10), bool)
    truths[random.random((60, 3)) < 0.5, 2:8, 2:8] = True
    presences_of_classes = 0.5 * truths.any((2, 3)) + 0.5 * random.random((60, 3))
    bounds = {"objective": "dice", "min_recall": {"a": 1.0}, "calibrate": True}
    unmoved, shrunk = (
        tune(
            0.8 * truths,
            truths,
            presences_of_classes,
            classes=("a", "b", "c"),
            settings=Tune.model_validate(SETTINGS.model_dump() | bounds | {"shrinkage": shrinkage}),
        ).rules.rules
        for shrinkage in (0.0, 1.0)
    )
    assert shrunk[0] == unmoved[0]
    assert shrunk[1].presence_threshold == pytest.approx(shrunk[2].presence_threshold)
    assert unmoved[1].presence_threshold != pytest.approx(unmoved[2].presence_threshold)
