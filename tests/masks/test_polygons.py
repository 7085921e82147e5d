"""Polygons, boxes and COCO's run-length code, against other libraries."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from nephoscope.masks.polygons import decode_counts, fill_box, fill_polygon
from nephoscope.masks.rle import RleError

SHAPE = (12, 17)
CENTRES = np.stack(np.meshgrid(np.arange(17) + 0.5, np.arange(12) + 0.5), -1)
coordinates = st.floats(-5, 25, allow_nan=False).map(lambda value: round(value, 3) + 1e-4)  # never on a centre


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8))
def test_a_pixel_is_filled_if_its_centre_lies_inside(corners: list[tuple[float, float]]) -> None:
    filled = fill_polygon(np.array(corners), SHAPE)
    polygon = shapely.Polygon(corners)
    if polygon.is_valid:
        expected = shapely.contains_xy(polygon, CENTRES[..., 0], CENTRES[..., 1])
        # A centre within rounding of an edge may fall on either side.
        unsure = shapely.distance(polygon.boundary, shapely.points(CENTRES)) < 1e-9
        assert (filled == expected)[~unsure].all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@pytest.mark.parametrize("seed", range(10))
def test_pycocotools_fills_the_same_up_to_the_border(seed: int) -> None:
    angles = np.sort(np.random.default_rng(seed).uniform(0, 2 * np.pi, 9))
    corners = np.stack([30 + 22 * np.cos(angles), 25 + 20 * np.sin(angles)], 1)
    expected = coco.decode(coco.frPyObjects([corners.ravel().tolist()], 50, 60))[..., 0].astype(bool)
    different = np.argwhere(fill_polygon(corners, (50, 60)) != expected)[:, ::-1] + 0.5
    border = shapely.Polygon(corners).boundary
    assert all(border.distance(shapely.Point(point)) <= 1 for point in different)


def test_polygons_of_whole_pixels_are_exact_and_boxes_agree() -> None:
    for box in ((2, 3, 9, 11), (0, 0, 17, 12), (-4, -1, 3, 2), (5, 5, 40, 40), (20, 20, 30, 30)):
        x1, y1, x2, y2 = box
        mask = np.zeros(SHAPE, bool)
        mask[fill_box(box, SHAPE)] = True
        filled = fill_polygon(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], float), SHAPE)
        assert (mask == filled).all()
        assert mask.sum() == max(0, min(x2, 17) - max(x1, 0)) * max(0, min(y2, 12) - max(y1, 0))


@given(hnp.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_the_codes_of_pycocotools_are_decoded(mask: np.ndarray) -> None:
    encoded = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert (decode_counts(encoded["counts"].decode(), mask.shape) == mask).all()
    edges = np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0))
    counts = np.diff([0, *edges, mask.size]).tolist()
    assert (decode_counts(counts, mask.shape) == mask).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], "add up to 3 pixels, but 2×2 are 4"),
        ([5, -1], "not a whole number"),
        ([1.0, 3.0], "not a whole number"),
        ([True, 3], "not a whole number"),
        ("4\n", "not possible"),
        ("ÿ", "not possible"),
        ("P", "end within a number"),
        ("o" * 14, "not possible"),
        ("D", "not a whole number"),
        ("", "add up to 0"),
    ],
)
def test_damaged_codes_are_refused(counts: object, message: str) -> None:
    with pytest.raises(RleError, match=message):
        decode_counts(counts, (2, 2))  # type: ignore[arg-type]
