"""Arrays of xarray as scenes: windows are taken with isel, so that lazy arrays stay lazy."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nephoscope.earth.grid import Bounds, Grid
from nephoscope.earth.reading.axes import WAY_OUT, Axes, find_axes, grid_of
from nephoscope.earth.reading.bands import Bands, choose_bands
from nephoscope.earth.reading.names import find_sensor, parse_time, time_in_attributes, time_in_name
from nephoscope.earth.reading.pixels import Pixels, Window, check_block, check_size, sample_windows
from nephoscope.earth.reading.placing import Description, check_square, make_scene
from nephoscope.earth.reading.stretch import Stretch, choose_stretch, encoding_of, fill_values
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask

if TYPE_CHECKING:
    import xarray as xr

TRUE_COLOUR = ("true_color", "true_colour", "rgb", "image")


class Layers(NamedTuple):
    """An array with its bands, or the three arrays of an image whose colours are apart."""

    arrays: "tuple[xr.DataArray, ...]"
    axes: Axes
    bands: Bands | None
    """Positions along the band dimension; None where every colour is an array."""

    def at(self, position: int) -> "Layers":
        """One of its times."""
        if self.axes.time is None:
            return self
        return self._replace(arrays=tuple(array.isel({self.axes.time: position}) for array in self.arrays))


class ArrayPixels(Pixels):
    """One time of an array. Dimensions are (y, x), and the band if there is one."""

    def __init__(self, layers: Layers, grid: Grid, source: str, release: Callable[[], None]) -> None:
        self._layers, self.grid, self._source, self._lock, self._release = layers, grid, source, Lock(), release
        encodings = {encoding_of(array.dtype, array.attrs, array.encoding, source) for array in layers.arrays}
        if len(encodings) > 1:
            raise UserError(f"{source}: red, green and blue are stored differently; convert them to one type and unit")
        (self._encoding,) = encodings
        self._chosen: Stretch | None = None
        if not self.is_lazy or self._encoding.is_levels:  # levels need no look at the values
            self._stretch()

    @property
    def is_lazy(self) -> bool:
        """Backed by dask: nothing is computed before a window is read."""
        return any(array.chunks is not None for array in self._layers.arrays)

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        values, seen = self._read_stored(Window.of(rows, columns, self.grid.shape))
        return self._stretch()(values, seen, self._source), seen

    def _stretch(self) -> Stretch:
        with self._lock:
            if self._chosen is None:
                self._chosen = choose_stretch(self._encoding, self._source, self._sample)
            return self._chosen

    def _sample(self) -> npt.NDArray[Any]:
        """Some of the stored values that were seen."""
        parts = []
        for window in sample_windows(self.grid.shape):
            values, seen = self._read_stored(window)
            parts.append(values[seen].ravel())
        return np.concatenate(parts)

    def _read_stored(self, window: Window) -> tuple[npt.NDArray[Any], Mask]:
        """Stored values (h×w×3) and the pixels seen."""
        arrays, axes, bands = self._layers
        rows, columns = window.slices
        try:
            parts = [array.isel({axes.y: rows, axes.x: columns}).to_numpy() for array in arrays]
        except (OSError, RuntimeError, ValueError, KeyError, IndexError) as error:
            raise UserError(
                f"{self._source}: a part of it cannot be read ({str(error)[:300]}); copy it again"
            ) from error
        if bands is None:
            values, opaque = np.stack(parts, axis=2), None
        else:
            values = parts[0][..., :3]
            opaque = None if bands.alpha is None else parts[0][..., 3] > 0
        seen = _seen(values, arrays, self._encoding.is_levels)
        return values, seen if opaque is None else seen & opaque

    @property
    def attributes(self) -> dict[str, str]:
        return {"stretch": self._chosen.description if self._chosen else "chosen when the first window is read"}

    def close(self) -> None:
        release, self._release = self._release, lambda: None
        release()


def _seen(values: npt.NDArray[Any], arrays: "Sequence[xr.DataArray]", levels: bool) -> Mask:
    valid = np.ones(values.shape, bool)
    for fill in set().union(*(fill_values(array.attrs) for array in arrays)):
        valid &= values != fill
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    # A level of 0 in one band of three is a colour. A missing reflectance makes the pixel unknown.
    return np.asarray(valid.any(2) if levels else valid.all(2), bool)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | np.number)


def open_arrays(
    data: "xr.DataArray | xr.Dataset",
    bounds: Bounds | None,
    time: np.datetime64 | None,
    name: str | None,
    source: str = "",
    close: Callable[[], None] = lambda: None,
) -> Iterator[Scene]:
    """An array → a scene for each of its times, in their order. `close` is called with the last scene that closes."""
    title = name or PurePosixPath(source).name or str(getattr(data, "name", None) or "array")
    layers = find_layers(data, source or title)
    axes, first = layers.axes, layers.arrays[0]
    described = source or f"xarray {'×'.join(f'{first.sizes[dim]} {dim}' for dim in first.dims)}"
    times = _times(first, axes)
    if time is not None and len(times) > 1:
        raise UserError(
            f"{title}: has {len(times)} times of its own; leave out the time, or select one with .isel({axes.time}=0)"
        )
    attributes = {**data.attrs, **first.attrs}
    plain = {str(key): str(value) for key, value in attributes.items() if _is_plain(value)}
    found = find_sensor(title, attributes)
    stated = time_in_attributes(attributes) or time_in_name(title)
    release = _last_of(len(times), close)
    for position, own in enumerate(times):
        when = time if time is not None else own if own is not None else stated
        image_id = title if len(times) == 1 else f"{title}_{position if own is None else str(own).replace(':', '')}"
        yield _scene(layers.at(position), bounds, Description(image_id, described, when, found, plain), release)


def _last_of(count: int, close: Callable[[], None]) -> Callable[[], None]:
    """A function that calls `close` when it is called for the `count`-th time."""
    remaining, lock = count, Lock()

    def release() -> None:
        nonlocal remaining
        with lock:
            remaining -= 1
            if remaining == 0:
                close()

    return release


def _scene(layers: Layers, bounds: Bounds | None, about: Description, release: Callable[[], None]) -> Scene:
    first, axes = layers.arrays[0], layers.axes
    shape = (int(first.sizes[axes.y]), int(first.sizes[axes.x]))
    check_size(about.source, shape)
    for array in layers.arrays:
        stored = array.encoding.get("chunksizes") or array.encoding.get("chunks") or ()
        check_block(about.source, tuple(stored), "rechunk it, such as with .chunk({…}).to_zarr(…)")
    grid = grid_of(first, axes, about.source)
    if grid is not None and bounds is not None:
        raise UserError(f"{about.source}: has coordinates of its own; leave out the bounds")
    if grid is None:
        if bounds is None:
            raise UserError(f"{about.source}: no coordinates along {axes.y} and {axes.x}; {WAY_OUT}")
        grid = Grid.from_bounds(bounds, shape)
        check_square(about.source, grid)
    return make_scene(ArrayPixels(layers, grid, about.source, release), about)


def find_layers(data: "xr.DataArray | xr.Dataset", source: str) -> Layers:
    """An array with a band dimension, the one such variable of a Dataset, or its variables red, green and blue."""
    import xarray as xr

    if isinstance(data, xr.DataArray):
        return _layers_of(data, source)
    candidates = [variable for variable in data.data_vars.values() if variable.ndim >= 2]
    banded = [variable for variable in candidates if _has_bands(variable, source)]
    preferred = [variable for variable in banded if str(variable.name).lower() in TRUE_COLOUR]
    if len(banded) == 1 or len(preferred) == 1:
        return _layers_of((preferred or banded)[0], source)
    flat = [variable for variable in candidates if variable not in banded] if not banded else []
    if len(flat) >= 3:
        bands = choose_bands([variable.name for variable in flat], source)
        return _layers_apart([flat[position] for position in bands.colours], source)
    listed = (
        ", ".join(f"{variable.name}({', '.join(map(str, variable.dims))})" for variable in candidates[:12]) or "none"
    )
    raise UserError(
        f"{source}: variables {listed}; expected one with a dimension of red, green and blue, or three with these "
        "names; open it with xarray and pass the right one"
    )


def _has_bands(variable: "xr.DataArray", source: str) -> bool:
    try:
        axes = find_axes(variable, source)
    except UserError:
        return False
    return axes.band is not None and variable.sizes[axes.band] >= 3


def _layers_of(array: "xr.DataArray", source: str) -> Layers:
    axes = find_axes(array, source)
    if axes.band is None:
        choose_bands([array.name], source)  # refuses a single band, with the way out
        raise UserError(f"{source}: a single band; expected red, green and blue along a dimension named band")
    bands = choose_bands(_band_labels(array, axes.band), source)
    kept = [*bands.colours, *([] if bands.alpha is None else [bands.alpha])]
    array = _without_short_dims(array, axes).isel({axes.band: kept}).transpose(..., axes.y, axes.x, axes.band)
    return Layers((array,), axes, bands)


def _layers_apart(arrays: "Sequence[xr.DataArray]", source: str) -> Layers:
    axes = [find_axes(array, source) for array in arrays]
    sizes = {
        tuple((dim, array.sizes[dim]) for dim in (axis.y, axis.x)) for array, axis in zip(arrays, axes, strict=True)
    }
    if len(sizes) > 1:
        raise UserError(f"{source}: red, green and blue have different sizes; bring them to one grid")
    first = axes[0]
    return Layers(
        tuple(_without_short_dims(array, first).transpose(..., first.y, first.x) for array in arrays), first, None
    )


def _without_short_dims(array: "xr.DataArray", axes: Axes) -> "xr.DataArray":
    kept = {axes.y, axes.x, axes.band, axes.time}
    return array.squeeze([dim for dim in array.dims if dim not in kept], drop=True)


def _band_labels(array: "xr.DataArray", band: str) -> list[object]:
    """Names of bands: the coordinate where it holds names or wavelengths, else the attribute long_name."""
    labels: list[object] = list(array[band].to_numpy()) if band in array.coords else [None] * array.sizes[band]
    names = array.attrs.get("long_name")
    if isinstance(names, list | tuple) and len(names) == len(labels):
        return list(names)
    return labels


def _times(array: "xr.DataArray", axes: Axes) -> list[np.datetime64 | None]:
    if axes.time is None:
        names = (name for name in ("time", "t", "start_time") if name in array.coords and array[name].ndim == 0)
        return [next((_time_or_none(array[name].to_numpy()[()]) for name in names), None)]
    if axes.time not in array.coords:
        return [None] * array.sizes[axes.time]
    return [_time_or_none(value) for value in array[axes.time].to_numpy()]


def _time_or_none(value: Any) -> np.datetime64 | None:
    """Numbers without units are no times."""
    return None if isinstance(value, int | float | np.number) else parse_time(value)
