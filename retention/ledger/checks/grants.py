"""What each role is to be granted, as sql/operator/roles.sql says it: that file is the only list there is."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from retention.ledger.queries import sql_root

ROLE = "retention_job"
"""Does the work."""

REPORT_ROLE = "retention_report"
"""Reads."""

_GRANT = re.compile(
    r"^GRANT (?P<privileges>[A-Z, ]+?)\s*(?:\((?P<columns>[^)]*)\))?"
    r"\s+ON (?P<relations>retention\.[^;]*?)\s+TO (?P<role>\w+);",
    re.MULTILINE,
)


class Grant(NamedTuple):
    """One privilege on one of our tables or the operator's view; without a column it is for the whole of it."""

    privilege: str
    relation: str
    column: str | None


@functools.cache
def grants(role: str = ROLE) -> tuple[Grant, ...]:
    """Every privilege of a role on tables and views, one for each column where it is granted by column."""
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
