"""Prediction in shards: what was done is kept, what was not is done, and nothing twice."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from pycocotools.coco import COCO

from nephoscope.batch import shards
from nephoscope.batch.heat_maps import HeatFolder
from nephoscope.batch.merge import merge_shards, table_writer
from nephoscope.batch.outputs import encode_overlay
from nephoscope.batch.pictures import UNSEEN, Reader, Record
from nephoscope.batch.predict import find_pictures
from nephoscope.batch.shards import UNFINISHED, Plan, read_shards, write_shard
from nephoscope.data.formats import CLOUDS
from nephoscope.data.manifest import Metadata
from nephoscope.errors import UserError
from nephoscope.settings.choices import Output

METADATA = Metadata("clouds", CLOUDS.classes, CLOUDS.rle_shape, CLOUDS.output_shape, (16, 24))
PICTURES = tuple(f"in/{index}.jpg" for index in range(5))


def plan(out: Path, fingerprint: str = "model", pictures: tuple[str, ...] = PICTURES) -> Plan:
    return Plan(pictures, 2, str(out), fingerprint)


def decide(plan: Plan, shard: int) -> list[Record]:
    return [decided(address, ("1 2", "", "", "7 1")) for address in plan.pictures(shard)]


def decided(address: str, rles: tuple[str, ...]) -> Record:
    return Record(address, rles, "", (0.9, 0.5, 0.25, 0.75), (0.9, 0.5, 0.75, 0.75), (True, True, False, True), 0.8)


def test_the_last_shard_holds_what_is_left(tmp_path: Path) -> None:
    assert len(plan(tmp_path)) == 3
    assert plan(tmp_path).pictures(2) == ("in/4.jpg",)


def test_a_second_run_does_what_the_first_left(tmp_path: Path) -> None:
    one = plan(tmp_path)
    assert one.begin() == [0, 1, 2]
    assert write_shard(one, 1, decide(one, 1)) == 2
    assert plan(tmp_path).begin() == [0, 2]


def test_a_shard_that_broke_off_is_not_there(tmp_path: Path) -> None:
    def breaking_off():  # type: ignore[no-untyped-def]
        yield from decide(one, 0)
        raise KeyboardInterrupt

    one = plan(tmp_path)
    one.begin()
    with pytest.raises(KeyboardInterrupt):
        write_shard(one, 0, breaking_off())
    (tmp_path / "shards" / f"{UNFINISHED}1").write_text("[{")
    assert plan(tmp_path).begin() == [0, 1, 2]
    assert list((tmp_path / "shards").iterdir()) == []


def test_a_shard_with_a_problem_is_done_again(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    for shard in range(3):
        write_shard(one, shard, decide(one, shard))
    write_shard(one, 1, [Record("in/2.jpg", (), "the file is empty"), *decide(one, 1)[1:]])
    assert plan(tmp_path).begin() == [1]
    write_shard(one, 1, decide(one, 1))
    assert plan(tmp_path).begin() == []
    assert merge_shards(one) == (5, 0)


def test_a_shard_done_again_leaves_no_mask_of_before(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    broken = Record("in/3.jpg", (), "the file is empty")
    write_shard(one, 1, [decided("in/2.jpg", ("1 2", "", "", "7 1")), broken])
    write_shard(one, 1, [decided("in/2.jpg", ("", "3 4", "", "")), decided("in/3.jpg", ("", "", "", ""))])
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["2.jpg_Flower.png"]


def test_a_shard_that_cannot_be_read_is_done_again(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    write_shard(one, 0, decide(one, 0))
    (tmp_path / "shards" / "000001.json").touch()
    assert plan(tmp_path).begin() == [1, 2]


def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.json").touch()
    with pytest.raises(UserError, match=r"plan\.json cannot be read; choose another folder"):
        plan(tmp_path).begin()


def test_another_shard_size_is_named(tmp_path: Path) -> None:
    plan(tmp_path).begin()
    write_shard(plan(tmp_path), 0, decide(plan(tmp_path), 0))
    with pytest.raises(UserError, match="holds shards of 2 pictures; say --shard-size 2, or choose another folder"):
        Plan(PICTURES, 3, str(tmp_path), "model").begin()


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_file_is_no_place_for_results(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"results cannot be written there .*choose another folder with --out"):
        plan(tmp_path / place).begin()
    with pytest.raises(UserError, match=r"results cannot be written there .*choose another folder with --out"):
        HeatFolder.open(tmp_path / place, "model", {"a.jpg": "in/a.jpg"})


def test_a_plan_of_which_nothing_was_done_stands_in_nobodys_way(tmp_path: Path) -> None:
    plan(tmp_path, fingerprint="broken").begin()
    assert plan(tmp_path).begin() == [0, 1, 2]


def test_results_of_another_version_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(tmp_path).begin()
    write_shard(plan(tmp_path), 0, decide(plan(tmp_path), 0))
    assert plan(tmp_path).begin() == [1, 2]
    monkeypatch.setattr(shards, "version", lambda _: "0.0.1")
    with pytest.raises(UserError, match="or another version; choose another folder"):
        plan(tmp_path).begin()


@pytest.mark.parametrize("address", ["nowhere://bucket/pictures", "s3://bucket/pictures"])
def test_a_place_that_cannot_be_reached_from_here_is_told(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=address):
        find_pictures([address])
    with pytest.raises(UserError, match=address):
        Plan(PICTURES, 2, address, "model").begin()


@pytest.mark.parametrize("other", [{"fingerprint": "another"}, {"pictures": PICTURES[:4]}])
def test_other_results_are_not_mixed_in(tmp_path: Path, other: dict[str, object]) -> None:
    plan(tmp_path).begin()
    write_shard(plan(tmp_path), 2, decide(plan(tmp_path), 2))
    with pytest.raises(UserError, match="holds results of other pictures, another model or another version"):
        plan(tmp_path, **other).begin()  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"fingerprint": "another"}, {"pictures": PICTURES[:4]}])
def test_masks_of_a_shard_that_broke_off_are_not_mixed_in(tmp_path: Path, other: dict[str, object]) -> None:
    def breaking_off() -> Iterator[Record]:
        yield decide(one, 0)[0]
        raise KeyboardInterrupt

    one = plan(tmp_path)
    one.begin()
    with pytest.raises(KeyboardInterrupt):
        write_shard(one, 0, breaking_off())
    with pytest.raises(UserError, match="holds results of other pictures, another model or another version"):
        plan(tmp_path, **other).begin()  # type: ignore[arg-type]
    assert plan(tmp_path).begin() == [0, 1, 2]


def test_shards_become_one_table(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    for shard in (2, 0, 1):
        write_shard(one, shard, decide(one, shard))
    write_shard(one, 1, [Record("in/2.jpg", (), "the file is empty"), decided("in/3.jpg", ("", "3 1", "", ""))])
    assert merge_shards(one) == (4, 1)
    rows = pd.read_csv(tmp_path / "submission.csv", keep_default_na=False)
    assert rows["Image_Label"].str[:5].unique().tolist() == ["0.jpg", "1.jpg", "3.jpg", "4.jpg"]
    assert rows.set_index("Image_Label").loc["3.jpg_Flower", "EncodedPixels"] == "3 1"
    assert pd.read_csv(tmp_path / "problems.csv").to_numpy().tolist() == [["2.jpg", "the file is empty"]]
    assert [one.address for one in read_shards(one)] == list(PICTURES)
    summary = pd.read_csv(tmp_path / "summary.csv", keep_default_na=False).set_index(["image_id", "class_name"])
    assert summary.loc[("0.jpg", "Fish")].tolist() == [0.9, 1, 0.9, "", round(2 / (350 * 525), 4), 0.8]
    assert summary.loc[("0.jpg", "Flower"), "mark"] == "unsure"
    assert len(summary) == 16


def test_a_table_that_broke_off_is_not_there(tmp_path: Path) -> None:
    def breaking_off() -> None:
        with table_writer(plan(tmp_path), "summary.csv", ("image_id",)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaking_off()
    assert [path.name for path in tmp_path.iterdir()] == [f"{UNFINISHED}summary.csv"]
    with table_writer(plan(tmp_path), "summary.csv", ("image_id",)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["summary.csv"]


def test_masks_that_are_not_empty_are_written_as_pictures(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    write_shard(one, 2, decide(one, 2))
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["4.jpg_Fish.png", "4.jpg_Sugar.png"]
    mask = cv2.imread(str(tmp_path / "masks" / "4.jpg_Fish.png"), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == (350, 525)
    assert np.argwhere(mask == 255).tolist() == [[0, 0], [1, 0]]


def test_a_finished_run_makes_further_outputs_of_what_it_did(tmp_path: Path) -> None:
    one = Plan(PICTURES, 2, str(tmp_path), "model", outputs=("submission",))
    one.begin()
    for shard in range(3):
        write_shard(one, shard, decide(one, shard))
    assert not (tmp_path / "masks").exists()
    more = Plan(PICTURES, 2, str(tmp_path), "model", outputs=("masks", "geojson"))
    assert more.begin() == []
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    outlines = json.loads((tmp_path / "geojson" / "3.jpg.geojson").read_text("utf-8"))
    assert [one["properties"]["class_name"] for one in outlines["features"]] == ["Fish", "Sugar"]
    assert outlines["features"][0]["properties"]["presence"] == 0.9


def test_nothing_is_lost_when_every_run_asks_for_something_else(tmp_path: Path) -> None:
    def run(outputs: tuple[Output, ...], shards: int) -> None:
        one = Plan(PICTURES, 2, str(tmp_path), "model", outputs=outputs)
        for shard in one.begin()[:shards]:
            write_shard(one, shard, decide(one, shard))

    run(("masks",), 1)
    run(("geojson",), 3)
    run(("masks", "geojson"), 3)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    assert len(list((tmp_path / "geojson").iterdir())) == len(PICTURES)


def test_nothing_is_lost_where_a_shard_with_a_problem_is_done_again_for_something_else(tmp_path: Path) -> None:
    def run(outputs: tuple[Output, ...], problem: bool) -> None:
        one = Plan(PICTURES, 2, str(tmp_path), "model", outputs=outputs)
        for shard in one.begin():
            decided = decide(one, shard)
            write_shard(one, shard, [Record(decided[0].address, (), "broken"), *decided[1:]] if problem else decided)
        merge_shards(one)

    run(("submission", "masks"), problem=True)
    run(("geojson",), problem=True)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * (len(PICTURES) - 3)
    run(("coco",), problem=False)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    assert len(list((tmp_path / "geojson").iterdir())) == len(PICTURES)
    assert len(pd.read_csv(tmp_path / "submission.csv")) == 4 * len(PICTURES)


def test_a_black_picture_is_not_looked_at_again(tmp_path: Path) -> None:
    one = plan(tmp_path)
    one.begin()
    write_shard(one, 0, [Record("in/0.jpg", (), UNSEEN), *decide(one, 0)[1:]])
    assert plan(tmp_path).begin() == [1, 2]


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_an_overlay_of_a_picture_that_changed_or_went_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    def run(output: Output) -> None:
        one = Plan(pictures, 2, str(tmp_path / "out"), "model", outputs=(output,))
        for shard in one.begin():
            write_shard(one, shard, decide(one, shard))

    _, encoded = cv2.imencode(".jpg", np.full((350, 525, 3), 90, np.uint8))
    pictures = tuple(str(tmp_path / name) for name in ("0.jpg", "1.jpg"))
    for name in pictures:
        Path(name).write_bytes(encoded.tobytes())
    run("submission")
    Path(pictures[0]).unlink()
    if content:
        Path(pictures[0]).write_bytes(content)
    run("overlays")
    drawn = tmp_path / "out" / "overlays"
    assert [path.name for path in drawn.iterdir()] == ["1.jpg.jpg"]
    assert "overlays: 0.jpg is left out: " in capsys.readouterr().err
    Path(pictures[0]).write_bytes(encoded.tobytes())
    run("overlays")
    assert sorted(path.name for path in drawn.iterdir()) == ["0.jpg.jpg", "1.jpg.jpg"]


def test_a_name_too_long_for_more_leaves_files_out_and_keeps_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "x" * 246 + ".jpg"
    one = Plan((f"in/{name}",), 2, str(tmp_path), "model")
    one.begin()
    write_shard(one, 0, decide(one, 0))
    assert merge_shards(one) == (1, 0)
    assert f"masks: {name} is left out: File name too long" in capsys.readouterr().err
    assert f"{name}_Fish,1 2" in (tmp_path / "submission.csv").read_text("utf-8")


def test_an_object_store_knows_no_empty_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "makedirs", lambda *_, **__: None)
    one = Plan(PICTURES, 2, "memory://bucket/out", "model")
    assert one.begin() == [0, 1, 2]
    write_shard(one, 1, decide(one, 1))
    assert one.begin() == [0, 2]


def test_heat_maps_and_predictions_keep_apart(tmp_path: Path) -> None:
    HeatFolder.open(tmp_path / "heat", "model", {"a.jpg": "in/a.jpg"})
    with pytest.raises(UserError, match="holds heat maps"):
        plan(tmp_path / "heat").begin()
    plan(tmp_path / "masks").begin()
    with pytest.raises(UserError, match="holds predictions"):
        HeatFolder.open(tmp_path / "masks", "model", {"a.jpg": "in/a.jpg"})
    with pytest.raises(UserError, match=r"holds heat maps of another a\.jpg"):
        HeatFolder.open(tmp_path / "heat", "model", {"a.jpg": "other/a.jpg"})


def test_names_that_are_no_unicode_are_predicted_like_others(tmp_path: Path) -> None:
    name = os.fsdecode(b"wolke_\xfc.jpg")
    one = Plan((name,), 2, str(tmp_path), "model", outputs=("submission", "coco"))
    one.begin()
    write_shard(one, 0, [decided(name, ("1 2", "", "", ""))])
    assert merge_shards(one) == (1, 0)
    assert "wolke_\\udcfc.jpg_Fish,1 2" in (tmp_path / "submission.csv").read_text("utf-8")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_coco_holds_the_same_masks(tmp_path: Path) -> None:
    one = Plan(PICTURES[:3], 2, str(tmp_path), "model", outputs=("coco",))
    one.begin()
    write_shard(one, 0, [Record("in/0.jpg", (), "the file is empty"), *decide(one, 0)[1:]])
    write_shard(one, 1, [decided("in/2.jpg", ("", f"{350 * 525} 1", "", ""))])
    merge_shards(one)
    coco = COCO(str(tmp_path / "coco.json"))
    assert [coco.imgs[index]["file_name"] for index in (1, 2)] == ["1.jpg", "2.jpg"]
    found = [(each["image_id"], coco.cats[each["category_id"]]["name"], each["bbox"]) for each in coco.anns.values()]
    assert found == [(1, "Fish", [0, 0, 1, 2]), (1, "Sugar", [0, 6, 1, 1]), (2, "Flower", [524, 349, 1, 1])]
    assert np.argwhere(coco.annToMask(coco.anns[1])).tolist() == [[0, 0], [1, 0]]
    assert np.argwhere(coco.annToMask(coco.anns[3])).tolist() == [[349, 524]]
    assert not (tmp_path / "submission.csv").exists()


def test_no_masks_where_none_are_wanted(tmp_path: Path) -> None:
    one = Plan(PICTURES, 2, str(tmp_path), "model", outputs=("submission",))
    one.begin()
    write_shard(one, 2, decide(one, 2))
    assert not (tmp_path / "masks").exists()


def test_hidden_files_and_folders_are_no_pictures(tmp_path: Path) -> None:
    for name in ("a.jpg", "._a.jpg", "more/b.jpg", "more/.b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    for given, names in ((".", ["a.jpg"]), ("*.jpg", ["a.jpg"]), ("**", ["a.jpg", "b.jpg"]), ("._a.jpg", ["._a.jpg"])):
        assert [Path(one).name for one in find_pictures([str(tmp_path / given)])] == names


def test_the_working_folder_is_no_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run[1]" / "pictures").mkdir(parents=True)
    (tmp_path / "run[1]" / "pictures" / "a.jpg").touch()
    monkeypatch.chdir(tmp_path / "run[1]")
    for given in ("pictures/*.jpg", "./pictures/?.jpg"):
        assert [Path(one).name for one in find_pictures([given])] == ["a.jpg"]


class Unreachable(MemoryFileSystem):
    """A place whose errors are none of the system's."""

    protocol = "unreachable"

    def info(self, path: str, **_: object) -> dict[str, object]:
        raise RuntimeError(f"{path}: 503, message='Service Unavailable'")

    def cat_file(self, path: str, *_: object, **__: object) -> bytes:
        raise RuntimeError(f"{path}: 503, message='Service Unavailable'")


