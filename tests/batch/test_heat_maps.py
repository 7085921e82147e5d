"""The folder of heat maps: unusual names, and its separation from the images."""

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import SHIPPED
from nephoscope.batch.heat_maps import HeatFolder, explain_pictures
from nephoscope.errors import UserError

SHAPE = (16, 24)
NOT_UNICODE = os.fsdecode(b"wolke_\xfc.jpg")


def add(folder: HeatFolder, image_id: str) -> None:
    folder.add(image_id, "Fish", np.zeros((*SHAPE, 3), np.uint8), np.zeros(SHAPE, np.float32), 0.25, SHAPE)


def test_heat_maps_of_names_that_are_not_utf8_are_found_again(tmp_path: Path) -> None:
    names = {name: f"in/{name}" for name in (NOT_UNICODE, "wolke_ä.jpg")}
    for _ in range(2):
        folder = HeatFolder.open(tmp_path, "model", names)
        for name in names:
            if folder.missing(name, ["Fish"]):
                add(folder, name)
    assert [folder.missing(name, ["Fish", "Sugar"]) for name in names] == [["Sugar"], ["Sugar"]]
    folder.write_problems([(NOT_UNICODE, "the file is empty")])
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert summary["image_id"].tolist() == ["wolke_ä.jpg", "wolke_\\udcfc.jpg"]
    assert summary["file"].tolist() == ["wolke_ä.jpg_Fish.jpg", "wolke_\\udcfc.jpg_Fish.jpg"]
    assert pd.read_csv(tmp_path / "problems.csv")["image_id"].tolist() == ["wolke_\\udcfc.jpg"]


def test_heat_maps_of_an_image_that_changed_are_drawn_again(tmp_path: Path) -> None:
    addresses = {name: str(tmp_path / name) for name in ("a.jpg", "b.jpg")}
    for address in addresses.values():
        Path(address).write_bytes(b"first")
    folder = HeatFolder.open(tmp_path / "out", "model", addresses)
    for name in addresses:
        add(folder, name)
    Path(addresses["b.jpg"]).write_bytes(b"second")
    for _ in range(2):  # until they are drawn
        folder = HeatFolder.open(tmp_path / "out", "model", addresses)
        assert [folder.missing(name, ["Fish"]) for name in addresses] == [[], ["Fish"]]
        assert [path.name for path in (tmp_path / "out").glob("*_Fish.jpg")] == ["a.jpg_Fish.jpg"]


def test_heat_maps_need_another_folder_than_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").touch()
    monkeypatch.chdir(tmp_path)
    for pictures, out in ((str(tmp_path), Path()), ("a.jpg", tmp_path)):
        with pytest.raises(UserError, match="holds the images themselves; choose another folder with --out"):
            explain_pictures([pictures], SHIPPED, out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_name_too_long_for_a_heat_map_is_a_problem(tmp_path: Path) -> None:
    _, encoded = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    name = "x" * 246 + ".jpg"
    (tmp_path / name).write_bytes(encoded.tobytes())
    assert explain_pictures([str(tmp_path)], SHIPPED, tmp_path / "out", ["Fish"]) == (0, 1)
    problems = pd.read_csv(tmp_path / "out" / "problems.csv")
    assert problems.to_numpy().tolist() == [[name, "its name is too long for the name of a heat map"]]
