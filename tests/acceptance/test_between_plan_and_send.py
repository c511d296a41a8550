"""The row decides, not the plan: changes between plan and send are seen, and a hold is obeyed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from support.invariants import violations

if TYPE_CHECKING:
    from support.world import Done, World

TWO_PARTNERS = """
[partners.other]
secure_login = "login-81b7d0"
api_url = "{url}"
token = "token-9d41c7b2e6"
rate = 2000
"""


async def hold(world: World, *words: str) -> Done:
    """Add a hold."""
    return await world.command("hold", "add", *words, "--reason", "complaint 7", "--by", "tess")


async def test_a_round_that_changes_between_plan_and_send_is_skipped(world: World) -> None:
    """Rounds that complete, vanish, get a hold or see their player again after the plan are settled without a call."""
    await world.seed(60)  # r6 to r9 are the last of the plan
    world.partner["rate"] = 20
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 0)
    async with world.locked("retention.cancellations"):  # so that the run is not through before all is changed
        await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r6'")
        await world.sql("DELETE FROM public.rounds WHERE round_id = 'r7'")
        await world.sql("UPDATE public.rounds SET last_activity_at = now() WHERE round_id = 'r8'")
        assert 0 == (await hold(world, "--user", "user-r9")).code
    done = await process.ended()
    assert (0, {"cancelled": 56, "held": 1, "no_longer_open": 3}) == (done.code, done.json["states"]), done.err
    assert not {"r6", "r7", "r8", "r9"} & {request.round_id for request in world.vendor.requests}
    rows = await world.sql(
        "SELECT round_id, state, attempts, detail, settled_at IS NOT NULL AS settled FROM retention.cancellations"
        " WHERE state <> 'cancelled' ORDER BY round_id"
    )
    assert [
        ("r6", "no_longer_open", 0, True),
        ("r7", "no_longer_open", 0, True),
        ("r8", "no_longer_open", 0, True),
        ("r9", "held", 0, True),
    ] == [(row.round_id, row.state, row.attempts, row.settled) for row in rows]
    assert "came back" in rows[2].detail
    told = {event["round_id"]: event["outcome"] for event in done.events if event["event"] == "round.settled"}
    assert {"r6": "no_longer_open", "r7": "no_longer_open", "r8": "no_longer_open", "r9": "held"} == told
    assert [] == await violations(world)


async def test_idle_longer_than_spares_a_player_who_came_back(world: World) -> None:
    """Where the policy wants players idle, activity within that time is enough, even if it is older than the plan."""
    await world.seed(30)
    world.policy["idle_longer_than"] = "24h"
    world.partner["rate"] = 20
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 0)
    await world.sql("UPDATE public.rounds SET last_activity_at = now() - interval '2 hours' WHERE round_id = 'r9'")
    await world.sql("UPDATE public.rounds SET last_activity_at = now() - interval '25 hours' WHERE round_id = 'r8'")
    done = await process.ended()
    assert (0, {"cancelled": 29, "no_longer_open": 1}) == (done.code, done.json["states"]), done.err
    assert "r9" not in {request.round_id for request in world.cancels}


async def test_a_hold_by_each_field_leaves_its_rounds_out(world: World) -> None:
    """Partner, market, game, user, round, and all that is given together: each hold exempts that and no more."""
    world.extra = TWO_PARTNERS.format(url=world.vendor.url)
    world.vendor.secure_login = None
    world.partner["send_game_id"] = False  # the vendor knows them all by one game
    await world.seed(3)
    await world.seed(1, prefix="partner", partner="other")
    await world.seed(1, prefix="market", market="SE")
    await world.seed(4, prefix="pair", market="GB")
    await world.sql("UPDATE public.rounds SET game = 'wheel' WHERE round_id IN ('r2', 'pair1')")
    await world.sql("UPDATE public.rounds SET game = 'cards' WHERE round_id IN ('r1', 'pair2')")
    held = {
        "partner0": ("--partner", "other"),
        "market0": ("--market", "SE"),
        "r2": ("--game", "wheel", "--market", "MT"),
        "pair0": ("--user", "user-pair0"),
        "pair2": ("--market", "GB", "--game", "cards", "--user", "user-pair2", "--partner", "acme"),
        "pair3": ("--round", "pair3"),
        # These match in all fields but one.
        "": ("--market", "GB", "--game", "cards", "--round", "r1"),
    }
    assert {0} == {done.code for done in await asyncio.gather(*(hold(world, *words) for words in held.values()))}
    done = await world.command("plan", "--json")
    assert (3, {"held": 6}) == (done.json["rounds"], done.json["left_out"])
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    assert {"r0", "r1", "pair1"} == {request.round_id for request in world.vendor.requests}


async def test_a_hold_stands_until_its_end_or_its_release(world: World) -> None:
    """A hold counts until its end or its release and no longer, and is listed with who, why and until when."""
    await world.seed(2)
    now = datetime.now(UTC)
    past, soon = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    refused, *added = await asyncio.gather(
        hold(world, "--round", "r0", "--until", past),
        hold(world, "--round", "r0", "--partner", "acme", "--market", "MT", "--until", soon),
        hold(world, "--user", "user-r1", "--game", "game"),
    )
    assert 2 == refused.code
    assert refused.err.startswith("error: the hold would have ended")
    assert {0} == {done.code for done in added}
    first, second = sorted((await world.command("hold", "list", "--json")).json, key=lambda row: row["round_id"] or "")
    names = ("partner", "market", "game_id", "user_id", "round_id", "reason", "created_by", "until", "released_at")
    assert [None, None, "game", "user-r1", None, "complaint 7", "tess", None, None] == [first[name] for name in names]
    assert ["acme", "MT", None, None, "r0", "complaint 7", "tess", soon, None] == [second[name] for name in names]
    await world.sql(
        "UPDATE retention.holds SET created_at = created_at - interval '2 hours', until = until - interval '2 hours'"
        " WHERE round_id = 'r0'"
    )
    number = str(first["hold_id"])
    assert 0 == (await world.command("hold", "release", number, "--by", "ann")).code
    table, plan = await asyncio.gather(world.command("hold", "list", "--all"), world.command("plan", "--json"))
    assert all(word in table.out for word in ("user-r1", "complaint 7", "tess", "by ann"))
    assert (2, {}) == (plan.json["rounds"], plan.json["left_out"])


async def test_a_look_at_the_operators_view_is_not_old_when_its_request_leaves(world: World) -> None:
    """However slowly a partner wants to be called, no more is claimed than is sent within a few seconds."""
    await world.seed(20)
    world.partner["rate"] = 40
    await world.sql("INSERT INTO retention.partner_state (partner, kind, rate) VALUES ('acme', 'cancel', 1.25)")
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 20}) == (done.code, done.json["states"]), done.err
    (row,) = await world.sql("SELECT max(sent_at - claimed_at) AS age FROM retention.attempts WHERE kind = 'cancel'")
    assert row.age < timedelta(seconds=5)
    assert [] == await violations(world)
