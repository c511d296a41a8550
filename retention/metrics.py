"""What Prometheus is told. A registry of its own; counts are kept as plain numbers and read when somebody asks.

Every series of a policy exists from the start, at 0 where nothing is known: an alert on a series that is absent never
fires. A new gauge of a policy is a line of POLICY_GAUGES and a value in `Metrics`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, product
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from retention.core.model import RESOLUTIONS, ReviewWhy, State
from retention.engine.counters import BUCKETS, LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric
    from prometheus_client.samples import Sample

    from retention.engine.counters import ProcessCounters
    from retention.ledger.policy_facts import LastRuns
    from retention.runs.model import RunResult
    from retention.settings import Settings

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
STALE = Described("retention_stale_rounds", "Stale rounds that the policy's newest plan found.", ("policy", "market"))
REFUNDS = Described(
    "retention_refund_amount_total", "Refunds promised by the vendor, in currency units.", ("partner", "currency")
)
FINISHED = Described(
    "retention_run_last_finished_timestamp_seconds",
    "When the policy's newest run ended as finished or failed, in Unix seconds; a halted run has not ended. 0: none.",
    ("policy",),
)
SUCCEEDED = Described(
    "retention_run_last_success_timestamp_seconds",
    "When the policy's newest run ended as finished (exit code 0 or 4), in Unix seconds. A dry run counts where the"
    " policy's mode is dry_run; a run behind another of the policy that has stalled does not. 0: none.",
    ("policy",),
)
EXIT_CODE = Described(
    "retention_run_last_exit_code",
    "The exit code of the policy's newest run, a halted one included; 0 before the first.",
    ("policy",),
)
STALLED = Described(
    "retention_run_stalled", "Runs of the policy in which no round has come to an end for stalled_after.", ("policy",)
)
REVIEW = Described(
    "retention_review_rounds",
    "Rounds that wait for a person, by why; a round with several whys counts under each.",
    ("policy", "why"),
)
READ = Described(
    "retention_ledger_last_read_timestamp_seconds",
    "When this process last read the policy's runs and reviews from the ledger, in Unix seconds. 0: never.",
    ("policy",),
)
WAITED = Described(
    "retention_rate_wait_seconds_total", "Seconds that requests waited for their slot in the rate.", ("partner",)
)
MISSED = Described("retention_schedule_missed_total", "Scheduled times that passed without a run.", ("policy",))

OUTCOMES = (State.IN_DOUBT, *RESOLUTIONS)
"""What may become of a round by a run."""

POLICY_GAUGES = (FINISHED, SUCCEEDED, EXIT_CODE, STALLED, READ)
"""The gauges with one value for each policy."""

METRICS = (ROUNDS, REQUESTS, STALE, REFUNDS, FINISHED, SUCCEEDED, EXIT_CODE, STALLED, REVIEW, READ, WAITED, MISSED)


@dataclass(frozen=True, slots=True)
class PolicyLabels:
    """A policy as the labels of its series have it, as far as the configuration tells; `dry_run`: that is its mode."""

    name: str
    partners: Collection[str] = ()
    markets: Collection[str] = ()
    currencies: Collection[str] = ()
    dry_run: bool = False


def labels_of(settings: Settings, names: Iterable[str]) -> list[PolicyLabels]:
    """The labels of those policies; of one that is not configured only its name is known."""
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
    """One process's metrics. Every policy that is promised has all of its series, whatever is known of it."""

    def __init__(self, tally: ProcessCounters) -> None:
        self._tally = tally
        self._policies: dict[str, PolicyLabels] = {}
        self._gauges: dict[tuple[str, str], float] = {}
        self._review: dict[tuple[str, str], float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self._families))

    def watch_process(self) -> None:
        """Tell of the process's memory and CPU time as well."""
        ProcessCollector(registry=self._registry)

    def promise(self, policies: Iterable[PolicyLabels]) -> None:
        """Have all series of these policies; of others stays only what was counted, or waits for a person."""
        self._policies = {policy.name: policy for policy in policies}
        tally, known = self._tally, self._policies
        tally.stale = {key: rounds for key, rounds in tally.stale.items() if key[0] in known}
        tally.rounds = Counter({key: rounds for key, rounds in tally.rounds.items() if rounds or key[0] in known})
        for policy in self._policies.values():
            self._begin(policy)

    def _begin(self, policy: PolicyLabels) -> None:
        tally = self._tally
        tally.missed[policy.name] += 0
        for partner in policy.partners:
            self._begin_partner(partner, policy.currencies)
        for market in policy.markets:
            tally.stale.setdefault((policy.name, market), 0)

    def _begin_partner(self, partner: str, currencies: Iterable[str]) -> None:
        self._tally.waited[partner] += 0
        self._tally.requests.setdefault(partner, LatencyHistogram())
        for currency in currencies:
            self._tally.refunds[partner, currency] += 0

    def run_ended(self, code: int, finished: RunResult) -> None:
        """Take in how a run ended for this process, with its exit code."""
        summary = finished.summary
        self.set_exit_code(summary.policy, code)
        if summary.finished_at is None or summary.status not in {"finished", "failed"}:
            return
        self._advance(FINISHED, summary.policy, summary.finished_at.timestamp())
        policy = self._policies.get(summary.policy)
        succeeded = summary.status == "finished" and not finished.behind_stalled
        if succeeded and (summary.mode == "enforce" or (policy and policy.dry_run)):
            self._advance(SUCCEEDED, summary.policy, summary.finished_at.timestamp())

    def set_exit_code(self, policy: str, code: int) -> None:
        """Take in the exit code of a policy's newest run."""
        self._gauges[EXIT_CODE.name, policy] = code

    def last_runs(self, found: Mapping[str, LastRuns]) -> None:
        """Take in what the ledger says of these policies' last runs."""
        for policy, last in found.items():
            for gauge, at in ((FINISHED, last.finished_at), (SUCCEEDED, last.succeeded_at)):
                self._gauges[gauge.name, policy] = at.timestamp() if at is not None else 0
            self._gauges[STALLED.name, policy] = last.stalled

    def review_counts(self, found: Mapping[tuple[str, ReviewWhy], int], read_at: float) -> None:
        """Take in what the ledger says waits for a person; `read_at` in Unix seconds. What is not in it is 0."""
        self._review = dict.fromkeys(self._review, 0.0)
        self._review |= {(policy, why.value): rounds for (policy, why), rounds in found.items()}
        for policy in self._policies:
            self._gauges[READ.name, policy] = read_at

    def keep(self, samples: Iterable[Sample], mine: str | None, partners: Collection[str]) -> None:
        """Take in what an earlier file said: first of all, before what is known better.

        Gauges keep their values. The counts of the policy `mine` and of `partners` are this process's and begin at 0;
        those of the other promised policies stay as they are. What is neither promised nor a partner is dropped.
        """
        for name, labels, value, *_ in samples:
            policy, partner = labels.get("policy"), labels.get("partner")
            known = (policy is None or policy in self._policies) and (partner is None or partner in partners)
            if known and isfinite(value) and value >= 0:
                self._keep(name, labels, value, 0 if policy == mine else value)

    def _keep(self, name: str, labels: Mapping[str, str], value: float, count: float) -> None:
        tally = self._tally
        match name, labels:
            case ROUNDS.name, {"policy": policy, "partner": partner, "market": market, "outcome": outcome}:
                if outcome in [*State]:
                    tally.rounds[policy, partner, market, State(outcome)] += int(count)
            case STALE.name, {"policy": policy, "market": market}:
                tally.stale.setdefault((policy, market), 0)
                if policy not in tally.planned:
                    tally.stale[policy, market] = int(value)
            case MISSED.name, {"policy": policy}:
                tally.missed[policy] += int(count)
            case REVIEW.name, {"policy": policy, "why": why}:
                self._review[policy, why] = value
            case _, {"policy": policy}:
                self._gauges[name, policy] = value
            case _, {"partner": partner}:
                self._begin_partner(partner, [labels["currency"]] if "currency" in labels else ())

    def text(self) -> bytes:
        """Everything, as /metrics answers."""
        return generate_latest(self._registry)

    def _advance(self, gauge: Described, policy: str, at: float) -> None:
        self._gauges[gauge.name, policy] = max(at, self._gauges.get((gauge.name, policy), 0))

    def _families(self) -> Iterator[Metric]:
        """Reads the counts when they are asked for: counting itself stays as cheap as adding numbers."""
        tally = self._tally
        yield _counter(ROUNDS, dict.fromkeys(self._rounds_series(), 0) | tally.rounds)
        requests = HistogramMetricFamily(REQUESTS.name, REQUESTS.documentation, labels=REQUESTS.labels)
        for partner, latencies in tally.requests.items():
            requests.add_metric([partner], _buckets(latencies), latencies.total)
        yield requests
        yield _gauge(STALE, tally.stale)
        yield _counter(REFUNDS, {key: float(amount) for key, amount in tally.refunds.items()})
        for gauge in POLICY_GAUGES:
            yield _gauge(gauge, {(name,): self._gauges.get((gauge.name, name), 0) for name in self._policies})
        unknown = ((policy, why.value) for policy, why in product(self._policies, ReviewWhy))
        yield _gauge(REVIEW, dict.fromkeys(unknown, 0.0) | self._review)
        yield _counter(WAITED, {(partner,): milliseconds / 1000 for partner, milliseconds in tally.waited.items()})
        yield _counter(MISSED, {(name,): n for name, n in tally.missed.items() if n or name in self._policies})

    def _rounds_series(self) -> Iterator[tuple[str, str, str, State]]:
        """Every outcome for each market that a policy's plan found, or that something was counted for."""
        known = {labels[:3] for labels in self._tally.rounds}
        for name, market in self._tally.stale:
            policy = self._policies.get(name)  # None: it was taken out of the configuration while its run goes on
            known.update((name, partner, market) for partner in (policy.partners if policy else ()))
        return ((*labels, outcome) for labels in sorted(known) for outcome in OUTCOMES)


class _Families(Collector):
    """Asks for the families whenever somebody asks for the metrics."""

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
