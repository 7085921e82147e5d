"""Prediction in shards: any number of pictures in flat memory; a run that was killed goes on where it stopped.

A shard is some pictures in a row. Its file is written in one go, after the files of its pictures, so a shard is done or
not begun; one with a file that could not be read is done again, for the file may be whole by then. `collecting` makes
tables of the shards of a finished run.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from errno import ENAMETOOLONG
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any
from uuid import uuid4

from tqdm import tqdm

from nephoscope.batch.outputs import FOLDERS, possible_files
from nephoscope.batch.pictures import UNSEEN, Record
from nephoscope.batch.result import image_id_of
from nephoscope.batch.storage import make_folder, open_storage, read_bytes
from nephoscope.data.formats import FORMATS, Format
from nephoscope.data.images import ImageError
from nephoscope.errors import UserError
from nephoscope.settings.choices import Output

UNFINISHED = ".unfinished-"
PLAN = "plan.json"
EXPLAINED = "explained.json"
"""What `nephoscope explain` leaves in its folder."""


@dataclass(frozen=True)
class Plan:
    """Which pictures are in which shard, and where the results lie (a folder, or any address of fsspec)."""

    addresses: tuple[str, ...]
    shard_size: int
    out: str
    fingerprint: str
    """of the model: results of another one are not mixed with these"""
    format_name: str = "clouds"
    outputs: tuple[Output, ...] = ("submission", "masks")

    def __len__(self) -> int:
        return -(-len(self.addresses) // self.shard_size)

    def pictures(self, shard: int) -> Sequence[str]:
        return self.addresses[shard * self.shard_size : (shard + 1) * self.shard_size]

    def path(self, shard: int) -> str:
        return f"{self.out}/shards/{shard:06d}.json"

    def begin(self) -> list[int]:
        """The shards that are still to be done. Results of other pictures, another model or version are refused."""
        files, folder = open_storage(self.out)
        if files.exists(f"{folder}/{EXPLAINED}"):
            raise UserError(f"{self.out} holds heat maps, whose tables have the same names; choose another folder")
        for place in ("shards", *(output for output in self.outputs if output in FOLDERS)):
            make_folder(f"{self.out}/{place}")
        if files.exists(f"{folder}/{PLAN}"):
            self._refuse_others()
        write_whole(f"{self.out}/{PLAN}", json.dumps(self._describe()).encode())
        done = {shard for shard in self._find_written() if take_up(self, shard)}
        return sorted(set(range(len(self))) - done)

    def _refuse_others(self) -> None:
        try:
            found = json.loads(read_bytes(f"{self.out}/{PLAN}"))
        except ValueError:
            raise UserError(f"{self.out}/{PLAN} cannot be read; choose another folder, or delete this one") from None
        mine = self._describe()
        places = ("shards", *FOLDERS)
        if found == mine or not any(map(self._list, places)):  # of which nothing was done, as by a model that is broken
            return
        if isinstance(found, dict) and mine == {**found, "shard_size": self.shard_size}:
            size = found.get("shard_size")
            raise UserError(
                f"{self.out} holds shards of {size} pictures; say --shard-size {size}, or choose another folder"
            )
        raise UserError(
            f"{self.out} holds results of other pictures, another model or another version; choose another folder"
        )

    def _list(self, place: str) -> list[PurePosixPath]:
        files, folder = open_storage(self.out)
        try:
            return [PurePosixPath(path) for path in files.ls(f"{folder}/{place}", detail=False, refresh=True)]
        except FileNotFoundError:  # an object store has no empty folders
            return []

    def _find_written(self) -> Iterator[int]:
        files, found = open_storage(self.out)[0], self._list("shards")
        names = {path.name for path in found}
        for path in found:
            if path.name.startswith(UNFINISHED):  # left by a run that was killed
                files.rm(str(path))
        yield from (shard for shard in range(len(self)) if PurePosixPath(self.path(shard)).name in names)

    @property
    def format(self) -> Format:
        return FORMATS[self.format_name]

    def _describe(self) -> dict[str, object]:
        listed = hashlib.sha256("\n".join(self.addresses).encode("utf-8", "surrogateescape")).hexdigest()
        return {
            "pictures": listed,
            "shard_size": self.shard_size,
            "model": self.fingerprint,
            "nephoscope": version("nephoscope"),
            "figures": list(Record._fields),  # in a clone the code may change, and the version not
        }


def write_shard(plan: Plan, shard: int, decided: Iterable[Record]) -> int:
    """Returns how many pictures are in it."""
    rows = []
    left_out: set[Output] = set()
    files, path = open_storage(plan.path(shard))
    done_again = files.exists(path)
    # What an earlier run was asked for is made again with the rest.
    outputs = list(dict.fromkeys([*plan.outputs, *(_find_outputs(plan, shard) if done_again else ())]))
    for one in decided:
        rows.append(one._asdict())
        if done_again:
            remove_files(plan, one)
        left_out |= write_files(plan, one, outputs)
    _write(plan, shard, rows, [output for output in outputs if output not in left_out])
    return len(rows)


def _find_outputs(plan: Plan, shard: int) -> list[Output]:
    try:
        return list(_read(plan, shard)["outputs"])
    except ValueError:
        return []


def take_up(plan: Plan, shard: int) -> bool:
    """Whether a shard that was written is done. Outputs that it was not asked for are made of what it holds."""
    try:
        content = _read(plan, shard)
    except ValueError:  # no JSON: the machine went down over it
        return False
    if any(row["problem"] not in ("", UNSEEN) for row in content["pictures"]):
        return False
    late = [output for output in plan.outputs if output in FOLDERS and output not in content["outputs"]]
    if late:
        left_out: set[Output] = set()
        for one in read_shard(plan, shard):
            left_out |= write_files(plan, one, late)
        made = [output for output in late if output not in left_out]
        _write(plan, shard, content["pictures"], [*content["outputs"], *made])
    return True


def remove_files(plan: Plan, one: Record) -> None:
    """What an earlier run wrote of a picture: a mask that is empty now would stay beside a table without it."""
    files, folder = open_storage(plan.out)
    for output, names in possible_files(one, plan.format).items():
        for path in (f"{folder}/{output}/{name}" for name in names):
            if files.exists(path):
                files.rm_file(path)


def write_files(plan: Plan, one: Record, outputs: Sequence[Output]) -> set[Output]:
    """What is wanted of every picture as a file of its own. What has to be left out is told and returned: the next run
    tries it again."""
    files, folder = open_storage(plan.out)
    left_out: set[Output] = set()
    for output in outputs if not one.problem else ():
        try:
            for name, content in FOLDERS[output](one, plan.format).items() if output in FOLDERS else ():
                files.pipe_file(f"{folder}/{output}/{name}", content)
        except (ImageError, OSError) as error:
            if isinstance(error, OSError) and error.errno != ENAMETOOLONG:
                raise
            why = error.strerror if isinstance(error, OSError) else error
            tqdm.write(f"nephoscope: {output}: {image_id_of(one)} is left out: {why}", file=sys.stderr)
            left_out.add(output)
    return left_out


def read_shards(plan: Plan) -> Iterator[Record]:
    """All pictures in their order, a shard at a time."""
    for shard in range(len(plan)):
        yield from read_shard(plan, shard)


def read_shard(plan: Plan, shard: int) -> list[Record]:
    return [_decided(row) for row in _read(plan, shard)["pictures"]]


def _decided(row: dict[str, Any]) -> Record:
    """JSON knows no tuples."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Record(**fields)


def _read(plan: Plan, shard: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(read_bytes(plan.path(shard)))
    return content


def _write(plan: Plan, shard: int, rows: Sequence[dict[str, Any]], outputs: Sequence[Output]) -> None:
    write_whole(plan.path(shard), json.dumps({"outputs": outputs, "pictures": rows}).encode())


def write_whole(address: str, content: bytes) -> None:
    """The file appears only once it is whole: object stores do so anyway, folders by renaming."""
    files, path = open_storage(address)
    # Two workers may be at one shard, if one of them was given up too early.
    unfinished = str(PurePosixPath(path).with_name(f"{UNFINISHED}{uuid4().hex}"))
    files.pipe_file(unfinished, content)
    files.mv(unfinished, path)
