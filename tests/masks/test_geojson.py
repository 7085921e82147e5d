import numpy as np

from nephoscope.masks.outlines import find_polygons, to_geojson

MASK = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]], bool)


def test_a_collection_has_a_feature_for_every_class_that_is_there() -> None:
    masks = np.stack([MASK, np.zeros_like(MASK)])
    found = to_geojson(masks, ("Fish", "Flower"), "a.jpg", {"Fish": {"presence": 0.9}, "Flower": {"presence": 0.1}})
    assert found["type"] == "FeatureCollection"
    assert (found["image_id"], found["height"], found["width"]) == ("a.jpg", 4, 5)
    (feature,) = found["features"]
    assert feature["properties"] == {"class_name": "Fish", "presence": 0.9}
    assert feature["geometry"] == {"type": "MultiPolygon", "coordinates": find_polygons(MASK)}
