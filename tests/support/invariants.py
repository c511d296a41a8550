"""The invariants, each as a check over a history that names each violation."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from retention.simulator.rounds import RoundStatus, worst_second
from support.history import read
from support.losses import Lost
from support.review_causes import causes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from retention.simulator.rounds import Request
    from support.history import Cancellation, History, Run
    from support.world import World

CANCELLED = {"cancelled", "already_cancelled"}

_LIVE = {"planned", "claimed", "retrying", "in_doubt"}
_KINDS = {"CancelRound": "cancel", "GetRoundStatus": "status"}

SLOT_AHEAD = timedelta(seconds=10)
"""How long after its claim a request leaves at the latest, where its process did not live to write it down."""

LOOK_GOOD = timedelta(seconds=1)
"""How long after a hold, a closing, a player's return or a stop was committed a request may still leave."""

TOLD_GOOD = timedelta(seconds=60)
"""How long a cancel may rely on the vendor's word that its round is in progress."""

BUNCHED = 1.05
"""Arrivals may be bunched by this much: the sender does not cause jitter on the way."""


async def violations(
    world: World,
    *,
    left: Mapping[str, datetime] | None = None,
    stopped: datetime | None = None,
    rate: float | None = None,
    at_rest: bool = False,
    lost: Lost | None = None,
    shifts: Sequence[timedelta] = (),
) -> list[str]:
    """Name every broken invariant; the arguments are those of History, and of its reading."""
    lost = lost or Lost()
    return broken(
        await read(world, shifts=shifts, left=left or {}, stopped=stopped, rate=rate, at_rest=at_rest, lost=lost)
    )


def broken(history: History) -> list[str]:
    """Name every broken invariant, each by its check's name and the violation."""
    return [f"{check.__name__}: {what}" for check in INVARIANTS for what in check(history)]


def on_record(history: History) -> Iterator[str]:
    """Every request that the vendor saw has an attempt in the ledger, for that round and of that kind.

    Where the database has lost an attempt, its process records it again, if it lives; and without its row, where the
    database has lost that too.
    """
    attempts = {str(one.uuid): one for one in history.attempts}
    rounds = {row.id: row.round_id for row in history.cancellations}
    for request in history.about_rounds():
        attempt = attempts.get(request.uuid)
        if attempt is None:
            if request.uuid not in history.lost.orphans:
                yield f"{request.call} {request.round_id} left without a trace ({request.uuid} at {request.at})"
        elif attempt.cancellation_id not in rounds:
            if attempt.kind != _KINDS[request.call] or not history.lost.claimed(attempt.claimed_at):
                yield f"{request.call} {request.round_id} stands in the ledger without its round ({request.uuid})"
        elif (rounds[attempt.cancellation_id], attempt.kind) != (request.round_id, _KINDS[request.call]):
            yield f"{request.call} {request.round_id} stands in the ledger as something else"


def on_record_before(history: History) -> Iterator[str]:
    """The attempt was there before its request was."""
    claimed = {str(one.uuid): one.claimed_at for one in history.attempts}
    for request in history.about_rounds():
        if request.uuid in claimed and claimed[request.uuid] > request.at:
            yield f"{request.call} {request.round_id} left before its attempt was written"


def fresh_uuid(history: History) -> Iterator[str]:
    """No two requests have the same uuid."""
    for uuid, times in Counter(request.uuid for request in history.about_rounds()).items():
        if times > 1:
            yield f"{uuid} was sent {times} times"


def replied_by_vendor(history: History) -> Iterator[str]:
    """The vendor got a request for each round that the ledger has as replied to."""
    asked = history.requests_by_uuid()
    for attempt in history.attempts:
        if attempt.replied_at is not None and str(attempt.uuid) not in asked:
            yield f"{attempt.uuid} has a reply, and the vendor never heard of it"


def cancelled_once(history: History) -> Iterator[str]:
    """The vendor cancelled no round twice."""
    for truth in history.truths:
        if truth.cancelled_times > 1:
            yield f"round {truth.round_id} was cancelled {truth.cancelled_times} times"


