"""The ledger's statements, each without one of its guarantees: the model has to find every mutant."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString
from unittest.mock import patch

from retention.engine.claims_in_hand import ClaimsInHand
from retention.ledger import database
from retention.ledger.claims import Claims
from retention.ledger.queries import query, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


IN_PROGRESS_LATELY = (
    "c.in_progress_at BETWEEN statement_timestamp() - make_interval(secs => %(told_within)s)\n"
    "    AND statement_timestamp() + interval '2 seconds'"
)
"""The fragment that keeps a cancel to rounds which the vendor has just called in progress."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one statement: every `old` becomes `new`, in each of the `statements`. `invariant` is a part of the
    violation that the model has to report.
    """

    name: str
    statements: str
    changes: tuple[tuple[LiteralString, LiteralString], ...]
    invariant: str
    quick: bool = False
    """Whether the default tests look for it: few histories are enough, and it is one of a kind."""


MUTANTS = (
    Mutant(
        "what a dead process claimed is sent again without asking",
        "claims/expire_claims",
        (
            (
                "a.kind = 'cancel' OR e.may_have_taken_effect OR e.refusal_pending_probe AS is_doubt",
                "false AS is_doubt",
            ),
            ("may_have_taken_effect = c.may_have_taken_effect OR e.kind = 'cancel'", "may_have_taken_effect = false"),
        ),
        "may have cancelled it",
    ),
    Mutant(
        "a group forgets the slots that it gives",
        "claims/claim_rounds claims/claim_probes",
        (("set_bit(f.places, p.place, 1)::varbit", "f.places"),),
        "its slot in the group was taken",
    ),
    Mutant(
        "a claim does not look whether the round is open",
        "claims/claim_rounds claims/claim_probes",
        (("WHEN s.rows = 0 THEN 'closed'", "WHEN s.rows = 0 THEN NULL"),),
        "was not open",
    ),
    Mutant(
        "a claim does not look for holds",
        "claims/claim_rounds claims/claim_probes",
        (("WHEN s.held THEN 'held'", ""),),
        "was on hold",
    ),
    Mutant(
        "a claim does not look for players",
        "claims/claim_rounds claims/claim_probes",
        (("WHEN s.came_back THEN 'came_back'", ""),),
        "had come back",
    ),
    Mutant(
        "a claim knows a round by its id alone",
        "claims/claim_rounds claims/claim_probes",
        (("WHEN NOT s.same_opening THEN 'opened_again'", ""),),
        "was not open",
    ),
    Mutant(
        "a cancel does not ask what the vendor said",
        "claims/claim_rounds",
        ((IN_PROGRESS_LATELY, "true"),),
        "had not said that it is in progress",
    ),
    Mutant(
        "a claim has no attempt",
        "claims/claim_rounds",
        (
            (
                "%(kind)s, %(replica)s, clock_timestamp() FROM claimed",
                "%(kind)s, %(replica)s, clock_timestamp() FROM claimed WHERE false",
            ),
        ),
        "without a trace",
        quick=True,
    ),
    Mutant(
        "settling forgets close_rounds",
        "settlements/settle_replies",
        (("    FROM asked\n    HAVING", "    FROM asked WHERE false\n    HAVING"),),
        "could have closed it",
    ),
    Mutant(
        "settling leaves no evidence",
        "settlements/settle_replies",
        (
            (
                "FROM settled c, retention.ledger_key k",
                "FROM (SELECT * FROM settled WHERE false) c, retention.ledger_key k",
            ),
        ),
        "no evidence",
    ),
    Mutant(
        "the evidence of a settlement is of another row",
        "settlements/settle_replies",
        (("c.run_id, 'cancellation', c.id::text,", "c.run_id, 'cancellation', (c.id + 1)::text,"),),
        "no evidence",
    ),
    Mutant(
        "a settlement is written twice",
        "settlements/settle_replies",
        (("AND c.state IN ('planned', 'claimed', 'retrying', 'in_doubt'))", ")"),),
        "BROKEN",
    ),
    Mutant(
        "a later run plans doubts again",
        "plans/freeze_plan plans/supersede_rounds",
        (
            (" AND NOT c.may_have_taken_effect", ""),
            ("c.state IN ('planned', 'retrying')", "c.state IN ('planned', 'retrying', 'in_doubt')"),
        ),
        "may have cancelled it",
    ),
    Mutant(
        "a lost claim is not recorded again",
        "claims/restore_attempts",
        (("FROM given g WHERE NOT EXISTS", "FROM given g WHERE false AND NOT EXISTS"),),
        "is not on record after a fail-over",
        quick=True,
    ),
    Mutant(
        "a lost claim is recorded again, and its round is free",
        "claims/restore_attempts",
        (("WHERE c.id = t.id AND c.state IN", "WHERE false AND c.id = t.id AND c.state IN"),),
        "may have cancelled it",
    ),
    Mutant(
        "a release is not repeated",
        "claims/release_claims",
        (("AND c.state = 'claimed' AND c.attempt_uuid = a.uuid\n    RETURNING", "AND false\n    RETURNING"),),
        "what it had released stands as a request",
    ),
    Mutant(
        "a process that begins after a fail-over claims at once",
        "claims/claim_rounds claims/claim_probes",
        (("AND pg_postmaster_start_time() = s.server_started", ""),),
        "may have cancelled it",
    ),
)


@dataclass(frozen=True, slots=True)
class Idle:
    """A method of the engine's or the ledger's that does nothing: this stands in its place. `invariant` as in a
    Mutant.
    """

    name: str
    owner: type
    method: str
    instead: Callable[..., object]
    invariant: str
    quick: bool = False


async def _restores_nothing(*_: object) -> dict[str, int | None]:
    return {}


IDLE = (
    Idle(
        "a process that lives does not record its claims again",
        Claims,
        "restore_attempts",
        _restores_nothing,
        "is not on record after a fail-over",
    ),
    Idle(
        "a process that lives does not repeat its releases",
        ClaimsInHand,
        "released_since",
        lambda *_: [],
        "what it had released stands as a request",
    ),
)
"""Guarantees of the engine, beside those of the statements."""

AT_ONCE = Mutant("a claim locks nothing", "claims/claim_rounds", (("FOR UPDATE OF c SKIP LOCKED", ""),), "BROKEN")
"""A fault that shows only when two replicas' statements overlap."""


@contextmanager
def broken_by(mutant: Mutant | Idle) -> Iterator[None]:
    """Let the ledger use the changed statement, or the method that does nothing. Each changed statement has to be run
    meanwhile: a mutant that nobody meets proves nothing.
    """
    if isinstance(mutant, Idle):
        with patch.object(mutant.owner, mutant.method, mutant.instead):
            yield
        return

    unused = {*mutant.statements.split()}
    assert unused <= {*statements()}, f"there is no statement {mutant.statements}"

    def changed(name: str) -> LiteralString:
        text = query(name)
        if name in mutant.statements.split():
            unused.discard(name)
            for old, new in mutant.changes:
                assert old in text, f"{name}.sql does not say {old!r} any more"
                text = text.replace(old, new)
        return text

    with patch.object(database, "query", changed):
        yield
    assert not unused, f"no history runs the changed {' and '.join(sorted(unused))}"
