"""A model in Python, with networks whose output can be computed by hand."""

from dataclasses import replace

import pytest

import nephoscope as ns
from nephoscope.artifacts import SHIPPED
from nephoscope.data.manifest import Metadata
from tests.builders.scenes import METADATA, draw_clouds, scene_rules, stand_in

PICTURE = draw_clouds(14, 21)


def model_of(metadata: Metadata) -> ns.Model:
    return ns.Model(SHIPPED, replace(stand_in(), metadata=metadata), scene_rules())


@pytest.mark.parametrize(("nodata", "share"), [(True, 2 / 3), (False, 1.0)])
def test_black_is_unseen_only_where_images_have_nodata(nodata: bool, share: float) -> None:
    picture = PICTURE.copy()
    picture[:, : picture.shape[1] // 3] = 0
    result = model_of(replace(METADATA, nodata=nodata)).predict(picture)
    assert result.visible.mean() == pytest.approx(share, abs=0.03)


def test_results_name_the_rules_that_decided_them() -> None:
    model = model_of(METADATA)
    first = model.predict(PICTURE)
    model.rules = scene_rules(min_area=100)
    second = model.predict(PICTURE)
    assert first.provenance is not None
    assert second.provenance is not None
    assert first.provenance.rules == scene_rules().digest
    assert second.provenance.rules == scene_rules(min_area=100).digest != first.provenance.rules
