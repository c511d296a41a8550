"""Properties of the transitions' table. The table is the code, so no test repeats its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.answers import ANSWERS, OUTCOMES

from retention.core.model import LIVE_STATES, Kind, Outcome, Review, State
from retention.core.sending.transitions import (
    EVENTS,
    ROWS,
    TABLE,
    Detail,
    Due,
    Probes,
    Request,
    Special,
    Transition,
    expand,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.core.sending.transitions import Event

CANCEL, FIRST, PROBE = Request
NOTHING_DONE = {Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.NOT_CONNECTED}
"""Outcomes after which a cancel request certainly had no effect."""


class Case(NamedTuple):
    """A key of the table by name, and its transition."""

    request: Request
    event: Event
    probes: Probes
    attempts: bool
    may_have_taken_effect: bool
    refusal_pending_probe: bool
    to: Transition


CASES = [Case(*key, to) for key, to in TABLE.items()]


def cases(request: Request, *events: Event, **key: object) -> Iterator[Case]:
    """The cases of a request and some events (default: all) whose key has these values; at least one."""
    found = [
        case
        for case in CASES
        if case.request is request
        and (not events or case.event in events)
        and all(getattr(case, name) == value for name, value in key.items())
    ]
    assert found
    yield from found


def ends(case: Case, state: State) -> bool:
    """Whether the round is in this state for the rest of the run."""
    return (case.to.state, case.to.due) == (state, Due.NEVER)


def is_probed_next(case: Case) -> bool:
    """Whether the next request for the round is a probe: doubts are probed wherever probes are allowed."""
    doubt = case.to.state is State.IN_DOUBT and case.probes is not Probes.FORBIDDEN
    return case.to.due is not Due.NEVER and (doubt or case.request is FIRST)


def is_resent_next(case: Case) -> bool:
    """Whether the next request for the round is a cancel request."""
    return case.to.due is not Due.NEVER and not is_probed_next(case)


@pytest.mark.parametrize("request_", Request, ids=str)
def test_each_event_has_a_transition_from_every_state(request_: Request) -> None:
    """Each event that can follow a request has a transition from every state."""
    probes = 3 if request_ is CANCEL else 2
    before = {CANCEL: 4, FIRST: 1, PROBE: 3}[request_]  # doubtful, refused, both or neither
    expected = len(EVENTS[request_]) * probes * 2 * before
    assert expected == len(list(cases(request_)))


def test_the_events_are_all_outcomes_of_a_kind() -> None:
    """Each outcome that an answer can have is an event, and only probes have others besides."""
    for kind, requests in ((Kind.CANCEL, [CANCEL]), (Kind.STATUS, [FIRST, PROBE])):
        for request in requests:
            assert {OUTCOMES[name] for name in ANSWERS[kind]} - {Outcome.ALREADY_COMPLETED} <= {*EVENTS[request]}
    specials = {request: {*EVENTS[request]} & {*Special} for request in Request}
    assert {CANCEL: set(), FIRST: {*Special}, PROBE: {Special.WINNINGS}} == specials


def test_no_key_has_two_rows_and_no_row_is_dead() -> None:
    """Each row stands for at least one key, and no other row stands for it."""
    sizes = {pattern: len(list(expand(pattern))) for pattern in ROWS}
    assert 0 not in sizes.values()
    assert len(TABLE) == sum(sizes.values())


def test_a_state_says_whether_a_request_follows() -> None:
    """A final state and a planned round have no time of their own, and a retrying round always has one."""
    for case in CASES:
        if case.to.state not in LIVE_STATES or case.to.state is State.PLANNED:
            assert (Due.NEVER, False) == (case.to.due, case.to.refusal_pending_probe), case
        assert case.to.state is not State.RETRYING or case.to.due is not Due.NEVER, case
        assert case.to.state is not State.CLAIMED, case


def test_attempts_are_monotone() -> None:
    """A request follows only while its kind has attempts left, or this request used none; so a run comes to its end."""
    for case in CASES:
        if case.to.uncounted:
            continue
        if is_probed_next(case):
            assert case.probes is Probes.LEFT, case
        if is_resent_next(case):
            assert case.attempts, case


def test_fewer_attempts_allow_no_further_request() -> None:
    """A round that is called no more with attempts left is called no more without them."""
    for case in CASES:
        if case.attempts and case.to.due is Due.NEVER and case.to.state is not State.PLANNED:
            without = TABLE[(*case[:3], False, *case[4:6])]
            assert case.to == without, case


def test_a_doubt_is_never_resent_without_a_probe() -> None:
    """Where probes are allowed, a doubt is sent again only after a probe found it in progress, or as the vendor
    asks.
    """
    for case in CASES:
        if case.to.may_have_taken_effect and is_resent_next(case) and case.probes is not Probes.FORBIDDEN:
            probed = case.event is Outcome.IN_PROGRESS if case.request is PROBE else case.probes is Probes.USED_UP
            assert probed or case.event is Outcome.RETRY, case


def test_a_doubt_is_kept_until_the_vendor_resolves_it() -> None:
    """A request that may have taken effect is not forgotten, and its round is neither planned nor not_sent again."""
    for case in CASES:
        if case.may_have_taken_effect:
            assert case.to.may_have_taken_effect, case
            assert case.to.state not in {State.PLANNED, State.NOT_SENT, State.HELD}, case
            in_progress = case.event in {Outcome.IN_PROGRESS, Special.WINNINGS}
            assert case.to.state is not State.REJECTED or in_progress, case


def test_only_a_cancel_request_makes_a_doubt() -> None:
    """A round without a doubt becomes doubtful through an unclear cancel request or a retry alone."""
    for case in CASES:
        if not case.may_have_taken_effect:
            made = case.request is CANCEL and case.event in {Outcome.IN_DOUBT, Outcome.RETRY}
            assert made == case.to.may_have_taken_effect, case


def test_a_refusal_is_pending_until_its_probe_is_answered() -> None:
    """A refusal is pending after a rejected cancel request that can be probed, and while its probes stay unanswered."""
    for case in cases(CANCEL):
        assert (case.event is Outcome.REJECTED and case.probes is Probes.LEFT) == case.to.refusal_pending_probe, case
    for case in cases(FIRST):
        assert not case.to.refusal_pending_probe, case
    for case in cases(PROBE):
        again = case.to.due is not Due.NEVER and case.to.state is State.IN_DOUBT
        assert (case.refusal_pending_probe and again) == case.to.refusal_pending_probe, case


def test_a_turned_away_request_uses_no_attempt() -> None:
    """A 429, a refusal of the credentials and a wrong status address use no attempt; every other event uses one."""
    turned_away = {Outcome.THROTTLED, Outcome.UNAUTHORIZED, Special.WRONG_ADDRESS}
    for case in CASES:
        assert (case.event in turned_away) == case.to.uncounted, case


def test_the_failure_ratio_counts_replies_to_cancel_requests() -> None:
    """Rejections and doubts are failures, an outcome without effect is not counted, and probes never are."""
    for case in CASES:
        if case.request is not CANCEL or case.event in NOTHING_DONE:
            assert case.to.failed is None, case
        else:
            assert (case.to.state in {State.REJECTED, State.IN_DOUBT}) == case.to.failed, case


def test_a_refund_comes_from_a_cancel_request_alone() -> None:
    """Only a cancel request that found or made the round cancelled tells a refund."""
    for case in CASES:
        cancelled = case.event in {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED}
        assert (case.request is CANCEL and cancelled) == case.to.tells_refund, case


def test_a_certain_reply_to_a_cancel_request_is_final() -> None:
    """`cancelled`, `already_cancelled` and `already_completed` end the round from every state."""
    for outcome in (Outcome.CANCELLED, Outcome.ALREADY_CANCELLED, Outcome.ALREADY_COMPLETED):
        for case in cases(CANCEL, outcome):
            assert ends(case, State(outcome.value)), case


def test_a_round_that_was_never_connected_ends_as_not_sent() -> None:
    """A request without a connection is retried with a back-off; after `max_attempts` the round is not_sent."""
    for case in cases(CANCEL, Outcome.NOT_CONNECTED, may_have_taken_effect=False, attempts=True):
        assert (State.RETRYING, Due.BACKOFF) == case.to[:2], case
    for case in cases(CANCEL, Outcome.NOT_CONNECTED, may_have_taken_effect=False, attempts=False):
        assert ends(case, State.NOT_SENT), case


def test_a_doubt_that_was_never_connected_goes_on_as_a_doubt() -> None:
    """A doubt whose resend had no connection is probed, sent again after its probe, or left for a later run."""
    for case in cases(CANCEL, Outcome.NOT_CONNECTED, may_have_taken_effect=True):
        if case.probes is not Probes.LEFT and not case.attempts:
            assert ends(case, State.IN_DOUBT), case
        else:
            expected = State.RETRYING if case.probes is Probes.USED_UP else State.IN_DOUBT
            assert (expected, Due.BACKOFF) == case.to[:2], case


def test_an_unclear_request_is_probed_if_allowed_and_else_resent() -> None:
    """An unclear request is probed after a back-off, or resent where probes are forbidden; then it stays in doubt."""
    for case in cases(CANCEL, Outcome.IN_DOUBT):
        goes_on = case.attempts if case.probes is Probes.FORBIDDEN else case.probes is Probes.LEFT
        assert (State.IN_DOUBT, Due.BACKOFF if goes_on else Due.NEVER) == case.to[:2], case


def test_a_retry_is_obeyed_until_attempts_are_used_up() -> None:
    """A code mapped `retry` is retried after a back-off; after `max_attempts` the round is in doubt."""
    for case in cases(CANCEL, Outcome.RETRY, attempts=True):
        assert (State.RETRYING, Due.BACKOFF) == case.to[:2], case
    for case in cases(CANCEL, Outcome.RETRY, attempts=False):
        due = Due.BACKOFF if case.probes is Probes.LEFT else Due.NEVER
        assert (State.IN_DOUBT, due) == case.to[:2], case


@pytest.mark.parametrize("request_", Request, ids=str)
def test_a_429_pauses_and_then_retries(request_: Request) -> None:
    """A throttled request follows again after the vendor's pause, as the same kind of request or as a probe of a
    doubt.
    """
    for case in cases(request_, Outcome.THROTTLED):
        assert case.to.due is Due.PAUSE, case
        probed_doubt = request_ is CANCEL and case.may_have_taken_effect and case.probes is not Probes.USED_UP
        assert (State.IN_DOUBT if probed_doubt or request_ is PROBE else State.RETRYING) == case.to.state, case


@pytest.mark.parametrize("request_", Request, ids=str)
def test_an_unauthorized_round_is_left_as_it_was(request_: Request) -> None:
    """With its partner halted, a round without a doubt stays planned, and a doubt or a pending refusal stays one."""
    for case in cases(request_, Outcome.UNAUTHORIZED):
        if request_ is PROBE:
            assert (State.IN_DOUBT, Due.NOW) == case.to[:2], case
        elif not case.may_have_taken_effect:
            assert ends(case, State.PLANNED), case
        else:
            expected = State.RETRYING if case.probes is Probes.USED_UP else State.IN_DOUBT
            assert (expected, Due.BACKOFF) == case.to[:2], case


def test_a_rejected_round_is_probed_once_where_probes_are_allowed() -> None:
    """A rejected round is probed at once; without probes it ends rejected, or stays a doubt if it was one."""
    for case in cases(CANCEL, Outcome.REJECTED):
        if case.probes is Probes.LEFT:
            assert (State.IN_DOUBT, Due.NOW) == case.to[:2], case
        else:
            assert ends(case, State.IN_DOUBT if case.may_have_taken_effect else State.REJECTED), case


def test_a_probe_without_an_answer_lets_a_refusal_stand() -> None:
    """A refused round without a doubt ends rejected after its one probe; only a missing connection repeats the
    probe.
    """
    for case in cases(PROBE, Outcome.IN_DOUBT, Outcome.REJECTED, Outcome.NOT_CONNECTED, may_have_taken_effect=False):
        if case.event is Outcome.NOT_CONNECTED and case.probes is Probes.LEFT:
            assert (State.IN_DOUBT, Due.BACKOFF) == case.to[:2], case
        else:
            assert ends(case, State.REJECTED), case


def test_a_probe_without_an_answer_is_repeated_for_a_doubt() -> None:
    """A doubt is probed again after a back-off until `max_attempts`, and then stays in doubt."""
    for case in cases(PROBE, Outcome.IN_DOUBT, Outcome.REJECTED, Outcome.NOT_CONNECTED, may_have_taken_effect=True):
        due = Due.BACKOFF if case.probes is Probes.LEFT else Due.NEVER
        assert (State.IN_DOUBT, due) == case.to[:2], case


def test_a_probe_settles_by_the_vendors_status() -> None:
    """A probe makes a round already_completed or cancelled; already_cancelled where no request may have done it."""
    for case in cases(PROBE, Outcome.CANCELLED):
        assert ends(case, State.CANCELLED if case.may_have_taken_effect else State.ALREADY_CANCELLED), case
    for case in cases(PROBE, Outcome.ALREADY_COMPLETED):
        assert ends(case, State.ALREADY_COMPLETED), case


def test_a_round_in_progress_is_resent_while_attempts_are_left() -> None:
    """A doubt that a probe finds in progress is resent while attempts are left; a refused round is rejected."""
    for case in cases(PROBE, Outcome.IN_PROGRESS, refusal_pending_probe=False):
        expected = (State.RETRYING, Due.RESEND) if case.attempts else (State.IN_DOUBT, Due.NEVER)
        assert expected == case.to[:2], case
    for case in cases(PROBE, Outcome.IN_PROGRESS, refusal_pending_probe=True):
        assert ends(case, State.REJECTED), case


def test_winnings_keep_a_round_from_being_cancelled() -> None:
    """A first probe that finds winnings holds the round for review; a doubt with winnings stays one, and says why."""
    for case in cases(FIRST, Special.WINNINGS):
        assert ends(case, State.HELD), case
        assert (Review.WINNINGS, Detail.WINNINGS) == (case.to.review, case.to.detail), case
    for case in cases(PROBE, Special.WINNINGS):
        assert ends(case, State.REJECTED if case.refusal_pending_probe else State.IN_DOUBT), case
        assert (Detail.ANSWER if case.refusal_pending_probe else Detail.WINNINGS) == case.to.detail, case


def test_a_first_probe_cancels_only_a_round_in_progress() -> None:
    """A round in progress stays planned, to be cancelled; one that is cancelled or completed is never called."""
    states: dict[Event, State] = {
        Outcome.IN_PROGRESS: State.PLANNED,
        Outcome.CANCELLED: State.ALREADY_CANCELLED,
        Outcome.ALREADY_COMPLETED: State.ALREADY_COMPLETED,
        Special.WRONG_ADDRESS: State.PLANNED,
    }
    for event, state in states.items():
        for case in cases(FIRST, event):
            assert ends(case, state), case


def test_a_round_without_an_answer_to_its_first_probe_is_not_sent() -> None:
    """A first probe without an answer is repeated until `max_attempts`; then the round is not_sent, for review."""
    for case in cases(FIRST, Outcome.IN_DOUBT, Outcome.REJECTED, Outcome.NOT_CONNECTED, Special.ROUND_REFUSED):
        if case.event is not Special.ROUND_REFUSED and case.probes is Probes.LEFT:
            assert (State.RETRYING, Due.BACKOFF) == case.to[:2], case
        else:
            assert ends(case, State.NOT_SENT), case
            assert (Review.NOT_ASKED, Detail.NOT_ASKED) == (case.to.review, case.to.detail), case


def test_review_is_asked_for_where_a_round_was_not_called() -> None:
    """Only a first probe lists a round for review by itself, and every other detail is the answer's."""
    for case in CASES:
        listed = case.request is FIRST and case.to.state in {State.HELD, State.NOT_SENT}
        assert listed == (case.to.review is not None), case
        worded = listed or (case.request is PROBE and case.event is Special.WINNINGS and not case.refusal_pending_probe)
        assert worded == (case.to.detail is not Detail.ANSWER), case
