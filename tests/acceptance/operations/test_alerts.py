"""The alerts and the dashboard name what a scrape has, fire when they should, and lead to a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from support.monitoring import (
    ALERT_TESTS,
    ALERTS,
    DEPLOY,
    alert_tests,
    panel_expressions,
    rules,
    scraped_labels,
    series_of_tests,
    unknown_in,
)
from support.replica import schedule, serve, until
from support.samples import figures, of_policy, waiting

from retention.core.notifications.events import EVENTS
from retention.core.runs.halt_cause import HaltCause
from retention.exit_codes import ExitCode
from retention.metric_names import METRICS
from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World

RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text("utf-8")


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool; a missing one fails the test."""
    found = shutil.which("promtool")
    assert found, "promtool is not there: apt-get install prometheus"
    return subprocess.run([found, *words], capture_output=True, text=True, check=False, timeout=120)


async def test_rules_and_panels_name_only_what_a_scrape_has(world: World) -> None:
    """Each metric and label of a rule, a rule's test and a panel is in a scrape of a real daemon after a real run; a
    misspelt metric and a misspelt label are found.
    """
    await world.seed(3)
    world.extra = '[reports.daily]\nschedule = "0 6 * * *"\ntimezone = "UTC"\nperiod = "yesterday"\ndirectory = "."\n'
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "1"})
    await schedule(world)
    replica = await serve(world)
    text = ""

    async def has_run() -> bool:
        nonlocal text
        _, text = await replica.get("/metrics")
        found = figures(text)
        return bool(of_policy(found, "run_last_exit_code") and waiting(found))

    await until(has_run)
    scraped = scraped_labels(text)
    expressions = [rule["expr"] for rule in rules()] + [*panel_expressions().values(), *series_of_tests()]
    assert {one: found for one in expressions if (found := unknown_in(one, scraped))} == {}
    assert ["retention_run_stale"] == unknown_in("max by (policy) (retention_run_stale) > 0", scraped)
    assert ["retention_paused{who}"] == unknown_in('retention_paused{who="person"}', scraped)
    assert ["retention_paused{policy}"] == unknown_in("sum by (policy) (retention_paused)", scraped)
    described = {metric.name: frozenset(metric.labels) for metric in METRICS}
    assert described == {name: scraped.get(name, scraped.get(f"{name}_count")) for name in described}


def test_each_alert_has_a_test_where_it_fires_and_one_where_it_is_silent() -> None:
    """Each alert has two tests of its own name, and no test is of another alert."""
    tests = alert_tests()
    wanted = {f"{rule['alert']} {word}" for rule in rules() for word in ("fires", "stays silent")}
    assert wanted == {test["name"] for test in tests}
    for test in tests:
        (check,) = test["promql_expr_test"]
        assert f'"{test["name"].split()[0]}"' in check["expr"]
        assert test["name"].endswith(" fires") == bool(check["exp_samples"])


def anchors() -> set[str]:
    """The anchors of the runbook's headings."""
    return {
        re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    }


def test_each_alert_leads_to_its_place_in_the_runbook() -> None:
    """Each alert has a severity, words, and the address of a heading of its own name in the runbook."""
    for rule in rules():
        assert {"summary", "description", "runbook_url"} == set(rule["annotations"]), rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert ("RUNBOOK.md", rule["alert"].lower()) == (page.rpartition("/")[2], anchor)
        assert anchor in anchors()


@pytest.mark.parametrize(
    "word",
    [*(f"| {int(code)} |" for code in ExitCode), *(f"| `{one}` |" for one in (*(c.value for c in HaltCause), *EVENTS))],
)
def test_the_runbook_knows_each_exit_code_halt_reason_and_event(word: str) -> None:
    """Each exit code, halt reason and notification has a row in the runbook."""
    assert f"\n{word}" in RUNBOOK


@pytest.mark.deploy
def test_promtool_accepts_rules_configuration_and_tests() -> None:
    """Promtool accepts the rules and the configuration of Prometheus, and every alert's tests pass."""
    for words in (
        ("check", "rules", ALERTS),
        ("check", "config", DEPLOY / "prometheus" / "prometheus.yml"),
        ("test", "rules", *ALERT_TESTS),
    ):
        done = promtool(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.deploy
@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_an_alert_that_never_fires_is_found(tmp_path: Path, alert: str) -> None:
    """The tests of alerts fail when an alert is made silent, and when one fires always."""
    tests = tmp_path / "test.yml"
    for path in ALERT_TESTS:
        given = yaml.safe_load(path.read_text("utf-8"))
        given["tests"] = [test for test in given["tests"] if test["name"].startswith(f"{alert} ")]
        if given["tests"]:
            tests.write_text(yaml.safe_dump(given), "utf-8")
    document = yaml.safe_load(ALERTS.read_text("utf-8"))
    (rule,) = (rule for group in document["groups"] for rule in group["rules"] if rule["alert"] == alert)
    for broken, wanted in (("vector(1) < 0", "exp: {} 1E+00"), ("vector(1)", "exp: nil")):
        rule["expr"] = broken
        rule.pop("for", None)
        (tmp_path / "alerts.yml").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [rule]}]}), "utf-8")
        done = promtool("test", "rules", tests)
        assert (1, True) == (done.returncode, wanted in done.stderr), done.stderr + done.stdout


@pytest.mark.deploy
def test_each_panel_can_be_evaluated(tmp_path: Path) -> None:
    """Prometheus parses each expression of the dashboard."""
    recorded = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(panel_expressions().values())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), "utf-8")
    done = promtool("check", "rules", path)
    assert (0, True) == (done.returncode, f"{len(recorded)} rules found" in done.stdout), done.stdout + done.stderr
