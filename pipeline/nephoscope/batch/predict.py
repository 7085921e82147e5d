"""Prediction of any number of pictures: what to predict with, which pictures, and where to run it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from nephoscope.batch.merge import merge_shards
from nephoscope.batch.pictures import Record, decide_pictures
from nephoscope.batch.progress import Progress, show_progress
from nephoscope.batch.shards import Plan, read_shards, write_shard
from nephoscope.batch.storage import open_storage
from nephoscope.bundle.folder import fingerprint, read_model
from nephoscope.bundle.load import open_portable
from nephoscope.data.images import ENDINGS
from nephoscope.errors import UserError
from nephoscope.hardware import count_cores, keep_freed_memory
from nephoscope.settings.choices import Choice, Output

CORES_OF_AN_ACTOR = 2


@dataclass(frozen=True)
class Job:
    """One run of prediction; small enough to be sent to a worker."""

    model: Path
    engine: Choice
    batch_size: int
    plan: Plan


@dataclass(frozen=True)
class BatchResult:
    """A finished run."""

    plan: Plan
    readable: int
    problem: int

    def pictures(self) -> Iterator[Record]:
        """All of them, in their order."""
        return read_shards(self.plan)


class Worker:
    """Opens the model once and does shard after shard."""

    def __init__(self, job: Job, cores: int) -> None:
        keep_freed_memory()
        cv2.setNumThreads(1)  # pictures are done side by side
        self.job, self.streams = job, cores
        self.model, self.rules = open_portable(job.model, job.engine, streams=cores)

    def do(self, shards: Sequence[int]) -> Iterator[int]:
        """One after the other, without a pause between them; how many pictures were done, as they are."""
        plan = self.job.plan
        addresses = (address for shard in shards for address in plan.pictures(shard))
        decided = decide_pictures(self.model, self.rules, addresses, self.job.batch_size, self.streams)
        for shard in shards:
            yield write_shard(plan, shard, islice(decided, len(plan.pictures(shard))))


def predict_pictures(
    pictures: Sequence[str],
    model: Path,
    out: str,
    *,
    engine: Choice = "auto",
    batch_size: int = 4,
    shard_size: int = 64,
    cluster: str | None = None,
    outputs: Sequence[Output] = ("submission", "masks"),
    progress: Callable[[int, int], Progress] = show_progress,
) -> BatchResult:
    """Files, folders or patterns, local or fsspec addresses → summary.csv, problems.csv and these outputs in `out`.

    A run that was killed goes on where it stopped; one that has finished makes further outputs of what it did. With a
    cluster ("local", or the address of one) Ray shares the shards among workers.
    """
    # Workers of a cluster have another working folder.
    model, out = model.resolve(), out if "://" in out else str(Path(out).resolve())
    digest, format_name = fingerprint(model), read_model(model)["data"]["format"]
    plan = Plan(tuple(find_pictures(pictures)), shard_size, out.rstrip("/"), digest, format_name, tuple(outputs))
    job, todo = Job(model, engine, batch_size, plan), plan.begin()
    done = len(plan.addresses) - sum(len(plan.pictures(shard)) for shard in todo)
    with progress(done, len(plan.addresses)) as advance:
        for count in do_here(job, todo) if cluster is None else do_on_cluster(job, todo, cluster):
            advance(count)
    return BatchResult(plan, *merge_shards(plan))


def do_here(job: Job, shards: Sequence[int]) -> Iterator[int]:
    """In this process; pictures per shard, as they are done."""
    if shards:
        yield from Worker(job, count_cores()).do(shards)


def find_pictures(given: Sequence[str]) -> list[str]:
    """Files, folders (JPEG and PNG in them) and patterns like `data/*.jpg` → addresses, sorted by file name."""
    found = {address for one in given for address in _expand(one)}
    names: dict[str, str] = {}
    for address in found:
        other = names.setdefault(PurePosixPath(address).name, address)
        if other != address:
            raise UserError(f"{other} and {address} have the same name, and results go by name; predict them apart")
    return [names[name] for name in sorted(names)]


def _expand(given: str) -> list[str]:
    files, path = open_storage(given)
    try:
        found = _list(files, path)
    except Exception as error:  # every protocol has errors of its own
        raise UserError(f"{given}: cannot be looked at: {error or type(error).__name__}") from error
    if not found:
        raise UserError(f"{given}: no picture there; expected a JPEG or PNG, a folder of them, or a pattern")
    return [files.unstrip_protocol(one) if "://" in given else one for one in found]


def _list(files: Any, path: str) -> list[str]:
    if files.isdir(path):
        return [one for one in _visible(files.ls(path, detail=True)) if PurePosixPath(one).suffix.lower() in ENDINGS]
    if files.exists(path):  # a file's own name may hold what means a pattern elsewhere
        return [path]
    if not any(mark in path for mark in "*?["):
        return []
    # A relative pattern was made absolute, and the working folder's own name is none.
    here = make_path_posix("")
    if isinstance(files, LocalFileSystem) and path.startswith(here):
        path = escape(here) + path.removeprefix(here)
    return _visible(files.glob(path, detail=True).values())


def _visible(listed: Iterable[dict[str, Any]]) -> list[str]:
    """Neither folders nor what a system keeps beside files, such as ._a.jpg."""
    paths = (str(one["name"]) for one in listed if one["type"] != "directory")
    return [path for path in paths if not PurePosixPath(path).name.startswith(".")]


def do_on_cluster(job: Job, shards: Sequence[int], cluster: str) -> Iterator[int]:
    """On Ray; pictures per shard, as they are done. Workers that die are replaced, and their shards done again."""
    if not shards:
        return
    try:
        import ray
    except ModuleNotFoundError:
        raise UserError("a cluster needs Ray; `python -m pip install 'ray[data]'`, or leave --cluster out") from None
    ray.init(address=None if cluster == "local" else cluster, log_to_driver=False, ignore_reinit_error=True)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
    # A network uses several cores by itself.
    cores: float = ray.cluster_resources().get("CPU", 1)
    actors = max(1, int(cores) // CORES_OF_AN_ACTOR)
    done = rows.map(_Actor, fn_constructor_args=(job,), concurrency=(1, actors), num_cpus=1)
    try:
        yield from (int(row["count"]) for row in done.iter_rows())
    finally:
        ray.shutdown()


class _Actor:
    def __init__(self, job: Job) -> None:
        self.worker = Worker(job, CORES_OF_AN_ACTOR)

    def __call__(self, row: dict[str, Any]) -> dict[str, int]:
        return {"count": sum(self.worker.do([int(row["shard"])]))}
