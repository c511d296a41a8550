"""The program of a helper process: its stdin is a channel to the first process, and brings its work."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from retention.errors import RetentionError
from retention.exit_codes import ExitCode
from retention.fleet.helper import Helper
from retention.fleet.messages import Hello, Ready
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.log import configure
from retention.process import this_process
from retention.process.busy_loop import busy_runner
from retention.process.channel import Channel
from retention.redaction import Redactor
from retention.wiring.engines import open_engine
from retention.wiring.secrets import redactor_of
from retention.wiring.services import open_services, timeouts_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.engine.counters import RunCounters
    from retention.engine.engine import EngineResult
    from retention.fleet.messages import Work
    from retention.process.shutdown import DrainScope
    from retention.wiring.services import Services


def main() -> NoReturn:
    """Help until the first process ends, or lets this one go."""
    for ignored in (signal.SIGINT, signal.SIGHUP):  # until the loop drains on a signal
        signal.signal(ignored, signal.SIG_IGN)
    this_process.set_up()
    this_process.work_comes_first(machine=False)
    with busy_runner() as runner:
        code = runner.run(_help())
    os._exit(this_process.finish(code))  # the interpreter's own end takes longer, and the first process waits


async def _help() -> ExitCode:
    channel = await Channel.over(socket.socket(fileno=os.dup(this_process.STDIN)))
    if await channel.receive() not in {None, version("retention")}:
        log = configure("json", "info", Redactor(list, set))
        log.error("process.failed", problem="the package was replaced since the command began; start the command again")
        return ExitCode.USAGE
    helper = Helper(channel)
    hello = await channel.receive()
    if not isinstance(hello, Hello):  # the first process has ended
        return ExitCode.DONE
    redactor = redactor_of(hello.settings)
    form = hello.log_form
    log = configure(form.format, form.level, redactor, colors=form.colors).bind(process=hello.number)
    try:
        async with open_services(hello.settings, log, redactor, hello.connections) as services:
            log.info("process.started", pid=os.getpid(), replica=services.replica)
            channel.send(Ready(services.replica))
            return await helper.run(partial(_work, services))
    except (RetentionError, *UNAVAILABLE) as error:
        return _failed(error, redactor, log)
    except Exception:
        log.exception("bug")
        return ExitCode.BUG


def _failed(error: Exception, redactor: Redactor, log: FilteringBoundLogger) -> ExitCode:
    """Log an error that a person can mend; returns its exit code."""
    if isinstance(error, RetentionError):
        text, code = str(error), error.exit_code
    else:
        text, code = describe_unavailable(error), ExitCode.UNREACHABLE
    log.error("process.failed", problem=redactor.own_text(text))
    return code


async def _work(services: Services, work: Work, counters: RunCounters, scope: DrainScope) -> EngineResult:
    """Work on a run that the first process has started, under the settings that it had then."""
    services = replace(services, settings=work.settings)
    services.clocks.set_timeouts(timeouts_of(work.settings))
    log = services.log.bind(run_id=str(work.run_id), policy=work.policy.name)
    await services.run_ledger.clock.require_time(services.settings.clock_limit(work.policy.name))
    async with open_engine(services, work.run_id, work.policy, work.overridden, counters, log) as engine:
        with scope.drain_on_signal(engine):
            return await engine.run()


if __name__ == "__main__":
    main()
