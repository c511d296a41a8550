"""The working hour of a compliance officer: the commands of its page, in their order, on one market."""

from __future__ import annotations

import asyncio
import csv
import re
import shlex
import sys
import tomllib
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from support.reference import OPERATIONS, ROOT
from support.world import Done

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

PAGE = OPERATIONS.read_text("utf-8").partition("## A working hour")[2].partition("\n## ")[0]

EXPECTED = {"retention run mga": 6, "retention run --resume": 4, "retention reconcile": 4}
"""Commands that do not end with 0: the run waits for approval, one refund differs, and one is missing."""


def _commands() -> list[str]:
    """The commands of the page, in their order."""
    blocks = re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


async def _prepare(world: World) -> None:
    """Open five stale rounds in Malta, one in Sweden and a young one, with a wallet that has lost one refund."""
    policy = tomllib.loads(re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)[0])["policies"]["mga"]
    world.policies["mga"] = policy
    await world.seed(5, prefix="mt-")
    await world.seed(1, prefix="se-", market="SE")
    await world.seed(2, prefix="young-", age=timedelta(hours=1))
    world.vendor.faults = Faults.of({"call": "CancelRound", "round_ids": ["mt-1"], "amount": "1.40"})
    await world.sql(
        "CREATE VIEW retention.wallet_refunds AS SELECT partner, round_id, currency, amount, settled_at AS refunded_at"
        " FROM retention.cancellations WHERE state = 'cancelled' AND round_id <> 'mt-2'"
    )


async def _do(world: World, shown: str, run_id: str) -> Done:
    """Run one command of the page as it is written; RUN_ID and DIGEST stand for those of the run."""
    if "DIGEST" in shown:
        [row] = await world.sql("SELECT plan_digest FROM retention.runs WHERE run_id::text = %(run_id)s", run_id=run_id)
        shown = shown.replace("DIGEST", row.plan_digest[:12])
    shown, _, log = shown.replace("RUN_ID", run_id).partition(" 2>> ")
    program, *words = shlex.split(shown)
    if program == "python3":
        words[0] = str(ROOT / words[0])
        process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=world.folder, stdout=-1, stderr=-1)
        out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())
    done = await world.command(*words)
    if log:
        with (world.folder / log).open("a", encoding="utf-8") as file:
            file.write(done.err)
    return done


def _decide(world: World) -> None:
    """Fill in the file of the rounds that need a person, as Ann does."""
    path = world.folder / "review.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"as": "cancelled", "note": "the wallet pays the rest, ticket 9"} for row in rows)


async def test_the_commands_of_the_working_hour_lead_to_a_proven_report(world: World) -> None:
    """Each command of the page works as written, calls only approved rounds, and leaves evidence that verifies."""
    await _prepare(world)
    run_id = "no run yet"
    for shown in _commands():
        if shown.startswith("retention review resolve"):
            _decide(world)
        done = await _do(world, shown, run_id)
        wanted = next((code for command, code in EXPECTED.items() if shown.startswith(command)), 0)
        assert wanted == done.code, f"{shown}: {done.out}{done.err}"
        if "run mga" in shown:
            assert [] == world.cancels, "a run that waits for approval calls nobody"
            [row] = await world.sql("SELECT run_id::text FROM retention.runs WHERE policy = 'mga'")
            run_id = row.run_id

    assert {"mt-0", "mt-1", "mt-2", "mt-4", "young-1"} == {request.round_id for request in world.cancels}
    assert 5 == len(world.cancels)
    with (world.folder / "mga-81.csv").open(encoding="utf-8", newline="") as file:
        reported = list(csv.DictReader(file))
    assert {("mt-0", "bea"), ("mt-1", "bea"), ("mt-2", "bea"), ("mt-4", "bea")} == {
        (row["round_id"], row["approved_by"]) for row in reported
    }
    assert Decimal("5.90") == sum(Decimal(row["amount"]) for row in reported)
    assert [] == (await world.command("review", "list", "--market", "MT", "--json")).json