def one_at_a_time(history: History) -> Iterator[str]:
    """No cancel request arrives while the sender waits for another for that round.

    A request that the network or the vendor held for longer than the timeout cannot be called back.
    """
    attempts = {str(one.uuid): one for one in history.attempts}
    spans = defaultdict(list)
    for request in history.requests:
        attempt = attempts.get(request.uuid)
        if request.call == "CancelRound" and request.finished_at is not None and attempt is not None:
            sent = attempt.sent_at or attempt.claimed_at + SLOT_AHEAD
            finished = request.at + timedelta(seconds=request.finished_at - request.arrived_at)
            spans[request.round_id].append((request.at, min(finished, sent + timedelta(seconds=history.timeout))))
    for name, times in spans.items():
        ordered = sorted(times)
        for earlier, later in itertools.pairwise(ordered):
            if later[0] < earlier[1]:
                yield f"round {name} was in flight twice"


def never_again(history: History) -> Iterator[str]:
    """A round that is recorded as cancelled is not asked to be cancelled again."""
    sent = {str(one.uuid): one.sent_at for one in history.attempts}
    settled = {row.round_id: row for row in history.cancellations if row.state in CANCELLED}
    for request in history.requests:
        row = settled.get(request.round_id)
        if request.call == "CancelRound" and row is not None and row.settled_at is not None:
            left_at = sent.get(request.uuid) or request.at  # the network may have held it for a while
            if min(left_at, request.at) > row.settled_at:
                yield f"round {request.round_id} was called again after it was recorded as cancelled"


def asked_before_again(history: History) -> Iterator[str]:
    """After a cancel request without a known end, the next one waits until the vendor says that it did nothing.

    A question that the ledger has lost, with a process that is gone, is known to the vendor.
    """
    if not history.probes:
        return
    resolved = {row.round_id for row in history.cancellations if row.state == "resolved"}
    departed, lost = {uuid: at for _, uuid, at in history.departures()}, _lost_answers(history)
    for name, attempts in history.attempts_by_round().items():
        doubt = None  # since when
        for attempt in attempts:
            if attempt.kind == "status":
                doubt = None if attempt.outcome == "in_progress" else doubt
                continue
            at = departed.get(str(attempt.uuid), attempt.claimed_at)
            if doubt is not None and any(doubt < asked < at for asked in lost.get(name, ())):
                doubt = None
            if doubt is not None and name not in resolved and attempt.outcome != "released":
                yield f"round {name} was sent again in doubt, and nobody had asked"
            if doubt is None and attempt.outcome in {"in_doubt", None}:
                doubt = at


def asked_between(history: History) -> Iterator[str]:
    """Between two cancel requests for a round that reach the vendor, a question about it reaches the vendor.

    The vendor alone is the witness: it knows of requests that the ledger has lost with their processes.
    """
    if not history.asks_first:
        return
    departed = {uuid: at for _, uuid, at in history.departures()}
    asked: defaultdict[str, list[Request]] = defaultdict(list)
    cancels: defaultdict[str, list[Request]] = defaultdict(list)
    for request in sorted(history.about_rounds(), key=lambda one: one.at):
        (cancels if request.call == "CancelRound" else asked)[request.round_id].append(request)
    for name, requests in cancels.items():
        for earlier, later in itertools.pairwise(requests):
            left = departed.get(earlier.uuid, earlier.at)  # the network may have held it
            if not any(left < question.at < later.at for question in asked[name]):
                yield f"round {name} was called at {earlier.at} and at {later.at}, and nobody had asked between"


def not_after_leaving(history: History) -> Iterator[str]:
    """No cancel request leaves for a round that was closed, held, or played again more than a second before.

    The check skips decisions that the database has lost.
    """
    for name, uuid, at in history.departures():
        left = history.left.get(name)
        if left is not None and at > left + LOOK_GOOD and not history.lost.lapsed(name, at - LOOK_GOOD):
            yield f"round {name} was called at {at} ({uuid}), and had been left at {left}"


def not_after_stop(history: History) -> Iterator[str]:
    """No cancel request leaves more than a second after a stop or a pause was committed."""
    for name, uuid, at in history.departures():
        if history.stopped is not None and at > history.stopped + LOOK_GOOD:
            yield f"round {name} was called at {at} ({uuid}), and all was stopped at {history.stopped}"


def asked_first(history: History) -> Iterator[str]:
    """Each cancel request follows, within a minute, a question that the vendor answered with: in progress.

    A question that the ledger has lost, with a process that is gone, is known to the vendor.
    """
    if not history.asks_first:
        return
    departed, lost = {uuid: at for _, uuid, at in history.departures()}, _lost_answers(history)
    for name, attempts in history.attempts_by_round().items():
        told = None
        for attempt in attempts:
            if attempt.kind == "status":
                told = attempt.sent_at if attempt.outcome == "in_progress" else told
                continue
            at = departed.get(str(attempt.uuid))
            if at is None:  # it was released, and the vendor's word still stands
                continue
            told = max(filter(None, [told, *(asked for asked in lost.get(name, ()) if asked < at)]), default=None)
            if told is None or at - told > TOLD_GOOD:
                yield f"round {name} was called at {at}, and the vendor had said that it is in progress at {told}"
            told = None


