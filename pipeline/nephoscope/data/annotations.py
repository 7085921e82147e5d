"""The annotation of one image, in whatever form it was drawn, and its masks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nephoscope.data.images import full_shape
from nephoscope.data.problems import ProblemKind, explain_aspect
from nephoscope.masks.geometry import Image
from nephoscope.masks.polygons import decode_counts, fill_box, fill_polygon
from nephoscope.masks.rle import Mask, RleError, Shape, decode_rle

Box = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels; x to the right, y down."""
NamedMasks = Iterator[tuple[str, Mask]]
"""class_name and mask, of any shape with the aspect of the image; classes without a mask may be left out."""


class AnnotationError(ValueError):
    """An annotation cannot be drawn."""

    def __init__(self, kind: ProblemKind, file: str, row: int | None, message: str) -> None:
        super().__init__(message)
        self.kind, self.file, self.row = kind, file, row


class Annotation(Protocol):
    def draw(self, path: Path, image: Image, /) -> NamedMasks:
        """The image's file and its pixels, maybe at a reduced scale → its masks; raises AnnotationError."""


@dataclass(frozen=True)
class RleAnnotation:
    """Class name → RLE, checked before."""

    rles: Mapping[str, str]
    shape: Shape

    def draw(self, _path: Path, _image: Image) -> NamedMasks:
        for name, rle in self.rles.items():
            yield name, decode_rle(rle, self.shape)


@dataclass(frozen=True)
class BoxAnnotation:
    """Boxes of any number of people. A mask is the union of the boxes of its class."""

    file: str
    boxes: Mapping[str, Sequence[tuple[int, Box]]]
    """Class name → line number and box"""
    shape: Shape | None
    """In whose pixels boxes are; None: the image's own."""

    def draw(self, path: Path, image: Image) -> NamedMasks:
        shape = self.shape or full_shape(path, image)
        if message := explain_aspect((image.shape[0], image.shape[1]), shape):
            raise AnnotationError("wrong_aspect", f"{path.parent.name}/{path.name}", None, message)
        for name, boxes in self.boxes.items():
            mask = np.zeros(shape, bool)
            for row, box in boxes:
                part = fill_box(box, shape)
                if not mask[part].size:
                    place = f"the box {box} covers no pixel of the {shape[0]}×{shape[1]} of {path.name}"
                    message = f"{place}; x is counted from the left, y from the top: see prepare.label_shape"
                    raise AnnotationError("bad_box", self.file, row, message)
                mask[part] = True
            yield name, mask


@dataclass(frozen=True)
class Segment:
    """One annotation of a COCO file."""

    label: str
    """Its number and id, for messages"""
    polygons: tuple[npt.NDArray[np.float64], ...] = ()
    """Corners (N×2); parts of one area"""
    counts: str | Sequence[int] | None = None
    """Run-length code; None for polygons"""

    def draw(self, file: str, shape: Shape) -> Mask:
        if self.counts is not None:
            try:
                return decode_counts(self.counts, shape)
            except RleError as error:
                raise AnnotationError("bad_rle", file, None, f"{self.label}: {error}") from None
        mask = np.zeros(shape, bool)
        for corners in self.polygons:
            (left, top), (right, bottom) = corners.min(0), corners.max(0)
            if right <= 0 or bottom <= 0 or left >= shape[1] or top >= shape[0]:
                message = f"{self.label}: a polygon lies outside the {shape[0]}×{shape[1]} pixels of its image"
                raise AnnotationError("bad_polygon", file, None, message)
            mask |= fill_polygon(corners, shape)
        return mask


@dataclass(frozen=True)
class SegmentAnnotation:
    """The annotations of an image in a COCO file. A mask is the union of those of its class."""

    file: str
    segments: Mapping[str, Sequence[Segment]]
    shape: Shape
    """In whose pixels they are."""

    def draw(self, path: Path, image: Image) -> NamedMasks:
        if message := explain_aspect((image.shape[0], image.shape[1]), self.shape):
            raise AnnotationError("wrong_aspect", f"{path.parent.name}/{path.name}", None, message)
        for name, segments in self.segments.items():
            mask = np.zeros(self.shape, bool)
            for segment in segments:
                mask |= segment.draw(self.file, self.shape)
            yield name, mask
