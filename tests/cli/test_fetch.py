"""`nephoscope fetch` against a local server."""

import json
from pathlib import Path

import pytest

from tests.builders.command_line import run_command
from tests.builders.imagery_server import serve_imagery

OPTIONS = ("--bounds", "-61,10,-40,24", "--from", "2020-01-01", "--grain", 0.2, "--pause", 0, "--satellite", "aqua")


def test_the_command_fetches_reports_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_imagery() as server:
        monkeypatch.setenv("NEPHOSCOPE_IMAGERY", f"{server.address}/snapshot")
        server.faults["2020-01-01"].append("missing")
        server.faults["2020-01-02"].append("empty")
        first = run_command(*OPTIONS, "--to", "2020-01-03", "--out", tmp_path / "out", command="fetch")
        assert first.returncode == 1
        assert first.stdout == f"{tmp_path}/out/: 1 new, 1 empty, not kept, 1 failed\n"
        name = "Aqua_CorrectedReflectance20200101_-61--40_10-24.jpeg"
        assert f"skipped: {name}: HTTP 404 Not Found: no such day" in first.stderr
        again = run_command(*OPTIONS, "--to", "2020-01-03", "--out", tmp_path / "out", "--json", command="fetch")
    assert again.returncode == 0, again.stderr
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [line["done"] for line in lines if line["event"] == "progress"] == [0, 1, 2, 3]
    assert [line["status"] for line in lines if line["event"] == "picture"] == ["fetched", "empty", "kept"]
    assert lines[-1] == {
        "event": "done", "out": f"{tmp_path}/out",
        "fetched_count": 1, "kept_count": 1, "empty_count": 1, "failed_count": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bounds", "-61,10,-40"), "expected four numbers W,S,E,N in degrees, such as -61,10,-40,24"),
        (("--tile", "21"), "such as 21x14"),
        (("--satellite", "goes"), "unknown satellite 'goes'; choose any of aqua"),
        (("--service", "bing"), "unknown service 'bing'"),
        (("--from", "2020-02-30"), "does not match the format"),
        (("--address", "ftp://example.org"), "expected http://… or https://…"),
    ],
)
def test_options_that_make_no_sense_are_explained(tmp_path: Path, options: tuple[str, str], message: str) -> None:
    done = run_command(*OPTIONS, "--to", "2020-01-03", "--out", tmp_path / "out", *options, command="fetch")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "out").exists()
