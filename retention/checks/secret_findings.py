"""Whether a secret is so short or so common that identifiers and amounts hold it. Neither of both is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.secret_echo import weakness
from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import BusyError
from retention.settings import rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retention.ledger.database import Database
    from retention.settings import Settings

SAMPLE = 2000
"""Rows of the operator's view, and of the ledger, whose identifiers are looked at."""

Place = tuple[str, str, str]
"""Relation, column and value."""


async def sample_ids(database: Database) -> Sequence[Place]:
    """Read identifiers and amounts, as far as the server finds them soon. Secrets are compared with them here."""
    try:
        async with database.transaction() as transaction:
            await transaction.rows("session/limit_statement_time")
            rows = await transaction.rows("checks/sample_values", limit=SAMPLE)
    except BusyError:
        return ()
    return [(row.relation, row.name, row.value) for row in rows]


def secret_findings(settings: Settings, places: Sequence[Place]) -> Iterator[Finding]:
    """Warn of each secret that chance writes, and of each that stands in what has been read."""
    for key, secret in _secrets(settings):
        where = sorted({f"{relation}.{column}" for relation, column, value in places if secret in value})
        problems = [problem for problem in (weakness(secret), where and f"occurs in {', '.join(where)}") if problem]
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
    if settings.database.dsn:
        for password in rules.passwords_in(settings.database.dsn.reveal()):
            yield "database.dsn (its password)", password
