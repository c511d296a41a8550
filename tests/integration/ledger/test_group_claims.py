"""Claims of partners in a rate group: slots, leases, waits, and locks in one order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from support.bare_database import TERMS, begin

from retention.core.model import Kind
from retention.core.sending.pacing import SPACING
from retention.ledger.terms import GroupTerms

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database

GROUP = GroupTerms("lm", 100.0, 2)
SHARED = replace(TERMS, group=GROUP)


async def test_claims_and_kept_claims_use_the_groups_slots(world: World, database: Database) -> None:
    """Claims and claims that missed their slots never share a slot; leases reach beyond the slots."""
    await world.seed(40)
    planned = await begin(database)
    claims = planned.work.claims
    nothing = await claims.claim(Kind.CANCEL, SHARED, after=0, batch=3)
    assert (True, 3, []) == (nothing.open, len(nothing.unslotted), nothing.claims), "the group was not there yet"
    first = (await claims.claim(Kind.CANCEL, SHARED, after=0, batch=5)).claims
    second = (await claims.claim(Kind.CANCEL, SHARED, after=0, batch=5)).claims
    late = [claim._replace(send_by=claim.send_by + 60) for claim in first]
    again = await claims.reserve_slots(Kind.CANCEL, SHARED, late)
    slots = sorted(claim.slot for claim in (*first, *second, *again))
    assert 15 == len(slots)
    gaps = [after - before for before, after in pairwise(slots)]
    assert min(gaps) > 1 / (SPACING * GROUP.rate) - 0.002
    leases = await world.sql(
        "SELECT extract(epoch FROM lease_until - statement_timestamp()) AS left FROM retention.cancellations"
        " WHERE state = 'claimed'"
    )
    assert all(row.left > SHARED.lease - 0.1 for row in leases)


async def test_a_gate_is_closed_while_the_group_has_no_slot(world: World, database: Database) -> None:
    """No row is locked and nothing is looked up while a slow group's next slot lies far ahead, and a run says so."""
    await world.seed(5)
    planned = await begin(database)
    slow = replace(TERMS, group=GroupTerms("lm", 0.1, 2))
    for _ in range(2):
        await planned.work.claims.claim(Kind.CANCEL, slow, after=0, batch=3)
    assert not (await planned.work.claims.claim(Kind.CANCEL, slow, after=0, batch=3)).open
    waits = (await planned.work.control.heartbeat(["acme"])).waits
    assert [("acme", "cancel", False, "lm")] == [(w.partner, w.kind, w.by_vendor, w.rate_group) for w in waits]


async def test_an_impossible_slot_of_a_group_is_corrected(world: World, database: Database) -> None:
    """A slot of the group that no trusted clock has written is brought back, and the next claim gets slots."""
    await world.seed(5)
    planned = await begin(database)
    for _ in range(2):
        await planned.work.claims.claim(Kind.CANCEL, SHARED, after=0, batch=1)
    await world.sql(
        "UPDATE retention.rate_groups SET last_slot = last_slot + interval '1 h', begins = begins + interval '1 h',"
        " next_slot = next_slot + interval '1 h'"
    )
    assert not (await planned.work.claims.claim(Kind.CANCEL, SHARED, after=0, batch=1)).open
    found = await planned.work.control.correct_times(60.0, None, [SHARED], leases=False)
    assert [("rate group lm", "last_slot")] == [(one.row, one.column) for one in found]
    assert 1 == len((await planned.work.claims.claim(Kind.CANCEL, SHARED, after=0, batch=1)).claims)


async def test_partners_of_a_group_never_deadlock(world: World, database: Database) -> None:
    """Claims, new slots, throttles and corrections of two partners at once wait for each other in one order."""
    await world.seed(200)
    await world.seed(200, prefix="b", partner="beta", at_vendor=False)
    planned = await begin(database)
    await world.sql("INSERT INTO retention.partner_state (partner, kind) VALUES ('beta', 'cancel'), ('beta', 'status')")
    both = [SHARED, replace(SHARED, partner="beta")]

    async def claim(nth: int) -> None:
        for _ in range(15):
            terms = both[nth % 2]
            found = await planned.work.claims.claim(Kind.CANCEL, terms, after=0, batch=2)
            if found.claims:
                await planned.work.claims.reserve_slots(Kind.CANCEL, terms, found.claims)

    async def throttle(nth: int) -> None:
        for _ in range(15):
            await planned.work.control.throttle_partner(both[nth % 2], 0.0)
            await planned.work.control.correct_times(60.0, None, both, leases=False)

    await asyncio.gather(*map(claim, range(4)), *map(throttle, range(2)))
    (row,) = await world.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert 0 == row.deadlocks


@pytest.mark.parametrize("kind", Kind)
async def test_a_partner_that_leaves_its_group_is_free_of_it(world: World, database: Database, kind: Kind) -> None:
    """Without the group in the configuration a partner has its own rate again, and its row names no group."""
    await world.seed(20)
    planned = await begin(database)
    ask = kind is Kind.STATUS
    for terms in (SHARED, SHARED, TERMS):
        found = await planned.work.claims.claim(kind, replace(terms, ask_first=ask), after=0, batch=4)
    slots = [claim.slot for claim in found.claims]
    assert pytest.approx([1 / (SPACING * TERMS.rate)] * 3, rel=0.01) == [b - a for a, b in pairwise(slots)]
    assert [(None,)] == await world.sql(
        "SELECT rate_group FROM retention.partner_state WHERE kind = %(k)s", k=kind.value
    )
