"""Shards: finished ones are kept, missing ones are computed, and none is computed twice."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nephoscope.artifacts import SHIPPED
from nephoscope.batch.heat_maps import explain_pictures
from nephoscope.batch.merge import merge_shards
from nephoscope.batch.outputs import decode_masks
from nephoscope.batch.pictures import UNSEEN, Decided
from nephoscope.batch.plan import Plan
from nephoscope.batch.predict import predict_pictures
from nephoscope.batch.shards import begin_run, write_shard
from nephoscope.batch.storage import LOCK, atomic_open, hold_folder, stamp
from nephoscope.errors import UserError
from nephoscope.settings.choices import Output
from tests.builders.batch_runs import PICTURES, decide_shard, decided, failed, make_plan, run
from tests.builders.killing import die, exit_code_of


def interrupted(plan: Plan) -> Iterator[Decided]:
    """The first image of a shard, then Ctrl-C."""
    yield decide_shard(plan, 0)[0]
    raise KeyboardInterrupt


def test_the_last_shard_may_be_smaller(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    assert plan.shard_count == 3
    assert plan.addresses_of(2) == ("in/4.jpg",)


def test_a_second_run_computes_the_missing_shards(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    assert begin_run(plan) == [0, 1, 2]
    assert write_shard(plan, 1, decide_shard(plan, 1)) == 2
    assert begin_run(plan) == [0, 2]


def test_an_interrupted_shard_is_computed_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    with pytest.raises(KeyboardInterrupt):
        write_shard(plan, 0, interrupted(plan))
    assert begin_run(plan) == [0, 1, 2]
    assert list((tmp_path / "shards").iterdir()) == []


def test_unfinished_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    begin_run(make_plan(tmp_path))
    assert exit_code_of(killed_while_writing, [str(tmp_path / "table.csv"), str(tmp_path / "shards/000000.json")]) == 9
    assert len(list(tmp_path.rglob(".unfinished-*"))) == 2
    assert begin_run(make_plan(tmp_path)) == [0, 1, 2]
    assert not list(tmp_path.rglob(".unfinished-*"))


def killed_while_writing(addresses: list[str]) -> None:
    with ExitStack() as stack:
        for address in addresses:
            stack.enter_context(atomic_open(address)).write("[{")
        die()


@pytest.mark.parametrize("out", ["local", "memory://bucket/living"])
def test_an_unfinished_shard_of_a_living_run_stays(tmp_path: Path, out: str) -> None:
    plan = make_plan(tmp_path if out == "local" else out)
    begin_run(plan)
    with atomic_open(plan.shard_path(0)) as file:
        assert begin_run(plan) == [0, 1, 2]  # another run begins
        file.write("{}")
    assert plan.written_shards() == [0]


def test_a_folder_of_results_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    picture, out = str(tmp_path / "a.png"), str(tmp_path / "out")
    cv2.imwrite(picture, np.random.default_rng(0).integers(0, 255, (70, 105, 3), np.uint8))
    with hold_folder(out):
        with pytest.raises(UserError, match=f"{out}: another run is writing .*; wait until it ends, or choose another"):
            predict_pictures([picture], out=out, engine="onnx")
        with pytest.raises(UserError, match=f"{out}: another run is writing"):
            explain_pictures([picture], SHIPPED, Path(out))
    assert predict_pictures([picture], out=out, engine="onnx").readable_count == 1


def test_a_folder_that_cannot_be_held_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    message = rf"{tmp_path}: results cannot be written there \(Is a directory\); choose another --out"
    with pytest.raises(UserError, match=message), hold_folder(str(tmp_path)):
        pass


def test_object_stores_and_systems_without_locks_hold_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold_folder("memory://bucket/held"), hold_folder("memory://bucket/held"):
        pass

    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    with hold_folder(str(tmp_path)), hold_folder(str(tmp_path)):
        pass


def test_a_shard_with_a_problem_is_computed_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    run(plan)
    write_shard(plan, 1, [failed("in/2.jpg"), decided("in/3.jpg")])
    assert begin_run(plan) == [1]
    write_shard(plan, 1, decide_shard(plan, 1))
    assert begin_run(plan) == []
    assert merge_shards(plan) == (0, ())


def test_a_black_image_is_not_read_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    write_shard(plan, 0, [failed("in/0.jpg", UNSEEN), decided("in/1.jpg")])
    assert begin_run(plan) == [1, 2]


def test_an_incomplete_shard_file_is_computed_again(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    write_shard(plan, 0, decide_shard(plan, 0))
    (tmp_path / "shards" / "000001.json").touch()
    assert begin_run(plan) == [1, 2]
    write_shard(plan, 1, decide_shard(plan, 1))
    assert begin_run(plan) == [2]


def test_a_repeated_shard_removes_masks_that_are_empty_now(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    write_shard(plan, 1, [decided("in/2.jpg"), failed("in/3.jpg")])
    write_shard(plan, 1, [decided("in/2.jpg", ("", "3 4", "", "")), decided("in/3.jpg", ("", "", "", ""))])
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["2.jpg_Flower.png"]


def test_masks_are_written_as_png_unless_empty(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    write_shard(plan, 2, decide_shard(plan, 2))
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["4.jpg_Fish.png", "4.jpg_Sugar.png"]
    mask = cv2.imread(str(tmp_path / "masks" / "4.jpg_Fish.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    assert mask.shape == (350, 525)
    assert np.argwhere(mask == 255).tolist() == [[0, 0], [1, 0]]


def test_only_the_wanted_outputs_are_written(tmp_path: Path) -> None:
    run(make_plan(tmp_path, outputs=("submission",)))
    assert not (tmp_path / "masks").exists()


def test_a_finished_run_writes_further_outputs_without_predicting(tmp_path: Path) -> None:
    run(make_plan(tmp_path, outputs=("submission",)))
    assert begin_run(make_plan(tmp_path, outputs=("masks", "geojson"))) == []
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    collection = json.loads((tmp_path / "geojson" / "3.jpg.geojson").read_text("utf-8"))
    assert [feature["properties"]["class_name"] for feature in collection["features"]] == ["Fish", "Sugar"]
    assert collection["features"][0]["properties"]["presence"] == 0.9


def test_late_outputs_equal_those_written_at_once(tmp_path: Path) -> None:
    """Masks come from memory in one run and from RLE in the other."""
    run(make_plan(tmp_path / "at once", outputs=("masks", "geojson")))
    for outputs in ((), ("masks",), ("geojson",)):
        run(make_plan(tmp_path / "late", outputs=outputs))
    files = {path.relative_to(tmp_path / "at once") for path in (tmp_path / "at once").rglob("*.*") if path.is_file()}
    assert len(files) == 1 + 3 + 3 * len(PICTURES)
    for name in files:
        if name.name != "plan.json" and "shards" not in name.parts:
            assert (tmp_path / "at once" / name).read_bytes() == (tmp_path / "late" / name).read_bytes()


def test_runs_with_different_outputs_keep_all_of_them(tmp_path: Path) -> None:
    for outputs, shard_count in ((("masks",), 1), (("geojson",), 3), (("masks", "geojson"), 3)):
        run(make_plan(tmp_path, outputs=outputs), shard_count)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    assert len(list((tmp_path / "geojson").iterdir())) == len(PICTURES)


def test_a_repeated_shard_keeps_the_outputs_of_earlier_runs(tmp_path: Path) -> None:
    def run_with(outputs: tuple[Output, ...], problem: bool) -> None:
        plan = make_plan(tmp_path, outputs=outputs)
        for shard in begin_run(plan):
            first, *rest = decide_shard(plan, shard)
            write_shard(plan, shard, [failed(first.record.address) if problem else first, *rest])
        merge_shards(plan)

    run_with(("submission", "masks"), problem=True)
    run_with(("geojson",), problem=True)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * (len(PICTURES) - 3)
    run_with(("coco",), problem=False)
    assert len(list((tmp_path / "masks").iterdir())) == 2 * len(PICTURES)
    assert len(list((tmp_path / "geojson").iterdir())) == len(PICTURES)
    assert len((tmp_path / "submission.csv").read_text("utf-8").splitlines()) == 1 + 4 * len(PICTURES)


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_the_overlay_of_a_changed_or_missing_image_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    _, encoded = cv2.imencode(".jpg", np.full((350, 525, 3), 90, np.uint8))
    pictures = tuple(str(tmp_path / name) for name in ("0.jpg", "1.jpg"))
    for name in pictures:
        Path(name).write_bytes(encoded.tobytes())
    run(make_plan(tmp_path / "out", pictures=pictures, outputs=("submission",)))
    Path(pictures[0]).unlink()
    if content:
        Path(pictures[0]).write_bytes(content)
    run(make_plan(tmp_path / "out", pictures=pictures, outputs=("overlays",)))
    overlays = tmp_path / "out" / "overlays"
    assert [path.name for path in overlays.iterdir()] == ["1.jpg_overlay.jpg"]
    assert "overlays: 0.jpg is left out: " in caplog.text
    Path(pictures[0]).write_bytes(encoded.tobytes())
    run(make_plan(tmp_path / "out", pictures=pictures, outputs=("overlays",)))
    assert sorted(path.name for path in overlays.iterdir()) == ["0.jpg_overlay.jpg", "1.jpg_overlay.jpg"]


def test_a_file_name_that_is_too_long_leaves_out_files_and_keeps_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = "x" * 246 + ".jpg"
    plan = make_plan(tmp_path, pictures=(f"in/{name}",))
    run(plan)
    assert merge_shards(plan) == (0, ("masks",)), "the caller learns that masks are incomplete"
    assert f"masks: {name} is left out: File name too long" in caplog.text
    assert f"{name}_Fish,1 2" in (tmp_path / "submission.csv").read_text("utf-8")


def test_a_name_that_is_not_utf8_is_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(b"wolke_\xfc.jpg")
    plan = make_plan(tmp_path, pictures=(name,), outputs=("submission", "coco"))
    run(plan)
    assert merge_shards(plan) == (0, ())
    assert "wolke_\\udcfc.jpg_Fish,1 2" in (tmp_path / "submission.csv").read_text("utf-8")


def test_an_image_that_changed_is_predicted_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = tuple(str(tmp_path / f"{index}.jpg") for index in range(4))
    for name in pictures:
        Path(name).write_bytes(b"first")
    plan = make_plan(tmp_path / "out", pictures=pictures)
    for shard in begin_run(plan):
        images = (image.record._replace(stamp=stamp(image.record.address)) for image in decide_shard(plan, shard))
        write_shard(plan, shard, [Decided(record, decode_masks(record)) for record in images])
    assert begin_run(plan) == []
    Path(pictures[2]).write_bytes(b"other")
    os.utime(pictures[2], (0, 0))
    with caplog.at_level("INFO", "nephoscope"):
        assert begin_run(plan) == [1]
    assert "2.jpg: changed since the last run; predicted again" in caplog.text
    Path(pictures[0]).unlink()
    assert begin_run(plan) == [0, 1]


def test_the_stamp_of_a_store_concerns_all_its_files(tmp_path: Path) -> None:
    chunk = tmp_path / "a.zarr" / "red" / "0.0"
    chunk.parent.mkdir(parents=True)
    chunk.write_bytes(b"1")
    before = stamp(str(tmp_path / "a.zarr"))
    assert before == stamp(str(tmp_path / "a.zarr"))
    chunk.write_bytes(b"12")
    assert stamp(str(tmp_path / "a.zarr")) not in ("", before)


def test_what_cannot_be_examined_has_no_stamp(tmp_path: Path) -> None:
    assert stamp(str(tmp_path / "gone.jpg")) == stamp("nowhere://bucket/a.jpg") == ""


def test_an_object_store_without_empty_folders_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryFileSystem, "makedirs", lambda *_, **__: None)
    plan = make_plan("memory://bucket/out")
    assert begin_run(plan) == [0, 1, 2]
    write_shard(plan, 1, decide_shard(plan, 1))
    assert begin_run(plan) == [0, 2]


def test_results_may_lie_in_a_folder_with_special_characters(tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "a::b")
    begin_run(plan)
    write_shard(plan, 2, decide_shard(plan, 2))
    assert [shard.name for shard in (tmp_path / "a::b" / "shards").iterdir()] == ["000002.json"]
    assert begin_run(plan) == [0, 1]
