"""Format `coco`: a JSON file of COCO's instances, with polygons or run-length codes. Truth is the union per class."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from nephoscope.data.annotations import Segment, SegmentAnnotation
from nephoscope.data.class_names import normalise
from nephoscope.data.images import MAX_PIXELS
from nephoscope.data.own_labels import OwnLabels, OwnOptions, choose_classes, missing_classes, refusal
from nephoscope.data.problems import DataProblemsError, Problem, ProblemKind
from nephoscope.files import parse_json
from nephoscope.masks.polygons import FARTHEST
from nephoscope.masks.rle import Shape

COCO_FILE = "annotations.json"
LARGEST_FILE = 2**29
"""Bytes. In memory a JSON takes about ten times its size."""
LISTS = ("images", "annotations", "categories")


class EntryError(ValueError):
    """An entry cannot be used; `kind` is that of the problem."""

    def __init__(self, kind: ProblemKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_coco(root: Path, options: OwnOptions, problems: list[Problem]) -> OwnLabels:
    """Annotations of all images. Adds problems of entries to the list; raises DataProblemsError for the file's own."""
    file = options.labels or Path(COCO_FILE)
    if not (root / file).is_file():
        raise refusal(problems, "missing_labels", str(file), f"no such file in {root}; or set prepare.labels")
    content = _read_json(root / file, problems)
    return _Reader(file.name, content, problems).read(options)


def _read_json(path: Path, problems: list[Problem]) -> dict[str, list[Any]]:
    def refuse(message: str) -> DataProblemsError:
        return refusal(problems, "unreadable_labels", path.name, message)

    size = path.stat().st_size
    if size > LARGEST_FILE:
        largest = LARGEST_FILE / 1e6
        raise refuse(f"{size / 1e6:.0f} MB; at most {largest:.0f} MB are read: leave out images or classes")
    try:
        content = parse_json(path.read_bytes())
    except (ValueError, OSError) as error:
        raise refuse(f"not readable as JSON: {error}") from None
    if not isinstance(content, dict):
        raise refuse(f"expected an object with {', '.join(LISTS)}; found {type(content).__name__}")
    if missing := [name for name in LISTS if not isinstance(content.get(name), list)]:
        raise refuse(f"{', '.join(missing)} missing, or not a list; expected lists {', '.join(LISTS)}")
    return content


@dataclass(frozen=True)
class _Image:
    image_id: str
    shape: Shape


class _Reader:
    def __init__(self, file: str, content: dict[str, list[Any]], problems: list[Problem]) -> None:
        self.file, self.content, self.problems = file, content, problems
        self.categories = dict(self._categories())
        self.images = dict(self._images())
        self.left_out: Counter[str] = Counter()

    def read(self, options: OwnOptions) -> OwnLabels:
        existing = list(self.categories.values())
        classes = choose_classes(existing, options.classes)
        segments: dict[str, dict[str, list[Segment]]] = {}
        for image, name, segment in self._segments(classes):
            segments.setdefault(image.image_id, {}).setdefault(name, []).append(segment)
        shapes = {image.image_id: image.shape for image in self.images.values()}
        annotations = {
            image_id: SegmentAnnotation(self.file, by_class, shapes[image_id])
            for image_id, by_class in segments.items()
        }
        first_rows: dict[str, int | None] = dict.fromkeys(shapes)
        labels = OwnLabels(self.file, classes, annotations, first_rows, True, self.left_out)
        self.problems += missing_classes(labels, existing)
        return labels

    def _add_problem(self, kind: ProblemKind, message: str, image_id: str | None = None) -> None:
        self.problems.append(Problem(kind, self.file, None, message, image_id))

    def _categories(self) -> Iterator[tuple[Hashable, str]]:
        """id → name; a problem with one concerns the whole file."""
        known: dict[Hashable, str] = {}
        for number, entry in enumerate(self.content["categories"], 1):
            try:
                key, name = _key(entry, "id"), normalise(_text(entry, "name"))
                if key in known or name in known.values():
                    raise EntryError("bad_classes", f"id {key} or name {name} is already used")
            except EntryError as error:
                self._add_problem("bad_classes", f"category {number}: {error}")
                continue
            known[key] = name
            yield key, name

    def _images(self) -> Iterator[tuple[Hashable, _Image]]:
        known: dict[Hashable, int] = {}
        names: dict[str, int] = {}
        for number, entry in enumerate(self.content["images"], 1):
            name = ""
            try:
                name = PurePosixPath(_text(entry, "file_name").replace("\\", "/")).name
                key, shape = _key(entry, "id"), _shape(entry)
                if (first := known.setdefault(key, number)) != number:
                    raise EntryError("duplicate_row", f"the id {key} is already used by image {first}")
                if (first := names.setdefault(name, number)) != number:
                    raise EntryError("duplicate_row", f"{name} is already listed as image {first}")
            except EntryError as error:
                self._add_problem(error.kind, f"image {number}: {error}", name)
                continue
            yield key, _Image(name, shape)

    def _segments(self, classes: tuple[str, ...]) -> Iterator[tuple[_Image, str, Segment]]:
        known: dict[Hashable, int] = {}
        for number, entry in enumerate(self.content["annotations"], 1):
            image: _Image | None = None
            try:
                image = self.images.get(_key(entry, "image_id"))
                if image is None:
                    raise EntryError("malformed_row", f"image_id {entry['image_id']} is not among the images")
                key = _key(entry, "id")
                label = f"annotation {number} (id {key}) of {image.image_id}"
                if (first := known.setdefault(key, number)) != number:
                    raise EntryError("duplicate_row", f"the id {key} is already used by annotation {first}")
                category = _key(entry, "category_id")
                if category not in self.categories:
                    ids = ", ".join(map(str, self.categories))[:200]
                    raise EntryError("unknown_class", f"category_id {category} is not among the categories: {ids}")
                segment = _segment(entry, label, image.shape)
            except EntryError as error:
                self._add_problem(error.kind, f"annotation {number}: {error}", image.image_id if image else "")
                continue
            name = self.categories[category]
            if name in classes:
                yield image, name, segment
            else:
                self.left_out[name] += 1


