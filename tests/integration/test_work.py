"""The ledger as an engine at work sees it, where something comes between."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, LiteralString
from uuid import uuid4

import psycopg
import pytest
from support.bare import SCOPE, TERMS, begin, cancelled

from retention.core.model import Kind
from retention.core.sending.pacing import HORIZON_S, SPACING
from retention.ledger import plans as module
from retention.ledger.claims import IdRange
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.plans import Plans, RunRequest
from retention.ledger.runs import RunLedger, Start

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database


async def test_what_halted_a_run_stands_until_a_person_says_otherwise(world: World, database: Database) -> None:
    """A process that was about to join a run does not set it going again that was halted meanwhile, unless by a pause."""
    await world.seed(1)
    planned, runs = await begin(database), RunLedger(database)
    assert await planned.work.control.halt_run("max_failure_ratio: too many")
    assert await runs.start_run(planned.run_id, None) is None
    assert await runs.start_run(planned.run_id, None, again=True) is Start.STARTED
    assert await planned.work.control.halt_run("paused by tess", paused_for=["acme"])
    assert await runs.start_run(planned.run_id, None) is Start.STARTED


async def test_a_batch_whose_answer_was_lost_is_known_the_next_time(world: World, database: Database) -> None:
    """Written a second time, a batch changes nothing, and tells of each round as the first time would have."""
    await world.seed(3)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims
    first, *_ = await planned.work.settlements.settle_replies(cancelled(claims))
    settled = await world.sql("SELECT * FROM retention.cancellations ORDER BY id")
    again, recent, *_ = await planned.work.settlements.settle_replies(cancelled(claims), again=True)
    assert 3 == len(first)
    assert (first, None) == (again, recent)
    assert settled == await world.sql("SELECT * FROM retention.cancellations ORDER BY id")


async def test_a_claim_is_kept_while_its_reply_cannot_be_written(world: World, database: Database) -> None:
    """A lease that has run out is renewed, and only for whoever has it: then nobody finds a doubt in it."""
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
    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
    CREATE TRIGGER dawdle AFTER {event} FOR EACH STATEMENT EXECUTE FUNCTION public.dawdle()
"""


@pytest.mark.parametrize("event", ["INSERT ON retention.attempts", "UPDATE ON retention.cancellations"])
async def test_a_late_answer_moves_no_slot(world: World, database: Database, event: LiteralString) -> None:
    """However late the database's answer is read, each request's slot is where the database has put it, behind the last."""
    await world.seed(6)
    planned = await begin(database)
    first = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=3)).claims
    await world.sql(SLOW.format(event=event))
    if event.startswith("INSERT"):
        late = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=3)).claims
    else:
        late = await planned.work.claims.reserve_slots(Kind.CANCEL, TERMS, first)
    slots = [claim.slot for claim in (*first, *late)]
    gaps = [after - before for before, after in pairwise(slots)]
    assert pytest.approx([1 / (SPACING * TERMS.rate)] * 5, abs=0.15) == gaps


async def test_claims_are_looked_for_where_the_front_is(world: World, database: Database) -> None:
    """Within a window only its own first claims are found, of retries all; the front is the first that is not settled."""
    await world.seed(6)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=5)).claims
    ids = [claim.cancellation_id for claim in claims]
    assert ids[0] == await planned.work.claims.find_first_unsettled("acme", 0)
    await planned.work.settlements.settle_replies(cancelled(claims[:1]))
    assert [ids[1], ids[4]] == [await planned.work.claims.find_first_unsettled("acme", above) for above in (0, ids[3])]
    await world.sql(
        "UPDATE retention.cancellations SET lease_until = now() - interval '1 s', needs_follow_up = id = %(id)s"
        " WHERE state = 'claimed'",
        id=ids[4],
    )
    found = await planned.work.claims.expire_claims(TERMS, [planned.run_id], IdRange(ids[1], ids[2]))
    assert {ids[2], ids[4]} == {row.id for row in found}
    assert {ids[1], ids[3]} == {row.id for row in await planned.work.claims.expire_claims(TERMS, [planned.run_id])}
    assert ids[4] + 1 == await planned.work.claims.find_first_unsettled("acme", 0)
    assert await planned.work.claims.find_first_unsettled("acme", ids[4] + 1) is None


