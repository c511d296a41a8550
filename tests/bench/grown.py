"""One database with many stale rounds, measured: plan, claims, memory, ledger and WAL."""

from __future__ import annotations

import json
import signal
import statistics
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from support.bulk_rounds import MB, start_run

from bench.figures import WITHIN, refuse
from bench.own_wal import OwnWal
from bench.server_log import COARSE
from bench.sparse import keep_only_the_last, wrong
from retention.engine.dispatcher import BATCH_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from support.bulk_rounds import Ended, Watched
    from support.cheap_vendor import CheapVendor

    from bench.server_log import ServerLog, Timed

LOOK = 0.1
"""Seconds between questions to the vendor, which counts all of its rounds for each."""

SOON = 0.005
"""Seconds between looks whether the plan is there."""


def _row(name: str, digits: int = 0, *, compared: bool = True) -> Any:
    return field(default=None, metadata={"row": name, "digits": digits, "compared": compared})


@dataclass(slots=True)
class Figures:
    """One plan, measured; each with the name and the unit that the table gives it. None: there was nothing to
    measure.
    """

    plan: float | None = _row("`retention plan`, s", 2)
    plan_rss: float | None = _row("peak RSS of `plan`, MB", 1)
    planned: float | None = _row("`run`, start to `run.planned`, s", 2)
    frozen: float | None = _row("of that the statement `freeze`, s", 2)
    planned_each: float | None = _row("start to `run.planned`, us a round planned", 1)
    first_claims: float | None = _row("claims of a full batch in the first tenth, number", compared=False)
    first_median: float | None = _row("their median, ms", 2)
    first_p95: float | None = _row("their p95, ms", 2)
    last_claims: float | None = _row("claims of a full batch in the last tenth, number", compared=False)
    last_median: float | None = _row("median of the last, ms", 2)
    last_p95: float | None = _row("p95 of the last, ms", 2)
    claim_growth: float | None = _row("median of the last, of that of the first", 2, compared=False)
    rate: float | None = _row("rounds/s at the vendor's door")
    recover: float | None = _row("a look for claims of the dead (`recover`), median, ms", 1)
    recover_share: float | None = _row("all those looks, % of the time", 1)
    rss: float | None = _row("peak RSS of `run`, MB", 1)
    drained: float | None = _row("SIGTERM to its end, s", 2)
    resumed: float | None = _row("`run --resume` for the last, start to first request, s", 2)
    resumed_claim: float | None = _row("of that its first claim, s", 2)
    resumed_rss: float | None = _row("peak RSS of `run --resume`, MB", 1)
    cancellations: float | None = _row("cancellations, bytes a round planned")
    cancellations_indexes: float | None = _row("of that its indexes")
    attempts: float | None = _row("attempts, bytes a request")
    attempts_indexes: float | None = _row("of that their indexes")
    wal_planned: float | None = _row("WAL of planning, bytes a round planned")
    wal_sent: float | None = _row("WAL of all while sending, bytes a round sent")
    wal_own: float | None = _row("WAL of `run` itself, bytes a round sent")
    wal_pages: float | None = _row("of that whole pages, a round sent", 3)
    hot_cancellations: float | None = _row("HOT among the updates of cancellations, %", 1)
    hot_attempts: float | None = _row("HOT among the updates of attempts, %", 1)
    dead_cancellations: float | None = _row("dead tuples of cancellations at the end, a round sent", 2)
    dead_attempts: float | None = _row("dead tuples of attempts at the end, a request", 2)


@dataclass(frozen=True, slots=True)
class Leg:
    """A `run`. Moments in Unix seconds; `drained`: seconds from SIGTERM to its end, where it got one."""

    ended: Ended
    started: float
    planned: float
    over: float
    drained: float | None
    wal_at_plan: int
    own_wal: OwnWal


