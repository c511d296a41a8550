"""The rail `max_drift`: an approved set that has shrunk since is looked at by a person again before its first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.world import World

WORDS = "max_drift: 3 of 10 approved rounds are gone (1 closed, 1 on hold, 1 opened again), the policy allows 20%"


@pytest.fixture
async def approved(world: World) -> str:
    """Return a run of ten rounds that is approved; three of its rounds are gone since."""
    world.policy |= {"requires_approval": True, "max_drift": 0.2}
    await world.seed(10)
    run_id: str = (await world.command("run", "--by", "ann", "--json")).json["run_id"]
    assert 0 == (await world.command("approve", run_id, "--by", "bob")).code
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r0'")
    await world.sql("UPDATE public.rounds SET opened_at = opened_at - interval '1 day' WHERE round_id = 'r1'")
    assert 0 == (await world.command("hold", "add", "--round", "r2", "--reason", "dispute", "--by", "ann")).code
    return run_id


async def test_a_set_that_has_drifted_halts_before_the_first_call(world: World, approved: str) -> None:
    """More gone rounds than allowed halt the approved run at 3 without a request; a person passes the rail by name."""
    for _ in range(2):
        done = await world.command("run", "--resume", approved, "--json")
        assert (3, "halted", WORDS) == (done.code, done.json["status"], done.json["halt_reason"]), done.err
    assert [] == world.vendor.requests
    assert "approved" == (await world.command("runs", "show", approved, "--json")).json["approval"]
    done = await world.command("run", "--resume", approved, "--override", "known", "--by", "tess", "--json")
    assert (0, {"cancelled": 7, "held": 1, "no_longer_open": 2}) == (done.code, done.json["states"]), done.err
    (row,) = await world.sql("SELECT overrides FROM retention.runs")
    assert [("max_drift", "known", "tess")] == [(one["rail"], one["text"], one["by"]) for one in row.overrides]
    shown = (await world.command("runs", "show", approved, "--json")).json
    assert ("used", "bob", None) == (shown["approval"], shown["approved_by"], shown["plan"])


async def test_a_drift_within_the_limit_starts_the_run(world: World, approved: str) -> None:
    """As many gone rounds as allowed halt nothing: the others are sent."""
    await world.sql("UPDATE public.rounds SET status = 0 WHERE round_id = 'r0'")
    done = await world.command("run", "--resume", approved, "--json")
    assert (0, {"cancelled": 8, "held": 1, "no_longer_open": 1}) == (done.code, done.json["states"]), done.err


async def test_a_waiting_run_shows_its_approval(world: World) -> None:
    """A run that waits shows its plan, its digest and the state of its approval."""
    world.policy["requires_approval"] = True
    await world.seed(2)
    run_id = (await world.command("run", "--by", "ann", "--json")).json["run_id"]
    shown = (await world.command("runs", "show", run_id, "--json")).json
    assert ("waiting", 2, 64) == (shown["approval"], shown["plan"]["rounds"], len(shown["plan_digest"]))
    assert "approval: waiting" in (await world.command("runs", "show", run_id)).out
