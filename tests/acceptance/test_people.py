"""The messages of commands for people: pauses, next steps, and missing privileges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support import bare_database
from support.bare_database import as_role
from support.postgres import only_on_our_own

if TYPE_CHECKING:
    from support.world import World

CANCEL = ("cancel", "--partner", "acme", "--round", "r2", "--evidence", "x", "--by", "ann")

REASON = "vendor's incident 12"


async def test_the_report_role_reads_every_report_and_cannot_write(world: World) -> None:
    """With the second role every reading command works, and a writing one names its missing privilege."""
    only_on_our_own()
    await world.seed(3)
    run_id = (await world.command("run", "--limit", "2", "--json")).json["run_id"]
    bare_database.run(world.direct, bare_database.sample("roles"))
    world.dsn = as_role(world.dsn, "retention_report")
    reading = [
        ("plan",),
        ("plan", "--rounds", "--json"),
        ("explain", "--partner", "acme", "--round", "r0"),
        ("runs", "list"),
        ("runs", "show", run_id),
        ("hold", "list"),
        ("review", "list"),
        ("report",),
        ("db", "status"),
    ]
    for words, done in zip(reading, await asyncio.gather(*(world.command(*one) for one in reading)), strict=True):
        assert (0, "") == (done.code, done.err), words
    writing = {
        ("pause", "--by", "ann", "--reason", "x"): "INSERT (partner, reason, paused_by, paused_at) ON retention.pauses",
        ("resume", "--by", "ann"): "UPDATE (paused_until) ON retention.partner_state",
        ("hold", "add", "--round", "r2", "--by", "ann", "--reason", "x"): "ON retention.holds",
        ("hold", "release", "1", "--by", "ann"): "GRANT UPDATE (released_at, released_by) ON retention.holds",
        ("runs", "close", run_id, "--by", "ann", "--note", "x"): "ON retention.runs",
        ("review", "resolve", "1", "--as", "rejected", "--by", "ann", "--note", "x"): "ON retention.cancellations",
        ("review", "reclose", "--by", "ann"): "UPDATE (conflict, detail) ON retention.cancellations",
        ("run",): "connect as retention_job\n",
        CANCEL: "connect as retention_job\n",
    }
    for (words, lack), done in zip(
        writing.items(), await asyncio.gather(*(world.command(*one) for one in writing)), strict=True
    ):
        assert (2, True, True) == (done.code, lack in done.err, "retention_job" in done.err), (words, done.err)
        assert "attempts" not in done.err


@pytest.mark.parametrize("partner", [None, "acme"])
async def test_plan_and_check_show_a_pause(world: World, partner: str | None) -> None:
    """`plan` and `check` show a pause with person, time, reason and the command that ends it.

    The hint after a run does too.
    """
    await world.seed(2)
    given = ["--partner", partner] if partner else []
    ends = " ".join(["retention resume", *given, "--by WHO"])
    paused = await world.command("pause", *given, "--by", "tess", "--reason", REASON)
    assert f"`{ends}` ends it\n" in paused.out
    (pause,) = await world.sql("SELECT paused_at FROM retention.pauses")
    who = "acme is" if partner else "all partners are"
    words = f"{who} paused by tess since {pause.paused_at:%Y-%m-%d %H:%M:%S}Z: {REASON}; `{ends}` ends it"
    plan, document, check, checks, run = await asyncio.gather(
        world.command("plan"),
        world.command("plan", "--json"),
        world.command("check"),
        world.command("check", "--json"),
        world.command("run"),
    )
    assert words in plan.out.splitlines()
    (told,) = document.json["pauses"]
    assert (partner, "tess", REASON) == (told["partner"], told["paused_by"], told["reason"])
    assert f"WARN  pause of {partner or 'all partners'}: {words}" in check.out.splitlines()
    assert words in {one["message"] for one in checks.json["checks"] if one["warning"]}
    assert 3 == run.code
    assert f"`{ends}` ends it" in run.out
    assert "--override" not in run.out
    (row,) = await world.sql("SELECT run_id FROM retention.runs")
    assert run.out.splitlines()[-2:] == [
        f"next: {ends}  (ends the pause)",
        f"      retention run --resume {row.run_id}  (then goes on with it)",
    ]


async def test_unsent_rounds_exit_4_with_their_reason(world: World) -> None:
    """After a deadline exit code 4 comes with the reason, and with the command that lists the rounds."""
    await world.seed(30)
    world.partner |= {"rate": 2, "question_rate": 2}
    world.policy["deadline"] = "1s"
    done, listed = await world.command("run"), await world.command("review", "list", "--json")
    assert (4, []) == (done.code, listed.json), done.out
    assert "not sent: " in done.out
    assert ", the deadline came first\n" in done.out
    (row,) = await world.sql("SELECT run_id FROM retention.runs")
    next_step = (
        f"next: retention report --all --run {row.run_id}  (lists its rounds; what was not sent is planned again"
    )
    assert next_step in done.out
    assert "review list" not in done.out


async def test_a_run_with_enforce_resumes_under_a_dry_run_policy(world: World) -> None:
    """A run started with --enforce continues under a policy in dry_run mode; a later change to dry_run is reported."""
    await world.seed(2)
    world.policy["mode"] = "dry_run"
    await world.command("pause", "--by", "tess", "--reason", REASON)
    halted = await world.command("run", "--enforce", "--older-than", "48h", "--reason", "regulator", "--json")
    assert 3 == halted.code
    await world.command("resume", "--by", "tess")
    done = await world.command("run", "--resume", halted.json["run_id"], "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err
    (row,) = await world.sql("SELECT overrides, settings FROM retention.runs")
    assert [] == row.overrides
    assert "dry_run" == row.settings["configured"]["mode"]
    assert "run.policy_stricter" not in {event["event"] for event in done.events}


async def test_check_reports_the_rails_that_would_halt_a_run(world: World) -> None:
    """`check` reports rounds that max_amount cannot judge, and more rounds than a rail allows."""
    await world.seed(3)
    await world.sql("UPDATE public.rounds SET stake = NULL")
    world.policy |= {"max_amount": {"EUR": "50"}, "max_rounds": 2}
    check, run = await asyncio.gather(world.command("check"), world.command("run", "--json"))
    (line,) = [line for line in check.out.splitlines() if "rails of policy" in line]
    assert line == f"WARN  rails of policy nightly: a run would halt now: {run.json['halt_reason']}"
    assert {"max_rounds", "max_amount_unknown"} <= {part.split(":")[0] for part in run.json["halt_reason"].split("; ")}
