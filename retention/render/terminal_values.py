"""How values look to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.money import UNKNOWN, shown_sums
from retention.core.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

INLINE = 2
"""Sums that are told in a sentence; more of them come below it, one under the other."""


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second; nothing where there is none."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def sums_told(what: str, amounts: Mapping[str, Decimal]) -> Iterator[str]:
    """Sums by currency, in a line or in several."""
    yield f"{what}: {sums_in_short(amounts)}"
    yield from sums_below(amounts)


def sums_in_short(amounts: Mapping[str, Decimal]) -> str:
    """Sums by currency, as a sentence has them; many are only counted, and are to follow below."""
    if len(amounts) > INLINE:
        return f"in {counted(len(amounts), 'currency', 'currencies')}"
    return ", ".join(shown_sums(amounts)) or UNKNOWN


def sums_below(amounts: Mapping[str, Decimal]) -> Iterator[str]:
    """Sums that are too many for a sentence, one under the other and set to the right."""
    if len(amounts) > INLINE:
        told = shown_sums(amounts)
        width = max(map(len, told))
        yield from (f"  {one:>{width}}" for one in told)
