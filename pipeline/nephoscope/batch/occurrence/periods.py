"""Periods: the times over which occurrence is averaged. A period is a number that rises with time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from nephoscope.errors import UserError

PeriodKind = Literal["month", "season", "year", "month_of_year", "season_of_year", "hour", "all"]
SEASONS = ("DJF", "MAM", "JJA", "SON")
CLIMATOLOGICAL = frozenset({"month_of_year", "season_of_year", "hour"})
"""Kinds that combine the same part of several years or days."""
MONTHS = {"month": 1, "season": 3, "year": 12, "month_of_year": 1, "season_of_year": 3}
"""Length of the kinds that consist of months."""


def check_kind(kind: str) -> PeriodKind:
    for known in get_args(PeriodKind):
        if kind == known:
            return known  # type: ignore[no-any-return]
    raise UserError(f"unknown period {kind!r}; choose one of {', '.join(get_args(PeriodKind))}")


def period_of(kind: PeriodKind, time: np.datetime64) -> int:
    """The number of the period that holds this time (UTC). December belongs to the winter of the next year.

    >>> period_of("month_of_year", np.datetime64("2020-03-31"))
    3
    """
    month = int(time.astype("datetime64[M]").astype(int))
    if kind == "all":
        return 0
    if kind == "hour":
        return int(time.astype("datetime64[h]").astype(int)) % 24
    if kind == "month_of_year":
        return month % 12 + 1
    if kind == "season_of_year":
        return (month + 1) % 12 // 3
    return (month + 1) // 3 if kind == "season" else month // MONTHS[kind]


def all_periods(kind: PeriodKind, periods: Sequence[int]) -> list[int]:
    """Those that occur; where periods follow one another, also the gaps between them."""
    if kind in MONTHS and kind not in CLIMATOLOGICAL:
        return list(range(min(periods), max(periods) + 1))
    return sorted(set(periods))


@dataclass(frozen=True)
class Span:
    begin: np.datetime64
    end: np.datetime64
    """Exclusive."""


def span_of(kind: PeriodKind, period: int, first: np.datetime64, last: np.datetime64) -> Span:
    """Begin and end of a period. For climatological ones: of its first and last occurrence between two days."""
    day = np.timedelta64(1, "D")
    first, last = first.astype("datetime64[D]"), last.astype("datetime64[D]")
    if kind == "all":
        return Span(first, last + day)
    if kind == "hour":
        hour = np.timedelta64(period, "h")
        return Span(first.astype("datetime64[h]") + hour, last.astype("datetime64[h]") + hour + np.timedelta64(1, "h"))
    months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + 1)
    mine = [int(month.astype(int)) for month in months if period_of(kind, month) == period]
    begin, end = _begin(mine[0], MONTHS[kind]), _begin(mine[-1], MONTHS[kind]) + MONTHS[kind]
    return Span(*(np.datetime64(month, "M").astype("datetime64[D]") for month in (begin, end)))


def _begin(month: int, length: int) -> int:
    """The first month of the month, season or year that holds this one."""
    shift = 1 if length == 3 else 0
    return (month + shift) // length * length - shift
