"""The end of every history: all becomes quiet, and one last replica, to which nothing happens, does what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome
from support.model.replica import Replica
from support.model.vendor import HONEST

if TYPE_CHECKING:
    from uuid import UUID

    from retention.ledger.claims import PartnerTerms
    from support.model.invariants import Promises

LOOKS = 60
"""More looks than any few rounds can need: attempts and questions are counted."""

LAST = 9
"""The last replica's number."""


async def bring_to_an_end(promises: Promises, terms: PartnerTerms, runs: list[UUID]) -> list[str]:
    """Drain the network, let all leases run out, plan one more run, end every run, and ask whether all agree.

    Returns the state of each row of the ledger.
    """
    house, vendor = promises.house, promises.vendor
    promises.tell("the end: what is under way arrives, all replicas are gone, an hour passes")
    for sent in vendor.requests:
        promises.arrived(sent)
        vendor.arrive(sent, HONEST, promises.moment)
    vendor.requests.clear()
    vendor.replies.clear()
    await house.resume()
    promises.paused_at = None
    for name, known in promises.operator.items():
        if known.raises:
            known.raises = False
            await house.refuse(name, refuse=False)
    await house.pass_time(3600)
    last = await house.plan(terms)
    promises.as_of[str(last)] = house.now
    for run_id in (last, *runs):
        if await house.runs.start_run(run_id, None, again=True) is not None:
            await _finish(promises, Replica(LAST, house, terms, run_id), terms)
    return await promises.agree()


async def _finish(promises: Promises, replica: Replica, terms: PartnerTerms) -> None:
    """Work as an engine does, until the run is over."""
    kinds = [*Kind] if terms.status_probe else [Kind.CANCEL]
    for _ in range(LOOKS):
        for kind in kinds:
            claims = await replica.claim(kind, 5)
            promises.claimed(claims)
            while replica.claims:
                claim, leaves = await replica.next_to_send()
                promises.tell(f"the last one: {kind.value} {claim.round_id} {promises.number(claim)}")
                if not leaves:
                    continue
                sent = await promises.sending(LAST, claim)
                promises.arrived(sent)
                promises.vendor.arrive(sent, HONEST, promises.moment)
                item = await replica.hear(claim, promises.vendor.replies.pop())
                promises.tell(f"    {item.outcome.value}, so {item.state.value}" if item else "    released")
        while replica.unwritten:
            promises.written(await replica.write())
            await promises.look()
        for claim in await replica.hand_back():
            promises.past[claim.round_id].known[claim.uuid] = Outcome.RELEASED
        if replica.idle and await replica.conclude():
            return
        await promises.house.pass_time(1.0)
    raise promises.broken("the last replica does not come to an end")
