"""The schema's functions of approvals, each without one of its guarantees: the model has to find every mutant."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.model.mutants import Mutant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.model.database import ModelDatabase


@dataclass(frozen=True, slots=True)
class FunctionMutant:
    """A change of one function of the schema: `old` becomes `new`. `invariant` and `quick` as in a Mutant."""

    name: str
    function: str
    old: str
    new: str
    invariant: str
    quick: bool = False


FUNCTIONS = (
    FunctionMutant(
        "the gate is open",
        "guard_start",
        "IF NOT retention.requires_approval(NEW.settings) THEN",
        "IF true THEN",
        "started, and ",
        quick=True,
    ),
    FunctionMutant(
        "the gate does not read the rows again",
        "guard_start",
        "OR retention.plan_digest(NEW.run_id) IS DISTINCT FROM NEW.plan_digest",
        "",
        "started, and its rows are not those that were planned",
    ),
    FunctionMutant(
        "the gate lets an expired approval pass",
        "guard_start",
        "(NEW.approval_expires_at > clock_timestamp()) IS NOT TRUE",
        "false",
        "started, and its approval had expired",
    ),
    FunctionMutant(
        "an approval does not read the rows again",
        "approve_run",
        "retention.plan_digest(of_run) IS DISTINCT FROM decided.plan_digest",
        "false",
        "was approved, and its rows are not those that were planned",
    ),
    FunctionMutant(
        "an approval may come too late",
        "decision_refused",
        "(run.approval_expires_at > clock_timestamp()) IS NOT TRUE",
        "false",
        "was approved, and its approval had expired",
    ),
    FunctionMutant(
        "a person approves what the same person asked for",
        "decision_refused",
        "retention.fold_name(by_name) = retention.fold_name(run.requested_by)",
        "false",
        "was approved, and ann had asked for it",
    ),
    FunctionMutant(
        "an approval may be of another set",
        "decision_refused",
        "NOT starts_with(run.plan_digest, digest)",
        "false",
        "was approved, and another set was meant",
    ),
    FunctionMutant(
        "a sealed plan takes rows",
        "guard_plan",
        "AND r.plan_digest IS NOT NULL",
        "AND false",
        "the job adds a row",
    ),
    FunctionMutant(
        "rows without an approval are adopted",
        "guard_adoption",
        "r.approval_used_at IS NULL",
        "false",
        "the job adopts the rows",
    ),
)

WAITING = Mutant(
    "the next plan takes the rounds of a run that waits",
    "plans/freeze_plan plans/supersede_rounds",
    (("(r.status = 'awaiting_approval' AND r.approval_expires_at > statement_timestamp())", "false"),),
    "which waits for its approval",
)
"""A fault of the plans, which only runs that wait show."""


@contextmanager
def function_broken_by(db: ModelDatabase, mutant: FunctionMutant) -> Iterator[None]:
    """Let the database have the changed function, until this ends."""
    (row,) = db.run(
        db.sql(
            "SELECT pg_get_functiondef(oid) AS text FROM pg_proc"
            " WHERE pronamespace = 'retention'::regnamespace AND proname = %(name)s",
            name=mutant.function,
        )
    )
    assert mutant.old in row.text, f"{mutant.function} does not say {mutant.old!r} any more"
    db.run(db.script(row.text.replace(mutant.old, mutant.new)))
    try:
        yield
    finally:
        db.run(db.script(row.text))
