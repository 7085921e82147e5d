"""Shards: constant memory for any number of images, and runs that resume where they stopped.

A shard is a number of consecutive images. Its file is written at once, after the files of its images, so a shard is
complete or missing. A shard with an image that could not be read is done again: the file may be complete by then.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from errno import ENAMETOOLONG
from typing import Any, NamedTuple

from nephoscope.batch.maps import WRITERS, write_maps
from nephoscope.batch.outputs import ENCODERS, FILES_PER_IMAGE, decode_masks, file_names
from nephoscope.batch.pictures import UNSEEN, Decided
from nephoscope.batch.plan import Plan
from nephoscope.batch.record import Record
from nephoscope.batch.scenes import split_time
from nephoscope.batch.storage import atomic_open, open_storage, read_bytes, stamp
from nephoscope.data.images import ImageError
from nephoscope.errors import UserError
from nephoscope.provenance import PROVENANCE_FILE, Provenance, hash_source
from nephoscope.settings.choices import Output

LOGGER = logging.getLogger("nephoscope")


class Shard(NamedTuple):
    """The content of a shard's file."""

    outputs: tuple[Output, ...]
    """Outputs that were written for all its images."""
    records: list[Record]


def begin_run(plan: Plan) -> list[int]:
    """Prepare the folder of results, and return the shards that are still to be done."""
    plan.prepare_folder()
    done = {shard for shard in plan.written_shards() if complete_shard(plan, shard)}
    return [shard for shard in range(plan.shard_count) if shard not in done]


def write_shard(plan: Plan, shard: int, images: Iterable[Decided], provenance: Provenance | None = None) -> int:
    """Write the files of every image, then the shard; returns its number of images."""
    files, path = open_storage(plan.shard_path(shard))
    again = files.exists(path)
    outputs = list(plan.outputs)
    if again:  # outputs of an earlier run are written again, too
        with suppress(ValueError):
            outputs += [output for output in read_shard(plan, shard).outputs if output not in outputs]
    records: list[Record] = []
    left_out: set[Output] = set()
    for image in images:
        records.append(image.record)
        if again:
            remove_files(plan, image.record)
        left_out |= write_files(plan, _with_provenance(image, provenance, outputs), outputs)
    _write(plan, shard, [output for output in outputs if output not in left_out], records)
    return len(records)


STATING: tuple[Output, ...] = (*WRITERS, "geojson")
"""Outputs that say from which bytes they were made."""


def _with_provenance(image: Decided, provenance: Provenance | None, outputs: Sequence[Output]) -> Decided:
    if image.result is None or provenance is None or not set(STATING) & set(outputs):
        return image
    source = split_time(image.record.address)[0]
    made = provenance.of_source(source, hash_source(source))
    return image._replace(result=replace(image.result, provenance=made))


def write_provenance(plan: Plan, provenance: Provenance) -> None:
    """Beside the tables, which have no attributes of their own."""
    with atomic_open(f"{plan.out}/{PROVENANCE_FILE}") as file:
        file.write(json.dumps(provenance.to_attributes(), indent=1))


def _attributes(plan: Plan, image: Decided) -> dict[str, str]:
    made = None if image.result is None else image.result.provenance
    return {**read_provenance(plan), "source": image.record.address} if made is None else made.to_attributes()


def read_provenance(plan: Plan) -> dict[str, str]:
    """What all files of a run have in common; empty for a run of before."""
    files, path = open_storage(f"{plan.out}/{PROVENANCE_FILE}")
    content = json.loads(read_bytes(f"{plan.out}/{PROVENANCE_FILE}")) if files.exists(path) else {}
    return {str(name): str(text) for name, text in content.items()}


def complete_shard(plan: Plan, shard: int) -> bool:
    """True if a written shard is done. Missing outputs are written from its records."""
    try:
        outputs, records = read_shard(plan, shard)
    except ValueError:  # no JSON: the machine stopped while it wrote
        return False
    if any(record.problem not in ("", UNSEEN) for record in records):
        return False
    if changed := [record.image_id for record in records if has_changed(record)]:
        LOGGER.info("%s: changed since the last run; predicted again", ", ".join(changed))
        return False
    missing = [output for output in plan.outputs if output in FILES_PER_IMAGE and output not in outputs]
    scenes = any(record.scene for record in records)
    if any(output in WRITERS or (scenes and output == "overlays") for output in missing):
        return False  # records have no probabilities and no pixels
    if missing:
        left_out: set[Output] = set()
        for record in records:
            masks = None if record.problem else decode_masks(record)
            left_out |= write_files(plan, Decided(record, masks), missing)
        _write(plan, shard, [*outputs, *(output for output in missing if output not in left_out)], records)
    return True


def has_changed(record: Record) -> bool:
    """Whether the file is another one than that which was predicted."""
    return bool(record.stamp) and record.stamp != stamp(split_time(record.address)[0])


def remove_files(plan: Plan, record: Record) -> None:
    """Remove an image's files of an earlier run: a mask that is empty now has no file to overwrite the old one."""
    files, folder = open_storage(plan.out)
    for output, names in file_names(record, plan.data_format).items():
        for path in (f"{folder}/{output}/{name}" for name in names):
            if files.exists(path):
                files.rm_file(path)


def write_files(plan: Plan, image: Decided, outputs: Sequence[Output]) -> set[Output]:
    """Write the wanted files of one image. Returns the outputs that failed; the next run tries them again."""
    if image.masks is None:
        return set()
    files, folder = open_storage(plan.out)
    left_out: set[Output] = set()
    attributes = _attributes(plan, image) if "geojson" in outputs else {}
    for output in outputs:
        if output not in FILES_PER_IMAGE:
            continue
        try:
            if output in WRITERS and image.result is not None:
                write_maps(image.result, output, f"{plan.out}/{output}", plan.options)
                continue
            for name, content in ENCODERS[output](image, plan.data_format, attributes).items():
                files.pipe_file(f"{folder}/{output}/{name}", content)
        except (ImageError, UserError, OSError) as error:
            if isinstance(error, OSError) and error.errno != ENAMETOOLONG:
                raise
            reason = error.strerror if isinstance(error, OSError) else error
            LOGGER.warning("%s: %s is left out: %s", output, image.record.image_id, reason)
            left_out.add(output)
    return left_out


def read_shards(plan: Plan) -> Iterator[Record]:
    """All records in order; one shard is in memory at a time."""
    for shard in range(plan.shard_count):
        yield from read_shard(plan, shard).records


def read_shard(plan: Plan, shard: int) -> Shard:
    """Raises ValueError if the file is not complete."""
    content = json.loads(read_bytes(plan.shard_path(shard)))
    return Shard(tuple(content["outputs"]), [_to_record(row) for row in content["pictures"]])


def _to_record(row: dict[str, Any]) -> Record:
    """JSON has lists where a record has tuples."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Record(**fields)


def _write(plan: Plan, shard: int, outputs: Sequence[Output], records: Sequence[Record]) -> None:
    content = {"outputs": outputs, "pictures": [record._asdict() for record in records]}
    with atomic_open(plan.shard_path(shard)) as file:
        file.write(json.dumps(content))
