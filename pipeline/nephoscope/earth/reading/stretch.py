"""From the values of a source to 8 bits. Every stretch is stated in the attributes of the scene.

- 8-bit integers stay as they are.
- Reflectances (0 to 1, often up to 1.2; or in percent; or integers with a scale factor) are stretched like the true
  colour of NASA Worldview: −0.01 … 1.1 becomes 0 … 255, then the curve 0, 30, 60, 120, 190, 255 → 0, 110, 160, 210,
  240, 255, linear in between.
- Values that were stretched already are scaled linearly: 0 to 1 by satpy's enhancement, or 16-bit colour of 0 to 65535.
- Anything else is refused, with the way out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image

CURVE_FROM = (0.0, 30.0, 60.0, 120.0, 190.0, 255.0)
CURVE_TO = (0.0, 110.0, 160.0, 210.0, 240.0, 255.0)
DARKEST, BRIGHTEST = -0.01, 1.1
"""Reflectances that become 0 and 255."""
LOWEST_REFLECTANCE, HIGHEST_REFLECTANCE = -0.5, 2.0
"""Bright clouds under a low sun reach about 1.5. The correction for the air makes dark water slightly negative."""
PERCENT = ("%", "percent", "percentage")
FRACTION = ("1", "", "none", "unitless", "dimensionless", "reflectance", "fraction", "unknown")
DISPLAY_16_BIT = 20_000
"""16-bit colour uses the range up to 65535. Reflectances as integers, in units of 1/10,000, stay below this."""
FILLS = ("_FillValue", "missing_value", "nodata", "fill_value")
"""Attributes that name the value of missing data."""
WAY_OUT = (
    "set units '1' for reflectances of 0 to 1 or '%' for percent, set scale_factor for integers, or convert to uint8 "
    "levels of 0 to 255 yourself"
)


@dataclass(frozen=True)
class Encoding:
    """How a source stores its values."""

    dtype: np.dtype[Any]
    scale: float = 1.0
    offset: float = 0.0
    units: str = ""
    enhanced: bool = False
    """Stretched for the eye already, by satpy."""
    levels: bool = False
    """Floats that hold 8-bit levels, as when xarray put NaN for the fill value."""
    fill: float = 0.0
    """The level that is NaN in such floats."""
    colour: bool = False
    """The file says that its bands are red, green and blue for the eye."""

    @property
    def is_scaled(self) -> bool:
        return self.scale != 1 or self.offset != 0

    @property
    def is_levels(self) -> bool:
        unscaled = not self.is_scaled and self.units.strip().lower() not in PERCENT
        return self.levels or (self.dtype == np.uint8 and unscaled)


@dataclass(frozen=True)
class Stretch:
    kind: Literal["levels", "reflectance", "linear"]
    scale: float
    """Stored value · scale + offset → reflectance, or brightness of 0 to 1."""
    offset: float
    """For levels: the level of NaN."""
    description: str

    def __call__(self, values: npt.NDArray[Any], seen: npt.NDArray[np.bool_], source: str) -> Image:
        """Stored values (h×w×3) → 8 bits; 0 where nothing was seen."""
        if self.kind == "levels" and values.dtype == np.uint8:
            return np.where(seen[..., None], values, np.uint8(0))
        if self.kind == "levels":
            levels = np.nan_to_num(values, nan=self.offset)
            return np.where(seen[..., None], np.clip(np.round(levels), 0, 255), 0).astype(np.uint8)
        numbers = np.where(seen[..., None], values.astype(np.float64) * self.scale + self.offset, 0.0)
        if self.kind == "linear":
            return np.asarray(np.clip(np.round(255 * numbers), 0, 255), np.uint8)
        if numbers.max(initial=0) > 10 * HIGHEST_REFLECTANCE:
            raise UserError(f"{source}: a reflectance of {numbers.max():g}; expected 0 to about 1.2; {WAY_OUT}")
        return np.where(seen[..., None], worldview(numbers), np.uint8(0))


def worldview(reflectance: npt.NDArray[np.float64]) -> Image:
    """Reflectance (any shape) → levels, with the contrast of Worldview's true colour.

    >>> worldview(np.array([0.0, 0.1, 0.5, 1.1])).tolist()
    [8, 93, 208, 255]
    """
    linear = 255 * (reflectance - DARKEST) / (BRIGHTEST - DARKEST)
    return np.asarray(np.round(np.interp(linear, CURVE_FROM, CURVE_TO)), np.uint8)


def choose_stretch(encoding: Encoding, source: str, sample: Callable[[], npt.NDArray[Any]]) -> Stretch:
    """How values are stored → the stretch. `sample` returns some of the stored values that were seen."""
    kind, units = encoding.dtype.kind, encoding.units.strip().lower()
    if kind not in "uif" or encoding.dtype.itemsize > 8:
        raise UserError(
            f"{source}: values of type {encoding.dtype}; expected 8- or 16-bit integers, or floats; {WAY_OUT}"
        )
    if encoding.is_levels:
        return Stretch("levels", 1.0, encoding.fill, "none: 8-bit levels as stored")
    if kind in "ui" and not encoding.is_scaled and units not in PERCENT:
        return _choose_for_integers(encoding, source, sample())
    if encoding.enhanced:
        return Stretch("linear", encoding.scale, encoding.offset, "linear, 0 to 1 becomes 0 to 255 (stretched before)")
    return _choose_for_reflectance(encoding, source, units, sample())


def _choose_for_integers(encoding: Encoding, source: str, values: npt.NDArray[Any]) -> Stretch:
    highest = values.max(initial=0)
    if encoding.dtype == np.uint16 and encoding.colour and highest > DISPLAY_16_BIT:
        return Stretch("linear", 1 / 65535, 0.0, "linear, 0 to 65535 becomes 0 to 255")
    raise UserError(
        f"{source}: {encoding.dtype} values up to about {highest}, without a scale factor; this may be 8-bit levels, "
        f"16-bit colour or reflectances as integers; {WAY_OUT} (for a file with reflectances in units of 1/10,000: "
        "gdal_edit.py -scale 0.0001)"
    )


def _choose_for_reflectance(encoding: Encoding, source: str, units: str, values: npt.NDArray[Any]) -> Stretch:
    percent = 0.01 if units in PERCENT else 1.0
    scale, offset = encoding.scale * percent, encoding.offset * percent
    if units not in PERCENT + FRACTION:
        raise UserError(f"{source}: values in {encoding.units!r}; expected reflectances; {WAY_OUT}")
    reflectance = values * scale + offset
    lowest, highest = float(reflectance.min(initial=0)), float(reflectance.max(initial=0))
    if highest > HIGHEST_REFLECTANCE or lowest < LOWEST_REFLECTANCE:
        found = f"{encoding.dtype} values from about {lowest:g} to {highest:g}"
        raise UserError(
            f"{source}: {found}{' (as fractions)' if percent != 1 else ''}; "
            f"expected reflectances of 0 to about 1.2; {WAY_OUT}"
        )
    unit = "%" if percent != 1 else "0 to 1"
    scaled = f", stored values × {encoding.scale:g} + {encoding.offset:g}" if encoding.is_scaled else ""
    curve = f"{', '.join(f'{x:g}' for x in CURVE_FROM)} to {', '.join(f'{x:g}' for x in CURVE_TO)}"
    return Stretch(
        "reflectance", scale, offset,
        f"reflectance ({unit}{scaled}) like Worldview's true colour: {DARKEST:g} to {BRIGHTEST:g} becomes 0 to 255, "
        f"then piecewise linear {curve}",
    )  # fmt: skip


def encoding_of(
    dtype: np.dtype[Any], attributes: Mapping[str, Any], stored: Mapping[str, Any], source: str
) -> Encoding:
    """Attributes (apply to the values) and encoding (was applied already) of an xarray variable → its encoding."""
    was_levels = np.dtype(stored.get("rasterio_dtype", stored.get("dtype", dtype)) or dtype) == np.uint8
    scale, offset = (
        _number(attributes.get(key, default), source) for key, default in (("scale_factor", 1.0), ("add_offset", 0.0))
    )
    unscaled = scale == stored.get("scale_factor", 1.0) == 1 and offset == stored.get("add_offset", 0.0) == 0
    return Encoding(
        dtype,
        scale,
        offset,
        str(attributes.get("units", "")),
        enhanced=bool(attributes.get("enhancement_history")),
        levels=dtype.kind == "f" and was_levels and unscaled,
        fill=float(np.nan_to_num(_number_or_nan(stored.get("_FillValue")))),
    )


def fill_values(attributes: Mapping[str, Any]) -> set[float]:
    """The values that mean "nothing was seen". NaN always does."""
    stated = {_number_or_nan(attributes[key]) for key in FILLS if key in attributes}
    return {value for value in stated if np.isfinite(value)}


def _number(value: Any, source: str) -> float:
    number = _number_or_nan(value)
    if not np.isfinite(number):
        raise UserError(f"{source}: scale_factor or add_offset is {value!r}; expected a finite number")
    return number


def _number_or_nan(value: Any) -> float:
    try:
        return float(np.asarray(value).ravel()[0])
    except (ValueError, TypeError, IndexError):
        return float("nan")