def _lost_answers(history: History) -> Mapping[str, Sequence[datetime]]:
    """When the vendor answered questions that the ledger has lost, with a process that is gone; by round."""
    found = defaultdict(list)
    for request in history.about_rounds():
        if request.call == "GetRoundStatus" and request.code == "0" and request.uuid in history.lost.orphans:
            found[request.round_id].append(request.at)
    return found


def approved_first(history: History) -> Iterator[str]:
    """Where a run requires approval, its cancel requests follow an approval by another person that stands and had not
    expired.
    """
    runs = {run.run_id: run for run in history.runs}
    rows = {str(one.uuid): one.cancellation_id for one in history.attempts}
    of_row = {row.id: (row.run_id, row.adopted_by_run) for row in history.cancellations}
    for name, uuid, at in history.departures():
        for run_id in of_row.get(rows[uuid], ()):
            run = runs.get(run_id) if run_id else None
            if run is not None and run.settings.get("requires_approval") and (why := _unapproved(run, at)):
                yield f"round {name} was called at {at} ({uuid}), and its run {why}"


def _unapproved(run: Run, at: datetime) -> str | None:
    """Say why a request of this moment had no approval."""
    if run.rejected_at is not None:
        return "was rejected"
    if run.approved_at is None or run.approved_by is None or run.approved_at > at:
        return "was not approved by then"
    if run.approval_expires_at is None or run.approved_at >= run.approval_expires_at:
        return "was approved too late"
    same = run.approved_by.strip().casefold() == run.requested_by.strip().casefold()
    return "was approved by the person who had asked for it" if same else None


def nothing_over_is_cancelled(history: History) -> Iterator[str]:
    """With questions first, the vendor is led to reverse no round that is over or won."""
    for truth in history.truths if history.asks_first else ():
        if truth.reversed_times:
            yield f"round {truth.round_id} was completed, and was cancelled"
        if truth.winnings_lost_times and not history.cancels_winnings:
            yield f"round {truth.round_id} had winnings, and was cancelled"


def vendor_and_ledger_agree(history: History) -> Iterator[str]:
    """The ledger's cancelled rounds are exactly the vendor's; each doubt is listed for review."""
    settled = {row.round_id for row in history.cancellations if row.state in CANCELLED}
    seen = {row.round_id for row in history.cancellations if row.state == "resolved"}
    seen |= {row.round_id for row in history.cancellations if row.state == "in_doubt" and row.id in history.listed}
    for truth in history.truths:
        name, there = truth.round_id, truth.status in {RoundStatus.CANCELED, RoundStatus.CANCEL_IN_PROCESS}
        if there and name not in settled and name not in seen:
            yield f"round {name}: the vendor has {truth.status}, the ledger not"
        if not there and name in settled:
            yield f"round {name}: the ledger has cancelled, the vendor {truth.status}"


def operator_and_ledger_agree(history: History) -> Iterator[str]:
    """The operator's table is closed for exactly the rounds that the ledger has as cancelled without a conflict."""
    rows = {row.round_id: row for row in history.cancellations if row.state in CANCELLED}
    resolved = {row.round_id for row in history.cancellations if row.state == "resolved"}
    kept = {one.round_id: one for one in history.operator}
    for name, row in rows.items():
        one = kept.get(name)
        if row.conflict:
            continue
        if one is None or one.status != 2:
            yield f"round {name}: settled, but status {one.status if one else None} at the operator's"
        elif one.refund != row.amount:
            yield f"round {name}: {row.amount} in the ledger, {one.refund} at the operator's"
    for one in kept.values():
        if one.status == 2 and one.round_id not in rows and one.round_id not in resolved:
            yield f"round {one.round_id}: closed at the operator's, and the ledger has it not"


def amount_as_told(history: History) -> Iterator[str]:
    """An amount in the ledger equals the vendor's to the last digit."""
    truths = {truth.round_id: truth for truth in history.truths}
    asked = history.requests_by_uuid()
    for row in history.cancellations:
        request = asked.get(str(row.attempt_uuid))
        truth = truths.get(row.round_id)
        if row.amount is None or truth is None or request is None or request.fault is not None:
            continue
        if (row.amount, row.currency) != (truth.amount, truth.currency):
            told = f"{truth.amount} {truth.currency}"
            yield f"round {row.round_id}: {row.amount} {row.currency} in the ledger, {told} at the vendor's"


