"""The run service on a real ledger: start, override, resume, pause, stricter policies, close."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import structlog
from structlog.testing import LogCapture
from support.bare_database import SCOPE, TERMS

from retention.engine.counters import ProcessCounters
from retention.engine.engine import EngineResult
from retention.errors import UsageError, ViewError
from retention.exit_codes import ExitCode
from retention.ledger.approvals import Approvals
from retention.ledger.evidence import Evidence
from retention.ledger.months import begin_month
from retention.ledger.named_rounds import NamedRounds
from retention.ledger.pauses import Pauses
from retention.ledger.plans import Plans
from retention.ledger.runs import RunLedger
from retention.ledger.stalled_runs import StalledRuns
from retention.runs.checkpoints import Checkpoints
from retention.runs.model import Planned, RequestedBy, RunParts
from retention.runs.service import RunService
from retention.settings.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.ledger import Book

    from retention.ledger.database import Database

REPLICA = "host-1"
POLICY = Policy.model_validate(
    {"name": "nightly", "partners": ["acme"], "open_longer_than": "72h", "max_rounds": 1, "mode": "enforce"}
)
WIDE = POLICY.model_copy(update={"max_rounds": 5})


@dataclass
class Process:
    """One process with a run service, whose work on a run is only recorded."""

    database: Database
    configured: Policy | None = POLICY
    started: list[tuple[UUID, list[str]]] = field(default_factory=list)
    log: LogCapture = field(default_factory=LogCapture)
    closes_its_run: bool = False

    @property
    def service(self) -> RunService:
        """The process's run service."""
        log = structlog.wrap_logger(None, [self.log], structlog.make_filtering_bound_logger("debug"))
        return RunService(
            RunParts(
                ledger=RunLedger(self.database),
                plans=Plans(self.database),
                named=NamedRounds(self.database, REPLICA),
                stalls=StalledRuns(self.database, REPLICA),
                pauses=Pauses(self.database),
                checkpoints=Checkpoints(Evidence(self.database), log),
                approvals=Approvals(self.database, REPLICA),
                replica=REPLICA,
                work=self.work,
                check_configured=lambda _: None,
                counters=ProcessCounters(),
                log=log,
                signal_code=lambda: None,
                policy_now=lambda _: self.configured,
                scope=lambda *_: (SCOPE, [TERMS]),
                clock_limit=lambda _: 60.0,
                begin_month=partial(begin_month, self.database, log),
                longest_lease=TERMS.lease,
            )
        )

    async def work(self, run_id: UUID, policy: Policy, overridden: Sequence[str]) -> EngineResult:  # noqa: ARG002
        """Record the start; end the run where the test wants that."""
        self.started.append((run_id, [*overridden]))
        if self.closes_its_run:
            await RunLedger(self.database).close_run(run_id, REPLICA, "done")
        return EngineResult(stopped=False, unreachable=())

    async def planned(self, policy: Policy = POLICY) -> Planned:
        """Plan a run of the policy, as configured now, for a person."""
        self.configured = policy
        planned = await self.service.plan(policy, SCOPE, [TERMS], RequestedBy("ann"))
        assert planned is not None
        return planned

    def events(self) -> list[str]:
        """Return the names of the log events so far."""
        return [entry["event"] for entry in self.log.entries]


@pytest.fixture
def process(database: Database) -> Process:
    return Process(database)


@pytest.fixture
async def rounds(book: Book) -> None:
    for name in ("R-1", "R-2"):
        await book.open_round(name)


@pytest.mark.usefixtures("rounds")
async def test_a_tripped_rail_halts_the_run_before_its_start(process: Process) -> None:
    """A plan above max_rounds halts its run with exit code 3, and no work begins."""
    result = await process.service.execute(await process.planned())
    assert (ExitCode.HALTED, "halted") == (result.exit, result.summary.status)
    assert "max_rounds: 2 stale rounds, the policy allows 1" == result.summary.halt_reason
    assert [] == process.started


@pytest.mark.usefixtures("rounds")
async def test_resume_with_an_override_starts_the_halted_run(process: Process, database: Database) -> None:
    """An override is recorded with its rail, text and person, and the run's work begins without that rail."""
    planned = await process.planned()
    await process.service.execute(planned)
    await process.service.resume(planned.run_id, override="2 is right", by="bob")
    record = await RunLedger(database).require_run(planned.run_id)
    assert [("max_rounds", "2 is right", "bob")] == [(one["rail"], one["text"], one["by"]) for one in record.overrides]
    assert [(planned.run_id, ["max_rounds"])] == process.started
    assert "running" == record.status


