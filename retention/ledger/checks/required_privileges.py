"""The privileges that a command requires: exactly those of its statements."""

from __future__ import annotations

import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from retention.ledger.checks.grants import ROLE, Grant, grants
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ARGUMENTS = "text[], text[], timestamp with time zone[], text[], numeric[], text[]"

FUNCTIONS = (
    f"close_rounds({ARGUMENTS})",
    "refuse_closing(text)",
    "seal_plan(uuid)",
    "approve_run(uuid, text, text, text)",
    "reject_run(uuid, text, text, text, text, text)",
    "begin_month()",
)
"""The functions that statements call, as PostgreSQL names them."""

SERVE = "serve"
"""The command that makes reports, besides runs."""

REPORT_MAKING = (
    "scheduled_reports/plan_reports",
    "scheduled_reports/claim_report",
    "scheduled_reports/extend_lease",
    "scheduled_reports/postpone_report",
    "scheduled_reports/fail_report",
    "scheduled_reports/finish_report",
)
"""The statements that `serve` alone runs: its reports."""

REPORT_NOTICES = ("scheduled_reports/list_reports_to_notify", "scheduled_reports/enqueue_report_notification")
"""The statements of the reports' notifications, which each process sends."""

_CLOSING = (
    "review/reclose_rounds",
    "review/find_open_rounds",
    "review/list_reclose_candidates",
    "review/record_reclosing",
    "archives/list_archives",
)

_VERIFYING = (
    "archives/list_archives",
    "audit/get_ledger_key",
    "audit/list_checkpoints",
    "audit/list_leaves",
    "audit/list_entry_bodies",
    "audit/find_odd_entries",
    "audit/compare_rows",
    "audit/find_unclaimed_attempts",
)

_DECIDING = ("runs/get_run", "approvals/expire_approvals", "plans/get_plan_totals")

STATEMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "plan": (
            "plans/preview_plan",
            "plans/list_doubled_rounds",
            "plans/preview_rounds",
            "plans/sum_compared_rounds",
            "plans/list_compared_rounds",
            "runs/get_run",
            "runs/find_runs_by_prefix",
            "runs/list_dry_runs",
            "runs/list_recent_plan_sizes",
            "pauses/list_pauses",
            "pauses/list_vendor_pauses",
        ),
        "explain": (
            "reports/get_open_round",
            "reports/list_round_cancellations",
            "reports/list_round_attempts",
            "reports/list_round_holds",
            "reports/get_round_key",
            "archives/list_archives",
        ),
        "find": ("reports/find_rounds", "reports/find_runs", "archives/list_archives", "archives/find_ids"),
        "report": (
            "runs/get_run",
            "reports/sum_report_totals",
            "reports/list_report_rounds",
            "reports/sum_promised_refunds",
            "reports/list_promised_refunds",
            "reports/sum_decisions",
            "reports/list_decisions",
            "reports/list_writers",
            "reports/get_report_span",
            "reports/count_report_groups",
            "reports/count_report_games",
            "reports/list_report_discrepancies",
            "reports/list_report_runs",
            "reports/list_report_holds",
            "reports/list_ledger_markets",
            "evidence/get_newest_checkpoint",
            "archives/list_archives",
        ),
        "report --kind pending": (
            "reports/sum_pending_rounds",
            "reports/list_pending_rounds",
            "reports/list_writers",
            "reports/list_ledger_markets",
            "evidence/get_newest_checkpoint",
            "archives/list_archives",
        ),
        "ledger status": (
            "storage/get_span",
            "storage/count_rounds",
            "storage/estimate_rounds",
            "storage/list_months",
            "archives/list_archives",
        ),
        "ledger archive": (
            "archives/list_partitions",
            "archives/list_unresolved",
            "archives/count_month",
            "archives/find_unfinished_runs",
            *_VERIFYING,
        ),
        "runs list": ("runs/list_runs",),
        "runs show": (
            "runs/get_run",
            "runs/count_run_rounds",
            "runs/count_run_review",
            "runs/sum_run_refunds",
            "runs/count_unsent_reasons",
            "reports/list_run_set",
            "reports/sum_plan_groups",
            "reports/list_largest_stakes",
            "reports/list_plan_holds",
            "reports/get_approved_run",
            "archives/list_archives",
            "pauses/list_pauses",
            "pauses/list_vendor_pauses",
            "evidence/get_newest_checkpoint",
        ),
        "runs close": ("runs/find_new_server", "runs/close_run"),
        "approve": (*_DECIDING, "approvals/approve_run"),
        "reject": (*_DECIDING, "runs/find_new_server", "approvals/reject_run"),
        "review list": ("review/list_review",),
        "review resolve": (
            "review/lock_resolvable",
            "review/resolve_cancellations",
            *_CLOSING,
        ),
        "review reclose": _CLOSING,
        "reconcile": (
            "archives/list_archives",
            "reconciliation/list_rounds",
            "reconciliation/compare_rounds",
            "reconciliation/insert_findings",
            "reconciliation/reserve_questions",
            "reconciliation/record_answers",
            "reconciliation/record_reconciliation",
            "plans/ensure_partners",
            "run_control/throttle_partner",
        ),
        "hold add": ("holds/add_hold",),
        "hold list": ("holds/list_holds",),
        "hold release": ("holds/release_hold",),
        "ledger pseudonymise": (
            "pseudonyms/replace_user_ids",
            "pseudonyms/count_kept_user_ids",
            "pseudonyms/find_user_mentions",
            "archives/list_archives",
        ),
        "audit export": (
            "runs/find_runs_by_prefix",
            "audit/get_ledger_key",
            "evidence/get_newest_checkpoint",
            "archives/list_archives",
            "audit/list_run_rows",
            "audit/list_leaf_hashes",
            "audit/list_run_leaves",
            "audit/list_run_entries",
        ),
        "audit verify": (*_VERIFYING, "audit/find_recorded_runs"),
        "pause": ("pauses/begin_pause",),
        "resume": ("pauses/list_pauses", "pauses/end_pause"),
    }
)
"""The statements of each command that needs fewer privileges than a run; optional statements are left out."""

