"""`retention check`: whether a run has all that it needs. The checks change nothing, and send one HealthCheck a vendor.

This module holds their order, which is the order of mending, and their output as text and JSON.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retention.checks.config import configuration_findings, next_times
from retention.checks.database import database_findings
from retention.checks.notify import notify_findings
from retention.checks.reports import report_findings, report_times
from retention.checks.vendor import vendor_findings
from retention.core.text import printable
from retention.exit_codes import ExitCode
from retention.wiring.secrets import redactor_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.checks.connections import ConnectionNeeds
    from retention.ledger.checks.finding import Finding
    from retention.settings.model import Settings

__all__ = ["document", "exit_code", "next_times", "report_times", "run_checks", "text"]


async def run_checks(
    settings: Settings,
    schedules: Mapping[str, Sequence[datetime]],
    log: FilteringBoundLogger | None = None,
    needs: ConnectionNeeds | None = None,
) -> list[Finding]:
    """Run all checks: the configuration, then the database, the vendors and the targets of notifications.

    `schedules`: the next times of each policy, as `next_times` returns them. `log` reports long waits. `needs`: the
    processes that are to get connections.
    """
    redactor = redactor_of(settings)
    findings = [*configuration_findings(settings, schedules), *report_findings(settings, datetime.now(UTC))]
    findings += await database_findings(settings, redactor, log, needs)
    vendors = (vendor_findings(partner, redactor, log) for partner in settings.partners.values())
    findings += [finding for of_vendor in await asyncio.gather(*vendors) for finding in of_vendor]
    return findings + await notify_findings(settings.notify.values(), redactor, log)


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """Return USAGE where a check fails; warnings do not count."""
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.USAGE


def text(findings: Sequence[Finding]) -> str:
    """Return one line for each finding."""
    return "\n".join(printable(f"{_mark(finding):<6}{finding.name}: {finding.message}") for finding in findings)


def document(
    findings: Sequence[Finding],
    schedules: Mapping[str, Sequence[datetime]],
    reports: Mapping[str, Sequence[datetime]],
) -> dict[str, Any]:
    """Return the findings as a JSON document, with the next times of each schedule of a policy and of a report."""
    checks = [
        {"name": finding.name, "ok": finding.ok, "message": finding.message, "warning": finding.warning}
        for finding in findings
    ]
    coming = [{"policy": name, "next": [time.isoformat() for time in times]} for name, times in schedules.items()]
    made = [{"report": name, "next": [time.isoformat() for time in times]} for name, times in reports.items()]
    return {"checks": checks, "schedules": coming, "reports": made}


def _mark(finding: Finding) -> str:
    if not finding.ok:
        return "FAIL"
    return "WARN" if finding.warning else "ok"
