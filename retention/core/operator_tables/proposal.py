"""Proposes the view, the function, the indexes and the roles for one table, from the facts about it.

A question mark stands in a comment where a person has to decide, and nowhere else. An answer that the facts do not give
is a placeholder such as "? market": psql stops there, and shows the line. Each expression that the indexes need stands
in all files to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.closing_text import closing_text
from retention.core.operator_tables.draft import TABLE, Choice, Draft
from retention.core.operator_tables.ids import choose_game, choose_partner, choose_round, choose_user
from retention.core.operator_tables.index_text import index_text
from retention.core.operator_tables.model import Parts
from retention.core.operator_tables.money import choose_stake
from retention.core.operator_tables.places import choose_currency, choose_market, choose_provider
from retention.core.operator_tables.roles_text import roles_text
from retention.core.operator_tables.state import choose_state
from retention.core.operator_tables.times import ZONE, choose_activity, choose_opened
from retention.core.operator_tables.view_text import view_text

if TYPE_CHECKING:
    from retention.core.operator_tables.facts import Facts


_ALL = """\
-- Runs the files of this folder in their order: psql -v ON_ERROR_STOP=1 -d DATABASE -f all.sql
-- Run it as the owner of the table, after `retention db migrate`, and without --single-transaction, since indexes are
-- made CONCURRENTLY. A second run changes nothing.
\\set ON_ERROR_STOP on
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The text of each file by its name, in the order in which they run; the last one runs the others.

    `decisions`: for each file, what a person has to decide there. `stops`: how many of them psql stops at.
    """

    files: dict[str, str]
    decisions: dict[str, tuple[str, ...]]
    stops: int


def propose(facts: Facts, roles: str) -> Proposal:
    """Propose the files for a table; `roles`: the text of sql/operator/roles.sql. Raises JournalError."""
    draft = Draft(facts)
    partner = choose_partner(draft)
    choices = {"partner": partner, "round_id": choose_round(draft, partner)}
    choices["user_id"] = choose_user(draft)
    choices["market"] = choose_market(draft)
    choices["game_id"] = choose_game(draft)
    currency = choose_currency(draft)
    stake = choose_stake(draft, currency)
    choices |= {"currency": stake.currency or currency, "stake": stake.choice}
    choices["opened_at"] = choose_opened(draft)
    choices["last_activity_at"] = choose_activity(draft, stake.last_at)
    choices["bet_transaction_id"] = _bet_transaction(draft)
    zoned = f"{choices['last_activity_at'].sql} {stake.join}"
    if ZONE in zoned and ZONE not in choices["opened_at"].sql:
        choices["last_activity_at"] = replace(
            choices["last_activity_at"],
            question=f"in which zone are its times? The proposal is {ZONE}, here and below.",
        )
    state = choose_state(draft)
    parts = Parts(draft, choices, stake, state, choose_provider(draft, partner), _not_deleted(draft))
    made = [view_text(parts), closing_text(parts), index_text(parts), roles_text(roles, facts)]
    files = {one.name: one.text for one in made}
    files["all.sql"] = _ALL + "".join(f"\\ir {name}\n" for name in files)
    decisions = {one.name: one.subjects for one in made if one.subjects}
    return Proposal(files, decisions, sum(one.stops for one in made))


def _bet_transaction(draft: Draft) -> Choice:
    found = draft.find(names.BET_TRANSACTION)
    return Choice(draft.text(found[0])) if found else Choice("NULL::text")


def _not_deleted(draft: Draft) -> list[str]:
    """Return the conditions that leave out rows that are deleted softly."""
    conditions = [
        f"{TABLE}.{one.sql} IS NULL" for one in draft.table.columns if names.fits(one.name, names.DELETED_TIME)
    ]
    flags = [one for one in draft.table.columns if names.fits(one.name, names.DELETED_FLAG) and one.type == "boolean"]
    return conditions + [f"{TABLE}.{one.sql} IS NOT TRUE" for one in flags]
