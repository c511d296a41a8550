"""The checker finds each broken invariant, in a history that breaks one alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support.history import Attempt, Cancellation, History, Kept, Run
from support.invariants import INVARIANTS, broken
from support.losses import Lost
from support.review_causes import causes
from support.true_times import TrueTimes

from retention.simulator.rounds import Request, Round, RoundStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
RUN = UUID(int=1)
PLAIN, RESENT, LOST, OPEN = "plain", "resent", "lost", "open"
IDS = {PLAIN: 1, RESENT: 2, LOST: 3, OPEN: 4}


def _uuid(number: int) -> str:
    """The uuid of the request and of the attempt of this number."""
    return str(UUID(int=number))


def at(seconds: float) -> datetime:
    """A moment of the history."""
    return START + timedelta(seconds=seconds)


def attempt(number: int, row: str, kind: str, when: float, outcome: str | None) -> Attempt:
    """One attempt, sent a tenth of a second after its claim and replied to after another one."""
    replied = None if outcome == "in_doubt" else at(when + 0.2)
    return Attempt(UUID(int=number), IDS[row], kind, at(when), at(when + 0.1), replied, outcome)


def request(number: int, row: str, call: str, when: float, **more: Any) -> Request:
    """One request, which arrived when it was sent, and was answered in 50 ms."""
    times = {"at": at(when + 0.1), "arrived_at": when + 0.1, "finished_at": when + 0.15}
    ids = {"call": call, "secure_login": "acme", "round_id": row, "user_id": "u", "game_id": "g"}
    return Request(n=number, uuid=str(UUID(int=number)), answer="replied", **{**times, **ids, **more})


def cancellation(row: str, uuid: int, settled: float, *, attempts: int = 1, told: bool = True) -> Cancellation:
    """A round that was cancelled; `told` says whether the refund came with it."""
    return Cancellation(
        id=IDS[row],
        run_id=RUN,
        adopted_by_run=None,
        round_id=row,
        state="cancelled",
        attempts=attempts,
        attempt_uuid=UUID(int=uuid),
        settled_at=at(settled),
        conflict=False,
        amount=Decimal("1.50") if told else None,
        currency="EUR" if told else None,
        transaction_id=f"bet-{row}" if told else None,
        stake=Decimal("1.50"),
        stake_currency="EUR",
        bet_transaction_id=f"bet-{row}",
        detail=None,
    )


def truth(row: str, status: RoundStatus = RoundStatus.CANCELED) -> Round:
    """A round at the vendor's, cancelled once unless something else is said."""
    times = int(status is RoundStatus.CANCELED)
    return Round("acme", row, status=status, amount=Decimal("1.50"), cancelled_times=times)


def kept(row: str, settled: float | None, refund: str | None = "1.50") -> Kept:
    """A round at the operator's, closed if there is a moment for that."""
    refunded = Decimal(refund) if refund and settled is not None else None
    return Kept(row, 0 if settled is None else 2, None if settled is None else at(settled), refunded)


GOOD = History(
    requests=(
        request(1, PLAIN, "CancelRound", 1),
        request(2, RESENT, "CancelRound", 1.5),
        request(3, RESENT, "GetRoundStatus", 9),
        request(4, RESENT, "CancelRound", 10),
        request(5, LOST, "CancelRound", 2, effect=True),
        request(6, LOST, "GetRoundStatus", 9.5),
    ),
    truths=(truth(PLAIN), truth(RESENT), truth(LOST), truth(OPEN, RoundStatus.IN_PROGRESS)),
    runs=(Run(RUN, "finished"),),
    cancellations=(
        cancellation(PLAIN, 1, 1.3),
        cancellation(RESENT, 4, 10.3, attempts=2),
        cancellation(LOST, 6, 9.8, told=False),
        replace(cancellation(OPEN, 0, 1, attempts=0, told=False), state="held", attempt_uuid=None),
    ),
    attempts=(
        attempt(1, PLAIN, "cancel", 1, "cancelled"),
        attempt(2, RESENT, "cancel", 1.5, "in_doubt"),
        attempt(3, RESENT, "status", 9, "in_progress"),
        attempt(4, RESENT, "cancel", 10, "cancelled"),
        attempt(5, LOST, "cancel", 2, "in_doubt"),
        attempt(6, LOST, "status", 9.5, "cancelled"),
    ),
    operator=(kept(PLAIN, 1.3), kept(RESENT, 10.3), kept(LOST, 9.8, None), kept(OPEN, None)),
    listed=frozenset({IDS[LOST]}),
    left={OPEN: at(0.5)},
    rate=20.0,
    group_rate=30.0,
    at_rest=True,
)


ASKED = replace(
    GOOD,
    requests=(
        *GOOD.requests,
        request(11, PLAIN, "GetRoundStatus", 0.5),
        request(12, RESENT, "GetRoundStatus", 0.6),
        request(13, LOST, "GetRoundStatus", 0.7),
    ),
    attempts=(
        *GOOD.attempts,
        attempt(11, PLAIN, "status", 0.5, "in_progress"),
        attempt(12, RESENT, "status", 0.6, "in_progress"),
        attempt(13, LOST, "status", 0.7, "in_progress"),
    ),
    asks_first=True,
)
"""The same, where the vendor was asked before each round's first cancel."""


