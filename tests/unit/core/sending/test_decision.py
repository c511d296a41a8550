"""The decision after an answer: its pauses and texts, and no sequence of events that ends in a lie."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.answers import ANSWERS, CODES, DONE, make_claim

from retention.core.model import (
    LIVE_STATES,
    Answer,
    Claim,
    Kind,
    NotConnected,
    Outcome,
    Reply,
    Review,
    Settlement,
    State,
    Unclear,
)
from retention.core.sending.decision import THROTTLE_PAUSE_S, decide, throttle_pause_s
from retention.core.sending.reply_rules import ReplyRules

MAX = 3
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
IN_PROGRESS = Reply(200, "0", round_status="InProgress")


def settled(
    claim: Claim,
    answer: Answer,
    *,
    status_probe: bool = True,
    ask_first: bool = False,
    cancel_winnings: bool = False,
    jitter: float = 1.0,
    accepted: bool = False,
    wrong: bool = False,
) -> Settlement:
    """The settlement after an answer; a jitter of 1 makes every back-off as long as possible."""
    rules = ReplyRules(CODES, MAX, status_probe, ask_first, cancel_winnings)
    return decide(
        claim,
        answer,
        rules,
        sent_at=NOW,
        replied_at=NOW,
        jitter=jitter,
        credentials_accepted=accepted,
        wrong_status_address=wrong,
    )


@pytest.mark.parametrize(("wait", "tries", "probes"), [(0.5, 1, 2), (1.0, 2, 1)])
def test_the_backoff_grows_with_the_requests_of_the_same_kind(wait: float, tries: int, probes: int) -> None:
    """A cancel request backs off by the cancel requests so far, and a probe by the probes."""
    unclear = Unclear("no reply in time")
    assert wait == settled(make_claim(attempts=tries, probes=probes), unclear).due_in
    probe = make_claim(kind=Kind.STATUS, attempts=probes, probes=tries, may_have_taken_effect=True)
    assert wait == settled(probe, unclear).due_in
    assert wait / 2 == settled(probe, unclear, jitter=0.5).due_in


def test_a_429_without_retry_after_pauses_for_a_second() -> None:
    """A pause is as long as the vendor says, and one second where it does not say."""
    assert THROTTLE_PAUSE_S == 1.0
    assert settled(make_claim(), Reply(429)).due_in == 1.0
    assert settled(make_claim(), Reply(429, retry_after=7.0)).due_in == 7.0
    assert settled(make_claim(), Reply(429, retry_after=0.0)).due_in == 0.0


def test_a_rejected_round_is_probed_at_once() -> None:
    """The one probe of a rejected round does not wait for a back-off."""
    assert settled(make_claim(), Reply(200, "17")).due_in == 0.0


def test_where_the_run_asks_first_a_round_in_progress_is_resent_at_once() -> None:
    """The probe of a doubt is fresh, so a run that asks first does not let it grow old in a back-off."""
    assert (
        settled(
            make_claim(kind=Kind.STATUS, attempts=2, probes=1, may_have_taken_effect=True), IN_PROGRESS, ask_first=True
        ).due_in
        == 0.0
    )


def test_an_accepted_credential_makes_a_refusal_the_rounds_own() -> None:
    """A code that refuses credentials which a HealthCheck accepts rejects the round, or leaves it not_sent unasked."""
    assert Outcome.REJECTED == settled(make_claim(), Reply(200, "54"), accepted=True).outcome
    item = settled(make_claim(kind=Kind.STATUS, attempts=0, probes=1), Reply(200, "54", "no"), accepted=True)
    assert (Outcome.REJECTED, State.NOT_SENT, Review.NOT_ASKED, "not asked: error 54, no") == (
        item.outcome,
        item.state,
        item.review,
        item.detail,
    )
    assert Outcome.CANCELLED == settled(make_claim(), DONE, accepted=True).outcome


def test_a_wrong_status_address_leaves_the_round_planned() -> None:
    """An answer from a wrong status address uses no probe, and the round is asked about again later."""
    probe = make_claim(kind=Kind.STATUS, attempts=0, probes=MAX)
    item = settled(probe, Reply(404, problem="HTTP 404"), wrong=True)
    assert (State.PLANNED, True, "HTTP 404") == (item.state, item.uncounted, item.detail)
    assert State.NOT_SENT == settled(probe, Reply(404, problem="HTTP 404")).state


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        (Kind.STATUS, {"winnings": Decimal("12.5")}, Decimal("12.5")),
        (Kind.STATUS, {"winnings": Decimal(0)}, Decimal(0)),
        (Kind.STATUS, {}, None),
        (Kind.STATUS, {"winnings": Decimal(5), "code": "1"}, None),
        (Kind.STATUS, {"winnings": Decimal(5), "round_id": "another"}, None),
        (Kind.CANCEL, {"winnings": Decimal(5)}, None),
    ],
)
def test_only_an_answer_to_a_question_tells_winnings(kind: Kind, changes: dict[str, Any], told: Decimal | None) -> None:
    """Winnings come from a successful answer about this round: no other reply replaces what the ledger has."""
    item = settled(make_claim(kind=kind, attempts=0, probes=1), IN_PROGRESS._replace(**changes))
    assert told == item.winnings


@pytest.mark.parametrize(("held", "cancel_winnings"), [(True, False), (False, True)])
def test_winnings_hold_a_round_unless_the_policy_cancels_them(held: bool, cancel_winnings: bool) -> None:
    """A round in progress with winnings is held with the amount in its detail, or cancelled where the policy says
    so.
    """
    won = IN_PROGRESS._replace(winnings=Decimal("12.5"), currency="EUR")
    item = settled(make_claim(kind=Kind.STATUS, attempts=0, probes=1), won, cancel_winnings=cancel_winnings)
    assert (State.HELD if held else State.PLANNED) == item.state
    assert ("winnings 12.5 EUR" if held else "the vendor says InProgress, winAmount 12.5 EUR") == item.detail


@pytest.mark.parametrize(
    ("incomplete", "answer", "refund_in_reply"),
    [
        (False, DONE, True),
        (True, DONE._replace(amount=None), True),
        (True, DONE._replace(currency=None), True),
        (True, DONE._replace(transaction_id=None), True),
        (False, DONE._replace(amount=None), False),
        (False, Reply(200, "61"), True),
    ],
)
def test_a_success_without_its_refund_is_incomplete(incomplete: bool, answer: Reply, refund_in_reply: bool) -> None:
    """A success has to tell amount, currency and transaction, unless this vendor never does."""
    rules = ReplyRules(CODES, MAX, status_probe=True, refund_in_reply=refund_in_reply)
    item = decide(make_claim(), answer, rules, sent_at=NOW, replied_at=NOW, jitter=1.0)
    assert incomplete == item.incomplete


def test_a_cancel_that_only_a_probe_tells_is_incomplete() -> None:
    """A probe tells no refund, so a round that it finds cancelled by us is incomplete."""
    probe = make_claim(kind=Kind.STATUS, may_have_taken_effect=True)
    assert settled(probe, Reply(200, "0", round_status="Canceled")).incomplete


def test_a_success_is_recorded_in_full() -> None:
    """Status, code, description and refund of a success are kept exactly, with the times of the request."""
    expected = Settlement(
        make_claim(), Outcome.CANCELLED, State.CANCELLED, NOW, NOW, 200, "0", "Success", "EUR", Decimal("1.50"), "bet-7",
        failed=False,
    )  # fmt: skip
    assert expected == settled(make_claim(), DONE)


@pytest.mark.parametrize("code", ["17", "998", "54", "70", "unheard of"])
def test_a_refund_goes_with_a_cancelled_round_alone(code: str) -> None:
    """Only a cancelled round has a refund, although other replies may name amounts."""
    item = settled(make_claim(), DONE._replace(code=code))
    assert (None, None, None) == (item.currency, item.amount, item.transaction_id)
    assert (code, "Success") == (item.error_code, item.description)


def test_a_bet_amount_of_a_probe_is_no_refund() -> None:
    """A probe's betAmount goes into the detail, and not into the amount."""
    answer = Reply(200, "0", currency="EUR", amount=Decimal(9), round_status="Canceled", bet_amount=Decimal("1.50"))
    item = settled(make_claim(kind=Kind.STATUS, may_have_taken_effect=True), answer)
    assert (None, None, None) == (item.currency, item.amount, item.transaction_id)
    assert "the vendor says Canceled, betAmount 1.50 EUR" == item.detail


