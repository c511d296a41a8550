"""`ledger status`: how large the ledger is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.world import World


async def test_the_ledger_tells_its_size(world: World) -> None:
    """After a run, the command names tables, rounds, evidence and the month, as text and as JSON."""
    await world.seed(3)
    assert 0 == (await world.command("run")).code
    done = await world.command("ledger", "status", "--json")
    status = done.json
    assert (0, 1, {"cancelled": 3}, False, 0) == (
        *(done.code, status["runs"], status["states"], status["states_estimated"], status["unplaced"]),
    )
    assert status["checkpoint"]["size"] == status["entries"] > 0
    assert [(1, 3)] == [(one["runs"], one["rounds"]) for one in status["months"]]
    shown = await world.command("ledger", "status")
    assert (0, True, True) == (shown.code, "rows (estimated)" in shown.out, "3 cancelled" in shown.out)
