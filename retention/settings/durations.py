"""Durations as people write them: 90s, 15m, 72h, 3d."""

from __future__ import annotations

import re
from datetime import timedelta

from retention.core.text import format_duration as format_duration  # noqa: PLC0414 - durations are read and written here

_FORM = re.compile(r"(?:([0-9]{1,8})d)?(?:([0-9]{1,8})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,8})s)?")
_LONGEST = timedelta(days=36_500)  # a longer one leaves the calendar when it is taken from a date


def parse_duration(text: str, *, or_none: bool = False) -> timedelta:
    """Read "90s", "15m", "72h", "3d" or several of them, the longest unit first: "1h30m".

    `or_none` allows "0s" as well. Raises ValueError.
    """
    match = _FORM.fullmatch(text)
    if not text or not match:
        raise ValueError(
            f'{text!r} is no duration; write whole numbers with s, m, h or d, such as "90s", "15m", "72h" or "3d"'
        )
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not duration and not or_none:
        raise ValueError(f'{text!r} is no time at all; write a duration above zero, such as "90s" or "72h"')
    if duration > _LONGEST:
        raise ValueError(f"{text!r} is too long; write at most {format_duration(_LONGEST)}")
    return duration
