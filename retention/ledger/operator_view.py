"""What the operator's view says when it cannot be read: whose fault that is, and what the database said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from retention.core.planning.plan import VIEW
from retention.core.sending.database_errors import READ_ONLY, ErrorClass, error_class_of
from retention.errors import ViewError
from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading_view() -> Iterator[None]:
    """Raise ViewError where a statement that reads the view is refused, by whatever stands behind the view."""
    try:
        yield
    except psycopg.Error as error:
        if is_transient(error):
            raise
        raise ViewError(describe_view_error(error)) from error


def is_transient(error: psycopg.Error) -> bool:
    """Tell whether the same statement may succeed later, without a person's doing.

    A server that goes away says so as FATAL. What the view raises with the same SQLSTATE, as a foreign server
    that is away does, is the view's own.
    """
    if isinstance(error, UNAVAILABLE) or not error.sqlstate:
        return True
    trouble = error_class_of(error.sqlstate, connected=True, writable=False)
    if trouble is ErrorClass.AWAY and error.sqlstate != READ_ONLY:
        return error.diag.severity_nonlocalized != "ERROR"
    return trouble is not ErrorClass.REFUSED


def describe_view_error(error: psycopg.Error) -> str:
    """Say which view, what the database said of it, and what mends a want of privileges."""
    words = f"{VIEW} cannot be read: {first_line(error)}"
    if not isinstance(error, psycopg.errors.InsufficientPrivilege):
        return words
    if f"view {VIEW.rpartition('.')[2]}" in first_line(error):
        return f"{words}; GRANT SELECT ON {VIEW} TO this role, or run sql/operator/roles.sql again"
    return f"{words}; grant SELECT to the view's owner, and leave security_invoker out"
