"""Prediction in shards: any number of pictures in flat memory; a run that was killed goes on where it stopped.

A shard is some pictures in a row. Its file is written in one go, so a shard is done or not begun; the shards of a
finished run are then put together into one table.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import uuid4

import fsspec

from pipeline.data.format import Format
from pipeline.delivery.pictures import Decided
from pipeline.mendable import Mendable

FAULT_COLUMNS = ("image_id", "fault")
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Plan:
    """Which pictures are in which shard, and where the results lie (a folder, or any address of fsspec)."""

    addresses: tuple[str, ...]
    shard_size: int
    out: str
    fingerprint: str
    """of the model: results of another one are not mixed with these"""

    def __len__(self) -> int:
        return -(-len(self.addresses) // self.shard_size)

    def pictures(self, shard: int) -> Sequence[str]:
        return self.addresses[shard * self.shard_size : (shard + 1) * self.shard_size]

    def path(self, shard: int) -> str:
        return f"{self.out}/shards/{shard:06d}.json"

    def begin(self) -> list[int]:
        """The shards that are still to be done. Results of other pictures or another model are refused."""
        files, folder = fsspec.url_to_fs(self.out)
        files.makedirs(f"{folder}/shards", exist_ok=True)
        name, mine = f"{folder}/plan.json", self._describe()
        if files.exists(name) and json.loads(files.cat_file(name)) != mine:
            raise Mendable(f"{self.out} holds results of other pictures or another model; choose another folder")
        write_whole(f"{self.out}/plan.json", json.dumps(mine))
        found = [PurePosixPath(path) for path in files.ls(f"{folder}/shards", detail=False, refresh=True)]
        for path in found:
            if path.name.startswith(UNFINISHED):  # left by a run that was killed
                files.rm(str(path))
        done = {path.name for path in found}
        return [shard for shard in range(len(self)) if PurePosixPath(self.path(shard)).name not in done]

    def _describe(self) -> dict[str, object]:
        listed = hashlib.sha256("\n".join(self.addresses).encode()).hexdigest()
        return {"pictures": listed, "shard_size": self.shard_size, "model": self.fingerprint}


def write_shard(plan: Plan, shard: int, decided: Iterable[Decided]) -> int:
    """Returns how many pictures are in it."""
    rows = [one._asdict() for one in decided]
    write_whole(plan.path(shard), json.dumps(rows))
    return len(rows)


def read_shards(plan: Plan) -> Iterator[Decided]:
    """All pictures in their order, a shard at a time."""
    for shard in range(len(plan)):
        with fsspec.open(plan.path(shard), "r", encoding="utf-8") as file:
            for row in json.load(file):
                yield Decided(row["address"], tuple(row["rles"]), row["fault"])


def put_together(plan: Plan, format_: Format) -> tuple[int, int]:
    """Shards → submission.csv, and faults.csv for the pictures that could not be read; how many there are of each."""
    good, bad = 0, 0
    with (
        fsspec.open(f"{plan.out}/.submission.csv", "w", encoding="utf-8", newline="") as rows,
        fsspec.open(f"{plan.out}/.faults.csv", "w", encoding="utf-8", newline="") as faults,
    ):
        writer, fault_writer = csv.writer(rows, lineterminator="\n"), csv.writer(faults, lineterminator="\n")
        writer.writerow(format_.submission_columns)
        fault_writer.writerow(FAULT_COLUMNS)
        for one in read_shards(plan):
            image_id = PurePosixPath(one.address).name
            if one.fault:
                fault_writer.writerow((image_id, one.fault))
                bad += 1
                continue
            for class_name, rle in zip(format_.classes, one.rles, strict=True):
                writer.writerow(format_.submission_row(image_id, class_name, rle))
            good += 1
    files, folder = fsspec.url_to_fs(plan.out)
    for name in ("submission.csv", "faults.csv"):
        files.mv(f"{folder}/.{name}", f"{folder}/{name}")
    return good, bad


def write_whole(address: str, text: str) -> None:
    """The file appears only once it is whole: object stores do so anyway, folders by renaming."""
    files, path = fsspec.url_to_fs(address)
    # Two workers may be at one shard, if one of them was given up too early.
    unfinished = str(PurePosixPath(path).with_name(f"{UNFINISHED}{uuid4().hex}"))
    files.pipe_file(unfinished, text.encode())
    files.mv(unfinished, path)