@pytest.mark.usefixtures("rounds")
async def test_resume_without_an_override_halts_again(process: Process) -> None:
    """The rail of the plan halts a resumed run again."""
    planned = await process.planned()
    await process.service.execute(planned)
    result = await process.service.resume(planned.run_id, override=None, by="bob")
    assert ("halted", []) == (result.summary.status, process.started)


@pytest.mark.usefixtures("rounds")
async def test_an_override_needs_a_rail_that_halted_the_run(process: Process, database: Database) -> None:
    """An override is refused for a paused run and for a run that ended."""
    await Pauses(database).begin_pause("acme", "ann", "incident 4")
    planned = await process.planned(WIDE)
    await process.service.execute(planned)
    with pytest.raises(UsageError, match=r"is not halted by a rail \(paused by ann: incident 4"):
        await process.service.resume(planned.run_id, override="why not", by="bob")
    await process.service.close(planned.run_id, "ann", "enough")
    with pytest.raises(UsageError, match="is cancelled: there is no rail to pass"):
        await process.service.resume(planned.run_id, override="why not", by="bob")


@pytest.mark.usefixtures("rounds")
async def test_a_replies_rail_can_be_overridden_after_the_fact(process: Process, database: Database) -> None:
    """A run halted by max_failure_ratio takes an override, although no check finds that rail again."""
    planned = await process.planned(WIDE)
    await RunLedger(database).halt_run(planned.run_id, REPLICA, "max_failure_ratio: 30 of the last 50 replies")
    await process.service.resume(planned.run_id, override="a known incident", by="bob")
    assert [(planned.run_id, ["max_failure_ratio"])] == process.started


@pytest.mark.usefixtures("rounds")
async def test_join_resumes_a_paused_run_once_the_pause_ends(process: Process, database: Database) -> None:
    """A pause of all partners halts a run before its start; after the pause, a process joins it."""
    pauses = Pauses(database)
    await pauses.begin_pause(None, "ann", "incident 4")
    planned = await process.planned(WIDE)
    paused = await process.service.execute(planned)
    assert (ExitCode.HALTED, True, []) == (paused.exit, paused.summary.paused, process.started)
    await pauses.end_pause(None, "ann")
    await process.service.join(planned.run_id)
    assert [(planned.run_id, [])] == process.started


@pytest.mark.usefixtures("rounds")
async def test_join_leaves_a_run_halted_by_a_rail_to_people(process: Process) -> None:
    """No process starts a run that a rail halted."""
    planned = await process.planned()
    await process.service.execute(planned)
    result = await process.service.join(planned.run_id)
    assert ("halted", []) == (result.summary.status, process.started)


@pytest.mark.usefixtures("rounds")
async def test_a_stricter_policy_halts_a_joined_run_until_a_person_resumes_it(process: Process) -> None:
    """A joined run halts under a stricter policy; once a person resumed it, the same change halts it no more."""
    planned = await process.planned(WIDE)
    process.configured = WIDE.model_copy(update={"exclude_markets": ("GB",)})
    result = await process.service.join(planned.run_id)
    assert "stricter: exclude_markets was none, is GB" == result.summary.halt_reason
    assert [] == process.started
    await process.service.resume(planned.run_id, override=None, by="bob")
    await process.service.join(planned.run_id)
    assert [(planned.run_id, []), (planned.run_id, ["stricter"])] == process.started


@pytest.mark.usefixtures("rounds")
async def test_a_plan_without_confirmation_is_closed(process: Process) -> None:
    """A no of the person closes the run with exit code 0, and no work begins."""

    async def refuse(planned: Planned, doubts: int) -> bool:  # noqa: ARG001
        return False

    result = await process.service.execute(await process.planned(WIDE), refuse)
    assert (ExitCode.DONE, "cancelled", "not confirmed") == (
        result.exit,
        result.summary.status,
        result.summary.halt_reason,
    )
    assert [] == process.started


@pytest.mark.usefixtures("rounds")
@pytest.mark.parametrize(("ends", "event"), [(True, "run.finished"), (False, "run.left")])
async def test_only_the_process_that_ended_a_run_logs_run_finished(process: Process, *, ends: bool, event: str) -> None:
    """A process that leaves a running run logs `run.left` instead of `run.finished`."""
    process.closes_its_run = ends
    await process.service.execute(await process.planned(WIDE))
    assert ["run.planned", "run.started", "audit.checkpoint", event] == process.events()


