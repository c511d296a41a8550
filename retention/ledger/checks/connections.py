"""Checks that all processes of a command can have their database connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.text import counted
from retention.ledger.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class ConnectionNeeds:
    """The processes of one command. `per_process`: connections of each at most, by the name of the command."""

    processes: int
    per_process: Mapping[str, int]


async def check_connections(database: Database, needs: ConnectionNeeds) -> Finding:
    """Check that so many processes have room."""
    return connection_finding(await database.row("checks/get_connection_limits"), needs)


def connection_finding(found: Any, asked: ConnectionNeeds) -> Finding:
    """Judge the limits of checks/get_connection_limits.sql; this check's own connection is one of the open ones."""
    limits = {
        f"the server (max_connections {found.server_limit}, {found.reserved} of them reserved)": (
            found.server_limit - found.reserved,
            found.server_open,
        ),
        "the database (its CONNECTION LIMIT)": (found.database_limit, found.database_open),
        "the role (its CONNECTION LIMIT)": (found.role_limit, found.role_open),
    }
    free, where = min((limit - (used - 1), name) for name, (limit, used) in limits.items() if limit >= 0)
    needs = {name: asked.processes * each for name, each in asked.per_process.items()}
    take = ", ".join(f"`{name}` up to {number}" for name, number in needs.items())
    processes = counted(asked.processes, "process", "processes")
    message = f"of {processes}, {take} connections; {where} has {free} left"
    short = [name for name, number in needs.items() if number > free]
    if short:
        message += f", too few for `{'` and `'.join(short)}`; raise that limit, or take fewer processes"
    return Finding("connections", ok=True, message=message, warning=bool(short))
