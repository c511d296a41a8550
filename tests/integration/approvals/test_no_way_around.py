"""(Way in) x (wrong with the approval): no cell sends a request, with all checks of the program and without each."""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import structlog
from psycopg.conninfo import make_conninfo
from support.bare_database import run
from support.daemon_parts import daemon_of
from support.job_login import JOB, OTHER_LOGIN, as_job

from retention.core.planning.approval import ApprovalState
from retention.errors import RetentionError
from retention.ledger.clocks import HEARTBEAT_S
from retention.process.drain_group import DrainGroup
from retention.runs import approvals
from retention.runs.model import RequestedBy
from retention.settings.load import load_settings
from retention.wiring.secrets import redactor_of
from retention.wiring.services import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from uuid import UUID

    from support.world import World

    from retention.runs.model import RunResult
    from retention.runs.service import RunService
    from retention.wiring.services import Services

REQUESTER = "\u00c9lodie"

REFUSALS = (RetentionError, psycopg.Error)


@dataclass(slots=True)
class Process:
    """A process of the job's, with one waiting run of two rounds."""

    world: World
    services: Services
    runs: RunService
    run_id: UUID

    async def request(self) -> RunResult:
        """Plan the policy anew and execute it, as `run --yes` does."""
        policy = self.services.settings.policy("nightly")
        scope, terms = self.services._scope(policy, None)  # noqa: SLF001 - as the command line does
        planned = await self.runs.plan(policy, scope, terms, RequestedBy(REQUESTER))
        assert planned is not None
        self.run_id = planned.run_id
        return await self.runs.execute(planned)

    async def approve(self, by: str = "bob", digest: str | None = None) -> None:
        """Approve the run."""
        await self.runs.approve(self.run_id, by, digest, None)

    async def decide_in_sql(self, by: str, digest: str) -> str:
        """Call the ledger's function as the job, past all checks of the program; return its verdict."""
        row = await self.services.database.row(
            "approvals/approve_run", run_id=self.run_id, by=by, digest=digest, note=None, replica="r"
        )
        return str(row.verdict)

    async def own(self, statement: str) -> None:
        """Run a statement as the owner of the tables."""
        run(self.world.direct, statement.replace("THE_RUN", f"'{self.run_id}'"))

    async def as_job(self, statement: str) -> None:
        """Run a statement as the job."""
        run(self.world.dsn, statement.replace("THE_RUN", f"'{self.run_id}'"))


@asynccontextmanager
async def process_of(world: World) -> AsyncIterator[Process]:
    """Yield a process with the world's configuration, which has requested a run."""
    settings = load_settings(world.configure(), {}, world.folder)
    group = DrainGroup(lambda: None)
    log = structlog.wrap_logger(None, [lambda *_: ""], structlog.make_filtering_bound_logger("critical"))
    async with open_services(settings, log, redactor_of(settings)) as services:
        process = Process(world, services, services.runs(group), uuid.uuid4())
        result = await process.request()
        assert ("awaiting_approval", 6) == (result.summary.status, result.exit)
        yield process


@pytest.fixture
async def guarded(world: World) -> World:
    """Return a world whose commands log in as the job, and whose policy requires approval."""
    as_job(world)
    world.policy["requires_approval"] = True
    await world.seed(2)
    return world


# What is wrong with the approval.


async def _none(process: Process) -> None:
    del process


async def _expired(process: Process) -> None:
    await process.approve()
    await process.own("UPDATE retention.runs SET approval_expires_at = now() - interval '1 second'")


async def _given_too_late(process: Process) -> None:
    await process.own("UPDATE retention.runs SET approval_expires_at = now() - interval '1 second'")
    await process.approve()


async def _rejected(process: Process) -> None:
    await process.runs.reject(process.run_id, "bob", None, "no")


async def _rejected_and_set_back(process: Process) -> None:
    await _rejected(process)
    await process.as_job(
        "UPDATE retention.runs SET status = 'awaiting_approval', finished_at = NULL WHERE run_id = THE_RUN"
    )
    await process.as_job("UPDATE retention.cancellations SET state = 'planned', settled_at = NULL")


