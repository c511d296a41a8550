"""Ids of runs as people type them: their first digits are enough where no other run begins with the same ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DIGITS, ALL_DIGITS = 8, 32
"""Digits that a run id may be shortened to, and that it has."""

_DRESS = re.compile(r"urn:uuid:|[-{}\s]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GivenRunId:
    """A run id, or the beginning of one, as it was `typed`. It means the ids from `lowest` to `highest`."""

    typed: str
    lowest: UUID
    highest: UUID

    def __str__(self) -> str:
        return self.typed


def parse_run_id(typed: str) -> GivenRunId:
    """Read what somebody typed for a run id, with dashes or without. Raises ValueError, in words for people."""
    digits = _DRESS.sub("", typed)
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{MIN_DIGITS},{ALL_DIGITS}}}", digits):
        raise ValueError(
            f"{typed!r} is no run id; write its first {MIN_DIGITS} digits or more, as `retention runs list` shows them"
        )
    return GivenRunId(typed, UUID(digits.ljust(ALL_DIGITS, "0")), UUID(digits.ljust(ALL_DIGITS, "f")))


def unique_digits(run_id: UUID, others: Iterable[UUID]) -> int:
    """Tell how many of a run id's first digits tell it from these others; never fewer than FEWEST."""
    return max([MIN_DIGITS, *(_common(run_id.hex, other.hex) + 1 for other in others)])


def shorten_run_id(run_id: UUID, digits: int) -> str:
    """Write a run id's first digits, with its dashes."""
    text = str(run_id)
    end = 0
    for sign in text:
        if digits == 0:
            break
        end += 1
        digits -= sign != "-"
    return text[:end]


def _common(one: str, other: str) -> int:
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), ALL_DIGITS)
