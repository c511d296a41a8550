"""Hopeless work does not keep the rest from its turn: old doubts, rounds that are always refused, a paused partner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from support.invariants import violations
from support.world import OTHER_LOGIN

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

OLD = [f"old{number}" for number in range(100)]

STUCK: dict[str, dict[str, Any]] = {
    "in_doubt": {"round_ids": OLD, "status": 500, "call": "CancelRound"},
    "rejected": {"round_ids": OLD, "code": "1", "call": "CancelRound"},
}


async def first_night(world: World, fault: dict[str, Any]) -> list[str]:
    """A run of rounds with which the vendor always fails: the failure rail halts it half-way. Returns the tried ones."""
    # Slow enough that a busy machine writes fifty failures before the last round has left.
    world.partner |= {"status_probe": False, "ask_first": False, "max_attempts": 1, "rate": 50}
    world.policy["max_failure_ratio"] = 0.2
    await world.seed(len(OLD), prefix="old")
    world.vendor.faults = Faults.of(fault)
    done = await world.command("run", "--json")
    assert (3, "max_failure_ratio") == (done.code, done.json["halt_reason"].partition(":")[0]), done.err
    del world.partner["rate"]
    tried = [name for name, state in (await world.states()).items() if state != "planned"]
    # Rounds that it did not reach would be new to the next run: they end otherwise.
    await world.sql("DELETE FROM public.rounds WHERE round_id <> ALL (%(tried)s)", tried=tried)
    return tried


@pytest.mark.parametrize("state", STUCK)
async def test_rounds_that_fail_every_night_do_not_halt_the_run_of_new_ones(world: World, state: str) -> None:
    """Rounds that failed in an earlier run have a failure window of their own: all new rounds are cancelled."""
    tried = await first_night(world, STUCK[state])
    await world.seed(150)
    done = await world.command("run", "--json")
    assert (4, "finished", 150) == (done.code, done.json["status"], done.json["states"]["cancelled"]), done.err
    states = [now for name, now in (await world.states()).items() if name in tried]
    assert state in states
    assert {state, "not_sent"} >= {*states}
    assert [] == await violations(world)


async def test_a_window_of_failures_leaves_the_old_rounds_to_a_later_run(world: World) -> None:
    """Where the rounds of earlier runs fail again too often, the run leaves the rest of them alone, and says so."""
    world.partner |= {"status_probe": False, "ask_first": False, "max_attempts": 1, "rate": 100, "concurrency": 2}
    world.policy["max_failure_ratio"] = 1.0
    await world.seed(150, prefix="old")
    world.vendor.faults = Faults.of({"status": 500, "call": "CancelRound"})
    done = await world.command("run", "--json")
    assert (4, {"in_doubt": 150}) == (done.code, done.json["states"]), done.err
    world.policy["max_failure_ratio"] = 0.2
    before = len(world.cancels)
    done = await world.command("run", "--json")
    assert (4, "finished", {"in_doubt": 150}) == (done.code, done.json["status"], done.json["taken_up"]), done.err
    assert 50 <= len(world.cancels) - before < 150
    assert ["run.tried_rounds_left"] == [line["event"] for line in done.events if "tried" in line["event"]]
    left = await world.sql(
        "SELECT FROM retention.cancellations WHERE detail LIKE '%%tried before, and left to a later run: %%'"
    )
    assert before + 150 - len(world.cancels) == len(left)


async def test_old_doubts_and_new_rounds_take_turns(world: World) -> None:
    """While many old doubts are due, about every second request is for a new round."""
    await first_night(world, STUCK["in_doubt"])
    await world.seed(40)
    world.partner |= {"rate": 20, "concurrency": 5, "max_attempts": 3}
    world.policy |= {"max_failure_ratio": 1.0}
    since = len(world.cancels)
    running = await world.start("run", "--json")
    await running.until(world.vendor, lambda: len(world.cancels) >= since + 40)
    asked = [request.round_id for request in world.cancels[since : since + 40]]
    assert 15 <= sum(name not in OLD for name in asked) <= 36, asked
    await running.gone()


async def test_a_paused_partner_halts_no_other_partner(world: World) -> None:
    """While one partner of a run is paused, the others' rounds are cancelled; the rest follows when the pause ends."""
    world.extra = (
        f'[partners.other]\nsecure_login = "{OTHER_LOGIN}"\napi_url = "{world.vendor.url}"\n'
        'token = "token-9d41c7b2e6"\nrate = 2000\n'
    )
    world.vendor.secure_login = None
    await world.seed(30)
    await world.seed(30, prefix="other", partner="other")
    paused = await world.command("pause", "--partner", "other", "--by", "tess", "--reason", "odd refunds")
    assert 0 == paused.code, paused.err
    done = await world.command("run", "--json")
    why = "paused by tess: odd refunds (other); `retention resume --partner other --by WHO` ends it"
    assert (3, "halted", why) == (done.code, done.json["status"], done.json["halt_reason"]), done.err
    assert {"cancelled": 30, "planned": 30} == done.json["states"]
    assert not [request for request in world.vendor.requests if request.round_id.startswith("other")]
    both = await asyncio.gather(
        world.command("resume", "--partner", "other", "--by", "tess"),
        world.command("pause", "--partner", "acme", "--by", "tess", "--reason", "odd refunds"),
    )
    assert [0, 0] == [command.code for command in both]
    done = await world.command("run", "--resume", done.json["run_id"], "--json")
    assert (0, {"cancelled": 60}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)


async def test_a_pause_that_comes_in_the_midst_stops_that_partner_alone(world: World) -> None:
    """A second after a partner is paused it gets no request any more, while another's go on to their end."""
    world.extra = (
        f'[partners.other]\nsecure_login = "{OTHER_LOGIN}"\napi_url = "{world.vendor.url}"\n'
        'token = "token-9d41c7b2e6"\nrate = 40\n'
    )
    world.vendor.secure_login = None
    world.partner["rate"] = 60
    await world.seed(120)
    await world.seed(200, prefix="other", partner="other")
    running = await world.start("run", "--json")
    await running.until(world.vendor, lambda: any(request.round_id.startswith("other") for request in world.cancels))
    paused = await world.command("pause", "--partner", "other", "--by", "tess", "--reason", "odd refunds")
    done = await running.ended()
    assert (0, 3) == (paused.code, done.code), done.err
    (pause,) = await world.sql("SELECT paused_at FROM retention.pauses")
    late = [one for one in world.vendor.requests if one.round_id.startswith("other") and one.at > pause.paused_at]
    assert all((one.at - pause.paused_at).total_seconds() <= 1 for one in late)
    states = await world.states()
    assert {"cancelled"} == {state for name, state in states.items() if name.startswith("r")}
    assert "planned" in {state for name, state in states.items() if name.startswith("other")}
    assert [] == await violations(world)
