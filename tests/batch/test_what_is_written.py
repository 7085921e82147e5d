"""A submission is sorted and of one shape; where black is part of an image, it is seen."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco

from nephoscope.batch.coco import to_coco
from nephoscope.batch.merge import record_rows
from nephoscope.batch.pictures import read_content
from nephoscope.batch.submission import SubmissionError, write_submission
from nephoscope.data.formats import CLOUDS
from nephoscope.data.manifest import Metadata
from nephoscope.masks.rle import encode_rle
from tests.builders.batch_runs import decided

STEEL = Metadata("severstal", ("1", "2", "3", "4"), (256, 1600), (256, 1600), (64, 400), nodata=False)


def test_a_submission_in_another_order_is_refused(tmp_path: Path) -> None:
    masks = np.zeros((4, *CLOUDS.output_shape), bool)
    assert write_submission(tmp_path / "sorted.csv", CLOUDS, [("a.jpg", masks), ("b.jpg", masks)]) == 2
    with pytest.raises(SubmissionError, match="sorted by image and class"):
        write_submission(tmp_path / "other.csv", CLOUDS, [("b.jpg", masks), ("a.jpg", masks)])
    assert [path.name for path in tmp_path.iterdir()] == ["sorted.csv"]


def test_scenes_of_another_shape_have_no_rows_in_a_submission() -> None:
    record = decided("in/a.jpg").record
    assert len(list(record_rows(CLOUDS, record))) == 4
    assert list(record_rows(CLOUDS, record._replace(shape=(700, 1050)))) == []
    assert list(record_rows(CLOUDS, record._replace(problem="the file is empty"))) == []


def test_black_parts_of_steel_are_seen_and_those_of_satellites_are_not() -> None:
    image = np.random.default_rng(0).integers(60, 200, (64, 400, 3), np.uint8)
    image[:, :160] = 0
    content = cv2.imencode(".png", image)[1].tobytes()
    assert read_content(content, STEEL)[1].all()
    assert read_content(content, replace(STEEL, nodata=True))[1].mean() == pytest.approx(0.6, abs=0.01)


def test_the_area_in_a_coco_file_is_that_of_pycocotools() -> None:
    mask = np.random.default_rng(0).random((9, 11)) < 0.6
    written = to_coco(encode_rle(mask), (9, 11))
    code = coco.frPyObjects(written["segmentation"], 9, 11)
    assert written["area"] == int(coco.area(code)) == mask.sum()
    assert written["bbox"] == coco.toBbox(code).tolist()
