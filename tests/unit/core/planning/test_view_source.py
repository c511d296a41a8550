"""A replica is compared with its primary, and its lag worded, as pure functions of both descriptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retention.core.planning.view_source import (
    LARGE_LAG_S,
    PrimaryState,
    ReplicaState,
    ViewSource,
    primary_problem,
    replica_problem,
    view_moment,
)

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)
PRIMARY = PrimaryState(7, 1, "0/1000", 16384, "operator", "retention_job", may_copy=True)
REPLICA = ReplicaState(7, True, 1, 16384, "operator", True, True, NOW - timedelta(days=2))


def test_a_replica_of_this_primary_serves() -> None:
    """A standby of the same cluster, timeline and database, with the view, has no problem."""
    assert (None, None) == (primary_problem(PRIMARY), replica_problem(PRIMARY, REPLICA))


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ({"cluster": 8}, "another cluster"),
        ({"standby": False}, "the primary itself, or a copy of it"),
        ({"standby": False, "timeline": 2}, "has been promoted: it accepts writes, on timeline 2"),
        ({"timeline": 2}, "follows timeline 2, and the primary is on 1"),
        ({"database_id": 5, "database": "postgres"}, "names the database postgres, and dsn operator"),
        ({"has_view": False}, "has no view retention.open_rounds yet"),
    ],
)
def test_each_difference_is_named(difference: dict[str, object], words: str) -> None:
    """Each way in which a server is no replica to read on has words of its own."""
    assert words in str(replica_problem(PRIMARY, replace(REPLICA, **difference)))  # type: ignore[arg-type]


def test_the_primary_has_to_be_one() -> None:
    """A standby in `dsn`, and a role without temporary tables, are named with their mend."""
    assert "name the primary in database.dsn" in str(primary_problem(replace(PRIMARY, timeline=None)))
    assert "GRANT TEMPORARY ON DATABASE operator TO retention_job" in str(
        primary_problem(replace(PRIMARY, may_copy=False))
    )


def test_an_idle_primary_is_no_lag() -> None:
    """A replica that has replayed everything knows the view up to now, however old the last commit is."""
    assert NOW == view_moment(REPLICA, NOW)


def test_a_late_replica_knows_the_view_up_to_its_last_commit() -> None:
    """A replica that is behind knows the view up to the last commit that it has replayed, and never beyond the plan."""
    late = replace(REPLICA, caught_up=False)
    assert NOW - timedelta(days=2) == view_moment(late, NOW)
    assert NOW == view_moment(replace(late, replayed_at=NOW + timedelta(seconds=1)), NOW)
    assert None is view_moment(replace(late, replayed_at=None), NOW)


def test_a_large_lag_is_doubtful() -> None:
    """People are told from 10 s on, and wherever the replica was of no use."""
    assert [False, False, True, True] == [
        one.doubtful
        for one in (
            ViewSource(),
            ViewSource(LARGE_LAG_S - 0.1),
            ViewSource(LARGE_LAG_S),
            ViewSource(why_primary="it is away"),
        )
    ]
    assert "at most 12.3 s behind the primary" in str(ViewSource(12.34))
