"""The privileges of each role, read from sql/operator/roles.sql, which is their only list."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from retention.ledger.queries import sql_root

ROLE = "retention_job"
"""The role that plans, runs and settles."""

REPORT_ROLE = "retention_report"
"""The role that only reads."""

_GRANT = re.compile(
    r"^GRANT (?P<privileges>[A-Z, ]+?)\s*(?:\((?P<columns>[^)]*)\))?"
    r"\s+ON (?P<relations>retention\.[^;]*?)\s+TO (?P<role>\w+);",
    re.MULTILINE,
)


class Grant(NamedTuple):
    """One privilege on a table of ours or on the operator's view; without `column` it covers all columns."""

    privilege: str
    relation: str
    column: str | None


@functools.cache
def grants(role: str = ROLE) -> tuple[Grant, ...]:
    """List a role's privileges on tables and views, one per column for column grants."""
    text = (sql_root() / "operator" / "roles.sql").read_text("utf-8")
    return tuple(
        Grant(privilege, relation.removeprefix("retention."), column)
        for grant in _GRANT.finditer(text)
        if grant["role"] == role
        for relation in _words(grant["relations"])
        for privilege in _words(grant["privileges"])
        for column in _words(grant["columns"]) or (None,)
    )


def _words(listed: str | None) -> list[str]:
    return [word.strip() for word in listed.split(",")] if listed else []
