"""`runs show` of a run that has not begun: what a person should see before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.world import World


async def test_a_run_before_its_start_shows_its_plan(world: World) -> None:
    """A halted run shows rounds, stakes, markets and the hold that spares one, as text and as JSON; an ended one not."""
    await world.seed(3)
    world.policy["max_amount"] = {"EUR": "1"}
    run = (await world.command("run", "--json")).json["run_id"]
    assert 0 == (await world.command("hold", "add", "--round", "r1", "--reason", "dispute 5", "--by", "ann")).code
    done = await world.command("runs", "show", run, "--json")
    plan = done.json["plan"]
    assert (0, 3, {"EUR": "4.5"}, None) == (done.code, plan["rounds"], plan["stakes"], plan["previous"])
    assert [("MT", 3)] == [(one["market"], one["rounds"]) for one in plan["markets"]]
    assert [("dispute 5", 1)] == [(one["reason"], one["rounds"]) for one in plan["holds"]]
    assert {"r0", "r1", "r2"} == {one["round_id"] for one in plan["largest"]}
    shown = (await world.command("runs", "show", run)).out
    for words in ("plan: 3 rounds", "spares 1 planned round: dispute 5", "no earlier run of the policy was approved"):
        assert words in shown
    await world.command("run", "--resume", run, "--override", "checked", "--by", "tess")
    assert (await world.command("runs", "show", run, "--json")).json["plan"] is None
