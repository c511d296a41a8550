"""Version 0.1.0: its ledger with rows in every state, and the program itself, from the history of this repository."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from retention.ledger.migrations import TABLE, migrations
from support.postgres import OPERATOR
from support.world import Running

if TYPE_CHECKING:
    from support.world import World

ROOT = Path(__file__).parents[2]

COMMIT = "095addc"
"""The commit of 0.1.0."""

RUNNING = "0a000000-0000-4000-8000-000000000006"
"""The run of the ledger that its process has left."""

LIVE = ("planned", "claimed", "retrying", "in_doubt")
"""Its rounds are `old-planned` and so on."""

SETTINGS = {
    "name": "nightly",
    "partners": ["acme"],
    "open_longer_than": "3d",
    "mode": "enforce",
    "max_rounds": 100000,
    "max_failure_ratio": 1.0,
}


def make_ledger(dsn: str) -> None:
    """Make the schema of 0.1.0 with rows in every state, and the operator's objects."""
    first = migrations()[0]
    rows = Path(__file__).with_name("ledger_0_1_0.sql").read_text("utf-8")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in ("CREATE SCHEMA retention", TABLE, first.text, OPERATOR.read_text("utf-8")):
            connection.execute(text.encode())
        connection.execute(
            "INSERT INTO retention.schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
            [first.number, first.name, first.checksum],
        )
        connection.execute(rows.replace(":settings", f"'{json.dumps(SETTINGS)}'::jsonb").encode())


def unpack(folder: Path) -> Path:
    """Put the program of 0.1.0 into the folder; skips the test where the history lacks it."""
    words = ["git", "-C", str(ROOT), "archive", COMMIT, "retention", "sql"]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"0.1.0 is in the history of a full clone alone: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


async def start(world: World, program: Path, *words: str) -> Running:
    """Start a command of 0.1.0, with today's dependencies."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "retention", "--config", str(world.configure()), *words),
        cwd=world.folder,
        env={**os.environ, "PYTHONPATH": str(program)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running = Running(process)
    world.started.append(running)
    return running
