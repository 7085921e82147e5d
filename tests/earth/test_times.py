"""Times in texts and names become UTC."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from nephoscope.earth.reading.names import parse_time, time_in_name


@pytest.mark.parametrize(
    "value",
    [
        "2020-01-31T13:30",
        "2020-01-31T13:30:00Z",
        "2020-01-31 13:30 UTC",
        "2020-01-31T15:30+02:00",
        "2020-01-31T08:00-05:30",
        datetime(2020, 1, 31, 13, 30, tzinfo=UTC),
        datetime(2020, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=-4))),
        np.datetime64("2020-01-31T13:30:00.000000000"),
    ],
)
def test_a_time_of_any_zone_is_told_in_utc(value: object) -> None:
    assert parse_time(value) == np.datetime64("2020-01-31T13:30:00")


def test_a_date_is_its_midnight() -> None:
    assert parse_time(date(2020, 1, 31)) == parse_time("2020-01-31") == np.datetime64("2020-01-31T00:00:00")


@pytest.mark.parametrize("day", [1, 31, 32, 60, 61, 366])
def test_days_of_the_year_are_those_of_the_calendar(day: int) -> None:
    expected = datetime.strptime(f"2020 {day}", "%Y %j").replace(hour=16, minute=45)
    assert time_in_name(f"MYD021KM.A2020{day:03d}.1645.061.hdf") == np.datetime64(expected, "s")
