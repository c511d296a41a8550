"""The times of a schedule: five fields as cron(8) reads them, in a zone, with Debian's rules for clock changes.

cronsim computes wall-clock times without a zone, because across a clock change it loses times or returns past ones.
This module maps wall-clock times to instants; tests compare it minute by minute with the loop of Debian's cron. A field
that cron(8) would not read, or would read otherwise than it looks (`5/15`, `L`, `#`, seconds), is refused.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import dropwhile, groupby, islice, takewhile
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""The nicknames of crontab(5), without @reboot, which names no time."""

_CORRECTION = timedelta(hours=3)
"""A clock that jumps forward by this much was corrected: cron does not make up for the skipped times."""

_MINUTE = timedelta(minutes=1)

_ANY_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - a wall-clock time

_EXAMPLE = 'write minute hour day-of-month month day-of-week, such as "0 3 * * *"'


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()  # names of the values, beginning with the lowest


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31),
    _Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    _Field("day-of-week", 0, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
)

_VALUE = "[0-9]{1,9}|[A-Za-z]{3}"
_TERM = re.compile(rf"(?:\*|(?P<first>{_VALUE})(?:-(?P<last>{_VALUE}))?)(?:/(?P<step>[0-9]{{1,9}}))?")


class CronSchedule:
    """The times of one cron expression in one zone, as datetimes in that zone."""

    def __init__(self, expression: str, timezone: str) -> None:
        """Raise ValueError if the expression or the zone cannot be used; the message says how to mend it."""
        self.fields = fields_of(expression)
        self.zone = zone_of(timezone)

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Iterate over the times after `moment`, oldest first, each once."""
        since = moment.astimezone(UTC)
        for time in dropwhile(lambda time: time <= since, self._times(since, back=False)):
            yield time.astimezone(self.zone)

    def between(self, since: datetime, until: datetime, limit: int) -> list[datetime]:
        """List the newest `limit` times after `since` and up to `until`, oldest first."""
        # Comparisons are made in UTC, because Python compares two times of one zone by their wall-clock times.
        first, last = since.astimezone(UTC), until.astimezone(UTC)
        past = dropwhile(lambda time: time > last, self._times(last, back=True))
        newest = list(islice(takewhile(lambda time: time > first, past), limit))
        return [time.astimezone(self.zone) for time in reversed(newest)]

    def _times(self, start: datetime, *, back: bool) -> Iterator[datetime]:
        """Iterate over the instants from `start` on, or `back` from it; the first few may lie on its other side."""
        minute, hour, *_ = self.fields.split()
        if minute.startswith("*") or hour.startswith("*"):  # a wildcard job runs whenever the clock shows its time
            times = merge(*(self._instants_of_fold(start, fold, back=back) for fold in (0, 1)), reverse=back)
        else:  # a fixed-time job runs once: skipped times are made up for, repeated ones are not
            times = (time for wall in self._wall_times(start, back=back) if (time := self._instant_or_gap_end(wall)))
        return (time for time, _ in groupby(times))

    def _instants_of_fold(self, start: datetime, fold: int, *, back: bool) -> Iterator[datetime]:
        return (time for wall in self._wall_times(start, back=back) if (time := self._instant(wall, fold)))

    def _wall_times(self, start: datetime, *, back: bool) -> Iterator[datetime]:
        """Iterate over the wall-clock times from `start` on; an hour that the clock shows twice is included whole."""
        local = start.astimezone(self.zone)
        shown = {(start + _offset(local.replace(fold=fold))).replace(tzinfo=None) for fold in (0, 1)}
        return CronSim(self.fields, max(shown) + _MINUTE if back else min(shown), reverse=back)

    def _instant(self, wall: datetime, fold: int) -> datetime | None:
        """The instant at which the clock shows `wall` for the first (fold 0) or second time; None if it never does."""
        time = wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
        return time if time.astimezone(self.zone).replace(tzinfo=None) == wall else None

    def _instant_or_gap_end(self, wall: datetime) -> datetime | None:
        """The instant at which the clock first shows `wall`, or the end of the gap that skips it."""
        local = wall.replace(tzinfo=self.zone)
        if _offset(local.replace(fold=1)) - _offset(local) >= _CORRECTION:
            return None
        while (time := self._instant(wall, 0)) is None:
            wall += _MINUTE
        return time


def fields_of(expression: str) -> str:
    """Return the five fields of an expression, separated by blanks. Raises ValueError."""
    if not expression.replace("\t", " ").isprintable():
        raise ValueError(f"{expression!r} is no schedule: it has line breaks or control characters in it; {_EXAMPLE}")
    words = expression.split()
    if len(words) == 1 and words[0].startswith("@"):
        words = _expand_nickname(expression, words[0].lower()).split()
    if len(words) != len(_FIELDS):
        number = f"{len(words)} fields instead of five" if len(words) != 1 else "one field instead of five"
        raise ValueError(f"{expression!r} is no schedule: it has {number}; {_EXAMPLE}")
    fields = " ".join(_read(expression, field, word) for field, word in zip(_FIELDS, words, strict=True))
    try:
        CronSim(fields, _ANY_DAY)
    except CronSimError:  # cronsim refuses nothing else that passed the checks above
        raise ValueError(
            f"{expression!r} never comes: its month {words[3]!r} has no day-of-month {words[2]!r}; "
            "write a day that one of its months has"
        ) from None
    return fields


def zone_of(name: str) -> ZoneInfo:
    """Return the zone with that name in the IANA database. Raises ValueError."""
    try:
        # Systems add files to IANA's: the machine's own zone, and zones that count leap seconds.
        if name not in {"localtime", "posixrules"} and not name.startswith(("posix/", "right/")):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise ValueError(f'{name!r} is no time zone; write one by its IANA name, such as "Europe/Malta"')


def _expand_nickname(expression: str, name: str) -> str:
    if name == "@reboot":
        raise ValueError(f'{expression!r} is no schedule: it names no time; write one, such as "0 3 * * *" or "@daily"')
    if name not in _NICKNAMES:
        known = ", ".join(_NICKNAMES)
        raise ValueError(f"{expression!r} is no schedule: cron knows no such name; write one of {known}")
    return _NICKNAMES[name]


def _read(expression: str, field: _Field, word: str) -> str:
    try:
        return ",".join(_term(field, term) for term in word.split(","))
    except ValueError as problem:
        raise ValueError(f"{expression!r} is no schedule: its {field.name} {word!r} {problem}") from None


def _term(field: _Field, term: str) -> str:
    """Read one part of a list. Raises ValueError if cron would refuse it, or would read it otherwise than it looks."""
    span = f"{field.lowest} to {field.highest}"
    found = _TERM.fullmatch(term)
    if not found:
        raise ValueError(f"is not understood by cron; write *, or numbers from {span}, as in 5, 1-5, */2 or 1,5")
    first, last, step = found["first"], found["last"], found["step"]
    if step and not int(step):
        raise ValueError("has a step of 0; write 1 or more after the /")
    if not first:
        return term
    low, high = _value(field, first), _value(field, last or first)
    if low is None or high is None:
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise ValueError(f"is out of range; write numbers from {span}{names}")
    if low > high:
        raise ValueError("has a range that ends before it begins; write its two parts with a comma between them")
    if step and not last:
        raise ValueError(f"has a step after a single value; write {first}-{field.highest}/{step} or */{step}")
    # cronsim reads 5-5/2 as 5-59/2; cron reads it as 5.
    return str(low) if low == high else f"{low}-{high}" + (f"/{step}" if step else "")


def _value(field: _Field, text: str) -> int | None:
    if text.upper() in field.names:
        return field.names.index(text.upper()) + field.lowest
    return int(text) if text.isdigit() and field.lowest <= int(text) <= field.highest else None


def _offset(local: datetime) -> timedelta:
    offset = local.utcoffset()
    assert offset is not None
    return offset
