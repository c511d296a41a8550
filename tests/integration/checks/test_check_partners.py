"""The checks of a partner: the address of its HealthCheck, and the warning that its status is not asked first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retention.checks import checks as check
from retention.settings.model import Settings
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from retention.ledger.checks.finding import Finding

TOKEN = "token-77c1"
LOGIN = "login-77c1"
POLICY = {"name": "nightly", "open_longer_than": "72h", "max_rounds": 500}


async def look(dsn: str, **keys: Any) -> list[Finding]:
    """Run every check for one partner with these keys, and make sure that the output holds no address."""
    partner = {"name": "acme", "secure_login": LOGIN, "token": TOKEN, "rate": 20.0, **keys}
    configured = Settings.model_validate(
        {"database": {"dsn": dsn}, "partners": {"acme": partner}, "policies": {"nightly": POLICY}}
    )
    findings = await check.run_checks(configured, {})
    for secret in (TOKEN, LOGIN, "hidden"):
        assert secret not in check.text(findings)
    # The durability of the tests' own server is left out.
    return [finding for finding in findings if finding.name not in {"durability", "role"}]


@pytest.mark.parametrize("below", [True, False], ids=["beside api_url", "without api_url"])
async def test_the_health_address_is_asked_where_there_is_one(database_dsn: str, below: bool) -> None:
    """HealthCheck goes to health_url alone, not to any other address."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as well, Simulator() as other:
        calls = {"cancel_url": f"{other.url}/hidden/v4/CancelRound", "status_url": f"{other.url}/hidden/status"}
        rest = {"api_url": f"{other.url}/hidden"} if below else calls
        findings = await look(database_dsn, health_url=f"{well.url}/hidden/v4/HealthCheck", **rest)
    assert "ok    vendor of acme: answers, and knows us" == check.text(findings).splitlines()[-1]
    assert (["HealthCheck"], []) == ([request.call for request in well.requests], other.requests)


OFF = (
    "WARN  partner acme: ask_first is off: a ledger that is restored from an older copy would cancel again all that it has"
    " forgotten; set {}, if the vendor answers GetRoundStatus"
)


@pytest.mark.parametrize(
    ("keys", "mend"),
    [
        ({"ask_first": False}, "ask_first = true"),
        ({"status_probe": False}, "status_probe = true"),
        ({"status_probe": False, "ask_first": False}, "status_probe = true and ask_first = true"),
    ],
)
async def test_a_partner_that_is_not_asked_first_is_warned_about(
    database_dsn: str, keys: dict[str, bool], mend: str
) -> None:
    """A warning, no failure, names the risk and the keys that turn status calls on."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await look(database_dsn, api_url=f"{vendor.url}/hidden", **keys)
    warnings = [line for line in check.text(findings).splitlines() if line.startswith("WARN")]
    assert ([OFF.format(mend)], 0) == (warnings, check.exit_code(findings))


@pytest.mark.parametrize("keys", [{}, {"ask_first": True}])
async def test_a_partner_that_is_asked_first_is_not_warned_about(database_dsn: str, keys: dict[str, bool]) -> None:
    """With questions before cancels, by default or by setting, `check` gives no warning."""
    async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
        findings = await look(database_dsn, api_url=f"{vendor.url}/hidden", **keys)
    assert [] == [finding.name for finding in findings if finding.warning]
