"""A folder holds the results of one plan: others are refused before anything is written."""

import sys
from pathlib import Path

import pytest

from nephoscope.batch import plan as plans
from nephoscope.batch.heat_maps import HeatFolder
from nephoscope.batch.plan import Plan
from nephoscope.batch.shards import begin_run, write_shard
from nephoscope.batch.storage import find_pictures
from nephoscope.errors import UserError
from tests.builders.batch_runs import PICTURES, decide_shard, make_plan, run

OTHERS = [make_plan("", fingerprint="another"), make_plan("", pictures=PICTURES[:4])]


def at(plan: Plan, out: Path) -> Plan:
    return make_plan(out, fingerprint=plan.fingerprint, pictures=plan.addresses)


@pytest.mark.parametrize("other", OTHERS)
def test_results_of_another_plan_are_refused(tmp_path: Path, other: Plan) -> None:
    run(make_plan(tmp_path), 1)
    with pytest.raises(UserError, match="holds results of other images, another model or another version"):
        begin_run(at(other, tmp_path))


@pytest.mark.parametrize("other", OTHERS)
def test_masks_of_an_unfinished_shard_belong_to_their_plan(tmp_path: Path, other: Plan) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    write_shard(plan, 0, decide_shard(plan, 0))
    (tmp_path / "shards/000000.json").unlink()
    with pytest.raises(UserError, match="holds results of other images, another model or another version"):
        begin_run(at(other, tmp_path))
    assert begin_run(plan) == [0, 1, 2]


def test_results_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(make_plan(tmp_path), 1)
    assert begin_run(make_plan(tmp_path)) == [1, 2]
    monkeypatch.setattr(plans, "version", lambda _: "0.0.1")
    with pytest.raises(UserError, match="or another version; choose another folder"):
        begin_run(make_plan(tmp_path))


def test_another_shard_size_is_named(tmp_path: Path) -> None:
    run(make_plan(tmp_path), 1)
    with pytest.raises(UserError, match="holds shards of 2 images; use --shard-size 2, or choose another folder"):
        begin_run(Plan(PICTURES, 3, str(tmp_path), "model"))


def test_a_plan_without_results_may_be_replaced(tmp_path: Path) -> None:
    begin_run(make_plan(tmp_path, fingerprint="broken"))
    assert begin_run(make_plan(tmp_path)) == [0, 1, 2]


@pytest.mark.parametrize("content", ["", "[" * 100_000, "7" * 5000], ids=["empty", "deep", "long"])
def test_an_incomplete_plan_file_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UserError, match=r"plan\.json cannot be read; choose another folder"):
        begin_run(make_plan(tmp_path))


def test_heat_maps_and_predictions_need_separate_folders(tmp_path: Path) -> None:
    HeatFolder.open(tmp_path / "heat", "model", {"a.jpg": "in/a.jpg"})
    with pytest.raises(UserError, match="holds heat maps"):
        begin_run(make_plan(tmp_path / "heat"))
    begin_run(make_plan(tmp_path / "masks"))
    with pytest.raises(UserError, match="holds predictions"):
        HeatFolder.open(tmp_path / "masks", "model", {"a.jpg": "in/a.jpg"})
    with pytest.raises(UserError, match=r"holds heat maps of another a\.jpg"):
        HeatFolder.open(tmp_path / "heat", "model", {"a.jpg": "other/a.jpg"})


@pytest.mark.parametrize("place", ["file", "file/folder"])
def test_a_file_cannot_be_the_folder_of_results(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"results cannot be written there .*choose another folder with --out"):
        begin_run(make_plan(tmp_path / place))
    with pytest.raises(UserError, match=r"results cannot be written there .*choose another folder with --out"):
        HeatFolder.open(tmp_path / place, "model", {"a.jpg": "in/a.jpg"})


@pytest.mark.parametrize("address", ["nowhere://bucket/pictures", "s3://bucket/pictures"])
def test_an_address_without_its_package_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UserError, match=address):
        find_pictures([address])
    with pytest.raises(UserError, match=address):
        begin_run(make_plan(address))
