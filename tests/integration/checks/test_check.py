"""`check` from end to end: configuration, database and vendor, and no secret in its output."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from retention.checks import checks as check
from retention.checks.config import configuration_findings
from retention.errors import SchemaError
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.readiness import check_database, require_ready
from retention.ledger.database import open_database
from retention.ledger.database_errors import ServerUnavailableError
from retention.ledger.migrations import migrate
from retention.settings.model import Settings
from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

TOKEN = "token-77c1"
LOGIN = "login-77c1"
NOW = datetime(2026, 3, 27, 23, 30, tzinfo=UTC)  # the night before the clocks change
CORRECT = "correct partners.acme.secure_login and .token, exactly as the vendor gave them"
POLICY = {"open_longer_than": "72h", "max_rounds": 500}
SCHEDULE = {"schedule": "0 3 * * *", "timezone": "Europe/Malta"}


def settings(vendor: Simulator, dsn: str, **policies: dict[str, Any]) -> Settings:
    """Configure one partner and some policies, by their names."""
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
            "policies": {name: {"name": name, **POLICY, **policy} for name, policy in policies.items()},
        }
    )


async def run_all_checks(vendor: Simulator, dsn: str, **policies: dict[str, Any]) -> list[Finding]:
    """Run every check, and make sure that its output holds no secret. Without policies, there is one."""
    configured = settings(vendor, dsn, **policies or {"nightly": {}})
    findings = await check.run_checks(configured, check.next_times(configured, NOW))
    for secret in (TOKEN, LOGIN, "hidden-path", "hunter22"):
        assert secret not in check.text(findings)
    return findings


async def test_everything_in_place_is_exit_code_0(database_dsn: str) -> None:
    """Configuration, policy, database and vendor are checked in this order, and none fails."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn)

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
        ({"status": 401}, f"refused our credentials: HTTP 401; {CORRECT}"),
        (
            {"status": 403},
            (
                "refused this machine's address, or our credentials: HTTP 403; its allow-list may lack this machine: send the"
                " vendor this machine's outgoing address, which we cannot see; `curl https://checkip.amazonaws.com` here"
                f" prints it, or your network team knows it; or {CORRECT}"
            ),
        ),
        ({"code": "54", "description": f"no {TOKEN}"}, f"refused our credentials: error 54, no ***; {CORRECT}"),
        ({"code": 999}, "is not well: error 999; ask the vendor what it means"),
        (
            {"status": 404},
            (
                "is not well: HTTP 404; there is no HealthCheck at that address: correct partners.acme.api_url; the vendor's"
                " own calls are <api_url>/v4/HealthCheck"
            ),
        ),
        (
            {"status": 302},
            (
                "is not well: HTTP 302; a redirect is never followed: write the address that it leads to into"
                " partners.acme.api_url"
            ),
        ),
        ({"status": 429}, "is not well: HTTP 429; the vendor is busy: run `retention check` again later"),
        (
            {"status": 500},
            (
                "is not well: HTTP 500; the vendor or a proxy before it fails: run `retention check` again later, then ask"
                " the vendor"
            ),
        ),
        (
            {"status": 200, "body": "<html>"},
            "is not well: the reply is not JSON; a web page or a proxy answers there: correct partners.acme.api_url",
        ),
        (
            {"cut": "before"},
            (
                "the connection broke: connection reset by peer; correct partners.acme.api_url, or ask the vendor: a proxy in"
                " between may cut it"
            ),
        ),
    ],
)
async def test_a_vendor_that_is_not_well_is_exit_code_2(
    database_dsn: str, fault: dict[str, object], message: str
) -> None:
    """The vendor's answer is shown in one line, without any secret that it repeats."""
    async with Simulator(faults=Faults.of({"call": "HealthCheck", **fault})) as vendor:
        findings = await run_all_checks(vendor, database_dsn)

    assert [Finding("vendor of acme", ok=False, message=message)] == [one for one in findings if not one.ok]
    assert 2 == check.exit_code(findings)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"code": "7", "description": "x" * 249 + TOKEN}, "error 7, with a description too long to be shown safely"),
        ({"code": "7", "description": "x" * 200 + TOKEN}, f"error 7, {'x' * 200}***"),
        ({"code": "x" * 58 + LOGIN, "description": "no"}, "an error with a very long code, no"),
        ({"code": "x" * 50 + LOGIN}, f"error {'x' * 50}***"),
    ],
)
async def test_no_half_of_a_secret_is_told(database_dsn: str, said: dict[str, object], message: str) -> None:
    """A reply's text that had to be cut is not shown, because a secret may end in its middle."""
    async with Simulator(faults=Faults.of({"call": "HealthCheck", **said})) as vendor:
        findings = await run_all_checks(vendor, database_dsn)

    assert f"is not well: {message}; ask the vendor what it means" == findings[-1].message


