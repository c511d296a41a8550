"""The ledger and the decisions over it, against a vendor, a network and people who do whatever they can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.model.house import House
from support.model.mutants import MUTANTS, Mutant, broken_by
from support.model.play import play

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 60


@pytest.fixture
def house(direct_dsn: str) -> Iterator[House]:
    """Yield a database for histories."""
    with House(direct_dsn) as house:
        yield house


def test_whatever_happens_nothing_is_lost_or_doubled(house: House) -> None:
    """Requests and replies that are dropped, delayed, doubled and reordered between replicas that crash break no promise."""
    evidence, tally = play(house, EXAMPLES)
    assert [] == evidence.violations, evidence.violations[0]
    assert evidence.tried >= EXAMPLES
    assert {"cancelled", "already_cancelled", "already_completed", "no_longer_open", "held"} <= tally.states.keys()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_ledger_is_found(house: House, mutant: Mutant) -> None:
    """A statement of which one promise is taken out breaks it before the model's eyes."""
    with broken_by(mutant):
        evidence, _ = play(house, EXAMPLES, shorten=False)
    assert [True] == [mutant.promise in story for story in evidence.violations]
