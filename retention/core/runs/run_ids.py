"""Ids of runs as people type them: the first digits are enough where they name one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DIGITS, ALL_DIGITS = 8, 32
"""The fewest digits of a shortened run id, and the digits of a whole one."""

_DRESS = re.compile(r"urn:uuid:|[-{}\s]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GivenRunId:
    """A run id, or the beginning of one, as it was `typed`: the ids from `lowest` to `highest`."""

    typed: str
    lowest: UUID
    highest: UUID

    def __str__(self) -> str:
        return self.typed


def parse_run_id(typed: str) -> GivenRunId:
    """Parse a typed run id, with dashes or without. Raises ValueError with a message for people."""
    digits = _DRESS.sub("", typed)
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{MIN_DIGITS},{ALL_DIGITS}}}", digits):
        raise ValueError(
            f"{typed!r} is no run id; write its first {MIN_DIGITS} digits or more, as `retention runs list` shows them"
        )
    return GivenRunId(typed, UUID(digits.ljust(ALL_DIGITS, "0")), UUID(digits.ljust(ALL_DIGITS, "f")))


def unique_digits(run_id: UUID, others: Iterable[UUID]) -> int:
    """Count the first digits that tell a run id from the others, at least MIN_DIGITS."""
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
