"""Archives months of a ledger that has aged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from support.aged_ledger import fill_months

if TYPE_CHECKING:
    from support.world import Done, World

DEPLOY = Path(__file__).parents[2] / "deploy"

OLD = ("2024-01", "2024-02")
"""Months that are long over."""


def aged(world: World, *months: str, **facts: Any) -> Path:
    """Fill months of the ledger; returns an empty folder for archives."""
    with psycopg.connect(world.direct) as connection:
        fill_months(connection, *(months or OLD), **facts)
    folder = world.folder / "archive"
    folder.mkdir()
    return folder


async def archive(world: World, folder: Path, *more: str, older_than: str = "300d") -> Done:
    """Archive what is old enough."""
    return await world.command("ledger", "archive", "--older-than", older_than, "--to", str(folder), *more)


def offline(file: Path, *more: str, python: tuple[str, ...] = (sys.executable, "-I")) -> tuple[int, str]:
    """Verify a file without the ledger; returns the exit code and the output."""
    script = DEPLOY / ("verify_archive.py" if file.stem.endswith("-proof") else "verify_evidence.py")
    done = subprocess.run([*python, script, file, *more], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
