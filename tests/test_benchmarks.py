"""The table of benchmarks marks what became slower."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import ALL
from benchmarks.scenes import PICTURE, Difference, RepeatedScene
from benchmarks.table import OURS, Row, Table, medians, rows_against


def table(ours: float) -> Table:
    return Table({"cores": "2"}, (Row("decode", "a JPEG", "ms", ours, "PIL", 12.0),))


@pytest.mark.parametrize(("ours", "slower"), [(2.0, False), (2.6, False), (2.7, True), (12.0, True)])
def test_a_ratio_that_fell_by_a_quarter_is_marked(tmp_path: Path, ours: float, slower: bool) -> None:
    table(2.0).write(tmp_path / "table")
    compared = table(ours).since(Table.read(tmp_path / "table"))
    assert compared.rows[0].last_ratio == 6
    assert compared.rows[0].slower == slower
    assert ("slower than last" in compared.markdown()) == slower


def test_the_first_table_has_nothing_to_compare_with(tmp_path: Path) -> None:
    assert Table.read(tmp_path / "table") is None
    assert not table(12.0).since(None).rows[0].slower


def test_a_slower_machine_alone_is_not_marked(tmp_path: Path) -> None:
    table(2.0).write(tmp_path / "table")
    twice = Table({}, (Row("decode", "a JPEG", "ms", 4.0, "PIL", 24.0),))
    assert not twice.since(Table.read(tmp_path / "table")).rows[0].slower


def test_a_new_measurement_replaces_the_old_one() -> None:
    other = Row("RLE", "a mask", "µs", 1.0, "a loop", 5.0)
    both = Table({}, (*table(2.0).rows, other))
    new = Row("engine", "a view", "ms", 1.0, "torch", 3.0)
    assert both.updated(Table({}, (new, *table(3.0).rows))).rows == (*table(3.0).rows, other, new)


def test_markdown_has_a_line_for_every_row() -> None:
    assert "| decode | a JPEG | 2 ms | PIL | 12 ms | **6.00** |  |  |" in table(2.0).markdown()


def test_every_baseline_has_a_row() -> None:
    rows = rows_against("step", "case", {OURS: 0.5, "PIL": 2.0, "OpenCV": 1.0}, scale=1000, unit="ms")
    assert [(row.baseline, row.ours, row.ratio) for row in rows] == [("PIL", 500, 4), ("OpenCV", 500, 2)]


def test_tasks_take_turns() -> None:
    turns: list[str] = []
    seconds = medians({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, seconds=0, least=2)
    assert turns == ["a", "a", "b", "b"] * 2
    assert set(seconds) == {"a", "b"}


def test_every_benchmark_can_be_called() -> None:
    assert {"decode", "masks", "engines", "prediction", "growth", "training", "tuning", "app"} == set(ALL)
    assert all(map(callable, ALL.values()))


def test_a_repeated_picture_has_the_pixels_of_its_tiling() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (*PICTURE, 3)).astype(np.uint8)
    scene = RepeatedScene(picture, (2800, 4200))
    pixels, seen = scene.read(slice(1398, 1403), slice(2098, 2102))
    assert (pixels == np.tile(picture, (2, 2, 1))[1398:1403, 2098:2102]).all()
    assert seen.all()
    assert scene.place.grid.bounds == pytest.approx((-168, -28, -126, 0))


def test_differences_are_pooled_over_scenes() -> None:
    difference = Difference()
    levels = np.zeros((2, 1, 4), np.uint8)
    masks = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]], bool), np.array([[[1, 0, 0, 0]], [[0, 0, 0, 1]]], bool)
    difference.add((levels, masks[0]), (levels + np.uint8(51), masks[1]))
    difference.add((levels, masks[0]), (levels, masks[0]))
    expected = {"probability": 0.1, "pixels changed": 0.125, "Dice of all masks": 0.75, "lowest Dice of a class": 0.0}
    assert difference.row() == pytest.approx(expected)
