"""The shards of a finished run → tables of all images, in one pass over the shards."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from nephoscope.batch.coco import write_coco
from nephoscope.batch.outputs import FILES_PER_IMAGE
from nephoscope.batch.plan import Plan
from nephoscope.batch.record import Record, class_results
from nephoscope.batch.shards import read_provenance, read_shard, read_shards
from nephoscope.batch.storage import atomic_open, open_storage
from nephoscope.batch.submission import submission_rows
from nephoscope.data.formats import Format
from nephoscope.errors import UserError
from nephoscope.names import cell
from nephoscope.rules.presence import SURE_LABEL, UNSURE_LABEL
from nephoscope.settings.choices import Output

PROBLEM_COLUMNS = ("image_id", "problem")
SUMMARY_COLUMNS = (
    "image_id", "class_name", "presence", "present", "confidence", "confidence_label", "area_share", "visible_share",
)  # fmt: skip
Row = Sequence[Any]
AddRecord = Callable[[Record], object]


def merge_shards(plan: Plan) -> tuple[int, tuple[Output, ...]]:
    """Write all tables of the run; returns the number of images with a problem, and the outputs that lack files."""
    problem_count = 0
    incomplete: set[Output] = set()
    with ExitStack() as stack:
        tables = [stack.enter_context(table) for table in open_tables(plan)]
        for shard in range(plan.shard_count):
            outputs, records = read_shard(plan, shard)
            incomplete |= set(plan.outputs) - set(outputs)
            for record in records:
                problem_count += bool(record.problem)
                for add in tables:
                    add(record)
    if plan.options.convention == "c3ontext":
        write_c3ontext_store(plan)
    return problem_count, tuple(output for output in plan.outputs if output in incomplete & set(FILES_PER_IMAGE))


def write_c3ontext_store(plan: Plan) -> None:
    """The NetCDF files of a finished run, in the order of their times → `c3ontext.zarr`."""
    import xarray as xr

    from nephoscope.earth.writing.c3ontext import write_c3ontext

    if "://" in plan.out:
        raise UserError(f"{plan.out}: the convention c3ontext is written to local folders only; choose another --out")
    timed = sorted((record.time, record.image_id) for record in read_shards(plan) if record.transform and record.time)
    datasets = (xr.load_dataset(f"{plan.out}/netcdf/{image_id}.nc", decode_coords="all") for _, image_id in timed)
    write_c3ontext(datasets, Path(plan.out, "c3ontext.zarr"))


def open_tables(plan: Plan) -> Iterator[AbstractContextManager[AddRecord]]:
    data_format = plan.data_format
    yield open_table(f"{plan.out}/summary.csv", SUMMARY_COLUMNS, partial(summary_rows, data_format))
    yield open_table(f"{plan.out}/problems.csv", PROBLEM_COLUMNS, problem_rows)
    if is_wanted(plan, "submission", "submission.csv"):
        columns = data_format.submission_columns
        yield open_table(f"{plan.out}/submission.csv", columns, partial(record_rows, data_format))
    if is_wanted(plan, "coco", "coco.json"):
        yield write_coco(f"{plan.out}/coco.json", data_format, read_provenance(plan))


def is_wanted(plan: Plan, output: Output, name: str) -> bool:
    """A table of an earlier run is written again: it would contradict the others if images were done again."""
    files, folder = open_storage(plan.out)
    return output in plan.outputs or bool(files.exists(f"{folder}/{name}"))


@contextmanager
def open_table(address: str, columns: Sequence[str], rows_of: Callable[[Record], Iterable[Row]]) -> Iterator[AddRecord]:
    """A CSV file that takes records one by one and appears once it is complete."""
    with atomic_open(address) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield lambda record: writer.writerows(rows_of(record))


def summary_rows(data_format: Format, record: Record) -> Iterator[Row]:
    for result in [] if record.problem else class_results(record, data_format):
        label = UNSURE_LABEL if result.unsure else SURE_LABEL
        figures = (result.presence, result.confidence, result.area_share, record.visible_share)
        presence, confidence, *shares = (f"{figure:.4f}" for figure in figures)
        yield cell(record.image_id), result.class_name, presence, int(result.present), confidence, label, *shares


def problem_rows(record: Record) -> Iterator[Row]:
    if record.problem:
        yield cell(record.image_id), cell(record.problem)


def record_rows(data_format: Format, record: Record) -> Iterator[Row]:
    """The rows of an image in the submission, which knows one shape: larger scenes are left out."""
    if not record.problem and record.shape == data_format.output_shape:
        yield from submission_rows(data_format, record.image_id, record.rles)
