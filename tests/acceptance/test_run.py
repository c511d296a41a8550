"""The job, as an operator runs it: commands in processes of their own, real sockets, a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from support.invariants import violations

if TYPE_CHECKING:
    from support.world import World


async def test_stale_rounds_are_cancelled_and_written_back(world: World) -> None:
    """A run cancels each stale round once, settles ledger and operator's table, and leaves with 0."""
    await world.seed(30)
    done = await world.command("run", "nightly", "--by", "tess", "--json")
    assert (0, {"cancelled": 30}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)
    assert 30 == len(world.cancels)


async def test_a_round_outside_the_policy_is_never_called(world: World) -> None:
    """Younger rounds, another market's and another partner's are not planned, and the vendor gets no request for
    them.
    """
    await world.seed(3)
    await world.seed(3, prefix="young", age=timedelta(hours=71))
    await world.seed(3, prefix="gb", market="GB")
    await world.seed(3, prefix="other", partner="other")
    world.policy["markets"] = ["MT"]
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"])
    assert {"r0", "r1", "r2"} == {request.round_id for request in world.vendor.requests}


async def test_a_dry_run_calls_no_vendor(world: World) -> None:
    """A dry run records its rounds as not sent, and changes neither vendor nor operator's table."""
    await world.seed(5)
    done = await world.command("run", "--dry-run", "--json")
    assert (0, "finished", {"not_sent": 5}) == (done.code, done.json["status"], done.json["states"])
    assert [] == world.vendor.requests
    assert [] == await world.sql("SELECT FROM retention.attempts")
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"])


async def test_the_default_mode_is_dry_run(world: World) -> None:
    """A policy without a mode calls no vendor, and --enforce does."""
    await world.seed(2)
    world.policy["mode"] = "dry_run"
    assert 0 == (await world.command("run")).code
    assert [] == world.vendor.requests
    assert 0 == (await world.command("run", "--enforce")).code
    assert 2 == len(world.cancels)


async def test_max_rounds_halts_before_the_first_call(world: World) -> None:
    """More stale rounds than allowed halt the run at 3; a person passes the rail by name, which is recorded."""
    await world.seed(6)
    world.policy["max_rounds"] = 5
    done = await world.command("run", "--json")
    assert (3, "halted", 6, {}) == (done.code, done.json["status"], done.json["rounds"], done.json["states"])
    assert done.json["halt_reason"].startswith("max_rounds: 6 stale rounds, the policy allows 5")
    assert [] == world.vendor.requests
    run = done.json["run_id"]
    assert 3 == (await world.command("run", "--resume", run)).code
    assert 2 == (await world.command("run", "--resume", run, "--override", "checked")).code
    done = await world.command("run", "--resume", run, "--override", "checked with Ann", "--by", "tess", "--json")
    assert (0, {"cancelled": 6}) == (done.code, done.json["states"])
    (row,) = await world.sql("SELECT overrides FROM retention.runs")
    assert [("max_rounds", "checked with Ann", "tess")] == [
        (one["rail"], one["text"], one["by"]) for one in row.overrides
    ]


async def test_a_plan_of_too_many_rounds_is_not_written(world: World) -> None:
    """A run that max_rounds halts keeps figures alone; lists tell them, and a doubt of an earlier run stays where it
    was.
    """
    await world.seed(6)
    await world.sql(
        "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)"
        " SELECT gen_random_uuid(), 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished', now();"
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, needs_follow_up)"
        " SELECT run_id, 'acme', 'MT', 'user-d', 'd', now() - interval '9 days', 'in_doubt', true FROM retention.runs"
    )
    world.register(["d"])
    world.policy["max_rounds"] = 5
    for _ in range(2):
        assert 3 == (await world.command("run")).code
    done = await world.command("run", "--json")
    run = done.json["run_id"]
    assert [("d", None)] == await world.sql("SELECT round_id, adopted_by_run FROM retention.cancellations")
    (listed,) = (one for one in (await world.command("runs", "list", "--json")).json if one["run_id"] == run)
    assert (6, "halted", True) == (listed["rounds"], listed["status"], "6 stale rounds" in listed["halt_reason"])
    await world.sql("UPDATE public.rounds SET opened_at = now() WHERE round_id = 'r0'")
    await world.seed(1, prefix="young", age=timedelta(hours=71, minutes=59, seconds=59))
    assert 0 == (await world.command("hold", "add", "--round", "r1", "--reason", "complaint", "--by", "ann")).code
    done = await world.command("run", "--resume", run, "--json")
    expected = {"cancelled": 4}, {"no_longer_open": 1}  # the view never had it
    assert (0, *expected) == (done.code, done.json["states"], done.json["taken_up"]), done.err[-2000:]
    assert {"r2", "r3", "r4", "r5"} == {request.round_id for request in world.cancels}


