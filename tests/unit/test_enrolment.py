"""What is stored with a face that somebody posts."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from facerec.enrolment import fields_at

EAST, WEST = ZoneInfo("Pacific/Auckland"), ZoneInfo("America/New_York")


def test_the_day_is_that_of_the_zone() -> None:
    at = datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()
    assert fields_at(at, UTC) == fields_at(at, WEST) == {"timestamp": "1709208000.000000", "day": "2024-02-29"}
    assert fields_at(at, EAST)["day"] == "2024-03-01"


@pytest.mark.parametrize(
    ("at", "zone"),
    [
        (253402300800.0, UTC),
        (253402300800.0, WEST),  # of the year 9999 there, and of no year in UTC, in which faces are shown
        (253402300799.0, EAST),
        (-62135596800.0, WEST),
        (-62135596801.0, EAST),
        (float("inf"), UTC),
        (float("nan"), UTC),
        (1e300, UTC),
    ],
)
def test_a_time_that_could_not_be_shown_is_refused(at: float, zone: ZoneInfo) -> None:
    with pytest.raises(ValueError, match=r"year|NaN"):
        fields_at(at, zone)