async def _other_digest(process: Process) -> None:
    await process.approve(digest="0" * 12)


async def _dry_digits(process: Process) -> None:
    digest = (await process.services.run_ledger.require_run(process.run_id)).plan_digest or ""
    for short in ("", digest[:11], "%", f"{digest}0", digest.upper()):
        assert "other_digest" == await process.decide_in_sql("bob", short)


async def _row_changed(process: Process) -> None:
    await process.approve()
    await process.own("UPDATE retention.cancellations SET stake = stake + 1 WHERE round_id = 'r1'")


async def _row_added(process: Process) -> None:
    await process.approve()
    await process.world.seed(1, prefix="x")
    await process.own(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
        " SELECT THE_RUN, partner, market, user_id, round_id, opened_at FROM retention.open_rounds WHERE round_id = 'x0'"
    )


async def _settings_changed(process: Process) -> None:
    await process.approve()
    await process.own("""UPDATE retention.runs SET settings = settings || '{"max_rounds": 7}'""")


async def _own_request(process: Process) -> None:
    await process.approve(REQUESTER)


async def _own_request_in_another_form(process: Process) -> None:
    await process.approve(" e\u0301LODIE\u200b ")


async def _own_request_in_sql(process: Process) -> None:
    digest = (await process.services.run_ledger.require_run(process.run_id)).plan_digest or ""
    for name in (REQUESTER, "E\u0301lodie", "\u00a0\u00c9LODIE", "\u00e9lo\u200bdie"):
        assert "own_request" == await process.decide_in_sql(name, digest)
    assert "blank_name" == await process.decide_in_sql("\u200b", digest)


async def _of_another_run(process: Process) -> None:
    await process.approve()
    await process.own("DELETE FROM public.rounds WHERE round_id = 'r0'")
    await process.runs.close(process.run_id, "ann", "again")
    await process.request()


async def _approved_by_update(process: Process) -> None:
    for column in ("approved_by = 'bob'", "approved_at = now()", "approval_used_at = now()", "plan_digest = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await process.as_job(f"UPDATE retention.runs SET {column}")


async def _half_an_approval(process: Process) -> None:
    await process.own("UPDATE retention.runs SET approved_by = 'bob'")


async def _same_login(process: Process) -> None:
    process.world.policy["approval"] = "authenticated"
    await process.runs.close(process.run_id, "ann", "again")
    settings = load_settings(process.world.configure(), {}, process.world.folder)
    process.services.settings.policies["nightly"]
    policy = settings.policy("nightly")
    scope, terms = process.services._scope(policy, None)  # noqa: SLF001
    planned = await process.runs.plan(policy, scope, terms, RequestedBy(REQUESTER))
    assert planned is not None
    process.run_id = planned.run_id
    await process.runs.execute(planned)
    await process.approve()


WRONGS = [
    _none,
    _expired,
    _given_too_late,
    _rejected,
    _rejected_and_set_back,
    _other_digest,
    _dry_digits,
    _row_changed,
    _row_added,
    _settings_changed,
    _own_request,
    _own_request_in_another_form,
    _own_request_in_sql,
    _of_another_run,
    _approved_by_update,
    _half_an_approval,
    _same_login,
]


# The ways in.


async def _start_statement(process: Process) -> None:
    await process.services.database.row(
        "runs/start_run", run_id=process.run_id, deadline=None, resumed=True, by=None, beat=HEARTBEAT_S, replica="r"
    )


async def _update(process: Process) -> None:
    await process.as_job(
        "UPDATE retention.runs SET status = 'running', started_at = now(), halt_reason = NULL, finished_at = NULL"
        " WHERE run_id = THE_RUN"
    )


async def _halt_and_start(process: Process) -> None:
    await process.as_job(
        "UPDATE retention.runs SET status = 'halted', halt_reason = 'paused by eve', paused = true, finished_at = NULL"
        " WHERE run_id = THE_RUN"
    )
    await _start_statement(process)


async def _resume(process: Process) -> None:
    await process.runs.resume(process.run_id, override=None, by="eve")


async def _join(process: Process) -> None:
    await process.runs.join(process.run_id)


async def _request_anew(process: Process) -> None:
    await process.request()


async def _serve(process: Process) -> None:
    async with daemon_of(process.world) as daemon:
        await daemon.work_once()


WAYS = [_start_statement, _update, _halt_and_start, _resume, _join, _request_anew]

REMOVED: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "nothing": {},
    "approval_state": {"approval_state": lambda *_: ApprovalState.USED},
    "decision_refused": {"decision_refused": lambda *_: None},
}
"""The program's own checks that are taken out: the ledger alone has to refuse."""


