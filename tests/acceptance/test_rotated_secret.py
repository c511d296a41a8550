"""A secret is replaced during a run: no way of writing its file halts the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.world import TOKEN

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from support.world import World

NEW = "token-of-the-new-year"
ROUNDS = 40


async def in_place(path: Path) -> None:
    """Write half, and the rest a while later."""
    with path.open("w") as file:
        await asyncio.sleep(0.2)
        file.write(NEW[:8])
        file.flush()
        await asyncio.sleep(1)
        file.write(NEW[8:])


async def in_place_at_leisure(path: Path) -> None:
    """Write half, and the rest after the wait for an unfinished write."""
    with path.open("w") as file:
        file.write(NEW[:8])
        file.flush()
        await asyncio.sleep(2.5)
        file.write(NEW[8:])


async def in_its_place(path: Path) -> None:
    """Put another file in its place, which is missing for a moment."""
    path.rename(path.with_name("old"))  # noqa: ASYNC240
    await asyncio.sleep(0.2)
    path.with_name("new").write_text(NEW + "\n")
    path.with_name("new").replace(path)


@pytest.mark.parametrize(
    ("write", "refusal"),
    [
        pytest.param(in_place, {}, id="in place", marks=pytest.mark.long),
        pytest.param(in_place_at_leisure, {}, id="in place at leisure"),
        pytest.param(in_its_place, {"status": 401}, id="in its place"),
    ],
)
async def test_a_rotated_token_halts_no_run(
    world: World, tmp_path: Path, write: Callable[[Path], Awaitable[None]], refusal: dict[str, int]
) -> None:
    """The vendor knows the new token alone from the moment when its file is touched; every round is cancelled."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    world.partner = {"token_file": str(path), "rate": 40}
    if refusal:
        world.vendor.faults = Faults.of({"call": "any", "credentials": "wrong", **refusal})
    await world.seed(ROUNDS)
    running = await world.start("run", "--json")
    await running.until(world.vendor, lambda: len(world.cancels) >= 3)
    world.vendor.token = NEW
    await write(path)
    done = await running.ended()
    assert {"cancelled": ROUNDS} == done.json["states"], done
    assert 0 == done.code, done


async def test_a_vendor_that_is_slower_than_the_file(world: World, tmp_path: Path) -> None:
    """The file has the new token before the vendor knows it: a HealthCheck finds out when it does."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    world.partner = {"token_file": str(path), "rate": 40}
    await world.seed(ROUNDS)
    running = await world.start("run", "--json")
    await running.until(world.vendor, lambda: len(world.cancels) >= 3)
    path.write_text(NEW)
    await running.until(world.vendor, lambda: len(world.vendor.asked("HealthCheck")) >= 1)
    world.vendor.token = NEW
    done = await running.ended()
    assert {"cancelled": ROUNDS} == done.json["states"], done


async def test_a_wrong_token_still_halts(world: World, tmp_path: Path) -> None:
    """A new token that the vendor never knows halts the run after a while, and only HealthChecks are sent."""
    path = tmp_path / "token"
    path.write_text(TOKEN)
    world.partner = {"token_file": str(path), "rate": 40}
    world.vendor.faults = Faults.of({"call": "any", "credentials": "wrong", "status": 401})
    await world.seed(ROUNDS)
    running = await world.start("run", "--json")
    await running.until(world.vendor, lambda: len(world.cancels) >= 3)
    path.write_text("nonsense")
    await running.until(world.vendor, lambda: len(world.vendor.asked("HealthCheck")) >= 1)
    before = len(world.vendor.requests) - len(world.vendor.asked("HealthCheck"))
    done = await running.ended()
    assert 3 == done.code, done
    assert "unauthorized: acme" in done.json["halt_reason"]
    assert before == len(world.vendor.requests) - len(world.vendor.asked("HealthCheck"))
