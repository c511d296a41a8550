"""From an answer to what becomes of the round: the contract's table, row by row, and no course of events that lies."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.model import (
    LIVE_STATES,
    Answer,
    Claim,
    Kind,
    NotConnected,
    Outcome,
    Reply,
    Settlement,
    State,
    Treatment,
    Unclear,
)
from retention.core.sending.codes import DEFAULT_CODES
from retention.core.sending.reply_rules import THROTTLE_PAUSE, ReplyRules
from retention.core.sending.transitions import classify, pause_for, settle

MAX = 3
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CODES = {**DEFAULT_CODES, "70": Treatment.ALREADY_COMPLETED, "71": Treatment.CANCELLED}

DONE = Reply(200, "0", "Success", "EUR", Decimal("1.50"), "bet-7")
UNCLEAR: tuple[Answer, ...] = (
    Unclear("no reply in time"),
    *(
        Reply(status, problem=f"HTTP {status}")
        for status in (0, 99, 100, 101, 301, 302, 307, 500, 502, 503, 504, 600, 999)
    ),
    Reply(200, problem="the reply is not JSON"),
    Reply(204, problem="the reply is not JSON"),
)
THROTTLED = (
    Reply(429, problem="HTTP 429"),
    Reply(429, retry_after=7.0, problem="HTTP 429"),
    Reply(503, retry_after=7.0, problem="HTTP 503"),
    Reply(503, retry_after=0.0, problem="HTTP 503"),
)
UNAUTHORIZED = (Reply(401, problem="HTTP 401"), Reply(403, problem="HTTP 403"), Reply(200, "54"), Reply(200, "401"))
REFUSED_BY_STATUS = tuple(
    Reply(status, problem=f"HTTP {status}") for status in (400, 402, 404, 405, 408, 409, 422, 499)
)
UNCONNECTED = (NotConnected("no connection: timed out"),)

ANSWERS: dict[Kind, dict[str, tuple[Answer, ...]]] = {
    Kind.CANCEL: {
        "done": (DONE, Reply(200, "0"), Reply(201, "71"), DONE._replace(retry_after=7.0)),
        "already": (Reply(200, "61"),),
        "completed": (Reply(200, "70"),),
        "rejected": (*REFUSED_BY_STATUS, *(Reply(200, code) for code in ("1", "999", "17", "unheard of", "00", ""))),
        "retry": (Reply(200, "998"),),
        "unclear": UNCLEAR,
        "throttled": THROTTLED,
        "unauthorized": UNAUTHORIZED,
        "unconnected": UNCONNECTED,
    },
    Kind.STATUS: {
        "canceled": tuple(
            Reply(200, "0", round_status=word)
            for word in ("Canceled", "Cancelled", "CancelInProcess", "CANCELED", "cancelled", "cancelinprocess")
        ),
        "completed": tuple(
            Reply(200, "0", round_status=word)
            for word in ("Completed", "CompleteInProcess", "COMPLETED", "completeinprocess")
        ),
        "in progress": tuple(Reply(200, "0", round_status=word) for word in ("InProgress", "INPROGRESS", "inprogress")),
        "unclear": (
            *UNCLEAR,
            *REFUSED_BY_STATUS,
            *(Reply(200, "0", round_status=word) for word in (None, "", "Suspended", "In Progress", "NotCanceled")),
            *(Reply(200, code, round_status="Canceled") for code in ("1", "17", "61", "70", "998", "unheard of")),
        ),
        "throttled": THROTTLED,
        "unauthorized": UNAUTHORIZED,
        "unconnected": UNCONNECTED,
    },
}

OUTCOMES: dict[str, Outcome] = {
    "done": Outcome.CANCELLED,
    "already": Outcome.ALREADY_CANCELLED,
    "rejected": Outcome.REJECTED,
    "retry": Outcome.RETRY,
    "canceled": Outcome.CANCELLED,
    "completed": Outcome.ALREADY_COMPLETED,
    "in progress": Outcome.IN_PROGRESS,
    "unclear": Outcome.IN_DOUBT,
    "throttled": Outcome.THROTTLED,
    "unauthorized": Outcome.UNAUTHORIZED,
    "unconnected": Outcome.NOT_CONNECTED,
}

# Before: may it be asked about (yes, off, or used up), is an earlier request unclear, are attempts left.
# After: the state, when it is due (- for never in this run), is it doubtful, is it to be asked about for a refusal.
# A star stands for every value, = for what it was.
CANCEL_TABLE = """
    answer        probes  doubtful  left  |  state              due    doubtful  refused
    done          *       *         *     |  cancelled          -      =         no
    already       *       *         *     |  already_cancelled  -      =         no
    completed     *       *         *     |  already_completed  -      =         no
    rejected      yes     *         *     |  in_doubt           now    =         yes
    rejected      off     no        *     |  rejected           -      no        no
    rejected      off     yes       *     |  in_doubt           -      yes       no
    rejected      used    no        *     |  rejected           -      no        no
    rejected      used    yes       *     |  in_doubt           -      yes       no
    retry         *       *         yes   |  retrying           wait   yes       no
    retry         yes     *         no    |  in_doubt           wait   yes       no
    retry         off     *         no    |  in_doubt           -      yes       no
    retry         used    *         no    |  in_doubt           -      yes       no
    unclear       yes     *         *     |  in_doubt           wait   yes       no
    unclear       off     *         yes   |  in_doubt           wait   yes       no
    unclear       off     *         no    |  in_doubt           -      yes       no
    unclear       used    *         *     |  in_doubt           -      yes       no
    throttled     *       no        *     |  retrying           pause  no        no
    throttled     yes     yes       *     |  in_doubt           pause  yes       no
    throttled     off     yes       *     |  in_doubt           pause  yes       no
    throttled     used    yes       *     |  retrying           pause  yes       no
    unauthorized  *       no        *     |  planned            -      no        no
    unauthorized  yes     yes       *     |  in_doubt           wait   yes       no
    unauthorized  off     yes       *     |  in_doubt           wait   yes       no
    unauthorized  used    yes       *     |  retrying           wait   yes       no
    unconnected   *       no        yes   |  retrying           wait   no        no
    unconnected   *       no        no    |  not_sent           -      no        no
    unconnected   yes     yes       *     |  in_doubt           wait   yes       no
    unconnected   off     yes       yes   |  in_doubt           wait   yes       no
    unconnected   off     yes       no    |  in_doubt           -      yes       no
    unconnected   used    yes       yes   |  retrying           wait   yes       no
    unconnected   used    yes       no    |  in_doubt           -      yes       no
