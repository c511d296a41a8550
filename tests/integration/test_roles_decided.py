"""The privileges of each role on each of our columns: all are decided here, and tried on a real server."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb
from support.bare_database import run, sample
from support.role_database import OF_THE_OWNER, guarded_database, logged_in, tried

from retention.ledger.queries import query, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED = "42501"

INSERTED_ONCE = {
    "runs": "run_id policy trigger mode scheduled_for as_of requested_by reason evidence settings send_until status halt_reason"
    " started_at finished_at ended_by_process unwritten_plan",
    "cancellations": "run_id partner market game_id user_id round_id opened_at stake stake_currency bet_transaction_id"
    " state settled_at detail tried_before last_activity_at",
    "attempts": "uuid cancellation_id run_id kind replica claimed_at",
    "other_transactions": "transaction_id cancellation_id",
    "holds": "partner market game_id user_id round_id reason created_by created_at until",
    "pauses": "partner reason paused_by paused_at",
    "partner_state": "partner kind",
    "rate_groups": "name",
    "schedules": "kind name schedule timezone processed_until",
    "reports": "report_id name scheduled_for status period period_start period_end settings recorded_by recorded_at due_at"
    " problem",
    "notifications": "notification_id event run_id report_id created_at body",
    "deliveries": "notification_id target due_at",
    "findings": "cancellation_id kind ledger vendor operator wallet",
    "evidence": "run_id replica kind body",
    "evidence_leaves": "leaf entry_id hash",
    "checkpoints": "size root signature frontier placed_before server",
}
"""Columns that the job may set when it inserts a row."""

UPDATED = {
    "runs": "status halt_reason overrides started_at finished_at heartbeat_until send_until halted_partners recent_replies paused"
    " paused_partners notified ended_by_process refused_closings unwritten_plan progressed_at stalled_at planned_rounds"
    " recent_replies_tried_before",
    "cancellations": "state error_code description currency amount transaction_id conflict detail settled_at attempts"
    " resolved_as resolved_by resolved_note resolved_at resolved_from attempt_uuid lease_until attempts_this_run probes_this_run due_at"
    " adopted_by_run may_have_taken_effect refusal_pending_probe needs_follow_up in_progress_at incomplete review user_id winnings",
    "attempts": "sent_at replied_at http_status error_code outcome detail",
    "holds": "released_at released_by user_id",
    "pauses": "resumed_by resumed_at",
    "partner_state": "next_slot paused_until rate rate_at server_started rate_group wanted_at wanted_rate share_until",
    "rate_groups": "begins step taken next_slot last_slot rate rate_at throttled_partner throttled_at",
    "schedules": "schedule timezone processed_until",
    "reports": "status replica tries due_at file file_sha256 rows totals checkpoint problem made_at notified",
    "deliveries": "tries due_at delivered_at last_error",
    "findings": "resolved_at",
}
"""Columns that the job may change in an existing row."""

NEVER = {
    "runs": "approved_by requested_login plan_digest approved_at approved_login approval_expires_at"
    " approval_used_at rejected_by rejected_at decision_note",
    "cancellations": "id holds_round may_need_review",
    "holds": "hold_id",
    "findings": "finding_id found_at",
    "pauses": "pause_id",
    "schema_migrations": "number name checksum applied_at",
    "ledger_key": "only_row origin inner_pad outer_pad kept_since",
    "evidence": "entry_id written_by",
    "checkpoints": "checkpoint_id at",
    "run_totals": "worked_by state partner block run_id aspect currency why writer rounds refunds",
    "plan_totals": "run_id currency rounds stake unjudged",
    "round_keys": "partner round_id held_by refused tried",
    "archives": "name month part first_id last_id kept entries files runs opened_from first_at last_at archived_by"
    " archived_at",
}
"""Columns that the job neither sets nor changes, beside those outside UPDATED."""

REPORTED = {
    "other_transactions",
    "schema_migrations",
    "runs",
    "cancellations",
    "attempts",
    "holds",
    "pauses",
    "partner_state",
    "rate_groups",
    "ledger_key",
    "evidence",
    "evidence_leaves",
    "checkpoints",
    "findings",
    "run_totals",
    "plan_totals",
    "round_keys",
    "archives",
}
"""The tables that the second role reads; it does nothing else."""

TABLES = sorted({*INSERTED_ONCE, *UPDATED, *NEVER})

NOW = datetime.now(UTC)
UUID = uuid.UUID(int=4711)

HARMLESS: dict[str, Any] = {
    "name": "daily",
    **dict.fromkeys(("file", "file_sha256", "rows", "totals", "checkpoint"), None),
    **{key: [NOW] for key in ("starts", "ends")},
    **{key: ["words"] for key in ("periods", "problems")},
    "report_id": UUID,
    "report_ids": [UUID],
    "counted": True,
    "first_id": 0,
    "pid": 0,
    "position": "0/0",
    **dict.fromkeys(("oid", "oids"), None),
    "schema": "words",
    "job": "words",
    "day_starts": [],
    "age_limits_s": [1, 2],
    "lowest": UUID,
    "highest": UUID,
    **dict.fromkeys(
        (
            "again",
            "resumed",
            "dry_run",
            "status_probe",
            "ask_first",
            "doubts_only",
            "leave_tried",
            "tried_only",
            "due_first",
            "progressed",
            "scheduled",
        ),
        False,
    ),
    **dict.fromkeys(("ended", "paused", "wait"), True),
    **dict.fromkeys(("partner", "policy", "target", "round_id", "market"), "acme"),
    **dict.fromkeys(("by", "reason", "text", "rail", "note", "why", "replica", "requested_by", "problem"), "a trial"),
    **dict.fromkeys(("game_id", "user_id", "body", "event", "relation", "arguments", "timezone", "schedule"), "words"),
    **dict.fromkeys(("as_of", "start", "end", "created_at", "scheduled_for", "now"), NOW),
    **dict.fromkeys(
        (
            "until",
            "close_error",
            "within",
            "deadline",
            "idle_longer_than",
            "max_rounds",
            "unwritten_plan",
            "halt_reason",
            "known_server",
            "awaited_server",
            "uuid",
            "signature",
        ),
        None,
    ),
    **dict.fromkeys(("run_id", "notification_id"), UUID),
    **{key: [UUID] for key in ("run_ids", "uuids", "but")},
    "words": ["new"],
    **dict.fromkeys(("id", "hold_id", "after", "above", "up_to"), 0),
    **dict.fromkeys(
        ("batch", "new", "limit", "max_attempts", "tries", "large", "shown", "longest", "rounds", "size", "server"), 1
    ),
    "root": "words",
    "placed_before": "1",
    "frontier": ["00"],
    **dict.fromkeys(
        (
            *(
                "rate",
                "question_rate",
                "spacing",
                "recovery",
                "horizon",
                *("group_rate", "tolerance", "regrowth", "excess", "wants_for", "together"),
                "head_start",
                "lease",
                "kept",
                "pause",
                "beat",
            ),
            *("patience", "back_off", "told_within", "longest_retry"),
        ),
        1.0,
    ),
    **{
        key: ["acme"]
        for key in (
            "partners",
            "targets",
            "markets",
            "games",
            "statuses",
            "halt_reasons",
            "outcomes",
            "policies",
            "dry_run_policies",
            "kinds",
            "paused_partners",
        )
    },
    **{key: ["R-1"] for key in ("round_ids", "privileges", "relations", "columns", "schemas", "names", "functions")},
    **{key: [] for key in ("exclude_markets", "exclude_games", "other_partners")},
    "ids": [0],
    "wanted": 1,
    **{key: ["words"] for key in ("ledger", "vendor", "operator", "wallet")},
    "max_runs": [3],
    "unreadable": [1],
    "later_kinds": ["resolved"],
    **dict.fromkeys(("first", "last"), 0),
    "begin": NOW,
    "before": NOW,
    "begun": NOW,
    "closed": "words",
    "resolutions": ["rejected"],
    "whys": ["conflict"],
    "as_states": ["rejected"],
    "notes": ["words"],
    "conflicts": [True],
    "details": ["words"],
    "lock_timeout": "5s",
    **{key: [1.0] for key in ("rates", "question_rates", "max_pauses")},
    "leases": [1.0],
    "times": [NOW],
    "open_longer_than": 3600.0,
    **dict.fromkeys(("settings", "facts"), Jsonb({})),
    "scopes": Jsonb([]),
    "came_back": "words",
    **dict.fromkeys(("replies", "claims"), "[]"),
    "kind": "cancel",
    "rate_group": "lm",
    "column": "user_id",
    **dict.fromkeys(("given", "folded", "punctuation"), "-"),
    "spellings": ["U-1"],
    "mode": "enforce",
    "trigger": "schedule",
    "status": "planned",
    "as_state": "rejected",
    "skip_details": "{}",
    "pseudonymise": True,
    **dict.fromkeys(
        (
            "digest",
            "detail",
            "dry_run_detail",
            "evidence",
            "unasked",
            "not_returned",
            "not_open",
            "no_target",
            "cut_short",
            "earlier",
        ),
        "words",
    ),
}
"""A value for each name that our statements know."""

OF_ONE_STATEMENT: dict[str, dict[str, Any]] = {
    "runs/insert_run": {"run_id": uuid.uuid4()},  # the other one is there already
    "schedules/register_schedule": {"kind": "report"},
    **{
        f"archives/{name}": {"kept": [0]}
        for name in ("count_month", "list_attempts", "list_cancellations", "list_remaining")
    },
    "scheduled_reports/plan_reports": {"statuses": ["missed"], "settings": Jsonb({})},
}
"""Values that a statement needs in place of the harmless ones."""

STATEMENTS = [name for name in statements() if name not in OF_THE_OWNER]

RUN = (
    "INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status)"
    f" VALUES ('{UUID}', 'acme', 'on_demand', 'enforce', now(), 'a trial', '{{}}', 'planned')"
)
"""The rows that some statements refer to."""

WALLET = (
    "CREATE VIEW retention.wallet_refunds AS SELECT NULL::text AS partner, NULL::text AS round_id,"
    " NULL::text AS currency, NULL::numeric AS amount, NULL::timestamptz AS refunded_at"
)
"""The optional view, which one statement reads."""


@pytest.fixture(scope="module")
def owned(postgres: str) -> Iterator[str]:
    with guarded_database(postgres) as dsn:
        run(dsn, WALLET, sample("roles"), RUN)
        yield dsn


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_job_runs_each_of_our_statements(owned: str, name: str) -> None:
    """Each file of sql/queries/ is not just explained but executed by the job's own login, and succeeds."""
    values = HARMLESS | OF_ONE_STATEMENT.get(name, {})
    with logged_in(owned, "retention_job") as connection:
        assert ("", "") == tried(connection, query(name), values=values)


