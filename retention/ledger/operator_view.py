"""Errors of the operator's view: transient ones, and repairs for the others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from retention.core.model import VIEW
from retention.core.sending.database_errors import READ_ONLY, ErrorClass, error_class_of
from retention.errors import ViewError
from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading_view(view: str = VIEW) -> Iterator[None]:
    """Raise ViewError if the view, or an object behind it, refuses a statement."""
    try:
        yield
    except psycopg.Error as error:
        if is_transient(error):
            raise
        raise ViewError(describe_view_error(error, view)) from error


def is_transient(error: psycopg.Error) -> bool:
    """Tell whether the same statement may succeed later without a person's help.

    Only a FATAL error means that our own server goes away. An ERROR with the same SQLSTATE comes from the view, such as
    a foreign server that is away.
    """
    if isinstance(error, UNAVAILABLE) or not error.sqlstate:
        return True
    trouble = error_class_of(error.sqlstate, connected=True, writable=False)
    if trouble is ErrorClass.AWAY and error.sqlstate != READ_ONLY:
        return error.diag.severity_nonlocalized != "ERROR"
    return trouble is not ErrorClass.REFUSED


def describe_view_error(error: psycopg.Error, view: str = VIEW) -> str:
    """Describe the error of a view, and the GRANT that repairs missing privileges."""
    words = f"{view} cannot be read: {first_line(error)}"
    if not isinstance(error, psycopg.errors.InsufficientPrivilege):
        return words
    if f"view {view.rpartition('.')[2]}" in first_line(error):
        return f"{words}; GRANT SELECT ON {view} TO this role, or run sql/operator/roles.sql again"
    return f"{words}; grant SELECT to the view's owner, and leave security_invoker out"
