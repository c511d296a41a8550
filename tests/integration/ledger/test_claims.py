"""Claims in a real ledger: leases, slots, throttled rates, expiry and restored attempts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from support.bare_database import TERMS, begin, cancelled, unhurried

from retention.core.model import Kind
from retention.core.sending.pacing import HORIZON_S, SPACING
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.known_server import KnownServer

if TYPE_CHECKING:
    from support.bare_database import Planned
    from support.world import World

    from retention.core.model import Claim
    from retention.ledger.database import Database


async def test_lease_is_extended_while_its_reply_waits(world: World, database: Database) -> None:
    """An expired lease is extended only for the process that owns it; other expired claims become doubts."""
    await world.seed(2)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims
    await world.sql("UPDATE retention.cancellations SET lease_until = now() - interval '1 second'")
    await planned.work.claims.extend_leases(claims[:1])
    lost = await planned.work.claims.expire_claims(TERMS, [planned.run_id])
    assert [claims[1].round_id] == [row.round_id for row in lost]
    await planned.work.claims.extend_leases(claims)
    assert {claims[0].round_id: "claimed", claims[1].round_id: "in_doubt"} == await world.states()


SLOW = """
    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;
    CREATE TRIGGER dawdle AFTER {event} FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle()
"""


@pytest.mark.parametrize("event", ["INSERT ON retention.attempts", "UPDATE ON retention.cancellations"])
async def test_late_answer_moves_no_slot(world: World, database: Database, event: LiteralString) -> None:
    """A slot stays at the time that the database assigned, however late its answer arrives."""
    await world.seed(6)
    planned = await begin(database)
    first = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=3)).claims
    await world.sql(SLOW.format(event=event))
    if event.startswith("INSERT"):
        late = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=3)).claims
    else:
        late = await planned.work.claims.reserve_slots(Kind.CANCEL, TERMS, unhurried(first))
    slots = [claim.slot for claim in (*first, *late)]
    gaps = [after - before for before, after in pairwise(slots)]
    assert pytest.approx([1 / (SPACING * TERMS.rate)] * 5, abs=2.5) == gaps


async def test_expired_claims_are_found_in_each_block_of_the_plan(world: World, database: Database) -> None:
    """First claims and retries expire wherever they stand in the plan, and the first unsettled round is found there."""
    await world.sql("SELECT setval(pg_get_serial_sequence('retention.cancellations', 'id'), 9996)")
    await world.seed(6)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=None, batch=5)).claims
    ids = [claim.cancellation_id for claim in claims]
    assert [9997, 9998, 9999, 10000, 10001] == ids
    assert ids[0] == await planned.work.claims.find_first_unsettled("acme", 0)
    await planned.work.settlements.settle_replies(cancelled(claims[:1]))
    assert [ids[1], ids[4]] == [await planned.work.claims.find_first_unsettled("acme", above) for above in (0, ids[3])]
    await world.sql(
        "UPDATE retention.cancellations SET lease_until = now() - interval '1 s', needs_follow_up = id = %(id)s"
        " WHERE state = 'claimed'",
        id=ids[4],
    )
    await planned.work.claims.extend_leases(claims[2:3])
    assert {ids[1], ids[3], ids[4]} == {
        row.id for row in await planned.work.claims.expire_claims(TERMS, [planned.run_id])
    }
    assert ids[2] == await planned.work.claims.find_first_unsettled("acme", 0)
    assert ids[4] + 1 == await planned.work.claims.find_first_unsettled("acme", ids[2])
    assert await planned.work.claims.find_first_unsettled("acme", ids[4] + 1) is None


@pytest.mark.parametrize(("kind", "state"), [(Kind.CANCEL, "in_doubt"), (Kind.STATUS, "planned")])
async def test_an_expired_cancel_becomes_a_doubt_an_expired_probe_returns(
    world: World, database: Database, kind: Kind, state: str
) -> None:
    """A cancel whose lease expires leaves its round in doubt; a first probe returns its round to the plan."""
    await world.seed(1)
    terms = replace(TERMS, ask_first=kind is Kind.STATUS)
    planned = await begin(database)
    (claim,) = (await planned.work.claims.claim(kind, terms, after=0, batch=1)).claims
    await world.sql("UPDATE retention.cancellations SET lease_until = now() - interval '1 second'")
    (expired,) = await planned.work.claims.expire_claims(terms, [planned.run_id])
    assert (claim.round_id, state) == (expired.round_id, expired.state)
    assert {claim.round_id: state} == await world.states()


@pytest.mark.parametrize("kind", Kind)
async def test_throttled_partner_gets_half_the_rate_after_a_429(world: World, database: Database, kind: Kind) -> None:
    """After a 429, slots of cancels and probes come at half the rate, which grows back to the configured rate."""
    await world.seed(20)
    planned = await begin(database)
    if kind is Kind.STATUS:
        await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)
        await world.sql("UPDATE retention.cancellations SET lease_until = now() - interval '1 second'")
        assert 20 == len(await planned.work.claims.expire_claims(TERMS, [planned.run_id]))
    await planned.work.control.throttle_partner(TERMS, 0.0)

    async def gap() -> float:
        first, second = (await planned.work.claims.claim(kind, TERMS, after=0, batch=2)).claims
        return second.slot - first.slot

    whole = 1 / (SPACING * TERMS.rate)
    assert pytest.approx(2 * whole, rel=0.1) == await gap()
    await world.sql("UPDATE retention.partner_state SET rate_at = now() - interval '1 minute'")
    assert pytest.approx(whole, rel=0.001) == await gap()
    rows = await world.sql("SELECT rate FROM retention.partner_state WHERE kind = %(kind)s", kind=kind.value)
    assert [(None,)] == rows


@pytest.mark.parametrize("kind", Kind)
async def test_reserved_slots_follow_the_present_rate_within_the_horizon(
    world: World, database: Database, kind: Kind
) -> None:
    """Claims that missed their slots get new slots at the present rate, as many as the horizon holds."""
    await world.seed(20)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=20)).claims
    await world.sql(
        "UPDATE retention.partner_state SET rate = 4, rate_at = now(), next_slot = now() WHERE kind = %(kind)s",
        kind=kind.value,
    )
    more_s = 1.5
    slowly = await planned.work.claims.reserve_slots(kind, TERMS, unhurried(claims, more_s))
    assert [claim.uuid for claim in claims[: len(slowly)]] == [claim.uuid for claim in slowly]
    assert len(slowly) < 20
    assert slowly[-1].slot - slowly[0].slot <= HORIZON_S + more_s
    await world.sql("UPDATE retention.partner_state SET rate_at = now() - interval '1 minute', next_slot = now()")
    quickly = await planned.work.claims.reserve_slots(kind, TERMS, unhurried(claims))
    assert 20 == len(quickly)
    assert pytest.approx(19 / (SPACING * TERMS.rate), rel=0.001) == quickly[-1].slot - quickly[0].slot


REPLAN: LiteralString = """
UPDATE retention.cancellations SET state = 'planned', attempt_uuid = NULL, lease_until = NULL, attempts = 0,
    attempts_this_run = 0, probes_this_run = 0
