"""Scenes of any size: one window as a plain image, several blended, decided as a whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import ndimage

from nephoscope.data.images import fit_image
from nephoscope.data.visible import find_visible
from nephoscope.earth.grid import Bounds
from nephoscope.earth.scene import Scene
from nephoscope.earth.windows.plan import plan_windows
from nephoscope.earth.windows.row_store import read_rows
from nephoscope.errors import UserError
from nephoscope.inference import scenes
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.inference.scenes import predict_scene
from nephoscope.masks.geometry import Image
from nephoscope.rules.presence import RawPresences, decide_presence
from nephoscope.rules.rules import Rules
from tests.builders.scenes import (
    CACHE_SHAPE,
    OUTPUT_SHAPE,
    PIXELS,
    ArrayScene,
    ContextEngine,
    draw_clouds,
    scene_rules,
    stand_in,
)

CARIBBEAN = (-61, 10, -40, 24)
ARRAYS = ("masks", "levels", "visible", "presence", "present", "confidence")


def predict_plainly(image: Image, rules: Rules, model: Ensemble | None = None) -> Result:
    fitted = fit_image(image, CACHE_SHAPE)
    predictions = (model or stand_in()).predict(fitted[None], find_visible(fitted)[None])
    return decide_results(["plain"], predictions, rules)[0]


def scene_at(image: Image, west: float = 0, south: float = 0) -> ArrayScene:
    """An image at four pixels per degree."""
    height, width = (side / PIXELS for side in image.shape[:2])
    return ArrayScene(image, (west, south, west + width, south + height))


def predict(image: Image, rules: Rules | None = None, **options: float) -> Result:
    return predict_scene(stand_in(), rules or scene_rules(), scene_at(image), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("force_top_class", [False, True])
@pytest.mark.parametrize("shape", [(56, 84), (57, 83), (224, 336), (30, 40)])
def test_one_window_is_exactly_a_plain_image(seed: int, force_top_class: bool, shape: tuple[int, int]) -> None:
    image = np.asarray(draw_clouds(14, 21, seed=seed))
    image[:, : 10 * seed] = 0  # a strip between two orbits
    image = fit_image(image, shape)
    thresholds = (0.9, 0.8) if force_top_class else (0.55, 0.5)
    rules = scene_rules(force_top_class=force_top_class)
    changed = [
        rule.model_copy(update={"presence_threshold": threshold})
        for rule, threshold in zip(rules.rules, thresholds, strict=True)
    ]
    rules = rules.model_copy(update={"rules": tuple(changed)})
    plain = predict_plainly(image, rules)
    result = predict_scene(stand_in(), rules, ArrayScene(image, CARIBBEAN))
    for name in ARRAYS:
        assert np.array_equal(getattr(result, name), getattr(plain, name)), name
    assert plain.present.any() == (force_top_class or plain.masks.any())
    assert result.presence_map is result.confidence_map is None
    assert result.place is not None
    assert result.place.grid.bounds == pytest.approx(CARIBBEAN)
    assert result.place.grid.shape == OUTPUT_SHAPE
    assert result.place.time == np.datetime64("2020-01-20T14:00:00")


def blend_densely(image: Image, rules: Rules, overlap: float) -> dict[str, np.ndarray]:
    """The definition, on whole arrays in double precision: the oracle of the streamed prediction."""
    scene, model = scene_at(image), stand_in()
    plan = plan_windows(scene.place.grid, (14, 21), OUTPUT_SHAPE, overlap)
    sums = {name: np.zeros((2, *plan.shape)) for name in ("levels", "presence", "compared", "confidence", "top_mean")}
    seen_weight, weights, visible = np.zeros(plan.shape), np.zeros(plan.shape), np.zeros(plan.shape, bool)
    ratio = PIXELS // 2  # pixels per cell
    height, width = OUTPUT_SHAPE
    taper = np.outer(*(np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2 for side in OUTPUT_SHAPE))
    for top in plan.rows.starts:
        for left in plan.columns.starts:
            rows, columns = slice(top, top + height), slice(left, left + width)
            part = image[top * ratio : (top + height) * ratio, left * ratio : (left + width) * ratio]
            fitted = fit_image(part, CACHE_SHAPE)
            seen = find_visible(fitted)
            if seen.mean() < 0.2:
                continue
            (prediction,) = model.predict(fitted[None], seen[None])
            decision = decide_presence(RawPresences(prediction.classifier[None], prediction.top_mean[None]), rules)
            numbers = {
                "presence": decision.probability,
                "compared": decision.compared,
                "confidence": decision.confidence,
                "top_mean": prediction.top_mean[None],
            }
            sums["levels"][:, rows, columns] += taper * seen * prediction.levels
            seen_weight[rows, columns] += taper * seen
            weights[rows, columns] += taper
            visible[rows, columns] |= seen
            for name, values in numbers.items():
                sums[name][:, rows, columns] += taper * values[0][:, None, None]
    with np.errstate(invalid="ignore"):
        blended = {name: total / (seen_weight if name == "levels" else weights) for name, total in sums.items()}
    return {**blended, "visible": visible}


def decide_densely(levels: np.ndarray, blended: dict[str, np.ndarray], rules: Rules) -> np.ndarray:
    masks = []
    for index, rule in enumerate(rules.rules):
        threshold = np.ceil(np.maximum(blended["top_mean"][index], 0.05) ** rules.adaptive_power * rule.pixel_threshold)
        present = blended["compared"][index] >= rule.presence_threshold
        mask = blended["visible"] & (levels[index] >= threshold) & present
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        masks.append(mask & (np.bincount(labels.ravel(), minlength=count + 1) >= rule.min_area)[labels])
    return np.stack(masks)


@pytest.mark.parametrize(("height", "width", "overlap"), [(14, 63, 0.5), (35, 21, 0.5), (45, 80, 0.5), (30, 50, 0.25)])
def test_several_windows_are_blended_as_defined(
    height: float, width: float, overlap: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "STRIP_CELLS", 700)  # many strips
    image = draw_clouds(height, width, seed=5)
    image[40:, 70:130] = 0  # a strip that nobody saw
    rules = scene_rules(min_area=60)
    expected = blend_densely(image, rules, overlap)
    result = predict(image, rules, overlap=overlap)
    assert (result.visible == expected["visible"]).all()
    assert not result.visible.all()
    difference = np.abs(result.levels - expected["levels"])[:, expected["visible"]]
    assert difference.max() <= 0.5 + 1e-4
    assert np.allclose(result.presence_map, expected["presence"], atol=1e-6)
    assert np.allclose(result.confidence_map, expected["confidence"], atol=1e-6)
    assert (result.masks == decide_densely(result.levels, expected, rules)).all()
    assert 0.1 < result.masks.mean() < 0.9
    unfiltered = predict(image, scene_rules(min_area=0), overlap=overlap)
    assert (unfiltered.masks != result.masks).any()  # the smallest area matters here


def side_by_side(count: int = 3) -> list[Image]:
    return [draw_clouds(14, 21, seed=seed) for seed in range(count)]


def test_aligned_windows_without_overlap_give_every_stand_alone_map() -> None:
    images, rules = side_by_side(), scene_rules(min_area=0)
    result = predict(np.concatenate(images, axis=1), rules, overlap=0)
    for index, image in enumerate(images):
        plain = predict_plainly(image, rules)
        cells = slice(42 * index, 42 * (index + 1))
        assert (result.levels[..., cells] == plain.levels).all()
        assert (result.masks[..., cells] == plain.masks).all()
        assert np.allclose(np.asarray(result.presence_map)[..., cells], plain.presence[:, None, None], atol=1e-6)


def test_interiors_of_overlapping_windows_agree_with_their_stand_alone_maps() -> None:
    """Halfway between the centres of two windows both count alike, so only the inner half of a scene is compared."""
    images, rules = side_by_side(), scene_rules(min_area=0)
    result = predict(np.concatenate(images, axis=1), rules)
    for index, image in enumerate(images):
        plain = predict_plainly(image, rules)
        inner = slice(10, 32)
        cells = slice(42 * index + inner.start, 42 * index + inner.stop)
        assert np.abs(result.levels[..., cells].astype(int) - plain.levels[..., inner]).mean() < 4
        assert (result.masks[..., cells] == plain.masks[..., inner]).mean() > 0.95


def test_shifted_windows_change_little() -> None:
    """Without its first quarter of a window, a scene has windows halfway between those of the whole scene."""
    image, rules = draw_clouds(14, 84, seed=3), scene_rules(min_area=0)
    whole, shifted = predict(image, rules), predict(image[:, 20:], rules)
    levels = whole.levels[..., 10:], shifted.levels
    masks = whole.masks[..., 10:], shifted.masks
    inside = slice(42, -42)
    assert 0 < np.abs(levels[0].astype(int) - levels[1])[..., inside].mean() < 3
    assert (masks[0] != masks[1])[..., inside].mean() < 0.03


def test_what_was_not_seen_differs_from_nothing_there() -> None:
    """Of a window at the right, 10 % were seen: it says nothing, and only its left neighbours see a part of it."""
    image = draw_clouds(14, 63, seed=1)
    seen = np.ones(image.shape[:2], bool)
    seen[:, 143:] = False
    seen[:, 244:] = True  # 8 columns of 84 at the right end
    result = predict_scene(stand_in(), scene_rules(), ArrayScene(image, (0, 0, 63, 14), seen))
    assert result.visible[:, :71].all()
    assert not result.visible[:, 72:].any()
    assert not result.masks[:, ~result.visible].any()
    field = np.asarray(result.presence_map)
    assert np.isfinite(field[..., :84]).all()
    assert np.isnan(field[..., 105:]).all()


def test_pixels_that_one_window_sees_and_another_does_not_are_visible() -> None:
    image = draw_clouds(14, 42, seed=2)
    rules = scene_rules()
    full = predict(image, rules)
    image[:, :40] = 0
    half_seen = predict(image, rules)
    assert not half_seen.visible[:, :19].any()
    assert half_seen.visible[:, 20:].all()
    assert full.visible.all()
    # The window in the middle sees less, but pixels that it did not see carry no weight.
    assert np.abs(half_seen.levels[..., 60:].astype(int) - full.levels[..., 60:]).max() < 25


@pytest.mark.parametrize("seen_share", [0.0, 0.15])
def test_a_scene_of_which_too_little_was_seen_is_refused(seen_share: float) -> None:
    image = draw_clouds(14, 63)
    seen = np.zeros(image.shape[:2], bool)
    seen[:, : round(84 * seen_share)] = True
    with pytest.raises(UserError, match=r"scene: too little was seen; of the best window 1?\d% .* at least 20%"):
        predict_scene(stand_in(), scene_rules(), ArrayScene(image, (0, 0, 63, 14), seen))


@pytest.mark.parametrize(("height", "width"), [(7, 21), (14, 10), (5, 6), (7, 50)])
def test_a_small_scene_lies_in_a_black_window(height: float, width: float) -> None:
    image = draw_clouds(height, width, seed=1)
    model = stand_in()
    result = predict_scene(model, scene_rules(min_area=0), scene_at(image))
    assert result.masks.shape[1:] == result.visible.shape == (round(2 * height), round(2 * width))
    assert result.visible.mean() > 0.9  # at its edge, the window's pixels are mixed with black
    assert isinstance(model.segmenters[0], ContextEngine)
    black = np.asarray(model.segmenters[0].images[0]).max(axis=2) == 0
    assert black.mean() == pytest.approx(1 - min(1, height / 14) * min(1, width / 21), abs=0.1)


def test_windows_near_the_pole_are_not_predicted() -> None:
    result = predict_scene(stand_in(), scene_rules(), ArrayScene(draw_clouds(35, 21), (0, 40, 21, 75)))
    # Windows begin at 75°, 68°, 61° and 54° north; the first two end poleward of 60°.
    assert not result.visible[:14].any()
    assert result.visible[14:].all()
    assert np.isnan(np.asarray(result.presence_map)[:, :14]).all()
    with pytest.raises(UserError, match=r"poleward of 60° \(latitude -90 to -62\)"):
        predict_scene(stand_in(), scene_rules(), ArrayScene(draw_clouds(28, 21), (0, -90, 21, -62)))


def test_a_scene_across_the_antimeridian_is_predicted_as_any_other() -> None:
    image = draw_clouds(14, 42)
    result = predict_scene(stand_in(), scene_rules(), ArrayScene(image, (170, -14, 212, 0)))
    elsewhere = predict_scene(stand_in(), scene_rules(), ArrayScene(image, (0, -14, 42, 0)))
    assert (result.masks == elsewhere.masks).all()
    assert result.place is not None
    assert result.place.grid.bounds == (170, -14, 212, 0)


def test_the_whole_earth_has_no_seam() -> None:
    """Rotated by 18 steps of its windows, the Earth gives rotated masks, components across the edge included."""
    image = draw_clouds(14, 360, seed=4, pixels=4)
    image[:, -60:] = image[:, :60][:, ::-1]  # continuous across the edge
    rules = scene_rules(min_area=40)
    bounds: Bounds = (-180, 0, 180, 14)
    result = predict_scene(stand_in(), rules, ArrayScene(image, bounds), overlap=0.5)
    columns = plan_windows(result.place.grid, (14, 21), OUTPUT_SHAPE).columns  # type: ignore[union-attr]
    assert len(columns.starts) == 35
    shift = columns.starts[7]  # a fifth of the Earth, so that the windows lie in the same places
    rotated = predict_scene(stand_in(), rules, ArrayScene(np.roll(image, -2 * shift, axis=1), bounds), overlap=0.5)
    assert (np.roll(result.levels, -shift, axis=2) == rotated.levels).all()
    assert (np.roll(result.masks, -shift, axis=2) == rotated.masks).all()


def test_finer_scenes_are_reduced_before_they_are_read() -> None:
    image = np.kron(draw_clouds(14, 21), np.ones((10, 10, 1), np.uint8))
    scene = ArrayScene(image, CARIBBEAN)
    result = predict_scene(stand_in(), scene_rules(), scene)
    coarse = predict_plainly(draw_clouds(14, 21), scene_rules())
    assert np.abs(result.levels.astype(int) - coarse.levels).max() <= 2


class Rows(Scene):
    """A scene that is drawn where it is read, so that it needs no memory."""

    def __init__(self, height: float, width: float) -> None:
        self.drawn = ArrayScene(draw_clouds(28, 42), (0, 0, 42, 28))
        self.name, self.source, self.attributes = "large", "", {}
        large = ArrayScene(np.broadcast_to(np.uint8(0), (round(height * PIXELS), round(width * PIXELS), 3)),
                           (0, 0, width, height))  # fmt: skip
        self.place = large.place

    def read(self, rows: slice, columns: slice) -> tuple[Image, np.ndarray]:
        tall, wide = self.drawn.image.shape[:2]
        image = self.drawn.image[np.arange(rows.start, rows.stop) % tall][
            :, np.arange(columns.start, columns.stop) % wide
        ]
        return image, np.ones(image.shape[:2], bool)


def test_large_results_lie_on_disk_and_equal_those_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, rules = Rows(50, 100), scene_rules(min_area=200)
    small = predict_scene(stand_in(), rules, scene)
    monkeypatch.setattr("nephoscope.earth.windows.row_store.IN_MEMORY", 1000)
    large = predict_scene(stand_in(), rules, scene)
    for name in ("masks", "levels", "visible"):
        assert isinstance(getattr(large, name), np.memmap)
        assert not isinstance(getattr(small, name), np.memmap)
        assert (getattr(small, name) == getattr(large, name)).all()
        assert (read_rows(getattr(large, name), slice(7, 30)) == getattr(small, name)[..., 7:30, :]).all()
    assert large.overlay().shape == (100, 200, 3)


def test_presence_of_a_scene_is_that_of_its_surest_window() -> None:
    image = np.concatenate([np.full((56, 84, 3), 40, np.uint8), np.full((56, 84, 3), 200, np.uint8)], axis=1)
    rules = scene_rules()
    result = predict(image, rules, overlap=0)
    dark, bright = (predict_plainly(half, rules) for half in np.split(image, 2, axis=1))
    assert result.presence.tolist() == bright.presence.tolist()
    assert result.confidence.tolist() == bright.confidence.tolist()
    assert (dark.present.any(), bright.present.all(), result.present.all()) == (False, True, True)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_and_progress(batch_size: int) -> None:
    done: list[int] = []

    @contextmanager
    def progress(begun: int, total: int) -> Iterator[Callable[[int], object]]:
        done.extend([begun, total])
        yield done.append

    scene = scene_at(draw_clouds(28, 63))
    result = predict_scene(stand_in(), scene_rules(), scene, batch_size=batch_size, progress=progress)
    assert done[:2] == [0, 15]
    assert sum(done[2:]) == 15 == len(scene.reads)
    assert (result.masks == predict(scene.image).masks).all()


def test_a_scene_that_cannot_be_read_ends_the_prediction() -> None:
    class Broken(ArrayScene):
        def read(self, rows: slice, columns: slice) -> tuple[Image, np.ndarray]:
            if columns.start > 100:
                raise UserError("scene: the file is truncated")
            return super().read(rows, columns)

    with pytest.raises(UserError, match="truncated"):
        predict_scene(stand_in(), scene_rules(), Broken(draw_clouds(14, 63), (0, 0, 63, 14)))


def test_formats_without_a_size_on_earth_are_refused() -> None:
    model = stand_in()
    steel = Ensemble(
        type(model.metadata)(**{**model.metadata.to_dict(), "format": "severstal"}),
        model.classifiers, model.segmenters, model.inference_settings,
    )  # fmt: skip
    with pytest.raises(UserError, match="format severstal have no fixed size on Earth; pass the pixels as an array"):
        predict_scene(steel, scene_rules(), scene_at(draw_clouds(14, 21)))
