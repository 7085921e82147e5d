"""The Python interface: open a model, predict images.

>>> model = load()
>>> result = model.predict(np.full((700, 1050, 3), 90, np.uint8))
>>> result.masks.shape, result.present.shape
((4, 350, 525), (4,))
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, overload

import numpy as np
import numpy.typing as npt

from nephoscope.artifacts import SHIPPED
from nephoscope.batch.pictures import UNSEEN, batches, read_content, warn_of_stretch
from nephoscope.batch.scenes import warn_of_grain
from nephoscope.batch.storage import read_bytes
from nephoscope.bundle.folder import fingerprint
from nephoscope.bundle.load import open_portable
from nephoscope.bundle.provenance import trace_provenance
from nephoscope.data.images import MIN_SIDE, MOST_BYTES, decode_image, fit_image
from nephoscope.data.visible import find_visible
from nephoscope.earth.grid import Bounds
from nephoscope.earth.reading.open import is_scene, open_scene, open_scenes, place_array
from nephoscope.earth.scene import Scene
from nephoscope.errors import UserError, reason_of
from nephoscope.inference.datasets import predict_dataset
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.inference.scenes import blank_result, predict_scene
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask
from nephoscope.provenance import Provenance
from nephoscope.rules.rules import Rules
from nephoscope.settings.choices import Choice

if TYPE_CHECKING:
    import xarray as xr

Source: TypeAlias = str | PathLike[str] | npt.NDArray[np.uint8]
"""A path, an address such as s3://bucket/picture.jpg, or an array (H×W×3 uint8, RGB)."""
XarrayObject: TypeAlias = "xr.DataArray | xr.Dataset"
Box: TypeAlias = Bounds | None
Time: TypeAlias = str | np.datetime64 | None
BATCH_SIZE = 4
CALL = "nephoscope.Model.predict"


def load(folder: str | PathLike[str] | None = None, *, engine: Choice = "auto") -> "Model":
    """Open a portable model: the one that is shipped, or a folder such as artifacts/export/model.

    `engine`: "auto" takes the fastest installed engine that matches PyTorch; or "onnx", "openvino", "torch".
    """
    if engine not in get_args(Choice):
        raise UserError(f"unknown engine {engine!r}; choose one of {', '.join(get_args(Choice))}")
    path = SHIPPED if folder is None else Path(folder)
    ensemble, rules = open_portable(path, engine)
    return Model(path, ensemble, rules)


