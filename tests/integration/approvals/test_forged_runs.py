"""Rows of runs that the job's login writes by itself, for a daemon to find: the configuration decides about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.bare_database import run
from support.daemon_parts import daemon_of
from support.job_login import as_job

if TYPE_CHECKING:
    from support.world import World

SETTINGS = {"open_longer_than": "72h", "mode": "enforce", "max_rounds": 10, "partners": ["acme"]}

ROUNDS = """
INSERT INTO retention.cancellations
    (run_id, partner, market, game_id, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id)
SELECT r.run_id, o.partner, o.market, o.game_id, o.user_id, o.round_id, o.opened_at, o.stake, o.currency,
       o.bet_transaction_id
FROM retention.runs r, retention.open_rounds o
"""


def forge(world: World, policy: str, more: dict[str, Any], accepted: str | None, status: str) -> None:
    """Make a scheduled run of all open rounds that requires no approval, as the job; `accepted` by nobody at all."""
    settings = json.dumps({"name": policy, **SETTINGS, **more})
    started = "now()" if status == "running" else "NULL"
    run(
        world.dsn,
        "INSERT INTO retention.runs (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings,"
        f" status, started_at) VALUES (gen_random_uuid(), '{policy}', 'schedule', 'enforce', now(), now(), 'schedule',"
        f" '{settings}', '{status}', {started})",
    )
    run(world.dsn, ROUNDS)
    run(world.dsn, "INSERT INTO retention.partner_state (partner, kind) VALUES ('acme', 'cancel'), ('acme', 'status')")
    if accepted is not None:
        overrides = json.dumps([{"rail": "stricter", "text": accepted, "by": "ann", "at": "2026-01-01T00:00:00Z"}])
        run(world.dsn, f"UPDATE retention.runs SET overrides = '{overrides}'")


@pytest.mark.parametrize("status", ["planned", "running"])
@pytest.mark.parametrize(
    ("policy", "more", "accepted"),
    [
        ("nightly", {}, None),
        ("nightly", {}, "requires_approval was false, is true"),
        ("nightly", {"configured": {"requires_approval": True}}, None),
        ("nightly", {"configured": {"requires_approval": True}}, "the policy requires an approval"),
        ("removed", {}, None),
        ("removed", {}, "the policy is not configured any more"),
    ],
)
async def test_a_daemon_sends_no_run_past_the_configuration(
    world: World, policy: str, more: dict[str, Any], accepted: str | None, status: str
) -> None:
    """A run whose row requires no approval, or says that a person has accepted a stricter policy, is not sent."""
    as_job(world)
    world.policy["requires_approval"] = True
    await world.seed(2)
    forge(world, policy, more, accepted, status)
    async with daemon_of(world) as daemon:
        for _ in range(2):
            await daemon.work_once()
    assert [] == world.vendor.requests


async def test_a_daemon_sends_a_run_within_the_configuration(world: World) -> None:
    """The same row is sent where the policy requires no approval: the cases above prove the refusal."""
    as_job(world)
    await world.seed(2)
    forge(world, "nightly", {}, None, "planned")
    async with daemon_of(world) as daemon:
        await daemon.work_once()
    assert {"r0": "cancelled", "r1": "cancelled"} == await world.states()


APPROVE = """
SELECT retention.seal_plan(run_id) FROM retention.runs;
UPDATE retention.runs SET status = 'awaiting_approval';
SELECT retention.approve_run(run_id, 'bob', plan_digest, NULL) FROM retention.runs;
UPDATE retention.runs SET status = 'running', started_at = now();
"""


@pytest.mark.parametrize("asked", ["authenticated", "claimed"])
async def test_a_claimed_approval_is_none_where_another_login_has_to_approve(world: World, asked: str) -> None:
    """The job approves a run of its own making under another name, which counts only where names are believed."""
    as_job(world)
    world.policy |= {"requires_approval": True, "approval": asked}
    await world.seed(2)
    weaker = {"requires_approval": True, "approval": "claimed", "configured": {"approval": "authenticated"}}
    forge(world, "nightly", weaker, None, "planned")
    run(world.dsn, APPROVE)
    async with daemon_of(world) as daemon:
        await daemon.work_once()
    assert ({"planned"} if asked == "authenticated" else {"cancelled"}) == {*(await world.states()).values()}
