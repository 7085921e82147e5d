"""The four patterns and other clouds, as optical thickness (H×W float32; 0 is clear sky).

A pattern is a field of buoyancy; positive values are cloud. Outside its window the buoyancy decreases, so clouds become
fewer and smaller towards the border, but do not fade.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nephoscope.data.synthetic.fields import (
    Field,
    Grain,
    band_noise,
    coordinates,
    power_noise,
    ridges,
    smoothstep,
    warp,
)
from nephoscope.masks.rle import Shape

Pattern = Callable[[np.random.Generator, Shape, Field, float], Field]
"""(rng, shape, window, wind) → thickness. The window is 1 inside the region and 0 far from it; the wind is an angle in
radians, 0 along the rows."""


def draw_fish(rng: np.random.Generator, shape: Shape, window: Field, wind: float) -> Field:
    """Long skeletal networks: a few bright lines along the wind, fine ribs across, wide clear areas between."""
    spine = Grain(wind + rng.uniform(-0.3, 0.3), rng.uniform(2.4, 3.4))
    ribs = Grain(spine.angle + rng.choice([-1, 1]) * rng.uniform(0.6, 1.1), 2.6)
    skeleton = band_noise(rng, shape, rng.uniform(0.2, 0.28), spine, 0.4)
    bones = power_noise(rng, shape, 0.06, 2.3, ribs)
    breaks = band_noise(rng, shape, 0.3)
    lines = np.maximum(ridges(swirl(rng, skeleton, 0.3, 0.02), 0.7), np.float32(-0.6))
    return condense(1.5 * lines + 0.7 * bones + 0.4 * breaks - 0.55, window, rng.uniform(1.3, 2.0))


def draw_flower(rng: np.random.Generator, shape: Shape, window: Field, wind: float) -> Field:
    """Large bright stratiform discs with feathered borders and clear areas between."""
    spacing = rng.uniform(0.13, 0.24)
    discs = swirl(rng, draw_discs(rng, shape, spacing), 0.6 * spacing, 0.06 * spacing)
    lobes = power_noise(rng, shape, 0.4 * spacing, 2.6, Grain(wind, 1.3))
    feathers = power_noise(rng, shape, 0.03, 2.0, Grain(wind, 1.5))
    return condense(1.6 * discs + 0.45 * lobes + 0.15 * feathers + 0.1, window, rng.uniform(1.6, 2.6))


def draw_gravel(rng: np.random.Generator, shape: Shape, window: Field, wind: float) -> Field:
    """Granular arcs and cells: bright grains along the borders of many small cells."""
    grain = Grain(wind, rng.uniform(1.0, 1.5))
    cells = swirl(rng, band_noise(rng, shape, rng.uniform(0.12, 0.18), grain, 0.3), 0.2, 0.015)
    arcs = np.maximum(ridges(cells, 0.6), np.float32(-0.6))
    grains = power_noise(rng, shape, 0.03, 2.2, Grain(wind, 1.4))
    patches = band_noise(rng, shape, 0.25)
    return condense(arcs + 0.75 * grains + 0.3 * patches - 0.4, window, rng.uniform(1.6, 2.6))


def draw_sugar(rng: np.random.Generator, shape: Shape, window: Field, wind: float) -> Field:
    """Small cumuli, evenly spread and aligned with the wind; none is large or bright."""
    comb = Grain(wind + rng.uniform(-0.4, 0.4), rng.uniform(1.4, 2.4))
    dust = band_noise(rng, shape, rng.uniform(0.011, 0.016), comb, 0.9)
    lanes = swirl(rng, power_noise(rng, shape, 0.12, 2.2, comb), 0.3, 0.02)
    return condense(0.7 * dust + 0.5 * lanes - 0.2, window, rng.uniform(0.6, 1.0))


PATTERNS: dict[str, Pattern] = {"Fish": draw_fish, "Flower": draw_flower, "Gravel": draw_gravel, "Sugar": draw_sugar}


def draw_strays(rng: np.random.Generator, shape: Shape, wind: float) -> Field:
    """Clouds without a pattern: small cumuli in loose groups, with a few larger ones."""
    cumuli = power_noise(rng, shape, 0.03, 2.2, Grain(wind, 1.5))
    swarms = power_noise(rng, shape, 0.5, 3.0)
    return np.asarray(1.2 * np.maximum(0.7 * cumuli + 0.6 * swarms - rng.uniform(0.7, 1.3), 0), np.float32)


def draw_haze(rng: np.random.Generator, shape: Shape, wind: float) -> Field:
    """Haze everywhere: moist air and clouds too small to be resolved."""
    moist = power_noise(rng, shape, 0.4, 2.0, Grain(wind, 1.8))
    return np.asarray(rng.uniform(0.02, 0.06) * np.exp(0.8 * moist), np.float32)


def draw_cirrus(rng: np.random.Generator, shape: Shape) -> Field:
    """A thin high layer of long fibres in a random direction."""
    fibres = power_noise(rng, shape, 0.9, 3.2, Grain(rng.uniform(0, np.pi), rng.uniform(2.5, 5.0)))
    return np.asarray(rng.uniform(0.2, 0.6) * smoothstep(fibres, 0.0, 2.2), np.float32)


def draw_front(rng: np.random.Generator, shape: Shape) -> Field:
    """Thick layered cloud of a weather front, at a border of the image; it has no label."""
    rows, columns = coordinates(shape)
    angle, width = rng.uniform(0, 2 * np.pi), shape[1] / shape[0]
    inward = (rows - 0.5) * np.sin(angle) / 0.5 + (columns - width / 2) * np.cos(angle) / (width / 2)
    mass = inward + 0.45 * power_noise(rng, shape, 0.5, 3.0) - rng.uniform(0.7, 1.2)
    texture = 1 + 0.35 * power_noise(rng, shape, 0.2, 2.2, Grain(angle + np.pi / 2, 2.0))
    return np.asarray(2.2 * smoothstep(mass, 0.0, 0.7) * np.maximum(texture, 0.1), np.float32)


def condense(buoyancy: npt.NDArray[np.floating], window: Field, gain: float) -> Field:
    """Buoyancy → thickness inside the window."""
    return np.asarray(np.maximum(buoyancy - 3 * (1 - window), 0) * np.float32(gain), np.float32)


def swirl(rng: np.random.Generator, field: Field, wavelength: float, reach: float) -> Field:
    """Field, warped by smooth random offsets of this wavelength and reach (shares of the height)."""
    shape = (field.shape[0], field.shape[1])
    pixels = np.float32(reach * shape[0])
    return warp(field, pixels * band_noise(rng, shape, wavelength), pixels * band_noise(rng, shape, wavelength))


def draw_discs(rng: np.random.Generator, shape: Shape, spacing: float) -> Field:
    """1 at the centres of discs on a jittered grid of this spacing, 0 at their borders, -1 between them."""
    rows, columns = coordinates(shape)
    relief = np.full(shape, -1, np.float32)
    for row in np.arange(0, 1 + spacing, spacing).tolist():
        for column in np.arange(0, shape[1] / shape[0] + spacing, spacing).tolist():
            row_at, column_at = row + rng.uniform(-0.4, 0.4) * spacing, column + rng.uniform(-0.4, 0.4) * spacing
            radius = spacing * rng.uniform(0.25, 0.6)
            near = _around(row_at, 2 * radius, shape[0], shape[0]), _around(column_at, 2 * radius, shape[0], shape[1])
            distance = np.hypot(rows[near[0]] - row_at, columns[:, near[1]] - column_at) / radius
            np.maximum(relief[near], 1 - distance**1.5, out=relief[near])
    return relief


def _around(place: float, reach: float, scale: int, size: int) -> slice:
    """Pixels of an axis within `reach` of `place`, both as shares of `scale` pixels."""
    return slice(max(0, round((place - reach) * scale)), min(size, max(0, round((place + reach) * scale))))
