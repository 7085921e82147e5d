"""Names of files in tables and at a terminal: one row each, no formula, no terminal code."""

import csv
import io
import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stages
from nephoscope.batch.heat_maps import HeatFolder
from nephoscope.batch.merge import merge_shards
from nephoscope.batch.shards import begin_run, write_shard
from nephoscope.batch.submission import write_submission
from nephoscope.cli import commands, terminal
from nephoscope.data.formats import CLOUDS
from nephoscope.data.problems import Problem, record_problems
from nephoscope.errors import UserError
from nephoscope.masks.rle import decode_rle
from nephoscope.names import cell, one_line, printable
from tests.builders.batch_runs import decided, failed, make_plan
from tests.builders.datasets import cloud_rows, find_problems, write_clouds, write_picture

ODD = (
    "a\rb.jpg",
    "c\nd.jpg",
    "=1+1.jpg",
    "@SUM(1).jpg",
    "-cmd|' C calc'!A0.jpg",
    "e\x1b[2Jf.jpg",
    os.fsdecode(b"g\xfc.jpg"),
)
WRITTEN = (
    r"a\rb.jpg", r"c\nd.jpg", "'=1+1.jpg", "'@SUM(1).jpg", "'-cmd|' C calc'!A0.jpg", r"e\x1b[2Jf.jpg", r"g\udcfc.jpg",
)  # fmt: skip


def read_rows(path: Path) -> list[list[str]]:
    """As any program reads lines: a carriage return ends one, too."""
    return list(csv.reader(io.StringIO(path.read_text("utf-8").replace("\r", "\n"))))


def test_tables_of_a_batch_have_a_row_for_each_name(tmp_path: Path) -> None:
    for number, make in enumerate((decided, failed)):
        plan = make_plan(tmp_path / str(number), pictures=ODD)
        for shard in begin_run(plan):
            write_shard(plan, shard, [make(address) for address in plan.addresses_of(shard)])
        merge_shards(plan)
    summary = read_rows(tmp_path / "0" / "summary.csv")[1:]
    assert [row[0] for row in summary] == [name for name in WRITTEN for _ in CLOUDS.classes]
    submission = read_rows(tmp_path / "0" / "submission.csv")[1:]
    assert [row[0] for row in submission[::4]] == [f"{name}_Fish" for name in WRITTEN]
    assert [row[0] for row in read_rows(tmp_path / "1" / "problems.csv")[1:]] == list(WRITTEN)


def test_a_submission_of_any_names_is_written_and_checked(tmp_path: Path) -> None:
    masks = np.stack([decode_rle("1 2", CLOUDS.output_shape)] * 4)
    write_submission(tmp_path / "submission.csv", CLOUDS, [(name, masks) for name in sorted(ODD)])
    assert {row[0] for row in read_rows(tmp_path / "submission.csv")[1::4]} == {f"{name}_Fish" for name in WRITTEN}


def test_heat_maps_of_any_names_are_found_again(tmp_path: Path) -> None:
    addresses = {name: f"in/{name}" for name in ODD}
    for _ in range(2):
        folder = HeatFolder.open(tmp_path, "model", addresses)
        for name in ODD:
            if folder.missing(name, ["Fish"]):
                folder.add(
                    name, "Fish", np.zeros((16, 24, 3), np.uint8), np.zeros((16, 24), np.float32), 0.25, (16, 24)
                )
    assert not any(folder.missing(name, ["Fish"]) for name in ODD)
    folder.write_problems([(name, "damaged") for name in ODD])
    assert sorted(row[0] for row in read_rows(tmp_path / "summary.csv")[1:]) == sorted(WRITTEN)
    assert [row[0] for row in read_rows(tmp_path / "problems.csv")[1:]] == list(WRITTEN)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a\rb.jpg", "the file's name holds control characters; rename it"),
        ("a\x1bb.jpg", "the file's name holds control characters; rename it"),
        ("=1+1.jpg", "a spreadsheet may run the file's name as a formula; rename it"),
    ],
)
def test_a_data_set_holds_no_such_name(tmp_path: Path, name: str, reason: str) -> None:
    root = write_clouds(tmp_path, cloud_rows("a.jpg"), ["a.jpg"])
    write_picture(root / "train_images" / name)
    assert find_problems(root, tmp_path) == [f"train_images/{one_line(name)}: misnamed_picture: {reason}"]


@pytest.mark.parametrize(
    "name", ["-61--40_10-24.jpg", "Bildschirm\u202f3\u00a0Uhr.jpg", "'s.jpg", "1+1=2.jpg", "雲.jpg"]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert cell(name) == name


def test_problems_of_a_data_set_have_a_row_each(tmp_path: Path) -> None:
    problem = Problem("missing_picture", "train.csv", 2, "=1+1\r.jpg is not in train_images", "=1+1\r.jpg")
    with record_problems(tmp_path / "problems.csv") as problems:
        problems.append(problem)
    ((*_, message, image_id),) = read_rows(tmp_path / "problems.csv")[1:]
    assert (message, image_id) == (r"'=1+1\r.jpg is not in train_images", r"'=1+1\r.jpg")
    assert pd.read_csv(tmp_path / "problems.csv")["row"].tolist() == [2]


def test_no_terminal_code_reaches_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.show_problems([("a\x1b[2J\rb.jpg", "it begins with \x1b]0;title\x07")])
    error = UserError("a\x1b[2J.jpg: damaged;\ncopy it again")
    monkeypatch.setattr(commands, "app", Mock(side_effect=error))
    with pytest.raises(SystemExit):
        commands.main()
    with pytest.raises(SystemExit):
        stages._print_error(UserError, error, None)
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\r" not in shown
    assert r"skipped: a\x1b[2J\rb.jpg: it begins with \x1b]0;title\x07" in shown
    assert shown.count("nephoscope: a\\x1b[2J.jpg: damaged;\ncopy it again\n") == 2


@given(st.text())
def test_any_text_becomes_one_printable_line(text: str) -> None:
    written = cell(text)
    assert written.encode("utf-8").decode() == written
    assert len((written + "|").splitlines()) == 1
    assert not set(printable(text)) & {"\x1b", "\r", "\x07", "\x9b"}
    assert not written.lstrip().startswith(("=", "+", "@"))
