"""Approvals: the persons that may decide on a run, the digest that they mean, and how far a run's approval is.

The ledger decides the same in SQL (`sql/migrations/0002_approvals.sql`), under a lock and by its own clock, and no run
goes around that. These functions decide before it, in words for people.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.invisible_text import is_invisible
from retention.core.text import time_text

if TYPE_CHECKING:
    from datetime import datetime

BLANKS = "".join(chr(point) for point in range(0x3001) if unicodedata.category(chr(point))[0] == "Z")
"""The blanks of Unicode, of any width."""

DIGEST_DIGITS_MIN, DIGEST_DIGITS = 12, 64
"""The fewest digits of a digest that name a plan, and all of them."""

_DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_DIGITS_MIN},{DIGEST_DIGITS}}}")


class ApprovalState(enum.Enum):
    """How far the approval of a run is."""

    NOT_REQUIRED = "not_required"
    WAITING = "waiting"
    APPROVED = "approved"
    USED = "used"
    EXPIRED = "expired"
    REJECTED = "rejected"


MAY_START = frozenset({ApprovalState.NOT_REQUIRED, ApprovalState.APPROVED, ApprovalState.USED})
"""The states in which a run may start, or go on."""


class Verdict(enum.StrEnum):
    """Why a decision of a person on a run does not count; `refusal_text` says it to people. The names are SQL's."""

    NO_RUN = "no_run"
    BLANK_NAME = "blank_name"
    REJECTED = "rejected"
    NOT_AWAITING = "not_awaiting"
    EXPIRED = "expired"
    OTHER_DIGEST = "other_digest"
    OWN_REQUEST = "own_request"
    OWN_LOGIN = "own_login"
    APPROVED_ALREADY = "approved_already"
    PLAN_CHANGED = "plan_changed"


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval of a run, as the ledger has it. `required` by the run's own settings; times are the database's."""

    required: bool
    status: str
    requested_by: str
    digest: str | None
    expires_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    used_at: datetime | None
    rejected_by: str | None
    note: str | None


def fold_name(name: str) -> str:
    """Write a person's name as it is compared: without case, outer blanks, invisible signs and Unicode form.

    `retention.fold_name` in SQL is the same function, for the letters of the server's version of Unicode.
    """
    composed = unicodedata.normalize("NFKC", name)
    visible = "".join(sign for sign in composed if not is_invisible(sign))
    return unicodedata.normalize("NFKC", visible.casefold()).strip(BLANKS)


def is_digest_beginning(text: str) -> bool:
    """Tell whether a text can be the beginning of a digest, long enough to name one plan."""
    return _DIGEST.fullmatch(text) is not None


def approval_state(approval: Approval, now: datetime) -> ApprovalState:
    """Tell how far a run's approval is. An approval is good until it expires, and once used it stays so."""
    if not approval.required:
        return ApprovalState.NOT_REQUIRED
    if approval.used_at is not None:
        return ApprovalState.USED
    if approval.rejected_by is not None:
        return ApprovalState.REJECTED
    if approval.expires_at is not None and approval.expires_at <= now:
        return ApprovalState.EXPIRED
    return ApprovalState.WAITING if approval.approved_at is None else ApprovalState.APPROVED


def decision_refused(approval: Approval, by: str, digest: str | None, now: datetime) -> Verdict | None:
    """Say why the person `by` may not decide on a run; None where the person may.

    `digest`: the digits that the person gave, if any.
    """
    if not fold_name(by):
        return Verdict.BLANK_NAME
    if approval.rejected_by is not None:
        return Verdict.REJECTED
    if approval.status != "awaiting_approval":
        return Verdict.NOT_AWAITING
    if approval_state(approval, now) is ApprovalState.EXPIRED:
        return Verdict.EXPIRED
    if digest is not None and not (is_digest_beginning(digest) and (approval.digest or "").startswith(digest)):
        return Verdict.OTHER_DIGEST
    return Verdict.OWN_REQUEST if fold_name(by) == fold_name(approval.requested_by) else None


_REFUSALS = {
    Verdict.NO_RUN: "there is no run {run_id}; `retention runs list` shows the newest",
    Verdict.BLANK_NAME: "--by must not be blank: write the name of the person who decides",
    Verdict.REJECTED: "run {run_id} is {rejected}; a new run plans its rounds anew",
    Verdict.NOT_AWAITING: "run {run_id} awaits no approval: it is {status}",
    Verdict.EXPIRED: "the approval of run {run_id} expired at {expires_at}; a new run plans its rounds anew",
    Verdict.OTHER_DIGEST: (
        "--digest does not begin the digest of run {run_id}, which is {digest}; write 12 of its digits or more, once "
        "you have seen its rounds"
    ),
    Verdict.OWN_REQUEST: "run {run_id} was requested by {requested_by}: another person has to decide on it",
    Verdict.OWN_LOGIN: (
        'run {run_id} was requested with this database login, and its policy has approval = "authenticated": another '
        "login has to decide on it"
    ),
    Verdict.APPROVED_ALREADY: "run {run_id} is approved already, by {approved_by}",
    Verdict.PLAN_CHANGED: (
        "the rows of run {run_id} are not those that were planned: their digest is not {digest}; call the run off with "
        "`retention runs close`, and find out who changed them"
    ),
}


def refusal_text(verdict: Verdict, run_id: object, approval: Approval) -> str:
    """Say to a person why the decision on a run does not count, and how to go on."""
    return _REFUSALS[verdict].format(
        run_id=run_id,
        status=approval.status,
        requested_by=approval.requested_by,
        digest=approval.digest,
        expires_at=time_text(approval.expires_at) if approval.expires_at else None,
        approved_by=approval.approved_by,
        rejected=f"rejected by {approval.rejected_by}" + (f": {approval.note}" if approval.note else ""),
    )
