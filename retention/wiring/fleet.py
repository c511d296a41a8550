"""Gives a process its helpers."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from retention.fleet.fleet import Fleet
from retention.process import this_process

if TYPE_CHECKING:
    from retention.log import LogForm
    from retention.wiring.services import Services


def with_helpers(services: Services, processes: int, log_form: LogForm, connections: int) -> Services:
    """Return the services of the first of `processes`.

    `connections`: to the database, of each helper at most. Raises UsageError where too few files may be open for them.
    """
    if processes == 1:
        return services
    this_process.require_files(processes - 1)
    if processes > (cores := _cores()):
        services.log.warning("processes.more_than_cores", processes=processes, cores=cores)
    return replace(services, fleet=Fleet(processes, log_form, connections, services.counters, services.log))


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
