"""`retention check`: whether everything is in place for a run. It looks, and asks each vendor for a sign of life."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

import psycopg

from retention.checks.secret_findings import sample_ids, secret_findings
from retention.core.clock_check import shift
from retention.core.model import Credentials, NotConnected, Reply, Treatment, Unclear
from retention.core.planning.overlap import overlap
from retention.core.sending import wire
from retention.core.text import printable
from retention.errors import RetentionError
from retention.exit_codes import ExitCode
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.names import check_names
from retention.ledger.checks.readiness import check_database
from retention.ledger.clocks import Clocks
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.ledger.pauses import Pauses
from retention.process.waiting import telling
from retention.render.terminal_runs import person_pause, vendor_pause
from retention.runs.scope import scope_of
from retention.settings.durations import format_duration
from retention.settings.partner import Call
from retention.vendor_api.client import VendorClient
from retention.wiring.services import redactor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.database import Database
    from retention.redaction import Redactor
    from retention.settings import Partner, Policy, Settings

AUTO_CLOSING = timedelta(hours=24)
"""Within this time the vendor itself completes rounds that were left."""

SHOWN_TIMES = 5
"""Of each schedule, the next ones."""

CODE_LIMIT, WORDS_LIMIT = 64, 256
"""Characters from which on a reply's code, or its description, may have been cut."""


async def run_checks(
    settings: Settings, schedules: Mapping[str, Sequence[datetime]], log: FilteringBoundLogger | None = None
) -> list[Finding]:
    """Look at everything, in the order in which it has to be mended; `schedules` as `next_times` tells them.

    `log` is told what is waited for, where that takes long.
    """
    redactor = redactor_of(settings)
    findings = [Finding("configuration", ok=True, message=_extent(settings)), *map(_policy, settings.policies.values())]
    findings += [_schedule(settings.policies[name], times) for name, times in schedules.items()]
    findings += _overlaps(settings)
    findings += [_unasked(partner) for partner in settings.partners.values() if not partner.asks_first]
    findings += await _database(settings, redactor.text, log)
    findings += await asyncio.gather(*(_vendor(partner, redactor, log) for partner in settings.partners.values()))
    return findings


async def check_vendor(client: VendorClient, partner: Partner, redactor: Redactor) -> Finding:
    """Ask one vendor whether it hears us and knows us. Whatever secret its reply repeats is taken out."""
    credentials = Credentials(partner.secure_login.reveal(), partner.token.reveal())
    exchange = await client.post(partner.address(Call.HEALTH), wire.encode_health(credentials, str(uuid.uuid4())))
    ok, message = False, "no reply"
    match exchange.answer:
        case Reply(http_status=401 | 403 as status):
            message = f"refused our credentials, or this machine's address: HTTP {status}"
        case Reply(problem=str(problem)):
            message = f"is not well: {redactor.text(problem)}"
        case Reply(code="0"):
            ok, message = True, "answers, and knows us"
        case Reply(code=str(code), description=words):
            refused = partner.treatments.get(code) is Treatment.UNAUTHORIZED
            message = f"{'refused our credentials' if refused else 'is not well'}: {_said(code, words, redactor)}"
        case NotConnected(why) | Unclear(why):
            message = redactor.text(why)
    return Finding(f"vendor of {partner.name}", ok=ok, message=message)


def next_times(settings: Settings, now: datetime) -> dict[str, list[datetime]]:
    """Find when each policy that has a schedule is due next, by name."""
    schedules = {policy.name: policy.times for policy in settings.policies.values()}
    return {name: list(islice(times.after(now), SHOWN_TIMES)) for name, times in schedules.items() if times}


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """0 where nothing fails; warnings do not count."""
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.USAGE


def text(findings: Sequence[Finding]) -> str:
    """One line for each finding."""
    return "\n".join(printable(f"{_mark(finding):<6}{finding.name}: {finding.message}") for finding in findings)


def document(findings: Sequence[Finding], schedules: Mapping[str, Sequence[datetime]]) -> dict[str, Any]:
    """The same as a JSON document, with the next times of each schedule."""
    checks = [
        {"name": finding.name, "ok": finding.ok, "message": finding.message, "warning": finding.warning}
        for finding in findings
    ]
    coming = [{"policy": name, "next": [time.isoformat() for time in times]} for name, times in schedules.items()]
    return {"checks": checks, "schedules": coming}


def _mark(finding: Finding) -> str:
    if not finding.ok:
        return "FAIL"
    return "WARN" if finding.warning else "ok"


def _extent(settings: Settings) -> str:
    def counted(names: Sequence[str], one: str, many: str) -> str:
        return f"{len(names)} {one if len(names) == 1 else many} ({', '.join(names)})" if names else f"no {one}"

    partners = counted(list(settings.partners), "partner", "partners")
    return f"{partners}, {counted(list(settings.policies), 'policy', 'policies')}"