async def test_an_override_passes_as_many_rounds_as_there_are(world: World) -> None:
    """The plan of a run that max_rounds halted is made when a person passes the rail, even if it fits by then."""
    await world.seed(6)
    world.policy["max_rounds"] = 5
    run = (await world.command("run", "--json")).json["run_id"]
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r0'")
    words = ["--resume", run, "--override", "checked", "--by", "tess", "--json"]
    done = await world.command("run", *words)
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err
    (row,) = await world.sql("SELECT overrides, unwritten_plan FROM retention.runs")
    assert (["max_rounds"], None) == ([one["rail"] for one in row.overrides], row.unwritten_plan)


@pytest.mark.parametrize(
    "value",
    [
        "stake = NULL",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("stake = -1000", "currency = NULL", "currency = 'eur'")
        ),
        "currency = ''",
    ],
)
async def test_a_stake_that_max_amount_cannot_judge_halts_the_run(world: World, value: LiteralString) -> None:
    """Stakes without a sensible amount or currency halt the run by name, as many as are not allowed, and lower no
    sum.
    """
    await world.seed(3, stake="40")
    await world.sql("UPDATE public.rounds SET " + value + " WHERE round_id = 'r1'")
    world.policy["max_amount"] = {"EUR": "100"}
    plan = await world.command("plan", "--json")
    assert ["max_amount_unknown"] == [rail["rail"] for rail in plan.json["rails"]]
    done = await world.command("run", "--json")
    assert (3, True) == (done.code, done.json["halt_reason"].startswith("max_amount_unknown: 1 round with"))
    assert [] == world.cancels
    run = done.json["run_id"]
    assert 3 == (await world.command("run", "--resume", run)).code
    words = ["--resume", run, "--override", "checked", "--by", "tess"]
    assert [] == world.cancels
    assert (await world.command("run", *words)).code in {0, 4}
    assert 3 == len(world.cancels)


async def test_unjudged_stakes_may_be_allowed(world: World) -> None:
    """max_amount_unknown lets so many pass; without max_amount none of it matters; currencies without a limit are
    named.
    """
    await world.seed(3, stake="40")
    await world.seed(1, prefix="s", currency="SEK")
    await world.sql("UPDATE public.rounds SET stake = -1000 WHERE round_id IN ('r1', 'r2')")
    world.policy |= {"max_amount": {"EUR": "30"}, "max_amount_unknown": 2}
    plan = await world.command("plan", "--json")
    assert (["max_amount"], ["SEK"]) == ([rail["rail"] for rail in plan.json["rails"]], plan.json["unlimited"])
    check = await world.command("check")
    assert "max_amount of policy nightly: has no limit for stakes in SEK" in check.out
    world.policy.pop("max_amount")
    world.policy["max_amount_unknown"] = 0
    assert [] == (await world.command("plan", "--json")).json["rails"]


@pytest.mark.parametrize(("code", "mend"), [("eur", "write EUR"), ("EURO", "such as EUR"), (" EUR", "write EUR")])
async def test_a_currency_that_no_stake_has_is_refused(world: World, code: str, mend: str) -> None:
    """A limit under a code that ISO 4217 does not have would limit nothing."""
    world.policy["max_amount"] = {code: "10"}
    done = await world.command("plan")
    assert (2, True, True) == (done.code, mend in done.err, "max_amount" in done.err), done.err


async def test_max_amount_halts_by_currency(world: World) -> None:
    """The sum of stakes in one currency halts the run, despite the other currencies."""
    await world.seed(3, stake="40", currency="EUR")
    await world.seed(3, prefix="s", stake="4000", currency="SEK")
    world.policy["max_amount"] = {"EUR": "100"}
    done = await world.command("run", "--json")
    assert (3, "max_amount: stakes of 120.00 EUR, the policy allows 100.00") == (done.code, done.json["halt_reason"])


async def test_max_rounds_counts_the_rounds_within_the_limit(world: World) -> None:
    """--limit plans the oldest rounds, and max_rounds is held against those alone."""
    await world.seed(3, prefix="old", age=timedelta(days=9))
    await world.seed(8)
    world.policy["max_rounds"] = 5
    done = await world.command("run", "--limit", "3", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"])
    assert {"old0", "old1", "old2"} == {request.round_id for request in world.vendor.requests}


async def test_a_younger_older_than_needs_a_reason(world: World) -> None:
    """--older-than below the policy's age is refused without --reason, and recorded with it."""
    await world.seed(2, age=timedelta(hours=30))
    assert 2 == (await world.command("run", "--older-than", "24h")).code
    done = await world.command("run", "--older-than", "24h", "--reason", "order 17", "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"])
    (row,) = await world.sql("SELECT reason, settings FROM retention.runs")
    assert ("order 17", "1d") == (row.reason, row.settings["open_longer_than"])


