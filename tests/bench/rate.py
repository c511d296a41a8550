"""The used share of the allowed rate while there is work, and that no sliding second exceeds the rate.

One replica, or several that share a run, for one partner or for three in a rate group, against a vendor with a long tail and a few faults. The vendor takes the
times, as it reads the requests. The share counts the cancel requests between the first one and the last one for a new
round: later requests are resends, which wait for their back-off. Resends count as any other; questions, of which each
round gets one before its first cancel, have a rate of their own. CPU is measured over a stretch in the middle, from
when all replicas are at work. The vendor's longest stall bounds the error of its own clock readings: requests that
arrive during a stall are read together.
"""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_left
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import seed
from support.postgres import new_database

from bench.figures import WITHIN, Place, cpu_of, in_turn, median_of, place, refuse, surroundings, table
from bench.fleet import start_replicas
from bench.tailed_vendor import FAULTY, LEAST, MEDIAN, MOST, Heard, tailed_vendor
from retention.simulator.server import worst_second

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from support.bulk_rounds import Ended

    from bench.tailed_vendor import TailedVendor

REVIEWED = {0, 4}
"""Exit codes of a run whose rounds are all cancelled; a round that only a status question could settle is listed for
review."""

MAX_ATTEMPTS = 20
"""So many that no round is given up."""

MIDDLE = 0.8
"""Share of the remaining work, once all replicas are at it, for which CPU is counted."""

GROUP, GROUP_RATE = ("beta", "gamma"), 200
"""Partners beside the first in the case of a rate group, and the rate that they share."""

_CANCELLED = """
    SELECT substr(c.round_id, 2)::int FROM retention.cancellations c
    JOIN retention.attempts a ON a.uuid = c.attempt_uuid AND a.cancellation_id = c.id
    WHERE c.state = 'cancelled' AND NOT c.conflict AND a.outcome = 'cancelled' AND a.replied_at IS NOT NULL
      AND CASE a.kind WHEN 'cancel' THEN (c.amount, c.currency, c.transaction_id) = (1.50, 'EUR', 'bet-' || c.round_id)
                      ELSE num_nonnulls(c.amount, c.currency, c.transaction_id) = 0 END"""

_CLOSED = """
    SELECT substr(o.round_id, 2)::int FROM public.rounds o JOIN retention.cancellations c USING (partner, round_id)
    WHERE o.status = 2 AND o.refund IS NOT DISTINCT FROM c.amount"""

_SENT = """
    SELECT substr(c.round_id, 2)::int FROM retention.attempts a JOIN retention.cancellations c ON c.id = a.cancellation_id
    WHERE a.kind = %s AND a.sent_at IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Moment:
    """The usage until a moment: CPU seconds, and requests sent."""

    requests: int
    cpu: float
    cpu_postgres: float


@dataclass(frozen=True, slots=True)
class Middle:
    """The cost of a stretch of work: CPU in microseconds per cancel request; the share of all cores, of all
    processes.
    """

    cpu: float
    cpu_postgres: float
    busy: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, measured. Shares are of the rate, the stall is in seconds."""

    requests: int
    used: float
    worst: float
    resends: int
    questions: int
    stall: float
    middle: Middle


@dataclass(frozen=True, slots=True)
class Case:
    """So many requests per second for so many replicas, and rounds for so many seconds."""

    rate: int
    replicas: int
    seconds: float
    ask_first: bool = True
    group: tuple[str, ...] = ()
    """More partners, which share the rate with the first."""

    def __str__(self) -> str:
        asking = "" if self.ask_first else ", ask_first off"
        shared = f", a group of {1 + len(self.group)} partners" if self.group else ""
        return f"{self.rate:,}/s, {self.replicas} replica{'s' if self.replicas > 1 else ''}{shared}{asking}"

    @property
    def rounds(self) -> int:
        """As many as may be cancelled in that time; in a group, questions take half of the rate."""
        return round(self.rate * self.seconds / (2 if self.group and self.ask_first else 1))

    @property
    def concurrency(self) -> int:
        """Enough for one replica alone, were every reply as slow as the slowest; at most the configuration's
        maximum.
        """
        return min(max(round(self.rate * MOST), 50), 1000)

    def measured(self, where: Place, nth: int) -> Figures:
        """Carry a run out, and look at it from all sides."""
        with (
            new_database(where.server, where.template) as name,
            tempfile.TemporaryDirectory() as folder,
            tailed_vendor(self.rounds, nth) as vendor,
        ):
            dsn = make_conninfo(where.server, dbname=name)
            seed(dsn, self.rounds)
            if self.group:
                share_out(dsn, ("acme", *self.group))
            middle, ends = self.carried_out(dsn, vendor, Path(folder), where.postmaster)
            stall = vendor.figures().stall
            wrong = [f"exit code {end.code}: {end.out}" for end in ends if end.code not in REVIEWED]
            refuse(wrong or differences(dsn, vendor, self.rounds))
            cancels, questions = vendor.requests("cancel"), vendor.requests("status")
        limited = sorted([*cancels.times, *(questions.times if self.group else ())])
        return Figures(
            requests=len(cancels.times),
            used=share_used(cancels, limited, self.rate),
            worst=worst_second(limited) / self.rate,
            resends=len(cancels.times) - self.rounds,
            questions=len(questions.times),
            stall=stall,
            middle=middle,
        )

    def carried_out(
        self, dsn: str, vendor: TailedVendor, folder: Path, postmaster: psutil.Process
    ) -> tuple[Middle, list[Ended]]:
        """Start a run, have the other replicas help with it, look on, and wait for all of them."""
        with ExitStack() as running:
            terms = {"rate": self.rate, "concurrency": self.concurrency, "max_attempts": MAX_ATTEMPTS}
            terms["ask_first"] = self.ask_first
            replicas = start_replicas(running, dsn, vendor, folder, self.replicas, group=self.group, **terms)
            processes = [psutil.Process(replica.pid) for replica in replicas]

            def moment() -> Moment:
                return Moment(vendor.figures().cancels, sum(map(cpu_of, processes)), cpu_of(postmaster))

            before = moment()
            psutil.cpu_percent()  # begins to count
            time.sleep(MIDDLE * self.seconds * max(self.rounds - before.requests, 0) / self.rounds)
            busy = psutil.cpu_percent() / 100
            after = moment()
            each = 1e6 / max(after.requests - before.requests, 1)
            middle = Middle((after.cpu - before.cpu) * each, (after.cpu_postgres - before.cpu_postgres) * each, busy)
            return middle, [replica.ended(WITHIN) for replica in replicas]