def _policy(policy: Policy) -> Finding:
    name, age = f"policy {policy.name}", format_duration(policy.open_longer_than)
    if policy.open_longer_than < AUTO_CLOSING:
        within = format_duration(AUTO_CLOSING)
        message = f"open_longer_than is {age}, but within {within} the vendor still closes rounds itself"
        return Finding(name, ok=True, message=message, warning=True)
    return Finding(name, ok=True, message=f"{policy.mode}, rounds open for {age}, at most {policy.max_rounds} of them")


def _schedule(policy: Policy, times: Sequence[datetime]) -> Finding:
    coming = ", ".join(f"{time:%a} {time.isoformat(' ', 'minutes')}" for time in times)
    within = f"within {format_duration(policy.catch_up)}" if policy.catch_up else None
    message = f"{coming}; a missed time is " + (f"made up for {within}" if within else "not made up for (no catch_up)")
    return Finding(f"schedule of policy {policy.name}", ok=True, message=message)


def _overlaps(settings: Settings) -> Iterator[Finding]:
    """Warn of policies whose rounds are partly the same: which of them gets those is a matter of who comes first."""
    if not settings.partners:
        return
    for one, other in combinations(settings.policies.values(), 2):
        if found := overlap(scope_of(settings, one), scope_of(settings, other)):
            message = f"{found}; the first to run takes them: exclude_markets or exclude_games keeps them apart"
            yield Finding(f"policies {one.name} and {other.name}", ok=True, message=message, warning=True)


def _unasked(partner: Partner) -> Finding:
    """Warn of a partner whose rounds are cancelled without a question: then only the ledger knows what is done."""
    probe, ask = not partner.status_probe, partner.ask_first is False
    keys = " and ".join(key for key, off in (("status_probe = true", probe), ("ask_first = true", ask)) if off)
    message = (
        "ask_first is off: a ledger that is restored from an older copy would cancel again all that it has forgotten;"
        f" set {keys}, if the vendor answers GetRoundStatus"
    )
    return Finding(f"partner {partner.name}", ok=True, message=message, warning=True)


def _said(code: str, words: str | None, redactor: Redactor) -> str:
    """What the vendor says. What may have been cut is left out: no redaction finds half of a secret at its end."""
    shown = f"error {redactor.own_words(code)}" if len(code) < CODE_LIMIT else "an error with a very long code"
    if not words:
        return shown
    long = "with a description too long to be shown safely"
    return f"{shown}, {redactor.text(words) if len(words) < WORDS_LIMIT else long}"


async def _database(
    settings: Settings, redact: Callable[[str], str], log: FilteringBoundLogger | None
) -> list[Finding]:
    secret = settings.database.dsn
    scopes = [(policy.name, scope_of(settings, policy)) for policy in settings.policies.values()]
    try:
        async with open_database(secret.reveal if secret else str, 1, log) as database:
            limits = {policy.name: policy.limits for policy in settings.policies.values()}
            findings = [await _clock(database, settings), *await check_database(database, scopes, limits)]
            if not all(finding.ok for finding in findings):
                return [*findings, *secret_findings(settings, ())]
            findings += [*await _pauses(database), *await check_names(database, scopes)]
            return [*findings, *secret_findings(settings, await sample_ids(database))]
    except RetentionError as error:
        message = str(error)
    except UNAVAILABLE as error:
        message = describe_unavailable(error)
    except psycopg.Error as error:
        message = f"the database refused a statement: {_first_line(error)}"
    return [Finding("database", ok=False, message=redact(message)), *secret_findings(settings, ())]


async def _clock(database: Database, settings: Settings) -> Finding:
    """Hold the database's clock against this process's: the policy with the least patience decides."""
    clocks, limit = Clocks(), settings.clock_limit()
    await clocks.read(database)
    problem = clocks.problem(limit)
    message = problem or f"the database's clock is {shift(clocks.difference)} this process's (limit {limit:.0f} s)"
    return Finding("clock", ok=problem is None, message=message)


async def _pauses(database: Database) -> list[Finding]:
    by_people = {
        one.partner or "all partners": person_pause(one.partner, one.paused_by, one.paused_at, one.reason)
        for one in await Pauses(database).list_pauses()
    }
    by_vendors = await Pauses(database).list_vendor_pauses(None)
    pauses = [*by_people.items(), *((partner, vendor_pause(partner, until)) for partner, until in by_vendors.items())]
    return [Finding(f"pause of {whom}", ok=True, message=words, warning=True) for whom, words in pauses]


async def _vendor(partner: Partner, redactor: Redactor, log: FilteringBoundLogger | None) -> Finding:
    seconds = partner.timeout.total_seconds()
    detail = f"waits for the vendor's answer (HealthCheck), for {seconds:.0f} s at the most"
    async with VendorClient(timeout=seconds) as client:
        with telling(log, "vendor.waiting", partner=partner.name, detail=detail):
            return await check_vendor(client, partner, redactor)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
