"""The tasks of a daemon: each run once at a time, and how tasks end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import structlog
from structlog.testing import LogCapture

from retention.core.runs.summary import Summary
from retention.daemon import run_supervisor as module
from retention.daemon.run_supervisor import RunSupervisor
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.ledger.database_errors import ServerUnavailableError
from retention.process.drain_group import DrainGroup
from retention.runs.model import RunResult

if TYPE_CHECKING:
    from collections.abc import Callable


class Supervised:
    """A supervisor with its log and the results that it passed on."""

    def __init__(self) -> None:
        self.results: list[RunResult] = []
        self.log = LogCapture()
        self.group = DrainGroup(lambda: None)
        logger = structlog.wrap_logger(structlog.PrintLogger(), [self.log])
        self.supervisor = RunSupervisor(self.group, self.results.append, logger)

    @property
    def events(self) -> list[str]:
        """The names of the log's events."""
        return [entry["event"] for entry in self.log.entries]


async def ending(run_id: UUID, after: asyncio.Event | None = None, status: str = "finished") -> RunResult:
    """Work on a run that ends with this status, at once or after an event."""
    if after is not None:
        await after.wait()
    return RunResult(Summary(run_id, "nightly", "enforce", status, None), ExitCode.DONE)


async def failing(error: Exception) -> RunResult:
    """Work on a run that ends with an error."""
    raise error


class Worker:
    """A worker of a drain group that ends when it is aborted, or as soon as it is stopped."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.aborted = asyncio.Event()

    def stop(self) -> None:
        """Remember to have been stopped."""
        self.stopped.set()

    def abort(self) -> None:
        """Remember to have been aborted."""
        self.aborted.set()


async def test_a_run_is_started_once() -> None:
    """A second start of a run that this process works on does nothing; its result is passed on once."""
    supervised, over, run_id = Supervised(), asyncio.Event(), uuid4()
    for _ in range(2):
        supervised.supervisor.start(run_id, ending(run_id, over))
        assert not supervised.supervisor.can_start(run_id)
    over.set()
    await supervised.supervisor.drain(5, lambda: None)
    assert [run_id] == [result.summary.run_id for result in supervised.results]


@pytest.mark.parametrize(
    ("event", "pause", "error"),
    [
        (None, "RESTART_PAUSE_S", None),
        (None, "RESTART_PAUSE_S", ServerUnavailableError("server closed the connection")),
        ("run.skipped", "SKIP_PAUSE_S", UsageError("there is no partner 'gone'")),
        ("run.crashed", "SKIP_PAUSE_S", RuntimeError("a bug")),
    ],
    ids=["left", "database away", "not configured", "crashed"],
)
async def test_a_run_that_ended_here_is_startable_again_after_its_pause(
    event: str | None, pause: str, error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A left or lost run is resumed soon; a run that this process cannot work on is skipped for longer."""
    pauses = {"RESTART_PAUSE_S": 600.0, "SKIP_PAUSE_S": 600.0, pause: 0.0}
    supervised, run_id = Supervised(), uuid4()
    for expected in (True, False):
        for name, seconds in pauses.items():
            monkeypatch.setattr(module, name, seconds)
        supervised.supervisor.start(run_id, failing(error) if error else ending(run_id, status="running"))
        await supervised.supervisor.drain(5, lambda: None)
        assert expected is supervised.supervisor.can_start(run_id)
        pauses[pause] = 600.0
    assert [] == supervised.results
    assert ([event] * 2 if event else []) == [name for name in supervised.events if name.startswith("run.")]


async def test_a_crashed_run_stops_no_other() -> None:
    """The result of the other run arrives as usual."""
    supervised, over, other = Supervised(), asyncio.Event(), uuid4()
    supervised.supervisor.start(other, ending(other, over))
    supervised.supervisor.start(uuid4(), failing(RuntimeError("a bug")))
    over.set()
    await supervised.supervisor.drain(5, lambda: None)
    assert [other] == [result.summary.run_id for result in supervised.results]
    assert "run.crashed" in supervised.events


@pytest.mark.parametrize(
    ("timeout_s", "events"),
    [
        (5.0, ["serve.draining", "serve.drained"]),
        (0.0, ["serve.draining", "serve.drain_timed_out", "serve.drained"]),
    ],
)
async def test_a_drain_waits_and_aborts_after_its_timeout(timeout_s: float, events: list[str]) -> None:
    """A drain waits for workers that settle requests in flight; after its timeout it aborts them. It beats
    meanwhile.
    """
    supervised, worker, beats = Supervised(), Worker(), 0

    async def work(until: Callable[[], asyncio.Event]) -> None:
        with supervised.group.drain_on_signal(worker):
            await until().wait()

    def beat() -> None:
        nonlocal beats
        beats += 1

    supervised.supervisor.spawn(work(lambda: worker.stopped if timeout_s else worker.aborted))
    await asyncio.sleep(0)
    supervised.group.stop()
    await supervised.supervisor.drain(timeout_s, beat)
    assert events == supervised.events
    assert (timeout_s == 0, timeout_s > 0) == (worker.aborted.is_set(), beats > 0)


async def test_a_run_started_during_a_drain_sends_no_request() -> None:
    """A run that is started during a drain sends nothing."""
    group, worker = DrainGroup(lambda: None), Worker()
    group.stop()
    with group.drain_on_signal(worker):
        assert worker.stopped.is_set()


async def test_cancel_all_cancels_the_tasks_that_are_left() -> None:
    """A task that neither drain nor abort has ended is cancelled, and the supervisor waits for its end."""
    supervised, cancelled = Supervised(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    supervised.supervisor.spawn(endless())
    await asyncio.sleep(0)
    await supervised.supervisor.cancel_all()
    assert cancelled.is_set()
