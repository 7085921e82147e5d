"""The two tasks: which pixels and images are behind the loss."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.training.fit import build_task
from nephoscope.training.tasks import ClassifierTask, SegmenterTask
from tests.builders.training_runs import batch, classifier, planes, segmenter

SHARES = torch.tensor([0.2, 0.5])


def task_of(params: TrainClassifier | TrainSegmenter) -> Any:
    task = build_task(params, (32, 48), SHARES, seed=0, weights="none")
    task.setup("fit")
    return task


def truth_of(planes: torch.Tensor) -> torch.Tensor:
    return torch.stack([planes >> bit & 1 for bit in range(2)], 1).bool()


@pytest.mark.parametrize("pictures", ["all", "positives"])
def test_unseen_pixels_are_out_of_the_loss(pictures: str) -> None:
    visible = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(2)) > 0.3
    logits = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    task = task_of(segmenter(pictures=pictures, loss={"bce": 1.0}))
    loss = task.compare(logits, batch(planes(), visible))
    loss.backward()
    unseen = ~visible[:, None].expand_as(logits)
    assert (logits.grad[unseen] == 0).all()
    assert (logits.grad[~unseen] != 0).all()
    expected = functional.binary_cross_entropy_with_logits(logits[~unseen], truth_of(planes()).float()[~unseen])
    assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("loss", ["bce", "cce"])
def test_positives_leaves_a_class_out_where_an_image_does_not_show_it(loss: str) -> None:
    shown = planes()
    shown[0] &= 1  # without the second class
    shown[1] = 0
    logits = torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(1), requires_grad=True)
    task_of(segmenter(pictures="positives", loss={loss: 1.0})).compare(logits, batch(shown)).backward()
    taught = [[bool((logits.grad[image, index] != 0).any()) for index in range(2)] for image in range(3)]
    assert taught == [[True, False], [False, False], [True, True]]


def test_all_images_teach_all_classes() -> None:
    logits = torch.zeros(3, 2, 5, 7, requires_grad=True)
    task_of(segmenter(loss={"bce": 1.0})).compare(logits, batch(torch.zeros(3, 5, 7, dtype=torch.uint8))).backward()
    assert (logits.grad > 0).all()


def test_shares_of_positives_and_smoothing_reach_the_loss() -> None:
    images = batch(planes())._replace(presence=torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    task = task_of(classifier(loss={"weighted_bce": 1.0}, label_smoothing=0.1))
    expected = functional.binary_cross_entropy_with_logits(
        logits, images.presence * 0.9 + 0.05, pos_weight=torch.tensor([4.0, 1.0])
    )
    assert task.compare(logits, images).item() == pytest.approx(expected.item())


def test_each_task_has_the_network_and_the_metrics_of_its_kind() -> None:
    params = segmenter(top_fraction=0.3)
    task = task_of(params)
    assert isinstance(task, SegmenterTask)
    assert task.new_metrics().top_fraction == 0.3
    dropped = task_of(classifier(dropout=0.4))
    assert isinstance(dropped, ClassifierTask)
    assert dropped.network.body.drop_rate == 0.4
