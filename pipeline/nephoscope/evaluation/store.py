"""The probability store: the predictions of both networks for every image of a split, in one compressed file.

A Zarr group in a zip: `levels` N×C×H×W uint8 at the output shape, `visible` N×H×W, and the raw presences N×C.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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

if TYPE_CHECKING:  # zarr is imported only to open a store; prediction and tuning of arrays do not need it
    import zarr

IN_HEADER, IN_DIRECTORY, DIRECTORY_ENTRY = 10, 12, 46
"""Bytes: offset of the time in the header of a file and in its directory entry; size of a directory entry."""
NO_DATE = b"\x00\x00\x21\x00"
"""1980-01-01, the first date of the format"""


class Prediction(NamedTuple):
    """The output of the networks for one image, before any rule."""

    levels: Levels
    """C×H×W at the output shape"""
    visible: Mask
    """H×W"""
    classifier: npt.NDArray[np.floating]
    """C: raw presence of the classifier"""
    top_mean: npt.NDArray[np.floating]
    """C: top-fraction mean of the segmenter"""


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
        """Open a finished store. Maps are read from disk on access."""
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

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """These images, in this order; maps are still read from disk on access."""
        return replace(
            self,
            image_ids=tuple(self.image_ids[row] for row in rows),
            raw=RawPresences(self.raw.classifier[rows], self.raw.top_mean[rows]),
            _levels=_Rows(self._levels, rows),
            _visible=_Rows(self._visible, rows),
        )


@dataclass(frozen=True)
class _Rows:
    """Some rows of an array that is read one row at a time."""

    array: Any
    rows: npt.NDArray[np.int64]

    def __getitem__(self, index: int) -> Any:
        return self.array[int(self.rows[index])]


class StoreWriter:
    """Writes predictions in any order, every image once."""

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
    """A writer for a new store, which appears at `path` only after every image is written."""
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
                raise ValueError(f"{missing.size} images were not written, the first is {image_ids[int(missing[0])]}")
            group.create_array("classifier", data=writer.classifier)
            group.create_array("top_mean", data=writer.top_mean)
        _undate(unfinished)


def _undate(path: Path) -> None:
    """Erase the times of all files in a zip. Otherwise DVC would see a change in equal contents."""
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

    # Chunks of one image, so that an image is read and written alone.
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
