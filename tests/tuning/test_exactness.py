"""The exact search equals the plain search, which decides, labels and scores every rule separately."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nephoscope.evaluation.scores import score_images
from nephoscope.masks.dice import dice
from nephoscope.rules.decide import decide
from nephoscope.rules.rules import NEVER, Rule
from nephoscope.settings.tuning import FamilyName
from nephoscope.tuning.evidence import gather
from nephoscope.tuning.families import FAMILIES, Grid, make_grid
from nephoscope.tuning.fitting import fit_presence
from nephoscope.tuning.gains import tabulate
from nephoscope.tuning.plateau import choose, map_surface
from nephoscope.tuning.search import Problem, find_cuts
from tests.builders.tuning_pictures import draw_pictures, gather_pictures, plain_dices, rules_of

PIXEL_THRESHOLDS, MIN_AREAS = (40, 51, 103, 255), (0, 2, 5, 30)


def grid_of(family: FamilyName) -> Grid:
    return make_grid(family, PIXEL_THRESHOLDS, MIN_AREAS)


@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 12))
def test_every_cell_has_the_dice_of_the_decided_mask(seed: int, height: int, width: int) -> None:
    labelled, evidence = gather_pictures(seed, count=2, shape=(height, width))
    of_class, grid = evidence.of_class[0], grid_of("area")
    gains = tabulate(of_class.spans, of_class.starts, of_class.truth_area, grid.pixel_thresholds, grid.min_areas)
    for cell, (pixel, area) in enumerate(grid.cells.T.tolist()):
        rule = Rule(presence_threshold=0, pixel_threshold=pixel, min_area=area)
        shown, empty = plain_dices(labelled, 0, np.ones(2), rule), of_class.truth_area == 0
        assert gains[:, cell] + empty == pytest.approx(shown, abs=1e-12)
        assert of_class.gains_of(rule) + empty == pytest.approx(shown, abs=1e-12)


@given(
    st.integers(0, 2**16),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.builds(
        Rule,
        presence_threshold=st.sampled_from([0.0, 0.5]),
        pixel_threshold=st.integers(1, 255),
        min_area=st.integers(0, 12),
    ),
)
def test_adaptive_thresholds_are_tuned_as_they_are_decided(seed: int, power: float, rule: Rule) -> None:
    labelled, evidence = gather_pictures(seed, count=4, classes=2)
    fitted = fit_presence(evidence, np.ones(4, bool), calibrate=False)
    rules = fitted.model_copy(update={"rules": (rule, rule), "adaptive_power": power})
    assert evidence.adapted(power).dices(rules) == pytest.approx(score_images(labelled, rules).dices, abs=1e-12)


def test_all_thresholds_and_all_areas_of_a_map() -> None:
    labelled, evidence = gather_pictures(3, count=1, shape=(15, 20))
    of_class, image = evidence.of_class[0], labelled[0]
    thresholds, areas = np.arange(1, 256), np.arange(0, 301)
    gains = tabulate(of_class.spans, of_class.starts, of_class.truth_area, thresholds, areas).reshape(255, 301)
    for threshold, area in product(range(1, 256, 17), range(0, 301, 13)):
        rule = Rule(presence_threshold=0, pixel_threshold=threshold, min_area=area)
        expected = dice(image.truth[0], decide(1, image.levels[0], image.visible, rule))
        assert gains[threshold - 1, area] + (of_class.truth_area[0] == 0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**16))
def test_no_rule_of_the_family_beats_the_best_rule(family: FamilyName, seed: int) -> None:
    labelled, evidence = gather_pictures(seed, count=6)
    of_class, presence, grid = evidence.of_class[0], labelled.raw.classifier[:, 0], grid_of(family)
    weight = np.ones(6)
    problem = Problem.gated(presence, weight, of_class.present) if grid.gated else Problem.open(weight)
    (choice,) = choose(of_class, grid, [problem])
    best = max(plain_dices(labelled, 0, presence, rule).mean() for rule in rules_of(grid, presence))
    assert choice.best_gain + (~of_class.present).mean() == pytest.approx(best, abs=1e-12)
    assert plain_dices(labelled, 0, presence, choice.best).mean() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_all_empty_and_all_full_truth(truth: float) -> None:
    labelled = draw_pictures(0, count=5)
    labelled.truths[:] = bool(truth)
    evidence = gather(labelled)
    of_class, presence, grid = evidence.of_class[0], labelled.raw.classifier[:, 0], grid_of("presence")
    (choice,) = choose(of_class, grid, [Problem.gated(presence, np.ones(5), of_class.present)])
    best = max(plain_dices(labelled, 0, presence, rule).mean() for rule in rules_of(grid, presence))
    assert plain_dices(labelled, 0, presence, choice.best).mean() == pytest.approx(best, abs=1e-12)


@given(st.integers(0, 2**16), st.integers(1, 12))
def test_a_weight_equals_a_repeated_image(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    presence, gains, weight = rng.integers(0, 5, count) / 5, rng.random((count, 7)) - 0.5, rng.integers(0, 3, count)
    once = Problem.gated(presence, weight.astype(float), gains[:, 0] > 0)
    again = Problem.gated(np.repeat(presence, weight), np.ones(weight.sum()), np.repeat(gains[:, 0] > 0, weight))
    totals, cuts = find_cuts(gains, once.order, once.weight, once.allowed)
    repeated = np.repeat(gains, weight, axis=0)
    expected, other_cuts = find_cuts(repeated, again.order, again.weight, again.allowed)
    assert totals == pytest.approx(expected, abs=1e-12)
    assert once.thresholds[cuts] == pytest.approx(again.thresholds[other_cuts])


def test_neighbouring_presences_are_separated() -> None:
    presence = np.array([0.5, np.nextafter(0.5, 0)])
    problem = Problem.gated(presence, np.ones(2), np.array([True, False]))
    assert [(presence >= threshold).tolist() for threshold in problem.thresholds] == [
        [False, False],
        [True, False],
        [True, True],
    ]
    assert problem.thresholds[[0, -1]].tolist() == [NEVER, 0]


def test_equal_presences_stay_together() -> None:
    problem = Problem.gated(np.array([0.3, 0.7, 0.3]), np.ones(3), np.ones(3, bool))
    assert problem.allowed.tolist() == [True, True, False, True]


def test_the_surface_has_the_best_dice_of_every_cell() -> None:
    labelled, evidence = gather_pictures(5, count=6)
    of_class, presence, grid = evidence.of_class[0], labelled.raw.classifier[:, 0], grid_of("presence")
    surface = map_surface(of_class, grid, Problem.gated(presence, np.ones(6), of_class.present))
    for (t, pixel), (a, area) in product(enumerate(grid.pixel_thresholds), enumerate(grid.min_areas)):
        same = [r for r in rules_of(grid, presence) if (r.pixel_threshold, r.min_area) == (pixel, area)]
        best = max(plain_dices(labelled, 0, presence, rule).mean() for rule in same)
        assert surface.gains[t, a] + (~of_class.present).mean() == pytest.approx(best, abs=1e-12)
    assert surface.within_noise[np.unravel_index(surface.gains.argmax(), surface.gains.shape)]


def test_a_large_grid_is_searched_in_blocks_like_a_small_one() -> None:
    _, evidence = gather_pictures(1, count=5, shape=(30, 40))
    thresholds, areas = np.arange(1, 256), np.arange(0, 1000)
    whole = Grid(thresholds, areas, gated=True)
    assert sum(len(block.min_areas) for block in whole.blocks(2048)) == 1000
    problem = Problem.gated(np.arange(5) / 5, np.ones(5), evidence.of_class[0].present)
    (choice,) = choose(evidence.of_class[0], whole, [problem])
    of_class = evidence.of_class[0]
    gains = tabulate(of_class.spans, of_class.starts, of_class.truth_area, thresholds, areas)
    totals, _ = find_cuts(gains, problem.order, problem.weight, problem.allowed)
    assert choice.best_gain == pytest.approx(totals.max() / 5, abs=1e-12)


def test_simpler_families_search_fewer_parts() -> None:
    assert [grid_of(family).min_areas.tolist() for family in FAMILIES] == [[0], list(MIN_AREAS), list(MIN_AREAS)]
    assert [grid_of(family).gated for family in FAMILIES] == [False, False, True]
