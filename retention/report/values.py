"""How values look to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retention.core.text import decimal_text

if TYPE_CHECKING:
    from decimal import Decimal


def money(amount: Decimal | None) -> str:
    """An amount in plain notation, exact, without trailing zeros after the point; nothing where there is none."""
    return "" if amount is None else decimal_text(amount)


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second; nothing where there is none."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
