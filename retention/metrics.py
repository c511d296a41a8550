"""What Prometheus is told. A registry of its own; counts are kept as plain numbers and read when somebody asks."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

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


class Metrics:
    """One process's metrics."""

    def __init__(self, tally: Tally) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Tallied(tally))
        self._finished_at = Gauge(
            "retention_run_last_finished_timestamp_seconds",
            "When the newest run of the policy that this process knows of finished, in Unix seconds.",
            ["policy"],
            registry=self._registry,
        )
        self._exit_code = Gauge(
            "retention_run_last_exit_code",
            "The exit code of the newest run of the policy that this process knows of.",
            ["policy"],
            registry=self._registry,
        )

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
        rounds = CounterMetricFamily(
            "retention_rounds", "Rounds by what became of them.", labels=["policy", "partner", "market", "outcome"]
        )
        for (policy, partner, market, state), count in tally.rounds.items():
            rounds.add_metric([policy, partner, market, state.value], count)
        yield rounds
        requests = HistogramMetricFamily(
            "retention_request_seconds", "Seconds from sending a request to its reply.", labels=["partner"]
        )
        for partner, latencies in tally.requests.items():
            requests.add_metric([partner], _buckets(latencies), latencies.total)
        yield requests
        stale = GaugeMetricFamily(
            "retention_stale_rounds", "Stale rounds that the newest plan found.", labels=["policy", "market"]
        )
        for (policy, market), count in tally.stale.items():
            stale.add_metric([policy, market], count)
        yield stale
        refunds = CounterMetricFamily(
            "retention_refund_amount", "Refunds promised by the vendor, in units.", labels=["partner", "currency"]
        )
        for (partner, currency), amount in tally.refunds.items():
            refunds.add_metric([partner, currency], float(amount))
        yield refunds
        waited = CounterMetricFamily(
            "retention_rate_wait_seconds", "Seconds that requests waited for a slot in the rate.", labels=["partner"]
        )
        for partner, milliseconds in tally.waited.items():
            waited.add_metric([partner], milliseconds / 1000)
        yield waited
        missed = CounterMetricFamily(
            "retention_schedule_missed", "Times of the schedule that passed without a run.", labels=["policy"]
        )
        for policy, count in tally.missed.items():
            missed.add_metric([policy], count)
        yield missed


def _buckets(latencies: Latencies) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return list(zip(bounds, accumulate(latencies.counts), strict=True))