@pytest.mark.usefixtures("rounds")
async def test_a_dry_run_names_the_rails_that_would_halt_it(process: Process) -> None:
    """A dry run finishes without work, and warns about each rail of an enforcing run."""
    result = await process.service.execute(await process.planned(POLICY.model_copy(update={"mode": "dry_run"})))
    assert ("an enforcing run would halt: max_rounds: 2 stale rounds, the policy allows 1",) == result.warnings
    assert ("finished", []) == (result.summary.status, process.started)


async def test_close_refuses_an_ended_and_an_unknown_run(process: Process) -> None:
    """A run is closed once, and an unknown run id is an error that names the list of runs."""
    planned = await process.planned()
    closed = await process.service.close(planned.run_id, "ann", "planned under the wrong age")
    assert ("planned", True, 0) == (closed.status, closed.done, closed.not_sent)
    with pytest.raises(UsageError, match="is cancelled already"):
        await process.service.close(planned.run_id, "ann", "again")
    with pytest.raises(UsageError, match=r"there is no run .*; `retention runs list` shows the newest"):
        await process.service.close(uuid4(), "ann", "never made")


async def test_an_unreadable_view_fails_a_scheduled_run_and_refuses_a_persons(process: Process, book: Book) -> None:
    """A scheduled run is recorded as failed, so that people are notified; a person gets the error at once."""
    await book.all("DROP VIEW retention.open_rounds")
    (row,) = await book.all("SELECT statement_timestamp() AS now")
    scheduled = replace(RequestedBy("schedule"), scheduled_for=row.now)
    assert await process.service.plan(POLICY, SCOPE, [TERMS], scheduled) is None
    (run,) = await book.all("SELECT status, halt_reason FROM retention.runs")
    assert ("failed", True) == (run.status, run.halt_reason.startswith("retention.open_rounds cannot be read"))
    with pytest.raises(ViewError):
        await process.planned()


APPROVED = "UPDATE retention.runs SET approved_at = now(), approved_by = 'bob' WHERE run_id = %s"


@pytest.mark.usefixtures("rounds")
async def test_an_approved_run_that_has_drifted_halts_before_its_start(process: Process, book: Book) -> None:
    """More gone rounds than max_drift allows halt an approved run before any work; an override starts it."""
    planned = await process.planned(WIDE.model_copy(update={"max_drift": 0.25}))
    await book.all(APPROVED, planned.run_id)
    await book.all("UPDATE public.rounds SET status = 1 WHERE round_id = 'R-1'")
    result = await process.service.join(planned.run_id)
    words = "max_drift: 1 of 2 approved rounds is gone (1 closed), the policy allows 25%"
    assert (ExitCode.HALTED, words, []) == (result.exit, result.summary.halt_reason, process.started)
    await process.service.resume(planned.run_id, override=None, by="tess")
    assert [] == process.started
    await process.service.resume(planned.run_id, override="known", by="tess")
    assert [(planned.run_id, ["max_drift"])] == process.started


@pytest.mark.usefixtures("rounds")
@pytest.mark.parametrize(
    ("max_drift", "change"),
    [(0.5, ""), (None, ""), (0.25, "SET approval_used_at = now()"), (0.25, "SET approved_at = NULL")],
    ids=["as much as allowed", "no rail", "an approval in use", "no approval"],
)
async def test_a_run_starts_where_the_drift_is_not_to_be_judged(
    process: Process, book: Book, max_drift: float | None, change: str
) -> None:
    """A drift up to max_drift halts nothing, and no run but an approved one before its first start is judged."""
    planned = await process.planned(WIDE.model_copy(update={"max_drift": max_drift}))
    await book.all(APPROVED, planned.run_id)
    await book.all("UPDATE public.rounds SET status = 1 WHERE round_id = 'R-1'")
    if change:
        await book.all(f"UPDATE retention.runs {change} WHERE run_id = %s", planned.run_id)
    await process.service.join(planned.run_id)
    assert [(planned.run_id, [])] == process.started


@pytest.mark.usefixtures("rounds")
async def test_each_reason_of_a_drift_is_counted(process: Process, book: Book, database: Database) -> None:
    """A held round and a round that is planned no more are counted by their reasons, beside those that may be called."""
    await book.open_round("R-3")
    planned = await process.planned(WIDE)
    await book.all(APPROVED, planned.run_id)
    await book.all("INSERT INTO retention.holds (round_id, reason, created_by) VALUES ('R-1', 'dispute', 'ann')")
    await book.all("UPDATE retention.cancellations SET state = 'not_sent', settled_at = now() WHERE round_id = 'R-2'")
    counts = await RunLedger(database).count_drift(planned.run_id, None)
    assert {None: 1, "held": 1, "not_planned": 1} == counts