async def test_a_vendor_that_does_not_know_our_token_refuses_us(database_dsn: str) -> None:
    """Wrong credentials are distinguished from a vendor that is down."""
    async with Simulator(secure_login=LOGIN, token="another") as vendor:
        findings = await run_all_checks(vendor, database_dsn)

    assert findings[-1].message.startswith("refused our credentials: error 54")


async def test_a_vendor_that_is_down_and_a_database_that_is_away_are_findings(database_dsn: str) -> None:
    """All other checks run although a vendor or the database is away, and no address or password is shown."""
    away = make_conninfo(database_dsn, host="127.0.0.1", port=1, password="hunter22")
    async with Simulator() as vendor:
        pass

    findings = await run_all_checks(vendor, away)

    down = [finding for finding in findings if not finding.ok]
    assert ["database", "vendor of acme"] == [finding.name for finding in down]
    assert down[0].message.startswith("the database cannot be reached: ")
    refused = "no connection: connection refused; correct host and port in partners.acme.api_url"
    assert f"{refused}, or ask the other side whether it is up" == down[1].message
    assert 2 == check.exit_code(findings)


async def test_a_database_that_goes_away_during_the_checks_is_a_finding(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that shuts down during the checks leads to a finding, not to a traceback."""

    async def shut_down(*_: object) -> list[Finding]:
        raise ServerUnavailableError("terminating connection\nmore")

    monkeypatch.setattr("retention.checks.database.check_database", shut_down)
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn)

    message = "the database went away: terminating connection"
    assert Finding("database", ok=False, message=message) in findings


async def test_a_policy_younger_than_the_vendor_s_own_closing_is_warned_about(database_dsn: str) -> None:
    """Below 24 hours the vendor still closes rounds itself: allowed, and said."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn, nightly={"open_longer_than": "23h", **SCHEDULE})

    line = "WARN  policy nightly: open_longer_than is 23h, but within 1d the vendor still closes rounds itself"
    assert line == check.text(findings).splitlines()[1]
    assert 0 == check.exit_code(findings)


@pytest.mark.parametrize(("deadline", "warned"), [("15s", True), ("16s", False)])
async def test_a_deadline_before_the_first_request_is_warned_about(
    database_dsn: str, deadline: str, warned: bool
) -> None:
    """A deadline within timeout and 5 s lets the first run after a restart of the database send nothing: it is said."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn, nightly={"deadline": deadline, **SCHEDULE})

    line = (
        "WARN  policy nightly: deadline is 15s: the first run after a restart of the database waits 15s (timeout and 5 s),"
        " and sends nothing; set a longer one"
    )
    assert warned == (line in check.text(findings).splitlines())


def test_rate_groups_are_told_and_warned_about() -> None:
    """Each group names its partners; a group without any, and rates above the group's, are warnings."""
    account = {"api_url": "http://127.0.0.1:1", "token": "t", "rate": 50.0, "rate_group": "lm"}
    configured = Settings.model_validate(
        {
            "partners": {
                "acme": {"name": "acme", "secure_login": "a", **account, "question_rate": 70.0},
                "beta": {"name": "beta", "secure_login": "b", **account, "rate": 60.5},
            },
            "rate_groups": {"lm": {"name": "lm", "rate": 60.0}, "idle": {"name": "idle", "rate": 1.0}},
        }
    )
    found = [one for one in configuration_findings(configured, {}) if "group" in one.message or "group" in one.name]
    assert [
        ("rate group lm", False, "60 requests per second for acme, beta together"),
        ("partner acme", True, "question_rate is 70, but its rate group lm allows 60: that counts"),
        ("partner beta", True, "rate is 60.5, but its rate group lm allows 60: that counts"),
        (
            "rate group idle",
            True,
            'no partner has rate_group = "idle", so it limits nothing; add that, or take it out',
        ),
    ] == [(one.name, one.warning, one.message) for one in found]
    assert all(one.ok for one in found)


async def test_a_schedule_s_next_times_are_told(database_dsn: str) -> None:
    """Five of them with their offsets, over the change of clocks, and whether a missed one is made up for."""
    policies = {"nightly": {**SCHEDULE, "catch_up": "6h"}, "by_hand": {}, "weekly": {**SCHEDULE, "schedule": "@weekly"}}
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn, **policies)

    nightly = (
        "Sat 2026-03-28 03:00+01:00, Sun 2026-03-29 03:00+02:00, Mon 2026-03-30 03:00+02:00, "
        "Tue 2026-03-31 03:00+02:00, Wed 2026-04-01 03:00+02:00; a missed time is made up for within 6h"
    )
    weekly = (
        "Sun 2026-03-29 00:00+01:00, Sun 2026-04-05 00:00+02:00, Sun 2026-04-12 00:00+02:00, "
        "Sun 2026-04-19 00:00+02:00, Sun 2026-04-26 00:00+02:00; a missed time is not made up for (no catch_up)"
    )
    assert [
        f"ok    schedule of policy nightly: {nightly}",
        f"ok    schedule of policy weekly: {weekly}",
    ] == [line for line in check.text(findings).splitlines() if "schedule" in line]
    assert 0 == check.exit_code(findings)


