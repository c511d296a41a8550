"""A policy that requires approval: a run waits, another person approves or rejects its plan, and it is sent once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.bare_database import run
from support.invariants import violations
from support.job_login import as_job

if TYPE_CHECKING:
    from support.world import Done, World


@pytest.fixture
async def guarded(world: World) -> World:
    """Return a world whose commands log in as the job, and whose policy requires approval."""
    as_job(world)
    world.policy["requires_approval"] = True
    await world.seed(3)
    return world


async def waiting(world: World, *words: str) -> str:
    """Request a run as ann, which waits for approval; return its id."""
    done = await world.command("run", "--by", "ann", "--json", *words)
    assert (6, "awaiting_approval") == (done.code, done.json["status"]), done.err
    run_id: str = done.json["run_id"]
    return run_id


async def approve(world: World, run_id: str, by: str = "bob", *words: str) -> Done:
    """Approve a run."""
    return await world.command("approve", run_id, "--by", by, *words)


async def test_a_run_is_sent_once_another_person_has_approved_it(guarded: World) -> None:
    """The run waits with exit code 6 and names the next commands; after an approval, `--resume` sends its rounds."""
    done = await guarded.command("run", "--by", "ann", "--yes", "--json")
    assert (6, "awaiting_approval", []) == (done.code, done.json["status"], guarded.vendor.requests)
    run_id = done.json["run_id"]
    shown = (await guarded.command("runs", "show", run_id, "--json")).json
    digest = shown["plan_digest"]
    assert [
        f"retention approve {run_id} --by WHO --digest {digest[:12]}",
        f"retention reject {run_id} --by WHO --note TEXT",
    ] == [step["command"] for step in done.json["next"]]
    assert ["run.awaiting_approval"] == [one["event"] for one in done.events if one["event"].startswith("run.a")]
    early = await guarded.command("run", "--resume", run_id)
    assert (6, []) == (early.code, guarded.vendor.requests)
    approved = await approve(guarded, run_id, "Bob", "--digest", digest[:12].upper(), "--note", "as agreed")
    assert (0, []) == (approved.code, guarded.vendor.requests), approved.err
    for words in ("approved by Bob", "3 rounds", "4.50 EUR", digest):
        assert words in approved.out
    await guarded.seed(1, prefix="late")
    sent = await guarded.command("run", "--resume", run_id, "--json")
    assert (0, {"cancelled": 3}) == (sent.code, sent.json["states"]), sent.err
    record = (await guarded.command("runs", "show", run_id, "--json")).json
    assert ("Bob", "retention_job", "as agreed") == tuple(
        record[key] for key in ("approved_by", "approved_login", "decision_note")
    )
    assert [] == await violations(guarded)


async def test_each_round_of_an_approved_run_is_looked_at_once_more(guarded: World) -> None:
    """A round that was closed, and one that was put on hold, after the approval are not called."""
    run_id = await waiting(guarded)
    assert 0 == (await approve(guarded, run_id)).code
    await guarded.sql("DELETE FROM public.rounds WHERE round_id = 'r0'")
    held = await guarded.command("hold", "add", "--round", "r1", "--reason", "a dispute", "--by", "ann")
    assert 0 == held.code, held.err
    sent = await guarded.command("run", "--resume", run_id, "--json")
    assert {"cancelled": 1, "held": 1, "no_longer_open": 1} == sent.json["states"], sent.err


async def test_a_rejected_run_is_over(guarded: World) -> None:
    """A rejection cancels the run; its rounds stay unsent, no resume starts it, and the next run plans them."""
    run_id = await waiting(guarded)
    done = await guarded.command("reject", run_id, "--by", "bob", "--note", "too many")
    assert 0 == done.code, done.err
    shown = (await guarded.command("runs", "show", run_id, "--json")).json
    assert ("cancelled", "rejected by bob: too many", {"not_sent": 3}) == (
        shown["status"],
        shown["halt_reason"],
        shown["states"],
    )
    resumed, approved = await guarded.command("run", "--resume", run_id), await approve(guarded, run_id, "carol")
    assert (2, 2) == (resumed.code, approved.code)
    assert "is rejected by bob: too many" in resumed.err
    assert "is rejected by bob: too many" in approved.err
    assert [] == guarded.vendor.requests
    await waiting(guarded)


async def test_an_approval_that_expires_is_none(guarded: World) -> None:
    """An approval that was not used in time: the run is cancelled with exit code 2, and the next run has its rounds."""
    guarded.policy["approval_expires"] = "1s"
    run_id = await waiting(guarded)
    await asyncio.gather(approve(guarded, run_id), _until_expired(guarded))
    resumed, late = await guarded.command("run", "--resume", run_id), await approve(guarded, run_id, "carol")
    assert (2, 2) == (resumed.code, late.code)
    assert "expired at" in resumed.err
    assert "expired at" in late.err
    shown = (await guarded.command("runs", "show", run_id, "--json")).json
    assert ("cancelled", {"not_sent": 3}) == (shown["status"], shown["states"])
    assert "approval expired" in shown["halt_reason"]
    assert [] == guarded.vendor.requests
    await waiting(guarded)


async def _until_expired(world: World) -> None:
    while not await world.sql("SELECT FROM retention.runs WHERE approval_expires_at <= statement_timestamp()"):
        await asyncio.sleep(0.05)


async def test_a_waiting_run_keeps_its_rounds(guarded: World) -> None:
    """Another run plans none of them and says which run has them, approved or not; `runs close` gives them back."""
    run_id = await waiting(guarded)
    other = await guarded.command("run", "--by", "ann", "--json")
    assert (0, 0) == (other.code, other.json["rounds"]), other.err
    assert [(run_id, 3)] == [(one["run_id"], one["rounds"]) for one in other.json["elsewhere"]]
    assert "it awaits approval" in other.json["elsewhere"][0]["words"]
    assert 0 == (await approve(guarded, run_id)).code
    words = (await guarded.command("plan", "--json")).json["elsewhere"][0]["words"]
    assert f"it is approved, and `retention run --resume {run_id}` starts it" in words
    closed = await guarded.command("runs", "close", run_id, "--by", "ann", "--note", "not tonight")
    assert 0 == closed.code, closed.err
    late = await approve(guarded, run_id)
    assert (2, True) == (late.code, "awaits no approval: it is cancelled" in late.err)
    await waiting(guarded)
    assert [] == guarded.vendor.requests


async def test_a_rail_comes_before_the_approval(guarded: World) -> None:
    """A run that a rail halted waits for approval once a person has passed the rail, and is not sent before."""
    guarded.policy["max_rounds"] = 2
    halted = await guarded.command("run", "--by", "ann", "--json")
    assert 3 == halted.code
    run_id = halted.json["run_id"]
    passed = await guarded.command("run", "--resume", run_id, "--override", "three is right", "--by", "ann", "--json")
    assert (6, []) == (passed.code, guarded.vendor.requests), passed.err
    assert 0 == (await approve(guarded, run_id)).code
    sent = await guarded.command("run", "--resume", run_id, "--json")
    assert (0, {"cancelled": 3}) == (sent.code, sent.json["states"]), sent.err


async def test_settings_of_a_row_go_around_no_configuration(guarded: World) -> None:
    """A run that was planned without approval does not go on once its policy requires one."""
    guarded.policy |= {"requires_approval": False, "max_rounds": 2}
    halted = await guarded.command("run", "--by", "ann", "--json")
    guarded.policy |= {"requires_approval": True, "max_rounds": 10}
    resumed = await guarded.command("run", "--resume", halted.json["run_id"], "--override", "fine", "--by", "ann")
    assert (2, []) == (resumed.code, guarded.vendor.requests)
    assert "came to require an approval" in resumed.err


async def test_a_run_without_rounds_needs_no_approval(guarded: World) -> None:
    """Nothing stale, nothing to approve: the run is finished at once."""
    run(guarded.direct, "DELETE FROM public.rounds")
    done = await guarded.command("run", "--by", "ann", "--json")
    assert (0, "finished") == (done.code, done.json["status"]), done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "ann"), "was requested by ann: another person has to decide"),
        (("--by", " ANN\u200b "), "was requested by ann: another person has to decide"),
        (("--by", "bob", "--digest", "0" * 12), "does not begin the digest"),
        (("--by", "bob", "--digest", "abc"), "12 to 64 hexadecimal digits"),
        (("--by", "bob", "--digest", "no digest at all"), "12 to 64 hexadecimal digits"),
        (("--by", "\u200b"), "must not be blank"),
    ],
)
async def test_who_may_not_approve(guarded: World, words: tuple[str, ...], says: str) -> None:
    """Neither the person who asked nor a person who means another plan approves a run, or rejects it."""
    run_id = await waiting(guarded)
    approved = await guarded.command("approve", run_id, *words)
    rejected = await guarded.command("reject", run_id, "--note", "no", *words)
    assert (2, 2) == (approved.code, rejected.code)
    assert says in approved.err
    assert says in rejected.err
    assert [(None, "awaiting_approval")] == await guarded.sql("SELECT approved_at, status FROM retention.runs")
