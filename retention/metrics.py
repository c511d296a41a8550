"""What Prometheus is told. A registry of its own; counts are kept as plain numbers and read when somebody asks."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest, write_to_textfile
from prometheus_client.registry import Collector

from retention.engine.stats import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from prometheus_client.core import Metric

    from retention.engine.stats import Latencies, Tally

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Described(NamedTuple):
    """A metric's name, what it says, and its labels."""

    name: str
    documentation: str
    labels: tuple[str, ...]


ROUNDS = Described(
    "retention_rounds_total",
    "Rounds that this process settled, by what became of them.",
    ("policy", "partner", "market", "outcome"),
)
REQUESTS = Described("retention_request_seconds", "Seconds from sending a request to its reply.", ("partner",))
STALE = Described("retention_stale_rounds", "Stale rounds that this process's newest plan found.", ("policy", "market"))
REFUNDS = Described(
    "retention_refund_amount_total", "Refunds promised by the vendor, in currency units.", ("partner", "currency")
)
FINISHED = Described(
    "retention_run_last_finished_timestamp_seconds",
    "When the newest run that this process knows of finished, in Unix seconds.",
    ("policy",),
)
EXIT_CODE = Described(
    "retention_run_last_exit_code", "The exit code of the newest run that this process knows of.", ("policy",)
)
WAITED = Described(
    "retention_rate_wait_seconds_total", "Seconds that requests waited for their slot in the rate.", ("partner",)
)
MISSED = Described("retention_schedule_missed_total", "Scheduled times that passed without a run.", ("policy",))

METRICS = (ROUNDS, REQUESTS, STALE, REFUNDS, FINISHED, EXIT_CODE, WAITED, MISSED)


class Metrics:
    """One process's metrics."""

    def __init__(self, tally: Tally) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Tallied(tally))
        self._finished_at = Gauge(*FINISHED, registry=self._registry)
        self._exit_code = Gauge(*EXIT_CODE, registry=self._registry)

    def watch_process(self) -> None:
        """Tell of the process's memory and CPU time as well."""
        ProcessCollector(registry=self._registry)

    def run_ended(self, policy: str, code: int, finished_at: datetime | None) -> None:
        """Take in how a run ended for this process; `finished_at` is None where it did not finish."""
        self._exit_code.labels(policy).set(code)
        if finished_at is not None:
            self._finished_at.labels(policy).set(finished_at.timestamp())

    def text(self) -> bytes:
        """Everything, as /metrics answers."""
        return generate_latest(self._registry)

    def write(self, path: Path) -> None:
        """Write everything to a file, whole or not at all. Raises OSError."""
        write_to_textfile(str(path), self._registry)


class _Tallied(Collector):
    """Reads the counts when they are asked for: counting itself stays as cheap as adding numbers."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        tally = self._tally
        rounds = CounterMetricFamily(ROUNDS.name, ROUNDS.documentation, labels=ROUNDS.labels)
        for (policy, partner, market, state), count in tally.rounds.items():
            rounds.add_metric([policy, partner, market, state.value], count)
        yield rounds
        requests = HistogramMetricFamily(REQUESTS.name, REQUESTS.documentation, labels=REQUESTS.labels)
        for partner, latencies in tally.requests.items():
            requests.add_metric([partner], _buckets(latencies), latencies.total)
        yield requests
        stale = GaugeMetricFamily(STALE.name, STALE.documentation, labels=STALE.labels)
        for key, count in tally.stale.items():
            stale.add_metric(key, count)
        yield stale
        refunds = CounterMetricFamily(REFUNDS.name, REFUNDS.documentation, labels=REFUNDS.labels)
        for key, amount in tally.refunds.items():
            refunds.add_metric(key, float(amount))
        yield refunds
        waited = CounterMetricFamily(WAITED.name, WAITED.documentation, labels=WAITED.labels)
        for partner, milliseconds in tally.waited.items():
            waited.add_metric([partner], milliseconds / 1000)
        yield waited
        missed = CounterMetricFamily(MISSED.name, MISSED.documentation, labels=MISSED.labels)
        for policy, count in tally.missed.items():
            missed.add_metric([policy], count)
        yield missed


def _buckets(latencies: Latencies) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return list(zip(bounds, accumulate(latencies.counts), strict=True))
