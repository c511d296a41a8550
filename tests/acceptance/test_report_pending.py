"""`report --kind pending` about real runs at a real vendor."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.world import World

COUNTS = ("at_begin", "became_stale", "completed", "cancelled", "gone", "at_end")


async def test_two_days_reconcile(world: World) -> None:
    """Rounds that a run cancelled, a player finished, a hold spared and no one planned each stand under their name."""
    await world.seed(6)
    held = await world.command("hold", "add", "--round", "r0", "--reason", "complaint", "--by", "ann")
    assert 0 == held.code
    plan = await world.command("run", "--dry-run", "--by", "ann", "--json")
    assert 5 == plan.json["rounds"]
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r1'")
    middle = datetime.now(UTC).isoformat()
    run = await world.command("run", "--by", "ann", "--json")
    assert {"cancelled": 4} == run.json["states"]
    await world.sql("UPDATE public.rounds SET status = 0 WHERE round_id = 'r2'")
    first = await world.command("report", "--kind", "pending", "--json", "--to", middle)
    second = await world.command("report", "--kind", "pending", "--json", "--from", middle)

    (one,), (other,) = first.json["totals"], second.json["totals"]
    assert (0, 6, 0, 0, 1, 5) == tuple(one[name] for name in COUNTS)
    assert (5, 0, 0, 4, 0, 1) == tuple(other[name] for name in COUNTS)
    assert ("7.5", "7.5", "1.5") == (one["at_end_stake"], other["at_begin_stake"], other["at_end_stake"])
    rounds = {row["round_id"]: row for row in second.json["rounds"]}
    assert {"r0": "open"} | dict.fromkeys(("r2", "r3", "r4", "r5"), "cancelled") == {
        name: row["outcome"] for name, row in rounds.items()
    }
    assert "conflict: cancelled, and still open in the operator's view" == rounds["r2"]["note"]
    assert {None, run.json["run_id"]} == {row["run_id"] for row in rounds.values()}
    assert ["r1"] == [row["round_id"] for row in first.json["rounds"] if row["outcome"] == "gone"]


async def test_a_run_is_no_filter_of_pending_rounds(world: World) -> None:
    """`--run` and `--all` are refused before anything is connected."""
    world.dsn = "postgresql://nobody@127.0.0.1:1/none"
    for words in (("--run", "12345678"), ("--all",)):
        refused = await world.command("report", "--kind", "pending", *words)
        assert 2 == refused.code
        assert f"{words[0]} " in refused.err
        assert "--kind pending" in refused.err
