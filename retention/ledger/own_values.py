"""Values of the ledger that no statement can read: its owner can alter what no constraint covers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from retention.errors import SchemaError
from retention.ledger.database_errors import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading_own_values() -> Iterator[None]:
    """Raise SchemaError if a value of the ledger has not the form that the ledger gave it.

    Statements that read the operator's views as well have their own errors for these: put them inside.
    """
    try:
        yield
    except psycopg.DataError as error:
        raise SchemaError(
            f"the ledger has a value that retention did not write: {first_line(error)}; `retention audit verify` names"
            " altered rows and evidence"
        ) from error