@pytest.mark.parametrize(
    ("detail", "kind", "answer"),
    [
        (None, Kind.CANCEL, DONE),
        (None, Kind.CANCEL, Reply(200, "17", "no such round")),
        ("HTTP 502", Kind.CANCEL, Reply(502, problem="HTTP 502")),
        ("the reply is not JSON", Kind.STATUS, Reply(200, problem="the reply is not JSON")),
        ("no reply in time", Kind.CANCEL, Unclear("no reply in time")),
        ("no connection: timed out", Kind.STATUS, NotConnected("no connection: timed out")),
        ("the vendor says InProgress", Kind.STATUS, Reply(200, "0", round_status="InProgress")),
        (
            "the vendor says Canceled, betAmount 0",
            Kind.STATUS,
            Reply(200, "0", round_status="Canceled", bet_amount=Decimal(0)),
        ),
        ("no roundStatus", Kind.STATUS, Reply(200, "0")),
        ("error 17, no such round", Kind.STATUS, Reply(200, "17", "no such round")),
    ],
)
def test_the_detail_explains_the_answer(detail: str | None, kind: Kind, answer: Answer) -> None:
    """The detail has the text that a person needs for an answer beyond code and description."""
    assert detail == settled(make_claim(kind=kind), answer).detail


@pytest.mark.parametrize(("recorded", "status"), [(None, 0), (None, 99), (100, 100), (999, 999), (None, 1000)])
def test_an_invalid_http_status_is_kept_in_the_detail_alone(recorded: int | None, status: int) -> None:
    """A number that is no HTTP status stands in the detail, because its column does not take it."""
    item = settled(make_claim(), Reply(status, problem=f"HTTP {status}"))
    assert (recorded, f"HTTP {status}") == (item.http_status, item.detail)