"""

# Before: are probes left, are attempts left, is a request unclear, was one refused. With neither, the question comes before
# the first cancel.
PROBE_TABLE = """
    answer        probes  left  doubtful  refused  |  state              due    doubtful  refused
    canceled      *       *     yes       *        |  cancelled          -      yes       no
    canceled      *       *     no        *        |  already_cancelled  -      no        no
    completed     *       *     *         *        |  already_completed  -      =         no
    in progress   *       *     no        no       |  planned            -      no        no
    in progress   *       *     *         yes      |  rejected           -      =         no
    in progress   *       yes   yes       no       |  retrying           wait   =         no
    in progress   *       no    yes       no       |  in_doubt           -      yes       no
    unclear       yes     *     no        no       |  retrying           wait   no        no
    unclear       no      *     no        no       |  not_sent           -      no        no
    unclear       *       *     no        yes      |  rejected           -      no        no
    unclear       yes     *     yes       *        |  in_doubt           wait   =         =
    unclear       no      *     yes       *        |  in_doubt           -      yes       no
    throttled     *       *     no        no       |  retrying           pause  no        no
    throttled     *       *     yes       *        |  in_doubt           pause  =         =
    throttled     *       *     no        yes      |  in_doubt           pause  =         =
    unauthorized  *       *     no        no       |  planned            -      no        no
    unauthorized  *       *     yes       *        |  in_doubt           now    =         =
    unauthorized  *       *     no        yes      |  in_doubt           now    =         =
    unconnected   yes     *     no        no       |  retrying           wait   no        no
    unconnected   no      *     no        no       |  not_sent           -      no        no
    unconnected   yes     *     yes       *        |  in_doubt           wait   =         =
    unconnected   yes     *     no        yes      |  in_doubt           wait   =         =
    unconnected   no      *     yes       *        |  in_doubt           -      yes       no
    unconnected   no      *     no        yes      |  rejected           -      no        no
