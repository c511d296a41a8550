"""A deadline ends a run: its remaining rounds are not sent, and the next run plans them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.invariants import violations

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World


async def test_the_deadline_leaves_rounds_unsent_for_the_next_run(world: World) -> None:
    """At its deadline a run finishes with exit code 4 and sends nothing more; the next run cancels the other rounds."""
    await world.seed(200)
    world.partner["rate"] = 20
    world.policy["deadline"] = "2s"
    done = await world.command("run", "--json")
    heard = len(world.cancels)
    assert (4, "finished", None) == (done.code, done.json["status"], done.json["halt_reason"]), done.err
    assert {"cancelled": heard, "not_sent": 200 - heard} == {"cancelled": 0} | done.json["states"]
    assert heard <= 60
    (run,) = await world.sql("SELECT started_at, finished_at IS NOT NULL AS ended FROM retention.runs")
    assert run.ended
    late = "SELECT FROM retention.attempts a JOIN retention.runs r USING (run_id) WHERE sent_at > started_at + interval '3 s'"
    assert [] == await world.sql(late)
    details = await world.sql("SELECT DISTINCT detail FROM retention.cancellations WHERE state = 'not_sent'")
    assert ["the deadline came first"] == [row.detail for row in details]
    world.partner["rate"] = 2000
    world.policy["deadline"] = "1h"
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 200 - heard}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)


async def test_a_doubt_outlives_the_deadline(world: World) -> None:
    """A doubt stays in doubt at the deadline, and the next run settles it."""
    await world.seed(100)
    world.partner |= {"rate": 10, "ask_first": False, "timeout": "60s"}
    world.policy["deadline"] = "1h"
    world.vendor.faults = Faults.of({"round_ids": ["r0"], "cut": "after"}, {"call": "GetRoundStatus", "status": 500})
    running = await world.start("run", "--json")
    await running.until(
        world.vendor, lambda: "r0" in {one.round_id for one in world.cancels} and len(world.cancels) > 2
    )
    await world.sql("UPDATE retention.runs SET send_until = now()")  # an hour later
    done = await running.ended()
    assert (4, "finished", 1) == (done.code, done.json["status"], done.json["states"]["in_doubt"]), done.err
    assert {"cancelled", "in_doubt", "not_sent"} == set(done.json["states"])
    assert "in_doubt" == (await world.states())["r0"]
    world.vendor.faults = Faults()
    world.partner["rate"] = 2000
    left = done.json["states"]["not_sent"]
    done = await world.command("run", "--json")
    assert ({"cancelled": left}, {"cancelled": 1}) == (done.json["states"], done.json["taken_up"]), done.err
    assert [] == await violations(world)
