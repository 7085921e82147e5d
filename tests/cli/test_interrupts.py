"""What ends a command from outside: signals, and a system that cannot write. Messages name the way out."""

import errno
import os
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import xarray as xr
from safetensors.numpy import save_file

import stages
from nephoscope.batch import predict
from nephoscope.batch.merge import merge_shards
from nephoscope.batch.shards import begin_run, write_shard
from nephoscope.cli import commands
from nephoscope.cli.interrupts import ENDING, resumable
from nephoscope.data.cache import Cache
from nephoscope.errors import WAYS_OUT, UserError, as_user_error
from nephoscope.files import atomic_write
from tests.builders.batch_runs import decide_shard, make_plan, run


@contextmanager
def file_limit(count: int) -> Iterator[None]:
    """As `ulimit -f`: no file may have more bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    """Nothing is ignored, as it would be in the background or under nohup."""
    earlier = {number: signal.signal(number, signal.SIG_DFL) for number in ENDING}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["nephoscope", *arguments])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_predict_and_says_how_to_resume(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "predict_pictures", lambda *_, **__: signal.raise_signal(number))
    before = [signal.getsignal(other) for other in ENDING]
    assert run_main(monkeypatch, "predict", "a.jpg") == 128 + number
    name = signal.Signals(number).name
    assert capsys.readouterr().err == f"nephoscope: ended by {name}; run the same command again to resume\n"
    assert [signal.getsignal(other) for other in ENDING] == before


def test_a_second_signal_ends_at_once() -> None:
    handlers = []

    def end_slowly() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            handlers.extend(signal.getsignal(number) for number in ENDING)

    with pytest.raises(SystemExit), resumable():
        end_slowly()
    assert set(handlers) == {signal.SIG_DFL}


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    earlier = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with resumable():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, earlier)


def test_files_of_an_interrupted_shard_are_removed(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    begin_run(plan)
    with pytest.raises(SystemExit), resumable():
        write_shard(plan, 0, (signal.raise_signal(signal.SIGTERM) for _ in range(1)))  # type: ignore[misc]
    assert list((tmp_path / "shards").iterdir()) == []
    assert begin_run(plan) == [0, 1, 2]


@pytest.mark.parametrize("number", WAYS_OUT)
def test_an_error_of_the_system_ends_commands_and_stages_in_a_sentence(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, os.strerror(number), "/out/summary.csv")
    monkeypatch.setattr(commands, "app", Mock(side_effect=error))
    assert run_main(monkeypatch) == 2
    with pytest.raises(SystemExit) as ended:
        stages._print_error(OSError, error, None)
    assert ended.value.code == 2
    line = f"nephoscope: /out/summary.csv: {os.strerror(number)}; {WAYS_OUT[number]}, and run the same command again\n"
    assert capsys.readouterr().err == 2 * line


def test_other_errors_of_the_system_are_bugs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "app", Mock(side_effect=OSError(errno.EBADF, "Bad file descriptor")))
    assert run_main(monkeypatch) == 70
    assert "Traceback" in capsys.readouterr().err


def explain(error: BaseException) -> str:
    known = as_user_error(error)
    assert isinstance(known, UserError)
    return str(known)


def test_a_full_disk_is_explained() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        Path("/dev/full").write_text("a", "utf-8")
    assert explain(caught.value).startswith("No space left on device; free some space, or choose another folder")


def test_a_limit_of_files_is_explained_and_a_second_run_goes_on(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    with file_limit(300), pytest.raises(OSError, match="File too large") as caught:
        run(plan)
    assert "raise the limit for files (ulimit -f)" in explain(caught.value)
    run(plan)
    assert merge_shards(plan) == (0, ())


def test_a_deleted_folder_is_named(tmp_path: Path) -> None:
    plan = make_plan(tmp_path / "out")
    begin_run(plan)
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(FileNotFoundError) as caught:
        write_shard(plan, 0, decide_shard(plan, 0))
    assert explain(caught.value).startswith(f"{tmp_path}/out/masks/0.jpg_Fish.png: No such file or directory; was it")


def test_errors_that_libraries_pass_on_as_text_are_explained(tmp_path: Path) -> None:
    with file_limit(300), pytest.raises(Exception, match="File too large") as caught:
        save_file({"a": np.zeros(1000)}, tmp_path / "a.safetensors")
    assert not isinstance(caught.value, OSError)
    assert "ulimit -f" in explain(caught.value)


def test_a_library_that_hides_its_reason_is_explained(tmp_path: Path) -> None:
    maps = xr.Dataset({"a": (("y", "x"), np.random.default_rng(0).random((200, 200)))})
    refused = pytest.raises(OSError, match="File too large")
    with file_limit(20_000), refused as caught, atomic_write(tmp_path / "a") as part:
        maps.to_netcdf(part)
    assert "NetCDF: HDF error" in str(caught.value.__cause__)
    assert "ulimit -f" in explain(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_cause_of_an_error_is_explained() -> None:
    error = RuntimeError("the store cannot be closed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/out")
    assert explain(error).startswith("/out: No space left on device; ")
    assert as_user_error(RuntimeError("surprise")) is None


def test_the_place_of_a_cache_is_reserved(tmp_path: Path) -> None:
    """Writing to a map of a sparse file would end the process where the disk is full."""
    Cache.create(tmp_path, 50, (64, 96))
    for path in tmp_path.iterdir():
        assert path.stat().st_blocks * 512 >= path.stat().st_size, path.name
