"""The results of a proof: a row for each fault, and the table for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLUMNS = ("fault", "times tried", "rounds", "requests", "violations", "ended in review")


@dataclass(slots=True)
class Evidence:
    """Counts of one fault. `requests` reached the vendor; `violations` name each broken invariant."""

    fault: str
    tried: int = 0
    rounds: int = 0
    requests: int = 0
    reviewed: int = 0
    violations: list[str] = field(default_factory=list)


def table(rows: Iterable[Evidence], whole: Evidence | None = None) -> str:
    """The rows as a Markdown table; last comes `whole`, or else their sums where there are several."""
    shown = [*rows]
    if whole is not None:
        shown.append(whole)
    elif len(shown) > 1:
        tried, rounds, requests, reviewed = (
            sum(getattr(row, name) for row in shown) for name in ("tried", "rounds", "requests", "reviewed")
        )
        violations = [one for row in shown for one in row.violations]
        shown.append(Evidence("**all**", tried, rounds, requests, reviewed, violations))
    lines = [_COLUMNS, ("---", *["---:"] * (len(_COLUMNS) - 1))]
    lines += [
        (row.fault, *(f"{n:,}" for n in (row.tried, row.rounds, row.requests, len(row.violations), row.reviewed)))
        for row in shown
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
