from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import FLIPS, Ensemble
from nephoscope.inference.joint import JointOutput
from nephoscope.inference.result import decide_results
from nephoscope.inference.trained import batches, first_members, unseen_groups
from nephoscope.masks.rle import Shape
from nephoscope.rules.rules import Calibration, Flip, InferenceSettings, Rule, Rules

METADATA = Metadata("clouds", ("a", "b"), (8, 12), (8, 12), (4, 6))


class Reddest:
    """Returns the red of a pixel as its probability, so that the output can be compared with the input."""

    def __init__(self, input_shape: Shape, *, maps: bool, weight: float = 1.0) -> None:
        self.input_shape, self.maps, self.weight = input_shape, maps, weight
        self.inputs: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.shape[1:] == (*self.input_shape, 3)
        self.inputs.append(images.copy())
        red = images[..., 0].astype(np.float32) / 255 * self.weight
        maps = np.stack([red, 1 - red], axis=1)
        return maps if self.maps else maps[:, :, 0, 0]


def draw_image() -> np.ndarray:
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 0, 0] = 255
    return image


def model(inference_settings: InferenceSettings, segmenter: Reddest) -> Ensemble:
    return Ensemble(METADATA, [Reddest((4, 6), maps=False)], [segmenter], inference_settings)


@pytest.mark.parametrize("flip", list(FLIPS))
def test_every_view_is_flipped_back(flip: str) -> None:
    inference_settings = InferenceSettings.model_validate({"flips": [flip]})
    segmenter = Reddest((4, 6), maps=True)
    (prediction,) = model(inference_settings, segmenter).predict(draw_image()[None], np.ones((1, 4, 6), bool))
    assert prediction.levels.shape == (2, 8, 12)
    assert prediction.levels[0, 0, 0] == 255
    assert prediction.levels[0, 4:, 6:].max() == 0


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (8, 2), (40, 4)])
def test_views_of_few_images_share_a_call(count: int, calls: int) -> None:
    segmenter = Reddest((4, 6), maps=True)
    inference_settings = InferenceSettings(flips=("none", "horizontal", "vertical", "both"))
    predictions = model(inference_settings, segmenter).predict(
        np.stack([draw_image()] * count), np.ones((count, 4, 6), bool)
    )
    assert len(segmenter.inputs) == calls
    first_of_each_view = np.concatenate(segmenter.inputs)[::count]
    assert [np.argwhere(view[..., 0])[0].tolist() for view in first_of_each_view] == [[0, 0], [0, 5], [3, 0], [3, 5]]
    assert all(
        prediction.levels[0, 0, 0] == 255 and prediction.levels[0, 4:, 6:].max() == 0 for prediction in predictions
    )


def test_members_are_averaged_at_their_own_input_shapes() -> None:
    segmenters = [Reddest((4, 6), maps=True), Reddest((4, 6), maps=True, weight=0.5)]
    both = Ensemble(METADATA, [Reddest((2, 3), maps=False)], segmenters, InferenceSettings())
    (prediction,) = both.predict(np.full((1, 4, 6, 3), 255, np.uint8), np.ones((1, 4, 6), bool))
    assert prediction.levels[0, 0, 0] == 191  # (255 + 127.5) / 2
    assert prediction.classifier.tolist() == [1, 0]


@pytest.mark.parametrize(("kind", "number"), [("classifier", 0), ("segmenter", 1)])
def test_a_network_that_returns_nan_is_named(kind: str, number: int) -> None:
    classifiers, segmenters = ([Reddest((4, 6), maps=maps) for _ in range(2)] for maps in (False, True))
    {"classifier": classifiers, "segmenter": segmenters}[kind][number].weight = np.nan
    both = Ensemble(METADATA, classifiers, segmenters, InferenceSettings())
    with pytest.raises(UserError, match=rf"{kind} {number + 1} of 2 returns NaN"):
        both.predict(draw_image()[None], np.ones((1, 4, 6), bool))