"""


def rows(table: str) -> list[dict[str, dict[str, str]]]:
    """A table's rows, those with stars once for each value that the column has: what is before, and what after."""
    head, *lines = [[side.split("  ") for side in line.split("|")] for line in table.strip().splitlines()]
    names, *found = [[[cell.strip() for cell in side if cell.strip()] for side in line] for line in (head, *lines)]
    before_names, after_names = names
    values = [sorted({before[column] for before, _ in found} - {"*"}) for column in range(len(before_names))]
    values = [options if len(options) > 1 else ["no", "yes"] for options in values]
    return [
        {
            "before": dict(zip(before_names, combination, strict=True)),
            "after": dict(zip(after_names, after, strict=True)),
        }
        for before, after in found
        for combination in itertools.product(
            *(values[column] if cell == "*" else [cell] for column, cell in enumerate(before)),
        )
    ]


CANCEL_ROWS, PROBE_ROWS = rows(CANCEL_TABLE), rows(PROBE_TABLE)


def named(row: dict[str, dict[str, str]]) -> str:
    """A row's name in the list of tests."""
    answer, *rest = row["before"].values()
    names = list(row["before"])[1:]
    return " ".join([answer, *(f"{name}={value}" for name, value in zip(names, rest, strict=True))])


def claim(**changes: Any) -> Claim:
    """One cancellation in hand, on its first attempt."""
    values: dict[str, Any] = {
        "cancellation_id": 7,
        "run_id": str(UUID(int=1)),
        "uuid": str(UUID(int=2)),
        "kind": Kind.CANCEL,
        "partner": "acme",
        "market": "MT",
        "game_id": "lm_1",
        "user_id": "tester",
        "round_id": "R-1",
        "tries": 1,
        "probes": 0,
        "doubtful": False,
        "refused": False,
        "slot": 0.0,
        "leave_by": 1.0,
        "expires": 15.0,
    }
    return Claim(**{**values, **changes})


def settled(claim: Claim, answer: Answer, *, status_probe: bool = True, fraction: float = 1.0) -> Settlement:
    """What the answer changes; with a fraction of 1 every wait is as long as it can be."""
    treating = ReplyRules(CODES, MAX, status_probe)
    return settle(claim, answer, treating, sent_at=NOW, replied_at=NOW, fraction=fraction)


def check(row: dict[str, dict[str, str]], before: Claim, *, status_probe: bool, wait: float) -> None:
    """Hold every answer of a row's kind to what the row says."""
    after = row["after"]
    for answer in ANSWERS[before.kind][row["before"]["answer"]]:
        item = settled(before, answer, status_probe=status_probe)
        due = {"-": None, "now": 0.0, "wait": wait, "pause": getattr(answer, "retry_after", None)}[after["due"]]
        turned_away = before.kind is Kind.STATUS and answer in REFUSED_BY_STATUS
        expected = {
            "outcome": Outcome.REJECTED if turned_away else OUTCOMES[row["before"]["answer"]],
            "state": State(after["state"]),
            "due_in": THROTTLE_PAUSE if after["due"] == "pause" and due is None else due,
            "doubtful": before.doubtful if after["doubtful"] == "=" else after["doubtful"] == "yes",
            "refused": before.refused if after["refused"] == "=" else after["refused"] == "yes",
        }
        assert expected == {name: getattr(item, name) for name in expected}, answer


@pytest.mark.parametrize("row", CANCEL_ROWS, ids=named)
def test_what_a_cancel_request_leads_to(row: dict[str, dict[str, str]]) -> None:
    """Each answer to a cancel request leads where the table says, whatever went before it."""
    given_before = row["before"]
    before = claim(
        tries=MAX if given_before["left"] == "no" else MAX - 1,
        probes=MAX if given_before["probes"] == "used" else MAX - 1,
        doubtful=given_before["doubtful"] == "yes",
    )
    wait = 2.0 if given_before["left"] == "no" else 1.0
    check(row, before, status_probe=given_before["probes"] != "off", wait=wait)


