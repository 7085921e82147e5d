"""Prediction of any number of images, on this machine or on a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import cv2

from nephoscope.artifacts import SHIPPED
from nephoscope.batch.maps import MapOptions
from nephoscope.batch.merge import merge_shards
from nephoscope.batch.pictures import PLAIN, decide_pictures
from nephoscope.batch.plan import Plan
from nephoscope.batch.record import Record
from nephoscope.batch.scenes import expand_times, is_scene_address
from nephoscope.batch.shards import begin_run, read_shards, write_provenance, write_shard
from nephoscope.batch.storage import find_pictures, hold_folder
from nephoscope.bundle.folder import fingerprint, read_model
from nephoscope.bundle.load import open_portable
from nephoscope.bundle.provenance import trace_provenance
from nephoscope.data.manifest import Metadata
from nephoscope.earth.reading.names import parse_time
from nephoscope.errors import UserError, missing_extra
from nephoscope.hardware import count_cores, keep_freed_memory
from nephoscope.progress import Progress, no_progress
from nephoscope.settings.choices import Choice, Output

ACTOR_CORES = 2


@dataclass(frozen=True)
class Job:
    """One run of prediction; small enough to be sent to a worker."""

    model: Path
    engine: Choice
    batch_size: int
    plan: Plan
    command: str
    """What the user ran, for the provenance of the results."""


@dataclass(frozen=True)
class BatchResult:
    """A finished run."""

    plan: Plan
    problem_count: int
    """Images that could not be read."""
    incomplete_outputs: tuple[Output, ...]
    """Outputs that lack the files of some images, such as GeoTIFFs of images without a place."""

    @property
    def readable_count(self) -> int:
        return len(self.plan.addresses) - self.problem_count

    def records(self) -> Iterator[Record]:
        """One per image, in order; read from the shards, so memory stays constant."""
        return read_shards(self.plan)


class Worker:
    """Opens the model once and computes shards."""

    def __init__(self, job: Job, cores: int) -> None:
        keep_freed_memory()
        cv2.setNumThreads(1)  # images are processed in parallel
        self.job, self.streams = job, cores
        self.model, self.rules = open_portable(job.model, job.engine, streams=cores)
        self.provenance = trace_provenance(job.model, self.model, self.rules, job.command)
        write_provenance(job.plan, self.provenance)

    def do(self, shards: Sequence[int]) -> Iterator[int]:
        """Compute shards without a pause between them; yields the number of images of each."""
        plan = self.job.plan
        addresses = (address for shard in shards for address in plan.addresses_of(shard))
        images = decide_pictures(
            self.model, self.rules, addresses, self.job.batch_size, self.streams, options=plan.options
        )
        for shard in shards:
            yield write_shard(plan, shard, islice(images, len(plan.addresses_of(shard))), self.provenance)


def predict_pictures(
    pictures: Sequence[str],
    model: str | PathLike[str] = SHIPPED,
    out: str | PathLike[str] = "predicted",
    *,
    engine: Choice = "auto",
    batch_size: int = 4,
    shard_size: int = 64,
    cluster: str | None = None,
    outputs: Sequence[Output] = ("submission", "masks"),
    options: MapOptions = PLAIN,
    command: str = "nephoscope.batch.predict.predict_pictures",
    progress: Progress = no_progress,
) -> BatchResult:
    """Files, folders or patterns, local or fsspec addresses → summary.csv, problems.csv and these outputs in `out`.

    An interrupted run resumes where it stopped. A finished run writes further outputs without predicting again. With
    `cluster` ("local" or an address), Ray shares the shards among workers. `options` say how scenes are placed, read
    and written.
    """
    outputs = (*outputs, "netcdf") if options.convention == "c3ontext" and "netcdf" not in outputs else outputs
    # Workers of a cluster have another working folder, so paths are absolute.
    folder, out = Path(model).resolve(), fspath(out)
    out = out if "://" in out else str(Path(out).resolve())
    digest, data_format = fingerprint(folder), Metadata.from_dict(read_model(folder)["data"]).data_format
    addresses = tuple(expand_times(find_pictures(pictures)))
    _check_placing(addresses, options)
    plan = Plan(addresses, shard_size, out.rstrip("/"), digest, data_format, tuple(outputs), options)
    job = Job(folder, engine, batch_size, plan, command)
    with hold_folder(plan.out):
        todo = begin_run(plan)
        done_count = len(plan.addresses) - sum(len(plan.addresses_of(shard)) for shard in todo)
        with progress(done_count, len(plan.addresses)) as advance:
            for count in do_here(job, todo) if cluster is None else do_on_cluster(job, todo, cluster):
                advance(count)
        return BatchResult(plan, *merge_shards(plan))


def _check_placing(addresses: Sequence[str], options: MapOptions) -> None:
    """Before anything is written: bounds and a time belong to one image, and a time needs a place."""
    if not (options.bounds or options.time):
        return
    if len(addresses) > 1:
        raise UserError(f"--bounds and --time place one image; found {len(addresses)}; predict them one by one")
    if options.time:
        parse_time(options.time)
        if not all(is_scene_address(address, options) for address in addresses):
            raise UserError(f"--time {options.time}: the image has no place; add --bounds W,S,E,N")


def do_here(job: Job, shards: Sequence[int]) -> Iterator[int]:
    """Compute shards in this process; yields the number of images of each."""
    if shards:
        yield from Worker(job, count_cores()).do(shards)


def do_on_cluster(job: Job, shards: Sequence[int], cluster: str) -> Iterator[int]:
    """Compute shards with Ray, in any order; yields the number of images of each. Workers that die are replaced."""
    if not shards:
        return
    with _ray_session(cluster) as ray:
        rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
        cores: float = ray.cluster_resources().get("CPU", 1)
        actors = max(1, int(cores) // ACTOR_CORES)
        done = rows.map(_Actor, fn_constructor_args=(job,), concurrency=(1, actors), num_cpus=1)
        yield from (int(row["count"]) for row in done.iter_rows())


@contextmanager
def _ray_session(cluster: str) -> Iterator[Any]:
    """The module ray with a session, without progress bars. A session that is open already is used, and stays open."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    began = not ray.is_initialized()
    if began:
        ray.init(address=None if cluster == "local" else cluster, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        yield ray
    finally:
        context.enable_progress_bars = shown
        if began:
            ray.shutdown()


class _Actor:
    def __init__(self, job: Job) -> None:
        self.worker = Worker(job, ACTOR_CORES)

    def __call__(self, row: dict[str, Any]) -> dict[str, int]:
        return {"count": sum(self.worker.do([int(row["shard"])]))}
