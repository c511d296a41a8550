"""Several replicas, or processes of one command, at work on one run."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import psycopg
from support.bulk_rounds import Watched, start_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from support.cheap_vendor import CheapVendor


def start_replicas(
    running: ExitStack,
    dsn: str,
    vendor: CheapVendor,
    folder: Path,
    number: int,
    *,
    group: Sequence[str] = (),
    **partner: object,
) -> list[Watched]:
    """Start a run, have the other replicas help with it, and wait until all of them are at work.

    `group`: more partners, as `start_run` has them.
    """
    first = start_run(dsn, vendor, folder, None, ("run", "nightly"), group=group, **partner)
    replicas = [running.enter_context(first)]
    help_it = ("run", "--resume", _run_of(dsn, replicas[0]), "--by", "bench")
    for nth in range(1, number):
        own = folder / str(nth)
        own.mkdir()
        replicas.append(running.enter_context(start_run(dsn, vendor, own, None, help_it, group=group, **partner)))
    _await_all(dsn, replicas, number)
    return replicas


def start_processes(
    running: ExitStack, dsn: str, vendor: CheapVendor, folder: Path, number: int, **partner: object
) -> list[Watched]:
    """Start a run with so many processes under one supervisor, and wait until all of them are at work."""
    words = ("run", "nightly", "--processes", str(number))
    run = running.enter_context(start_run(dsn, vendor, folder, None, words, group=(), **partner))
    _await_all(dsn, [run], number)
    return [run]


def _run_of(dsn: str, process: Watched) -> str:
    """The id of the run that a process has planned, once it is running."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        while process.alive:
            for (run_id,) in connection.execute("SELECT run_id::text FROM retention.runs WHERE status = 'running'"):
                return str(run_id)
            time.sleep(0.02)
    sys.exit(f"there was no run to help with: {process.ended(0).out}")


def _await_all(dsn: str, replicas: Sequence[Watched], number: int) -> None:
    """Wait until each has claimed something: a run without one of them would be another case."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        while all(replica.alive for replica in replicas):
            (found,) = connection.execute("SELECT count(DISTINCT replica) FROM retention.attempts").fetchall()[0]
            if found == number:
                return
            time.sleep(0.1)
    sys.exit("a replica ended before all were at work; give them more --seconds")
