"""The check of secrets: one that identifiers and amounts contain by chance cannot be masked in them.

Neither a secret nor an identifier is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.secret_echo import why_weak
from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import BusyError
from retention.settings import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retention.ledger.database import Database
    from retention.settings.model import Settings

SAMPLE = 2000
"""Rows that are read, of the operator's view and of the ledger."""

Place = tuple[str, str, str]
"""Relation, column and value."""


async def sample_ids(database: Database) -> Sequence[Place]:
    """Read some identifiers and amounts; none where the server is too slow.

    They are compared here, so that no secret reaches the server.
    """
    try:
        async with database.transaction() as transaction:
            await transaction.rows("session/limit_statement_time")
            rows = await transaction.rows("checks/sample_values", limit=SAMPLE)
    except BusyError:
        return ()
    return [(row.relation, row.name, row.value) for row in rows]


def secret_findings(settings: Settings, places: Sequence[Place]) -> Iterator[Finding]:
    """Warn of each secret that occurs by chance, and of each that occurs in the sample."""
    for key, secret in _secrets(settings):
        where = sorted({f"{relation}.{column}" for relation, column, value in places if secret in value})
        problems = [problem for problem in (why_weak(secret), where and f"occurs in {', '.join(where)}") if problem]
        if problems:
            message = (
                f"{key} {' and '.join(problems)}; identifiers and amounts are never masked, so it can be read where"
                " they hold it: ask for a longer one"
            )
            yield Finding(f"secret {key}", ok=True, message=message, warning=True)


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, partner in settings.partners.items():
        yield f"partners.{name}.secure_login", partner.secure_login.reveal()
        yield f"partners.{name}.token", partner.token.reveal()
    for key, dsn in (("dsn", settings.database.dsn), ("read_dsn", settings.database.read_dsn)):
        for password in rules.passwords_in(dsn.reveal()) if dsn else ():
            yield f"database.{key} (its password)", password