@pytest.mark.parametrize("row", PROBE_ROWS, ids=named)
def test_what_a_status_request_leads_to(row: dict[str, dict[str, str]]) -> None:
    """Each answer to a question leads where the table says, whatever went before it."""
    given_before = row["before"]
    before = claim(
        kind=Kind.STATUS,
        tries=MAX if given_before["left"] == "no" else MAX - 1,
        probes=MAX if given_before["probes"] == "no" else MAX - 1,
        doubtful=given_before["doubtful"] == "yes",
        refused=given_before["refused"] == "yes",
    )
    check(row, before, status_probe=True, wait=1.0)


@pytest.mark.parametrize(
    ("kind", "found", "sizes"),
    [(Kind.CANCEL, CANCEL_ROWS, 3 * 2 * 2), (Kind.STATUS, PROBE_ROWS, 2 * 2 * 2 * 2)],
)
def test_the_tables_are_whole(kind: Kind, found: list[dict[str, dict[str, str]]], sizes: int) -> None:
    """Every combination of what is before stands in its table exactly once."""
    combinations = [tuple(row["before"].values()) for row in found]
    assert len(ANSWERS[kind]) * sizes == len(combinations) == len(set(combinations))


@pytest.mark.parametrize("kind", Kind)
def test_a_status_decides_before_a_code(kind: Kind) -> None:
    """An HTTP status that is no success is not outvoted by a code, wherever the reply comes from."""
    for status, outcome in ((429, Outcome.THROTTLED), (401, Outcome.UNAUTHORIZED), (400, Outcome.REJECTED)):
        assert outcome == classify(kind, Reply(status, "0", round_status="Canceled"), CODES)
    assert Outcome.IN_DOUBT == classify(kind, Reply(500), CODES)


@pytest.mark.parametrize("kind", Kind)
def test_a_vendor_that_gave_up_waiting_refuses_no_round(kind: Kind) -> None:
    """A 408 over a connection that lay idle is a doubt; any other 4xx stays a refusal, wherever it came."""
    assert Outcome.IN_DOUBT == classify(kind, Reply(408, problem="HTTP 408", over_idle=True), CODES)
    for status in (400, 404, 407, 421, 425):
        assert Outcome.REJECTED == classify(kind, Reply(status, over_idle=True), CODES)


@pytest.mark.parametrize("word", ["CancelInProce\u00df", "CancelInProce\u017fs", "Cancel In Process", "Canceled.", ""])
def test_a_word_that_only_resembles_a_round_status_is_none(word: str) -> None:
    """Any letter case of a round's status is the same status; letters of other alphabets are other letters."""
    assert Outcome.CANCELLED == classify(Kind.STATUS, Reply(200, "0", round_status="CANCELinprocess"), CODES)
    assert Outcome.IN_DOUBT == classify(Kind.STATUS, Reply(200, "0", round_status=word), CODES)


def test_an_operators_word_on_a_code_counts() -> None:
    """A code means what the operator says it means, for each treatment there is."""
    for treatment in Treatment:
        assert treatment.value == classify(Kind.CANCEL, Reply(200, "E7"), {"E7": treatment}).value


def test_the_default_codes_are_the_documented_ones() -> None:
    """Each code of the vendor's documentation has the treatment that was read out of it."""
    rejected = ("1", "999", "12", "16", "17", "18", "20", "21", "22", "57", "62", "64", "99", "404")
    expected = {
        "0": Treatment.CANCELLED,
        "61": Treatment.ALREADY_CANCELLED,
        "998": Treatment.RETRY,
        "54": Treatment.UNAUTHORIZED,
        "401": Treatment.UNAUTHORIZED,
        **dict.fromkeys(rejected, Treatment.REJECTED),
    }
    assert expected == dict(DEFAULT_CODES)


def test_a_reply_is_recorded_with_all_it_told() -> None:
    """Status, code, words and refund of a success are handed on exactly, with the moments of the request."""
    expected = Settlement(
        claim(), Outcome.CANCELLED, State.CANCELLED, NOW, NOW, 200, "0", "Success", "EUR", Decimal("1.50"), "bet-7",
        failed=False,
    )  # fmt: skip
    assert expected == settled(claim(), DONE)


