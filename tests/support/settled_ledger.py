"""Writes the settlements of replies into a real ledger, and reads them back."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from psycopg import Error

from retention.core.model import Kind
from retention.core.sending.reply_rules import DEFAULT_CODES, ReplyRules
from retention.core.sending.wire import decode
from support.bare_database import TERMS, begin
from support.hostile import settled, understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.model import Claim, Reply, Settlement
    from retention.ledger.database import Database
    from support.bare_database import Planned
    from support.hostile import Decode
    from support.oracle import Said
    from support.world import World

FAST = dataclasses.replace(TERMS, rate=100_000.0)
TREATING = ReplyRules(DEFAULT_CODES, FAST.max_attempts, status_probe=True)
_KEPT = ("state", "error_code", "description", "currency", "amount", "transaction_id")


async def store(world: World, database: Database, replies: Sequence[Said], decode: Decode = decode) -> list[str]:
    """Settle a round for each reply: as the answer to a request, and then, put back into doubt, to a question.

    Returns the replies that the ledger refused, or holds otherwise than they were given.
    """
    await world.seed(len(replies), prefix="h", at_vendor=False)
    planned = await begin(database)
    answers = [understood(said, decode) for said in replies]
    found = await _settle(world, planned, await _claims(planned, Kind.CANCEL, len(replies)), answers)
    await world.sql(
        "UPDATE retention.cancellations SET state = 'in_doubt', lease_until = NULL, due_at = now(), settled_at = NULL,"
        " may_have_taken_effect = true, needs_follow_up = true,"
        " currency = NULL, amount = NULL, transaction_id = NULL, error_code = NULL, description = NULL,"
        " probes_this_run = 0, attempts_this_run = 1"
    )
    return found + await _settle(world, planned, await _claims(planned, Kind.STATUS, len(replies)), answers)


async def _claims(planned: Planned, kind: Kind, count: int) -> list[Claim]:
    claims: dict[int, Claim] = {}
    while len(claims) < count:
        found = await planned.work.claims.claim(kind, FAST, after=max(claims, default=0), batch=500)
        claims |= {claim.cancellation_id: claim for claim in found.claims}
    return [*claims.values()]


async def _settle(world: World, planned: Planned, claims: Sequence[Claim], answers: Sequence[Reply]) -> list[str]:
    items = [settled(answer, claim, TREATING) for answer, claim in zip(answers, claims, strict=True)]
    found = []
    for at in range(0, len(items), 100):
        batch = items[at : at + 100]
        try:
            written, *_ = await planned.work.settlements.settle_replies(batch)
        except (Error, TypeError, ValueError) as error:  # a value that PostgreSQL or the way to it does not take
            found.append(f"refused: {error}")
            continue
        found += [f"{item.claim.round_id} was not written" for item in batch if item.claim.uuid not in written]
    rows = {row.id: row for row in await world.sql("SELECT * FROM retention.cancellations")}
    return found + [word for item in items for word in _differs(item, rows[item.claim.cancellation_id])]


def _differs(item: Settlement, row: object) -> list[str]:
    names = _KEPT if item.claim.kind is Kind.CANCEL else ("state", "currency", "amount", "transaction_id")
    return [
        f"{item.claim.kind} {item.claim.round_id}: {name} {getattr(row, name)!r} instead of {getattr(item, name)!r}"
        for name in names
        if getattr(row, name) != getattr(item, name)
    ]
