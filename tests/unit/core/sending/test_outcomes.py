"""The outcome of an attempt: HTTP status before code, the operator's codes, and the vendor's round statuses."""

from __future__ import annotations

import pytest
from support.answers import ANSWERS, CODES, OUTCOMES

from retention.core.model import Kind, NotConnected, Outcome, Reply, Treatment, Unclear
from retention.core.sending.outcomes import classify, is_known_status, wrong_status_address
from retention.core.sending.reply_rules import DEFAULT_CODES

SAMPLES = [(kind, name) for kind in Kind for name in ANSWERS[kind]]


@pytest.mark.parametrize(("kind", "name"), SAMPLES)
def test_each_answer_has_the_outcome_of_the_contract(kind: Kind, name: str) -> None:
    """Each answer of the contract's section 5 is classified as that section says."""
    for answer in ANSWERS[kind][name]:
        assert OUTCOMES[name] == classify(kind, answer, CODES), answer


@pytest.mark.parametrize("kind", Kind)
def test_an_http_status_decides_before_a_code(kind: Kind) -> None:
    """A 429, 401 or 400 keeps its outcome with any code in the body."""
    for status, outcome in ((429, Outcome.THROTTLED), (401, Outcome.UNAUTHORIZED), (400, Outcome.REJECTED)):
        assert outcome == classify(kind, Reply(status, "0", round_status="Canceled"), CODES)
    assert Outcome.IN_DOUBT == classify(kind, Reply(500), CODES)


@pytest.mark.parametrize("kind", Kind)
def test_a_408_of_an_idle_connection_is_a_doubt(kind: Kind) -> None:
    """A 408 over an idle connection refuses no round; any other 4xx over it is a refusal."""
    assert Outcome.IN_DOUBT == classify(kind, Reply(408, problem="HTTP 408", over_idle=True), CODES)
    for status in (400, 404, 407, 421, 425):
        assert Outcome.REJECTED == classify(kind, Reply(status, over_idle=True), CODES)


@pytest.mark.parametrize("word", ["CancelInProce\u00df", "CancelInProce\u017fs", "Cancel In Process", "Canceled.", ""])
def test_a_round_status_is_known_in_ascii_letters_of_any_case(word: str) -> None:
    """A probe's round status is read in any letter case, and letters of other alphabets do not count as these."""
    assert Outcome.CANCELLED == classify(Kind.STATUS, Reply(200, "0", round_status="CANCELinprocess"), CODES)
    assert Outcome.IN_DOUBT == classify(Kind.STATUS, Reply(200, "0", round_status=word), CODES)
    assert is_known_status("CANCELinprocess")
    assert not is_known_status(word)


def test_no_round_status_is_not_a_known_one() -> None:
    """A reply without a round status has none of the vendor's words."""
    assert not is_known_status(None)


def test_winnings_that_make_no_sense_leave_a_probe_in_doubt() -> None:
    """A round in progress with an unreadable winAmount counts as a probe without an answer."""
    answer = Reply(200, "0", round_status="InProgress", winnings_unclear=True)
    assert Outcome.IN_DOUBT == classify(Kind.STATUS, answer, CODES)


def test_the_operators_treatment_of_a_code_counts() -> None:
    """A configured code has its configured treatment, for each treatment there is."""
    for treatment in Treatment:
        assert treatment.value == classify(Kind.CANCEL, Reply(200, "E7"), {"E7": treatment}).value


def test_the_default_codes_are_the_documented_ones() -> None:
    """Each code of the vendor's documentation has the treatment that the documentation suggests."""
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


@pytest.mark.parametrize(
    ("why", "answer"),
    [
        ("HTTP 404", Reply(404, problem="HTTP 404")),
        ("HTTP 405", Reply(405, problem="HTTP 405")),
        ("HTTP 300", Reply(300, problem="HTTP 300")),
        ("HTTP 399", Reply(399, problem="HTTP 399")),
        ("the reply is not JSON", Reply(200, problem="the reply is not JSON")),
        ("the reply is not UTF-8", Reply(200, problem="the reply is not UTF-8")),
        (None, Reply(200, problem="the reply is not a JSON object")),
        (None, Reply(400, problem="HTTP 400")),
        (None, Reply(500, problem="HTTP 500")),
        (None, Reply(200, "0")),
        (None, Unclear("no reply in time")),
        (None, NotConnected("no connection: timed out")),
    ],
)
def test_a_wrong_status_address_is_told_by_its_answer(why: str | None, answer: Reply | Unclear | NotConnected) -> None:
    """A 404, a 405, a redirect or a page that is not JSON shows that a status address is not the vendor's."""
    assert why == wrong_status_address(answer)
