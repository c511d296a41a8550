"""The operator's optional view `wallet_refunds`: whether it is there, and can be read."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from retention.errors import SchemaError
from retention.ledger.checks.readiness import wallet_findings
from retention.ledger.operator_view import reading_view

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from retention.ledger.database import Database, Transaction

WALLET = "retention.wallet_refunds"
"""The view, by its whole name."""


async def has_wallet(database: Database | Transaction) -> bool:
    """Whether the operator has a view of the wallet. Raises SchemaError for one that cannot be read."""
    found = wallet_findings(await database.rows("checks/describe_view", relation="wallet_refunds"))
    for finding in found:
        if not finding.ok:
            raise SchemaError(finding.message)
    return bool(found)


def reading_wallet(*, wanted: bool) -> AbstractContextManager[None]:
    """Raise ViewError if the view is wanted, and it or an object behind it refuses a statement."""
    return reading_view(WALLET) if wanted else nullcontext()
