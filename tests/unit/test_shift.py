"""What a daemon has going."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from retention.core.runs.summary import Summary
from retention.daemon.run_supervisor import RunSupervisor
from retention.exit_codes import ExitCode
from retention.log import configure
from retention.redaction import Redactor
from retention.runs.model import RunResult

if TYPE_CHECKING:
    from uuid import UUID


async def test_a_process_works_on_a_run_once() -> None:
    """A run that this process works on already is not begun a second time, whoever in it found it last."""
    ended: list[RunResult] = []
    run_supervisor = RunSupervisor(ended.append, lambda: None, configure("json", "error", Redactor(list, set)))
    over = asyncio.Event()

    async def going(run_id: UUID) -> RunResult:
        await over.wait()
        return RunResult(Summary(run_id, "nightly", "enforce", "finished", None), ExitCode.DONE)

    run_id = uuid4()
    run_supervisor.work_on(run_id, going(run_id))
    run_supervisor.work_on(run_id, going(run_id))
    over.set()
    await run_supervisor.drain(5, lambda: None)
    assert [run_id] == [finished.summary.run_id for finished in ended]
