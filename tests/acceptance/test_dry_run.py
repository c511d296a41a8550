"""A dry run and what can be read of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from support.replica import finished, schedule, serve, until

if TYPE_CHECKING:
    from support.world import World


async def dry_run(world: World) -> str:
    """Make a dry run; returns its id."""
    done = await world.command("run", "nightly", "--dry-run", "--json")
    assert (0, "finished") == (done.code, done.json["status"]), done.err
    run_id: str = done.json["run_id"]
    return run_id


async def test_a_dry_run_says_where_its_result_is_read(world: World) -> None:
    """A dry run ends with the commands that read it, and each of them works; one without rounds names none."""
    assert [] == (await world.command("run", "--dry-run", "--json")).json["next"]
    await world.seed(2)
    done = await world.command("run", "--dry-run", "--json")
    run = done.json["run_id"]
    commands = [step["command"] for step in done.json["next"]]
    assert [
        f"retention report --all --run {run}",
        f"retention plan nightly --compare {run}",
        f"retention runs show {run} --set",
    ] == commands
    for command in commands:
        read = await world.command(*command.split()[1:])
        assert 0 == read.code, read.err


async def test_a_report_of_a_dry_run_says_that_it_is_one(world: World) -> None:
    """Each format's head says that nothing was called, rows and totals tell what would have been cancelled."""
    await world.seed(2, stake="2.50")
    run = await dry_run(world)
    words = "dry run: no vendor was called and nothing was cancelled"
    done = await world.command("report", "--all", "--run", run[:8])
    assert f"run {run}: {words}" in done.out
    told = (await world.command("report", "--all", "--run", run, "--json")).json
    assert told["dry_run"].startswith(words)
    assert ["not_sent", "not_sent"] == [one["outcome"] for one in told["rounds"]]
    assert [("MT", "not_sent", "EUR", 2, "5")] == [
        (one["market"], one["outcome"], one["currency"], one["count"], one["stake"]) for one in told["totals"]
    ]
    page = await world.command("report", "--all", "--run", run, "--format", "html")
    assert f"<dd>{words}" in page.out
    rows = await world.command("report", "--all", "--run", run, "--format", "csv")
    assert words in rows.said


async def test_an_empty_report_of_a_dry_run_is_explained(world: World) -> None:
    """A report of a dry run without --all has no rows, and names --all; one of a real run says nothing of that."""
    await world.seed(1)
    run = await dry_run(world)
    words = "--all lists what it would have cancelled"
    assert words in (await world.command("report", "--run", run)).out
    assert words in (await world.command("report", "--run", run, "--format", "csv")).said
    real = (await world.command("run", "--json")).json["run_id"]
    done = await world.command("report", "--all", "--run", real, "--json")
    assert None is done.json["dry_run"]
    assert words not in (await world.command("report", "--run", real)).out


async def test_nights_of_dry_runs_decide_nothing(world: World) -> None:
    """Dry runs tell nobody, add nothing to review, to `max_runs` or to `max_surge`, and spare no round."""
    world.extra = '[notify.ops]\nwebhook = "https://127.0.0.1:1/hook"\nsigning_key = "whsec_' + 32 * "A" + '"\n'
    world.partner["max_runs"] = 1
    world.policy |= {"mode": "dry_run", "max_surge": 2.0}
    await world.seed(3)
    for _ in range(3):
        done = await world.command("run", "--json", "--metrics-file", "dry.prom")
        assert (0, {"not_sent": 3}) == (done.code, done.json["states"]), done.err
    metrics = (world.folder / "dry.prom").read_text("utf-8")
    (success,) = [line for line in metrics.splitlines() if line.startswith("retention_run_last_success_timestamp")]
    assert float(success.split()[-1]) > 0
    assert [] == await world.sql("SELECT FROM retention.notifications")
    assert [] == (await world.command("review", "list", "--json")).json
    told = (await world.command("plan", "--json")).json
    assert (3, {}, {"max_surge": 2.0, "runs": 0, "usual": None, "allowed": None}) == (
        told["rounds"],
        told["left_out"],
        told["surge"],
    )
    done = await world.command("run", "--enforce", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err


async def test_a_scheduled_dry_run_is_compared(world: World) -> None:
    """A dry run that `serve` makes at its time is found by `--compare-from`; missed times are no dry runs."""
    await world.seed(3)
    await schedule(world, mode="dry_run")
    replica = await serve(world, until="/healthz")
    await until(lambda: finished(world))
    await replica.stopped(signal.SIGTERM)
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r0'")
    compared = (await world.command("plan", "--compare-from", "2020-01-01", "--json")).json["compared"]
    assert [("schedule", "dry_run")] == [(one["trigger"], one["mode"]) for one in compared["runs"]]
    assert (3, 1) == (compared["rounds_then"], compared["came_back"])
    assert [] == world.vendor.requests
