"""Finds an id in the ledger: a round, a user, a transaction, a request or a run.

An id is data and may contain anything. Nothing tells which kind it is, so it is looked up as each: letter by letter,
and as the first digits of a run id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from retention.core.evidence.archives import of_ids, of_run
from retention.core.runs.run_ids import parse_run_id
from retention.ledger.archives import archives_of
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from retention.core.evidence.archives import ArchivedMonth
    from retention.core.runs.run_ids import GivenRunId
    from retention.ledger.database import Database

ROUNDS_SHOWN = 1000
"""At most so many rounds are found, the newest: a user may have any number."""


@dataclass(frozen=True, slots=True)
class FoundRound:
    """A cancellation that has the id, as each of `kinds`. Amounts are in currency units."""

    kinds: Sequence[str]
    id: int
    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    opened_at: datetime
    stake: Decimal | None
    stake_currency: str | None
    bet_transaction_id: str | None
    run_id: UUID
    policy: str
    mode: str
    adopted_by_run: UUID | None
    state: str
    resolved_as: str | None
    settled_at: datetime | None
    amount: Decimal | None
    currency: str | None
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run whose id is or begins with the id, or that planned or adopted a found round."""

    run_id: UUID
    policy: str
    trigger: str
    mode: str
    as_of: datetime
    requested_by: str
    status: str
    halt_reason: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """All that has an id. `more`: there are more rounds than these.

    `archived`: archived months that have it. `not_searched`: other archived months, which may have it.
    """

    id: str
    rounds: Sequence[FoundRound]
    runs: Sequence[FoundRun]
    more: bool
    archived: Sequence[ArchivedMonth] = ()
    not_searched: Sequence[ArchivedMonth] = ()


async def find_id(database: Database, given: str) -> Found:
    """Find the rounds and runs that have the id `given`, as of one moment."""
    uuid, run = _uuid(given), _run_id(given)
    async with database.transaction(snapshot=True) as transaction:
        rows = await transaction.rows("reports/find_rounds", given=given, uuid=uuid, limit=ROUNDS_SHOWN + 1)
        rounds = list(records(FoundRound, rows[:ROUNDS_SHOWN]))
        wanted = {*(one.run_id for one in rounds), *(one.adopted_by_run for one in rounds)} - {None}
        between = {"lowest": run and run.lowest, "highest": run and run.highest}
        runs = await transaction.rows("reports/find_runs", run_ids=list(wanted), **between)
        archives = archives_of(await transaction.rows("archives/list_archives"))
        ids = [row.id for row in await transaction.rows("archives/find_ids", given=given)] if archives else []
    found_runs = records(FoundRun, runs)
    held = {
        *of_ids(archives, ids),
        *(month for one in found_runs if one.run_id not in wanted for month in of_run(archives, one.run_id)),
    }
    return Found(
        given,
        rounds,
        found_runs,
        more=len(rows) > ROUNDS_SHOWN,
        archived=tuple(one.named for one in archives if one.named in held),
        not_searched=tuple(one.named for one in archives if one.named not in held),
    )


def _uuid(given: str) -> UUID | None:
    """Read an id as a uuid, in any of its spellings; None for any other text."""
    try:
        return UUID(given)
    except ValueError:
        return None


def _run_id(given: str) -> GivenRunId | None:
    """Read an id as a run id or its first digits; None for any other text."""
    try:
        return parse_run_id(given)
    except ValueError:
        return None
