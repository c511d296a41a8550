"""The README cannot drift from the code."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from support.reference import README, filled

if TYPE_CHECKING:
    from support.world import World

TEXT = README.read_text("utf-8")


def test_its_tables_are_those_of_the_code() -> None:
    """Commands, options, configuration keys, exit codes and metrics stand in the README as the code has them."""
    assert filled(TEXT) == TEXT, "run `python tests/support/reference.py`"


def _examples() -> list[str]:
    """The commands that the README shows and that can be run as they stand."""
    daily = TEXT[TEXT.index("## Daily tasks") : TEXT.index("## Every night, by itself")]
    return [
        shown
        for shown in re.findall(r"`(retention [^`]+)`", daily)
        if "RUN_ID" not in shown and shown.split()[1] not in {"serve", "simulate"}  # which do not end by themselves
    ]


@pytest.fixture(scope="module")
def examples() -> list[str]:
    """Yield the README's daily commands."""
    found = _examples()
    assert len(found) > 8
    return found


async def test_its_daily_commands_work(world: World, examples: list[str]) -> None:
    """Each command that the README shows for daily use runs as it is written, on a database with something to do."""
    world.policy["mode"] = "dry_run"
    await world.seed(3)
    await world.seed(1, prefix="se", market="SE")
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
    assert 4 == len(cancelled), "the market and the oldest hundred"
