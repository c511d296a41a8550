"""The closing of a cancelled round in the operator's database: its refusal, and the result of another try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.text import time_text

if TYPE_CHECKING:
    from datetime import datetime

_PREFIX = "close_rounds: "


@dataclass(frozen=True, slots=True)
class ClosingRefusal:
    """The operator's function did not close a round, or cannot be called; its text form stands in stored texts."""

    reason: str

    def __str__(self) -> str:
        return f"{_PREFIX}{self.reason}"


def split_detail(detail: str | None) -> tuple[str | None, ClosingRefusal | None]:
    """Parse a stored `detail`: the text before a refusal, and the refusal, which is always last."""
    if detail is None:
        return None, None
    if detail.startswith(_PREFIX):
        return None, ClosingRefusal(detail.removeprefix(_PREFIX))
    before, found, reason = detail.rpartition(f"; {_PREFIX}")
    return (before, ClosingRefusal(reason)) if found else (detail, None)


@dataclass(frozen=True, slots=True)
class ClosingResult:
    """The result of calling the function for one round.

    `closed`: the function returned the round. `still_open`: the operator's view has it all the same. `another`: the
    view has another round under its id.
    """

    closed: bool
    another: bool
    still_open: bool


@dataclass(frozen=True, slots=True)
class ClosingNote:
    """The cancellation's new `detail`. `why` is the reason to keep it listed for review, None where it is closed."""

    detail: str | None
    why: str | None = None


def closing_note(result: ClosingResult, detail: str | None, by: str, at: datetime, *, resolved: bool) -> ClosingNote:
    """Decide whether a cancellation stays listed for review. `resolved`: a person has said that it is cancelled."""
    if result.closed and result.still_open:
        return refusal_note(detail, "it returned the round, which the operator's view still has open")
    if result.closed:
        return ClosingNote(_joined(detail, f"closed at the operator's by {by} at {time_text(at)}"))
    if result.another:
        return refusal_note(detail, "not called, since the operator's view has another round under this id")
    if result.still_open:
        return refusal_note(detail, "it did not return the round, which the operator's view still has")
    if resolved:
        return ClosingNote(_joined(detail, f"not open at the operator's any more when {by} looked at {time_text(at)}"))
    return refusal_note(detail, "the round is not open in the operator's view any more; resolve it")


def refusal_note(detail: str | None, reason: str) -> ClosingNote:
    """Keep a cancellation listed for this reason, which replaces the refusal of an earlier try."""
    before, _ = split_detail(detail)
    return ClosingNote(_joined(before, str(ClosingRefusal(reason))), reason)


def _joined(*parts: str | None) -> str:
    return "; ".join(filter(None, parts))
