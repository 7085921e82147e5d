"""Outlines follow the edges of pixels, so that neighbours touch without a gap."""

import json

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path

from nephoscope.masks.outlines import find_polygons, light_path, to_geojson


def block(height: int, width: int, *places: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for place in places:
        mask[place] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "path"),
    [
        (block(4, 4), ""),
        (block(2, 3, (slice(0, 2), slice(0, 3))), "M0 0l0 2 3 0 0-2z"),
        (block(4, 4, (slice(1, 2), slice(1, 2))), "M1 1l0 1 1 0 0-1z"),
        (
            block(5, 9, (slice(1, 4), slice(0, 3)), (slice(1, 4), slice(6, 9))),
            "M6 1l0 3 3 0 0-3zM0 1l0 3 3 0 0-3z",
        ),
    ],
)
def test_the_path_of_a_mask_follows_its_edges(mask: np.ndarray, path: str) -> None:
    assert light_path(mask) == path


def test_a_hole_is_a_separate_ring() -> None:
    mask = np.ones((20, 20), bool)
    mask[5:15, 5:15] = False
    assert light_path(mask).count("M") == 2


def test_a_simplified_outline_stays_within_a_pixel_of_the_mask() -> None:
    mask = np.zeros((80, 120), np.uint8)
    cv2.ellipse(mask, (60, 40), (45, 25), 20, 0, 360, 1, -1)
    (ring,) = light_path(mask.astype(bool)).removeprefix("M").removesuffix("z").split("M")
    start, steps = ring.replace("-", " -").split("l")
    corners = np.cumsum(
        [np.fromstring(start, sep=" ", dtype=int), *np.fromstring(steps, sep=" ", dtype=int).reshape(-1, 2)], axis=0
    )
    filled = cv2.fillPoly(np.zeros_like(mask), [corners.astype(np.int32)], 1)
    band = cv2.dilate(mask, np.ones((5, 5))) - cv2.erode(mask, np.ones((5, 5)))
    assert len(corners) < 40
    assert not ((filled != mask) & (band == 0)).any()


RING = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]], bool)


def covered(polygons: list[list[list[list[float]]]], shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre lies in a polygon and in none of its holes."""
    centres = np.stack(np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5), -1).reshape(-1, 2)
    inside = [sum(Path(ring).contains_points(centres).astype(int) for ring in polygon) % 2 for polygon in polygons]
    return np.reshape(sum(inside, np.zeros(len(centres), int)), shape)


def test_outline_and_hole_follow_the_edges_of_pixels() -> None:
    ((outline, hole),) = find_polygons(RING)
    assert np.array(outline).min(0).tolist() == [1, 1]
    assert np.array(outline).max(0).tolist() == [4, 4]
    assert outline[0] == outline[-1]
    assert np.array(hole).min(0).tolist() == [2, 2]
    assert np.array(hole).max(0).tolist() == [3, 3]


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_polygons_cover_exactly_the_pixels_of_the_mask(mask: np.ndarray) -> None:
    assert (covered(find_polygons(mask), mask.shape) == mask).all()


@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any))
def test_shapely_reads_the_polygons_as_the_pixels_of_the_mask(mask: np.ndarray) -> None:
    collection = json.loads(json.dumps(to_geojson(mask[None], ["Fish"], "a.jpg", {"Fish": {}})))
    polygons = shapely.geometry.shape(collection["features"][0]["geometry"])
    assert polygons.is_valid
    height, width = mask.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    assert (shapely.contains_xy(polygons, columns, rows) == mask).all()
    assert polygons.area == pytest.approx(area_with_cut_corners(mask))


def area_with_cut_corners(mask: np.ndarray) -> float:
    """Between the centres of four pixels, the share that lies inside. Pixels that touch by a corner stay apart."""
    around = np.pad(mask, 1).astype(int)
    corners = around[:-1, :-1], around[:-1, 1:], around[1:, 1:], around[1:, :-1]
    counts = sum(corners)
    diagonal = (corners[0] == corners[2]) & (counts == 2)
    return float(np.choose(counts, [0, 1 / 8, 1 / 2, 7 / 8, 1])[~diagonal].sum() + diagonal.sum() / 4)


def test_a_collection_has_a_feature_for_every_class_that_is_not_empty() -> None:
    masks = np.stack([RING, np.zeros_like(RING)])
    collection = to_geojson(
        masks, ("Fish", "Flower"), "a.jpg", {"Fish": {"presence": 0.9}, "Flower": {"presence": 0.1}}
    )
    assert collection["type"] == "FeatureCollection"
    assert (collection["image_id"], collection["height"], collection["width"]) == ("a.jpg", 4, 5)
    (feature,) = collection["features"]
    assert feature["properties"] == {"class_name": "Fish", "presence": 0.9}
    assert feature["geometry"] == {"type": "MultiPolygon", "coordinates": find_polygons(RING)}
