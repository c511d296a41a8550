"""Values as programs read them: exact decimal strings, ISO 8601 times in UTC."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from retention.core.text import decimal_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable

EXACT_TEXTS: dict[type, Callable[[Any], str]] = {Decimal: decimal_text, datetime: time_text, UUID: str}
"""For each type without a JSON form: the function that writes its exact text."""


def exact_text(value: Any) -> str:
    """Write a known value of a report as the exact text of a cell; several texts are parted by semicolons."""
    return "; ".join(map(str, value)) if isinstance(value, tuple) else EXACT_TEXTS.get(type(value), str)(value)
