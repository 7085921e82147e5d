"""Images embedded in a page keep to a budget; heat maps are shown if there are any."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.report.images import read_embedded, recompress, show_heat_maps, to_data_uri, to_data_uris
from tests.builders.labelled_run import write_heat_maps

NOISE = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)


def test_few_images_have_the_best_quality() -> None:
    assert to_data_uris([NOISE], 100_000) == [to_data_uri(NOISE)]


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_many_images_share_one_quality_and_keep_to_the_budget(share: float) -> None:
    budget = round(share * 4 * len(to_data_uri(NOISE)))
    sources = to_data_uris([NOISE] * 4, budget)
    assert sum(map(len, sources)) <= budget
    assert len(set(sources)) == 1


def test_no_images_give_no_sources() -> None:
    assert to_data_uris([], 0) == []


def test_bytes_that_are_not_an_image_are_skipped() -> None:
    assert recompress(b"") is None
    assert recompress(b"not a picture") is None


def test_a_large_image_is_reduced() -> None:
    content = cv2.imencode(".png", np.zeros((100, 2800, 3), np.uint8))[1].tobytes()
    image = read_embedded(content)
    assert image is not None
    assert image.shape == (50, 1400, 3)


def test_only_existing_heat_maps_are_shown(tmp_path: Path) -> None:
    explained = Artifacts(tmp_path).explain
    write_heat_maps(explained)
    (heat,) = show_heat_maps(explained.table, explained.heat_maps)
    assert (heat.image_id, heat.class_name, heat.error, heat.presence) == ("a.jpg", "Fish", "missed", 0.25)
    assert heat.source.startswith("data:image/webp;base64,")
    assert show_heat_maps(tmp_path / "none.csv", explained.heat_maps) == ()


def test_the_report_shows_heat_maps_with_their_error(labelled_report: Path) -> None:
    html = labelled_report.read_text("utf-8")
    assert '<a href="#heat">' in html
    assert 'alt="Heat map of Fish in a.jpg: missed, presence 0.250"' in html
    assert "b.jpg" not in html[html.index('<section id="heat">') : html.index('<section id="reliability">')]
