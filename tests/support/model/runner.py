"""Plays as many histories as asked for, and counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from support.model.fleet import Fleet
from support.model.gated_fleet import GatedFleet
from support.model.invariants import BrokenError
from support.model.machine import Machine, Tally
from support.results_table import Evidence

if TYPE_CHECKING:
    from support.model.database import ModelDatabase

STEPS = 50
"""Steps of one history, before its end."""


def play(
    db: ModelDatabase, examples: int, *, seed: int, shorten: bool = True, gated: bool = False
) -> tuple[Evidence, Tally]:
    """Play the histories that come of a seed, the same ones each time.

    An invariant that is broken is the evidence's violation: the history of it, as short as Hypothesis can make it,
    unless `shorten` is off. With `gated`, runs require approval. Any other error is a fault of the model or of the code under it, and is passed on.
    """
    about = "replicas, vendor and network, modelled"
    kept, all_tried = Evidence(f"{about}, and approvals" if gated else about), Tally()

    class Played(Machine):
        evidence, tally = kept, all_tried
        fleet_of = GatedFleet if gated else Fleet

    Played.db = db
    how = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=[Phase.generate, Phase.shrink] if shorten else [Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
        print_blob=False,
    )
    try:
        run_state_machine_as_test(hypothesis.seed(seed)(Played), settings=how)
    except BrokenError as broken:
        kept.violations.append(str(broken))
    return kept, all_tried
