"""Heat maps of the classifier, as a layer over the image."""

from pathlib import Path

import cv2
import httpx2
import numpy as np

from nephoscope.app.state import AppState
from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.folder import classifier_checkpoints
from nephoscope.data.images import read_resized
from nephoscope.data.visible import find_visible
from nephoscope.figures.overlays import colour_heat
from nephoscope.inference.grad_cam import Explainer
from tests.builders.app_requests import upload


def test_the_layer_equals_the_heat_map_of_explain(client: httpx2.Client, picture: Path, opened: AppState) -> None:
    response = client.get(f"/api/pictures/{upload(client, picture)}/heat/Flower")
    assert response.headers["content-type"] == "image/png"
    layer = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_UNCHANGED)
    metadata = opened.model.metadata
    image = read_resized(picture, metadata.cache_shape)
    visible = find_visible(image, metadata.nodata)
    (heat,) = Explainer.open(classifier_checkpoints(SHIPPED)).explain(image, visible, [1]).heat_maps
    assert (cv2.cvtColor(layer, cv2.COLOR_BGRA2RGBA) == colour_heat(heat)).all()
    assert layer[..., 3].max() > 0
    assert not layer[~visible, 3].any()


def test_unknown_classes_and_pictures_of_others_have_no_heat_map(
    client: httpx2.Client, picture: Path, server: str
) -> None:
    mine = upload(client, picture)
    unknown = client.get(f"/api/pictures/{mine}/heat/Swirl")
    assert unknown.status_code == 404
    assert "no class 'Swirl'; the classes are Fish, Flower, Gravel, Sugar" in unknown.json()["error"]
    with httpx2.Client(base_url=server) as other:
        assert other.get(f"/api/pictures/{mine}/heat/Fish").status_code == 404
