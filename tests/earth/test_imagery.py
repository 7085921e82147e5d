"""Pictures from a service: requests, names, faults, resuming. The server speaks the documented interfaces."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from nephoscope.data.images import read_image
from nephoscope.earth.imagery import transfer
from nephoscope.earth.imagery.fetch import Fetched, fetch_pictures
from nephoscope.earth.imagery.transfer import Limits, Pace
from nephoscope.errors import UserError
from tests.builders.imagery_server import RETRY_AFTER, Fault, ImageryService, draw_picture, serve_imagery

BOX = (-61.0, 10.0, -40.0, 24.0)
DAY = date(2020, 1, 1)
NAME = "Aqua_CorrectedReflectance20200101_-61--40_10-24"
QUICK = Limits(timeout=5, pause=0, attempts=3)
TEMPORARY: tuple[Fault, ...] = ("busy", "broken", "truncated", "cut off", "text", "reset")


@pytest.fixture
def server() -> Iterator[ImageryService]:
    with serve_imagery() as service:
        yield service


def fetch(server: ImageryService, out: Path, last: date = DAY, **options: Any) -> Fetched:
    chosen: dict[str, Any] = {
        "satellites": ["aqua"], "grain": 0.2, "limits": QUICK, "parallel": 1, "sleep": lambda _: None,
        "address": f"{server.address}/{'wms' if options.get('service') == 'gibs' else 'snapshot'}",
    }  # fmt: skip
    return fetch_pictures(options.pop("bounds", BOX), DAY, last, out, **(chosen | options))


def note(out: Path, name: str = NAME) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / f"{name}.json").read_text())
    return content


@pytest.mark.parametrize("service", ["snapshots", "gibs"])
def test_pictures_carry_their_place_and_day_in_their_names(
    server: ImageryService, tmp_path: Path, service: str
) -> None:
    fetched = fetch(server, tmp_path, date(2020, 1, 2), satellites=["aqua", "noaa20"], service=service)
    assert [path.name for path in fetched.pictures] == [
        f"{name}_CorrectedReflectance2020010{day}_-61--40_10-24.jpeg" for day in (1, 2) for name in ("Aqua", "NOAA20")
    ]
    expected = draw_picture((70, 105), north=24, south=10).astype(int)
    assert np.abs(read_image(fetched.pictures[0]).astype(int) - expected).max() <= 2
    first = server.requests[0]
    assert first["BBOX"] == "10,-61,24,-40"
    assert first["LAYERS"] == "MODIS_Aqua_CorrectedReflectance_TrueColor"
    assert first["agent"].startswith("nephoscope/")


def test_every_request_is_noted_beside_the_picture(server: ImageryService, tmp_path: Path) -> None:
    server.faults["2020-01-01"].append("broken")
    fetch(server, tmp_path)
    content = note(tmp_path)
    assert content["url"].startswith(f"{server.address}/snapshot?REQUEST=GetSnapshot&BBOX=10,-61,24,-40")
    assert (content["status"], content["attempt_count"], content["sensor"]) == (200, 2, "MODIS Aqua")
    assert content["byte_count"] == (tmp_path / f"{NAME}.jpeg").stat().st_size
    assert datetime.now(UTC) - datetime.fromisoformat(content["requested_at"]) < timedelta(minutes=5)


@pytest.mark.parametrize("fault", TEMPORARY)
def test_a_temporary_fault_is_followed_by_another_attempt(server: ImageryService, tmp_path: Path, fault: Fault) -> None:
    server.faults["2020-01-01"] += [fault, fault]
    slept: list[float] = []
    fetched = fetch(server, tmp_path, sleep=slept.append)
    assert [outcome.status for outcome in fetched.outcomes] == ["fetched"]
    assert note(tmp_path)["attempt_count"] == 3
    waits = [seconds for seconds in slept if seconds > 0.5]
    if fault == "busy":
        # Twice, this request waits. Twice, the turn of any request comes later; here no time passes in between.
        assert sum(abs(seconds - float(RETRY_AFTER)) < 0.5 for seconds in waits) == 4
    else:  # 2 s and 4 s, shortened by chance by up to a half
        assert len(waits) == 2
        assert 1 <= waits[0] <= 2 <= waits[1] <= 4


REASONS = {
    "busy": "HTTP 503 Service Unavailable: busy",
    "broken": "HTTP 500 Internal Server Error: 500 out of [31m order",
    "missing": "HTTP 404 Not Found: no such day",
    "truncated": "the body ended after",
    "cut off": "no complete picture: ",
    "text": "expected image/jpeg, found text/xml: Unable to access file",
    "slow": "no answer within 0.2 s",
    "reset": "the connection failed: ",
    "other shape": "a picture of 64×64 pixels came; expected 70×105",
    "endless": "the body is larger than 1 MB",
}


@pytest.mark.parametrize("fault", REASONS)
def test_a_lasting_fault_is_a_problem_of_its_picture_alone(
    server: ImageryService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(transfer, "MAX_BYTES", 1_000_000)
    server.faults["2020-01-01"] += [fault] * 3
    limits = Limits(timeout=0.2 if fault == "slow" else 5, pause=0, attempts=3)
    fetched = fetch(server, tmp_path, date(2020, 1, 2), limits=limits)
    assert [outcome.status for outcome in fetched.outcomes] == ["failed", "fetched"]
    (problem,) = fetched.problems
    assert REASONS[fault] in problem.problem
    assert note(tmp_path)["problem"] == problem.problem
    assert not problem.path.exists()
    is_final = fault in ("missing", "other shape", "endless")
    assert server.days.count("2020-01-01") == (1 if is_final else 3)
    server.faults.clear()
    again = fetch(server, tmp_path, date(2020, 1, 2))
    assert [outcome.status for outcome in again.outcomes] == ["fetched", "kept"]


def test_every_fault_of_the_server_is_tested() -> None:
    assert set(get_args(Fault)) == {*REASONS, "empty"}


def test_an_empty_tile_is_noted_and_not_kept(server: ImageryService, tmp_path: Path) -> None:
    server.faults["2020-01-01"] += ["empty", "empty"]
    fetched = fetch(server, tmp_path)
    assert (fetched.count("empty"), fetched.pictures) == (1, [])
    assert not list(tmp_path.glob("*.jpeg"))
    assert note(tmp_path)["seen_share"] == 0
    fetch(server, tmp_path)
    assert len(server.requests) == 1
    assert fetch(server, tmp_path, keep_empty=True).pictures == [tmp_path / f"{NAME}.jpeg"]


def test_a_second_run_requests_only_what_is_missing(server: ImageryService, tmp_path: Path) -> None:
    last = date(2020, 1, 4)
    fetch(server, tmp_path, last)
    second, third, _ = (tmp_path / f"Aqua_CorrectedReflectance2020010{day}_-61--40_10-24.jpeg" for day in (2, 3, 4))
    second.unlink()
    third.write_bytes(third.read_bytes()[:100])
    server.requests.clear()
    fetched = fetch(server, tmp_path, last)
    assert [outcome.status for outcome in fetched.outcomes] == ["kept", "fetched", "fetched", "kept"]
    assert server.days == ["2020-01-02", "2020-01-03"]


def test_the_users_own_picture_of_that_name_stays(server: ImageryService, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    (tmp_path / f"{NAME}.json").unlink()
    assert fetch(server, tmp_path).count("kept") == 1
    assert len(server.requests) == 1


def test_pictures_of_a_day_that_was_not_over_are_requested_again(server: ImageryService, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    early = note(tmp_path) | {"requested_at": "2020-01-02T23:59:59+00:00"}
    (tmp_path / f"{NAME}.json").write_text(json.dumps(early))
    assert fetch(server, tmp_path).count("fetched") == 1


def test_pictures_of_another_grain_are_not_mixed(server: ImageryService, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    with pytest.raises(UserError, match=r"requested before with .*\[70, 105\].*choose another folder with --out"):
        fetch(server, tmp_path, grain=0.1)


def test_a_service_that_is_down_is_left_alone(server: ImageryService, tmp_path: Path) -> None:
    for day in range(1, 32):
        server.faults[f"2020-01-{day:02}"] += ["reset"] * 3
    with pytest.raises(UserError, match="5 pictures in a row failed; the last: the connection failed"):
        fetch(server, tmp_path, date(2020, 1, 31), parallel=2)
    assert len(set(server.days)) <= 5 + 2 * 2
    server.faults.clear()
    assert len(fetch(server, tmp_path, date(2020, 1, 31)).pictures) == 31


def test_an_interrupt_leaves_complete_pictures_only(server: ImageryService, tmp_path: Path) -> None:
    class Interrupting:
        def __enter__(self) -> Any:
            return self.advance

        def __exit__(self, *_: object) -> None: ...

        def advance(self, _: int) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, tmp_path, date(2020, 1, 31), progress=lambda *_: Interrupting())
    assert len(server.requests) < 10
    for path in tmp_path.glob("*.jpeg"):
        read_image(path)
    assert not list(tmp_path.glob(".*"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]
    assert len(fetch(server, tmp_path, date(2020, 1, 31)).pictures) == 31


def test_a_long_pause_that_a_service_asks_for_is_left_to_a_later_run(
    server: ImageryService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LONGEST_WAIT", 5)
    server.faults["2020-01-01"].append("busy")
    (problem,) = fetch(server, tmp_path).problems
    assert problem.problem.endswith("the service asks for a pause of 7 s")
    assert len(server.requests) == 1


def test_requests_start_one_pause_apart_whoever_makes_them() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(2.0, sleep=sleep, clock=lambda: now[0])
    for _ in range(3):
        pace.take_turn()
    assert slept == [2, 4]
    now[0] = 100
    pace.postpone(30)
    pace.take_turn()
    assert slept[-1] == 30


def test_retry_after_may_be_a_date() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    seconds = transfer._retry_after(moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert 80 < seconds <= 90
    assert [transfer._retry_after(text) for text in (None, "", "soon", "12")] == [0, 0, 0, 12]


def test_spans_that_lie_ahead_are_refused(server: ImageryService, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="after today"):
        fetch_pictures(BOX, date(2999, 1, 1), date(2999, 1, 2), tmp_path)
    with pytest.raises(UserError, match="exchange --from and --to"):
        fetch(server, tmp_path, date(2019, 12, 31))
