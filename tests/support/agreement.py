"""Do the vendor, the ledger and the operator's table tell the same story?"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from retention.vendor.simulator import RoundStatus

if TYPE_CHECKING:
    from support.world import World

CANCELLED = {"cancelled", "already_cancelled"}


async def violations(world: World) -> list[str]:
    """Name every promise that was not kept."""
    found = []
    attempts = {str(row.uuid): row for row in await world.sql("SELECT * FROM retention.attempts")}
    asked = [request for request in world.vendor.requests if request.call in {"CancelRound", "GetRoundStatus"}]
    found += [
        f"{request.call} {request.round_id} left without a trace" for request in asked if request.uuid not in attempts
    ]
    uuids = [request.uuid for request in asked]
    found += (
        [f"uuid {uuid} was used twice" for uuid in {uuid for uuid in uuids if uuids.count(uuid) > 1}]
        if len(uuids) < 5000
        else []
    )
    for (_, name), truth in world.vendor.rounds.items():
        if truth.cancelled_times > 1:
            found.append(f"round {name} was cancelled {truth.cancelled_times} times")
    settled = {
        row.round_id: row
        for row in await world.sql(
            "SELECT round_id, state, settled_at, conflict FROM retention.cancellations WHERE state IN ('cancelled', 'already_cancelled')"
        )
    }
    operator = {row.round_id: row.status for row in await world.sql("SELECT round_id, status FROM public.rounds")}
    for (_, name), truth in world.vendor.rounds.items():
        cancelled_there = truth.status in {RoundStatus.CANCELED, RoundStatus.CANCEL_IN_PROCESS}
        if cancelled_there != (name in settled):
            found.append(
                f"round {name}: the vendor has {truth.status}, the ledger {'cancelled' if name in settled else 'not'}"
            )
        if name in settled and not settled[name].conflict and operator.get(name) != 2:
            found.append(f"round {name}: settled, but status {operator.get(name)} at the operator's")
    for request in asked:
        row = settled.get(request.round_id)
        if request.call == "CancelRound" and row is not None and request.at > row.settled_at:
            found.append(f"round {request.round_id} was called again after it was recorded as cancelled")
    return found + in_flight_twice(world)


def in_flight_twice(world: World) -> list[str]:
    """Name the rounds for which a cancel request arrived while another was being answered."""
    spans = defaultdict(list)
    for request in world.vendor.requests:
        if request.call == "CancelRound" and request.finished_at is not None:
            spans[request.round_id].append((request.arrived_at, request.finished_at))
    return [
        f"round {name} was in flight twice"
        for name, times in spans.items()
        for one, other in zip(sorted(times), sorted(times)[1:], strict=False)
        if other[0] < one[1]
    ]
