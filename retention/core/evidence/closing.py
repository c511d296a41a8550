"""What comes of closing a round once more at the operator's that the vendor has cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.text import time_text

if TYPE_CHECKING:
    from datetime import datetime

REFUSAL = "close_rounds: "
"""How the words begin that say, within `detail`, why a round could not be closed."""


@dataclass(frozen=True, slots=True)
class RoundLook:
    """What a call of the function showed. `another`: the view has another round under this id.

    `closed`: the function returned it; `still_open`: the view has it all the same.
    """

    closed: bool
    another: bool
    still_open: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is written of it. `why` says what keeps it listed, and is None where nothing does."""

    detail: str | None
    why: str | None = None


def verdict(look: RoundLook, detail: str | None, by: str, at: datetime, *, resolved: bool) -> Verdict:
    """Decide whether a cancellation stays listed; `resolved`: a person has said that it is cancelled."""
    if look.closed and look.still_open:
        return refused(detail, "it returned the round, which the operator's view still has open")
    if look.closed:
        return Verdict(_joined(detail, f"closed at the operator's by {by} at {time_text(at)}"))
    if look.another:
        return refused(detail, "not called, since the operator's view has another round under this id")
    if look.still_open:
        return refused(detail, "it did not return the round, which the operator's view still has")
    if resolved:
        return Verdict(_joined(detail, f"not open at the operator's any more when {by} looked at {time_text(at)}"))
    return refused(detail, "the round is not open in the operator's view any more; resolve it")


def refused(detail: str | None, words: str) -> Verdict:
    """Keep it listed, and why; what was said before of an earlier try makes room."""
    earlier = refusal_in(detail)
    kept = detail if detail is None or earlier is None else detail[: len(detail) - len(earlier)].removesuffix("; ")
    return Verdict(_joined(kept, REFUSAL + words), words)


def refusal_in(detail: str | None) -> str | None:
    """Find the words that say why a round could not be closed."""
    if detail is None:
        return None
    if detail.startswith(REFUSAL):
        return detail
    _, found, words = detail.rpartition(f"; {REFUSAL}")
    return REFUSAL + words if found else None


def _joined(*parts: str | None) -> str:
    return "; ".join(filter(None, parts))
