"""Every notation of a time that exports use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data.rows import RowError
from tutelage.data.times import moment

NOON = datetime(2024, 3, 5, 14, 30, tzinfo=UTC)
SAME = (
    *("2024-03-05T14:30:00Z", "2024-03-05T15:30:00+01:00", "2024-03-05T14:30:00.000000Z", "2024-03-05 14:30"),
    *("2024-03-05 14:30:00 UTC", "2024-03-05 15:30:00 +0100", "20240305T143000Z", "2024/03/05 14:30:00"),
    *(1709649000, "1709649000", 1709649000000, "1709649000000", "1709649000000000", 1709649000.0),
    *("202403051430", "20240305143000", "Tue, 5 Mar 2024 15:30:00 +0100", "Tue, 05 Mar 2024 14:30:00 GMT"),
    *("05.03.2024 14:30", "5.3.24, 14:30 Uhr", "05.03.2024 15:30 MEZ", "05-03-2024 14:30", "5-Mar-2024 14:30"),
    *("Mar 5, 2024 2:30 PM", "March 5th, 2024 at 2:30 p.m.", "5 March 2024 14:30", "5 Mar 2024 02:30pm"),
    *("5. März 2024 um 14:30 Uhr", "Dienstag, 5. März 2024 14:30", "Tue Mar 5 2024 15:30:00 GMT+0100 (CET)"),
    *(datetime(2024, 3, 5, 14, 30), NOON, "  2024-03-05   14:30 "),
)
NONE = (
    *(None, "", " ", True, "soon", "14:30", "0", "-5", "2024-13-45", "31.02.2024 10:00", "99/99/2024", "5 Foo 2024"),
    *(
        "2024-03-05 25:00",
        "2024-03-05 13:00 PM",
        "2024-03-05 14:30 XYZ",
        "1" * 30,
        "1111-11-11",
        "9" * 200_000,
        [],
        {},
        7.0,
        float("nan"),
    ),
)


@pytest.mark.parametrize("value", SAME, ids=str)
def test_one_instant_in_every_notation(value: object) -> None:
    found = moment(value)
    assert (found.month_first, found.day_first) == (NOON.timestamp(), NOON.timestamp())


@pytest.mark.parametrize("value", NONE, ids=lambda value: str(value)[:20])
def test_what_is_no_time_is_said(value: object) -> None:
    with pytest.raises(RowError, match=r"no time|cannot be read; write it like") as told:
        moment(value)
    assert (told.value.rule, len(str(told.value)) < 150) == ("time", True)


@pytest.mark.parametrize(
    ("value", "month_first", "day_first"),
    [("03/04/2024", (3, 4), (4, 3)), ("13/04/2024", (4, 13), (4, 13)), ("04/13/2024 1:00 PM", (4, 13), (4, 13))],
)
def test_slashes_go_either_way_where_both_are_days(
    value: str, month_first: tuple[int, int], day_first: tuple[int, int]
) -> None:
    found = [datetime.fromtimestamp(moment(value).seconds(way), UTC) for way in (False, True)]
    assert [(day.month, day.day) for day in found] == [month_first, day_first]


@given(st.text(alphabet=st.sampled_from("0123456789:/-. TZ+APMmarUhr,()äJun"), max_size=70))
def test_any_text_is_a_time_or_a_reason(value: str) -> None:
    try:
        moment(value)
    except RowError as error:
        assert error.rule == "time"
