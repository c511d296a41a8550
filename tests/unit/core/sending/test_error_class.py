"""Whose fault a database's error is."""

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
    """Where the connection says nothing against it, the SQLSTATE alone tells what the next try would do."""
    assert ErrorClass(trouble) is error_class_of(state, connected=True, writable=False)


@pytest.mark.parametrize("state", EXPECTED["away"])
def test_a_connection_that_answers_and_writes_is_not_away(state: str) -> None:
    """A function that borrows the SQLSTATE of a lost server refuses, as the server is there."""
    assert ask_whether_connected(state)
    assert error_class_of(state, connected=True, writable=True) is ErrorClass.REFUSED


@pytest.mark.parametrize("state", [None, "55000", "40001", "53100", "P0001"])
def test_a_lost_connection_is_away_whatever_was_said(state: str | None) -> None:
    """Without a connection nothing else counts: the same statement may succeed over the next one."""
    assert error_class_of(state, connected=False) is ErrorClass.AWAY


def test_what_the_client_could_not_ask_is_ours() -> None:
    """An error without a SQLSTATE, over a connection that answers, is this program's own."""
    assert ask_whether_connected(None)
    assert error_class_of(None, connected=True) is ErrorClass.OURS


def test_every_sqlstate_has_an_answer_that_no_class_of_the_driver_decides() -> None:
    """Of all errors that the driver knows, the operational ones are spread over the table, and none is left out."""
    operational = [
        error
        for error in vars(psycopg.errors).values()
        if isinstance(error, type) and issubclass(error, psycopg.OperationalError) and error.sqlstate
    ]
    found = {error_class_of(error.sqlstate, connected=True, writable=False) for error in operational}
    assert {ErrorClass.AWAY, ErrorClass.BUSY, ErrorClass.SHORT, ErrorClass.REFUSED} == found
