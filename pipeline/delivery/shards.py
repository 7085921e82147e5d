"""Prediction in shards: any number of pictures in flat memory; a run that was killed goes on where it stopped.

A shard is some pictures in a row. Its file is written in one go, so a shard is done or not begun; the shards of a
finished run are then put together into one table.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import uuid4

import cv2
import fsspec
import numpy as np

from pipeline.data.format import Format
from pipeline.data.formats import FORMATS
from pipeline.delivery.pictures import Decided
from pipeline.masks.rle import decode_rle, parse_runs
from pipeline.masks.rule import SURE
from pipeline.mendable import Mendable

FAULT_COLUMNS = ("image_id", "fault")
SUMMARY_COLUMNS = ("image_id", "class_name", "presence", "confidence", "mark", "area_share")
UNSURE_MARK = "unsure"
Writer = Callable[[Sequence[str]], object]
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Plan:
    """Which pictures are in which shard, and where the results lie (a folder, or any address of fsspec)."""

    addresses: tuple[str, ...]
    shard_size: int
    out: str
    fingerprint: str
    """of the model: results of another one are not mixed with these"""
    format_name: str = "clouds"
    masks: bool = True
    """whether every mask that is not empty is written as a picture, too"""

    def __len__(self) -> int:
        return -(-len(self.addresses) // self.shard_size)

    def pictures(self, shard: int) -> Sequence[str]:
        return self.addresses[shard * self.shard_size : (shard + 1) * self.shard_size]

    def path(self, shard: int) -> str:
        return f"{self.out}/shards/{shard:06d}.json"

    def begin(self) -> list[int]:
        """The shards that are still to be done. Results of other pictures or another model are refused."""
        files, folder = fsspec.url_to_fs(self.out)
        for place in ("shards", "masks") if self.masks else ("shards",):
            files.makedirs(f"{folder}/{place}", exist_ok=True)
        name, mine = f"{folder}/plan.json", self._describe()
        if files.exists(name) and json.loads(files.cat_file(name)) != mine:
            raise Mendable(f"{self.out} holds results of other pictures or another model; choose another folder")
        write_whole(f"{self.out}/plan.json", json.dumps(mine).encode())
        found = [PurePosixPath(path) for path in files.ls(f"{folder}/shards", detail=False, refresh=True)]
        for path in found:
            if path.name.startswith(UNFINISHED):  # left by a run that was killed
                files.rm(str(path))
        done = {path.name for path in found}
        return [shard for shard in range(len(self)) if PurePosixPath(self.path(shard)).name not in done]

    @property
    def format(self) -> Format:
        return FORMATS[self.format_name]

    def _describe(self) -> dict[str, object]:
        listed = hashlib.sha256("\n".join(self.addresses).encode()).hexdigest()
        return {"pictures": listed, "shard_size": self.shard_size, "model": self.fingerprint, "masks": self.masks}


def write_shard(plan: Plan, shard: int, decided: Iterable[Decided]) -> int:
    """Returns how many pictures are in it."""
    rows = []
    for one in decided:
        rows.append(one._asdict())
        if plan.masks:
            write_masks(plan, one)
    write_whole(plan.path(shard), json.dumps(rows).encode())
    return len(rows)


def write_masks(plan: Plan, one: Decided) -> None:
    """masks/<image_id>_<class_name>.png, white on black, one bit a pixel; none for an empty mask."""
    files, folder = fsspec.url_to_fs(f"{plan.out}/masks")
    for class_name, rle in zip(plan.format.classes, one.rles, strict=False):
        if rle:
            mask = 255 * decode_rle(rle, plan.format.judged_shape).view(np.uint8)
            _, encoded = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])
            files.pipe_file(f"{folder}/{PurePosixPath(one.address).name}_{class_name}.png", encoded.tobytes())


def read_shards(plan: Plan) -> Iterator[Decided]:
    """All pictures in their order, a shard at a time."""
    for shard in range(len(plan)):
        with fsspec.open(plan.path(shard), "r", encoding="utf-8") as file:
            for row in json.load(file):
                rles, chances, confidences = (tuple(row[name]) for name in ("rles", "chances", "confidences"))
                yield Decided(row["address"], rles, row["fault"], chances, confidences)


def put_together(plan: Plan) -> tuple[int, int]:
    """Shards → submission.csv, summary.csv, and faults.csv for what could not be read; how many were and were not."""
    with (
        table_writer(plan, "submission.csv", plan.format.submission_columns) as rows,
        table_writer(plan, "summary.csv", SUMMARY_COLUMNS) as summary,
        table_writer(plan, "faults.csv", FAULT_COLUMNS) as faults,
    ):
        counts = Counter(_tell(plan, one, rows, summary, faults) for one in read_shards(plan))
    return counts[True], counts[False]


def _tell(plan: Plan, one: Decided, rows: Writer, summary: Writer, faults: Writer) -> bool:
    """Whether the picture could be read."""
    image_id = PurePosixPath(one.address).name
    if one.fault:
        faults((image_id, one.fault))
        return False
    height, width = plan.format.judged_shape
    each = zip(plan.format.classes, one.rles, one.chances, one.confidences, strict=True)
    for class_name, rle, chance, confidence in each:
        rows(plan.format.submission_row(image_id, class_name, rle))
        area = parse_runs(rle, plan.format.judged_shape)[1].sum() / (height * width)
        unsure = UNSURE_MARK if confidence < SURE else ""
        summary((image_id, class_name, f"{chance:.4f}", f"{confidence:.4f}", unsure, f"{area:.4f}"))
    return True


@contextmanager
def table_writer(plan: Plan, name: str, columns: Sequence[str]) -> Iterator[Writer]:
    """Takes row after row; the table appears when all are there."""
    files, folder = fsspec.url_to_fs(plan.out)
    with fsspec.open(f"{plan.out}/.{name}", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        yield writer.writerow
    files.mv(f"{folder}/.{name}", f"{folder}/{name}")


def write_whole(address: str, content: bytes) -> None:
    """The file appears only once it is whole: object stores do so anyway, folders by renaming."""
    files, path = fsspec.url_to_fs(address)
    # Two workers may be at one shard, if one of them was given up too early.
    unfinished = str(PurePosixPath(path).with_name(f"{UNFINISHED}{uuid4().hex}"))
    files.pipe_file(unfinished, content)
    files.mv(unfinished, path)