@pytest.mark.parametrize(("days", "warned"), [(300, False), (400, True)])
def test_a_schedule_whose_next_time_is_years_away_is_warned_about(days: int, warned: bool) -> None:
    """A next time more than a year away, as of 29 February, is probably a mistake: the warning names the key."""
    configured = Settings.model_validate({"policies": {"nightly": {"name": "nightly", **POLICY, **SCHEDULE}}})
    times = {"nightly": [datetime.now(UTC) + timedelta(days=days)]}
    (found,) = (one for one in configuration_findings(configured, times) if one.name == "schedule of policy nightly")
    assert warned == found.warning == found.message.endswith("correct policies.nightly.schedule, if that is not meant")


async def test_policies_that_overlap_are_warned_about_in_pairs(database_dsn: str) -> None:
    """A warning names each two policies that could select the same round, and their common fields; exit code 0. A
    policy `targeted` without a schedule is the rails of named rounds, and overlaps with none.
    """
    policies: dict[str, dict[str, Any]] = {
        "nightly": {"exclude_games": ["g9"]},
        "mt": {"markets": ["MT"]},
        "se": {"markets": ["SE"], **SCHEDULE},
        "g9": {"games": ["g9"], "exclude_markets": ["MT", "SE"]},
        "targeted": {},
    }
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn, **policies)

    apart = "; the first to run takes them: exclude_markets or exclude_games keeps them apart"
    assert [
        f"WARN  policies nightly and mt: both select rounds of acme in MT, of every game but g9{apart}",
        f"WARN  policies nightly and se: both select rounds of acme in SE, of every game but g9{apart}",
    ] == [line for line in check.text(findings).splitlines() if line.startswith("WARN  policies")]
    assert 0 == check.exit_code(findings)


async def test_a_scheduled_policy_s_plan_without_an_index_is_warned_about(database_dsn: str) -> None:
    """A scheduled policy gets the same warning about its query as any other."""
    with psycopg.connect(database_dsn) as connection:
        connection.execute("DROP INDEX public.rounds_open_by_age")
        connection.execute(
            "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at, status)"
            " SELECT 'acme', 'MT', 'u', 'R-' || i, now(), (i > 10)::integer FROM generate_series(1, 120000) i"
        )
        connection.execute("ANALYZE public.rounds")
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await run_all_checks(vendor, database_dsn, nightly=SCHEDULE)

    [warning] = [finding for finding in findings if finding.warning and finding.name not in {"durability", "role"}]
    assert "index use of policy nightly" == warning.name
    assert warning.message.startswith("Seq Scan on public.rounds (about 120,000 rows), filter: ")
    assert 0 == check.exit_code(findings)


def test_the_document_has_the_next_times() -> None:
    """ISO 8601 with the offset of the schedule's zone, for the policies that have one."""
    policies = {name: {"name": name, **POLICY, **keys} for name, keys in (("nightly", SCHEDULE), ("by_hand", {}))}
    schedules = check.next_times(Settings.model_validate({"policies": policies}), NOW)

    assert [
        {
            "policy": "nightly",
            "next": [
                "2026-03-28T03:00:00+01:00",
                "2026-03-29T03:00:00+02:00",
                "2026-03-30T03:00:00+02:00",
                "2026-03-31T03:00:00+02:00",
                "2026-04-01T03:00:00+02:00",
            ],
        }
    ] == check.document([], schedules, {})["schedules"]


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
        "reports": [{"report": "daily", "next": [NOW.isoformat()]}],
    } == check.document(findings, {}, {"daily": [NOW]})


async def test_a_database_that_lacks_letters_is_refused(postgres: str) -> None:
    """A database whose encoding cannot hold all texts of a vendor is refused before any run and any migration."""
    name = f"retention_test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0".encode())
        try:
            async with open_database(lambda: make_conninfo(postgres, dbname=name), size=1) as database:
                (finding, *_) = await check_database(database, ())
                with pytest.raises(SchemaError) as caught:
                    await require_ready(database)
                with pytest.raises(SchemaError, match=r"its encoding is LATIN1.*; nothing is changed"):
                    await migrate(database)
                assert not (await database.row("checks/describe_server")).has_schema
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    message = "its encoding is LATIN1, and a vendor may use any letter; a database in UTF8 is needed"
    assert Finding("database", ok=False, message=message) == finding
    assert message == str(caught.value)
