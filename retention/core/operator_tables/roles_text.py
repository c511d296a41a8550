"""Writes roles.sql: the shipped roles, for the role that the configuration connects as."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.core.operator_tables.model import FileText
from retention.core.operator_tables.names import literal, quote

if TYPE_CHECKING:
    from retention.core.operator_tables.facts import Facts

JOB = "retention_job"


def roles_text(roles: str, facts: Facts) -> FileText:
    """Write the roles; `roles`: the text of sql/operator/roles.sql."""
    file, job = FileText("roles.sql"), facts.job_role
    text = roles.rstrip("\n")
    if job != JOB:
        text = text.replace(f"'{JOB}'", literal(job))
        text = re.sub(rf"\b{JOB}\b", lambda _: quote(job), text)
    file.add(*text.split("\n"))
    return file
