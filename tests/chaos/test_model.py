"""The ledger and the decisions over it, against a vendor, a network and people who act in every possible way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.model.database import ModelDatabase
from support.model.gate_mutants import FUNCTIONS, WAITING, FunctionMutant, function_broken_by
from support.model.interleaving import interleave
from support.model.mutants import AT_ONCE, IDLE, MUTANTS, Idle, Mutant, broken_by
from support.model.runner import play

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 3
"""Of the short profile: the same histories each time. Among the first few, each quick mutant is found."""

EXAMPLES = [10, pytest.param(60, marks=pytest.mark.long)]
"""Histories."""

GATED_EXAMPLES = [6, pytest.param(24, marks=pytest.mark.long)]
"""Histories in which runs require approval."""

MUTANT_SEEDS = (SEED, 1, 6, 7, 8, 9)
"""Seeds that are played in turn until a mutant is found; the first one finds the quick mutants within a few histories."""

MUTANT_EXAMPLES = 100
"""Histories of each of these seeds."""

SCHEDULES = [10, pytest.param(40, marks=pytest.mark.long)]
"""Histories of transactions that overlap."""


@pytest.fixture
def db(direct_dsn: str) -> Iterator[ModelDatabase]:
    """Yield a database for histories."""
    with ModelDatabase(direct_dsn) as db:
        yield db


@pytest.mark.parametrize("examples", EXAMPLES)
def test_no_cancel_is_lost_or_doubled_under_any_fault(db: ModelDatabase, examples: int) -> None:
    """Requests and replies that are dropped, delayed, doubled and reordered between replicas that crash break no
    invariant.
    """
    evidence, tally = play(db, examples, seed=SEED)
    assert [] == evidence.violations, evidence.violations[0]
    assert evidence.tried >= examples
    assert "cancelled" in tally.states
    assert len(tally.states) >= 4


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, id=mutant.name, marks=() if mutant.quick else pytest.mark.long)
        for mutant in (*MUTANTS, *IDLE)
    ],
)
def test_a_broken_ledger_is_found(db: ModelDatabase, mutant: Mutant | Idle) -> None:
    """The model finds each mutant: a statement without one of its guards, or a method without effect."""
    with broken_by(mutant):
        played = (play(db, MUTANT_EXAMPLES, seed=seed, shorten=False)[0].violations for seed in MUTANT_SEEDS)
        found = next(filter(None, played), [])
    assert [True] == [mutant.invariant in story for story in found]


@pytest.mark.parametrize("examples", GATED_EXAMPLES)
def test_no_run_is_sent_without_the_approval_of_its_rows(db: ModelDatabase, examples: int) -> None:
    """Persons who approve, reject and change rows at any moment, and processes that start at any moment, break no
    invariant: a run that requires approval is sent by a good one alone, and keeps its rounds while it waits.
    """
    evidence, tally = play(db, examples, seed=SEED, gated=True)
    assert [] == evidence.violations, evidence.violations[0]
    assert evidence.tried >= examples
    assert "cancelled" in tally.states


@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, id=mutant.name, marks=() if mutant.quick else pytest.mark.long)
        for mutant in (*FUNCTIONS, WAITING)
    ],
)
def test_a_broken_gate_is_found(db: ModelDatabase, mutant: Mutant | FunctionMutant) -> None:
    """The model finds each mutant of the functions that guard approvals, and of the plans that respect them."""
    with broken_by(mutant) if isinstance(mutant, Mutant) else function_broken_by(db, mutant):
        played = (
            play(db, MUTANT_EXAMPLES, seed=seed, shorten=False, gated=True)[0].violations for seed in MUTANT_SEEDS
        )
        found = next(filter(None, played), [])
    assert [True] == [mutant.invariant in story for story in found]


@pytest.mark.parametrize("schedules", SCHEDULES)
def test_no_cancel_is_doubled_in_any_order_of_commits(db: ModelDatabase, schedules: int) -> None:
    """Replicas whose transactions overlap, in any order of beginnings and commits, break no invariant."""
    evidence = interleave(db, schedules, seed=SEED)
    assert [] == evidence.violations, evidence.violations[0]
    assert evidence.tried >= schedules


@pytest.mark.long
def test_a_claim_without_locks_is_found(db: ModelDatabase) -> None:
    """Only locks keep apart two replicas that claim in the midst of each other's statements."""
    with broken_by(AT_ONCE):
        evidence = interleave(db, 800, seed=SEED, shorten=False)
    assert [True] == [AT_ONCE.invariant in story for story in evidence.violations]
