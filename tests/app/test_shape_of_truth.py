"""The shape at which uploaded truth was encoded is known by where its runs end."""

import pytest

from nephoscope.app.truth import find_shape
from nephoscope.data.formats import CLOUDS

PIXELS = 350 * 525


@pytest.mark.parametrize(
    ("rles", "shape"),
    [
        (["", f"{PIXELS - 9} 10"], (350, 525)),  # ends with the last pixel
        ([f"{PIXELS - 9} 11", ""], (1400, 2100)),
        (["1 2", f"{PIXELS} 1", f"{4 * PIXELS} 1"], (1400, 2100)),
        (["", ""], (1400, 2100)),
    ],
)
def test_truth_that_fits_has_the_output_shape(rles: list[str], shape: tuple[int, int]) -> None:
    assert find_shape(rles, CLOUDS) == shape
