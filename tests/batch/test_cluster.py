"""The session of Ray: ours ends with the run, and one of the caller stays open."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nephoscope.batch import predict as predicting
from nephoscope.batch.predict import Job, do_on_cluster
from nephoscope.errors import UserError


class FakeRay:
    """Ray as far as a run uses it. `calls` notes when a session begins and ends."""

    def __init__(self, *, opened: bool, fails: bool = False) -> None:
        self.opened, self.fails, self.calls = opened, fails, list[str]()
        self.context = SimpleNamespace(enable_progress_bars=True)
        self.data = SimpleNamespace(
            DataContext=SimpleNamespace(get_current=lambda: self.context), from_items=self.from_items
        )

    def is_initialized(self) -> bool:
        return self.opened

    def init(self, **_: object) -> None:
        self.calls.append("init")

    def shutdown(self) -> None:
        self.calls.append("shutdown")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0}

    def from_items(self, items: list[dict[str, int]], **_: object) -> Any:
        assert not self.context.enable_progress_bars
        if self.fails:
            raise UserError("a worker failed")
        rows = [{"count": 10 + item["shard"]} for item in items]
        return SimpleNamespace(map=lambda *_, **__: SimpleNamespace(iter_rows=lambda: iter(rows)))


def run_on(ray: FakeRay, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    job = Job.__new__(Job)  # the fake sends no job anywhere
    return list(do_on_cluster(job, [1, 2], "local"))


def test_a_session_that_the_run_began_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(opened=False)
    assert run_on(ray, monkeypatch) == [11, 12]
    assert ray.calls == ["init", "shutdown"]


def test_a_session_of_the_caller_stays_open_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(opened=True)
    assert run_on(ray, monkeypatch) == [11, 12]
    assert ray.calls == []
    assert ray.context.enable_progress_bars


@pytest.mark.parametrize(("opened", "calls"), [(True, []), (False, ["init", "shutdown"])])
def test_after_a_failure_too(monkeypatch: pytest.MonkeyPatch, opened: bool, calls: list[str]) -> None:
    ray = FakeRay(opened=opened, fails=True)
    with pytest.raises(UserError, match="a worker failed"):
        run_on(ray, monkeypatch)
    assert ray.calls == calls
    assert ray.context.enable_progress_bars


def test_without_shards_no_session_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(opened=False)
    monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
    assert list(predicting.do_on_cluster(Job.__new__(Job), [], "local")) == []
    assert ray.calls == []