def _segment(entry: dict[str, Any], label: str, shape: Shape) -> Segment:
    """Polygons, a run-length code, or the box if there is neither."""
    content = entry.get("segmentation")
    if isinstance(content, dict):
        counts = content.get("counts")
        if not isinstance(counts, str | list):
            raise EntryError("bad_rle", "segmentation.counts is neither a list nor a text")
        if content.get("size", list(shape)) != list(shape):
            size = str(content["size"])[:40]
            raise EntryError("bad_rle", f"the size of the code is {size}, but that of its image is {list(shape)}")
        return Segment(label, counts=counts)
    if content is None and "bbox" in entry:
        left, top, width, height = _numbers(entry["bbox"], "bbox", 4)
        if width <= 0 or height <= 0:
            raise EntryError("bad_box", f"the width and height of the bbox are {width:g} and {height:g}")
        right, bottom = left + width, top + height
        return Segment(label, (np.array([[left, top], [right, top], [right, bottom], [left, bottom]]),))
    if not isinstance(content, list) or not content:
        raise EntryError("bad_polygon", "segmentation is empty; expected polygons, a run-length code, or a bbox alone")
    return Segment(label, tuple(_polygon(part) for part in content))


def _polygon(part: Any) -> npt.NDArray[np.float64]:
    numbers = _numbers(part, "a polygon")
    if len(numbers) < 6 or len(numbers) % 2:
        raise EntryError("bad_polygon", f"a polygon has {len(numbers)} numbers; expected x, y of three corners or more")
    return numbers.reshape(-1, 2)


def _numbers(values: Any, what: str, count: int | None = None) -> npt.NDArray[np.float64]:
    if not isinstance(values, list) or (count is not None and len(values) != count):
        raise EntryError("bad_polygon", f"{what} is not a list of {'' if count is None else f'{count} '}numbers")
    if not all(type(value) in (int, float) and abs(value) <= FARTHEST for value in values):
        raise EntryError("bad_polygon", f"{what} holds something that is no number of at most {FARTHEST:g}")
    return np.array(values, np.float64)


def _key(entry: Any, name: str) -> Hashable:
    value = _get(entry, name)
    if type(value) not in (int, str):
        raise EntryError("malformed_row", f"{name} is {type(value).__name__}; expected a whole number or text")
    key: Hashable = _refuse_surrogates(value, name) if isinstance(value, str) else value
    return key


def _text(entry: Any, name: str) -> str:
    value = _get(entry, name)
    if not isinstance(value, str) or not value.strip():
        raise EntryError("malformed_row", f"{name} is not a text")
    return _refuse_surrogates(value, name)


def _refuse_surrogates(value: str, name: str) -> str:
    """JSON can write half a character, which no file can hold."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise EntryError("malformed_row", f"{name} is not Unicode: {ascii(value)[:80]}") from None
    return value


def _shape(entry: Any) -> Shape:
    height, width = _get(entry, "height"), _get(entry, "width")
    if type(height) is not int or type(width) is not int or min(height, width) < 1:
        raise EntryError("malformed_row", "height and width are not whole numbers from 1")
    if height * width > MAX_PIXELS:
        raise EntryError("malformed_row", f"{height}×{width} pixels; at most {MAX_PIXELS} are allowed")
    return height, width


def _get(entry: Any, name: str) -> Any:
    if not isinstance(entry, dict):
        raise EntryError("malformed_row", f"found {type(entry).__name__}; expected an object")
    if name not in entry:
        raise EntryError("malformed_row", f"{name} is missing")
    return entry[name]
