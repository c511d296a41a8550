"""A ledger with months that are long over: their rows have the ids, times and evidence that a run had left then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from support.database_clock import CLOCK
from support.evidence_writer import place_entries, record_rows

if TYPE_CHECKING:
    import psycopg

EARLIEST = "2020-01"
"""The month in which the ledger was upgraded: older ones are in the partitions of the time before."""

NAMES = UUID("99999999-9999-4999-8999-999999999999")

_RUN = """
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, as_of, requested_by, settings, status, halt_reason, started_at, finished_at)
VALUES (%(run)s, 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', %(status)s,
        CASE WHEN %(status)s = 'halted' THEN 'max_rounds' END, now(),
        CASE WHEN %(status)s = 'finished' THEN now() END)
"""

_ROUND = """
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, stake, stake_currency, bet_transaction_id, state,
     error_code, currency, amount, transaction_id, settled_at, attempts)
SELECT %(run)s, 'acme', 'MT', 'U-' || n, %(prefix)s || n, now() - interval '5 days', 1.1, 'EUR', 'bet-' || n,
       'cancelled', '0', 'EUR', 1.1, 'bet-' || n, now(), 1
FROM generate_series(1, %(rounds)s) AS n
"""

_REFUSED = """
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, stake, stake_currency, state, error_code, settled_at, attempts)
SELECT %(run)s, 'acme', 'MT', 'U-x', %(prefix)s || 'x' || n, now() - interval '5 days', 2, 'EUR', 'rejected', '99',
       now(), 1
FROM generate_series(1, %(refused)s) AS n
"""

_LATE = """
INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, stake, stake_currency)
SELECT %(run)s, 'acme', 'MT', 'U-l', %(prefix)s || 'late', now() - interval '5 days', 3, 'EUR'
WHERE %(late)s
"""

_LATE_SETTLED = """
UPDATE retention.cancellations
SET state = 'cancelled', settled_at = now(), attempts = 1, currency = 'EUR', amount = 3
WHERE state = 'planned'
"""

_ATTEMPTS = """
INSERT INTO retention.attempts
    (uuid, cancellation_id, run_id, kind, replica, claimed_at, sent_at, replied_at, http_status, error_code, outcome)
SELECT gen_random_uuid(), c.id, c.run_id, 'cancel', 'host-1', now(), now(), now(), 200, '0',
       CASE c.state WHEN 'cancelled' THEN 'cancelled' ELSE 'rejected' END
FROM retention.cancellations c
WHERE c.settled_at IS NOT NULL AND NOT EXISTS (SELECT FROM retention.attempts a WHERE a.cancellation_id = c.id)
"""

_PEOPLE = """
INSERT INTO retention.holds (user_id, reason, created_by, created_at, released_at, released_by)
VALUES ('U-1', 'complaint', 'ann', now(), now(), 'bob');
INSERT INTO retention.pauses (partner, reason, paused_by, paused_at, resumed_by, resumed_at)
VALUES ('acme', 'vendor down', 'ann', now(), 'bob', now());
"""


def run_of(month: str) -> UUID:
    """Return the run of a month such as 2026-01."""
    return uuid5(NAMES, month)


def fill_months(connection: psycopg.Connection[Any], *months: str, earliest: str = EARLIEST, **facts: Any) -> None:
    """Fill months, the oldest first, each as `fill_month` does; afterwards the ids are the present month's again.

    Months before the `earliest` are of the time before the ledger's months.
    """
    bound = int(earliest.replace("-", "")) * 10**10
    for root in ("cancellations", "attempts", "evidence"):  # as if the ledger had been upgraded before them all
        before = f"retention.{root}_before"
        connection.execute(f"ALTER TABLE retention.{root} DETACH PARTITION {before}".encode())
        attach = f"ALTER TABLE retention.{root} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({bound})"
        connection.execute(attach.encode())
    connection.execute(CLOCK.encode())
    for month in months:
        fill_month(connection, month, earliest=earliest, **facts)
        connection.commit()  # one transaction cannot lock the partitions of many years
    connection.execute("RESET search_path")
    connection.execute("DROP SCHEMA fake CASCADE")
    connection.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET search_path', current_database()); END $$")
    for sequence in ("cancellations_id_seq", "evidence_entry_id_seq"):
        connection.execute(
            "SELECT setval(%s, retention.first_id(date_trunc('month', now() AT TIME ZONE 'UTC')::date) + 1000)",
            [f"retention.{sequence}"],
        )
    connection.commit()


def fill_month(
    connection: psycopg.Connection[Any],
    month: str,
    *,
    earliest: str = EARLIEST,
    rounds: int = 3,
    refused: int = 0,
    late: bool = False,
    status: str = "finished",
    batch: int = 2,
) -> None:
    """Leave a run in the middle of a month, such as 2026-01, with entries for `batch` rows each.

    `refused` rounds need a person. A `late` one is settled in the month that is filled next.
    """
    first = f"{month}-01"
    connection.execute("SET search_path = pg_catalog, public")
    if month >= earliest:  # else it is of the time before
        connection.execute("SELECT retention.make_months(%s::date)", [first])
        _drop_empty(connection, month)
    for sequence in ("cancellations_id_seq", "evidence_entry_id_seq"):
        connection.execute("SELECT setval(%s, retention.first_id(%s::date) + 1)", [f"retention.{sequence}", first])
    connection.execute("UPDATE fake.clock SET off = %s::date + interval '14 days' - now()", [first])
    connection.execute("SET search_path = fake, pg_catalog, public")
    values = {
        "run": run_of(month),
        "prefix": f"{month}-",
        "rounds": rounds,
        "refused": refused,
        "late": late,
        "status": status,
    }
    connection.execute(_LATE_SETTLED.encode())
    connection.execute(_RUN.encode(), values)
    record_rows(connection, "planned")
    for statement in (_ROUND, _REFUSED, _LATE):
        connection.execute(statement.encode(), values)
    connection.execute(_ATTEMPTS.encode())
    connection.execute(_PEOPLE.encode())
    record_rows(connection, "settled", batch=batch)
    place_entries(connection)


def _drop_empty(connection: psycopg.Connection[Any], month: str) -> None:
    """Drop the partitions that were made for later months: each month of the tests has a run."""
    year, number = map(int, month.split("-"))
    for later in range(1, 4):
        after = year * 12 + number - 1 + later
        for root in ("cancellations", "attempts", "evidence"):
            connection.execute(f"DROP TABLE retention.{root}_{after // 12}_{after % 12 + 1:02}".encode())
