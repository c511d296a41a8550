"""Checks that a settlement can be written, and survives a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.ledger.checks.finding import Finding
from retention.ledger.close_rounds import try_close_rounds

if TYPE_CHECKING:
    from retention.ledger.database import Database


async def check_closing(database: Database) -> Finding:
    """Have the operator's function close no round, and roll back."""
    refusal = await try_close_rounds(database)
    return Finding("closing", ok=refusal is None, message=refusal or "retention.close_rounds takes an empty batch")


async def check_durability(database: Database) -> list[Finding]:
    """Warn if a crash of the server, or a standby's promotion, can lose committed rows."""
    row = await database.row("checks/get_durability")
    return durability_findings(row.fsync, row.full_page_writes, row.synchronous_commit, row.synchronous, row.standbys)


def durability_findings(
    fsync: str, full_page_writes: str, synchronous_commit: str, synchronous: str, standbys: int
) -> list[Finding]:
    """Judge the server's settings by checks/get_durability.sql; `standbys`: how many are connected."""
    off = [name for name, value in (("fsync", fsync), ("full_page_writes", full_page_writes)) if value == "off"]
    settings = f"fsync {fsync}, full_page_writes {full_page_writes}, synchronous_commit {synchronous_commit}"
    if synchronous_commit in {"off", "local"}:
        settings += " (claims, settlements and decisions raise it to on)"
    if off:
        lost = f"{settings}: a crash of its machine can lose what was written; set {' and '.join(off)} on"
        findings = [Finding("durability", ok=True, message=lost, warning=True)]
    else:
        findings = [Finding("durability", ok=True, message=settings)]
    if standbys and not synchronous:
        found = (
            "1 standby is connected, and it is not"
            if standbys == 1
            else f"{standbys} standbys are connected, and none is"
        )
        message = (
            f"{found} synchronous: if one is promoted, it may lack requests that have left; name one in"
            " synchronous_standby_names, and leave ask_first on"
        )
        findings.append(Finding("standbys", ok=True, message=message, warning=True))
    elif standbys:
        message = f"{standbys} connected; synchronous_standby_names is {synchronous}"
        findings.append(Finding("standbys", ok=True, message=message))
    return findings