def test_invisible_pixels_stay_empty_in_the_decided_mask() -> None:
    visible = np.ones((1, 4, 6), bool)
    visible[0, :, :2] = False
    ensemble = model(InferenceSettings(), Reddest((4, 6), maps=True))
    predictions = ensemble.predict(np.full((1, 4, 6, 3), 255, np.uint8), visible)
    rule = Rule(presence_threshold=0, pixel_threshold=128, min_area=0)
    plain = (Calibration(), Calibration())
    rules = Rules(
        classes=("a", "b"),
        output_shape=(8, 12),
        inference_settings=InferenceSettings(),
        classifier_weight=1,
        classifier_calibrations=plain,
        top_fraction_calibrations=plain,
        rules=(rule, rule),
    )
    (result,) = decide_results(["a"], predictions, rules)
    assert not result.masks[0, :, :4].any()
    assert result.masks[0, :, 4:].all()


def test_batches_cover_all_rows_in_order() -> None:
    assert [batch.tolist() for batch in batches(np.arange(5), 2)] == [[0, 1], [2, 3], [4]]
    assert list(batches(np.arange(0), 2)) == []


def test_images_are_grouped_by_the_fold_that_held_them_out() -> None:
    images = pd.DataFrame({"image_id": list("wxyz"), "fold": [1, 0, 1, -1], "split": ["train"] * 3 + ["holdout"]})
    manifest = Manifest(METADATA, images)
    groups = unseen_groups(manifest, np.array([0, 1, 2, 3]))
    assert {fold: rows.tolist() for fold, rows in groups.items()} == {-1: [3], 0: [1], 1: [0, 2]}


def test_the_first_members_are_those_of_the_lowest_seeds_and_folds(tmp_path: Path) -> None:
    for name in ("seed10-fold0", "seed2-fold10", "seed2-fold9"):
        (tmp_path / f"{name}.safetensors").touch()
    assert [path.stem for path in first_members(tmp_path, 2)] == ["seed2-fold9", "seed2-fold10"]


class RecordedJoint:
    """A joint engine of two `Reddest`; records how many images it reads."""

    input_shape, description = (4, 6), "recorded"

    def __init__(self, outputs: int = 2) -> None:
        self.networks = [Reddest((4, 6), maps=maps) for maps in (False, True)][:outputs]
        self.image_count = 0

    def run(self, images: np.ndarray) -> tuple[np.ndarray, ...]:
        self.image_count += len(images)
        return tuple(network(images) for network in self.networks)


def joint_model(joint: RecordedJoint, flips: tuple[Flip, ...] = ("none",)) -> Ensemble:
    classifier, segmenter = (JointOutput(joint, index) for index in range(2))
    return Ensemble(METADATA, [classifier], [segmenter], InferenceSettings(flips=flips))


def test_a_joint_engine_reads_every_view_once_and_predicts_as_its_networks_do() -> None:
    joint, flips = RecordedJoint(), ("none", "horizontal", "both")
    images, visible = np.stack([draw_image()] * 8), np.ones((8, 4, 6), bool)
    images[3, 2:, 1] = 90
    predictions = joint_model(joint, flips).predict(images, visible)
    assert joint.image_count == 8 * 3
    classifier, segmenter = joint.networks
    alone = Ensemble(METADATA, [classifier], [segmenter], InferenceSettings(flips=flips)).predict(images, visible)
    for prediction, expected in zip(predictions, alone, strict=True):
        np.testing.assert_array_equal(prediction.levels, expected.levels)
        np.testing.assert_array_equal(prediction.classifier, expected.classifier)


@pytest.mark.parametrize(("kind", "number"), [("classifier", 0), ("segmenter", 1)])
def test_a_network_of_a_joint_engine_that_returns_nan_is_named(kind: str, number: int) -> None:
    joint = RecordedJoint()
    joint.networks[number].weight = np.nan
    with pytest.raises(UserError, match=f"{kind} 1 of 1 returns NaN"):
        joint_model(joint).predict(draw_image()[None], np.ones((1, 4, 6), bool))


def test_a_joint_engine_returns_an_output_of_each_network() -> None:
    with pytest.raises(UserError, match="classifier 1 of 1 and segmenter 1 of 1 return 1 outputs together"):
        joint_model(RecordedJoint(outputs=1)).predict(draw_image()[None], np.ones((1, 4, 6), bool))
