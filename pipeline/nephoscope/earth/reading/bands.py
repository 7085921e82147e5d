"""Which bands of a source are red, green and blue."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from nephoscope.errors import UserError

COLOURS = ("red", "green", "blue")
WAVELENGTHS = {"red": 0.645, "green": 0.555, "blue": 0.47}
"""µm, of MODIS true colour."""
TOLERANCE = 0.045
"""µm. VIIRS has 0.672, 0.555 and 0.488; ABI has 0.64 and 0.47."""
ALPHAS = ("a", "alpha", "opacity")


class Bands(NamedTuple):
    """Positions of the bands, from 0."""

    red: int
    green: int
    blue: int
    alpha: int | None = None

    @property
    def colours(self) -> tuple[int, int, int]:
        return self.red, self.green, self.blue


def choose_bands(labels: Sequence[object], source: str) -> Bands:
    """Names or wavelengths of the bands → red, green, blue and alpha.

    Without names, three bands or four are taken as red, green, blue.

    >>> choose_bands(["blue", "green", "red", "nir"], "a.tif").colours
    (2, 1, 0)
    >>> choose_bands([1, 2, 3], "a.tif").colours
    (0, 1, 2)
    """
    names = [_text(label) for label in labels]
    named = [_find_colour(names, colour) for colour in COLOURS]
    alpha = next((position for position, name in enumerate(names) if name in ALPHAS), None)
    if None in named:
        named = list(_find_wavelengths(labels))
    red, green, blue = named
    if red is not None and green is not None and blue is not None:
        return Bands(red, green, blue, alpha)
    if len(names) in (3, 4) and not any(_any_colour(name) for name in names) and alpha in (None, 3):
        return Bands(0, 1, 2, alpha)
    raise UserError(_refusal(names, source))


def _refusal(names: Sequence[str], source: str) -> str:
    if len(names) == 1:
        return (
            f"{source}: a single band; expected red, green and blue. For a palette, expand it with gdal_translate "
            "-expand rgb; a grey picture cannot be predicted: patterns were learned from true colour"
        )
    listed = ", ".join(name or "?" for name in names[:12])
    return (
        f"{source}: {len(names)} bands ({listed}); expected three: red, green, blue. Select them, such as with "
        "gdal_translate -b 1 -b 4 -b 3 for a file or .isel(band=[0, 3, 2]) for an array, or name them red, green, blue"
    )


def _text(label: object) -> str:
    return "" if label is None else str(label).strip().lower()


def _find_colour(names: Sequence[str], colour: str) -> int | None:
    """The one band that is named by a colour: "red", "r", "B4 red"."""
    for pattern in (rf"{colour}|{colour[0]}", rf"(?:.*[^a-z])?{colour}(?:[^a-z].*)?"):
        matches = [position for position, name in enumerate(names) if re.fullmatch(pattern, name)]
        if len(matches) == 1:
            return matches[0]
    return None


def _any_colour(name: str) -> bool:
    return any(_find_colour([name], colour) is not None for colour in COLOURS)


def _find_wavelengths(labels: Sequence[object]) -> tuple[int | None, int | None, int | None]:
    """Bands by wavelength, in µm or nm."""
    try:
        values = [float(str(label)) for label in labels]
    except ValueError:
        return None, None, None
    scale = 1e-3 if min(values, default=0.0) > 100 else 1.0
    if not values or min(values) * scale < 0.3 or (all(value == int(value) for value in values) and scale == 1):
        return None, None, None
    red, green, blue = (_nearest([value * scale for value in values], WAVELENGTHS[colour]) for colour in COLOURS)
    return red, green, blue


def _nearest(values: Sequence[float], wanted: float) -> int | None:
    position = min(range(len(values)), key=lambda index: abs(values[index] - wanted))
    return position if abs(values[position] - wanted) <= TOLERANCE else None
