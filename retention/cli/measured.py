"""`--metrics-file`: what a command did, for the textfile collector of Prometheus's node_exporter."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from retention.cli.session import globals_of
from retention.errors import UsageError
from retention.surroundings import tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retention.engine.stats import Tally
    from retention.run_values import Finished


READABLE = 0o644
"""The mode of a new file: nothing in it is secret."""


@dataclass(slots=True)
class Measured:
    """What there is to tell, as far as the command came."""

    policy: str | None
    tally: Tally | None = None
    finished: Finished | None = None


@contextmanager
def measuring(context: typer.Context, path: Path | None, policy: str | None, *, resumed: bool) -> Iterator[Measured]:
    """Write the metrics of what is done meanwhile, however it ends: a database that is away is worth an alert too.

    Raises UsageError before anything is done where the file could not be written.
    """
    if path is None:
        yield Measured(policy)
        return
    try:
        if path.is_dir():
            raise UsageError(f"--metrics-file {path}: is a directory; name a file in it")
    except OSError as error:
        raise UsageError(f"--metrics-file {path}: {error.strerror}; name another file") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--metrics-file {path}: there is no such folder to write to; name another file")
    measured = Measured(None if resumed else globals_of(context).settings().policy(policy).name)
    try:
        yield measured
    except typer.Exit as leaving:
        _write(path, measured, leaving.exit_code)
        raise


def _write(path: Path, measured: Measured, code: int) -> None:
    from retention.engine.stats import Tally
    from retention.metrics import Metrics

    metrics = Metrics(measured.tally or Tally())
    summary = measured.finished.summary if measured.finished else None
    if policy := summary.policy if summary else measured.policy:
        metrics.run_ended(policy, code, summary.finished_at if summary else None)
    try:
        mode = path.stat().st_mode if path.exists() else READABLE
        metrics.write(path)
        path.chmod(stat.S_IMODE(mode))  # whoever collects it is another user, whatever the umask
    except OSError as error:  # what the run came to counts for more
        tell(f"error: --metrics-file {path}: {error.strerror}")
