"""Count occurrence: maps of many days → a Dataset of shares per cell and period. One map is in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from nephoscope.batch.occurrence.cells import Axes, Cells, Cover, Floats, check_size
from nephoscope.batch.occurrence.days import Pool, Summary, Sums
from nephoscope.batch.occurrence.maps import Maps, Quantity, find_maps
from nephoscope.batch.occurrence.periods import CLIMATOLOGICAL, PeriodKind, all_periods, check_kind, period_of
from nephoscope.errors import UserError
from nephoscope.progress import Progress, no_progress

LEAST_SEA = 0.1
"""Share of a cell. Cells with less sea stay without a value."""
LAND_STEP = 0.05
"""Degrees at which land is counted, where the maps know land."""


@dataclass(frozen=True)
class Occurrence:
    """Shares per period, pattern and cell. Periods are those that `periods.py` numbers."""

    kind: PeriodKind
    quantity: Quantity
    cells: Cells
    patterns: tuple[str, ...]
    periods: tuple[int, ...]
    first: np.datetime64
    last: np.datetime64
    """First and last time of all maps."""
    least_seen: float
    land_share: Floats | None
    """rows×columns; None if the maps do not know land."""
    summaries: tuple[Summary, ...]
    pool: Pool
    domain_summaries: tuple[Summary, ...]
    """All cells together, as one (C×1)."""
    domain_pool: Pool
    sources: tuple[Maps, ...]


@dataclass(frozen=True)
class Entry:
    """One map of a file."""

    time: np.datetime64
    maps: Maps
    number: int

    @property
    def day(self) -> int:
        return int(self.time.astype("datetime64[D]").astype(int))

    @property
    def overpass(self) -> tuple[np.datetime64, str]:
        return self.time, self.maps.attributes.get("nephoscope_sensor", "")


def count_occurrence(
    given: Sequence[str],
    *,
    cell: float = 2.5,
    by: str = "month",
    quantity: Quantity = "masks",
    least_seen: float = 0.5,
    progress: Progress = no_progress,
) -> Occurrence:
    """Files, folders or patterns of maps → how often each pattern occurs per cell (degrees) and period.

    A day counts in a cell if at least `least_seen` of its sea was seen. The share of a day is the covered part of what
    was seen (masks), or the mean presence there. Overpasses of a day are averaged first. Cells without a valid day are
    missing, not zero.
    """
    kind = check_kind(by)
    check_size(cell)
    if not 0 < least_seen <= 1:
        raise UserError(f"least share of a cell that was seen: {least_seen}; expected more than 0 and at most 1")
    sources = find_maps(given, quantity)
    patterns = _common_patterns(sources)
    entries = sorted(
        (Entry(time, maps, number) for maps in sources for number, time in enumerate(maps.times)),
        key=lambda entry: (entry.time, entry.maps.name),
    )
    if not entries:
        raise UserError(f"{', '.join(given)}: the maps hold no time")
    cells = Cells.around(cell, [maps.axes for maps in sources])
    counter = Counter(kind, cells, patterns, least_seen, _land_share(cells, sources))
    with progress(0, len(entries)) as advance:
        for day in _in_days(kind, entries):
            counter.add_day(day, advance)
    return counter.finish(quantity, entries, tuple(sources))


def _in_days(kind: PeriodKind, entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries of one day, and of one hour if hours are compared."""
    for _, group in groupby(entries, key=lambda entry: (entry.day, period_of(kind, entry.time))):
        yield list(group)


def _common_patterns(sources: Sequence[Maps]) -> tuple[str, ...]:
    first = sources[0]
    for maps in sources:
        if set(maps.patterns) != set(first.patterns):
            raise UserError(
                f"{first.name} has the patterns {', '.join(first.patterns)}, {maps.name} has "
                f"{', '.join(maps.patterns)}; count them separately"
            )
    return first.patterns


