"""Review: the cancellations that need a person, and their resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import psycopg

from retention.core.evidence.archives import of_ids
from retention.core.evidence.resolutions import check_resolutions, is_archived, resolution_facts
from retention.core.evidence.review_reasons import review_reasons
from retention.core.invisible_text import is_blank
from retention.core.model import CANCELLED_STATES, RESOLUTIONS, ReviewWhy, State
from retention.errors import UsageError
from retention.ledger import details
from retention.ledger.archives import archives_of
from retention.ledger.database import Transaction
from retention.ledger.reclosing import NO_LOCK_TIMEOUT, Reclosed, Recloser

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.core.evidence.resolutions import CheckedResolutions, Resolution
    from retention.ledger.database import Database

REFUSALS_SHOWN = 20
"""The most refusals that one error names."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A cancellation that needs a person, and why: the codes, and `reasons` as sentences.

    Amounts are in currency units; `policy` is that of the run which planned it.
    """

    id: int
    run_id: UUID
    policy: str
    partner: str
    market: str
    round_id: str
    state: str
    why: tuple[ReviewWhy, ...]
    reasons: tuple[str, ...]
    error_code: str | None
    description: str | None
    amount: Decimal | None
    currency: str | None
    stake: Decimal | None
    stake_currency: str | None
    transaction_id: str | None
    bet_transaction_id: str | None
    detail: str | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which of the cancellations to list: all that match every given filter. None lets all pass."""

    markets: Sequence[str] | None = None
    policy: str | None = None
    whys: Sequence[ReviewWhy] | None = None
    run_id: UUID | None = None


class Resolved(NamedTuple):
    """Ids of cancellations: resolved by this call; done already, in the same words; and to be closed yet."""

    ids: Sequence[int]
    done: Sequence[int]
    unclosed: Sequence[int]


class Review:
    """Lists, resolves and recloses cancellations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_review(self, max_runs: Mapping[str, int], wanted: ReviewFilter | None = None) -> list[ReviewItem]:
        """List the cancellations that need a person, oldest first; `max_runs` is each partner's."""
        wanted = wanted or ReviewFilter()
        rows = await self._database.rows(
            "review/list_review",
            partners=list(max_runs),
            max_runs=list(max_runs.values()),
            markets=list(wanted.markets) if wanted.markets else None,
            policy=wanted.policy,
            whys=list(map(str, wanted.whys)) if wanted.whys else None,
            run_id=wanted.run_id,
        )
        return [_item(row) for row in rows]

    async def check_resolutions(self, resolutions: Sequence[Resolution], by: str) -> CheckedResolutions:
        """Check decisions against the ledger as it is now, and change nothing."""
        async with self._database.connection() as connection, connection.transaction():
            return await self._checked(Transaction(connection), resolutions, by)

    async def resolve_cancellations(self, resolutions: Sequence[Resolution], by: str) -> Resolved:
        """Resolve cancellations with a person's decisions, all or none; the vendor's replies stay in their rows.

        Those resolved as cancelled stay in conflict until `close_resolved` has closed their rounds. Raises UsageError,
        which names each refusal, if a cancellation is unknown or cannot be resolved, or if a text is blank.
        """
        for one in resolutions:
            require_resolution(one.as_state)
        if is_blank(by) or any(is_blank(one.note) for one in resolutions):
            raise UsageError("who resolves and the note must not be blank: they are kept with the cancellation")
        try:
            async with self._database.connection() as connection, connection.transaction():
                transaction = Transaction(connection)
                await transaction.rows("session/raise_durability")
                checked = await self._checked(transaction, resolutions, by)
                require_no_refusal(checked.refused)
                rows = await _resolve(transaction, checked.to_do, by) if checked.to_do else []
        except psycopg.errors.UniqueViolation:
            raise UsageError(
                "nothing is resolved: a run has taken up a round just now that is to be cancelled; look again"
            ) from None
        unclosed = sorted([*checked.unclosed, *(row.id for row in rows if row.conflict)])
        return Resolved([one.id for one in checked.to_do], checked.done, unclosed)

    async def close_resolved(self, resolved: Resolved, by: str) -> Sequence[Reclosed]:
        """Close the rounds of cancellations that were resolved as cancelled, and are still open at the operator's."""
        return await Recloser(self._database, after=State.RESOLVED).reclose(resolved.unclosed, by)

    async def _checked(
        self, transaction: Transaction, resolutions: Sequence[Resolution], by: str
    ) -> CheckedResolutions:
        await transaction.rows("session/limit_waits", lock_timeout=NO_LOCK_TIMEOUT)
        rows = await transaction.rows("review/lock_resolvable", ids=[one.id for one in resolutions])
        archived = await _archived(transaction, {one.id for one in resolutions} - {row.id for row in rows})
        return check_resolutions(resolutions, rows, by, details.EARLIER_BEGINS, archived)

    async def reclose_rounds(self, ids: Sequence[int] | None, by: str) -> Sequence[Reclosed]:
        """Call the operator's function again for cancelled rounds that could not be closed: `ids`, or all of them.

        Raises UsageError, and does nothing, unless each of `ids` is such a cancellation.
        """
        if not by.strip():
            raise UsageError("who closes must not be blank: it is kept with the cancellation")
        rows = await self._database.rows("review/list_reclose_candidates", ids=None if ids is None else list(ids))
        found = {row.id: row for row in rows}
        archived = await _archived(self._database, {*(ids or ())} - {*found})
        wrong = [is_archived(*one) for one in archived.items()]
        wrong += [
            f"cancellation {one} {words}"
            for one in ids or ()
            if one not in archived and (words := _not_closable(found.get(one)))
        ]
        if wrong:
            raise UsageError("; ".join(dict.fromkeys(wrong)))
        return await Recloser(self._database).reclose([*found], by)


