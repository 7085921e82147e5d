"""Fetch pictures into a folder: what is there stays, what is missing is requested, every request is noted."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from nephoscope.data.images import HeaderError, read_shape
from nephoscope.earth.grid import Bounds
from nephoscope.earth.imagery.notes import (
    NOTE_ENDING,
    describe_download,
    describe_failure,
    describe_request,
    is_empty,
    read_note,
    was_early,
)
from nephoscope.earth.imagery.services import Service, choose_satellites, choose_service
from nephoscope.earth.imagery.tiles import GRAIN, TILE, Picture, cut_box, list_days, list_pictures
from nephoscope.earth.imagery.transfer import Limits, Pace, TransferError, download
from nephoscope.errors import UserError
from nephoscope.files import atomic_write, write_json
from nephoscope.masks.rle import Shape
from nephoscope.progress import Progress, no_progress

ENDING = ".jpeg"
FAILURES_IN_A_ROW = 5
"""Then the run ends: the service or the network is down, and further requests would only add load."""
HEADER_BYTES = 1 << 16
Status = Literal["fetched", "kept", "empty", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one picture: fetched; kept from an earlier run; empty, so nothing was seen; or failed."""

    path: Path
    status: Status
    problem: str = ""


@dataclass(frozen=True)
class Fetched:
    """A finished run."""

    outcomes: tuple[Outcome, ...]
    """In the order of days, satellites and tiles."""

    @property
    def pictures(self) -> list[Path]:
        """Those that lie in the folder."""
        return [outcome.path for outcome in self.outcomes if outcome.status in ("fetched", "kept")]

    @property
    def problems(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    def count(self, status: Status) -> int:
        return sum(outcome.status == status for outcome in self.outcomes)


def fetch_pictures(
    bounds: Bounds,
    first: date | str,
    last: date | str,
    out: str | PathLike[str],
    *,
    satellites: Sequence[str] = ("aqua", "terra"),
    service: str = "snapshots",
    address: str | None = None,
    tile: tuple[float, float] = TILE,
    grain: float = GRAIN,
    parallel: int = 2,
    keep_empty: bool = False,
    limits: Limits | None = None,
    sleep: Callable[[float], object] | None = None,
    progress: Progress = no_progress,
) -> Fetched:
    """A box (west, south, east, north) and days (dates or ISO 8601) → JPEG files in `out`, a JSON note beside each.

    `tile` is (width, height) in degrees, `grain` the degrees of a pixel. File names say place and day, so `predict`
    places them. The same call again requests only what is missing, failed, or was incomplete because its day was new.
    """
    today, folder = datetime.now(UTC).date(), Path(out)
    first, last = (date.fromisoformat(day) if isinstance(day, str) else day for day in (first, last))
    if first > today:
        raise UserError(f"the span begins on {first}, after today ({today} UTC); choose an earlier --from")
    days = list_days(first, min(last, today))
    pictures = list(list_pictures(choose_satellites(satellites), days, cut_box(bounds, tile, grain)))
    limits = limits or Limits()
    pace = Pace(limits.pause, sleep=sleep)
    run = Run(choose_service(service, address), folder, keep_empty, limits, pace)
    folder.mkdir(parents=True, exist_ok=True)
    with progress(0, len(pictures)) as advance:
        return Fetched(tuple(run.fetch_all(pictures, parallel, advance)))


@dataclass(frozen=True)
class Run:
    service: Service
    out: Path
    keep_empty: bool
    limits: Limits
    pace: Pace
    failures: list[str] = field(default_factory=list)
    """Those in a row, up to now."""

    def fetch_all(
        self, pictures: Sequence[Picture], parallel: int, advance: Callable[[int], object]
    ) -> Iterator[Outcome]:
        """Outcomes in order. An interrupt, or many failures in a row, stops all requests."""
        executor = ThreadPoolExecutor(parallel, thread_name_prefix="fetch")
        outcomes: dict[int, Outcome] = {}
        try:
            for number, outcome in self._complete(executor, iter(enumerate(pictures)), 2 * parallel):
                outcomes[number] = outcome
                advance(1)
                self._watch(outcome)
        finally:
            self.pace.stop.set()
            executor.shutdown(wait=True, cancel_futures=True)
        yield from (outcomes[number] for number in range(len(pictures)))

    def _complete(
        self, executor: ThreadPoolExecutor, pictures: Iterator[tuple[int, Picture]], ahead: int
    ) -> Iterator[tuple[int, Outcome]]:
        """A few pictures are in work at a time, so that a run over years needs no more memory than one over days."""
        running: dict[Future[Outcome], int] = {}
        while True:
            for number, picture in islice(pictures, ahead - len(running)):
                running[executor.submit(self.fetch, picture)] = number
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()

    def _watch(self, outcome: Outcome) -> None:
        if outcome.status == "failed":
            self.failures.append(outcome.problem)
        elif outcome.status != "kept":
            self.failures.clear()
        if len(self.failures) >= FAILURES_IN_A_ROW:
            raise UserError(
                f"{FAILURES_IN_A_ROW} pictures in a row failed; the last: {self.failures[-1]}. Check the network and "
                f"the address {self.service.address}, and run the same command again: it goes on where it ended"
            )

    def fetch(self, picture: Picture) -> Outcome:
        """One picture: kept if it is there and complete, otherwise requested, checked, noted and written."""
        path = self.out / f"{picture.stem}{ENDING}"
        note = path.with_suffix(NOTE_ENDING)
        if settled := self._settled(picture, path, note):
            return Outcome(path, settled)
        url = self.service.url(picture.satellite.layer, picture.day, picture.bounds, picture.shape)
        request = describe_request(picture, path.name, self.service.name, url)
        try:
            downloaded = download(url, picture.shape, self.limits, self.pace)
        except TransferError as error:
            write_json(note, request | describe_failure(error))
            return Outcome(path, "failed", str(error))
        content = request | describe_download(downloaded)
        # The note comes first: a picture without a note is the user's own, and stays.
        write_json(note, content)
        if is_empty(content) and not self.keep_empty:
            path.unlink(missing_ok=True)
            return Outcome(path, "empty")
        with atomic_write(path) as unfinished:
            unfinished.write_bytes(downloaded.content)
        return Outcome(path, "fetched")

    def _settled(self, picture: Picture, path: Path, note: Path) -> Status | None:
        """What an earlier run made of the picture; None if it must be requested."""
        if not note.exists():
            return "kept" if path.exists() and _shape_of(path) == picture.shape else None
        content = read_note(note)
        self._refuse_other(content, picture, path)
        if content.get("problem", "no note") or was_early(content, picture.day):
            return None
        if path.exists():
            return "kept" if path.stat().st_size == content.get("byte_count") else None
        return "empty" if is_empty(content) and not self.keep_empty else None

    def _refuse_other(self, content: dict[str, Any], picture: Picture, path: Path) -> None:
        mine = {"service": self.service.name, "shape": list(picture.shape)}
        if content and (other := {key: content.get(key) for key in mine if content.get(key) != mine[key]}):
            mine = {key: mine[key] for key in other}
            raise UserError(f"{path}: requested before with {other}, now with {mine}; choose another folder with --out")


def _shape_of(path: Path) -> Shape | None:
    with path.open("rb") as file, suppress(HeaderError):
        return read_shape(file.read(HEADER_BYTES))
    return None