def test_every_column_is_decided(owned: str) -> None:
    """Each of our tables and columns has a decision: a new one fails until it has one."""
    decided = {
        (table, column)
        for columns in (INSERTED_ONCE, UPDATED, NEVER)
        for table, names in columns.items()
        for column in names.split()
    }
    there = run(
        owned,
        "SELECT table_name::text, column_name::text FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_schema, table_name) WHERE table_schema = 'retention' AND table_type = 'BASE TABLE'"
        # A partition has no privileges of its own: nobody but its owner names it.
        " AND NOT (quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid IN"
        " (SELECT inhrelid FROM pg_inherits)",
    )
    assert decided == set(there)


@pytest.mark.parametrize("table", TABLES)
def test_the_job_writes_the_columns_that_it_has_to(owned: str, table: str) -> None:
    """An INSERT and an UPDATE of each single column is tried: granted ones work, and all others are refused."""
    columns = [row[0] for row in run(owned, _columns(table))]
    with logged_in(owned, "retention_job") as connection:
        inserted = {column: tried(connection, _insert(table, column))[0] for column in columns}
        updated = {column: tried(connection, _update(table, column))[0] for column in columns}

    assert _expected(columns, INSERTED_ONCE.get(table, "")) == inserted
    assert _expected(columns, UPDATED.get(table, "")) == updated


