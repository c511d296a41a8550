"""The findings of `check` for a session whose settings this job cannot change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from retention.ledger.checks.session_settings import session_findings

GOOD: dict[str, Any] = {
    "role": "retention_job",
    "database": "operator",
    "standby": False,
    "read_only": False,
    "replication_role": "origin",
    "temp_file_limit": "-1",
    "temp_bytes": None,
    "search_path": '"$user", public',
    "led_astray": False,
    "others": [],
}

MENDS = {
    "a standby": ({"standby": True, "read_only": True}, "target_session_attrs=read-write"),
    "a session that only reads": (
        {"read_only": True},
        "ALTER ROLE retention_job IN DATABASE operator SET default_transaction_read_only = off",
    ),
    "triggers that do not fire": (
        {"replication_role": "replica"},
        "ALTER ROLE retention_job IN DATABASE operator SET session_replication_role = origin",
    ),
    "what was set and did not take": (
        {"others": ["statement_timeout = 500ms"]},
        (
            "statement_timeout = 500ms, which this job could not change: "
            "ALTER ROLE retention_job IN DATABASE operator RESET statement_timeout"
        ),
    ),
}

DOUBTS = {
    "little room on disk": ({"temp_file_limit": "1MB", "temp_bytes": 2**20}, "temp_file_limit is 1MB"),
    "others' functions before the server's": (
        {"search_path": "public, pg_catalog", "led_astray": True},
        "search_path is public, pg_catalog",
    ),
}


@pytest.mark.parametrize("pooled", [False, True])
def test_check_reports_good_session_settings_in_one_line(pooled: bool) -> None:
    """Where everything took, one line says so, and whether for sessions or for transactions."""
    (found,) = session_findings(SimpleNamespace(**GOOD), pooled=pooled)
    assert (True, False, pooled) == (found.ok, found.warning, "pooler" in found.message)


@pytest.mark.parametrize(("changed", "mend"), MENDS.values(), ids=MENDS)
def test_a_harmful_session_setting_fails_check_with_its_mend(changed: dict[str, Any], mend: str) -> None:
    """A setting that would change the behaviour of statements fails the check, and the operator's statement is
    named.
    """
    (found,) = session_findings(SimpleNamespace(**GOOD | changed), pooled=False)
    assert not found.ok
    assert mend in found.message


@pytest.mark.parametrize(("changed", "words"), DOUBTS.values(), ids=DOUBTS)
def test_a_risky_session_setting_is_a_warning(changed: dict[str, Any], words: str) -> None:
    """A setting that stops only some is a warning, with its value."""
    (found,) = session_findings(SimpleNamespace(**GOOD | changed), pooled=False)
    assert (True, True) == (found.ok, found.warning)
    assert words in found.message