@pytest.mark.parametrize("code", ["17", "998", "54", "70", "unheard of"])
def test_a_refund_goes_with_a_cancelled_round_alone(code: str) -> None:
    """Whatever else a reply names an amount for, no amount, currency or transaction is recorded with it."""
    item = settled(claim(), DONE._replace(code=code))
    assert (None, None, None) == (item.currency, item.amount, item.transaction_id)
    assert (code, "Success") == (item.error_code, item.description)


def test_what_only_a_probe_could_tell_is_no_refund() -> None:
    """A probe's betAmount is written down for people, and no amount of it is recorded."""
    answer = Reply(200, "0", currency="EUR", amount=Decimal(9), round_status="Canceled", bet_amount=Decimal("1.50"))
    item = settled(claim(kind=Kind.STATUS, doubtful=True), answer)
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
def test_the_detail_says_what_happened(detail: str | None, kind: Kind, answer: Answer) -> None:
    """What a person needs to understand a reply that was not plain is kept with it."""
    assert detail == settled(claim(kind=kind), answer).detail


@pytest.mark.parametrize(("recorded", "status"), [(None, 0), (None, 99), (100, 100), (999, 999), (None, 1000)])
def test_a_status_that_is_none_is_not_recorded(recorded: int | None, status: int) -> None:
    """What HTTP does not know as a status stands in the detail alone: the ledger has no place for it."""
    item = settled(claim(), Reply(status, problem=f"HTTP {status}"))
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
def test_what_the_failure_ratio_counts(failed: bool | None, kind: Kind, name: str, *, status_probe: bool) -> None:
    """Refusals and doubts are failures, whether they will be asked about or not; what was no reply is not counted."""
    for answer in ANSWERS[kind][name]:
        assert failed == settled(claim(kind=kind), answer, status_probe=status_probe).failed, answer


def test_the_last_of_the_retries_that_were_asked_for_counts_as_a_doubt() -> None:
    """A code that asks for a retry once too often leaves a doubt, and the failure ratio counts doubts."""
    assert settled(claim(tries=MAX), Reply(200, "998")).failed is True


@pytest.mark.parametrize("kind", Kind)
def test_only_a_throttled_partner_is_paused(kind: Kind) -> None:
    """A 429, or a 503 with Retry-After, pauses the partner for as long as it says; nothing else does."""
    for name, answers in ANSWERS[kind].items():
        for answer in answers:
            item = settled(claim(kind=kind), answer)
            said = getattr(answer, "retry_after", None)
            expected = (1.0 if said is None else said) if name == "throttled" else None
            assert expected == pause_for(item, answer)


any_claims = st.builds(
    claim,
    kind=st.sampled_from(Kind),
    tries=st.integers(0, MAX + 2),
    probes=st.integers(0, MAX + 2),
    doubtful=st.booleans(),
    refused=st.booleans(),
)
any_answers = st.sampled_from([one for kind in Kind for answers in ANSWERS[kind].values() for one in answers])


@given(any_claims, any_answers, st.booleans(), st.floats(0, 1))
@settings(deadline=None, max_examples=500)
def test_a_settlement_is_always_sound(before: Claim, answer: Answer, status_probe: bool, fraction: float) -> None:
    """No answer to any claim leads to what the ledger refuses, or says more than is known."""
    item = settled(before, answer, status_probe=status_probe, fraction=fraction)
    can_follow = {*LIVE_STATES - {State.CLAIMED}, State.CANCELLED, State.ALREADY_CANCELLED, State.ALREADY_COMPLETED}
    assert item.state in can_follow | {State.REJECTED, State.NOT_SENT}
    if item.state not in LIVE_STATES or item.state is State.PLANNED:
        assert item.due_in is None
        assert not item.refused
    if item.state is State.RETRYING:
        assert item.due_in is not None
    assert item.due_in is None or item.due_in >= 0
    if item.state is State.CANCELLED:
        assert item.outcome is Outcome.CANCELLED
    if item.state is State.ALREADY_CANCELLED:
        assert item.outcome in {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED}
    if item.state not in {State.CANCELLED, State.ALREADY_CANCELLED} or before.kind is Kind.STATUS:
        assert (None, None, None) == (item.amount, item.currency, item.transaction_id)
    if before.doubtful:
        assert item.state not in {State.PLANNED, State.NOT_SENT}
        assert item.doubtful
        assert item.state is not State.REJECTED or item.outcome is Outcome.IN_PROGRESS
    if before.kind is Kind.STATUS:
        assert item.failed is None