@pytest.mark.parametrize(
    ("failed", "kind", "name"),
    [
        *[(None, Kind.STATUS, name) for name in ANSWERS[Kind.STATUS]],
        *[(None, Kind.CANCEL, name) for name in ("throttled", "unauthorized", "unconnected")],
        *[(False, Kind.CANCEL, name) for name in ("done", "already", "completed", "retry")],
        *[(True, Kind.CANCEL, name) for name in ("rejected", "unclear")],
    ],
)
@pytest.mark.parametrize("status_probe", [True, False])
def test_the_failure_ratio_counts_rejections_and_doubts(
    failed: bool | None, kind: Kind, name: str, *, status_probe: bool
) -> None:
    """Rejections and doubts count as failures, with a later probe or without; no reply is not counted."""
    for answer in ANSWERS[kind][name]:
        assert failed == settled(make_claim(kind=kind), answer, status_probe=status_probe).failed, answer


def test_a_retry_without_attempts_left_counts_as_a_failure() -> None:
    """A code mapped `retry` leaves a doubt at the last attempt, and the failure ratio counts it."""
    assert settled(make_claim(attempts=MAX), Reply(200, "998")).failed is True


@pytest.mark.parametrize("kind", Kind)
def test_only_a_throttled_partner_is_paused(kind: Kind) -> None:
    """A 429, or a 503 with Retry-After, pauses the partner for as long as it says; no other answer does."""
    for name, answers in ANSWERS[kind].items():
        for answer in answers:
            item = settled(make_claim(kind=kind), answer)
            said = getattr(answer, "retry_after", None)
            expected = (1.0 if said is None else said) if name == "throttled" else None
            assert expected == throttle_pause_s(item, answer)


any_claims = st.builds(
    make_claim,
    kind=st.sampled_from(Kind),
    attempts=st.integers(0, MAX + 2),
    probes=st.integers(0, MAX + 2),
    may_have_taken_effect=st.booleans(),
    refusal_pending_probe=st.booleans(),
)
any_answers = st.sampled_from([one for kind in Kind for answers in ANSWERS[kind].values() for one in answers])


@given(any_claims, any_answers, st.booleans(), st.floats(0, 1))
@settings(deadline=None, max_examples=500)
def test_a_settlement_is_always_sound(before: Claim, answer: Answer, status_probe: bool, jitter: float) -> None:
    """No answer to any claim leads to a settlement that the ledger refuses, or that says more than is known."""
    item = settled(before, answer, status_probe=status_probe, jitter=jitter)
    can_follow = {*LIVE_STATES - {State.CLAIMED}, State.CANCELLED, State.ALREADY_CANCELLED, State.ALREADY_COMPLETED}
    assert item.state in can_follow | {State.REJECTED, State.NOT_SENT}
    if item.state not in LIVE_STATES or item.state is State.PLANNED:
        assert item.due_in is None
        assert not item.refusal_pending_probe
    if item.state is State.RETRYING:
        assert item.due_in is not None
    assert item.due_in is None or item.due_in >= 0
    if item.state is State.CANCELLED:
        assert item.outcome is Outcome.CANCELLED
    if item.state is State.ALREADY_CANCELLED:
        assert item.outcome in {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED}
    if item.state not in {State.CANCELLED, State.ALREADY_CANCELLED} or before.kind is Kind.STATUS:
        assert (None, None, None) == (item.amount, item.currency, item.transaction_id)
    if before.may_have_taken_effect:
        assert item.state not in {State.PLANNED, State.NOT_SENT}
        assert item.may_have_taken_effect
        assert item.state is not State.REJECTED or item.outcome is Outcome.IN_PROGRESS
    if before.kind is Kind.STATUS:
        assert item.failed is None


