"""A dry run and what can be read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
