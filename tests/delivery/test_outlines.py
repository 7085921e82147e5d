import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path

from pipeline.delivery.outlines import find_polygons, to_geojson

MASK = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]], bool)


def covered(polygons: list[list[list[list[float]]]], shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose middle lies in a polygon and in none of its holes."""
    middles = np.stack(np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5), -1).reshape(-1, 2)
    inside = [sum(Path(ring).contains_points(middles).astype(int) for ring in polygon) % 2 for polygon in polygons]
    return np.reshape(sum(inside, np.zeros(len(middles), int)), shape)


def test_an_outline_lies_half_a_pixel_around_and_a_hole_is_one() -> None:
    ((outline, hole),) = find_polygons(MASK)
    assert np.array(outline).min(0).tolist() == [1, 1]
    assert np.array(outline).max(0).tolist() == [4, 4]
    assert outline[0] == outline[-1]
    assert np.array(hole).min(0).tolist() == [2, 2]
    assert np.array(hole).max(0).tolist() == [3, 3]


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_outlines_hold_the_pixels_of_the_mask_and_no_others(mask: np.ndarray) -> None:
    assert (covered(find_polygons(mask), mask.shape) == mask).all()


def test_a_collection_has_a_feature_for_every_class_that_is_there() -> None:
    masks = np.stack([MASK, np.zeros_like(MASK)])
    found = to_geojson(masks, ("Fish", "Flower"), "a.jpg", {"Fish": {"presence": 0.9}, "Flower": {"presence": 0.1}})
    assert found["type"] == "FeatureCollection"
    assert (found["image_id"], found["height"], found["width"]) == ("a.jpg", 4, 5)
    (feature,) = found["features"]
    assert feature["properties"] == {"class_name": "Fish", "presence": 0.9}
    assert feature["geometry"] == {"type": "MultiPolygon", "coordinates": find_polygons(MASK)}