def test_a_place_with_errors_of_its_own_is_told_and_a_picture_there_set_aside() -> None:
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    with pytest.raises(UserError, match=r"unreachable://in/\*\.jpg: cannot be looked at: .*503"):
        find_pictures(["unreachable://in/*.jpg"])
    assert "503, message='Service Unavailable'" in str(Reader(METADATA)("unreachable://in/a.jpg"))


def test_a_local_name_is_no_chain_of_addresses(tmp_path: Path) -> None:
    black, white = (cv2.imencode(".png", np.full((350, 525, 3), level, np.uint8))[1].tobytes() for level in (0, 255))
    (tmp_path / "a.png").write_bytes(black)
    (tmp_path / "a.png::b.png").write_bytes(white)
    (address,) = find_pictures([str(tmp_path / "a.png::b.png")])
    image, _ = Reader(METADATA)(address)
    assert image.min() == 255
    overlay = encode_overlay(decided(address, ("", "", "", "")), CLOUDS)["a.png::b.png.jpg"]
    assert cv2.imdecode(np.frombuffer(overlay, np.uint8), cv2.IMREAD_COLOR).min() > 250


def test_results_may_lie_under_a_name_with_any_mark(tmp_path: Path) -> None:
    one = plan(tmp_path / "a::b")
    one.begin()
    write_shard(one, 2, decide(one, 2))
    assert [shard.name for shard in (tmp_path / "a::b" / "shards").iterdir()] == ["000002.json"]
    assert plan(tmp_path / "a::b").begin() == [0, 1]


def test_pictures_are_found_in_folders_and_by_patterns(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).touch()
    names = ["a.PNG", "b.jpg"]
    assert [Path(one).name for one in find_pictures([str(tmp_path)])] == names
    assert [Path(one).name for one in find_pictures([str(tmp_path / "*.jpg"), str(tmp_path / "a.PNG")])] == names
    (tmp_path / "c[1].jpg").touch()
    assert [Path(one).name for one in find_pictures([str(tmp_path / "c[1].jpg")])] == ["c[1].jpg"]
    (tmp_path / "c[1].jpg").unlink()
    with pytest.raises(UserError, match="no picture there"):
        find_pictures([str(tmp_path / "c.jpg")])
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.jpg").touch()
    with pytest.raises(UserError, match="have the same name"):
        find_pictures([str(tmp_path), str(tmp_path / "more")])
