"""The facts of a reported round that stand neither in the vendor's reply to a cancel request nor in the run."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.world import SECURE_LOGIN

if TYPE_CHECKING:
    from support.world import World

EXACT = "1.000000000000000001"


async def reported(world: World) -> dict[str, dict[str, Any]]:
    """Read the report's rounds by their ids."""
    return {row["round_id"]: row for row in (await world.command("report", "--all", "--json")).json["rounds"]}


async def test_a_report_tells_winnings_as_the_vendor_told_them(world: World) -> None:
    """Winnings are exact, 0 where the vendor told 0, and those of a round that was not cancelled are there too."""
    await world.seed(3)
    world.vendor.rounds[SECURE_LOGIN, "r1"].winnings = Decimal(EXACT)
    world.policies["despite"] = {"winnings": "cancel"}
    assert 4 == (await world.command("run", "nightly")).code
    first = await reported(world)
    assert ["0", EXACT, "0"] == [first[name]["winnings"] for name in ("r0", "r1", "r2")]
    assert "held" == first["r1"]["outcome"]
    assert 0 == (await world.command("run", "despite")).code
    row = (await world.command("report", "--policy", "despite", "--json")).json["rounds"]
    assert [("r1", "cancelled", EXACT)] == [(one["round_id"], one["outcome"], one["winnings"]) for one in row]


async def test_a_named_round_is_cancelled_despite_its_winnings_and_reported_with_them(world: World) -> None:
    """`cancel --despite-winnings` leaves the winnings in the report."""
    await world.seed(1)
    world.vendor.rounds[SECURE_LOGIN, "r0"].winnings = Decimal(EXACT)
    words = ("--partner", "acme", "--round", "r0", "--evidence", "case 7", "--by", "ann", "--despite-winnings")
    done = await world.command("cancel", *words)
    assert 0 == done.code, done.err
    row = (await reported(world))["r0"]
    assert (EXACT, "cancelled") == (row["winnings"], row["outcome"])


async def test_a_report_tells_no_winnings_where_the_vendor_was_not_asked(world: World) -> None:
    """Without a question the winnings are unknown."""
    await world.seed(1)
    world.partner["ask_first"] = False
    assert 0 == (await world.command("run")).code
    assert (await reported(world))["r0"]["winnings"] is None


@pytest.mark.parametrize("words", [("run",), ("run", "--dry-run")])
async def test_a_report_tells_the_last_activity_of_the_plan(world: World, words: tuple[str, ...]) -> None:
    """The last activity is as the operator's view had it for the plan, and unknown where the view had none."""
    await world.seed(2)
    at = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    await world.sql("UPDATE public.rounds SET last_activity_at = %(at)s WHERE round_id = 'r0'", at=at)
    run = (await world.command(*words, "--json")).json["run_id"]
    await world.sql("UPDATE public.rounds SET last_activity_at = now()")
    rows = (await world.command("report", "--all", "--run", run, "--json")).json["rounds"]
    assert {"r0": "2026-03-01T12:00:00.123456Z", "r1": None} == {
        row["round_id"]: row["last_activity_at"] for row in rows
    }
    explained = (await world.command("explain", "--partner", "acme", "--round", "r0", "--json")).json
    assert "2026-03-01T12:00:00.123456Z" == explained["cancellations"][0]["last_activity_at"]
