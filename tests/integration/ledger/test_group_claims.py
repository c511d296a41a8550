"""Claims of partners in a rate group: slots, leases, waits, and locks in one order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.bare_database import TERMS, begin, unhurried

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
    again = await claims.reserve_slots(Kind.CANCEL, SHARED, unhurried(first))
    assert 15 == len({claim.slot for claim in (*first, *second, *again)})
    leases = await world.sql(
        "SELECT extract(epoch FROM lease_until - statement_timestamp())::float8 AS left FROM retention.cancellations"
        " WHERE state = 'claimed' ORDER BY 1"
    )
    # A lease follows its slot on the database's own clock; this process only estimates that clock.
    gaps = [after.left - before.left for before, after in pairwise(leases)]
    assert (10, True) == (len(leases), min(gaps) > 1 / (SPACING * GROUP.rate) - 0.0001)
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


async def test_a_wait_for_a_partner_holds_no_lock_of_its_group(world: World, database: Database) -> None:
    """Claims, new slots and throttles lock the partner before its group, so that no two of them can be a deadlock."""
    await world.seed(20)
    planned = await begin(database)
    await world.sql("INSERT INTO retention.partner_state (partner, kind) VALUES ('beta', 'cancel'), ('beta', 'status')")
    claims, control = planned.work.claims, planned.work.control
    await claims.claim(Kind.CANCEL, SHARED, after=0, batch=1)  # makes the group
    held = (await claims.claim(Kind.CANCEL, SHARED, after=0, batch=1)).claims
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM retention.partner_state WHERE partner = 'acme' FOR UPDATE")
        waiting = [
            asyncio.create_task(work)
            for work in (
                claims.claim(Kind.CANCEL, SHARED, after=0, batch=2),
                claims.reserve_slots(Kind.CANCEL, SHARED, held),
                control.throttle_partner(SHARED, 0.0),
            )
        ]
        await world.until_waiting(len(waiting))
        await asyncio.wait_for(control.throttle_partner(replace(SHARED, partner="beta"), 0.0), 10)
        assert [("beta",)] == await world.sql("SELECT throttled_partner FROM retention.rate_groups")
    await asyncio.gather(*waiting)


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