class Model:
    """A model that is open. Use `load` to make one."""

    def __init__(self, folder: Path, ensemble: Ensemble, rules: Rules) -> None:
        self.folder = folder
        self.rules = rules
        """The rules that turn probabilities into masks; assign others to decide otherwise."""
        self._ensemble = ensemble
        self._traced: Provenance | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        return self.rules.classes

    @property
    def fingerprint(self) -> str:
        """Hash of everything in the model's folder that decides its results. Cite it with them."""
        return fingerprint(self.folder)

    def __repr__(self) -> str:
        return f"<nephoscope.Model of {', '.join(self.classes)} from {self.folder}>"

    @overload
    def predict(self, images: "XarrayObject", *, bounds: Box = None, time: Time = None) -> "xr.Dataset": ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, images: Source, *, bounds: Box = None, time: Time = None) -> Result: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, images: Iterable[Source], *, bounds: Box = None, time: Time = None) -> list[Result]: ...
    def predict(self, images: Any, *, bounds: Box = None, time: Time = None) -> "Result | list[Result] | xr.Dataset":
        """An image → its result; several images (a list, or an array N×H×W×3) → a list of results.

        An `xarray.DataArray` or Dataset → a Dataset with the dims (time, pattern, latitude, longitude). If it is backed
        by dask, nothing is computed before it is asked for.

        bounds: (west, south, east, north) in degrees, for an image that has no place of its own
        time: ISO 8601 in UTC, for an image that has no time of its own
        """
        if _is_xarray(images):
            scenes = list(open_scenes(images, bounds=bounds, time=time))
            return predict_dataset(self._predict_scene, scenes, self._blank if images.chunks else None)
        if isinstance(images, str | PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4):
            (result,) = self.predict_each([images], bounds=bounds, time=time)
            return result
        if isinstance(images, bytes) or not isinstance(images, Iterable):
            raise UserError(f"expected a path, an array or a list of them, found {type(images).__name__}")
        if bounds is not None or time is not None:
            raise UserError("bounds and time place one image; found several; predict them one by one")
        return list(self.predict_each(images))

    def predict_each(
        self, images: Iterable[Source], *, batch_size: int = BATCH_SIZE, bounds: Box = None, time: Time = None
    ) -> Iterator[Result]:
        """Images → their results in order, one at a time, so that memory stays constant."""
        for batch in batches(enumerate(images), batch_size):
            scenes = {number: self._open_scene(source, bounds, time) for number, source in batch}
            plain = self._predict_images([entry for entry in batch if scenes[entry[0]] is None])
            for number, _ in batch:
                scene = scenes.pop(number)
                yield next(plain) if scene is None else self._predict_scene(scene)

    def _predict_images(self, batch: Sequence[tuple[int, Any]]) -> Iterator[Result]:
        """Images without a place, which the networks see as a whole."""
        if not batch:
            return
        prepared = [self._prepare(number, source) for number, source in batch]
        pixels, visible = (np.stack(arrays) for arrays in zip(*(pair for _, pair in prepared), strict=True))
        predictions = self._ensemble.predict(pixels, visible)
        results = decide_results([image_id for image_id, _ in prepared], predictions, self.rules)
        for (_, source), result in zip(batch, results, strict=True):
            address = fspath(source) if isinstance(source, str | PathLike) else "an array in memory"
            read_image = partial(_read_for_eyes, source, self.rules)
            yield replace(result, read_image=read_image, provenance=self._trace(address))

    def _open_scene(self, source: Any, bounds: Box, time: Time) -> Scene | None:
        """The scene of a source that has a place; None for a plain image."""
        if _is_xarray(source):
            return open_scene(source, bounds=bounds, time=time)
        if isinstance(source, np.ndarray):
            if bounds is None and time is not None:
                raise UserError("a time needs a place; pass bounds=(west, south, east, north) as well")
            return None if bounds is None else place_array(_check_array("the array", source), bounds, time)
        if isinstance(source, str | PathLike) and is_scene(fspath(source), bounds):
            return open_scene(source, bounds=bounds, time=time)
        return None

    def _predict_scene(self, scene: Scene) -> Result:
        warn_of_grain(scene.name, scene, self._ensemble.metadata)
        try:
            result = predict_scene(self._ensemble, self.rules, scene)
        except UserError as error:
            named = str(error) if scene.name in str(error) else f"{scene.source}: {error}"
            raise UserError(named) from error
        return replace(result, provenance=self._trace(scene.source))

    def _blank(self, scene: Scene) -> Result:
        result = blank_result(self._ensemble.metadata, self.rules, scene)
        return replace(result, provenance=self._trace(scene.source))

    def _trace(self, source: str) -> Provenance:
        """How a result was made. The image is not hashed: it may be large, or an array."""
        if self._traced is None or self._traced.rules != self.rules.digest:  # hashing the model takes a while
            self._traced = trace_provenance(self.folder, self._ensemble, self.rules, CALL)
        return self._traced.of_source(source)

    def _prepare(self, number: int, source: Any) -> tuple[str, tuple[Image, Mask]]:
        """An image as the networks see it: its name, pixels and visible region at the cache shape."""
        metadata = self._ensemble.metadata
        if isinstance(source, str | PathLike):
            address = fspath(source)
            try:
                image_id = PurePosixPath(address).name
                return image_id, read_content(read_bytes(address, MOST_BYTES), metadata, image_id)
            except (OSError, ValueError) as error:
                if Path(address).is_dir():
                    raise UserError(f"{address} is a folder; pass sorted(Path({address!r}).glob('*.jpg'))") from None
                raise UserError(f"{address}: {reason_of(error)}") from error
        image_id = f"image {number}"
        pixels = _check_array(image_id, source)
        warn_of_stretch(image_id, pixels, metadata)
        image = fit_image(pixels, metadata.cache_shape)
        visible = find_visible(image, metadata.nodata)
        if not visible.any():
            raise UserError(f"{image_id}: {UNSEEN}")
        return image_id, (image, visible)


def _is_xarray(source: Any) -> bool:
    """Without importing xarray, which most callers do not need."""
    return type(source).__module__.partition(".")[0] == "xarray"


def _check_array(image_id: str, array: Any) -> Image:
    if not isinstance(array, np.ndarray):
        raise UserError(
            f"{image_id}: expected a path or an array (H×W×3 uint8, RGB), found {type(array).__name__}; "
            "convert it with numpy.asarray"
        )
    if array.ndim != 3 or array.shape[2] != 3:
        way_out = "; for a grey image pass np.stack([array] * 3, axis=-1)" if array.ndim == 2 else ""
        raise UserError(f"{image_id}: expected an array of shape (height, width, 3), found {array.shape}{way_out}")
    if array.dtype != np.uint8:
        raise UserError(
            f"{image_id}: expected uint8 (0 to 255), found {array.dtype}; "
            "for floats from 0 to 1 pass (255 * array).round().astype('uint8')"
        )
    if min(array.shape[:2]) < MIN_SIDE:
        raise UserError(f"{image_id}: {array.shape[0]}×{array.shape[1]} pixels; a side needs at least {MIN_SIDE}")
    return array


def _read_for_eyes(source: Source, rules: Rules) -> Image:
    if isinstance(source, np.ndarray):
        return source
    return decode_image(read_bytes(fspath(source), MOST_BYTES), near=rules.output_shape)
