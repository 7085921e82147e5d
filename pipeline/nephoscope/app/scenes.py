"""Georeferenced uploads: GeoTIFFs, and JPEG or PNG images whose place is in their name or stated with them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from nephoscope.app.errors import RequestError
from nephoscope.app.pictures import (
    PREVIEW_QUALITY,
    THUMBNAIL_QUALITY,
    Picture,
    encode_jpeg,
    preview_shape,
    read_picture,
)
from nephoscope.data.images import JPEG_START, MAX_PIXELS, PNG_START
from nephoscope.earth.land import land_at
from nephoscope.earth.reading.names import bounds_in_name
from nephoscope.earth.reading.open import open_scene
from nephoscope.earth.scene import Place, Scene
from nephoscope.earth.validity import DOMAINS, FLAGS, find_flags
from nephoscope.earth.windows.plan import Plan, plan_windows
from nephoscope.earth.windows.reduce import limit_resolution, read_overview
from nephoscope.errors import UserError, missing_extra
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result
from nephoscope.inference.scenes import predict_scene, predict_window
from nephoscope.masks.geometry import resize_image
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Rules

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ENDINGS = {JPEG_START: ".jpg", PNG_START: ".png", **dict.fromkeys(TIFF_STARTS, ".tif")}
"""First bytes of a file → the ending by which it is opened. The name that a visitor gives decides nothing."""
MAX_BLOCK_VALUES = 100_000_000
"""A block of a TIFF is decoded as a whole, so a small file could fill the memory."""
MOST_WINDOWS = 60
"""A window takes up to half a second, and two threads serve everybody."""
NOTED_SHARE = 0.01
"""Share of the cells from which a flag is mentioned."""
REASONS = {
    "outside_regions": "another region",
    "outside_seasons": "another season",
    "coarse_grain": "coarser pixels",
    "other_sensor": "another sensor",
    "little_context": "less than half of a window seen",
    "over_land": "land",
}


class Placing(NamedTuple):
    """What a visitor states about an image; empty if nothing."""

    bounds: str = ""
    """west,south,east,north in degrees"""
    time: str = ""
    """ISO 8601, UTC"""


def read_upload(model: Ensemble, rules: Rules, content: bytes, image_id: str, placing: Placing) -> Picture:
    """Bytes of a JPEG, PNG or GeoTIFF → picture, with its place if that is known."""
    ending = next((ending for start, ending in ENDINGS.items() if content.startswith(start)), "")
    placed = bool(placing.bounds) or bounds_in_name(image_id) is not None
    if ending == ".tif" or (ending and placed and model.metadata.ground_size is not None):
        with _open_upload(content, ending, image_id, placing) as scene:
            return replace(_read_scene(model, rules, scene), sha256=sha256(content).hexdigest())
    return read_picture(model, content, image_id)


@contextmanager
def _open_upload(content: bytes, ending: str, image_id: str, placing: Placing) -> Iterator[Scene]:
    """The file lies in a folder of its own while it is read; messages name it as the visitor does."""
    with TemporaryDirectory(prefix="nephoscope-") as folder:
        # Place, time and sensor may be in the name; no other character of it reaches the file system.
        path = Path(folder) / f"upload-{re.sub(r'[^A-Za-z0-9_.-]', '_', image_id)[-120:]}{ending}"
        path.write_bytes(content)
        try:
            if ending == ".tif":
                _check_header(path)
            scene = open_scene(path, bounds=placing.bounds or None, time=placing.time or None, name=image_id)
            assert scene is not None  # it has a place
            try:
                yield scene
            finally:
                scene.close()
        except ModuleNotFoundError as error:
            raise missing_extra(error) or error from None
        except UserError as error:
            raise UserError(str(error).replace(str(path), image_id)) from None


def _check_header(path: Path) -> None:
    from nephoscope.earth.reading.rasters import read_header

    (height, width), block = read_header(str(path))
    if height * width > MAX_PIXELS or block > MAX_BLOCK_VALUES:
        message = (
            f"{height}×{width} pixels in blocks of {block} values; at most {MAX_PIXELS} pixels are allowed here, in "
            f"blocks of {MAX_BLOCK_VALUES} values; cut it into parts, or use `nephoscope predict`"
        )
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)


def _read_scene(model: Ensemble, rules: Rules, scene: Scene) -> Picture:
    ground_size = model.metadata.ground_size
    if ground_size is None:
        raise UserError(f"images of the format {model.metadata.format} have no size on Earth; add a JPEG or PNG")
    fitted = limit_resolution(scene, ground_size, model.metadata.rle_shape)
    plan = plan_windows(fitted.place.grid, ground_size, rules.output_shape)
    count = len(plan.rows.starts) * len(plan.columns.starts)
    if count > MOST_WINDOWS:
        raise UserError(
            f"{scene.name}: {count} windows; the app reads at most {MOST_WINDOWS}; cut it into parts, or use "
            "`nephoscope predict`"
        )
    place, image = replace(scene.place, grid=plan.grid), None
    prediction: Prediction | Result
    if plan.is_single:
        prediction, window = predict_window(model, fitted, plan)
        image = window if prediction.visible.shape == rules.output_shape else None
    else:
        prediction = predict_scene(model, rules, scene)
    preview = read_overview(fitted, preview_shape(fitted.place.grid.shape))
    thumbnail = resize_image(preview, model.metadata.cache_shape)
    return Picture(
        scene.name,
        image,
        prediction,
        encode_jpeg(preview, PREVIEW_QUALITY),
        encode_jpeg(thumbnail, THUMBNAIL_QUALITY),
        place=place,
        notes=tuple(_describe(model, scene, plan, place, prediction.visible)),
    )


def _describe(model: Ensemble, scene: Scene, plan: Plan, place: Place, visible: Mask) -> Iterator[str]:
    """Sentences about the way a scene was read, and about where the model was not validated."""
    if not plan.is_single:
        count = len(plan.rows.starts) * len(plan.columns.starts)
        yield f"Read in {count} overlapping windows and decided by the tuned rules; sliders and heat maps are off."
    if place.source_grid is not None:
        yield f"Shown in longitude and latitude; the file is in {_short_name(place.source_grid.crs)}."
    stretch = scene.attributes.get("stretch", "")
    if stretch and not stretch.startswith("none"):
        yield f"Colours: {stretch}."
    if domain := DOMAINS.get(model.metadata.format):
        land = land_at(place.grid.latitude[:, None], place.grid.longitude[None])
        flags = find_flags(place, visible, land, domain)
        shares = {name: float(((flags & bit) > 0).mean()) for name, bit in FLAGS.items()}
        reasons = [f"{REASONS[name]} ({100 * share:.0f} %)" for name, share in shares.items() if share >= NOTED_SHARE]
        if reasons:
            yield f"The model was not validated on such areas: {', '.join(reasons)}."


def _short_name(crs: str) -> str:
    """
    >>> _short_name("EPSG:32618"), _short_name('PROJCS["GOES-R ABI", …]')
    ('EPSG:32618', 'GOES-R ABI')
    """
    return crs.split('"')[1] if crs.count('"') > 1 else crs