@dataclass(frozen=True, slots=True)
class Scene:
    """A loaded database: so many stale rounds among so many rows, of which so many are sent from each end."""

    dsn: str
    vendor: CheapVendor
    log: ServerLog
    folder: Path
    stale: int
    rows: int
    send: int

    def measured(self) -> Figures:
        """Measure it, and check it."""
        figures = Figures()
        self.vendor.reset()
        self._plan(figures)
        logged_from = self.log.end()
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
            wal = _wal(connection)
            leg = self._run(connection)
            _until_gone(connection)
            counts = self.vendor.counts()
            figures.wal_planned = (leg.wal_at_plan - wal) / self.stale
            figures.wal_sent = (_wal(connection) - leg.wal_at_plan) / counts.requests
            figures.wal_own, figures.wal_pages = leg.own_wal.of_each_round() or (None, None)
            self._note_ledger(connection, counts.requests, figures)
        left = self.stale - counts.requests
        codes = {143} if left else {0, 143}  # the last round may be sent while the signal is on its way
        self._check(leg.ended, codes, {"cancelled": counts.requests, "planned": left})
        figures.rate = (counts.requests - 1) / (counts.last - counts.first)
        figures.rss, figures.drained = leg.ended.peak_rss / MB, leg.drained
        figures.planned = leg.planned - leg.started
        figures.planned_each = figures.planned / self.stale * 1e6
        resumed_at = time.time()
        if left:
            self._resume(leg.ended.json["run_id"], counts.requests, figures)
        self._note_statements(leg, resumed_at, logged_from, figures)
        return figures

    @property
    def within(self) -> float:
        """Seconds that a process may take."""
        return WITHIN + self.stale / 1000

    def _start(self, *command: str) -> Watched:
        folder = self.folder / "-".join(command[:2])
        folder.mkdir()
        return start_run(self.dsn, self.vendor, folder, command=command)

    def _plan(self, figures: Figures) -> None:
        with self._start("plan", "nightly") as process:
            ended = process.ended(self.within)
        if ended.code != 0 or ended.json["rounds"] != self.stale:
            refuse([f"`plan` exited with {ended.code}, and said {ended.out}"])
        figures.plan, figures.plan_rss = ended.seconds, ended.peak_rss / MB

    def _run(self, connection: psycopg.Connection) -> Leg:
        """Run, and stop once the vendor has heard enough."""
        started, limit = time.time(), time.monotonic() + self.within
        wal_at_plan, told, own_wal = 0, None, OwnWal(connection)
        with self._start("run", "nightly") as process:
            while process.alive and time.monotonic() < limit and told is None:
                if not wal_at_plan and _planned(process.log):
                    wal_at_plan, own_wal = _wal(connection), OwnWal(connection)
                elif wal_at_plan:
                    sent = self.vendor.counts().requests
                    own_wal.look(sent)
                    if self.send < self.stale and sent >= self.send:
                        process.signal(signal.SIGTERM)
                        told = time.monotonic()
                time.sleep(LOOK if wal_at_plan else SOON)
            ended = process.ended(max(limit - time.monotonic(), 1.0))
            drained = None if told is None else time.monotonic() - told
            planned = _planned(process.log)
        if planned is None or not wal_at_plan:
            raise SystemExit(f"no figures: `run` planned nothing, and exited with {ended.code}")
        return Leg(ended, started, planned, started + ended.seconds, drained, wal_at_plan, own_wal)

    def _resume(self, run_id: str, sent: int, figures: Figures) -> None:
        """Go on with the last rounds of the plan, the others between given up."""
        given_up = keep_only_the_last(self.dsn, self.send) if self.stale - sent > self.send else 0
        started = time.time()
        with self._start("run", "--resume", run_id) as process:
            ended = process.ended(self.within)
        self._check(ended, {4 if given_up else 0}, {"cancelled": self.stale - given_up, "not_sent": given_up})
        with psycopg.connect(self.dsn) as connection:
            ((first,),) = connection.execute(
                "SELECT extract(epoch FROM min(sent_at))::float8 FROM retention.attempts WHERE claimed_at > to_timestamp(%s)",
                [started],
            ).fetchall()
        figures.resumed, figures.resumed_rss = first - started, ended.peak_rss / MB

    def _check(self, ended: Ended, codes: set[int], states: dict[str, int]) -> None:
        states = {state: count for state, count in states.items() if count}
        found = wrong(self.dsn, self.vendor, self.rows, states)
        if ended.code not in codes or ended.json["states"] != states:
            found.append(f"exit code {ended.code}: {ended.out}")
        refuse(found)

    def _note_ledger(self, connection: psycopg.Connection, sent: int, figures: Figures) -> None:
        """The server's own counts for the ledger's two large tables."""
        tables = {name: row for name, *row in connection.execute(_TABLES).fetchall()}
        for table, each in (
            ("cancellations", self.stale),
            ("attempts", connection.execute(_ATTEMPTS).fetchall()[0][0]),
        ):
            updates, hot, dead, size, indexes = tables[table]
            setattr(figures, table, size / each)
            setattr(figures, f"{table}_indexes", indexes / each)
            setattr(figures, f"hot_{table}", hot / updates * 100)
            setattr(figures, f"dead_{table}", dead / sent)

    def _note_statements(self, leg: Leg, resumed_at: float, logged_from: int, figures: Figures) -> None:
        """The server's statistics of single statements."""
        timed = self.log.timed(["plans/freeze_plan", "claims/claim_rounds", "claims/expire_claims"], logged_from)
        figures.frozen = timed["plans/freeze_plan"][0].ms / 1000
        looks = [look.ms for look in timed["claims/expire_claims"] if leg.planned < look.at < leg.over]
        if looks:
            figures.recover = statistics.median(looks)
            figures.recover_share = sum(looks) / (leg.over - leg.planned) / 10
        figures.resumed_claim = next(
            (one.ms / 1000 for one in timed["claims/claim_rounds"] if one.at > resumed_at), None
        )
        first, last = self._tenths(timed["claims/claim_rounds"])
        if first:
            figures.first_claims, figures.first_median, figures.first_p95 = (
                len(first),
                statistics.median(first),
                _p95(first),
            )
        if last:
            figures.last_claims, figures.last_median, figures.last_p95 = len(last), statistics.median(last), _p95(last)
        if first and last:
            figures.claim_growth = statistics.median(last) / statistics.median(first)

    def _tenths(self, claims: Sequence[Timed]) -> tuple[list[float], list[float]]:
        """The milliseconds of those claims that took a full batch out of the first and the last tenth of the plan.

        The log does not have a statement's result. But one process claims one batch after the other, and an attempt has
        the moment at which its claim wrote it.
        """
        with psycopg.connect(self.dsn) as connection:
            taken = connection.execute(_TAKEN, [[claim.at + COARSE for claim in claims]]).fetchall()
        full = [(claims[nth].ms, place) for nth, rounds, place in taken if rounds == BATCH_MAX]
        tenth = self.stale / 10
        return [ms for ms, at in full if at < tenth], [ms for ms, at in full if at >= 9 * tenth]


