"""A sample of what `tests/chaos/kills.py` goes through, and that it strikes where it says."""

from __future__ import annotations

import asyncio
import random
import signal

import pytest
from support import strace
from support.trial import INJECTIONS, SCENARIOS, Place, Trial, profile, try_out

pytestmark = pytest.mark.skipif(strace.missing() is not None, reason=str(strace.missing()))

CHANCE = random.Random(20)

# Every scenario makes more of these calls than that; what is read and written over files and pipes is not in it.
SAMPLE = [
    (scenario, *CHANCE.choice([("sendto", CHANCE.randrange(1, 36)), ("recvfrom", CHANCE.randrange(1, 32))]))
    for scenario in ("plain", "lost", "stopped", "serve")
]

OTHERS = [("lost", "reset", "recvfrom", 20), ("refused", "cut", "sendto", 30), ("plain", "delay", "sendto", 28)]


@pytest.fixture
def place(postgres: str, template: str) -> Place:
    """Return where worlds are made."""
    return Place(postgres, template)


async def killed_at(place: Place, point: strace.Point, kind: str) -> Trial:
    """Kill a plain run at that call, or where the like of it comes in a run that differs a little."""
    for step in (0, 1, -1, 2, -2):
        async with place.world() as world:
            moved = strace.Point(point.call, max(1, point.number + step))
            trial = await try_out(world, SCENARIOS["plain"], INJECTIONS["kill"], moved)
        assert [] == trial.violations
        if trial.call is not None and trial.call.kind == kind:
            assert -signal.SIGKILL == trial.done.code
            return trial
    return pytest.fail(f"no {kind} was hit near {point}")


async def test_kills_fall_between_any_two_steps(place: Place) -> None:
    """The points are where they are said to be: before the plan, before and after a request, after its settlement."""
    async with place.world() as world:
        calls = await profile(world, SCENARIOS["plain"])
    send = next(call for call in calls if call.kind == "TCP" and call.point.call == "write")
    reply = next(call for call in calls if call.kind == "TCP" and call.point.call == "read")
    told = next(call for call in calls[calls.index(reply) :] if call.kind == "pipe" and call.point.call == "write")
    unplanned, unsent, unheard, settled = (
        trial.left
        for trial in await asyncio.gather(
            killed_at(place, strace.Point("sendto", 4), "UNIX-STREAM"),
            *(killed_at(place, call.point, call.kind) for call in (send, reply, told)),
        )
    )
    assert ([], {}, []) == (unplanned.runs, unplanned.states, unplanned.heard)
    assert (["running"], {"claimed"}, []) == (unsent.runs, set(unsent.states.values()), unsent.heard)
    assert (["running"], {"claimed"}) == (unheard.runs, set(unheard.states.values()))
    assert unheard.heard
    assert "cancelled" in settled.states.values()
    assert ["running"] == settled.runs


@pytest.mark.parametrize(("scenario", "call", "number"), SAMPLE)
async def test_killed_at_a_call(place: Place, scenario: str, call: str, number: int) -> None:
    """Killed at a send or a receive, and gone on with: every round is cancelled once, or listed for review."""
    async with place.world() as world:
        trial = await try_out(world, SCENARIOS[scenario], INJECTIONS["kill"], strace.Point(call, number))
    assert [] == trial.violations
    assert trial.call is not None
    assert -signal.SIGKILL == trial.done.code


@pytest.mark.parametrize(("scenario", "injection", "call", "number"), OTHERS)
async def test_cut_off_or_frozen_at_a_call(place: Place, scenario: str, injection: str, call: str, number: int) -> None:
    """Where a call fails or lasts, the process ends by itself with a code of the contract, and nothing is lost."""
    async with place.world() as world:
        trial = await try_out(world, SCENARIOS[scenario], INJECTIONS[injection], strace.Point(call, number))
    assert [] == trial.violations
    assert trial.call is not None
    assert trial.call.network
