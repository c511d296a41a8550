"""Whether the processes of a command get their connections."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from retention.ledger.checks.connections import ConnectionNeeds, connection_finding

ROOMY = {
    "server_limit": 100,
    "reserved": 3,
    "database_limit": -1,
    "role_limit": -1,
    "server_open": 8,
    "database_open": 5,
    "role_open": 1,
}
SERVER = "the server (max_connections 100, 3 of them reserved)"
MEND = "; raise that limit, or take fewer processes"

CASES = {
    "room": ({}, 2, f"of 2 processes, `run` up to 12, `serve` up to 20 connections; {SERVER} has 90 left"),
    "one": ({}, 1, f"of 1 process, `run` up to 6, `serve` up to 10 connections; {SERVER} has 90 left"),
    "many": (
        {},
        12,
        f"of 12 processes, `run` up to 72, `serve` up to 120 connections; {SERVER} has 90 left, too few for `serve`{MEND}",
    ),
    "role": (
        {"role_limit": 10},
        2,
        (
            "of 2 processes, `run` up to 12, `serve` up to 20 connections; the role (its CONNECTION LIMIT) has 10 left,"
            f" too few for `run` and `serve`{MEND}"
        ),
    ),
    "exactly": (
        {"database_limit": 24},
        2,
        "of 2 processes, `run` up to 12, `serve` up to 20 connections; the database (its CONNECTION LIMIT) has 20 left",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_narrowest_limit_counts_for_all_processes(case: str) -> None:
    """The limit with the least room is named, and a warning where a command's processes need more than that."""
    given, processes, message = CASES[case]
    found = connection_finding(
        SimpleNamespace(**{**ROOMY, **given}), ConnectionNeeds(processes, {"run": 6, "serve": 10})
    )
    assert (True, "too few" in message, message) == (found.ok, found.warning, found.message)
