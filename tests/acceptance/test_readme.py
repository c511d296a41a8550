"""The commands that the documents show for daily use work as they are written."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.reference import OPERATIONS, ROOT

if TYPE_CHECKING:
    from support.world import World

NO_END = {"serve", "simulate"}
"""The commands that do not end by themselves."""

UNDER_TEST = re.compile(r"RUN_ID|--help|retention (init|db|check|plan|demo)\b")
"""Commands that need a run's id, and commands with a test of their own."""


def _examples() -> list[str]:
    """The commands that README and OPERATIONS show for daily use and that can be run as they stand."""
    readme = (ROOT / "README.md").read_text("utf-8").partition("## Three uses\n")[2].partition("\n## ")[0]
    daily = OPERATIONS.read_text("utf-8").partition("## Daily tasks\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^(retention .+)$", readme, re.MULTILINE) + re.findall(r"`(retention [^`]+)`", daily)
    kept = [line for line in shown if not UNDER_TEST.search(line) and line.split()[1] not in NO_END]
    return [*dict.fromkeys(kept)]


@pytest.fixture(scope="module")
def examples() -> list[str]:
    """Yield the daily commands of the documents."""
    found = _examples()
    assert len(found) > 8
    return found


async def test_daily_commands_work(world: World, examples: list[str]) -> None:
    """Each command for daily use runs as it is written, on a database with something to do."""
    world.policy["mode"] = "dry_run"
    await world.seed(3)
    await world.seed(1, prefix="se", market="SE")
    await world.seed(1, prefix="70275", market="MT", age=timedelta(hours=1))  # the round that a person names
    await world.sql(
        "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, started_at,"
        " finished_at) VALUES (gen_random_uuid(), 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished',"
        " now(), now())"
    )
    await world.sql(
        "INSERT INTO retention.cancellations (id, run_id, partner, market, user_id, round_id, opened_at, state, attempts,"
        " needs_follow_up, may_have_taken_effect) OVERRIDING SYSTEM VALUE SELECT 17, run_id, 'retired', 'MT', 'u', '17', now(), 'in_doubt', 1,"
        " true, true FROM retention.runs"
    )
    for shown in examples:
        done = await world.command(*shlex.split(shown)[1:])
        assert 0 == done.code, f"{shown}: {done.err}"
        assert done.out or " -o " in shown, shown
    cancelled = [request.round_id for request in world.vendor.requests if request.call == "CancelRound"]
    assert 5 == len(cancelled), "the market, the oldest hundred, and the named round"
