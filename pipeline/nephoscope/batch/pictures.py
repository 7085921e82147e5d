"""Pictures on their way: files → what the networks say → masks as RLE, several batches side by side."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np

from nephoscope.batch.storage import read_bytes
from nephoscope.data.images import ImageError, decode_image, fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.data.visible import find_visible
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, encode_rle
from nephoscope.rules.rules import Rules

UNSEEN = "all of it is black, as where no satellite looked"
In = TypeVar("In")
Out = TypeVar("Out")


class Record(NamedTuple):
    """One picture: its masks, or why it has none."""

    address: str
    rles: tuple[str, ...]
    """per class, at the output shape"""
    problem: str = ""
    probabilities: tuple[float, ...] = ()
    """per class, that it is there"""
    confidences: tuple[float, ...] = ()
    """per class, that the decision whether it is there is right"""
    present: tuple[bool, ...] = ()
    """per class, whether it is there, as the rule decides"""
    visible_share: float = 0.0
    """of the picture, that somebody saw"""


@dataclass(frozen=True)
class Reader:
    """Reads pictures at the shape of the cache, as training saw them."""

    metadata: Metadata

    def __call__(self, address: str) -> tuple[Image, Mask] | str:
        """A local path or any address of fsspec → image and visible pixels, or what is wrong with it."""
        try:
            content = read_bytes(address)
        except Exception as error:  # every protocol has errors of its own
            return str(error) or type(error).__name__
        try:
            return read_content(content, self.metadata)
        except ImageError as error:
            return str(error)


def read_content(content: bytes, metadata: Metadata) -> tuple[Image, Mask]:
    """The bytes of a JPEG or PNG → image and visible pixels at the shape of the cache; raises ImageError."""
    image = fit_image(decode_image(content, near=metadata.cache_shape), metadata.cache_shape)
    visible = find_visible(image, metadata.nodata)
    if not visible.any():
        # An answer would say "absent", as if somebody had looked.
        raise ImageError("unseen", UNSEEN)
    return image, visible


def decide_pictures(
    model: Ensemble, rules: Rules, addresses: Iterable[str], batch_size: int, streams: int = 1
) -> Iterator[Record]:
    """Pictures in their order, each decided by the rules. A picture that cannot be read has a problem, and no masks.

    A thread takes a batch from file to RLE: while `streams` of them wait for the networks, another one reads.
    """
    read = Reader(model.metadata)

    def decide(batch: Sequence[str]) -> list[Record]:
        return decide_batch(rules, batch, predict_batch(model, [read(address) for address in batch]))

    with ThreadPoolExecutor(streams + 1) as threads:
        for decided in ahead(threads, decide, batches(addresses, batch_size), streams + 1):
            yield from decided


def predict_batch(model: Ensemble, pictures: Sequence[tuple[Image, Mask] | str]) -> list[Prediction | str]:
    readable = [picture for picture in pictures if not isinstance(picture, str)]
    if not readable:
        return [str(picture) for picture in pictures]
    images, visible = (np.stack(each) for each in zip(*readable, strict=True))
    predictions = iter(model.predict(images, visible))
    return [picture if isinstance(picture, str) else next(predictions) for picture in pictures]


def decide_batch(rules: Rules, addresses: Sequence[str], predictions: Sequence[Prediction | str]) -> list[Record]:
    """Predictions, or what is wrong with an image → one record per address."""
    known = [(address, one) for address, one in zip(addresses, predictions, strict=True) if not isinstance(one, str)]
    results = iter(decide_results([address for address, _ in known], [one for _, one in known], rules))
    return [
        Record(address, (), one) if isinstance(one, str) else _record(next(results))
        for address, one in zip(addresses, predictions, strict=True)
    ]


def _record(result: Result) -> Record:
    return Record(
        result.image_id,
        tuple(map(encode_rle, result.masks)),
        "",
        tuple(result.presence.tolist()),
        tuple(result.confidence.tolist()),
        tuple(result.present.tolist()),
        float(result.visible.mean()),
    )


def ahead(threads: ThreadPoolExecutor, call: Callable[[In], Out], inputs: Iterable[In], count: int) -> Iterator[Out]:
    """Like map, in order, with so many calls under way or done, and one more, before they are asked for."""
    waiting: deque[Future[Out]] = deque()
    for one in inputs:
        waiting.append(threads.submit(call, one))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def batches(inputs: Iterable[In], size: int) -> Iterator[list[In]]:
    remaining = iter(inputs)
    while batch := list(islice(remaining, size)):
        yield batch