@pytest.mark.parametrize("removed", REMOVED)
@pytest.mark.parametrize("wrong", WRONGS)
async def test_no_way_in_sends_without_an_approval_that_counts(
    guarded: World, wrong: Callable[[Process], Awaitable[None]], removed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way in is tried with each defect of the approval, and a daemon looks after each: the vendor gets nothing."""
    async with process_of(guarded) as process:
        for name, function in REMOVED[removed].items():
            monkeypatch.setattr(approvals, name, function)
        with suppress(*REFUSALS):
            await wrong(process)
        for way in WAYS:
            with suppress(*REFUSALS):
                await way(process)
            assert (way.__name__, []) == (way.__name__, guarded.vendor.requests)
        await _serve(process)
    assert [] == guarded.vendor.requests
    assert [] == await guarded.sql(
        "SELECT FROM retention.runs WHERE approval_used_at IS NOT NULL OR status = 'running'"
    )


@pytest.mark.parametrize("way", [_start_statement, _update, _resume, _join, _serve])
async def test_each_way_in_works_with_an_approval(guarded: World, way: Callable[[Process], Awaitable[None]]) -> None:
    """The same ways, with an approval that counts: the run is sent, once, with exactly its rounds."""
    async with process_of(guarded) as process:
        await process.approve()
        await guarded.seed(1, prefix="late")
        await way(process)
        await _serve(process)
    assert {"r0": "cancelled", "r1": "cancelled"} == await guarded.states()
    assert 2 == len(guarded.cancels)


async def test_without_the_gate_the_table_would_fail(guarded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the gate dropped by an owner and the program's check taken out, a run is sent: the cells above prove both."""
    async with process_of(guarded) as process:
        monkeypatch.setattr(approvals, "approval_state", lambda *_: ApprovalState.USED)
        await process.own("DROP TRIGGER runs_guard_start ON retention.runs")
        await process.as_job("UPDATE retention.runs SET status = 'halted', halt_reason = 'x' WHERE run_id = THE_RUN")
        await process.runs.resume(process.run_id, override=None, by="eve")
    assert {"r0": "cancelled", "r1": "cancelled"} == await guarded.states()


async def test_another_login_approves_in_authenticated_mode(guarded: World) -> None:
    """With approval = "authenticated", another database login has to approve; the same name in it still may not."""
    guarded.policy["approval"] = "authenticated"
    async with process_of(guarded) as process:
        with pytest.raises(RetentionError, match="another login has to decide on it"):
            await process.approve()
        job, guarded.dsn = guarded.dsn, make_conninfo(guarded.dsn, user=OTHER_LOGIN)
        own = await guarded.command("approve", str(process.run_id), "--by", "\u00e9lodie")
        done = await guarded.command("approve", str(process.run_id), "--by", "bob")
        guarded.dsn = job
        assert (2, 0) == (own.code, done.code), done.err
        await process.runs.resume(process.run_id, override=None, by="ann")
        record = await process.services.run_ledger.require_run(process.run_id)
    assert (JOB, OTHER_LOGIN) == (record.requested_login, record.approved_login)
    assert {"r0": "cancelled", "r1": "cancelled"} == await guarded.states()
