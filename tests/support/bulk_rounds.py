"""A great many rounds: seeded by one statement, worked on by a process that is watched, and compared in bulk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
import psycopg

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence

    from support.cheap_vendor import CheapVendor

MB = 1_000_000

UNLIMITED = 100_000_000
"""Requests per second; more than any machine sends."""

_LOOK = 0.01
"""Seconds between looks at a process."""

_HIGH_WATER = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ended:
    """A process's result. Memory in bytes, times in seconds; `cpu` is its own, user and system."""

    code: int
    out: str
    seconds: float
    cpu: float
    peak_rss: int

    @property
    def json(self) -> Any:
        """Its result, read as JSON."""
        return json.loads(self.out)


class Watched:
    """A process whose memory is looked at all the while; its log goes to a file, as a scheduler's would."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.log = folder / "log.jsonl"
        self._out = folder / "out.json"
        self._peak_rss = 0
        self._started = time.monotonic()
        with self.log.open("wb") as log, self._out.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                # As installed: compiled once, and not anew for each process.
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        self._usage: Any = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs; looks at its memory on the way."""
        if self._usage is None:
            self._peak_rss = max(self._peak_rss, _peak_rss(self._process.pid))
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._usage = usage
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._seconds = time.monotonic() - self._started
        return self._usage is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:  # something went wrong outside of it; it is not left running
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, within: float) -> Ended:
        """Wait for its end; one that takes longer is killed, and has failed."""
        limit = time.monotonic() + within
        while self.alive:
            if time.monotonic() > limit:
                self._process.kill()
                limit = float("inf")
            time.sleep(_LOOK)
        cpu = self._usage.ru_utime + self._usage.ru_stime
        return Ended(self._process.returncode, self._out.read_text("utf-8"), self._seconds, cpu, self._peak_rss)


def _peak_rss(pid: int) -> int:
    """The peak memory, where the kernel keeps that, else the present one."""
    try:
        found = _HIGH_WATER.search(Path(f"/proc/{pid}/status").read_text("ascii"))
        return int(found[1]) * 1024 if found else int(psutil.Process(pid).memory_info().rss)
    except (OSError, psutil.Error):  # gone meanwhile, or no such file system
        return 0


def start_run(
    dsn: str,
    vendor: CheapVendor,
    folder: Path,
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = ("run", "nightly"),
    *,
    group: Sequence[str] = (),
    **partner: object,
) -> Watched:
    """Start `retention run` over all that is stale, as fast as it goes, or another command that knows `--json`.

    `group`: more partners like the first, in a rate group with its rate.
    """
    # Without questions, unless they are asked for: the rivals ask none.
    asked = {"secure_login": "login", "token": "token-9d41c7b2e6", "rate": UNLIMITED, "timeout": "30s"}
    terms = {**asked, "ask_first": False, **partner}
    accounts = {"acme": terms, **{name: {**terms, "secure_login": name} for name in group}}
    config = folder / "retention.toml"
    config.write_text(
        f"[database]\ndsn = {json.dumps(dsn)}\n"
        + "".join(
            f"[partners.{name}]\napi_url = {json.dumps(vendor.url + '/secret-path')}\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in account.items())
            + ('rate_group = "lm"\n' if group else "")
            for name, account in accounts.items()
        )
        + (f"[rate_groups.lm]\nrate = {terms['rate']}\n" if group else "")
        + '[policies.nightly]\nopen_longer_than = "72h"\nmode = "enforce"\nmax_rounds = 100000000\n',
        "utf-8",
    )
    words = ("-m", "retention", "--config", str(config), "--log-format", "json", *command, "--json")
    return Watched([sys.executable, *words], folder, environ)


def seed(dsn: str, count: int) -> None:
    """Open rounds r0, r1, r2 and so on at the operator's, five days ago."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO public.rounds"
            " (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx)"
            " SELECT 'acme', 'MT', 'game', 'user-r' || n, 'r' || n, now() - interval '5 days', 'EUR', 1.50, 'bet-r' || n"
            " FROM generate_series(0, %s - 1) AS n",
            [count],
        )
        connection.execute("VACUUM ANALYZE public.rounds")


def disagreements(dsn: str, vendor: CheapVendor) -> list[str]:
    """Name every difference between the cancelled rounds of vendor, ledger and operator's table; once each, and
    traced.
    """
    counts = vendor.counts()
    heard = vendor.heard()
    with psycopg.connect(dsn, autocommit=True) as connection:

        def numbers(statement: psycopg.abc.Query) -> bytes:
            found = bytearray(len(heard))
            with connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
                for number in cursor.execute(statement):
                    found[number] += 1
            return bytes(found)

        ledger = numbers(
            "SELECT substr(round_id, 2)::int FROM retention.cancellations"
            " WHERE state = 'cancelled' AND NOT conflict AND (amount, currency, transaction_id) = (1.50, 'EUR', 'bet-' || round_id)"
        )
        operator = numbers("SELECT substr(round_id, 2)::int FROM public.rounds WHERE status = 2 AND refund = 1.50")
        traced = numbers(
            "SELECT substr(c.round_id, 2)::int FROM retention.attempts a"
            " JOIN retention.cancellations c ON c.id = a.cancellation_id AND c.attempt_uuid = a.uuid"
            " WHERE a.outcome = 'cancelled' AND a.sent_at IS NOT NULL AND a.replied_at IS NOT NULL"
        )
    found = []
    if counts.repeated or counts.not_understood:
        found.append(f"{counts.repeated} rounds called more than once, {counts.not_understood} requests not understood")
    for name, there in (("ledger", ledger), ("operator's table", operator), ("attempts", traced)):
        if there != heard:
            wrong = sum(one != other for one, other in zip(there, heard, strict=True))
            found.append(f"{name}: {wrong} rounds differ from what the vendor heard")
    return found
