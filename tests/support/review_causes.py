"""The reason why a round had to go to a person, read from its requests and replies, not from the tool's record of
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retention.simulator.rounds import Request
    from support.history import Attempt, Cancellation, History

_UNCLEAR = {"in_doubt", "retry", None}
_CLEAR = {"cancelled", "already_cancelled", "already_completed"}


def causes(history: History) -> dict[int, str]:
    """The cause of each cancellation on the review list that has one."""
    by_row: dict[int, list[Attempt]] = {row: [] for row in history.listed}
    for attempt in sorted(history.attempts, key=lambda one: one.claimed_at):
        if attempt.cancellation_id in by_row:
            by_row[attempt.cancellation_id].append(attempt)
    asked = history.requests_by_uuid()
    orphans = {
        one.round_id for uuid, one in asked.items() if one.call == "CancelRound" and uuid in history.lost.orphans
    }
    closed_at = {one.round_id: one.cancelled_at for one in history.operator if one.status == 2}
    found = {}
    for row in history.cancellations:
        if row.id in history.listed:
            closed = row.round_id in closed_at and closed_at[row.round_id] == row.settled_at
            reply = asked.get(str(row.attempt_uuid))
            orphaned = row.round_id in orphans
            reason = next(_reasons(row, by_row[row.id], reply, closed=closed, orphaned=orphaned), None)
            if reason is not None:
                found[row.id] = reason
    return found


def _reasons(
    row: Cancellation, attempts: Sequence[Attempt], reply: Request | None, *, closed: bool, orphaned: bool
) -> Iterator[str]:
    cancels = [one for one in attempts if one.kind == "cancel"]
    lost = orphaned or any(one.outcome in _UNCLEAR for one in cancels)
    # A certain reply settles its row. Where something else did, it came, or could be written, only afterwards.
    late = any(one.outcome in _CLEAR and one.uuid != row.attempt_uuid for one in cancels)
    struck = reply is not None and reply.fault is not None
    match row.state:
        case "in_doubt":
            if lost and not any(one.outcome in _CLEAR for one in attempts):
                yield "the vendor never told what became of it"
            if any(one.outcome == "rejected" for one in cancels):
                yield "the vendor refused, and has not told yet what the round is"
        case "rejected" | "already_completed":
            if any(one.outcome == row.state for one in attempts):
                yield f"the vendor says {row.state}"
        case "held" if row.detail is not None and row.detail.startswith("winnings "):
            yield "the vendor tells winnings"
        case "not_sent" if any(one.kind == "status" for one in attempts):
            yield "the vendor did not answer what the round is"
        case "not_sent" if row.detail is not None and row.detail.endswith("makes no sense any more: bad_stake"):
            yield "the operator's view has a row that makes no sense"
        case "not_sent" if row.detail is not None and "times" in row.detail:
            yield "the operator's view has the round more than once"
        case "cancelled" | "already_cancelled":
            if row.conflict and not closed:
                yield "it was not open at the operator's any more"
            if None in {row.amount, row.currency, row.transaction_id} and (lost or late or struck):
                yield "the reply with its refund was lost"
            if _differs(row):
                yield "the refund is not the stake"


def _differs(row: Cancellation) -> bool:
    pairs = (
        (row.amount, row.stake),
        (row.currency, row.stake_currency),
        (row.transaction_id, row.bet_transaction_id),
    )
    return any(one is not None and other is not None and one != other for one, other in pairs)
