"""Looks up the names and run ids of a command line in configuration, ledger and view, before the command acts.

A name that matches nothing would hold, spare and report nothing, and look like success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from retention.core.name_matching import NameKind, did_you_mean, known_names_text, list_names
from retention.core.text import time_text
from retention.errors import UsageError
from retention.process.this_process import report

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from retention.core.evidence.archives import ArchivedMonth
    from retention.core.runs.run_ids import GivenRunId
    from retention.settings.model import Settings
    from retention.wiring.services import Services


def require_partner(settings: Settings, partner: str | None) -> None:
    """Raise UsageError for a partner that is not configured: a hold or pause of it would have no effect."""
    has = list(settings.partners)
    if partner is not None and partner not in has:
        raise UsageError(
            f"--partner {partner}: not in the configuration, which has {list_names(has)}{did_you_mean(partner, has)}"
        )


async def require_known(services: Services, option: str, kind: NameKind, given: Collection[str]) -> None:
    """Raise UsageError for a name that configuration, ledger and view all lack, and list the names that they have.

    A view that does not answer in time leads to a warning instead.
    """
    from retention.ledger.names import KnownNames
    from retention.runs.scope import configured_names

    configured = configured_names(services.settings, kind)
    strangers = [name for name in given if name not in configured]
    if not strangers:
        return
    found = await KnownNames(services.database).find_names(kind, strangers)
    strange = next((name for name in strangers if name not in found.names), None)
    if strange is None:
        return
    if not found.certain:
        warn(services, f"{option} {strange}: whether there is such a {kind} was not found out{found.why_not}")
        return
    known = configured | (await KnownNames(services.database).list_names(kind)).names
    where = "the configuration and the ledger" if kind is NameKind.POLICY else "configuration, ledger and open rounds"
    raise UsageError(f"{option} {strange}: unknown to {where}; {known_names_text(strange, known)}")


async def known_run(services: Services, given: GivenRunId) -> UUID:
    """Find the run that a run id, or its first digits, means. Raises UsageError unless exactly one run matches."""
    rows = await services.run_ledger.find_runs_by_prefix(given)
    if not rows:
        raise UsageError(f"there is no run {given}; `retention runs list` shows the newest")
    if len(rows) > 1:
        matches = "".join(f"\n  {row.run_id}  {row.policy}, as of {time_text(row.as_of)}" for row in rows)
        raise UsageError(f"run {given} fits more than one run; write more of its digits:{matches}")
    run_id: UUID = rows[0].run_id
    return run_id


async def recorded_run(services: Services, given: GivenRunId) -> UUID:
    """Find a run as `known_run` does, also one that the ledger has lost and its evidence knows. Raises UsageError."""
    values = {"lowest": given.lowest, "highest": given.highest}
    rows = await services.database.rows("audit/find_recorded_runs", **values)
    if len(rows) != 1:
        return await known_run(services, given)
    run_id: UUID = rows[0].run_id
    return run_id


async def warn_of_no_match(services: Services, fields: Mapping[str, str | None]) -> None:
    """Warn that a hold matches no open round, and suggest other spellings of its names."""
    from retention.ledger.names import KnownNames

    names, hints = KnownNames(services.database), []
    kinds = {"partner": NameKind.PARTNER, "market": NameKind.MARKET, "game_id": NameKind.GAME}
    for column, kind in kinds.items():
        if (given := fields[column]) is None:
            continue
        found = await names.find_names(kind, [given])
        if given not in found.names and found.certain:
            known = (await names.list_names(kind)).names
            hints.append(f"{kind} {given} has never been seen; {known_names_text(given, known)}")
    ids: tuple[Literal["user_id", "round_id"], ...] = ("user_id", "round_id")
    for column in ids:
        if (given := fields[column]) is None:
            continue
        others = await names.find_similar_ids(column, given)
        if others is None:
            hints.append(f"whether {given} is known in another spelling was not found out{names.why_not}")
        elif others:
            hints.append(f"{column} {given} is known in another spelling: did you mean {' or '.join(others)}?")
    warn(services, "; ".join(["the hold matches no round that is open now", *hints]))


def warn_of_archived(services: Services, archived: Iterable[ArchivedMonth]) -> None:
    """Warn that a part of the answer is archived, and name its files."""
    for one in archived:
        warn(services, f"not whole: {one.month} is archived, in {', '.join(one.files)}")


def warn(services: Services, text: str) -> None:
    """Warn on stderr, without secrets."""
    from retention.core.text import printable_lines

    report(f"warning: {printable_lines(services.redactor.text(text))}")