Truth = Literal["open", "cancelled by us", "cancelled by others", "completed"]


class Vendor:
    """A vendor of whom nothing can be relied on but that it does not lie about what a round is."""

    def __init__(self, data: st.DataObject) -> None:
        self.truth: Truth = "open"
        self._draw = data.draw
        self._throttles = 3

    def turn(self) -> None:
        """What others do meanwhile."""
        if self.truth == "open":
            self.truth = self._draw(st.sampled_from(["open"] * 4 + ["cancelled by others", "completed"]), "meanwhile")

    def cancel(self) -> Answer:
        """One of all the things that can happen to a request; only some of them have an effect."""
        how = self._draw(st.sampled_from(["plain", "lost", "500", "998", "429", "400", "unconnected"]), "cancel")
        if how in {"plain", "lost", "500", "998"} and self.truth == "open":
            effect = how == "plain" or self._draw(st.booleans(), "takes effect")
            self.truth = "cancelled by us" if effect else self.truth
            plain = Reply(200, "0")
        else:
            plain = Reply(200, self._draw(st.sampled_from(["61", "1"])) if "cancelled" in self.truth else "1")
        return plain if how == "plain" else self._failure(how)

    def tell(self) -> Answer:
        """One of all the things that can happen to a question."""
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
def test_no_course_of_events_ends_in_a_lie(data: st.DataObject, status_probe: bool) -> None:
    """Whatever happens to the requests for a round, what the ledger ends up saying of it is true, and the run ends."""
    vendor = Vendor(data)
    row = claim(tries=0)
    item: Settlement | None = None
    while item is None or (item.state in LIVE_STATES and item.due_in is not None):
        asks = item is not None and item.state is State.IN_DOUBT and status_probe
        row = row._replace(
            kind=Kind.STATUS if asks else Kind.CANCEL,
            tries=row.tries + (not asks),
            probes=row.probes + asks,
            doubtful=item is not None and item.doubtful,
            refused=item is not None and item.refused,
        )
        vendor.turn()
        item = settled(row, vendor.tell() if asks else vendor.cancel(), status_probe=status_probe)
        assert row.tries <= MAX
        assert row.probes <= MAX
        if item.outcome is Outcome.THROTTLED:
            row = row._replace(tries=row.tries - (not asks), probes=row.probes - asks)
    if item.state in {State.CANCELLED, State.ALREADY_CANCELLED}:
        assert vendor.truth in {"cancelled by us", "cancelled by others"}
    elif item.state is State.ALREADY_COMPLETED:
        assert vendor.truth == "completed"
    else:
        assert item.state is State.IN_DOUBT or vendor.truth != "cancelled by us"


@pytest.mark.parametrize("round_id", ["another", "", "123456 "])
def test_a_status_reply_about_another_round_says_nothing(round_id: str) -> None:
    """A reply to a question that names another round than the one asked about leaves the doubt as it was."""
    told = Reply(200, code="0", round_id=round_id, round_status="Canceled")
    item = settled(claim(kind=Kind.STATUS, probes=1, doubtful=True), told)
    assert (Outcome.IN_DOUBT, State.IN_DOUBT, 200, "the reply is about another round") == (
        item.outcome,
        item.state,
        item.http_status,
        item.detail,
    )


@pytest.mark.parametrize(("wait", "tries"), [(0.5, 0), (0.5, 1), (1.0, 2)])
def test_a_round_that_goes_on_is_called_again_after_its_requests_alone(wait: float, tries: int) -> None:
    """How long a round in progress waits depends on the requests for it, and is never less than after the first one."""
    told = Reply(200, "0", round_status="InProgress")
    assert wait == settled(claim(kind=Kind.STATUS, tries=tries, probes=2, doubtful=True), told).due_in