async def test_a_plan_that_took_long_is_not_taken_for_abandoned(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has planned a run has time to begin it from the moment when the plan is there, however long that took."""
    monkeypatch.setattr(module, "HEARTBEAT_S", 2.0)
    await world.seed(1)
    async with world.locked("public.rounds"):
        request = RunRequest(uuid4(), "nightly", "enforce", "ann", None, {})
        planning = asyncio.create_task(Plans(database).create_run(request, SCOPE, [TERMS]))
        await world.until_waiting()
        await asyncio.sleep(2.1)
    await planning
    counted = "SELECT heartbeat_until - as_of >= interval '4.1 seconds' AS from_its_end FROM retention.runs"
    assert [(True,)] == await world.sql(counted)


@pytest.mark.parametrize("kind", Kind)
async def test_a_partner_that_refused_is_called_at_half_the_rate_and_in_time_at_the_whole(
    world: World, database: Database, kind: Kind
) -> None:
    """After a 429 requests and questions alike come at half the rate, which then grows back to the configured one."""
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
async def test_new_slots_come_at_the_rate_of_the_moment_and_no_more_than_are_used_soon(
    world: World, database: Database, kind: Kind
) -> None:
    """Claims that missed their slots get as many new ones as the next second holds, at a rate that has grown back."""
    await world.seed(20)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=20)).claims
    await world.sql(
        "UPDATE retention.partner_state SET rate = 4, rate_at = now(), next_slot = now() WHERE kind = %(kind)s",
        kind=kind.value,
    )
    slowly = await planned.work.claims.reserve_slots(kind, TERMS, claims)
    assert [claim.uuid for claim in claims[: len(slowly)]] == [claim.uuid for claim in slowly]
    assert len(slowly) < 20
    assert slowly[-1].slot - slowly[0].slot <= HORIZON_S
    await world.sql("UPDATE retention.partner_state SET rate_at = now() - interval '1 minute', next_slot = now()")
    claims = [claim._replace(send_by=claim.send_by + 60) for claim in claims]
    quickly = await planned.work.claims.reserve_slots(kind, TERMS, claims)
    assert 20 == len(quickly)
    assert pytest.approx(19 / (SPACING * TERMS.rate), rel=0.001) == quickly[-1].slot - quickly[0].slot


REPLAN: LiteralString = """
UPDATE retention.cancellations SET state = 'planned', attempt_uuid = NULL, lease_until = NULL, attempts = 0, attempts_this_run = 0
"""
"""The claim of the only round is lost, and its count with it."""


async def test_a_claim_that_two_restore_at_once_is_counted_once(world: World, database: Database) -> None:
    """An attempt that somebody else records just now is recorded, claimed and counted by whoever comes first alone."""
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
"""The second claim of the only round is lost: the row is the first one's, as it was before."""


async def test_a_restored_claim_takes_the_row_of_an_older_one(world: World, database: Database) -> None:
    """Where the release of a process's first claim is lost, its second one has the row, in no doubt, and is counted alone."""
    await world.seed(1)
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
"""The request of the only round has left, and its reply is lost."""


async def test_a_question_that_is_restored_brings_its_doubt_back(world: World, database: Database) -> None:
    """Where a doubt's settlement and the question about it are lost, the restored question leaves the round in doubt."""
    await world.seed(1)
    planned = await begin(database)
    (first,) = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=1)).claims
    await world.sql(DOUBT)
    (question,) = (await planned.work.claims.claim(Kind.STATUS, TERMS, after=0, batch=1)).claims
    assert question.may_have_taken_effect
    await world.sql(LOSE_NEWEST, uuid=question.uuid, before=first.uuid)
    await world.sql("UPDATE retention.cancellations SET may_have_taken_effect = false, needs_follow_up = false")
    await planned.work.claims.restore_attempts([question])
    await planned.work.claims.release_claims([question])
    assert [("in_doubt", True)] == await world.sql("SELECT state, may_have_taken_effect FROM retention.cancellations")


async def test_a_claim_that_is_restored_to_a_settled_row_counts_until_its_release(
    world: World, database: Database
) -> None:
    """Another process has settled the round meanwhile: the lost request counts there, and no more once it did not leave."""
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


async def test_a_settled_row_keeps_its_last_count(world: World, database: Database) -> None:
    """Where the count of the request that settled a row is lost, the release of another takes nothing from it."""
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
