"""`check` from end to end: configuration, database and vendor, and no secret in what it says."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from retention import check
from retention.ledger.inspect import Finding
from retention.settings import Settings
from retention.vendor.faults import Faults
from retention.vendor.simulator import Simulator

TOKEN = "token-77c1"
LOGIN = "login-77c1"


def settings(vendor: Simulator, dsn: str, **policy: Any) -> Settings:
    """Configure one partner and one policy."""
    return Settings.model_validate(
        {
            "database": {"dsn": dsn},
            "partners": {
                "acme": {
                    "name": "acme",
                    "secure_login": LOGIN,
                    "api_url": f"{vendor.url}/hidden-path",
                    "token": TOKEN,
                    "rate": 20.0,
                }
            },
            "policies": {"nightly": {"name": "nightly", "open_longer_than": "72h", "max_rounds": 500, **policy}},
        }
    )


async def look_at_all(vendor: Simulator, dsn: str, **policy: Any) -> list[Finding]:
    """Run every check, and make sure that no secret is in what it says."""
    findings = await check.run_checks(settings(vendor, dsn, **policy))
    for secret in (TOKEN, LOGIN, "hidden-path", "hunter22"):
        assert secret not in check.text(findings)
    return findings


async def test_everything_in_place_is_exit_code_0(database_dsn: str) -> None:
    """Configuration, policy, database and vendor are looked at in this order, and all is well."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await look_at_all(vendor, database_dsn)

    assert 0 == check.exit_code(findings)
    assert "ok    configuration: 1 partner (acme), 1 policy (nightly)" == check.text(findings).splitlines()[0]
    assert (
        "ok    policy nightly: dry_run, rounds open for 3d, at most 500 of them" == check.text(findings).splitlines()[1]
    )
    assert "ok    vendor of acme: answers, and knows us" == check.text(findings).splitlines()[-1]
    assert ["HealthCheck"] == [request.call for request in vendor.requests]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"status": 401}, "refused our credentials, or this machine's address: HTTP 401"),
        ({"status": 403}, "refused our credentials, or this machine's address: HTTP 403"),
        ({"code": "54", "description": f"no {TOKEN}"}, "refused our credentials: error 54, no ***"),
        ({"code": 999}, "is not well: error 999"),
        ({"status": 500}, "is not well: HTTP 500"),
        ({"status": 200, "body": "<html>"}, "is not well: the reply is not JSON"),
        ({"cut": "before"}, "the connection broke: connection reset by peer"),
    ],
)
async def test_a_vendor_that_is_not_well_is_exit_code_2(
    database_dsn: str, fault: dict[str, object], message: str
) -> None:
    """What the vendor answers is told in a word, without any secret that it repeats."""
    async with Simulator(faults=Faults.of({"call": "HealthCheck", **fault})) as vendor:
        findings = await look_at_all(vendor, database_dsn)

    assert [Finding("vendor of acme", ok=False, message=message)] == [one for one in findings if not one.ok]
    assert 2 == check.exit_code(findings)


async def test_a_vendor_that_does_not_know_our_token_refuses_us(database_dsn: str) -> None:
    """Wrong credentials are told from a vendor that is down."""
    async with Simulator(secure_login=LOGIN, token="another") as vendor:
        findings = await look_at_all(vendor, database_dsn)

    assert findings[-1].message.startswith("refused our credentials: error 54")


async def test_a_vendor_that_is_down_and_a_database_that_is_away_are_findings(database_dsn: str) -> None:
    """Nothing that is out of reach keeps the rest from being looked at, and no address or password is told."""
    away = make_conninfo(database_dsn, host="127.0.0.1", port=1, password="hunter22")
    async with Simulator() as vendor:
        pass

    findings = await look_at_all(vendor, away)

    down = [finding for finding in findings if not finding.ok]
    assert ["database", "vendor of acme"] == [finding.name for finding in down]
    assert down[0].message.startswith("the database cannot be reached: ")
    assert "no connection: connection refused" == down[1].message
    assert 2 == check.exit_code(findings)


async def test_a_database_that_goes_away_while_it_is_looked_at_is_a_finding(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that shuts down in the middle of the checks gives a line, not a traceback."""

    async def shut_down(*_: object) -> list[Finding]:
        raise psycopg.errors.AdminShutdown("terminating connection\nmore")

    monkeypatch.setattr(check, "inspect_database", shut_down)
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await look_at_all(vendor, database_dsn)

    message = "the database went away: terminating connection"
    assert Finding("database", ok=False, message=message) in findings


async def test_a_policy_younger_than_the_vendor_s_own_closing_is_warned_about(database_dsn: str) -> None:
    """Below 24 hours the vendor still closes rounds itself: allowed, and said."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await look_at_all(vendor, database_dsn, open_longer_than="23h")

    line = "WARN  policy nightly: open_longer_than is 23h, but within 1d the vendor still closes rounds itself"
    assert line == check.text(findings).splitlines()[1]
    assert 0 == check.exit_code(findings)


def test_findings_are_rendered_as_lines_and_as_json() -> None:
    """One line each, its mark first; the document has the contract's keys."""
    findings = [
        Finding("a", ok=True, message="well"),
        Finding("b", ok=True, message="so so", warning=True),
        Finding("c", ok=False, message="wrong"),
    ]

    assert "ok    a: well\nWARN  b: so so\nFAIL  c: wrong" == check.text(findings)
    assert {
        "checks": [
            {"name": "a", "ok": True, "message": "well", "warning": False},
            {"name": "b", "ok": True, "message": "so so", "warning": True},
            {"name": "c", "ok": False, "message": "wrong", "warning": False},
        ],
        "schedules": [],
    } == check.document(findings)