async def test_a_market_on_demand_is_only_ever_narrowed(world: World) -> None:
    """--market runs one of the policy's markets, and refuses another."""
    await world.seed(2)
    await world.seed(2, prefix="se", market="SE")
    world.policy["markets"] = ["MT", "SE"]
    assert 2 == (await world.command("run", "--market", "GB")).code
    done = await world.command("run", "--market", "SE", "--json")
    assert (0, {"se0", "se1"}) == (done.code, {request.round_id for request in world.vendor.requests})


async def test_plan_makes_no_write_and_no_call(world: World) -> None:
    """`plan` tells count, stakes, oldest, time needed and tripped rails, and leaves no trace."""
    await world.seed(4, stake="2.25")
    await world.seed(2, prefix="se", market="SE", stake="10", currency="SEK")
    world.policy["max_rounds"] = 5
    world.partner["rate"] = 2
    done = await world.command("plan", "--json")
    assert 0 == done.code
    assert (6, {"EUR": "9", "SEK": "20"}, 3.0) == (
        done.json["rounds"],
        done.json["stakes"],
        done.json["eta_seconds"],
    )
    assert ["max_rounds"] == [rail["rail"] for rail in done.json["rails"]]
    assert [] == world.vendor.requests
    assert [] == await world.sql("SELECT FROM retention.runs")
    assert "6 rounds to cancel" in (await world.command("plan")).out


async def test_idle_longer_than_spares_active_players(world: World) -> None:
    """With idle_longer_than a round whose player was seen lately is not planned, one never seen is."""
    await world.seed(3)
    await world.sql("UPDATE public.rounds SET last_activity_at = now() - interval '1 hour' WHERE round_id = 'r0'")
    await world.sql("UPDATE public.rounds SET last_activity_at = now() - interval '2 days' WHERE round_id = 'r1'")
    world.policy["idle_longer_than"] = "24h"
    done = await world.command("run", "--json")
    assert (0, {"r1", "r2"}) == (done.code, {request.round_id for request in world.vendor.requests})


async def test_a_second_run_plans_no_cancelled_round(world: World) -> None:
    """A cancelled round is not planned again, and a run without work exits with 0."""
    await world.seed(3)
    assert 0 == (await world.command("run")).code
    done = await world.command("run", "--json")
    assert (0, 0) == (done.code, done.json["rounds"])
    assert 3 == len(world.cancels)


async def test_a_cancelled_round_that_the_operator_still_shows_is_not_called_again(world: World) -> None:
    """A round that the ledger has as cancelled is left out of plans even where the operator's view keeps showing it."""
    await world.seed(2)
    assert 0 == (await world.command("run")).code
    await world.sql("UPDATE public.rounds SET status = 0")
    done = await world.command("plan", "--json")
    assert (0, {"in_ledger": 2}) == (done.json["rounds"], done.json["left_out"])


async def test_a_slow_send_check_delays_no_claim_that_missed_its_slot(world: World) -> None:
    """Claims that were made while a lock was waited for are released unsent, and their rounds looked up anew."""
    await world.seed(4)
    world.partner |= {"concurrency": 1, "rate": 200, "timeout": "4s"}
    world.vendor.latency = 0.3
    process = await world.start("run", "--json")
    await process.until(world.vendor, lambda: bool(world.vendor.requests))
    async with world.locked("retention.holds"):
        await world.until_waiting()
        await asyncio.sleep(1.2)  # how long that look takes
    done = await process.ended()
    assert (0, {"cancelled": 4}) == (done.code, done.json["states"]), done.err
    assert ["r0", "r1", "r2", "r3"] == sorted(request.round_id for request in world.cancels)
    assert [] == await violations(world)


async def test_resume_leaves_a_failed_run_failed(world: World) -> None:
    """A failed run with no claim left to send is only reported; a new run cancels its unsent rounds."""
    await world.seed(3)
    world.partner |= {"api_url": "http://127.0.0.1:9", "max_attempts": 1}
    failed = await world.command("run", "--json")
    assert (5, "failed") == (failed.code, failed.json["status"]), failed.err
    del world.partner["api_url"]
    resumed = await world.command("run", "--resume", failed.json["run_id"], "--json")
    assert (5, "failed", failed.json["states"]) == (resumed.code, resumed.json["status"], resumed.json["states"])
    assert [] == world.cancels
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
