"""Approvals as values: how far one is, who may decide, and what a person reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from retention.core.planning.approval import (
    MAY_START,
    Approval,
    ApprovalState,
    Verdict,
    approval_state,
    decision_refused,
    fold_name,
    is_digest_beginning,
    refusal_text,
)
from retention.core.runs.next_steps import next_steps
from retention.core.runs.summary import Summary, exit_code
from retention.exit_codes import ExitCode

NOW = datetime(2025, 3, 5, 3, tzinfo=UTC)
DIGEST = "0123456789abcdef" * 4
RUN = "00000000-0000-0000-0000-000000000002"
WAITING = Approval(
    required=True,
    status="awaiting_approval",
    requested_by="ann",
    digest=DIGEST,
    expires_at=NOW + timedelta(hours=1),
    approved_by=None,
    approved_at=None,
    used_at=None,
    rejected_by=None,
    note=None,
)
GIVEN: dict[str, Any] = {"approved_by": "bob", "approved_at": NOW}
OVER = {"expires_at": NOW}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, ApprovalState.WAITING),
        ({"required": False}, ApprovalState.NOT_REQUIRED),
        (GIVEN, ApprovalState.APPROVED),
        (GIVEN | OVER, ApprovalState.EXPIRED),
        (OVER, ApprovalState.EXPIRED),
        (GIVEN | OVER | {"used_at": NOW}, ApprovalState.USED),
        ({"rejected_by": "bob"}, ApprovalState.REJECTED),
        (GIVEN | {"rejected_by": "carol"}, ApprovalState.REJECTED),
    ],
)
def test_how_far_an_approval_is(change: dict[str, Any], state: ApprovalState) -> None:
    """An approval ends at its last moment, a rejection outweighs one, and a used one stays so."""
    assert state is approval_state(replace(WAITING, **change), NOW)


def test_the_states_in_which_a_run_may_start() -> None:
    """A run starts without an approval only where none is required."""
    assert {ApprovalState.NOT_REQUIRED, ApprovalState.APPROVED, ApprovalState.USED} == MAY_START


@pytest.mark.parametrize(
    ("by", "digest", "change", "verdict"),
    [
        ("bob", None, {}, None),
        ("bob", DIGEST[:12], {}, None),
        ("bob", DIGEST, {}, None),
        ("bob", DIGEST[:11], {}, Verdict.OTHER_DIGEST),
        ("bob", DIGEST[1:13], {}, Verdict.OTHER_DIGEST),
        ("bob", DIGEST, {"digest": None}, Verdict.OTHER_DIGEST),
        ("ANN ", None, {}, Verdict.OWN_REQUEST),
        ("\u200b", None, {}, Verdict.BLANK_NAME),
        ("bob", None, OVER, Verdict.EXPIRED),
        ("bob", None, {"status": "running"}, Verdict.NOT_AWAITING),
        ("bob", None, {"rejected_by": "carol", "status": "cancelled"}, Verdict.REJECTED),
    ],
)
def test_who_may_decide(by: str, digest: str | None, change: dict[str, Any], verdict: Verdict | None) -> None:
    """Another person than the requester decides, on a waiting run, and on the plan that the digits begin."""
    assert verdict == decision_refused(replace(WAITING, **change), by, digest, NOW)


@pytest.mark.parametrize("verdict", Verdict)
def test_each_refusal_has_its_words(verdict: Verdict) -> None:
    """A person reads why a decision does not count, with values and without a place that is left open."""
    text = refusal_text(verdict, RUN, replace(WAITING, rejected_by="carol", note="too many", approved_by="bob"))
    assert RUN in text or verdict is Verdict.BLANK_NAME
    assert "{" not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("text", "begins"),
    [("0" * 12, True), ("0" * 64, True), ("0" * 11, False), ("0" * 65, False), ("A" * 12, False), ("", False)],
)
def test_digits_that_begin_a_digest(text: str, begins: bool) -> None:
    """Twelve digits of 64 at least, in lower case."""
    assert begins is is_digest_beginning(text)


def test_a_name_is_folded_once() -> None:
    """A folded name folds to itself."""
    for name in ("\u00c9lodie", "STRASSE", "\ufb01nn", " \u0130rem\u200b ", "\u1fb3", "\u03a3"):
        assert fold_name(name) == fold_name(fold_name(name))


def test_a_waiting_run_names_the_next_commands() -> None:
    """A run that waits ends a command with 6, and names the commands of the decision; approved, that of the start."""
    summary = Summary(
        *(UUID(RUN), "nightly", "enforce", "awaiting_approval", None),
        plan_digest=DIGEST,
        approval_expires_at=NOW,
    )
    assert ExitCode.AWAITING_APPROVAL is exit_code(summary)
    approve, reject = next_steps(summary)
    assert f"retention approve {RUN} --by WHO --digest 0123456789ab" == approve.command
    assert "until 2025-03-05" in approve.does
    assert f"retention reject {RUN} --by WHO --note TEXT" == reject.command
    (start,) = next_steps(replace(summary, approved_by="bob"))
    assert f"retention run --resume {RUN}" == start.command
