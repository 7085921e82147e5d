"""The probability store: what both networks say of every picture of a split, in one compressed file.

A Zarr group in a zip: `levels` N×C×H×W uint8 at the output shape, `visible` N×H×W, and the raw presences N×C.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from nephoscope.artifacts import require_artifact
from nephoscope.files import atomic_write
from nephoscope.masks.rle import Mask, Shape
from nephoscope.rules.presence import RawPresences
from nephoscope.rules.rules import InferenceSettings, Levels

if TYPE_CHECKING:  # zarr is imported where a store is opened: predicting and tuning arrays do without it
    import zarr

IN_HEADER, IN_DIRECTORY, DIRECTORY_ENTRY = 10, 12, 46
"""Bytes: where a zip has the time of a file, before it and in the directory at the end; size of an entry there."""
NO_DATE = b"\x00\x00\x21\x00"
"""The first that a zip can tell: 1980-01-01."""


class Prediction(NamedTuple):
    """What the networks say of one picture, before any rule."""

    levels: Levels
    """C×H×W at the output shape"""
    visible: Mask
    """H×W"""
    classifier: npt.NDArray[np.floating]
    """C: presence, as the classifier has it"""
    top_mean: npt.NDArray[np.floating]
    """C: mean probability of the strongest visible pixels"""


@dataclass(frozen=True)
class ProbabilityStore:
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]
    raw: RawPresences
    inference_settings: InferenceSettings
    _levels: Any
    _visible: Any

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a finished store; maps are read when they are asked for."""
        import zarr
        from zarr.storage import ZipStore

        group = zarr.open_group(ZipStore(require_artifact(path, "predict"), mode="r"), mode="r")
        raw = RawPresences(_read(group, "classifier"), _read(group, "top_mean"))
        attributes = group.attrs.asdict()
        ids, classes = attributes["image_ids"], attributes["classes"]
        inference_settings = InferenceSettings.model_validate(attributes["inference_settings"])
        return cls(tuple(ids), tuple(classes), raw, inference_settings, group["levels"], group["visible"])  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> Prediction:
        levels, visible = np.asarray(self._levels[index]), np.asarray(self._visible[index], bool)
        return Prediction(levels, visible, self.raw.classifier[index], self.raw.top_mean[index])


class StoreWriter:
    """Takes predictions in any order, each once."""

    def __init__(self, group: "zarr.Group", count: int, classes: Sequence[str], shape: Shape) -> None:
        self._levels = _create(group, "levels", (count, len(classes), *shape), np.uint8)
        self._visible = _create(group, "visible", (count, *shape), np.bool_)
        self.classifier = np.full((count, len(classes)), np.nan, np.float32)
        self.top_mean = np.full((count, len(classes)), np.nan, np.float32)

    def write(self, index: int, prediction: Prediction) -> None:
        self._levels[index] = prediction.levels
        self._visible[index] = prediction.visible
        self.classifier[index] = prediction.classifier
        self.top_mean[index] = prediction.top_mean


@contextmanager
def atomic_store(
    path: Path, image_ids: Sequence[str], classes: Sequence[str], shape: Shape, inference_settings: InferenceSettings
) -> Iterator[StoreWriter]:
    """A store to fill; it takes its place at `path` only once every picture is in it."""
    import zarr
    from zarr.storage import ZipStore

    with atomic_write(path) as unfinished:
        with ZipStore(unfinished, mode="w") as zipped:
            attributes = {
                "image_ids": list(image_ids),
                "classes": list(classes),
                "inference_settings": inference_settings.model_dump(),
            }
            group = zarr.create_group(zipped, attributes=attributes)
            writer = StoreWriter(group, len(image_ids), classes, shape)
            yield writer
            missing = np.flatnonzero(np.isnan(writer.classifier + writer.top_mean).any(axis=1))
            if missing.size:
                raise ValueError(f"{missing.size} pictures have no numbers, {image_ids[int(missing[0])]} first")
            group.create_array("classifier", data=writer.classifier)
            group.create_array("top_mean", data=writer.top_mean)
        _undate(unfinished)


def _undate(path: Path) -> None:
    """A zip tells when each of its files was written, so that DVC would see a change where there is none."""
    with ZipFile(path) as zipped:
        entries, place = zipped.infolist(), zipped.start_dir
    with path.open("r+b") as file:
        for entry in entries:
            file.seek(entry.header_offset + IN_HEADER)
            file.write(NO_DATE)
            file.seek(place + IN_DIRECTORY)
            file.write(NO_DATE)
            place += DIRECTORY_ENTRY + len(entry.orig_filename.encode()) + len(entry.extra) + len(entry.comment)


def _create(group: "zarr.Group", name: str, shape: tuple[int, ...], dtype: type) -> Any:
    from zarr.codecs import BloscCodec

    # Chunk 1×…: one picture is read or written without touching its neighbours.
    return group.create_array(
        name,
        shape=shape,
        chunks=(1, *shape[1:]),
        dtype=dtype,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="noshuffle"),
        config={"write_empty_chunks": True},
    )


def _read(group: "zarr.Group", name: str) -> npt.NDArray[np.float32]:
    return np.asarray(group[name][...])  # type: ignore[index]
