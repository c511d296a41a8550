"""What the operator's view says when it cannot be read: whose fault that is, and what the database said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from retention.core.plan import VIEW
from retention.errors import ViewError
from retention.ledger.database import AWAY

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSING = frozenset({"08", "25", "40", "53", "57"})
"""Classes of SQLSTATE that pass by themselves: connection, standby, serialization, resources, intervention."""

_LOCKED = "55P03"
"""The SQLSTATE of a lock that another session holds: the only one of its class that passes."""


@contextmanager
def reading_the_view() -> Iterator[None]:
    """Raise ViewError where a statement that reads the view is refused, by whatever stands behind the view."""
    try:
        yield
    except psycopg.Error as error:
        if is_passing(error):
            raise
        raise ViewError(refusal(error)) from error


def is_passing(error: psycopg.Error) -> bool:
    """Tell whether the same statement may succeed later, without a person's doing.

    The driver's class cannot tell: it calls a materialized view that was never filled operational.
    """
    if not (state := error.sqlstate):
        return isinstance(error, AWAY)
    return state[:2] in _PASSING or state == _LOCKED


def refusal(error: psycopg.Error) -> str:
    """Say which view, and what the database said of it."""
    said = error.diag.message_primary or (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{VIEW} cannot be read: {said}"
