"""GeoJSON follows RFC 7946. shapely is the oracle."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely import affinity, unary_union
from shapely.geometry import MultiPolygon, box, shape

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.scene import Place
from nephoscope.earth.writing.geojson import to_geojson
from nephoscope.masks.outlines import find_polygons
from tests.builders.earth_results import ATLANTIC, CLASSES, make_place, make_result

PACIFIC: Bounds = (170, 0, 191, 14)


def collect(mask: np.ndarray, bounds: Bounds) -> dict[str, Any]:
    place = Place(Grid.from_bounds(bounds, mask.shape))
    return json.loads(json.dumps(to_geojson(mask[None], ["Fish"], "a.jpg", {"Fish": {"presence": 0.9}}, place)))


def geometry_of(mask: np.ndarray, bounds: Bounds) -> MultiPolygon:
    return shape(collect(mask, bounds)["features"][0]["geometry"])


def outlines(mask: np.ndarray, bounds: Bounds) -> Any:
    """The same outlines without a cut, from the pixel outlines."""
    west, south, east, north = bounds
    height, width = mask.shape
    pixels = unary_union(MultiPolygon([(rings[0], rings[1:]) for rings in find_polygons(mask)]).buffer(0))
    scales = [(east - west) / width, 0, 0, (south - north) / height, west, north]
    return affinity.affine_transform(pixels, scales)


masks = hnp.arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 12))).filter(lambda mask: mask.any())


@given(masks)
def test_polygons_cover_the_mask_in_degrees(mask: np.ndarray) -> None:
    geometry = geometry_of(mask, ATLANTIC)
    assert geometry.is_valid
    assert geometry.symmetric_difference(outlines(mask, ATLANTIC)).area < 1e-3


@given(masks)
def test_outer_rings_run_counter_clockwise_and_holes_clockwise(mask: np.ndarray) -> None:
    for polygon in geometry_of(mask, ATLANTIC).geoms:
        assert polygon.exterior.is_ccw
        assert not any(hole.is_ccw for hole in polygon.interiors)


@settings(deadline=None)
@given(masks, st.sampled_from([PACIFIC, (-190, 0, -169, 14), (179.5, 0, 200.5, 14), (530, 0, 551, 14)]))
def test_at_the_antimeridian_the_polygons_are_cut(mask: np.ndarray, bounds: Bounds) -> None:
    geometry = geometry_of(mask, bounds)
    assert geometry.is_valid
    west, _, east, _ = geometry.bounds
    assert -180 <= west < east <= 180
    assert all(part.bounds[2] - part.bounds[0] < 180 for part in geometry.geoms)
    turned = unary_union([affinity.translate(geometry, 360 * turn) for turn in (-1, 0, 1, 2)])
    whole = outlines(mask, bounds)
    # Corners are cut by half a pixel at the antimeridian too, so both differ there by less than a column.
    column = (bounds[2] - bounds[0]) / mask.shape[1]
    difference = turned.intersection(box(*bounds)).symmetric_difference(whole)
    for crossing in (-180, 180, 540):
        difference = difference.difference(box(crossing - column, -90, crossing + column, 90))
    assert difference.area < 1e-3
    assert all(polygon.exterior.is_ccw for polygon in geometry.geoms)


def test_a_full_mask_is_cut_exactly() -> None:
    collection = collect(np.ones((14, 22), bool), (169, 0, 191, 14))
    parts = shape(collection["features"][0]["geometry"]).geoms
    assert sorted(part.bounds for part in parts) == [(-180, 0, -169, 14), (169, 0, 180, 14)]
    assert collection["bbox"] == [169, 0, -169, 14]


def test_a_mask_on_one_side_of_the_antimeridian_has_an_ordinary_box() -> None:
    mask = np.zeros((14, 22), bool)
    mask[2:4, 15:17] = True
    collection = collect(mask, (169, 0, 191, 14))
    assert collection["bbox"] == [-176, 10, -174, 12]


def test_a_hole_stays_a_hole() -> None:
    mask = np.ones((14, 21), bool)
    mask[4:8, 5:9] = False
    (polygon,) = geometry_of(mask, ATLANTIC).geoms
    assert len(polygon.interiors) == 1
    assert polygon.area == pytest.approx(14 * 21 - 16, abs=3)


def test_the_whole_earth_is_one_polygon() -> None:
    assert len(geometry_of(np.ones((18, 36), bool), (-180, -90, 180, 90)).geoms) == 1
    assert len(geometry_of(np.ones((18, 36), bool), (0, -90, 360, 90)).geoms) == 2


def test_a_result_with_a_place_gives_degrees_and_one_without_gives_pixels() -> None:
    placed = make_result(make_place()).to_geojson()
    west, south, east, north = placed["bbox"]
    assert -61 <= west < east <= -40
    assert 10 <= south < north <= 24
    assert placed["time"] == "2020-01-15T13:30:00Z"
    assert placed["nephoscope_model"] == "a" * 64
    assert "crs" not in placed
    assert {feature["properties"]["class_name"] for feature in placed["features"]} <= set(CLASSES)
    assert make_result(None).to_geojson()["coordinates"] == "pixels, x to the right, y down"
