"""The rail `max_surge`: a night with many more stale rounds than usual halts before its first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.world import World

_EARLIER = """
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, as_of, requested_by, settings, status, halt_reason, finished_at, planned_rounds)
SELECT gen_random_uuid(), policy, 'on_demand', mode, now() - age * interval '1 day', 'ann', '{}', status, 'why',
       CASE WHEN status = 'finished' THEN now() END, rounds
FROM (VALUES
    ('nightly', 'enforce', 'finished', 1, 20), ('nightly', 'enforce', 'finished', 2, 22),
    ('nightly', 'enforce', 'finished', 3, 400), ('nightly', 'dry_run', 'finished', 4, 9000),
    ('nightly', 'enforce', 'halted', 5, 9000), ('other', 'enforce', 'finished', 6, 9000)
) AS earlier (policy, mode, status, age, rounds)
"""


async def rails_of_plan(world: World) -> tuple[Sequence[str], object]:
    """Return the rails that `plan` names, and its figures of the surge."""
    document = (await world.command("plan", "nightly", "--json")).json
    return [one["rail"] for one in document["rails"]], document["surge"]


async def test_a_surge_halts_before_the_first_call(world: World) -> None:
    """More rounds than five times the usual number halt the run at 3, `plan` and `check` say so, a person passes it."""
    await world.seed(111)
    world.policy["max_surge"] = 5
    await world.sql(_EARLIER)
    figures = {"max_surge": 5.0, "runs": 3, "usual": 22, "allowed": 110}
    assert (["max_surge"], figures) == await rails_of_plan(world)
    (found,) = (
        one
        for one in (await world.command("check", "--json")).json["checks"]
        if one["name"] == "rails of policy nightly"
    )
    words = "max_surge: 111 stale rounds, usual are 22, the median of 3 finished runs, the policy allows 110"
    assert f"a run would halt now: {words}" == found["message"]

    done = await world.command("run", "--json")
    assert (3, "halted", words) == (done.code, done.json["status"], done.json["halt_reason"])
    assert {"HealthCheck"} == {request.call for request in world.vendor.requests}  # by `check`
    run = done.json["run_id"]
    assert 3 == (await world.command("run", "--resume", run)).code
    done = await world.command("run", "--resume", run, "--override", "an import", "--by", "tess", "--json")
    assert (0, {"cancelled": 111}) == (done.code, done.json["states"]), done.err
    (row,) = await world.sql("SELECT overrides FROM retention.runs WHERE run_id = %(run)s", run=run)
    assert [("max_surge", "an import", "tess")] == [(one["rail"], one["text"], one["by"]) for one in row.overrides]


async def test_an_override_holds_although_the_usual_number_has_grown(world: World) -> None:
    """A run that max_surge halted takes its override also once later runs have raised the usual number."""
    await world.seed(111)
    world.policy["max_surge"] = 5
    await world.sql(_EARLIER)
    run = (await world.command("run", "--json")).json["run_id"]
    await world.sql("UPDATE retention.runs SET planned_rounds = 500 WHERE status = 'finished'")
    done = await world.command("run", "--resume", run, "--override", "checked", "--by", "tess", "--json")
    assert (0, {"cancelled": 111}) == (done.code, done.json["states"]), done.err


async def test_without_a_finished_run_no_plan_is_a_surge(world: World) -> None:
    """Before the first finished run, `plan` and `check` say that the rail judges nothing, and the run goes on; its own
    plan is the usual number from then on.
    """
    await world.seed(120)
    world.policy["max_surge"] = 0.5
    shown = await world.command("plan", "nightly")
    assert "max_surge judges nothing yet: no enforcing run of the policy has finished" in shown.out
    assert "max_surge judges nothing yet" in (await world.command("check")).out
    assert ([], {"max_surge": 0.5, "runs": 0, "usual": None, "allowed": None}) == await rails_of_plan(world)
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 120}) == (done.code, done.json["states"]), done.err
    await world.seed(101, prefix="more")
    assert (["max_surge"], {"max_surge": 0.5, "runs": 1, "usual": 120, "allowed": 100}) == await rails_of_plan(world)