def require_resolution(as_state: str) -> None:
    """Raise UsageError unless a person may resolve a cancellation as this state."""
    if as_state not in RESOLUTIONS:
        raise UsageError(f"a cancellation is not resolved as {str(as_state)!r}; known: {', '.join(RESOLUTIONS)}")


def require_no_refusal(refused: Sequence[str]) -> None:
    """Raise UsageError with the first refusals, one on each line, if there are any."""
    if refused:
        more = [f"and {len(refused) - REFUSALS_SHOWN} more"] if len(refused) > REFUSALS_SHOWN else []
        raise UsageError("\n  ".join([*dict.fromkeys(refused[:REFUSALS_SHOWN]), *more]))


async def _archived(ledger: Database | Transaction, missing: Collection[int]) -> Mapping[int, str]:
    """Return the archived months of cancellations that the ledger does not have."""
    if not missing:
        return {}
    archives = archives_of(await ledger.rows("archives/list_archives"))
    return {number: month.month for number in missing for month in of_ids(archives, [number])[:1]}


async def _resolve(transaction: Transaction, resolutions: Sequence[Resolution], by: str) -> list[Any]:
    return await transaction.rows(
        "review/resolve_cancellations",
        ids=[one.id for one in resolutions],
        as_states=[str(one.as_state) for one in resolutions],
        notes=[one.note for one in resolutions],
        by=by,
        earlier=details.EARLIER_RESOLUTION,
        facts=orjson.dumps(resolution_facts(resolutions, by)).decode(),
    )


def _item(row: Any) -> ReviewItem:
    columns = row._asdict()
    for name in ("given_up", "review", "conflict", "incomplete", "findings"):
        del columns[name]
    columns["why"] = tuple(map(ReviewWhy, row.why))
    return ReviewItem(**columns, reasons=review_reasons(row))


def _not_closable(row: Any) -> str | None:
    """Describe why a cancellation's round cannot be reclosed; None if it can."""
    if row is None:
        return "does not exist; `retention review list` shows what needs a person"
    if row.mode == "dry_run":
        return "belongs to a dry run: nothing was cancelled"
    if (outcome := row.resolved_as or row.state) not in CANCELLED_STATES:
        return f"is {outcome}: only what is cancelled is closed at the operator's"
    return None if row.conflict else "is in no conflict: its round is closed at the operator's"