def one_row_holds_a_round(history: History) -> Iterator[str]:
    """A round has at most one row that is live or cancelled."""
    holding = Counter(row.round_id for row in history.cancellations if row.state in _LIVE | CANCELLED)
    for name, rows in holding.items():
        if rows > 1:
            yield f"round {name} is live or cancelled in {rows} rows"


def counted(history: History) -> Iterator[str]:
    """A row counts its cancel requests."""
    made = Counter(
        one.cancellation_id for one in history.attempts if one.kind == "cancel" and one.outcome != "released"
    )
    for row in history.cancellations:
        if row.attempts != made[row.id]:
            yield f"round {row.round_id}: {row.attempts} attempts counted, {made[row.id]} made"


def nothing_lost(history: History) -> Iterator[str]:
    """A finished run leaves no round half done; at rest, each round that is open was dealt with or waits for a
    person.
    """
    status = {run.run_id: run.status for run in history.runs}
    newest: dict[str, Cancellation] = {}
    for row in sorted(history.cancellations, key=lambda one: one.id):
        newest[row.round_id] = row
        over = status[row.adopted_by_run or row.run_id] == "finished"
        if row.state in _LIVE and over and row.id not in history.listed:
            yield f"round {row.round_id} is {row.state} in a run that is finished, and nobody is told"
    if not history.at_rest:
        return
    for one in history.operator:
        last = newest.get(one.round_id)
        if one.status == 0 and (last is None or (last.state == "not_sent" and last.id not in history.listed)):
            yield f"round {one.round_id} is open, and nothing was done about it"
        elif last is not None and last.state in _LIVE and last.id not in history.listed:
            yield f"round {one.round_id} is left as {last.state}, and nobody is told"


def listed_for_cause(history: History) -> Iterator[str]:
    """A round in the review list needs a person: its requests and replies do not settle it."""
    known = causes(history)
    for row in history.cancellations:
        if row.id in history.listed and row.id not in known:
            yield f"round {row.round_id} is listed for review as {row.state} without a cause"


def proven(history: History) -> Iterator[str]:
    """Each row is as its newest evidence says, and the tree and its checkpoints are whole, by a naive reading."""
    yield from history.unproven


def audited(history: History) -> Iterator[str]:
    """`audit verify` finds nothing."""
    yield from history.audited


def totalled(history: History) -> Iterator[str]:
    """The totals of each run are the counts of its rows."""
    yield from history.miscounted


def within_the_rate(history: History) -> Iterator[str]:
    """No sliding second holds more cancel requests than the rate, as seen from either end."""
    if history.rate is None:
        return
    cancels = [one.sent_at.timestamp() for one in history.attempts if one.kind == "cancel" and one.sent_at is not None]
    arrived = [request.arrived_at for request in history.requests if request.call == "CancelRound"]
    # A stall of one end's process bunches its own times, both ends see a burst.
    worst = min(worst_second(cancels), worst_second(arrived))
    if worst > history.rate * BUNCHED:
        yield f"{worst} requests in one second, {history.rate:g} are allowed"


def within_the_groups_rate(history: History) -> Iterator[str]:
    """No sliding second holds more requests about rounds than the rate group's rate, as seen from either end."""
    if history.group_rate is None:
        return
    sent = [one.sent_at.timestamp() for one in history.attempts if one.sent_at is not None]
    arrived = [request.arrived_at for request in history.about_rounds()]
    worst = min(worst_second(sent), worst_second(arrived))
    if worst > history.group_rate * BUNCHED:
        yield f"{worst} requests of the group in one second, {history.group_rate:g} are allowed"


INVARIANTS: tuple[Callable[[History], Iterator[str]], ...] = (
    on_record,
    on_record_before,
    fresh_uuid,
    replied_by_vendor,
    cancelled_once,
    one_at_a_time,
    never_again,
    asked_before_again,
    asked_between,
    asked_first,
    approved_first,
    nothing_over_is_cancelled,
    not_after_leaving,
    not_after_stop,
    vendor_and_ledger_agree,
    operator_and_ledger_agree,
    amount_as_told,
    one_row_holds_a_round,
    counted,
    nothing_lost,
    listed_for_cause,
    proven,
    audited,
    totalled,
    within_the_rate,
    within_the_groups_rate,
)
