"""Reads the history of one round, as of one moment."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from retention.core.evidence.archives import of_ids
from retention.core.evidence.discrepancies import discrepancies_of
from retention.core.model import OpenRound, State
from retention.core.planning.eligibility import CurrentRow, LedgerFacts, can_be_named, explain_eligibility
from retention.core.planning.holds import Hold
from retention.ledger.archives import archives_of
from retention.ledger.operator_view import reading_view
from retention.reports.round_history import Attempt, Cancellation, RoundHistory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.evidence.archives import Archive, ArchivedMonth
    from retention.core.planning.plan import Scope
    from retention.ledger.database import Database


async def explain(
    database: Database,
    partner: str,
    round_id: str,
    policies: Sequence[tuple[str, Scope]],
    max_runs: Mapping[str, int] = MappingProxyType({}),
) -> RoundHistory:
    """Read a round's history, and whether each policy (a name and a scope) would plan the round now.

    `max_runs` has the limit of each configured partner; a round of another partner cannot be named.
    """
    key = {"partner": partner, "round_id": round_id}
    async with database.transaction(snapshot=True) as transaction:
        as_of = (await transaction.row("clocks/get_time")).now
        with reading_view():
            open_rows = await transaction.rows("reports/get_open_round", **key)
        rows = await transaction.rows("reports/list_round_cancellations", as_of=as_of, **key)
        attempts = [Attempt(**row._asdict()) for row in await transaction.rows("reports/list_round_attempts", **key)]
        keys = await transaction.rows("reports/get_round_key", **key)
        archives = archives_of(await transaction.rows("archives/list_archives"))
        holds = tuple(Hold(**row._asdict()) for row in await transaction.rows("reports/list_round_holds", **key))
    open_round = OpenRound(**open_rows[0]._asdict()) if open_rows else None
    endings = keys[0].refused if keys else 0
    cancelled_in = _cancelled_in(keys, rows, archives)
    current = _current_row(rows) if cancelled_in is None else _archived_row(keys[0].held_by, cancelled_in)
    facts = LedgerFacts(holds, current, endings, len(open_rows))
    return RoundHistory(
        partner,
        round_id,
        as_of,
        seen=bool(open_round or rows or keys),
        open_round=open_round,
        policies=tuple(explain_eligibility(name, scope, open_round, facts, as_of) for name, scope in policies),
        cancellations=tuple(_cancellation(row, attempts) for row in rows),
        holds=holds,
        can_be_named=can_be_named(open_round, facts, max_runs, as_of),
        cancelled_in=cancelled_in,
        archived=tuple(one.named for one in archives),
    )


_UNSENT = {State.PLANNED, State.RETRYING}
_COLUMNS = [field.name for field in fields(Cancellation) if field.name not in {"discrepancies", "attempts"}]


def _current_row(rows: Sequence[Any]) -> CurrentRow | None:
    """Return the row that holds the round. Unsent rows of an abandoned run hold nothing: the next run plans them."""
    for row in rows:
        if row.holds_round and not (row.abandoned and row.state in _UNSENT and not row.may_have_taken_effect):
            return CurrentRow(row.id, row.run_id, row.state)
    return None


def _cancelled_in(keys: Sequence[Any], rows: Sequence[Any], archives: Sequence[Archive]) -> ArchivedMonth | None:
    """Return the archived month of the cancellation that holds the round; None where the ledger has it."""
    held_by = keys[0].held_by if keys else None
    if held_by is None or any(row.id == held_by for row in rows):
        return None
    return next(iter(of_ids(archives, [held_by])), None)


def _archived_row(held_by: int, archived: ArchivedMonth) -> CurrentRow:
    """Return the archived cancellation that holds the round: only a cancelled one holds it and leaves the ledger."""
    return CurrentRow(held_by, None, State.CANCELLED, archived.month)


def _cancellation(row: Any, attempts: Sequence[Attempt]) -> Cancellation:
    return Cancellation(
        **{name: getattr(row, name) for name in _COLUMNS},
        discrepancies=discrepancies_of(row),
        attempts=tuple(attempt for attempt in attempts if attempt.cancellation_id == row.id),
    )
