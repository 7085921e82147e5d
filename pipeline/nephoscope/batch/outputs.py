"""The files of an image: masks as PNG, overlays as JPEG, outlines as GeoJSON."""

import json
from collections.abc import Callable
from dataclasses import asdict

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.batch.pictures import Record
from nephoscope.batch.result import class_results, image_id_of
from nephoscope.batch.storage import read_bytes
from nephoscope.data.formats import Format
from nephoscope.data.images import ImageError, decode_image
from nephoscope.data.visible import find_visible
from nephoscope.figures.overlays import draw_overlay, write_names
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.outlines import to_geojson
from nephoscope.masks.rle import Mask, decode_rle
from nephoscope.settings.choices import Output

Files = dict[str, bytes]
"""Content by file name."""
JPEG_QUALITY = 88


def encode_masks(one: Record, format: Format) -> Files:  # noqa: A002
    """<image_id>_<class_name>.png, white on black, one bit a pixel; none for an empty mask."""
    each = zip(possible_files(one, format)["masks"], decode_masks(one, format), strict=True)
    return {name: encode_mask(mask) for name, mask in each if mask.any()}


def encode_mask(mask: Mask) -> bytes:
    """A PNG, white on black, one bit a pixel."""
    _, content = cv2.imencode(".png", 255 * mask.view(np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
    return content.tobytes()


def encode_overlay(one: Record, format: Format) -> Files:  # noqa: A002
    """<image_id>.jpg: the picture, the outline of every class in its colour, stripes where nothing was seen."""
    image = resize_image(_read_again(one.address, format), format.output_shape)
    masks = decode_masks(one, format)
    drawn = write_names(draw_overlay(image, masks, find_visible(image, format.nodata)), masks, format.classes)
    _, encoded = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (name,) = possible_files(one, format)["overlays"]
    return {name: encoded.tobytes()}


def _read_again(address: str, format: Format) -> Image:  # noqa: A002
    """A picture that was read once may be another by now, or gone."""
    try:
        return decode_image(read_bytes(address), near=format.output_shape)
    except OSError as error:
        raise ImageError("unreadable", f"cannot be opened: {error.strerror or error}") from None


def encode_outlines(one: Record, format: Format) -> Files:  # noqa: A002
    """<image_id>.geojson: a feature per class that is there, with its figures."""
    figures = {told.class_name: asdict(told) for told in class_results(one, format)}
    for figure in figures.values():
        del figure["rle"], figure["class_name"]
    collection = to_geojson(decode_masks(one, format), format.classes, image_id_of(one), figures)
    (name,) = possible_files(one, format)["geojson"]
    return {name: json.dumps(collection).encode()}


def decode_masks(one: Record, format: Format) -> npt.NDArray[np.bool_]:  # noqa: A002
    """C×H×W at the output shape."""
    return np.stack([decode_rle(rle, format.output_shape) for rle in one.rles])


def possible_files(one: Record, format: Format) -> dict[Output, list[str]]:  # noqa: A002
    """Names that the files of this picture may have, whatever was found in it."""
    image_id = image_id_of(one)
    return {
        "masks": [f"{image_id}_{name}.png" for name in format.classes],
        "overlays": [f"{image_id}.jpg"],
        "geojson": [f"{image_id}.geojson"],
    }


FOLDERS: dict[Output, Callable[[Record, Format], Files]] = {
    "masks": encode_masks,
    "overlays": encode_overlay,
    "geojson": encode_outlines,
}
"""Outputs that are a folder with files of every picture; the others are one file for all."""
