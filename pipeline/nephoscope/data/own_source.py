"""A data set with classes and shapes of its own: labels and image files, checked against each other."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nephoscope.data.boxes import read_boxes
from nephoscope.data.coco import read_coco
from nephoscope.data.formats import FORMATS, LABELLED_FOLDER, Format, own_format
from nephoscope.data.images import ImageError, full_shape, read_image
from nephoscope.data.mask_files import read_masks
from nephoscope.data.own_labels import OwnLabels, OwnOptions, refusal
from nephoscope.data.problems import Problem, explain_aspect
from nephoscope.data.source import ImageFiles, Source, check_doubles, check_folder, compare, list_files, read_source
from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape

READERS: dict[str, Callable[[Path, OwnOptions, list[Problem]], OwnLabels]] = {
    "boxes": read_boxes,
    "coco": read_coco,
    "masks": read_masks,
}
NODATA = {"boxes": True, "coco": False, "masks": False}
"""Boxes of the crowd lie on satellite images, where black was not observed; elsewhere black is part of an image."""
OUTPUT_PIXELS = 350 * 525
"""Pixels at the output shape, about. The settings of `tune` suit areas of this scale."""
CACHE_SHAPE = (128, 192)
MULTIPLE = 32
"""Sides of the cache are multiples, because networks halve their input five times."""
SAMPLED = 25
"""Images whose shapes are read to find the usual one."""


def open_source(root: Path, name: str, options: OwnOptions, problems: list[Problem]) -> Source:
    """List and check a data set of any format. `options` concern formats with classes of their own."""
    if name in FORMATS:
        return read_source(root, FORMATS[name], problems)
    return read_own_source(root, name, options, problems)


def read_own_source(root: Path, name: str, options: OwnOptions, problems: list[Problem]) -> Source:
    """List and check a data set. Adds to the problems; raises DataProblemsError if the whole data set is unusable."""
    check_folder(root, problems)
    files = list_files(root, problems)
    labels = READERS[name](root, options, problems)
    data_format = _make_format(root, name, options, labels, files, problems)
    problems += compare(
        labels.first_rows, labels.file, files.labelled, every_image=labels.every_image, listed="entry"
    ) + check_doubles(files)
    with_problems = {problem.image_id for problem in problems}
    annotations = {
        image_id: annotation for image_id, annotation in labels.annotations.items() if image_id not in with_problems
    }
    note = _describe(data_format, labels)
    return Source(root, data_format, files.table(), annotations, files.count(problems), note)


def _make_format(
    root: Path, name: str, options: OwnOptions, labels: OwnLabels, files: ImageFiles, problems: list[Problem]
) -> Format:
    nodata = NODATA[name] if options.nodata is None else options.nodata
    image_shape = usual_shape(root, files.labelled)
    output_shape = options.output_shape or fit_pixels(image_shape, OUTPUT_PIXELS)
    # A chosen shape decides which aspect images must have, even if most of them have another. Elsewhere RLE is never
    # coarser than at the output shape.
    is_finer = image_shape[0] * image_shape[1] >= output_shape[0] * output_shape[1]
    rle_shape = image_shape if is_finer and not explain_aspect(image_shape, output_shape) else output_shape
    try:
        return own_format(name, labels.classes, rle_shape, output_shape, nodata, options.ground_size)
    except UserError as error:
        raise refusal(problems, "bad_classes", labels.file, str(error)) from None


def usual_shape(root: Path, names: list[str]) -> Shape:
    """The most frequent shape among some of the labelled images; of equally frequent ones, the first."""
    steps = np.linspace(0, len(names) - 1, min(len(names), SAMPLED)).round().astype(int)
    shapes: Counter[Shape] = Counter()
    for name in (names[step] for step in steps):
        path = root / LABELLED_FOLDER / name
        try:
            shapes[full_shape(path, read_image(path, near=(1, 1)))] += 1
        except ImageError:  # filling the cache reports it
            continue
    return shapes.most_common(1)[0][0] if shapes else (2, 3)


def fit_pixels(shape: Shape, pixels: int) -> Shape:
    """A shape of the same aspect with about this number of pixels.

    >>> fit_pixels((1400, 2100), 350 * 525)
    (350, 525)
    """
    scale = (pixels / (shape[0] * shape[1])) ** 0.5
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def choose_cache_shape(data_format: Format, chosen: Shape | None) -> Shape:
    """The chosen shape of the cache, or one that suits the format."""
    if chosen:
        return chosen
    return CACHE_SHAPE if data_format.name in FORMATS else fit_cache(data_format.output_shape)


def fit_cache(output_shape: Shape) -> Shape:
    """A shape with about the pixels of CACHE_SHAPE, sides that are multiples of 32, and nearly the output's aspect.

    >>> fit_cache((350, 525)), fit_cache((429, 429)), fit_cache((256, 1600))
    ((128, 192), (160, 160), (64, 384))
    """
    pixels = CACHE_SHAPE[0] * CACHE_SHAPE[1]
    sides = range(MULTIPLE, pixels // MULTIPLE + 1, MULTIPLE)
    aspect = np.log(output_shape[1] / output_shape[0])

    def cost(shape: Shape) -> float:
        stretch, size = np.log(shape[1] / shape[0]) - aspect, np.log(shape[0] * shape[1] / pixels)
        return float(2 * abs(stretch) + abs(size))

    return min(((height, width) for height in sides for width in sides), key=cost)


def _describe(data_format: Format, labels: OwnLabels) -> str:
    """A few lines: classes, shape, and labels that were left out."""
    height, width = data_format.output_shape
    lines = [f"classes: {', '.join(data_format.classes)}", f"output shape: {height}×{width}"]
    if labels.left_out:
        counts = ", ".join(f"{count} {name}" for name, count in labels.left_out.most_common())
        lines.append(f"left out, because prepare.classes does not name them: {counts}")
    return "\n".join(lines)
