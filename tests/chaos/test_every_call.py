"""A sample of the trials of `tests/chaos/kills.py`, and that it strikes where it says."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from typing import TYPE_CHECKING

import pytest
from support import strace
from support.scenarios import INJECTIONS, SCENARIOS
from support.trial import Left, Place, finish, profile, strike, try_out

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(strace.missing() is not None, reason=str(strace.missing()))

CHANCE = random.Random(20)

# Every scenario makes more of these calls than that; calls on files and pipes do not count.
SAMPLE = [
    pytest.param(
        scenario,
        *CHANCE.choice([("sendto", CHANCE.randrange(1, 36)), ("recvfrom", CHANCE.randrange(1, 32))]),
        marks=marks,
    )
    for scenario, marks in (
        ("lost", ()),
        ("targeted", pytest.mark.long),
        ("approved", ()),
        ("stopped", pytest.mark.long),
    )
]

OTHERS = [
    ("lost", "reset", "recvfrom", 20),
    pytest.param("refused", "cut", "sendto", 30, marks=pytest.mark.long),
]


@pytest.fixture
def place(postgres: str, template: str) -> Place:
    """Return where worlds are made."""
    return Place(postgres, template)


async def killed(place: Place, near: strace.Point, left: Callable[[Left], bool]) -> None:
    """Kill a plain run at that call, or, since runs differ a little, at one beside it, so that it leaves this state."""
    found = []
    for step in (0, 1, -1, 2, -2, 3):
        async with place.world() as world:
            point = strace.Point(near.call, max(1, near.number + step))
            struck = await strike(world, SCENARIOS["plain"], INJECTIONS["kill"], point)
            assert -signal.SIGKILL == struck.done.code
            if left(struck.left):
                assert [] == (await finish(world, struck)).violations
                return
        found.append((point, struck.left))
    pytest.fail(f"killed elsewhere: {found}")


@pytest.mark.long
async def test_kill_points_reach_each_step_of_a_run(place: Place) -> None:
    """The points reach all moments: before the plan, before a request, before its reply is read, after its
    settlement.
    """
    async with place.world() as world:
        calls = await profile(world, SCENARIOS["plain"])
    sent = next(call for call in calls if call.line.startswith("write(") and call.kind == "TCP")
    read = next(call for call in calls if call.line.startswith("read(") and call.kind == "TCP")
    # The log's pipe, under any number.
    told = next(call for call in calls[calls.index(read) :] if re.match(r"write\(\d+<pipe:", call.line))

    def unsettled(left: Left) -> bool:  # the first round is claimed, and may be sent, before the others are claimed
        return {"claimed"} <= set(left.states.values()) <= {"claimed", "planned"}

    await asyncio.gather(
        killed(place, strace.Point("sendto", 4), lambda left: not left.runs),
        killed(place, sent.point, lambda left: unsettled(left) and not left.heard),
        killed(place, read.point, lambda left: unsettled(left) and bool(left.heard)),
        killed(place, told.point, lambda left: ["running"] == left.runs and "cancelled" in left.states.values()),
    )


@pytest.mark.parametrize(("scenario", "call", "number"), SAMPLE)
async def test_a_run_killed_at_a_call_cancels_each_round_once(
    place: Place, scenario: str, call: str, number: int
) -> None:
    """Killed at a send or a receive, and gone on with: every round is cancelled once, or listed for review."""
    async with place.world() as world:
        trial = await try_out(world, SCENARIOS[scenario], INJECTIONS["kill"], strace.Point(call, number))
    assert [] == trial.violations
    assert trial.struck.call is not None
    assert -signal.SIGKILL == trial.struck.done.code


@pytest.mark.parametrize(("scenario", "injection", "call", "number"), OTHERS)
async def test_a_run_cut_off_or_frozen_at_a_call_ends_by_itself(
    place: Place, scenario: str, injection: str, call: str, number: int
) -> None:
    """Where a call fails or lasts, the process ends by itself with a code of the contract, and no round is lost."""
    async with place.world() as world:
        trial = await try_out(world, SCENARIOS[scenario], INJECTIONS[injection], strace.Point(call, number))
    assert [] == trial.violations
    assert trial.struck.call is not None
    assert trial.struck.call.network
