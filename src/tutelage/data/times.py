"""When a message was sent: the notations that exports use, as seconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

from tutelage.data.rows import RowError

LONGEST = 64
"""No notation is longer than this many characters."""
FIRST, LAST = 1e8, 1e10
"""Seconds since 1970 lie between these (1973 and 2286); a thousand times that are milliseconds, and so on."""
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *("jan january januar jänner", "feb february februar", "mar mär mrz march märz", "apr april", "may mai"),
            *("jun june juni", "jul july juli", "aug august", "sep sept september", "oct okt october oktober"),
            *("nov november", "dec dez december dezember"),
        ),
        1,
    )
    for name in names.split()
}
ZONES = {"z": 0, "utc": 0, "gmt": 0, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "bst": 60}
"""Names of zones that stand for one offset everywhere, in minutes (EST, IST … do not)."""
_DIGITS = re.compile(r"\d{1,17}(?:\.\d{1,9})?")
_COMPACT = re.compile(r"(?:19|20)\d{6}(?:\d{4}|\d{6})?")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([ap])?\.?(?:m\b\.?)?", re.I)
_OFFSET = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{2}):?(\d{2})?", re.I)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")
_DAY_NAME = re.compile(r"(\d{1,2})\.?[ -]+([^\W\d_]{3,9})\.?[ -]+(\d{4})", re.I)
_NAME_DAY = re.compile(r"([^\W\d_]{3,9})\.? +(\d{1,2})(?:st|nd|rd|th)?,? +(\d{4})", re.I)
_FILLERS = re.compile(r"\b(?:at|um|uhr)\b", re.I)
_WEEKDAY = re.compile(r"[^\W\d_]{2,10}\.?,? +")


class Moment:
    """One instant, or two where day and month could be either way round (03/04/2024)."""

    __slots__ = ("day_first", "month_first")

    def __init__(self, month_first: float | None, day_first: float | None) -> None:
        self.month_first, self.day_first = month_first, day_first

    def seconds(self, day_first: bool) -> float:
        """The instant, with the way round that the whole file has where both are possible."""
        wanted, other = (self.day_first, self.month_first) if day_first else (self.month_first, self.day_first)
        found = wanted if wanted is not None else other
        assert found is not None  # one of the two is always there
        return found


def moment(value: object) -> Moment:
    """ISO 8601, epoch seconds to microseconds, mail dates, and the usual spellings in English and German.

    A time without a zone is taken as UTC: only the order within a ticket follows from it.

    Raises:
        RowError: with the rule `time`, where there is no time or none that can be read.
    """
    if isinstance(value, bool) or value is None:
        raise RowError("no time", "time")
    if isinstance(value, datetime):
        return _both(_utc(value))
    text = " ".join(str(value).split())
    if not text:
        raise RowError("no time", "time")
    if len(text) <= LONGEST:
        for read in (_from_number, _from_iso, _from_words):
            if (found := read(text)) is not None:
                return found
    raise RowError(f"the time {text[:40]!r} cannot be read; write it like 2024-03-05T14:30:00Z", "time")


def _both(seconds: float) -> Moment:
    return Moment(seconds, seconds)


def _utc(value: datetime) -> float:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _from_number(text: str) -> Moment | None:
    if not _DIGITS.fullmatch(text):
        return None
    if _COMPACT.fullmatch(text) and len(text) != 10:  # ten digits are epoch seconds
        for pattern in ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S"):
            if (found := _tried(partial(datetime.strptime, text, pattern))) is not None:
                return found
    number = float(text)
    for scale in (1.0, 1e3, 1e6):
        if FIRST <= number / scale < LAST:
            return _both(number / scale)
    return None


def _from_iso(text: str) -> Moment | None:
    return None if text.isdigit() else _tried(partial(datetime.fromisoformat, text))


def _tried(read: Callable[[], datetime]) -> Moment | None:
    try:
        seconds = _utc(read())
    except (ValueError, OverflowError, OSError):
        return None
    return _both(seconds) if 0 <= seconds < LAST else None


def _from_words(text: str) -> Moment | None:
    """A date in words or digits, then perhaps a clock and a zone, with weekday and fillers around them."""
    clock = _CLOCK.search(text)
    date = text[: clock.start()] if clock else text
    hours = _hours(clock)
    zone = _zone(text[clock.end() :] if clock else "")
    if hours is None or zone is None:
        return None
    date = _FILLERS.sub(" ", date).strip(" ,T")
    dates = list(_dates(_without_weekday(date))) or [None]
    found = [None if day is None else _instant(*day, hours, zone) for day in dates]
    month_first, day_first = (found[0], found[-1])
    return None if month_first is None and day_first is None else Moment(month_first, day_first)


def _without_weekday(date: str) -> str:
    weekday = _WEEKDAY.match(date)
    named = weekday is not None and weekday.group().strip(" .,").lower() not in MONTHS
    return date[weekday.end() :] if weekday and named else date


def _dates(date: str) -> Iterator[tuple[int, int, int] | None]:
    """Year, month and day: once, or month first and then day first."""
    if found := _YEAR_FIRST.fullmatch(date):
        yield int(found[1]), int(found[2]), int(found[3])
    elif found := _YEAR_LAST.fullmatch(date):
        one, two, year = int(found[1]), int(found[3]), int(found[4])
        year += 2000 if len(found[4]) == 2 else 0
        if found[2] == "/":  # nobody writes the month first before a dot or a dash
            yield year, one, two
        yield year, two, one
    elif found := _DAY_NAME.fullmatch(date):
        month = MONTHS.get(found[2].lower())
        yield (int(found[3]), month, int(found[1])) if month else None
    elif found := _NAME_DAY.fullmatch(date):
        month = MONTHS.get(found[1].lower())
        yield (int(found[3]), month, int(found[2])) if month else None


def _hours(clock: re.Match[str] | None) -> timedelta | None:
    if clock is None:
        return timedelta()
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    if clock[5]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if clock[5].lower() == "p" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None
    return timedelta(hours=hour, minutes=minute, seconds=second + float(f"0.{clock[4] or 0}"))


def _zone(text: str) -> timezone | None:
    """The zone after a clock, UTC where there is none; None where it is not known."""
    name = _FILLERS.sub(" ", text).strip(" ,.")
    name = name.split(" (")[0].strip()
    if not name or name.lower() in ZONES:
        return timezone(timedelta(minutes=ZONES.get(name.lower(), 0)))
    offset = _OFFSET.fullmatch(name)
    if not offset or int(offset[2]) > 23 or int(offset[3] or 0) > 59:
        return None
    ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return timezone(ahead if offset[1] == "+" else -ahead)


def _instant(year: int, month: int, day: int, hours: timedelta, zone: timezone) -> float | None:
    try:
        seconds = (datetime(year, month, day, tzinfo=zone) + hours).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < LAST else None
