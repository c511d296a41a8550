"""The decisions of people, with their times, words and logins. Holds and pauses of the vendor are none.

| code | a person |
|---|---|
| `requested` | asked for a run; `detail` has the evidence of named rounds, and `despite winnings` |
| `approved`, `rejected` | approved or rejected the plan of `plan_digest` |
| `overridden` | passed the rail in `detail` |
| `continued` | resumed a halted or failed run without passing a rail |
| `closed` | closed a run for good |
| `held`, `released` | added or released a hold; `detail` has its end |
| `paused`, `resumed` | stopped or freed a partner, or without one, all partners |
| `resolved` | resolved a cancellation; `detail`: from -> as |
| `reclosed` | had the operator's round closed again; not the closing that follows a resolution |
| `pseudonymised` | replaced users' ids; `detail` has the number of rows |

Each is listed once, at its own time. A filter leaves out a decision only where that has another market, policy or run:
a pause of all partners passes each filter by market or policy. A filter by run lets holds and pauses pass that stood
while the run was going. A request for a dry run is listed for that run alone.

Tables are the source. Evidence has the rest: logins, replaced notes and resolutions, and the persons of `closed`,
`continued`, `reclosed` and `pseudonymised`. A ledger of an earlier version has no evidence for its old
decisions: they have no login, and a closed run has its person in `words`.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from retention.core.model import RESOLUTIONS
from retention.core.text import counted, time_text
from retention.ledger import details
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from uuid import UUID

    from retention.reports.kinds.kind import Reading


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision. `decision` is a code of the table above, `login` the database login that recorded it.

    `subject` is `run`, `cancellation`, `hold` or `pause`, and `subject_id` its id; None for several rows. `words`: the
    note or reason as it was given, which may contain anything.
    """

    at: datetime
    decision: str
    by: str | None
    login: str | None
    policy: str | None
    market: str | None
    partner: str | None
    run_id: UUID | None
    subject: str | None
    subject_id: str | None
    round_id: str | None
    user_id: str | None
    game_id: str | None
    plan_digest: str | None
    words: str | None
    detail: str | None
    trigger: str | None


@dataclass(frozen=True, slots=True)
class DecisionTotal:
    """How often a person decided so."""

    decision: str
    by: str | None
    count: int


class Decisions:
    """The kind `decisions`."""

    row = Decision
    total = DecisionTotal

    async def totals(self, reading: Reading) -> tuple[tuple[DecisionTotal, ...], int]:
        """Read the totals, and the number of decisions."""
        rows = await reading.transaction.rows("reports/sum_decisions", **_selected(reading))
        totals = tuple(records(DecisionTotal, rows))
        return totals, sum(total.count for total in totals)

    async def rows(self, reading: Reading) -> AsyncGenerator[Decision, None]:
        """Read the decisions, oldest first."""
        stream = reading.transaction.stream("reports/list_decisions", **_selected(reading))
        async with aclosing(stream):
            async for row in stream:
                yield _decision(row)


def _selected(reading: Reading) -> dict[str, Any]:
    """Return the parameters of shared/decision_selection.sql."""
    selection = reading.selection
    return {
        "start": selection.start,
        "end": selection.end,
        **selection.filters(),
        "run_id": selection.run_id,
        "pseudonymise": selection.pseudonymise,
        "resolutions": list(map(str, RESOLUTIONS)),
        "earlier": details.EARLIER_RESOLUTION,
        "closed": details.CLOSED_BEGINS,
    }


def _decision(row: Any) -> Decision:
    columns = row._asdict()
    detail = _detail(columns.pop("facts") or {})
    return Decision(**columns, detail=detail)


def _detail(facts: Mapping[str, Any]) -> str | None:
    """Say the rest of a decision's facts; None without anything."""
    parts = (
        facts.get("evidence") and f"evidence {facts['evidence']}",
        facts.get("mode") == "dry_run" and "dry run",
        facts.get("despite_winnings") is True and "despite winnings",
        facts.get("rail") and f"rail {facts['rail']}",
        facts.get("until") and f"until {time_text(datetime.fromisoformat(facts['until']))}",
        " -> ".join(one for one in (facts.get("from"), facts.get("as")) if one),
        "rows" in facts and counted(facts["rows"], "row"),
        facts.get("before") and f"settled or ended before {facts['before']}",
    )
    return "; ".join(part for part in parts if part) or None
