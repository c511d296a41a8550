"""Moments and durations, as people type them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from retention.errors import UsageError

LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""A later moment is of the year 10000 in some time zones, and could not be read back from a database in one of them."""

_FORM = re.compile(r"[0-9W-]+([Tt ]|$)")


def duration(option: str, text: str) -> timedelta:
    """Read a duration such as 90s or 72h. Raises UsageError."""
    from retention.settings.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


def moment(option: str, text: str) -> datetime:
    """Read ISO 8601, a date alone being its first moment; UTC where no offset is given. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text) if _FORM.match(text) else None
    except ValueError:
        found = None
    if found is None:
        raise UsageError(f"{option} {text!r}: not a time; write 2026-01-31, 2026-01-31T22:00 or 2026-01-31T22:00+01:00")
    try:
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # in UTC it is of the year 0, or of the year 10000
        found = None
    if found is None or found > LATEST:
        raise UsageError(
            f"{option} {text!r}: outside of the years 1 to 9999 in UTC; write a time up to {LATEST:%Y-%m-%d},"
            " or leave it out"
        )
    return found
