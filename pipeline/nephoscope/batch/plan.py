"""The plan of a run: its images, their shards, and the folder of its results."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

from nephoscope.batch.maps import MapOptions
from nephoscope.batch.outputs import FILES_PER_IMAGE
from nephoscope.batch.record import Record
from nephoscope.batch.storage import atomic_open, list_folder, make_folder, open_storage, read_bytes
from nephoscope.data.formats import CLOUDS, Format
from nephoscope.errors import UserError
from nephoscope.files import parse_json
from nephoscope.settings.choices import Output

PLAN = "plan.json"
EXPLAINED = "explained.json"
"""The file that `nephoscope explain` writes into its folder."""


@dataclass(frozen=True)
class Plan:
    addresses: tuple[str, ...]
    shard_size: int
    """Images in a shard; the last one may hold fewer."""
    out: str
    """Folder of the results: a local path or an fsspec address."""
    fingerprint: str
    """Of the model. Results of two models are never mixed."""
    data_format: Format = CLOUDS
    outputs: tuple[Output, ...] = ("submission", "masks")
    options: MapOptions = field(default_factory=MapOptions)

    @property
    def shard_count(self) -> int:
        return -(-len(self.addresses) // self.shard_size)

    def addresses_of(self, shard: int) -> Sequence[str]:
        return self.addresses[shard * self.shard_size : (shard + 1) * self.shard_size]

    def shard_path(self, shard: int) -> str:
        return f"{self.out}/shards/{shard:06d}.json"

    def prepare_folder(self) -> None:
        """Create the folder and note the plan. Results of other images, another model or version are refused."""
        files, folder = open_storage(self.out)
        if files.exists(f"{folder}/{EXPLAINED}"):
            raise UserError(f"{self.out} holds heat maps, whose tables have the same names; choose another folder")
        for name in ("shards", *(output for output in self.outputs if output in FILES_PER_IMAGE)):
            make_folder(f"{self.out}/{name}")
        list_folder(self.out)  # removes unfinished tables of an interrupted run
        if files.exists(f"{folder}/{PLAN}"):
            self._refuse_other_results()
        with atomic_open(f"{self.out}/{PLAN}") as file:
            file.write(json.dumps(self._describe()))

    def written_shards(self) -> list[int]:
        names = {path.name for path in list_folder(f"{self.out}/shards")}
        return [shard for shard in range(self.shard_count) if self.shard_path(shard).rsplit("/", 1)[1] in names]

    def _refuse_other_results(self) -> None:
        try:
            other = parse_json(read_bytes(f"{self.out}/{PLAN}"))
        except ValueError:
            raise UserError(f"{self.out}/{PLAN} cannot be read; choose another folder, or delete this one") from None
        mine = self._describe()
        # A run may have failed before its first result, for example by a damaged model.
        empty = not any(list_folder(f"{self.out}/{name}") for name in ("shards", *FILES_PER_IMAGE))
        if other == mine or empty:
            return
        if isinstance(other, dict) and mine == {**other, "shard_size": self.shard_size}:
            size = other.get("shard_size")
            raise UserError(
                f"{self.out} holds shards of {size} images; use --shard-size {size}, or choose another folder"
            )
        if isinstance(other, dict) and mine == {**other, "options": mine["options"]}:
            raise UserError(
                f"{self.out} holds results made with another --bounds, --time, --overlap, --zarr-format or "
                "--convention; choose another folder, or delete this one"
            )
        raise UserError(
            f"{self.out} holds results of other images, another model or another version; choose another folder"
        )

    def _describe(self) -> dict[str, object]:
        digest = hashlib.sha256("\n".join(self.addresses).encode("utf-8", "surrogateescape")).hexdigest()
        return {
            "pictures": digest,
            "shard_size": self.shard_size,
            "model": self.fingerprint,
            "nephoscope": version("nephoscope"),
            "options": asdict(self.options),
            "figures": list(Record._fields),  # in a clone the code may change and the version may not
        }
