"""Moments and durations, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retention.errors import UsageError


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
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r}: not a time; write 2026-01-31, 2026-01-31T22:00 or 2026-01-31T22:00+01:00"
        ) from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