@pytest.mark.parametrize("table", TABLES)
def test_the_report_role_writes_no_column(owned: str, table: str) -> None:
    """The second role inserts and updates nothing at all, and reads the tables that reports are made from."""
    columns = [row[0] for row in run(owned, _columns(table))]
    with logged_in(owned, "retention_report") as connection:
        found = {
            tried(connection, statement)[0]
            for column in columns
            for statement in (_insert(table, column), _update(table, column))
        }
        read = tried(connection, f"SELECT FROM retention.{table}")[0]

    assert {REFUSED} == found
    assert ("" if table in REPORTED else REFUSED) == read


def _columns(table: str) -> str:
    """The columns that can be written at all: the server refuses a generated one to every role, despite any grant."""
    return (
        "SELECT column_name::text FROM information_schema.columns"
        f" WHERE table_schema = 'retention' AND table_name = '{table}' AND is_generated = 'NEVER'"
    )


def _insert(table: str, column: str) -> str:
    """Insert no row at all: the privilege is asked for all the same."""
    return f"INSERT INTO retention.{table} ({column}) OVERRIDING SYSTEM VALUE SELECT {column} FROM retention.{table} LIMIT 0"


def _update(table: str, column: str) -> str:
    return f"UPDATE retention.{table} SET {column} = DEFAULT WHERE false"


def _expected(columns: list[str], granted: str) -> dict[str, str]:
    return {column: "" if column in granted.split() else REFUSED for column in columns}
