"""The Python interface: open a model, predict images.

>>> model = load()
>>> result = model.predict(np.full((700, 1050, 3), 90, np.uint8))
>>> result.masks.shape, result.present.shape
((4, 350, 525), (4,))
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, get_args, overload

import numpy as np
import numpy.typing as npt

from nephoscope.artifacts import SHIPPED
from nephoscope.batch.pictures import UNSEEN, batches, read_content, warn_of_stretch
from nephoscope.batch.storage import read_bytes
from nephoscope.bundle.folder import fingerprint
from nephoscope.bundle.load import open_portable
from nephoscope.data.images import MIN_SIDE, decode_image, fit_image
from nephoscope.data.visible import find_visible
from nephoscope.errors import UserError
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Rules
from nephoscope.settings.choices import Choice

Source: TypeAlias = str | PathLike[str] | npt.NDArray[np.uint8]
"""A path, an address such as s3://bucket/picture.jpg, or an array (H×W×3 uint8, RGB)."""
BATCH_SIZE = 4


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
    def predict(self, images: Source) -> Result: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, images: Iterable[Source]) -> list[Result]: ...
    def predict(self, images: Source | Iterable[Source]) -> Result | list[Result]:
        """An image → its result; several images (a list, or an array N×H×W×3) → a list of results."""
        if isinstance(images, str | PathLike) or (isinstance(images, np.ndarray) and images.ndim < 4):
            (result,) = self.predict_each([images])
            return result
        several: Any = images  # callers without a type checker pass anything
        if isinstance(several, bytes) or not isinstance(several, Iterable):
            raise UserError(f"expected a path, an array or a list of them, found {type(several).__name__}")
        return list(self.predict_each(several))

    def predict_each(self, images: Iterable[Source], *, batch_size: int = BATCH_SIZE) -> Iterator[Result]:
        """Images → their results in order, one at a time, so that memory stays constant."""
        for batch in batches(enumerate(images), batch_size):
            prepared = [self._prepare(number, source) for number, source in batch]
            pixels, visible = (np.stack(arrays) for arrays in zip(*(pair for _, pair in prepared), strict=True))
            predictions = self._ensemble.predict(pixels, visible)
            results = decide_results([image_id for image_id, _ in prepared], predictions, self.rules)
            for (_, source), result in zip(batch, results, strict=True):
                yield replace(result, read_image=partial(_read_for_eyes, source, self.rules))

    def _prepare(self, number: int, source: Any) -> tuple[str, tuple[Image, Mask]]:
        """An image as the networks see it: its name, pixels and visible region at the cache shape."""
        metadata = self._ensemble.metadata
        if isinstance(source, str | PathLike):
            address = fspath(source)
            try:
                image_id = PurePosixPath(address).name
                return image_id, read_content(read_bytes(address), metadata, image_id)
            except (OSError, ValueError) as error:
                if Path(address).is_dir():
                    raise UserError(f"{address} is a folder; pass sorted(Path({address!r}).glob('*.jpg'))") from None
                raise UserError(f"{address}: {_reason(error)}") from error
        image_id = f"image {number}"
        pixels = _check_array(image_id, source)
        warn_of_stretch(image_id, pixels, metadata)
        image = fit_image(pixels, metadata.cache_shape)
        visible = find_visible(image, metadata.nodata)
        if not visible.any():
            raise UserError(f"{image_id}: {UNSEEN}")
        return image_id, (image, visible)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


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
    return decode_image(read_bytes(fspath(source)), near=rules.output_shape)
