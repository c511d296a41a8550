"""The demo's run that another person approves, and the proof of all evidence at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.audit.verify import RowSelection, verify_evidence
from retention.render import terminal_runs as show
from retention.render.terminal_approvals import print_approval
from retention.render.terminal_audit import print_audit
from retention.reports.run_view import result_document
from retention.runs.model import RequestedBy
from retention.runs.scope import scope_of

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

DIGEST_SHOWN = 12
"""Digits of a digest that a person types at least."""


async def approve_a_run(services: Services, signals: ShutdownSignals) -> None:
    """Have one person ask for a run of the policy `mga`, and another one approve it; then send it."""
    show.heading("retention run mga --by ann --reason 'MGA request 81'")
    policy = services.settings.policy("mga")
    scope = scope_of(services.settings, policy, None)
    runs = services.runs(signals, show=True)
    planned = await runs.plan(policy, scope, services.terms(scope.partners), RequestedBy("ann", "MGA request 81"))
    assert planned is not None  # only a scheduled time can have a run already
    waiting = await runs.execute(planned)
    show.print_result(result_document(waiting))
    run_id, digest = planned.run_id, waiting.summary.plan_digest
    if digest is None or signals.code is not None:
        return

    show.heading(f"retention approve {str(run_id)[:8]} --by bea --digest {digest[:DIGEST_SHOWN]}")
    print_approval(await runs.approve(run_id, "bea", digest[:DIGEST_SHOWN], "as MGA request 81 says"))

    show.heading(f"retention run --resume {str(run_id)[:8]} --by ann")
    show.print_result(result_document(await runs.resume(run_id, override=None, by="ann")))


async def prove_the_evidence(services: Services) -> None:
    """Verify all evidence of the demo."""
    show.heading("retention audit verify")
    await services.checkpoints.make()
    print_audit(await verify_evidence(services.database, RowSelection(), {}))
