"""How long a server took over statements, as its own log has it: no program that is measured need know of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg

from retention.ledger.queries import query

_TIMED = re.compile(rb"^(\d+\.\d+) (\d+) LOG:  duration: (\d+\.\d+) ms  (parse|bind|execute) \S+: (.*)$")

_SETTINGS = {
    "log_line_prefix": "%n %p ",
    "log_min_duration_statement": "0",
    "log_parameter_max_length": "0",  # a batch of replies is a parameter, and a long one
    "lc_messages": "C",
}

COARSE = 0.001
"""Seconds that a time in the log may be too early."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A statement: when it was done, in Unix seconds, and the milliseconds for parsing, planning and executing it.

    Its commit is not among them: the server logs a statement before that.
    """

    at: float
    ms: float


class ServerLog:
    """The log of a server that was started with `pg_ctl -l log` in its own data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, server: str) -> Self:
        """Have a server log every statement from now on."""
        if "RETENTION_TEST_DSN" in os.environ:
            raise SystemExit("the server's log is read: that takes one of our own, and not that of RETENTION_TEST_DSN")
        with psycopg.connect(server, autocommit=True) as connection:
            for name, value in _SETTINGS.items():
                connection.execute(
                    psycopg.sql.SQL("ALTER SYSTEM SET {} = {}").format(psycopg.sql.Identifier(name), value)
                )
            connection.execute("SELECT pg_reload_conf()")
            (row,) = connection.execute("SELECT current_setting('data_directory')").fetchall()
        return cls(Path(row[0]) / "log")

    def end(self) -> int:
        """Where it ends now."""
        return self._path.stat().st_size

    def timed(self, names: list[str], since: int) -> dict[str, list[Timed]]:
        """The executions of some of sql/queries/ from a place in the log on, by name and in the order of their ends."""
        heads = {query(name).splitlines()[0].encode(): name for name in names}
        found: dict[str, list[Timed]] = {name: [] for name in names}
        so_far: dict[bytes, float] = {}
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not (timed := _TIMED.match(line)) or not (name := heads.get(timed[5].rstrip())):
                    continue
                at, backend, ms, step, _ = timed.groups()
                # One that failed half-way leaves steps behind, and the next begins anew.
                so_far[backend] = float(ms) + (0.0 if step == b"parse" else so_far.get(backend, 0.0))
                if step == b"execute":
                    found[name].append(Timed(float(at), so_far.pop(backend)))
        return found