def change(field: str, index: int, **more: Any) -> Callable[[History], History]:
    """The history in which one row of one witness says something else."""
    return lambda history: tell(
        history, field, (replace(row, **more) if n == index else row for n, row in enumerate(getattr(history, field)))
    )


def without(field: str, index: int) -> Callable[[History], History]:
    """The history in which one witness has forgotten a row."""
    return lambda history: tell(history, field, (row for n, row in enumerate(getattr(history, field)) if n != index))


def also(field: str, *more: Any) -> Callable[[History], History]:
    """The history in which one witness has more to tell."""
    return lambda history: tell(history, field, (*getattr(history, field), *more))


def tell(history: History, field: str, rows: Iterable[Any]) -> History:
    """The history in which one witness tells this."""
    told: dict[str, Any] = {field: tuple(rows)}
    return replace(history, **told)


def both(*changes: Callable[[History], History]) -> Callable[[History], History]:
    """One change after the other."""

    def changed(history: History) -> History:
        for one in changes:
            history = one(history)
        return history

    return changed


def requiring(**approval: Any) -> Callable[[History], History]:
    """The history in which the run requires approval by half a second after the start, and got this one."""
    settings = {"requires_approval": True}
    return change("runs", 0, settings=settings, approval_expires_at=at(0.5), **approval)


AGAIN = replace(
    cancellation(PLAIN, 0, 0, attempts=0, told=False), id=9, run_id=UUID(int=2), state="planned", settled_at=None
)

BREAKS: list[tuple[str, str, Callable[[History], History]]] = [
    ("on_record", "a question that the ledger does not know", without("attempts", 5)),
    ("on_record", "an attempt for another round", change("requests", 5, round_id=PLAIN)),
    ("on_record", "a request where a question stands", change("requests", 5, call="CancelRound")),
    ("on_record_before", "an attempt written after its request", change("attempts", 0, claimed_at=at(1.11))),
    ("fresh_uuid", "the network's copy of a request", also("requests", request(6, LOST, "GetRoundStatus", 9.6))),
    ("replied_by_vendor", "a reply to what was never asked", without("requests", 5)),
    ("cancelled_once", "cancelled again by a vendor that forgets", change("truths", 0, cancelled_times=2)),
    (
        "one_at_a_time",
        "two senders",
        both(
            also("requests", request(7, PLAIN, "CancelRound", 1.01)),
            also("attempts", attempt(7, PLAIN, "cancel", 1.01, "already_cancelled")),
            change("cancellations", 0, attempts=2),
        ),
    ),
    (
        "never_again",
        "a sender that came too late",
        both(
            also("requests", request(7, PLAIN, "CancelRound", 5)),
            also("attempts", attempt(7, PLAIN, "cancel", 5, "already_cancelled")),
            change("cancellations", 0, attempts=2),
        ),
    ),
    ("asked_before_again", "a doubt that nobody asked about", both(without("attempts", 2), without("requests", 2))),
    ("asked_before_again", "an answer that says nothing", change("attempts", 2, outcome="in_doubt")),
    (
        "asked_between",
        "a request that the ledger has lost with its process",
        lambda _: replace(
            also("requests", request(7, PLAIN, "CancelRound", 0.8))(ASKED), lost=Lost(orphans=frozenset({_uuid(7)}))
        ),
    ),
    ("asked_first", "no question", lambda one: replace(one, asks_first=True)),
    ("asked_first", "an answer that is two minutes old", lambda _: change("attempts", 6, sent_at=at(-120))(ASKED)),
    ("asked_first", "an answer that nobody understood", lambda _: change("attempts", 6, outcome="in_doubt")(ASKED)),
    ("approved_first", "no approval", requiring()),
    ("approved_first", "an approval that came later", requiring(approved_by="bob", approved_at=at(1.7))),
    ("approved_first", "an approval after its end", requiring(approved_by="bob", approved_at=at(0.6))),
    ("approved_first", "an approval of one's own", requiring(approved_by=" Ann", approved_at=at(0.2))),
    ("approved_first", "a rejection", requiring(approved_by="bob", approved_at=at(0.2), rejected_at=at(0.3))),
    ("nothing_over_is_cancelled", "a round reversed", lambda _: change("truths", 0, reversed_times=1)(ASKED)),
    ("nothing_over_is_cancelled", "a win taken away", lambda _: change("truths", 0, winnings_lost_times=1)(ASKED)),
    ("not_after_leaving", "a round that its player had closed", lambda one: replace(one, left={PLAIN: at(-2)})),
    (
        "not_after_leaving",
        "claimed in time, and sent too late",
        both(
            lambda one: replace(one, left={PLAIN: at(1.05)}),
            change("attempts", 0, sent_at=at(2.06)),
            change("cancellations", 0, settled_at=at(2.2)),
            change("requests", 0, at=at(2.06), finished_at=2.1, arrived_at=2.06),
        ),
    ),
    ("not_after_stop", "a resend after the stop", lambda one: replace(one, stopped=at(8.5))),
    ("vendor_and_ledger_agree", "an effect that nobody has", change("truths", 3, status=RoundStatus.CANCELED)),
    ("vendor_and_ledger_agree", "a cancellation made up", change("truths", 0, status=RoundStatus.COMPLETED)),
    ("operator_and_ledger_agree", "a round left open", change("operator", 0, status=0)),
    ("operator_and_ledger_agree", "another refund", change("operator", 0, refund=Decimal("1.5000000001"))),
    ("operator_and_ledger_agree", "a round closed by nobody", change("operator", 3, status=2)),
    (
        "amount_as_told",
        "an amount that went through a float",
        both(
            change("truths", 0, amount=Decimal("1.500000000000000001")),
            change("operator", 0, refund=Decimal("1.50")),
        ),
    ),
    (
        "one_row_holds_a_round",
        "planned once more",
        both(
            also("runs", Run(UUID(int=2), "running")),
            also("cancellations", AGAIN),
            lambda one: replace(one, at_rest=False),
        ),
    ),
    ("counted", "one attempt too few", change("cancellations", 1, attempts=1)),
    ("nothing_lost", "claimed for ever", change("cancellations", 3, state="claimed")),
    ("nothing_lost", "never sent", change("cancellations", 3, state="not_sent")),
    ("nothing_lost", "never planned", without("cancellations", 3)),
    ("listed_for_cause", "a plain cancellation", lambda one: replace(one, listed=frozenset({1, 3}))),
    (
        "listed_for_cause",
        "a conflict that is none",
        both(change("cancellations", 0, conflict=True), lambda one: replace(one, listed=frozenset({1, 3}))),
    ),
    ("proven", "an entry that is missing", lambda one: replace(one, unproven=["attempt 6: no evidence"])),
    ("audited", "an entry that is gone", lambda one: replace(one, audited=["entry_missing in evidence: 6"])),
    ("totalled", "a total that is off", lambda one: replace(one, miscounted=["run 1: 3 rounds, and not 4"])),
    ("within_the_rate", "a burst", lambda one: replace(one, rate=1.0)),
    ("within_the_groups_rate", "a burst", lambda one: replace(one, group_rate=1.0)),
]


