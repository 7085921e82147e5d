"""What a network gets: scaled pixels, padded by its own border, of the data that it was trained for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nephoscope.errors import UserError
from nephoscope.models import metadata as reading
from nephoscope.models.metadata import refuse_other_data
from nephoscope.models.network import Network, pad_to_multiple
from tests.builders.network_metadata import METADATA, metadata


def test_pixels_are_scaled_by_the_statistics_of_the_encoder() -> None:
    network = Network(nn.Identity(), ((100.0, 110.0, 120.0), (10.0, 20.0, 40.0)))
    pixels = torch.tensor([110, 150, 200], dtype=torch.uint8).view(1, 3, 1, 1)
    assert network.normalise(pixels).flatten().tolist() == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("shape", [(4, 6), (5, 6), (7, 9), (8, 8)])
def test_padding_repeats_the_last_row_and_column(shape: tuple[int, int]) -> None:
    images = torch.arange(3 * shape[0] * shape[1], dtype=torch.float32).view(1, 3, *shape)
    padding = [(0, -side % 4) for side in shape]
    expected = np.pad(images.numpy(), [(0, 0), (0, 0), *padding], mode="edge")
    assert (pad_to_multiple(images, 4).numpy() == expected).all()


def test_a_network_of_another_split_is_refused_and_the_difference_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "load_metadata", lambda _: metadata())
    refuse_other_data([Path("seed0.safetensors")], METADATA)
    with pytest.raises(UserError, match=r"seed0\.safetensors: .*\(different: split\); run `dvc repro`"):
        refuse_other_data([Path("seed0.safetensors")], replace(METADATA, split="another"))
