"""Texts that statements store in the ledger. Statements decide by codes; each text stands here once."""

from __future__ import annotations

import orjson

from retention.core.runs.halt_cause import HaltCause

CAME_BACK = "the player came back at "
"""The begin of the detail of a round whose player came back: it is open all the same."""

SKIPPED = orjson.dumps(
    {
        "closed": "not in the operator's view any more",
        "doubled": "the operator's view has this round %s times",
        "broken": "the operator's view has this round with a value that makes no sense any more: %s",
        "opened_again": "another round under this id, opened at %s",
        "no_time": "no time",
        "another_user": "another player's round under this id",
        "another_market": "another round under this id, in market %s",
        "no_market": "none",
        "came_back": f"{CAME_BACK}%s",
        "held": "on hold",
    }
).decode()
"""JSON, by the reason why a claim skips a round; PostgreSQL's format() puts the value in."""

DRY_RUN = "dry run"
"""Of each round in the plan of a dry run."""

PLANNED_AGAIN = "planned again by run {}"
"""Of a round that an abandoned run planned; takes the id of the run that supersedes it."""

REPLY_LOST = "the process that claimed it never recorded a reply"
"""Of an attempt whose claim expired."""

NOT_RETURNED = "close_rounds: did not return it, though the operator's view had it open"
"""Of a round that the operator's function refused silently."""

NOT_OPEN = "not open any more in the operator's view"
"""Of a cancelled round that was closed before."""

LEFT_OPEN = "close_rounds: it returned the round, which the operator's view still has open"
"""Of a round that the operator's function returned and did not close."""

UNASKED = "it returned rounds that it was not asked to close, or one twice: "
"""Begins the error about a function that closes rounds of others."""

NO_TARGET = "no such target is configured"
"""Of a delivery to a target that no configuration has."""

CUT_SHORT = "every try was cut short"
"""Of a delivery whose tries all ended with their processes."""

EARLIER_BEGINS = "; before: "
"""Begins what the note of a resolution keeps of the one that it replaces."""

EARLIER_RESOLUTION = f"{EARLIER_BEGINS}%s by %s at %s: %s"
"""Added to the note of a resolution that replaces another; PostgreSQL's format() puts state, name, time and note in."""

CLOSED_BEGINS = "closed by "
"""Begins the halt reason of a run that a person closed; the name and the note follow."""

REJECTED = "rejected by {}: {}"
"""Of a run whose plan a person rejected, and of its rounds; takes the name and the note."""

APPROVAL_EXPIRED = HaltCause.APPROVAL_EXPIRED.reason("approval expired before the run had started with it")
"""Of a run whose approval was not given, or not used, in time; and of its rounds."""

NO_REASON = "no reason on record"
"""Shown for a round that was not sent without a detail."""
