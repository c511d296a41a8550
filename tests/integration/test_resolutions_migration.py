"""A ledger with resolutions of before is migrated: what they were is found out, and nothing of it is lost from sight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo
from support.postgres import new_database

from retention.ledger.queries import sql_root

if TYPE_CHECKING:
    from psycopg import Connection

NUMBER = "0009"

RUN = (
    "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)"
    " VALUES ('00000000-0000-0000-0000-000000000001', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished', now())"
)
ROW = (
    "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts,"
    " resolved_as, resolved_by, resolved_note, resolved_at, holds_round, amount, conflict, detail)"
    " VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'MT', 'u', %(name)s, now(), 'resolved',"
    " CASE WHEN %(doubt)s THEN now() ELSE now() - interval '20 days' END, %(attempts)s, %(into)s, 'ann', 'x', now(),"
    " %(into)s IN ('cancelled', 'already_cancelled'), %(amount)s, %(conflict)s, %(detail)s) RETURNING id"
)
ATTEMPT = (
    "INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at, outcome)"
    " VALUES (gen_random_uuid(), %s, '00000000-0000-0000-0000-000000000001', 'status', 'h', now(), %s)"
)


def row(
    connection: Connection,
    name: str,
    into: str,
    *told: str,
    doubt: bool = False,
    attempts: int = 1,
    amount: int | None = None,
    conflict: bool = False,
    detail: str | None = None,
) -> None:
    """Add a row that somebody resolved, with what its requests were told."""
    values = {"name": name, "into": into, "doubt": doubt, "attempts": attempts, "amount": amount, "conflict": conflict}
    found = connection.execute(ROW, {**values, "detail": detail}).fetchone()
    assert found is not None
    for outcome in told:
        connection.execute(ATTEMPT, (found[0], outcome))


def test_resolutions_of_before_say_what_they_were(postgres: str) -> None:
    """What a row was is told by its requests; those resolved as cancelled are listed, as nobody has closed them."""
    files = sorted((sql_root() / "migrations").iterdir(), key=lambda file: file.name)
    with (
        new_database(postgres, "template0") as name,
        psycopg.connect(make_conninfo(postgres, dbname=name)) as connection,
    ):
        connection.execute("CREATE SCHEMA retention")
        for file in files:
            if file.name < NUMBER:
                connection.execute(file.read_bytes())
        connection.execute(RUN)
        row(connection, "doubt", "cancelled", "in_doubt", doubt=True)
        row(connection, "refused", "cancelled", "in_doubt", "rejected", detail="asked twice")
        row(connection, "conflict", "cancelled", amount=5, conflict=True)
        row(connection, "by a question", "already_cancelled", "already_cancelled")
        row(connection, "completed", "already_completed", "already_completed", attempts=0)
        row(connection, "wrong", "not_sent", "cancelled", conflict=True)
        row(connection, "unsent", "not_sent", attempts=0)
        connection.commit()
        for file in files:
            if file.name >= NUMBER:
                connection.execute(file.read_bytes())
        rows = connection.execute(
            "SELECT round_id, resolved_from, conflict, detail FROM retention.cancellations ORDER BY id"
        )
        found = {name: (before, conflict, detail) for name, before, conflict, detail in rows.fetchall()}
    open_still = "close_rounds: not called when the round was resolved"
    assert {
        "doubt": ("in_doubt", True, open_still),
        "refused": ("rejected", True, f"asked twice; {open_still}"),
        "conflict": ("cancelled", True, open_still),
        "by a question": ("already_cancelled", True, open_still),
        "completed": ("already_completed", False, None),
        "wrong": ("cancelled", False, None),
        "unsent": ("not_sent", False, None),
    } == found
