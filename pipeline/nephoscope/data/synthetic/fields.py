"""Random fields (H×W float32), from which all scenes are made. Lengths are shares of the image's height."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nephoscope.masks.rle import Shape

Field = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grain:
    """Direction of a texture: it is `stretch` times longer along `angle` (radians; 0 is along the rows)."""

    angle: float = 0.0
    stretch: float = 1.0


EVEN = Grain()


def band_noise(
    rng: np.random.Generator, shape: Shape, wavelength: float, grain: Grain = EVEN, octaves: float = 0.5
) -> Field:
    """Noise around one wavelength (across the grain), with a width in octaves; mean 0, standard deviation 1."""

    def amplitude(squared: Field) -> Field:
        distance = np.log2(squared * np.float32(wavelength**2)) / np.float32(2 * octaves)
        return np.asarray(np.exp(-distance * distance / 2), np.float32)

    # Long waves need few points: drawing them small and enlarging saves most of the time.
    factor = max(1, min(8, int(wavelength * shape[0] / 12)))
    coarse = _filtered_noise(rng, (-(-shape[0] // factor), -(-shape[1] // factor)), amplitude, grain)
    return coarse if factor == 1 else _stretched(coarse, shape)


def power_noise(rng: np.random.Generator, shape: Shape, longest: float, slope: float, grain: Grain = EVEN) -> Field:
    """Noise of all wavelengths up to the longest, with power ~ frequency^-slope; mean 0, standard deviation 1."""

    def amplitude(squared: Field) -> Field:
        return np.asarray((squared + np.float32(longest**-2)) ** np.float32(-slope / 4), np.float32)

    return _filtered_noise(rng, shape, amplitude, grain)


def _filtered_noise(rng: np.random.Generator, shape: Shape, amplitude: Callable[[Field], Field], grain: Grain) -> Field:
    weights = amplitude(_squared_frequencies(shape, grain))
    weights[0, 0] = 0
    # White noise has a white spectrum: drawing it there saves a transform.
    white = rng.standard_normal((*weights.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = np.fft.irfft2(white * weights, shape)
    return np.asarray(field / (field.std() + np.float32(1e-12)), np.float32)


def _squared_frequencies(shape: Shape, grain: Grain) -> Field:
    """(Waves per image height)² of every mode of `rfft2`; above 0, so that the logarithm is finite."""
    height, width = shape
    down = (np.fft.fftfreq(height) * height).astype(np.float32)[:, None]
    across = (np.fft.rfftfreq(width) * height).astype(np.float32)[None, :]
    cosine, sine = np.float32(np.cos(grain.angle)), np.float32(np.sin(grain.angle))
    along = (across * cosine + down * sine) * np.float32(grain.stretch)
    athwart = down * cosine - across * sine
    return np.asarray(np.maximum(along * along + athwart * athwart, 1e-6), np.float32)


def _stretched(field: Field, shape: Shape) -> Field:
    return np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def coordinates(shape: Shape) -> tuple[Field, Field]:
    """Rows (H×1) and columns (1×W) of the pixel centres, as shares of the image's height."""
    height, width = shape
    rows = ((np.arange(height) + 0.5) / height).astype(np.float32)[:, None]
    columns = ((np.arange(width) + 0.5) / height).astype(np.float32)[None, :]
    return rows, columns


def warp(field: Field, down: Field, across: Field) -> Field:
    """Field → field in which every pixel has the value at an offset of `down` and `across` pixels."""
    height, width = field.shape
    rows = np.clip(np.arange(height, dtype=np.float32)[:, None] + down, 0, height - 1.001)
    columns = np.clip(np.arange(width, dtype=np.float32)[None, :] + across, 0, width - 1.001)
    row, column = rows.astype(np.intp), columns.astype(np.intp)
    lower, right = (rows - row).astype(np.float32), (columns - column).astype(np.float32)
    flat, corner = field.ravel(), row * width + column
    above = flat[corner] * (1 - right) + flat[corner + 1] * right
    below = flat[corner + width] * (1 - right) + flat[corner + width + 1] * right
    return np.asarray(above * (1 - lower) + below * lower, np.float32)


def smoothstep(field: Field, low: float, high: float) -> Field:
    """0 below low, 1 above high, smooth in between."""
    share = np.clip((field - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def ridges(field: Field, width: float) -> Field:
    """1 on the zero lines of a noise field, falling to 0 where its absolute value is `width`, and below."""
    return np.asarray(1 - np.abs(field) / np.float32(width), np.float32)
