"""One picture over HTTP: limits of time and size, checks of what came, and attempts with growing pauses."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from importlib.metadata import version
from threading import Event, Lock
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from nephoscope.data.images import ImageError, decode_image
from nephoscope.earth.imagery.services import JPEG
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

MAX_BYTES = 200_000_000
"""Limit of a body. A JPEG of 8200×8200 pixels has about 40 MB."""
CHUNK = 1 << 16
EXCERPT = 300
"""Characters of an error text that are shown."""
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""
LONGEST_WAIT = 300.0
"""Seconds. If a service asks for a longer pause, the picture is left to a later run."""


class TransferError(Exception):
    """A picture did not come. `is_final`: another attempt would not help."""

    def __init__(self, message: str, status: int | None = None, is_final: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.is_final, self.wait = status, is_final, wait


class Stopped(Exception):  # noqa: N818  (not an error: the run is ending)
    """The run ends; nothing more is requested."""


@dataclass(frozen=True)
class Limits:
    """How gently a service is used."""

    timeout: float = 60.0
    """Seconds without a byte before an attempt is given up. The whole body may take ten times as long."""
    attempts: int = 5
    """Per picture."""
    pause: float = 0.5
    """Seconds between the starts of two requests."""
    first_wait: float = 2.0
    """Seconds before the second attempt; doubled before each further one, and shortened by chance by up to a half."""


@dataclass
class Pace:
    """The pauses of all parallel requests. `sleep` and `clock` are replaced in tests."""

    pause: float
    stop: Event = field(default_factory=Event)
    sleep: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic
    _lock: Lock = field(default_factory=Lock, repr=False)
    _next: float = field(default=-float("inf"), repr=False)

    def take_turn(self) -> None:
        """Wait until a request may start."""
        with self._lock:
            now = self.clock()
            start = max(now, self._next)
            self._next = start + self.pause
        self.wait(start - now)

    def postpone(self, seconds: float) -> None:
        """The service asked for a pause: no request starts before it ends."""
        with self._lock:
            self._next = max(self._next, self.clock() + seconds)

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            # The event wakes all waiting threads when the run is interrupted.
            (self.sleep or self.stop.wait)(seconds)
        if self.stop.is_set():
            raise Stopped


@dataclass(frozen=True)
class Download:
    """A complete picture."""

    content: bytes
    image: Image
    status: int
    attempts: int
    requested_at: datetime


def download(url: str, shape: Shape, limits: Limits, pace: Pace) -> Download:
    """Request a JPEG of this shape until it comes complete; raises TransferError when the attempts are used up."""
    for attempt in range(1, limits.attempts + 1):
        pace.take_turn()
        requested_at = datetime.now(UTC)
        try:
            status, content = _get(url, limits.timeout, pace.stop)
            return Download(content, _decode(content, shape), status, attempt, requested_at)
        except TransferError as error:
            if error.is_final or attempt == limits.attempts or error.wait > LONGEST_WAIT:
                raise TransferError(_describe(error, attempt), error.status, error.is_final) from None
            pace.postpone(error.wait)
            pace.wait(max(error.wait, _back_off(attempt, limits.first_wait)))
    raise AssertionError("a run has at least one attempt")


def _describe(error: TransferError, attempts: int) -> str:
    text = str(error)
    if error.wait > LONGEST_WAIT:
        text += f"; the service asks for a pause of {error.wait:.0f} s"
    return text if attempts == 1 else f"{text} ({attempts} attempts)"


def _back_off(attempt: int, first_wait: float) -> float:
    """Seconds. The random part keeps parallel requests from returning at the same moment."""
    return min(LONGEST_WAIT, first_wait * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1)


def _get(url: str, timeout: float, stop: Event) -> tuple[int, bytes]:
    """Status and body of a JPEG; raises TransferError for everything else that may come."""
    request = Request(url, headers={"User-Agent": f"nephoscope/{version('nephoscope')}", "Accept": JPEG})
    try:
        with urlopen(request, timeout=timeout) as response:
            content = _read_body(response, timeout, stop)
            _check_kind(response, content)
            return response.status, content
    except HTTPError as error:
        with error:
            raise _refusal(error) from None
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, TimeoutError):
            raise TransferError(f"no answer within {timeout:g} s") from None
        raise TransferError(f"the connection failed: {reason or type(reason).__name__}") from None


def _read_body(response: HTTPResponse, timeout: float, stop: Event) -> bytes:
    """In pieces, so that an endless or very slow body is given up."""
    pieces, size, deadline = [], 0, time.monotonic() + 10 * timeout
    while piece := response.read1(CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise TransferError(f"the body is larger than {MAX_BYTES / 1e6:.0f} MB", response.status, is_final=True)
        if time.monotonic() > deadline:
            raise TransferError(f"the body was not complete after {10 * timeout:g} s", response.status)
        if stop.is_set():
            raise Stopped
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and size < int(announced):
        raise TransferError(f"the body ended after {size} of {announced} bytes", response.status)
    return b"".join(pieces)


def _check_kind(response: HTTPResponse, content: bytes) -> None:
    kind = response.headers.get_content_type()
    if kind != JPEG:
        raise TransferError(f"expected {JPEG}, found {kind}: {_excerpt(content)}", response.status)


def _refusal(error: HTTPError) -> TransferError:
    try:
        text = _excerpt(error.read(CHUNK))
    except (OSError, HTTPException):
        text = ""
    message = f"HTTP {error.code} {error.reason}" + (f": {text}" if text else "")
    if error.code not in TEMPORARY:
        return TransferError(message, error.code, is_final=True)
    return TransferError(message, error.code, wait=_retry_after(error.headers.get("Retry-After")))


def _retry_after(text: str | None) -> float:
    """The header Retry-After (seconds, or a date) → seconds from now; 0 if there is none."""
    if not text:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _excerpt(content: bytes) -> str:
    """The words of an error text in one line, without tags and control characters."""
    text = content[: 10 * EXCERPT].decode("utf-8", "replace")
    plain = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(re.sub("<[^>]*>", " ", plain).split())
    return words[:EXCERPT] or "an empty body"


def _decode(content: bytes, shape: Shape) -> Image:
    try:
        image = decode_image(content)
    except ImageError as error:
        raise TransferError(f"no complete picture: {error}") from None
    if image.shape[:2] != shape:
        found, expected = "×".join(map(str, image.shape[:2])), "×".join(map(str, shape))
        raise TransferError(f"a picture of {found} pixels came; expected {expected}", is_final=True)
    return image
