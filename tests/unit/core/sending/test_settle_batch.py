"""The next step of a batch of settlements that the database did not take."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from hypothesis import given
from hypothesis import strategies as st

from retention.core.sending.database_errors import ErrorClass
from retention.core.sending.settle_batch import NextWrite, SettleBatch, after_failure, one_per_round

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.model import Settlement


def batch(rounds: int, **values: object) -> SettleBatch:
    """A batch of so many rounds; only their number counts."""
    return SettleBatch(cast("Sequence[Settlement]", [*range(rounds)]), **values)  # type: ignore[arg-type]


@given(st.integers(2, 500), st.sets(st.integers(0, 499), max_size=5))
def test_only_the_refused_rounds_stand_alone(rounds: int, refused: set[int]) -> None:
    """However many rounds a function refuses, those alone are settled without it, and each round is written once."""
    work = [batch(rounds)]
    closed: list[int] = []
    left_open: list[int] = []
    while work:
        one = work.pop()
        numbers = [cast("int", item) for item in one.items]
        if one.close_error is None and refused.intersection(numbers):
            then = after_failure(one, ErrorClass.REFUSED, now=0.0, patience_s=600.0)
            if then is NextWrite.HALVE:
                work += one.halves()
            else:
                assert then is NextWrite.WITHOUT_CLOSING
                work.append(SettleBatch(one.items, close_error="no"))
        else:
            (closed if one.close_error is None else left_open).extend(numbers)
    assert sorted(refused.intersection(range(rounds))) == sorted(left_open)
    assert [*range(rounds)] == sorted(closed + left_open)


def test_a_row_that_the_ledger_cannot_take_is_given_up_alone() -> None:
    """A round that fails without the function too is the ledger's own trouble, and no other round's."""
    assert after_failure(batch(1, close_error="no"), ErrorClass.REFUSED, now=0.0, patience_s=600.0) is NextWrite.GIVE_UP
    assert after_failure(batch(2, close_error="no"), ErrorClass.REFUSED, now=0.0, patience_s=600.0) is NextWrite.HALVE


def test_a_blocked_settle_batch_is_retried_then_halved() -> None:
    """A busy batch is tried whole, then by halves; a single round waits until the patience is used up."""
    whole = batch(8)
    assert after_failure(whole, ErrorClass.BUSY, now=5.0, patience_s=600.0) is NextWrite.WAIT
    again = whole.waits(5.0, "locked")
    assert (1, 5.0, True) == (again.tries, again.busy_since, again.due > 5.0)
    assert after_failure(again, ErrorClass.BUSY, now=6.0, patience_s=600.0) is NextWrite.HALVE
    alone = batch(1, busy_since=5.0, tries=9)
    assert after_failure(alone, ErrorClass.BUSY, now=604.0, patience_s=600.0) is NextWrite.WAIT
    assert after_failure(alone, ErrorClass.BUSY, now=605.0, patience_s=600.0) is NextWrite.WITHOUT_CLOSING
    assert after_failure(alone, ErrorClass.BUSY, now=16.0, patience_s=10.0) is NextWrite.WITHOUT_CLOSING


def test_a_ledger_that_others_have_locked_is_waited_for() -> None:
    """Without the function a batch has no part to leave out: the reply waits until the function is back."""
    alone = batch(1, close_error="no", busy_since=0.0)
    assert after_failure(alone, ErrorClass.BUSY, now=9999.0, patience_s=10.0) is NextWrite.WAIT


def test_halves_of_a_batch_with_a_lost_commit_are_settled_again() -> None:
    """A batch that failed once may have been committed, and so may each part of it, however often it is halved."""
    part = batch(8).failed()
    for _ in range(3):
        assert NextWrite.HALVE is after_failure(part.waits(0.0, "locked"), ErrorClass.BUSY, now=1.0, patience_s=600.0)
        first, part = part.waits(0.0, "locked").halves()
        assert (True, True) == (first.again, part.again)


def test_a_round_that_comes_twice_is_settled_in_two_statements() -> None:
    """A late reply beside its successor's: one statement changes a row once, and the order stays."""
    items = [SimpleNamespace(claim=SimpleNamespace(cancellation_id=number)) for number in (1, 2, 1, 3, 1)]
    found = one_per_round(cast("Sequence[Settlement]", items))
    assert [[items[0], items[1]], [items[2], items[3]], [items[4]]] == found
