"""The metrics for Prometheus, in a registry of their own. Counts stay plain numbers until a scrape reads them.

No series of a policy is ever absent, because an alert on an absent series never fires: an unknown value is 0. A halted
run has not ended: it moves neither timestamp, and its exit code shows the halt. A new gauge of a policy is an entry of
`POLICY_GAUGES` and a value in `Metrics`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, product
from math import isfinite
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from retention.core.model import ReviewWhy, State
from retention.core.planning.named_rounds import TARGETED
from retention.engine.counters import BUCKETS, LatencyHistogram
from retention.metric_names import (
    BUILD,
    CHECKPOINT,
    EXIT_CODE,
    FINISHED,
    LOST,
    MISSED,
    OUTCOMES,
    PAUSED,
    POLICY_GAUGES,
    READ,
    REFUNDS,
    REPORT_FAILED,
    REQUESTS,
    REVIEW,
    ROUNDS,
    SCHEDULED,
    STALE,
    STALLED,
    SUCCEEDED,
    WAITED,
    Described,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric
    from prometheus_client.samples import Sample

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.engine.counters import ProcessCounters
    from retention.ledger.policy_facts import LastRuns
    from retention.runs.model import RunResult
    from retention.settings.model import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class PolicyLabels:
    """The label values of a policy's series, as configured. `dry_run`: the policy's mode is dry_run."""

    name: str
    partners: Collection[str] = ()
    markets: Collection[str] = ()
    currencies: Collection[str] = ()
    dry_run: bool = False


def labels_of(settings: Settings, names: Iterable[str]) -> list[PolicyLabels]:
    """Return the label values of these policies. A policy that is not configured has only its name."""
    found = []
    for name in names:
        policy = settings.policies.get(name)
        if policy is None:
            found.append(PolicyLabels(name))
            continue
        partners = tuple(policy.partners or settings.partners)
        currencies = tuple(policy.max_amount or ())
        found.append(PolicyLabels(name, partners, policy.markets or (), currencies, policy.mode == "dry_run"))
    return found


class Metrics:
    """The metrics of one process. Every promised policy has all of its series, even with unknown values."""

    def __init__(self, counters: ProcessCounters) -> None:
        self._counters = counters
        self._policies: dict[str, PolicyLabels] = {}
        self._gauges: dict[tuple[str, str], float] = {}
        self._review: dict[tuple[str, str], float] = {}
        self._checkpoint: dict[tuple[str], float] = {}
        self._paused: dict[tuple[str, str], float] = {}
        self._reports: dict[tuple[str], float] = {}
        self._version: str | None = None
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self._families))

    def watch_process(self, version: str) -> None:
        """Add the metrics of the process: its version, memory and CPU time."""
        self._version = version
        ProcessCollector(registry=self._registry)

    def promise(self, policies: Iterable[PolicyLabels]) -> None:
        """Keep all series of these policies. Of other policies, keep only counts and rounds that need review."""
        self._policies = {policy.name: policy for policy in policies}
        counters, known = self._counters, self._policies
        counters.stale = {key: rounds for key, rounds in counters.stale.items() if key[0] in known}
        counters.rounds = Counter({key: rounds for key, rounds in counters.rounds.items() if rounds or key[0] in known})
        for policy in self._policies.values():
            self._start_series(policy)

    def _start_series(self, policy: PolicyLabels) -> None:
        counters = self._counters
        counters.missed[policy.name] += 0
        for partner in policy.partners:
            self._start_partner_series(partner, policy.currencies)
        for market in policy.markets:
            counters.stale.setdefault((policy.name, market), 0)

    def _start_partner_series(self, partner: str, currencies: Iterable[str]) -> None:
        self._counters.waited[partner] += 0
        self._counters.requests.setdefault(partner, LatencyHistogram())
        for currency in currencies:
            self._counters.refunds[partner, currency] += 0

    def run_ended(self, code: int, result: RunResult) -> None:
        """Record the end of a run for this process, with its exit code."""
        summary = result.summary
        if summary.trigger == TARGETED:
            return  # it says nothing about the nights of a policy
        self.set_exit_code(summary.policy, code)
        if summary.finished_at is None or summary.status not in {"finished", "failed"}:
            return
        self._advance(FINISHED, summary.policy, summary.finished_at.timestamp())
        policy = self._policies.get(summary.policy)
        succeeded = summary.status == "finished" and not result.behind_stalled
        if succeeded and (summary.mode == "enforce" or (policy and policy.dry_run)):
            self._advance(SUCCEEDED, summary.policy, summary.finished_at.timestamp())

    def set_exit_code(self, policy: str, code: int) -> None:
        """Record the exit code of a policy's newest run."""
        self._gauges[EXIT_CODE.name, policy] = code

    def last_runs(self, found: Mapping[str, LastRuns]) -> None:
        """Record the newest runs of these policies, as read from the ledger."""
        for policy, last in found.items():
            times = ((FINISHED, last.finished_at), (SUCCEEDED, last.succeeded_at), (SCHEDULED, last.scheduled_for))
            for gauge, at in times:
                self._gauges[gauge.name, policy] = at.timestamp() if at is not None else 0
            self._gauges[STALLED.name, policy] = last.stalled

    def review_counts(self, found: Mapping[tuple[str, ReviewWhy], int], read_at: float) -> None:
        """Record the rounds that need review, read from the ledger at `read_at` (Unix seconds). Other counts are 0."""
        self._review = dict.fromkeys(self._review, 0.0)
        self._review |= {(policy, why.value): rounds for (policy, why), rounds in found.items()}
        for policy in self._policies:
            self._gauges[READ.name, policy] = read_at

    def set_pauses(self, partners: Iterable[str], by_person: Collection[str], by_vendor: Collection[str]) -> None:
        """Record which of the configured partners are paused."""
        pauses = (("person", by_person), ("vendor", by_vendor))
        self._paused = {(one, by): float(one in paused) for one in partners for by, paused in pauses}

    def set_report_failures(self, failed: Mapping[str, bool]) -> None:
        """Record of each configured report whether its newest one could not be made."""
        self._reports = {(name,): float(problem) for name, problem in failed.items()}

    def set_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        """Record the newest checkpoint, which replaces the one before; None leaves that."""
        if checkpoint is not None:
            self._checkpoint = {(checkpoint.root,): checkpoint.size}

    def restore(self, samples: Iterable[Sample], mine: str | None, partners: Collection[str]) -> None:
        """Restore the samples of an earlier metrics file. Call this first, so that newer values replace them.

        Gauges keep their values. Counts of the policy `mine` and of `partners` belong to this process and begin at 0;
        counts of other promised policies stay. Samples of other policies and partners are dropped.
        """
        for name, labels, value, *_ in samples:
            policy, partner = labels.get("policy"), labels.get("partner")
            known = (policy is None or policy in self._policies) and (partner is None or partner in partners)
            if known and isfinite(value) and value >= 0:
                self._restore(name, labels, value, 0 if policy == mine else value)

    def _restore(self, name: str, labels: Mapping[str, str], value: float, count: float) -> None:
        counters = self._counters
        match name, labels:
            case ROUNDS.name, {"policy": policy, "partner": partner, "market": market, "outcome": outcome}:
                if outcome in [*State]:
                    counters.rounds[policy, partner, market, State(outcome)] += int(count)
            case STALE.name, {"policy": policy, "market": market}:
                counters.stale.setdefault((policy, market), 0)
                if policy not in counters.planned:
                    counters.stale[policy, market] = int(value)
            case MISSED.name, {"policy": policy}:
                counters.missed[policy] += int(count)
            case CHECKPOINT.name, {"root": root}:
                self._checkpoint = {(root,): value}
            case REVIEW.name, {"policy": policy, "why": why}:
                self._review[policy, why] = value
            case _, {"policy": policy}:
                self._gauges[name, policy] = value
            case _, {"partner": partner}:
                self._start_partner_series(partner, [labels["currency"]] if "currency" in labels else ())

    def text(self) -> bytes:
        """Return all metrics in the text format of `/metrics`."""
        return generate_latest(self._registry)

    def _advance(self, gauge: Described, policy: str, at: float) -> None:
        self._gauges[gauge.name, policy] = max(at, self._gauges.get((gauge.name, policy), 0))

    def _families(self) -> Iterator[Metric]:
        """Convert the counts to families at scrape time, so that counting stays one addition."""
        counters = self._counters
        yield _counter(ROUNDS, dict.fromkeys(self._rounds_series(), 0) | counters.rounds)
        requests = HistogramMetricFamily(REQUESTS.name, REQUESTS.documentation, labels=REQUESTS.labels)
        for partner, latencies in counters.requests.items():
            requests.add_metric([partner], _buckets(latencies), latencies.total)
        yield requests
        yield _gauge(STALE, counters.stale)
        yield _counter(REFUNDS, {key: float(amount) for key, amount in counters.refunds.items()})
        for gauge in POLICY_GAUGES:
            yield _gauge(gauge, {(name,): self._gauges.get((gauge.name, name), 0) for name in self._policies})
        unknown = ((policy, why.value) for policy, why in product(self._policies, ReviewWhy))
        yield _gauge(REVIEW, dict.fromkeys(unknown, 0.0) | self._review)
        yield _counter(WAITED, {(partner,): milliseconds / 1000 for partner, milliseconds in counters.waited.items()})
        yield _gauge(PAUSED, self._paused)
        yield _gauge(REPORT_FAILED, self._reports)
        yield _gauge(CHECKPOINT, self._checkpoint)
        yield _gauge(BUILD, {} if self._version is None else {(self._version,): 1.0})
        yield _counter(LOST, {(): counters.lost})
        yield _counter(MISSED, {(name,): n for name, n in counters.missed.items() if n or name in self._policies})

    def _rounds_series(self) -> Iterator[tuple[str, str, str, State]]:
        """Return the labels of all outcomes for each market with a planned or counted round."""
        known = {labels[:3] for labels in self._counters.rounds}
        for name, market in self._counters.stale:
            policy = self._policies.get(name)  # None: removed from the configuration during its run
            known.update((name, partner, market) for partner in (policy.partners if policy else ()))
        return ((*labels, outcome) for labels in sorted(known) for outcome in OUTCOMES)


class _Families(Collector):
    """Collects the families again for each scrape."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()


def _gauge(described: Described, values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(described.name, described.documentation, labels=described.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _counter(described: Described, values: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(described.name, described.documentation, labels=described.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _buckets(latencies: LatencyHistogram) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    return list(zip(bounds, accumulate(latencies.counts), strict=True))
