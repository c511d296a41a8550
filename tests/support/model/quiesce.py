"""The end of every history: the network drains, and one last replica without trouble does the remaining work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome
from support.model.replica import Replica
from support.model.vendor import HONEST

if TYPE_CHECKING:
    from uuid import UUID

    from retention.ledger.claims import PartnerTerms
    from support.model.invariants import Invariants

LOOKS = 60
"""More looks than a few rounds can need: attempts and probes are limited."""

LAST = 9
"""The last replica's number."""


async def quiesce(invariants: Invariants, terms: PartnerTerms, runs: list[UUID]) -> list[str]:
    """Drain the network, let all leases end, plan one more run, end every run, and check that all agree.

    Returns the state of each row of the ledger.
    """
    db, vendor = invariants.db, invariants.vendor
    invariants.log("the end: what is under way arrives, all replicas are gone, an hour passes")
    for sent in vendor.requests:
        invariants.arrived(sent)
        vendor.arrive(sent, HONEST, invariants.moment)
    vendor.requests.clear()
    vendor.replies.clear()
    await db.resume()
    invariants.paused_at = None
    for name, known in invariants.operator.items():
        if known.raises:
            known.raises = False
            await db.refuse(name, refuse=False)
    await db.pass_time(3600)
    for run in invariants.gate.runs.values():
        await db.approvals.request_approval(run.run_id)  # as each process does that comes to a planned run
    await db.approvals.expire_approvals()
    last = await db.plan(terms)
    invariants.as_of[str(last)] = db.now
    for run_id in (last, *runs):
        if await db.start_run(run_id, None, resumed=True):
            await _finish(invariants, Replica(LAST, db, terms, run_id), terms)
    return await invariants.agree()


async def _finish(invariants: Invariants, replica: Replica, terms: PartnerTerms) -> None:
    """Work as an engine does, until the run is over."""
    kinds = [*Kind] if terms.status_probe else [Kind.CANCEL]
    for _ in range(LOOKS):
        await replica.look()
        for kind in kinds:
            claims = await replica.claim(kind, 5)
            invariants.claimed(claims)
            while replica.claims:
                claim, leaves = await replica.next_to_send()
                invariants.log(f"the last one: {kind.value} {claim.round_id} {invariants.number(claim)}")
                if not leaves:
                    continue
                sent = await invariants.sending(LAST, claim)
                invariants.arrived(sent)
                invariants.vendor.arrive(sent, HONEST, invariants.moment)
                item = await replica.hear(claim, invariants.vendor.replies.pop())
                invariants.log(f"    {item.outcome.value}, so {item.state.value}" if item else "    released")
        while replica.unwritten:
            invariants.written(await replica.write())
            await invariants.look()
        for claim in await replica.hand_back():
            invariants.past[claim.round_id].known[claim.uuid] = Outcome.RELEASED
        if replica.idle and await replica.conclude():
            return
        await invariants.db.pass_time(1.0)
    raise invariants.broken("the last replica does not come to an end")
