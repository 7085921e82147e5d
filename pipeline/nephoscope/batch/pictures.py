"""Addresses of images → their records and masks, several batches at once."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from nephoscope.batch.maps import MapOptions
from nephoscope.batch.record import Record
from nephoscope.batch.scenes import is_scene_address, predict_address, split_time
from nephoscope.batch.storage import read_bytes, stamp
from nephoscope.data.images import MOST_BYTES, ImageError, decode_image, describe_stretch, fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.data.visible import find_visible
from nephoscope.errors import UserError, reason_of
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Rules

LOGGER = logging.getLogger("nephoscope")
PLAIN = MapOptions()
UNSEEN = "all of it is black, as where no satellite looked"
Masks = npt.NDArray[np.bool_]
"""C×H×W at the output shape."""
In = TypeVar("In")
Out = TypeVar("Out")


class Decided(NamedTuple):
    """An image while it is in memory."""

    record: Record
    masks: Masks | None = None
    """None for an image with a problem."""
    result: Result | None = None
    """All that was predicted, until its files are written."""

    @property
    def shown_masks(self) -> Masks:
        """The masks of an image that has no problem."""
        if self.masks is None:
            raise ValueError(f"{self.record.address} has no masks: {self.record.problem}")
        return self.masks


@dataclass(frozen=True)
class Reader:
    """Reads images at the cache shape, as training did."""

    metadata: Metadata

    def __call__(self, address: str) -> tuple[Image, Mask] | str:
        """A local path or fsspec address → image and visible pixels, or the problem with it."""
        try:
            content = read_bytes(address, MOST_BYTES)
        except Exception as error:  # every protocol has its own errors
            return f"cannot be opened: {reason_of(error)}"
        try:
            return read_content(content, self.metadata, PurePosixPath(address).name)
        except ImageError as error:
            return str(error)


def read_content(content: bytes, metadata: Metadata, image_id: str = "") -> tuple[Image, Mask]:
    """The bytes of a JPEG or PNG → image and visible pixels at the cache shape; raises ImageError.

    With an `image_id`, a warning is logged if the image is stretched.
    """
    image = decode_image(content, near=metadata.cache_shape)
    if image_id:
        warn_of_stretch(image_id, image, metadata)
    image = fit_image(image, metadata.cache_shape)
    visible = find_visible(image, metadata.nodata)
    if not visible.any():
        # A result would read "absent", as if there had been an observation.
        raise ImageError("unseen", UNSEEN)
    return image, visible


def warn_of_stretch(image_id: str, image: Image, metadata: Metadata) -> None:
    """Log a warning if the aspect of an image (H×W×3) differs from that of the masks."""
    if stretch := describe_stretch(image.shape[:2], metadata.output_shape):
        LOGGER.warning("%s: %s", image_id, stretch)


def decide_pictures(
    model: Ensemble,
    rules: Rules,
    addresses: Iterable[str],
    batch_size: int,
    streams: int = 1,
    options: MapOptions = PLAIN,
) -> Iterator[Decided]:
    """Images in their order, each with its record. An image that cannot be read has a problem and no masks.

    A thread takes a batch from file to RLE. While `streams` threads run the networks, another one reads.
    """
    read = Reader(model.metadata)

    def decide(batch: Sequence[str]) -> list[Decided]:
        # Before reading: what changes from here on differs from its stamp, and the next run reads it again.
        stamps = [stamp(split_time(address)[0]) for address in batch]
        return [
            image._replace(record=image.record._replace(stamp=version))
            for image, version in zip(decide_unstamped(batch), stamps, strict=True)
        ]

    def decide_unstamped(batch: Sequence[str]) -> list[Decided]:
        scenes = {
            address: decide_scene(model, rules, address, options)
            for address in batch
            if is_scene_address(address, options)
        }
        plain = [address for address in batch if address not in scenes]
        images = iter(decide_batch(rules, plain, predict_batch(model, [read(address) for address in plain])))
        return [scenes[address] if address in scenes else next(images) for address in batch]

    with ThreadPoolExecutor(streams + 1) as threads:
        for decided in ahead(threads, decide, batches(addresses, batch_size), streams + 1):
            yield from decided


def decide_scene(model: Ensemble, rules: Rules, address: str, options: MapOptions) -> Decided:
    """An image with a place, of any size → its record and result."""
    try:
        result = predict_address(model, rules, address, options)
    except (UserError, ImageError, OSError) as error:
        return Decided(Record(address, str(error).removeprefix(f"{address}: ") or type(error).__name__))
    return Decided(Record.from_result(address, result), result.masks, result)


def predict_batch(model: Ensemble, pictures: Sequence[tuple[Image, Mask] | str]) -> list[Prediction | str]:
    """Images and their visible pixels → predictions; problems pass through."""
    readable = [picture for picture in pictures if not isinstance(picture, str)]
    if not readable:
        return [str(problem) for problem in pictures]
    images, visible = (np.stack(arrays) for arrays in zip(*readable, strict=True))
    predictions = iter(model.predict(images, visible))
    return [picture if isinstance(picture, str) else next(predictions) for picture in pictures]


def decide_batch(rules: Rules, addresses: Sequence[str], predictions: Sequence[Prediction | str]) -> list[Decided]:
    """Predictions or problems → a record per address, with masks where there is no problem."""
    pairs = list(zip(addresses, predictions, strict=True))
    readable = [address for address, prediction in pairs if not isinstance(prediction, str)]
    names = [PurePosixPath(address).name for address in readable]
    results = iter(decide_results(names, [entry for entry in predictions if not isinstance(entry, str)], rules))
    decided = []
    for address, prediction in pairs:
        if isinstance(prediction, str):
            decided.append(Decided(Record(address, prediction)))
        else:
            result = next(results)
            decided.append(Decided(Record.from_result(address, result), result.masks, result))
    return decided


def ahead(threads: ThreadPoolExecutor, call: Callable[[In], Out], inputs: Iterable[In], count: int) -> Iterator[Out]:
    """Like map, in order, with up to `count` calls started before their result is needed."""
    waiting: deque[Future[Out]] = deque()
    try:
        for value in inputs:
            waiting.append(threads.submit(call, value))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # after an error or a signal, nothing more begins
        for future in waiting:
            future.cancel()


def batches(inputs: Iterable[In], size: int) -> Iterator[list[In]]:
    remaining = iter(inputs)
    while batch := list(islice(remaining, size)):
        yield batch
