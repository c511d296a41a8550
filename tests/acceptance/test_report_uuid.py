"""The uuid of a reported round is that of a cancel request to the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retention.simulator.faults import Faults
from retention.simulator.rounds import RoundStatus

if TYPE_CHECKING:
    from support.world import World

FIRST, SECOND = 0, 1

CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, int]] = {
    "plain": ([], {}, "cancelled", FIRST),
    "cut, and told by a question": ([{"cut": "middle", "first": 1}], {}, "cancelled", FIRST),
    "cut before, sent again": ([{"cut": "before", "first": 1}], {}, "cancelled", SECOND),
    "cut after, and resent": ([{"cut": "after", "first": 1}], {"status_probe": False}, "already_cancelled", FIRST),
    "done, turned away, and told by a question": (
        [{"cut": "after", "first": 1}, {"call": "GetRoundStatus", "status": 500, "first": 2}],
        {"ask_first": False},
        "cancelled",
        FIRST,
    ),
}


SHORT = {"cut, and told by a question", "done, turned away, and told by a question"}


@pytest.mark.parametrize("case", [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in CASES])
async def test_the_reported_uuid_is_the_newest_possible_cancel(world: World, case: str) -> None:
    """A report names the newest cancel request that may have cancelled the round, even after a probe settled it."""
    faults, partner, outcome, nth = CASES[case]
    world.partner |= partner
    await world.seed(1)
    world.vendor.faults = Faults.of(*faults)
    done = await world.command("run", "--json")
    assert {outcome: 1} == done.json["states"], done.err
    (row,) = (await world.command("report", "--json")).json["rounds"]
    assert (outcome, world.cancels[nth].uuid) == (row["outcome"], row["uuid"])


async def test_a_round_cancelled_before_our_request_has_no_uuid(world: World) -> None:
    """A round that a status probe found cancelled, before any request, has no uuid in JSON and CSV."""
    await world.seed(1)
    for one in world.vendor.rounds.values():
        one.status = RoundStatus.CANCELED
    done = await world.command("run", "--json")
    assert {"already_cancelled": 1} == done.json["states"], done.err
    assert [] == world.cancels
    (row,) = (await world.command("report", "--json")).json["rounds"]
    assert ("already_cancelled", None) == (row["outcome"], row["uuid"])
    head, cells = (await world.command("report", "--format", "csv")).out.splitlines()
    assert "" == cells.split(",")[head.split(",").index("uuid")]


async def test_a_rejected_round_names_its_cancel_request(world: World) -> None:
    """A round rejected and then probed is reported with its cancel request."""
    await world.seed(1)
    world.vendor.faults = Faults.of({"code": "99"})
    assert 4 == (await world.command("run")).code
    (row,) = (await world.command("report", "--all", "--json")).json["rounds"]
    assert ("rejected", [request.uuid for request in world.cancels]) == (row["outcome"], [row["uuid"]])