def _land_share(cells: Cells, sources: Sequence[Maps]) -> Floats | None:
    """Whole cells, also where no map lies, so that a cell at the edge is judged by all of its sea."""
    if not any(maps.has_land for maps in sources):
        return None
    from nephoscope.earth.land import land_at

    north, south = cells.latitude_edges[[0, -1]]
    west, east = cells.longitude_edges[[0, -1]]
    top = north - LAND_STEP * np.arange(round((north - south) / LAND_STEP))
    left = west + LAND_STEP * np.arange(round((east - west) / LAND_STEP))
    axes = Axes(np.stack([top - LAND_STEP, top], 1), np.stack([left, left + LAND_STEP], 1))

    def read(rows: slice) -> tuple[npt.NDArray[np.float32], None]:
        latitude, longitude = top[rows] - LAND_STEP / 2, left + LAND_STEP / 2
        return land_at(latitude[:, None], longitude[None])[None].astype(np.float32), None

    return np.asarray(cells.cover(axes, 1, read).values[0])


@dataclass
class Counter:
    kind: PeriodKind
    cells: Cells
    patterns: tuple[str, ...]
    least_seen: float
    land_share: Floats | None
    sums: dict[int, tuple[Sums, Sums]] = field(default_factory=dict)
    """Period → sums of the cells and of the whole domain; only of periods that may still get days."""
    closed: dict[int, tuple[Summary, Summary]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.patterns)
        self.pool, self.domain_pool = Pool(count), Pool(count)
        self.sea = np.ones(self.cells.shape) if self.land_share is None else 1 - self.land_share
        self.usable = self.sea >= LEAST_SEA

    def add_day(self, entries: Sequence[Entry], advance: Callable[[int], object]) -> None:
        """All maps of one day (and hour)."""
        overpasses: dict[tuple[np.datetime64, str], Cover] = {}
        for entry in entries:
            cover = self._cover(entry)
            earlier = overpasses.get(entry.overpass)
            overpasses[entry.overpass] = cover if earlier is None else earlier + cover
            advance(1)
        # A day counts where one overpass saw enough; halves that two of them saw may be the same half.
        most_seen = np.max([cover.seen for cover in overpasses.values()], axis=0)
        values = np.sum([cover.values for cover in overpasses.values()], axis=0)
        seen = np.sum([cover.seen for cover in overpasses.values()], axis=0)
        valid = self.usable & (most_seen >= self.least_seen * self.sea - 1e-9)
        cell_sums, domain_sums = self._sums_of(period_of(self.kind, entries[0].time))
        cell_sums.add(entries[0].day, values / np.where(valid, seen, 1), valid)
        domain_sums.add(entries[0].day, *self._domain(values, seen, most_seen))

    def _cover(self, entry: Entry) -> Cover:
        order = [entry.maps.patterns.index(pattern) for pattern in self.patterns]

        def read(rows: slice) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
            values, land = entry.maps.read(entry.number, rows)
            return values[order], land

        return self.cells.cover(entry.maps.axes, len(order), read)

    def _domain(self, values: Floats, seen: Floats, most_seen: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The cells together as one cell: C×1 shares, and whether enough of it was seen."""
        weights = np.where(self.usable, self.cells.areas, 0)
        total = (weights * seen).sum()
        enough = (weights * most_seen.clip(max=1)).sum() >= self.least_seen * (weights * self.sea).sum() - 1e-9
        shares = (weights * values).sum((1, 2)) / (total or 1)
        return shares[:, None], np.array([bool(enough and total > 0)])

    def _sums_of(self, period: int) -> tuple[Sums, Sums]:
        if period not in self.sums:
            if self.kind not in CLIMATOLOGICAL:
                self._close_all()  # days come in order: earlier periods are complete
            count = len(self.patterns)
            self.sums[period] = Sums(count, self.cells.shape), Sums(count, (1,))
        return self.sums[period]

    def _close_all(self) -> None:
        for period, (cell_sums, domain_sums) in self.sums.items():
            self.closed[period] = self.pool.close(cell_sums), self.domain_pool.close(domain_sums)
        self.sums.clear()

    def finish(self, quantity: Quantity, entries: Sequence[Entry], sources: tuple[Maps, ...]) -> Occurrence:
        self._close_all()
        count = len(self.patterns)
        periods = all_periods(self.kind, list(self.closed))
        nothing = Pool(count).close(Sums(count, self.cells.shape)), Pool(count).close(Sums(count, (1,)))
        summaries = [self.closed.get(period, nothing) for period in periods]
        return Occurrence(
            self.kind, quantity, self.cells, self.patterns, tuple(periods), entries[0].time, entries[-1].time,
            self.least_seen, self.land_share,
            tuple(summary for summary, _ in summaries), self.pool,
            tuple(summary for _, summary in summaries), self.domain_pool, sources,
        )  # fmt: skip
