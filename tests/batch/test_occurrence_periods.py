"""Periods, against pandas."""

import numpy as np
import pandas as pd
import pytest

from nephoscope.batch.occurrence.periods import PeriodKind, all_periods, check_kind, period_of, span_of
from nephoscope.errors import UserError

TIMES = pd.date_range("2019-11-15 00:30", "2021-03-02", freq="7h")
FREQUENCIES: dict[PeriodKind, str] = {"month": "M", "season": "Q-NOV", "year": "Y"}


@pytest.mark.parametrize("kind", FREQUENCIES)
def test_periods_that_follow_one_another_are_those_of_pandas(kind: PeriodKind) -> None:
    expected = TIMES.to_period(FREQUENCIES[kind])
    found = [period_of(kind, time.to_datetime64()) for time in TIMES]
    assert pd.factorize(np.array(found))[0].tolist() == pd.factorize(expected)[0].tolist()
    for period, time in zip(found[::50], expected[::50], strict=True):
        span = span_of(kind, period, TIMES[0].to_datetime64(), TIMES[-1].to_datetime64())
        assert span.begin == np.datetime64(time.start_time, "D")
        assert span.end == np.datetime64((time + 1).start_time, "D")


def test_climatological_periods_are_parts_of_years_and_days() -> None:
    for time in TIMES[::20]:
        moment = time.to_datetime64()
        assert period_of("month_of_year", moment) == time.month
        assert period_of("season_of_year", moment) == time.month % 12 // 3
        assert period_of("hour", moment) == time.hour
        assert period_of("all", moment) == 0


def test_climatological_spans_reach_from_the_first_to_the_last_occurrence() -> None:
    first, last = np.datetime64("2019-11-15"), np.datetime64("2021-03-02")
    winter = span_of("season_of_year", 0, first, last)
    assert (str(winter.begin), str(winter.end)) == ("2019-12-01", "2021-03-01")
    march = span_of("month_of_year", 3, first, last)
    assert (str(march.begin), str(march.end)) == ("2020-03-01", "2021-04-01")
    noon = span_of("hour", 12, first, last)
    assert (str(noon.begin), str(noon.end)) == ("2019-11-15T12", "2021-03-02T13")


def test_gaps_between_months_are_periods_without_days() -> None:
    assert all_periods("month", [600, 603, 600]) == [600, 601, 602, 603]
    assert all_periods("month_of_year", [1, 5]) == [1, 5]


def test_unknown_periods_are_refused() -> None:
    with pytest.raises(UserError, match="unknown period 'decade'"):
        check_kind("decade")
