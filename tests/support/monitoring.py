"""The rules, panels and tests of deploy/ for Prometheus and Grafana, and the metrics that they name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
ALERT_TESTS = (DEPLOY / "prometheus" / "alerts_test.yml", DEPLOY / "prometheus" / "alerts_week_test.yml")
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"

OWN_OF_PROMETHEUS = frozenset({"up"})
"""Metrics that Prometheus makes itself."""

LABELS_OF_A_SCRAPE = frozenset({"job", "instance"})
"""Labels that Prometheus adds to each series."""

_METRIC = re.compile(r"\b((?:retention|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
_LABEL = re.compile(r'([a-zA-Z_]+)="(?:[^"\\]|\\.)*"')
_MATCHER = re.compile(r'([a-zA-Z_]+)\s*(?:=~|!~|!=|=)\s*"')


@dataclass(frozen=True, slots=True)
class Used:
    """A metric in an expression, with the labels that the expression asks of it."""

    metric: str
    labels: frozenset[str]


def used_in(expression: str) -> set[Used]:
    """The metrics of an expression. Labels of `by` and `on` are asked of each of its metrics."""
    grouped = {label.strip() for names in _GROUPED.findall(expression) for label in names.split(",") if label.strip()}
    return {
        Used(name, frozenset(_MATCHER.findall(matchers)) | frozenset(grouped))
        for name, matchers in _METRIC.findall(_GROUPED.sub("", expression))
    }


def unknown_in(expression: str, scraped: Mapping[str, frozenset[str]]) -> list[str]:
    """The metrics, and labels of metrics, that no scrape has."""
    found = []
    for used in used_in(expression):
        if used.metric in OWN_OF_PROMETHEUS:
            lacking = used.labels - LABELS_OF_A_SCRAPE
        elif used.metric not in scraped:
            found.append(used.metric)
            continue
        else:
            lacking = used.labels - scraped[used.metric] - LABELS_OF_A_SCRAPE
        found += [f"{used.metric}{{{label}}}" for label in sorted(lacking)]
    return sorted(found)


def scraped_labels(text: str) -> dict[str, frozenset[str]]:
    """The metrics of a text of /metrics, each with the labels of its series."""
    found: dict[str, frozenset[str]] = {}
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.MULTILINE):
        found[name] = found.get(name, frozenset()) | frozenset(_LABEL.findall(labels))
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    return [rule for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]]


def alert_tests() -> list[dict[str, Any]]:
    """The tests of alerts."""
    return [test for path in ALERT_TESTS for test in yaml.safe_load(path.read_text("utf-8"))["tests"]]


def series_of_tests() -> Iterator[str]:
    """The input series of the tests of alerts."""
    for test in alert_tests():
        yield from (one["series"] for one in test["input_series"])


def panel_expressions() -> dict[str, str]:
    """The expressions of the dashboard, by panel and letter, with the variables filled in."""
    dashboard = json.loads(DASHBOARD.read_text("utf-8"))
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$policy", ".*")
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