"""
"""Loses the claim of the only round, and its count."""


async def test_attempt_that_two_processes_restore_is_counted_once(world: World, database: Database) -> None:
    """If two processes restore one attempt at the same time, only the first records and counts it."""
    await world.seed(1)
    planned = await begin(database)
    (claim,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql("DELETE FROM retention.attempts")
    await world.sql(REPLAN)
    async with await psycopg.AsyncConnection.connect(world.direct) as first:
        await first.execute(
            "INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)"
            " VALUES (%s, %s, %s, 'cancel', 'another', now())",
            [claim.uuid, claim.cancellation_id, claim.run_id],
        )
        second = asyncio.create_task(planned.work.claims.restore_attempts([claim]))
        await world.until_waiting()
    assert {claim.uuid: claim.cancellation_id} == await second
    assert [(0,)] == await world.sql("SELECT attempts FROM retention.cancellations")
    assert [(1,)] == await world.sql("SELECT count(*) FROM retention.attempts")


LOSE_NEWEST: LiteralString = """
WITH lost AS (DELETE FROM retention.attempts WHERE uuid = %(uuid)s::uuid)
UPDATE retention.cancellations SET attempt_uuid = %(before)s::uuid, attempts = 1, attempts_this_run = 1
"""
"""Loses the second claim of the only round: its row belongs to the first claim again."""


SLOW_CLAIMS: LiteralString = """
CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$;
CREATE TRIGGER dawdle BEFORE UPDATE ON retention.cancellations FOR EACH ROW WHEN (NEW.state = 'claimed')
    EXECUTE FUNCTION public.dawdle()
