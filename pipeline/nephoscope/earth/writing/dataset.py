"""A result as an xarray Dataset after the CF conventions. `docs/maps.md` describes every variable."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from nephoscope.earth.land import land_at
from nephoscope.earth.scene import Place
from nephoscope.earth.validity import FLAGS, Domain, find_flags
from nephoscope.earth.windows.fields import Field
from nephoscope.earth.writing.blocks import to_lazy
from nephoscope.earth.writing.coordinates import CRS_NAME, earth_coordinates, pattern_coordinate, pixel_coordinates
from nephoscope.masks.rle import Mask
from nephoscope.provenance import Provenance

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.8"
UNSEEN = 255
"""Code of a probability where nothing was seen; level 255 is written as 254."""
STEP = np.float32(1 / 255)
"""Probability of one level. A product of the two is what a reader of the file computes."""
READING = ("placed", "stretch", "reprojection")
"""Notes on how the image was read; others are attributes of the source."""
YES_NO = {"flag_values": np.array([0, 1], np.int8)}


class MapResult(Protocol):
    """What a result tells of its image; `nephoscope.inference.result.Result` has all of it."""

    @property
    def image_id(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def masks(self) -> npt.NDArray[np.bool_]: ...
    @property
    def presence(self) -> npt.NDArray[np.float64]: ...
    @property
    def confidence(self) -> npt.NDArray[np.float64]: ...
    @property
    def levels(self) -> npt.NDArray[np.uint8]: ...
    @property
    def visible(self) -> Mask: ...
    @property
    def place(self) -> Place | None: ...
    @property
    def presence_map(self) -> npt.NDArray[np.float32] | Field | None: ...
    @property
    def confidence_map(self) -> npt.NDArray[np.float32] | Field | None: ...
    @property
    def provenance(self) -> Provenance | None: ...
    @property
    def domain(self) -> Domain | None: ...
    @property
    def notes(self) -> Mapping[str, str]: ...


def to_dataset(result: MapResult) -> "xr.Dataset":
    """A result → Dataset. Dims are ([time,] pattern, latitude, longitude), or (pattern, y, x) without a place.

    Memory maps become dask arrays. NaN means that the satellite saw nothing, so `.mean("time")` counts seen images.
    """
    from xarray import Dataset

    place = fitting_place(result)
    coordinates = pixel_coordinates(result.visible.shape) if place is None else earth_coordinates(place)
    coordinates["pattern"] = pattern_coordinate(result.classes)
    axes = ("y", "x") if place is None else ("latitude", "longitude")
    fields = _fields(result, axes) if place is None else _fields(result, axes) | _flags(result, place)
    if "time" in coordinates:
        fields = {name: field if name == "land" else field.expand_dims("time") for name, field in fields.items()}
    described = {name: field.assign_attrs(DESCRIPTIONS[name]) for name, field in fields.items()}
    return _encoded(Dataset(described, coordinates, make_attributes(result, place)))


def fitting_place(result: MapResult) -> Place | None:
    """The place of the maps: a scene may have more pixels than its maps."""
    if result.place is None:
        return None
    height, width = result.visible.shape
    return replace(result.place, grid=result.place.grid.resized((height, width)))


def _fields(result: MapResult, axes: tuple[str, str]) -> "dict[str, xr.DataArray]":
    """What was predicted, NaN where nothing was seen."""
    visible = _array(result.visible, axes)
    maps = ("pattern", *axes)
    presence = result.presence if result.presence_map is None else result.presence_map
    confidence = result.confidence if result.confidence_map is None else result.confidence_map
    probability = _array(result.levels, maps).clip(max=UNSEEN - 1) * STEP
    fields = {
        "mask": _array(result.masks, maps),
        "probability": probability,
        "presence": _array(presence, maps),
        "confidence": _array(confidence, maps),
    }
    fields = {name: field.astype(np.float32).where(visible).transpose(*maps) for name, field in fields.items()}
    fields["visible"] = visible.astype(np.int8)
    return fields


def _array(values: Any, dims: tuple[str, ...]) -> "xr.DataArray":
    """One number per pattern has no other dims, and is broadcast when it meets a map."""
    from xarray import DataArray

    return DataArray(to_lazy(values), dims=dims[: values.ndim])


DESCRIPTIONS: Mapping[str, Mapping[str, Any]] = {
    "mask": {
        "long_name": "pattern is present",
        **YES_NO,
        "flag_meanings": "absent present",
        "comment": "patterns may overlap; missing where nothing was seen",
    },
    "probability": {
        "long_name": "probability of the pattern at the pixel",
        "units": "1",
        "comment": "steps of 1/255, the largest value is 254/255; missing where nothing was seen",
    },
    "presence": {
        "long_name": "calibrated probability that the pattern is present around the pixel",
        "units": "1",
        "comment": "one value for an image that the networks saw as a whole",
    },
    "confidence": {"long_name": "probability that the decision on presence is right", "units": "1"},
    "visible": {"long_name": "satellite saw the pixel", **YES_NO, "flag_meanings": "not_seen seen"},
    "land": {
        "standard_name": "land_binary_mask",
        "long_name": "cell is land",
        "units": "1",
        **YES_NO,
        "flag_meanings": "sea land",
        "comment": "from GLOBE (NOAA), at 0.05 degrees; lakes count as land",
    },
    "validity": {
        "standard_name": "quality_flag",
        "long_name": "reasons why the model was not validated here",
        "flag_masks": np.array(list(FLAGS.values()), np.uint8),
        "flag_meanings": " ".join(FLAGS),
        "comment": "0 where the model was validated on such images; an unknown time or sensor sets no flag",
    },
}


def _flags(result: MapResult, place: Place) -> "dict[str, xr.DataArray]":
    """Land, and where the model was not validated."""
    from xarray import DataArray

    axes = ("latitude", "longitude")
    land = land_at(place.grid.latitude[:, None], place.grid.longitude[None])
    flags = {"land": DataArray(land.astype(np.int8), dims=axes)}
    if result.domain is not None:
        flags["validity"] = DataArray(find_flags(place, result.visible, land, result.domain), dims=axes)
    return flags


def make_attributes(result: MapResult, place: Place | None) -> dict[str, str]:
    attributes = {"Conventions": CONVENTIONS, "title": f"{', '.join(result.classes)} in {result.image_id}"}
    if result.provenance is not None:
        # CF asks for a log with dates; without them, the same command gives the same bytes.
        history = f"{result.provenance.command} (nephoscope {result.provenance.version})"
        attributes |= {**result.provenance.to_attributes(), "history": history}
    attributes |= {"image_id": result.image_id, **name_notes(result.notes)}
    if place is None:
        attributes["nephoscope_placed"] = "nowhere: pixel coordinates"
    elif place.sensor:
        attributes["nephoscope_sensor"] = place.sensor
    return attributes


def name_notes(notes: Mapping[str, Any]) -> dict[str, str]:
    """Notes → attributes. What the source says of itself keeps its names, after `source_`.

    >>> name_notes({"stretch": "none", "platform name": "Aqua"})
    {'nephoscope_stretch': 'none', 'source_platform_name': 'Aqua'}
    """
    return {
        f"nephoscope_{name}" if name in READING else f"source_{re.sub('[^A-Za-z0-9_]', '_', name)}": str(note)
        for name, note in notes.items()
    }


ENCODINGS: Mapping[str, Mapping[str, Any]] = {
    "mask": {"dtype": "int8", "_FillValue": np.int8(-1)},
    "probability": {"dtype": "uint8", "scale_factor": STEP, "_FillValue": np.uint8(UNSEEN)},
    "presence": {"dtype": "float32", "_FillValue": np.float32(np.nan)},
    "confidence": {"dtype": "float32", "_FillValue": np.float32(np.nan)},
}


def _encoded(dataset: "xr.Dataset") -> "xr.Dataset":
    """How the variables are written, whoever writes them."""
    for name, variable in dataset.data_vars.items():
        variable.encoding.update(ENCODINGS.get(str(name), {}))
        if CRS_NAME in dataset.coords:
            variable.encoding["grid_mapping"] = CRS_NAME
    return dataset