CHECKPOINT = (
    "evidence/lock_checkpoints",
    "evidence/get_frontier",
    "evidence/place_entries",
    "evidence/insert_checkpoint",
    "evidence/get_newest_checkpoint",
)
"""The statements of the checkpoint that follows each decision."""

_COMMENT = re.compile(r"--[^\n]*|'retention\.\w+'::regclass")
"""The parts of a statement that need no privilege: comments, and names that are only turned into numbers."""

_NAME = re.compile(r"\bretention\.(\w+)")
_WRITE = re.compile(
    r"INSERT INTO retention\.(?P<into>\w+)(?:\s+AS\s+\w+)?\s*\((?P<columns>[^)]*)\)"
    r"|(?:(?<!DO )UPDATE retention\.(?P<table>\w+)(?:\s+\w+)?|DO UPDATE)\s+SET\b"
)
_TOKEN = re.compile(r"[(),]|'(?:[^']|'')*'|\w+")
_AFTER_SET = {"FROM", "WHERE", "RETURNING"}


@functools.cache
def required_privileges(command: str | None) -> tuple[tuple[Grant, ...], tuple[str, ...]]:
    """Return the privileges on tables and views, and the functions, that a command (None: a run) requires."""
    if command == SERVE:
        return grants(ROLE), FUNCTIONS
    if command is None:
        of_serve = _grants_of(REPORT_MAKING) - _grants_of(REPORT_NOTICES)
        return tuple(grant for grant in grants(ROLE) if grant not in of_serve), FUNCTIONS
    texts = _texts(statements_of(command))
    found = {Grant("SELECT", "schema_migrations", None), *_grants_of(statements_of(command))}
    named = {name for text in texts for name in _NAME.findall(text)}
    ours = grants(ROLE)  # keeps their order, and drops names that are no tables
    functions = tuple(function for function in FUNCTIONS if function.partition("(")[0] in named)
    return tuple(grant for grant in ours if grant in found), functions


def statements_of(command: str) -> tuple[str, ...]:
    """Return the statements of a command, with those of the checkpoint after a decision."""
    return STATEMENTS[command] + (CHECKPOINT if decides(command) else ())


@functools.cache
def decides(command: str) -> bool:
    """Whether a command is a person's decision: one of its statements writes evidence."""
    return any("INSERT INTO retention.evidence " in query(statement) for statement in STATEMENTS.get(command, ()))


def reads_view(command: str | None) -> bool:
    """Whether a command reads the operator's view."""
    return any(grant.relation == "open_rounds" for grant in required_privileges(command)[0])


def closes_rounds(command: str | None) -> bool:
    """Whether a command calls the operator's function."""
    return FUNCTIONS[0] in required_privileges(command)[1]


def _texts(statements: Sequence[str]) -> list[str]:
    return [_COMMENT.sub("", query(statement)) for statement in statements]


def _grants_of(statements: Sequence[str]) -> set[Grant]:
    return {grant for text in _texts(statements) for grant in _grants_in(text)}


def _grants_in(text: str) -> Iterator[Grant]:
    for name in _NAME.findall(text):
        yield Grant("SELECT", name, None)
    table = ""
    for write in _WRITE.finditer(text):
        table = write["into"] or write["table"] or table  # DO UPDATE changes the table of its INSERT
        if write["into"]:
            yield from (Grant("INSERT", table, column.strip()) for column in write["columns"].split(","))
        else:
            yield from (Grant("UPDATE", table, column) for column in _set_columns(text[write.end() :]))


def _set_columns(text: str) -> Iterator[str]:
    """Yield the columns that a SET assigns: the first word of each of its parts."""
    depth, begins = 0, True
    for sign in _TOKEN.findall(text):
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        if depth < 0 or (depth == 0 and sign in _AFTER_SET):
            return
        if depth == 0 and begins:
            yield sign
        begins = depth == 0 and sign == ","
