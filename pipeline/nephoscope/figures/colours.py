"""The colour of every class (RGB) in figures, overlays and pages.

The first eight are the palette of Okabe and Ito, which colour-blind people can distinguish. The first four contrast
with dark water and with white clouds. Further classes get colours that differ most from those before them.
"""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]
CLASS_COLOURS: tuple[Colour, ...] = (
    (213, 94, 0),  # vermilion
    (86, 180, 233),  # sky blue
    (240, 228, 66),  # yellow
    (204, 121, 167),  # reddish purple
    (0, 158, 115),  # bluish green
    (230, 159, 0),  # orange
    (0, 114, 178),  # blue
    (153, 153, 153),  # grey
)


LIGHTNESS = (35, 85)
"""Darker colours vanish on dark water, lighter ones on white paper (CIE L*)."""
LEVELS = (0, 51, 102, 153, 204, 255)


@lru_cache
def class_colours(count: int) -> tuple[Colour, ...]:
    """The colours of this number of classes, in their order."""
    return CLASS_COLOURS[:count] if count <= len(CLASS_COLOURS) else CLASS_COLOURS + _further_colours(count)


def _further_colours(count: int) -> tuple[Colour, ...]:
    """One by one, the colour with the largest distance from all colours before it."""
    grid = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), -1).reshape(-1, 3)
    lab = _to_lab(grid)
    usable = (lab[:, 0] >= LIGHTNESS[0]) & (lab[:, 0] <= LIGHTNESS[1])
    grid, lab = grid[usable], lab[usable]
    distances = np.min([np.linalg.norm(lab - _to_lab([colour]), axis=1) for colour in CLASS_COLOURS], axis=0)
    colours: list[Colour] = []
    while len(CLASS_COLOURS) + len(colours) < count:
        chosen = int(distances.argmax())
        red, green, blue = grid[chosen].tolist()
        colours.append((red, green, blue))
        distances = np.minimum(distances, np.linalg.norm(lab - lab[chosen], axis=1))
    return tuple(colours)


def _to_lab(colours: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Colours (N×3, 0 to 255) → CIE Lab (N×3)."""
    pixels = np.asarray(colours, np.float32).reshape(1, -1, 3) / 255
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[0], np.float32)


def to_hex(colour: Colour) -> str:
    """For matplotlib and pages.

    >>> to_hex((213, 94, 0))
    '#d55e00'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)
