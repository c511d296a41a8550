"""The finding of `check` for a Pgpool-II between this process and the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.ledger.checks.pgpool import pgpool_finding

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAMING = {
    "backend_clustering_mode": "streaming_replication",
    "load_balance_mode": "on",
    "memory_cache_enabled": "off",
}

GOOD: Mapping[str, Mapping[str, str]] = {
    "no balancing": {"load_balance_mode": "off"},
    "one server": {"backend_clustering_mode": "raw", "load_balance_mode": "off"},
    "the job goes to the primary": {"app_name_redirect_preference_list": "psql:standby,retention:primary"},
    "all programs go to the primary": {"app_name_redirect_preference_list": ".*:primary(1.0)"},
    "the database goes to the primary": {"database_redirect_preference_list": "operator:primary"},
}

BAD: Mapping[str, tuple[Mapping[str, str], str]] = {
    "balancing": ({}, "set app_name_redirect_preference_list = 'retention:primary', or load_balance_mode = off"),
    "the job goes to a standby first": (
        {"app_name_redirect_preference_list": "ret.*:standby,retention:primary"},
        "load_balance_mode is on",
    ),
    "half of it": ({"app_name_redirect_preference_list": "retention:primary(0.5)"}, "load_balance_mode is on"),
    "another database": ({"database_redirect_preference_list": "other:primary"}, "load_balance_mode is on"),
    "a broken pattern": ({"app_name_redirect_preference_list": "(:primary"}, "load_balance_mode is on"),
    "each server": ({"backend_clustering_mode": "native_replication"}, "each server computes ids and times for itself"),
    "balancing by statement": (
        {"load_balance_mode": "off", "statement_level_load_balance": "on"},
        "statement_level_load_balance is on",
    ),
    "old answers": ({"load_balance_mode": "off", "memory_cache_enabled": "on"}, "set it to off"),
}


@pytest.mark.parametrize("changed", GOOD.values(), ids=GOOD)
def test_a_pgpool_that_sends_the_job_to_the_primary_passes(changed: Mapping[str, str]) -> None:
    """Where each statement of the job reaches the primary, `check` passes."""
    assert pgpool_finding({**STREAMING, **changed}, "operator").ok


@pytest.mark.parametrize(("changed", "mend"), BAD.values(), ids=BAD)
def test_a_pgpool_that_may_ask_another_server_fails_check(changed: Mapping[str, str], mend: str) -> None:
    """Where a replica or a cache may answer, `check` fails and names the setting."""
    found = pgpool_finding({**STREAMING, **changed}, "operator")
    assert not found.ok
    assert mend in found.message
