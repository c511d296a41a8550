"""Checks that the markets and games of policies and reports exist, because a misspelt name selects nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.name_matching import NameKind, closest_name, list_names
from retention.core.text import printable
from retention.ledger.checks.finding import Finding
from retention.ledger.names import FoundNames, KnownNames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retention.core.planning.plan import Scope
    from retention.ledger.database import Database

MEND = "write names as the view spells them"

KINDS = (NameKind.MARKET, NameKind.GAME)


async def check_names(
    database: Database, policies: Sequence[tuple[str, Scope]], reports: Sequence[tuple[str, Sequence[str]]] = ()
) -> list[Finding]:
    """Warn of each policy with a market or game that neither the operator's view nor the ledger has.

    `reports`: the name of each report and its markets, which are checked likewise.
    """
    owners = [(f"policy {name}", {kind: [*_names_in_scope(kind, scope)] for kind in KINDS}) for name, scope in policies]
    owners += [
        (f"report {name}", {NameKind.MARKET: [("markets", one) for one in markets]}) for name, markets in reports
    ]
    names = KnownNames(database)
    unseen: dict[NameKind, set[str]] = {}
    known: dict[NameKind, frozenset[str]] = {}
    certain, why_not = True, ""
    for kind in KINDS:
        given = sorted({name for _, of_owner in owners for _, name in of_owner.get(kind, ())})
        found = await names.find_names(kind, given) if given else FoundNames(frozenset(), certain=True)
        unseen[kind] = set(given) - found.names
        # A look-up that timed out would time out again.
        known[kind] = (await names.list_names(kind)).names if unseen[kind] and found.certain else frozenset()
        if unseen[kind] and not found.certain:
            certain, why_not = False, found.why_not
    findings = []
    for owner, of_owner in owners:
        strange: list[str] = []
        for kind in KINDS:
            of_kind = [(key, name) for key, name in of_owner.get(kind, ()) if name in unseen[kind]]
            strange += (f"{key} {printable(name)}{_suggestion(name, known[kind])}" for key, name in of_kind)
            strange += [f"known {kind}s: {list_names(known[kind])}"] if of_kind and certain else []
        if strange:
            findings.append(_finding(owner, strange, why_not))
    return findings


def _suggestion(name: str, known: frozenset[str]) -> str:
    meant = closest_name(name, known)
    return f" (did you mean {printable(meant)}?)" if meant is not None else ""


def _finding(owner: str, strange: Sequence[str], why_not: str) -> Finding:
    if not why_not:
        message = f"neither the open rounds nor the ledger have ever shown {'; '.join(strange)}; {MEND}"
    else:
        message = f"{'; '.join(strange)}: whether there are such names was not found out{why_not}"
    return Finding(f"names in {owner}", ok=True, message=message, warning=True)


def _names_in_scope(kind: NameKind, scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield a scope's names of that kind, each with its configuration key."""
    if kind is NameKind.MARKET:
        lists = {"markets": scope.markets or (), "exclude_markets": scope.exclude_markets}
    else:
        lists = {"games": scope.games or (), "exclude_games": scope.exclude_games}
    for key, names in lists.items():
        for name in names:
            yield key, name