"""
"""Makes each claim slow, between its look at the clock and the record of its attempt."""


@pytest.mark.parametrize("prepare", ["SELECT 1", SLOW_CLAIMS], ids=["fast", "slow"])
async def test_restored_claim_replaces_an_older_claim(world: World, database: Database, prepare: LiteralString) -> None:
    """After the release of a first claim is lost, the restored second claim owns the row without a doubt, counted
    once, however slow both claims were.
    """
    await world.seed(1)
    await world.sql(prepare)
    planned = await begin(database)
    (first,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await planned.work.claims.release_claims([first])
    (second,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql(LOSE_NEWEST, uuid=second.uuid, before=first.uuid)
    await world.sql("UPDATE retention.attempts SET outcome = NULL")
    await planned.work.claims.restore_attempts([second])
    assert [(second.uuid, False, 2)] == await world.sql(
        "SELECT attempt_uuid::text, may_have_taken_effect, attempts FROM retention.cancellations"
    )
    await planned.work.claims.release_claims([first])
    assert [(1, 1)] == await world.sql("SELECT attempts, attempts_this_run FROM retention.cancellations")
    assert {first.uuid: "released", second.uuid: None} == dict(
        await world.sql("SELECT uuid::text, outcome FROM retention.attempts")
    )


DOUBT: LiteralString = """
UPDATE retention.cancellations
SET state = 'in_doubt', may_have_taken_effect = true, needs_follow_up = true, due_at = now(), lease_until = NULL
"""
"""Turns the only round into a doubt whose probe is due."""


async def _lost_probe(world: World, planned: Planned) -> tuple[Claim, Claim]:
    """Claim the only round for a cancel and, as a doubt, for a probe; lose the probe. Returns both claims."""
    (first,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql(DOUBT)
    (probe,) = (await planned.work.claims.claim(Kind.STATUS, TERMS, after=0, batch=1)).claims
    assert probe.may_have_taken_effect
    await world.sql(LOSE_NEWEST, uuid=probe.uuid, before=first.uuid)
    return first, probe


async def test_a_claim_that_gives_its_row_up_has_an_outcome(world: World, database: Database) -> None:
    """A claim whose answer never arrived gives its row to the restored one, and ends in doubt, with evidence."""
    await world.seed(1)
    planned = await begin(database)
    unheard, probe = await _lost_probe(world, planned)
    await planned.work.claims.restore_attempts([probe])
    assert {unheard.uuid: "in_doubt", probe.uuid: None} == dict(
        await world.sql("SELECT uuid::text, outcome FROM retention.attempts")
    )
    (restored,) = await world.sql(
        "SELECT body::json #>> '{rows,attempt}' AS rows FROM retention.evidence WHERE kind = 'restored'"
    )
    assert unheard.uuid in restored.rows


async def test_restored_probe_restores_its_doubt(world: World, database: Database) -> None:
    """After a doubt and its probe are lost, the restored probe leaves the round in doubt."""
    await world.seed(1)
    planned = await begin(database)
    _, probe = await _lost_probe(world, planned)
    await world.sql("UPDATE retention.cancellations SET may_have_taken_effect = false, needs_follow_up = false")
    await planned.work.claims.restore_attempts([probe])
    await planned.work.claims.release_claims([probe])
    assert [("in_doubt", True)] == await world.sql("SELECT state, may_have_taken_effect FROM retention.cancellations")


async def test_attempt_restored_to_a_settled_row_counts_until_its_release(world: World, database: Database) -> None:
    """A lost attempt counts in a row that another process settled, until its release shows that it was never sent."""
    await world.seed(1)
    planned = await begin(database)
    other = EngineLedger.of_run(database, planned.run_id, "another", None, asyncio.get_running_loop().time)
    (lost,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql("DELETE FROM retention.attempts")
    await world.sql(REPLAN)
    (theirs,) = (await other.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await other.settlements.settle_replies(cancelled([theirs]))
    await planned.work.claims.restore_attempts([lost])
    counted = "SELECT state, attempt_uuid::text, attempts FROM retention.cancellations"
    assert [("cancelled", theirs.uuid, 2)] == await world.sql(counted)
    await planned.work.claims.release_claims([lost])
    assert [("cancelled", theirs.uuid, 1)] == await world.sql(counted)


ASK_FIRST = replace(TERMS, ask_first=True)


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_an_answer_permits_no_cancel_after_a_lost_one(world: World, database: Database, comes: str) -> None:
    """A standby took over that has the vendor's answer, and not the cancel that followed it: another process, come
    before that or after, asks again before it cancels.
    """
    await world.seed(1)
    planned = await begin(database)
    ((started,),) = await world.sql("SELECT pg_postmaster_start_time()")
    now = asyncio.get_running_loop().time()
    times, server = iter([now - 50 if comes == "before" else now]), KnownServer()
    if comes == "before":
        server.observe(started - timedelta(days=1), now - 50)
        server.observe(started, now - 20)
    other = EngineLedger.of_run(database, planned.run_id, "another", None, lambda: next(times, now), None, server)
    await world.sql("UPDATE retention.cancellations SET in_progress_at = now() - interval '30 s'")
    assert [] == (await other.claims.claim(Kind.CANCEL, ASK_FIRST, after=0, batch=1)).claims
    assert 1 == len((await other.claims.claim(Kind.STATUS, ASK_FIRST, after=0, batch=1)).claims)


COUNTS: LiteralString = "SELECT state, attempts, attempts_this_run, probes_this_run FROM retention.cancellations"


async def test_an_expired_claim_that_never_left_is_counted_no_longer(world: World, database: Database) -> None:
    """A process that releases a claim after its lease has run out takes back its count: the round is in doubt only."""
    await world.seed(1)
    planned = await begin(database)
    (late,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql("UPDATE retention.cancellations SET lease_until = now() - interval '1 s'")
    assert 1 == len(await planned.work.claims.expire_claims(TERMS, [planned.run_id], but=[]))
    await planned.work.claims.release_claims([late])
    assert [("in_doubt", 0, 0, 0)] == await world.sql(COUNTS)
    assert [("released",)] == await world.sql("SELECT outcome FROM retention.attempts")


@pytest.mark.parametrize("kind", Kind)
async def test_two_claims_of_a_round_are_released_at_once(world: World, database: Database, kind: Kind) -> None:
    """Where a lost claim was recorded again beside a newer one, a release of both takes back both counts."""
    await world.seed(1)
    terms = replace(TERMS, ask_first=kind is Kind.STATUS)
    planned = await begin(database)
    (lost,) = (await planned.work.claims.claim(kind, terms, after=0, batch=1)).claims
    await world.sql("DELETE FROM retention.attempts")
    await world.sql(REPLAN)
    (newer,) = (await planned.work.claims.claim(kind, terms, after=0, batch=1)).claims
    await world.sql("UPDATE retention.attempts SET replica = 'another'")
    await planned.work.claims.restore_attempts([lost])
    await planned.work.claims.release_claims([lost, newer])
    ((_, *counts),) = await world.sql(COUNTS)
    assert [0, 0, 0] == counts
    assert {"released"} == {row.outcome for row in await world.sql("SELECT outcome FROM retention.attempts")}


async def test_release_leaves_the_count_of_a_settled_row(world: World, database: Database) -> None:
    """If the count of the settling request is lost, the release of another claim does not lower it further."""
    await world.seed(1)
    planned = await begin(database)
    (lost,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql(REPLAN)
    (other,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await planned.work.settlements.settle_replies(cancelled([other]))
    await planned.work.claims.release_claims([lost])
    assert [("cancelled", 1)] == await world.sql("SELECT state, attempts FROM retention.cancellations")
    assert {lost.uuid: "released", other.uuid: "cancelled"} == dict(
        await world.sql("SELECT uuid::text, outcome FROM retention.attempts")
    )