Truth = Literal["open", "cancelled by us", "cancelled by others", "completed"]


class Vendor:
    """A vendor that fails in every way, but tells the truth about a round."""

    def __init__(self, data: st.DataObject) -> None:
        self.truth: Truth = "open"
        self._draw = data.draw
        self._throttles = 3

    def turn(self) -> None:
        """An event of others between two requests."""
        if self.truth == "open":
            self.truth = self._draw(st.sampled_from(["open"] * 4 + ["cancelled by others", "completed"]), "meanwhile")

    def cancel(self) -> Answer:
        """An answer to a cancel request, with an effect or without."""
        how = self._draw(st.sampled_from(["plain", "lost", "500", "998", "429", "400", "unconnected"]), "cancel")
        if how in {"plain", "lost", "500", "998"} and self.truth == "open":
            effect = how == "plain" or self._draw(st.booleans(), "takes effect")
            self.truth = "cancelled by us" if effect else self.truth
            plain = Reply(200, "0")
        else:
            plain = Reply(200, self._draw(st.sampled_from(["61", "1"])) if "cancelled" in self.truth else "1")
        return plain if how == "plain" else self._failure(how)

    def tell(self) -> Answer:
        """An answer to a probe."""
        how = self._draw(st.sampled_from(["plain", "plain", "lost", "500", "998", "429", "400", "unconnected"]), "tell")
        words = {"open": "InProgress", "completed": "Completed"}
        return Reply(200, "0", round_status=words.get(self.truth, "Canceled")) if how == "plain" else self._failure(how)

    def _failure(self, how: str) -> Answer:
        if how == "429" and not self._throttles:
            how = "400"
        self._throttles -= how == "429"
        failures: dict[str, Answer] = {
            "lost": Unclear("no reply in time"),
            "500": Reply(500, problem="HTTP 500"),
            "998": Reply(200, "998"),
            "429": Reply(429, problem="HTTP 429"),
            "400": Reply(400, problem="HTTP 400"),
            "unconnected": NotConnected("no connection: timed out"),
        }
        return failures[how]


@given(st.data(), st.booleans())
@settings(deadline=None, max_examples=600)
def test_no_sequence_of_events_ends_in_a_lie(data: st.DataObject, status_probe: bool) -> None:
    """After any sequence of answers the ledger says the truth about the round, and the run ends."""
    vendor = Vendor(data)
    row = make_claim(attempts=0)
    item: Settlement | None = None
    while item is None or (item.state in LIVE_STATES and item.due_in is not None):
        asks = item is not None and item.state is State.IN_DOUBT and status_probe
        row = row._replace(
            kind=Kind.STATUS if asks else Kind.CANCEL,
            attempts=row.attempts + (not asks),
            probes=row.probes + asks,
            may_have_taken_effect=item is not None and item.may_have_taken_effect,
            refusal_pending_probe=item is not None and item.refusal_pending_probe,
        )
        vendor.turn()
        item = settled(row, vendor.tell() if asks else vendor.cancel(), status_probe=status_probe)
        assert row.attempts <= MAX
        assert row.probes <= MAX
        if item.outcome is Outcome.THROTTLED:
            row = row._replace(attempts=row.attempts - (not asks), probes=row.probes - asks)
    if item.state in {State.CANCELLED, State.ALREADY_CANCELLED}:
        assert vendor.truth in {"cancelled by us", "cancelled by others"}
    elif item.state is State.ALREADY_COMPLETED:
        assert vendor.truth == "completed"
    else:
        assert item.state is State.IN_DOUBT or vendor.truth != "cancelled by us"


@pytest.mark.parametrize("round_id", ["another", "", "123456 "])
def test_a_probe_reply_about_another_round_leaves_the_doubt(round_id: str) -> None:
    """A reply to a probe that names another round leaves the doubt as it was."""
    told = Reply(200, code="0", round_id=round_id, round_status="Canceled")
    item = settled(make_claim(kind=Kind.STATUS, probes=1, may_have_taken_effect=True), told)
    assert (Outcome.IN_DOUBT, State.IN_DOUBT, 200, "the reply is about another round") == (
        item.outcome,
        item.state,
        item.http_status,
        item.detail,
    )


@pytest.mark.parametrize(("wait", "tries"), [(0.5, 0), (0.5, 1), (1.0, 2)])
def test_a_resend_backs_off_by_the_cancel_requests(wait: float, tries: int) -> None:
    """The wait of a round in progress depends on its cancel requests, and is at least the first one."""
    told = Reply(200, "0", round_status="InProgress")
    assert (
        wait == settled(make_claim(kind=Kind.STATUS, attempts=tries, probes=2, may_have_taken_effect=True), told).due_in
    )