# The partitions of a table are added up.
_TABLES = """
SELECT regexp_replace(relname, '_(before|[0-9]{4}_[0-9]{2})$', '') AS root, sum(n_tup_upd)::float8,
       sum(n_tup_hot_upd)::float8, sum(n_dead_tup)::float8, sum(pg_total_relation_size(relid))::float8,
       sum(pg_indexes_size(relid))::float8
FROM pg_stat_user_tables WHERE schemaname = 'retention' GROUP BY root
"""

_ATTEMPTS = "SELECT count(*) FROM retention.attempts"

# The attempt's claim, and the place of its first round in the plan.
_TAKEN = """
SELECT width_bucket(extract(epoch FROM claimed_at)::float8, %s::float8[]) AS nth, count(*),
       min(cancellation_id) - (SELECT min(id) FROM retention.cancellations)
FROM retention.attempts GROUP BY nth
"""


def _wal(connection: psycopg.Connection) -> int:
    ((position,),) = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchall()
    return int(position)


def _until_gone(connection: psycopg.Connection) -> None:
    """Wait until the process's backends are gone, which tell their last figures when they go."""
    while connection.execute(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'retention'"
    ).fetchall():
        time.sleep(SOON)


def _planned(log: Path) -> float | None:
    """When the plan was there, in Unix seconds, by the run's own log; None where it is not there yet."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if '"run.planned"' in line and line.endswith("\n"):
                return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
    return None


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