def test_a_good_history_breaks_no_invariant() -> None:
    """A history with a plain cancellation, a resend, a lost reply and a round left alone keeps every invariant."""
    assert [] == broken(GOOD)
    assert [] == broken(ASKED)
    assert [] == broken(requiring(approved_by="bob", approved_at=at(0.4))(GOOD))
    assert {IDS[LOST]: "the reply with its refund was lost"} == causes(GOOD)


@pytest.mark.parametrize(
    ("invariant", "change_it"),
    [(name, change_it) for name, _, change_it in BREAKS],
    ids=[f"{n}: {w}" for n, w, _ in BREAKS],
)
def test_a_history_that_breaks_one_invariant_is_reported_by_its_name(
    invariant: str, change_it: Callable[[History], History]
) -> None:
    """A history that breaks one invariant is reported by the name of that invariant alone."""
    assert {invariant} == {found.split(":")[0] for found in broken(change_it(GOOD))}


def test_each_invariant_is_broken_by_a_history() -> None:
    """Each invariant of the checker is broken by at least one history."""
    assert [check.__name__ for check in INVARIANTS] == [*dict.fromkeys(name for name, _, _ in BREAKS)]


def test_the_page_lists_each_invariant() -> None:
    """The page of results lists each invariant in the words of its check."""
    page = Path(__file__).with_name("README.md").read_text("utf-8")
    told = [line for line in page.partition("[`test_checker.py`]")[0].splitlines() if line.startswith("| `")]
    words = [" ".join((check.__doc__ or "").split("\n\n")[0].split()) for check in INVARIANTS]
    assert [f"| `{check.__name__}` | {about} |" for check, about in zip(INVARIANTS, words, strict=True)] == told


def test_a_question_that_was_recorded_again_keeps_its_place() -> None:
    """A lost question that is recorded half a minute later is no younger for an offset that the clock has had since."""
    question = attempt(1, RESENT, "status", 0, "in_progress")
    written, arrived = {str(question.uuid): at(50)}, {str(question.uuid): at(0.1)}
    times = TrueTimes(written, arrived, {}, [timedelta(), timedelta(seconds=-45)])
    assert [question] == times.attempts([question])


@pytest.mark.parametrize("ledger", [without("attempts", 2), change("attempts", 2, outcome=None)], ids=["lost", "open"])
def test_a_question_that_was_lost_with_its_process_was_asked(ledger: Callable[[History], History]) -> None:
    """A resend is no violation where the vendor answered a question that the ledger lost with its process."""
    history = both(change("requests", 2, code="0"), ledger)(GOOD)
    assert ["asked_before_again"] == [one.split(":")[0] for one in broken(history) if not one.startswith("on_record")]
    assert [] == broken(replace(history, lost=Lost(orphans=frozenset({_uuid(3)}))))
