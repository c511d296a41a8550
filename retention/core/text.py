"""Amounts, times and foreign texts, as people and programs read them."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from decimal import Decimal


def decimal_text(amount: Decimal) -> str:
    """Write an amount exactly: no exponent, and no zeros at the end of its fraction."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(time: datetime) -> str:
    """Write a moment as ISO 8601 in UTC, to the microsecond where it has any."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def second_text(time: datetime) -> str:
    """Write a moment for people, in UTC and to the second: 2026-11-28 03:47:51Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def money_text(amount: Decimal | None, currency: str | None) -> str:
    """Write an amount with its currency, each as far as it is known."""
    return " ".join(filter(None, (decimal_text(amount) if amount is not None else "", currency)))


def counted(number: int, one: str, many: str | None = None, *, separator: str = "") -> str:
    """Write a number with its noun: 1 round, 2 rounds. `many`: an irregular plural. `separator`: between thousands."""
    return f"{format(number, ',').replace(',', separator)} {plural(number, one, many)}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return the noun that goes with a number: one round, several rounds. `many`: an irregular plural."""
    return one if number == 1 else many or f"{one}s"


def format_duration(duration: timedelta) -> str:
    """Write a duration to the whole second, as the configuration has it: 3d, 1h30m. None at all is 0s."""
    seconds = round(duration.total_seconds())
    sign, rest = "-" if seconds < 0 else "", abs(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return sign + ("".join(parts) or "0s")


def printable(value: object) -> str:
    """Write a value that cannot move the cursor, break the line or reverse the text."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def printable_lines(text: str) -> str:
    """Write a text of several lines that cannot drive the terminal."""
    return "\n".join(map(printable, text.split("\n")))
