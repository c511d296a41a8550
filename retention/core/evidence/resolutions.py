"""Resolutions: the decisions of a person about cancellations, and which of them the ledger can take.

A state that the vendor has confirmed cannot be contradicted: its round would be free to be cancelled again. A wrong
resolution can be replaced while its round is open at the operator's, or once something was found since. A decision that
repeats the standing one is done already: a batch that was cut short can be given again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from retention.core.model import CANCELLED_STATES, State
from retention.core.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's decision about one cancellation. `line` is the one of its file, None without a file.

    `expected` is the state that the file has for it, None where it has none.
    """

    id: int
    as_state: State
    note: str
    line: int | None = None
    expected: str | None = None


class ResolvableRow(Protocol):
    """A row of `lock_resolvable`. `finding`: it has one without a decision. `rival`: another row of its round is
    live or cancelled.
    """

    @property
    def id(self) -> int: ...
    @property
    def partner(self) -> str: ...
    @property
    def round_id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def conflict(self) -> bool: ...
    @property
    def resolved_as(self) -> str | None: ...
    @property
    def resolved_by(self) -> str | None: ...
    @property
    def resolved_note(self) -> str | None: ...
    @property
    def resolved_from(self) -> str | None: ...
    @property
    def finding(self) -> bool: ...
    @property
    def rival(self) -> bool: ...
    @property
    def amount(self) -> Decimal | None: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def stake(self) -> Decimal | None: ...
    @property
    def stake_currency(self) -> str | None: ...


@dataclass(slots=True)
class ResolutionSum:
    """The decisions for one state: how many, and the refunds and stakes of their rounds by currency, in its units."""

    count: int = 0
    refunds: dict[str, Decimal] = field(default_factory=dict)
    stakes: dict[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedResolutions:
    """Decisions sorted by their effect. `refused` says why, in the order of the decisions.

    `done`: ids that stand resolved in the same words. `unclosed`: those of `done` whose rounds are still open at the
    operator's.
    """

    to_do: Sequence[Resolution]
    done: Sequence[int]
    unclosed: Sequence[int]
    refused: Sequence[str]
    sums: Mapping[State, ResolutionSum]


def check_resolutions(
    resolutions: Sequence[Resolution],
    rows: Iterable[ResolvableRow],
    by: str,
    earlier: str,
    archived: Mapping[int, str] = MappingProxyType({}),
) -> CheckedResolutions:
    """Check decisions against rows of the ledger. `earlier` begins the part of a note that keeps the older one.

    `archived`: the months of cancellations that are archived.
    """
    found = {row.id: row for row in rows}
    to_do, done, unclosed, refused = [], [], [], []
    sums: dict[State, ResolutionSum] = {}
    holders: dict[tuple[str, str], int] = {}
    for one in resolutions:
        row = found.get(one.id)
        if row is None:
            month = archived.get(one.id)
            words = no_such_cancellation(one.id) if month is None else is_archived(one.id, month)
            refused.append(f"{_place(one)}{words}")
            continue
        cancelled = one.as_state in CANCELLED_STATES
        if _is_done(one, row, by, earlier):
            done.append(one.id)
            if row.conflict and cancelled:
                unclosed.append(one.id)
            continue
        problem = next(_refusals(one, row), None)
        if (
            problem is None
            and cancelled
            and (other := holders.setdefault((row.partner, row.round_id), one.id)) != one.id
        ):
            problem = f"cannot be {one.as_state}: so is cancellation {other}, which is of the same round"
        if problem is not None:
            refused.append(f"{_place(one)}cancellation {one.id} {problem}")
            continue
        to_do.append(one)
        _add(sums.setdefault(one.as_state, ResolutionSum()), row)
    return CheckedResolutions(to_do, done, unclosed, refused, sums)


def no_such_cancellation(number: int) -> str:
    """Say that the ledger does not have a cancellation."""
    return f"there is no cancellation {number}; `retention review list` shows them"


def is_archived(number: int, month: str) -> str:
    """Say that a cancellation has left the ledger, if it ever was."""
    return f"cancellation {number} is of {month}, which is archived: what needed nobody has left, and stays as it was"


def resolution_facts(resolutions: Sequence[Resolution], by: str) -> dict[str, Any]:
    """Describe decisions for the evidence: by whom, as which state, with which note.

    Several decisions are counted by state and named by a digest: SHA-256 over their ids in ascending order, in decimal,
    each with a line end.
    """
    states = Counter(one.as_state.value for one in resolutions)
    notes = {one.note for one in resolutions}
    facts: dict[str, Any] = {"by": by}
    facts["as"] = next(iter(states)) if len(states) == 1 else dict(sorted(states.items()))
    if len(notes) == 1:
        facts["note"] = next(iter(notes))
    if len(resolutions) > 1:
        ids = "".join(f"{one}\n" for one in sorted(one.id for one in resolutions))
        facts |= {"rows": len(resolutions), "ids_sha256": hashlib.sha256(ids.encode()).hexdigest()}
    return facts


def resolved_text(states: Mapping[State, int]) -> str:
    """Say how many cancellations are resolved as which state."""
    parts = ", ".join(f"{count} as {state}" for state, count in sorted(states.items()))
    return f"{counted(sum(states.values()), 'cancellation')}{': ' if parts else ''}{parts}"


def _is_done(one: Resolution, row: ResolvableRow, by: str, earlier: str) -> bool:
    """Tell whether a row stands resolved in the words of this decision, and nothing was found since."""
    if row.state != State.RESOLVED or row.finding or (row.resolved_as, row.resolved_by) != (one.as_state, by):
        return False
    note = row.resolved_note or ""
    return note == one.note or note.startswith(f"{one.note}{earlier}")


def _refusals(one: Resolution, row: ResolvableRow) -> Iterator[str]:
    """Say why a cancellation cannot be resolved so, the most telling reason first."""
    cancelled = one.as_state in CANCELLED_STATES
    if row.mode == "dry_run":
        yield "belongs to a dry run: nothing was done that could be resolved"
    if one.expected is not None and one.expected != row.state:
        yield f"is {row.state} by now, and {one.expected} in the file; list it again"
    if row.state == State.CLAIMED:
        yield "is being worked on by a run just now; see what becomes of it"
    if row.state in {State.PLANNED, State.RETRYING}:
        yield f"is {row.state}: its run is not through with it; go on with `retention run --resume`"
    if row.state == State.RESOLVED and not row.finding and (cancelled or not row.conflict):
        mend = "; `retention review reclose` closes its round" if row.conflict else ""
        yield f"is resolved already, as {row.resolved_as} by {row.resolved_by}{mend}"
    if not cancelled and (row.resolved_from or row.state) in CANCELLED_STATES:
        yield "is confirmed by the vendor: it is resolved as cancelled or already_cancelled, as nothing else"
    if cancelled and row.rival:
        yield f"cannot be {one.as_state}: another row of its round is live or cancelled"


def _place(one: Resolution) -> str:
    return "" if one.line is None else f"line {one.line}: "


def _add(total: ResolutionSum, row: ResolvableRow) -> None:
    total.count += 1
    for sums, amount, currency in (
        (total.refunds, row.amount, row.currency),
        (total.stakes, row.stake, row.stake_currency),
    ):
        if amount is not None and currency is not None:
            sums[currency] = sums[currency] + amount if currency in sums else amount
