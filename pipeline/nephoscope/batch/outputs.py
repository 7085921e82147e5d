"""The files of an image: masks as PNG, overlays as JPEG, outlines as GeoJSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

import cv2
import numpy as np

from nephoscope.batch.maps import WRITERS
from nephoscope.batch.pictures import Decided, Masks
from nephoscope.batch.record import Record, class_results
from nephoscope.batch.storage import read_bytes
from nephoscope.data.formats import Format
from nephoscope.data.images import MOST_BYTES, ImageError, decode_image
from nephoscope.data.visible import find_visible
from nephoscope.earth.writing.geojson import to_geojson as earth_geojson
from nephoscope.errors import reason_of
from nephoscope.figures.overlays import draw_overlay, write_names
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.outlines import to_geojson as pixel_geojson
from nephoscope.masks.rle import Mask, decode_rle
from nephoscope.settings.choices import Output

Files = dict[str, bytes]
"""Content by file name."""
Attributes = Mapping[str, str]
"""How a file was made."""
JPEG_QUALITY = 88


def encode_masks(image: Decided, data_format: Format, _: Attributes) -> Files:
    """<image_id>_<class_name>.png for every mask that is not empty."""
    names = file_names(image.record, data_format)["masks"]
    return {name: encode_mask(mask) for name, mask in zip(names, image.shown_masks, strict=True) if mask.any()}


def encode_mask(mask: Mask) -> bytes:
    """A PNG, white on black, one bit a pixel."""
    _, content = cv2.imencode(".png", 255 * mask.view(np.uint8), [cv2.IMWRITE_PNG_BILEVEL, 1])
    return content.tobytes()


def encode_overlay(decided: Decided, data_format: Format, _: Attributes) -> Files:
    """<image_id>_overlay.jpg: the image, the outline of every class in its colour, stripes where nothing was seen."""
    record, masks = decided.record, decided.shown_masks
    if record.scene and decided.result is not None:
        drawn = decided.result.overlay()
    else:
        image = resize_image(_read_again(record.address, data_format), data_format.output_shape)
        overlay = draw_overlay(image, masks, find_visible(image, data_format.nodata))
        drawn = write_names(overlay, masks, data_format.classes)
    encoded = cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
    (name,) = file_names(record, data_format)["overlays"]
    return {name: encoded.tobytes()}


def _read_again(address: str, data_format: Format) -> Image:
    """The image at the output shape or larger: networks see a smaller one. The file may have changed or gone."""
    try:
        return decode_image(read_bytes(address, MOST_BYTES), near=data_format.output_shape)
    except OSError as error:
        raise ImageError("unreadable", f"cannot be opened: {reason_of(error)}") from None


def encode_outlines(image: Decided, data_format: Format, attributes: Attributes) -> Files:
    """<image_id>.geojson: a feature per class with a mask, and its figures."""
    record, masks, names = image.record, image.shown_masks, data_format.classes
    properties = {result.class_name: asdict(result) for result in class_results(record, data_format)}
    for figures in properties.values():
        del figures["rle"], figures["class_name"]
    if record.place is None:
        collection = pixel_geojson(masks, names, record.image_id, properties, attributes)
    else:
        collection = earth_geojson(masks, names, record.image_id, properties, record.place, attributes)
    (name,) = file_names(record, data_format)["geojson"]
    return {name: json.dumps(collection).encode()}


def decode_masks(record: Record) -> Masks:
    """For outputs of finished shards, whose masks are no longer in memory."""
    return np.stack([decode_rle(rle, record.shape) for rle in record.rles])


def file_names(record: Record, data_format: Format) -> dict[Output, list[str]]:
    """All names that files of this image may have, for any result."""
    image_id = record.image_id
    return {
        "masks": [f"{image_id}_{name}.png" for name in data_format.classes],
        "overlays": [f"{image_id}_overlay.jpg"],
        "geojson": [f"{image_id}.geojson"],
    }


ENCODERS: dict[Output, Callable[[Decided, Format, Attributes], Files]] = {
    "masks": encode_masks,
    "overlays": encode_overlay,
    "geojson": encode_outlines,
}
"""Outputs that are made of a record, also later."""
FILES_PER_IMAGE: tuple[Output, ...] = (*ENCODERS, *WRITERS)
"""Outputs with files for every image, in a folder of the same name. Other outputs are one file for all images."""