def share_out(dsn: str, partners: Sequence[str]) -> None:
    """Give the rounds to these partners by turns."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "UPDATE public.rounds SET partner = (%s::text[])[1 + substr(round_id, 2)::int %% %s]",
            [list(partners), len(partners)],
        )
        connection.execute("VACUUM FULL ANALYZE public.rounds")


def share_used(cancels: Heard, limited: Sequence[float], rate: int) -> float:
    """The share of the rate that arrived from the first request to the last cancel for a round not asked for before,
    half-open. `limited`: the moments of all requests that the rate limits, in order.
    """
    first: dict[int, int] = {}
    for nth, number in enumerate(cancels.rounds):
        first.setdefault(number, nth)
    last = max(first.values())
    return bisect_left(limited, cancels.times[last]) / (rate * (cancels.times[last] - limited[0]))


def differences(dsn: str, vendor: TailedVendor, rounds: int) -> list[str]:
    """Name each deviation: every round is cancelled once, and all witnesses agree about it and about each request."""
    once = Counter(range(rounds))
    figures = vendor.figures()
    found = []
    if figures.again or figures.not_understood:
        found.append(f"{figures.again} requests after the vendor's yes, {figures.not_understood} not understood")
    with psycopg.connect(dsn) as connection, connection.cursor(row_factory=psycopg.rows.scalar_row) as cursor:
        heard = {kind: Counter(vendor.requests(kind).rounds) for kind in ("cancel", "status")}
        views = {
            "vendor": (once, Counter(dict(enumerate(vendor.cancelled())))),
            "ledger": (once, Counter(cursor.execute(_CANCELLED).fetchall())),
            "operator's table": (once, Counter(cursor.execute(_CLOSED).fetchall())),
            **{f"{kind} requests": (heard[kind], Counter(cursor.execute(_SENT, [kind]).fetchall())) for kind in heard},
        }
    for name, (expected, there) in views.items():
        if wrong := sum(expected[number] != there[number] for number in expected | there):
            found.append(f"{name}: {wrong} rounds are not as they should be")
    return found


def row(found: Sequence[Figures]) -> dict[str, str]:
    """The table's row of a case."""
    return {
        "cancel requests": median_of([one.requests for one in found]),
        "share used": median_of([one.used for one in found], 3),
        "worst second": median_of([one.worst for one in found], 3),
        "vendor's longest stall, ms": median_of([one.stall * 1000 for one in found]),
        "replicas' CPU, us a request": median_of([one.middle.cpu for one in found]),
        "PostgreSQL's CPU, us": median_of([one.middle.cpu_postgres for one in found]),
        "all cores busy, %": median_of([one.middle.busy * 100 for one in found]),
        "sent again": median_of([one.resends for one in found]),
        "status questions": median_of([one.questions for one in found]),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rates", type=int, nargs="+", default=[20, 200, 2000], metavar="PER_SECOND")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--seconds", type=float, help="of work for each case; else 60, or 30 from 1,000 per second on")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-ask-first", action="store_true", help="cancel without asking first")


def measure(asked: argparse.Namespace) -> str:
    """One table; shares of the rate."""
    cases = [
        Case(rate, replicas, asked.seconds or (60.0 if rate < 1000 else 30.0), not asked.no_ask_first)
        for rate, replicas in product(asked.rates, asked.replicas)
    ]
    if GROUP_RATE in asked.rates:
        asks = not asked.no_ask_first
        cases += [Case(GROUP_RATE, number, asked.seconds or 60.0, asks, GROUP) for number in asked.replicas]
    with place() as where:
        head = (
            f"{surroundings(where.server)}; replies after {LEAST * 1000:g} to {MOST * 1000:g} ms, log-normal, median"
            f" {MEDIAN * 1000:g} ms; {FAULTY:.0%} faults; {asked.repeat} times in turn\n"
        )
        # Each turn has a seed of its own, the same for all cases.
        measured = in_turn({str(case): partial(_next, case, where, count()) for case in cases}, asked.repeat)
    return "\n".join([head, table({name: row(found) for name, found in measured.items()}), ""])


def _next(case: Case, where: Place, seeds: Iterator[int]) -> Figures:
    return case.measured(where, next(seeds))
