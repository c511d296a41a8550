"""One row of the operator's is one round, and a round is the same only while its player, market and opening are."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest
from support.invariants import violations

if TYPE_CHECKING:
    from support.world import World

TWINS = """
    CREATE TABLE public.twins (LIKE public.rounds);
    ALTER VIEW retention.open_rounds RENAME TO single_rounds;
    CREATE VIEW retention.open_rounds AS
    SELECT * FROM retention.single_rounds
    UNION ALL
    SELECT partner, market, game, user_id, round_id, opened_at, last_activity_at, currency, stake, bet_tx FROM public.twins
"""


async def twin(world: World, name: str, **changes: str) -> None:
    """Let the view have a round once more, with some columns changed."""
    await world.sql("INSERT INTO public.twins SELECT * FROM public.rounds WHERE round_id = %(name)s", name=name)
    for column, value in changes.items():
        await world.sql(
            f"UPDATE public.twins SET {column} = {value} WHERE round_id = %(name)s",
            name=name,
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "'another'", "stake": "250"},
        {"last_activity_at": "now() - interval '5 minutes'"},
        *[pytest.param(one, marks=pytest.mark.long) for one in ({"opened_at": "now()"}, {"market": "'GB'"}, {})],
    ],
    ids=["another player", "active", "young", "another market", "the same row"],
)
async def test_a_round_that_the_view_has_twice_is_left_out_and_named(world: World, changes: dict[str, str]) -> None:
    """A doubled round is counted and named by plan and check, and neither it nor its twin is called or closed."""
    await world.seed(3)
    await world.sql(TWINS)
    world.policy |= {"idle_longer_than": "1h", "markets": ["MT"]}
    await twin(world, "r1", **changes)
    plan = await world.command("plan", "--json")
    assert (2, "3.00") == (plan.json["rounds"], f"{float(plan.json['stakes']['EUR']):.2f}")
    assert {"doubled"} == set(plan.json["left_out"])
    assert [("acme", "r1")] == [(one["partner"], one["round_id"]) for one in plan.json["doubled"]]
    shown = await world.command("plan")
    assert "acme/r1" in shown.out
    check = await world.command("check", "--json")
    (found,) = (one for one in check.json["checks"] if one["name"].startswith("doubled"))
    assert (True, True) == (
        "1 of acme (r1)" in found["message"] or "2 of acme (r1" in found["message"],
        found["warning"],
    )
    told = await world.command("explain", "--partner", "acme", "--round", "r1")
    assert "2 times" in told.out
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err[-2000:]
    assert "r1" not in {request.round_id for request in world.vendor.requests}
    rows = await world.sql("SELECT status FROM public.rounds WHERE round_id = 'r1'")
    assert [0] == [row.status for row in rows]
    assert [] == await violations(world)


async def test_a_round_that_is_doubled_after_its_plan_is_not_called(world: World) -> None:
    """A round that the view has twice at its turn is not sent, and is listed for review."""
    await world.seed(12)
    await world.sql(TWINS)
    world.partner["rate"] = 5
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: bool(world.vendor.requests))
    await twin(world, "r9", user_id="'another'")
    done = await process.ended()
    assert (4, {"cancelled": 11, "not_sent": 1}) == (done.code, done.json["states"]), done.err[-2000:]
    assert "r9" not in {request.round_id for request in world.cancels}
    (row,) = (await world.command("review", "list", "--json")).json
    assert ("r9", "not_sent", True) == (row["round_id"], row["state"], "2 times" in row["detail"])
    assert [] == await violations(world)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("opened_at = now() - interval '4 days'", "opened at"),
        ("user_id = 'another'", "another player"),
        ("market = 'GB'", "in market GB"),
    ],
)
@pytest.mark.parametrize(
    "asks_first", [True, pytest.param(False, marks=pytest.mark.long)], ids=["asks first", "does not ask"]
)
async def test_another_round_under_the_same_id_is_not_called(
    world: World, change: LiteralString, words: str, asks_first: bool
) -> None:
    """A round that was opened again under its id since the plan is `no_longer_open`, by any of the distinguishing
    fields.
    """
    await world.seed(8)
    world.partner |= {"rate": 5, "ask_first": asks_first}
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: bool(world.vendor.requests))
    await world.sql("UPDATE public.rounds SET " + change + " WHERE round_id = 'r7'")
    done = await process.ended()
    assert (0, {"cancelled": 7, "no_longer_open": 1}) == (done.code, done.json["states"]), done.err[-2000:]
    assert "r7" not in {request.round_id for request in world.cancels}
    rows = await world.sql("SELECT detail FROM retention.cancellations WHERE round_id = 'r7'")
    assert words in rows[0].detail
    assert [] == await violations(world)


@pytest.mark.parametrize(
    "more",
    [
        "SELECT 'acme', 's0'",
        "SELECT 'other', p_round_id[1] FROM public.rounds LIMIT 1",
        "SELECT p_partner[i], p_round_id[i] FROM generate_series(1, 1) i WHERE 'r3' = ANY (p_round_id)",
        "SELECT NULL, NULL",
    ],
    ids=["a round not asked for", "another partner's", "one twice", "nothing that is a round"],
)
async def test_closings_beyond_the_requested_rounds_are_undone(world: World, more: LiteralString) -> None:
    """Further rounds that the operator's function closes are undone, and the round is a conflict."""
    await world.seed(6)
    await world.seed(1, prefix="s", market="SE")
    world.policy |= {"markets": ["MT"], "max_conflicts": 10}
    await world.sql("ALTER FUNCTION retention.close_rounds RENAME TO close_rounds_well")
    await world.sql(
        "CREATE FUNCTION retention.close_rounds(p_partner text[], p_round_id text[], p_cancelled_at timestamptz[],"
        " p_currency text[], p_amount numeric[], p_transaction_id text[]) RETURNS TABLE (partner text, round_id text)"
        " LANGUAGE plpgsql AS $$ BEGIN IF cardinality(p_round_id) = 0 THEN RETURN; END IF;"
        " UPDATE public.rounds r SET status = 2 WHERE r.round_id = 's0';"
        " RETURN QUERY SELECT * FROM retention.close_rounds_well($1, $2, $3, $4, $5, $6) UNION ALL ("
        + more
        + "); END $$"
    )
    done = await world.command("run", "--json")
    conflicts = 1 if "r3" in more else 6
    assert (4, {"cancelled": 6}, conflicts) == (done.code, done.json["states"], done.json["conflicts"]), done.err[
        -2000:
    ]
    rows = await world.sql("SELECT detail FROM retention.cancellations WHERE conflict")
    assert all("not asked to close, or one twice" in row.detail for row in rows)
    rows = await world.sql("SELECT round_id FROM public.rounds WHERE status = 0 ORDER BY round_id")
    open_still = {row.round_id for row in rows}
    assert ({"r3"} if conflicts == 1 else {"r0", "r1", "r2", "r3", "r4", "r5", "s0"}) == open_still
