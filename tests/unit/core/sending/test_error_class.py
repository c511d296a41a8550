"""Classes of database errors."""

from __future__ import annotations

import psycopg
import pytest

from retention.core.sending.database_errors import ErrorClass, ask_whether_connected, error_class_of

EXPECTED = {
    "away": ("08000", "08006", "25006", "25P03", "57P01", "57P02", "57P03", "57P05"),
    "busy": ("40001", "40003", "40P01", "55006", "55P03", "57014"),
    "short": ("53000", "53100", "53200", "53300", "58030"),
    "refused": ("22003", "23514", "28000", "40002", "42501", "42P01", "55000", "P0001", "XX000", "HV000", "RT001"),
}


@pytest.mark.parametrize(("trouble", "state"), [(kind, state) for kind, states in EXPECTED.items() for state in states])
def test_the_sqlstate_decides(trouble: str, state: str) -> None:
    """The SQLSTATE alone decides the class, unless the connection disproves it."""
    assert ErrorClass(trouble) is error_class_of(state, connected=True, writable=False)


@pytest.mark.parametrize("state", EXPECTED["away"])
def test_a_connection_that_answers_and_writes_is_not_away(state: str) -> None:
    """A function that raises the SQLSTATE of a lost server is refused, since the server answers."""
    assert ask_whether_connected(state)
    assert error_class_of(state, connected=True, writable=True) is ErrorClass.REFUSED


@pytest.mark.parametrize("state", [None, "55000", "40001", "53100", "P0001"])
def test_a_lost_connection_is_away(state: str | None) -> None:
    """Without a connection any error is away: the same statement may succeed over the next connection."""
    assert error_class_of(state, connected=False) is ErrorClass.AWAY


def test_an_error_without_a_sqlstate_is_ours() -> None:
    """An error without a SQLSTATE over a working connection is an error of this program."""
    assert ask_whether_connected(None)
    assert error_class_of(None, connected=True) is ErrorClass.OURS


def test_every_sqlstate_of_the_driver_has_a_class() -> None:
    """The operational errors of the driver spread over all classes, and each has one."""
    operational = [
        error
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.OperationalError) and error.sqlstate
    ]
    found = {error_class_of(error.sqlstate, connected=True, writable=False) for error in operational}
    assert {ErrorClass.AWAY, ErrorClass.BUSY, ErrorClass.SHORT, ErrorClass.REFUSED} == found
