"""Looks names up in the operator's view and in the ledger, each within five seconds.

The operator's table may have ten million rows or be locked, and its view may fail. A look-up without an answer returns
None.

A filter name that matches nothing is refused, and the known names are listed. A market or game in another spelling
would hold, spare and report nothing, and look like success. A look-up without an answer becomes a warning, so that a
hold can always be added. Users and rounds may be held ahead of time; a hold counts its matches after it was added,
and only then looks for other spellings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from retention.core.name_matching import IGNORED_SIGNS, NameKind, normalized, other_spellings
from retention.ledger.database_errors import UNAVAILABLE, BusyError
from retention.ledger.operator_view import describe_view_error

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from retention.ledger.database import Database

TIMED_OUT = " within 5 seconds"

NAMES_READ_MAX = 10_000
"""Names of a kind that a list reads at most."""


@dataclass(frozen=True, slots=True)
class FoundNames:
    """Names that exist. Unless `certain`, other names may exist too, and `why_not` says why that is unknown."""

    names: frozenset[str]
    certain: bool
    why_not: str = ""


class KnownNames:
    """Looks up names. `why_not` says why the newest look-up had no answer; it continues "was not found out"."""

    def __init__(self, database: Database) -> None:
        self.why_not = TIMED_OUT
        self._database = database

    async def find_names(self, kind: NameKind, names: Collection[str]) -> FoundNames:
        """Find the names among `names` that the ledger or the view has."""
        return await self._found(kind, "names/find_ledger_names", "names/find_view_names", names)

    async def list_names(self, kind: NameKind) -> FoundNames:
        """List all names of a kind."""
        return await self._found(kind, "names/list_ledger_names", "names/list_view_names", None)

    async def count_matching_rounds(self, fields: Mapping[str, str | None]) -> int | None:
        """Count the open rounds that a hold on these fields matches."""
        rows = await self._rows_in_time("holds/count_matching_rounds", **fields)
        return int(rows[0].rounds) if rows else None

    async def find_similar_ids(self, column: Literal["user_id", "round_id"], given: str) -> list[str] | None:
        """Find ids of users or rounds that spell this id differently."""
        rows = await self._rows_in_time(
            "names/find_ids_by_spelling", column=column, spellings=sorted(other_spellings(given))
        )
        if not rows:  # slow: this folds each id of the table
            values = {"column": column, "given": given, "folded": normalized(given), "punctuation": IGNORED_SIGNS}
            rows = await self._rows_in_time("names/find_similar_ids", **values)
        return sorted(row.id for row in rows) if rows is not None else None

    async def find_rounds_by_spelling(self, round_id: str) -> list[tuple[str, str]] | None:
        """Find rounds (partner, id) that have this id or another spelling of it; None: no answer within 5 s."""
        forms = sorted({round_id, *other_spellings(round_id)})
        rows = await self._rows_in_time("names/find_rounds_by_spelling", spellings=forms)
        if rows == []:
            others = await self.find_similar_ids("round_id", round_id)
            rows = await self._rows_in_time("names/find_rounds_by_spelling", spellings=others) if others else []
        return None if rows is None else [(row.partner, row.round_id) for row in rows]

    async def _found(self, kind: NameKind, ledger: str, view: str, names: Collection[str] | None) -> FoundNames:
        found: set[str] = set()
        certain = True
        # The view has no policies.
        for statement in (ledger, view) if kind is not NameKind.POLICY else (ledger,):
            left = None if names is None else [name for name in names if name not in found]
            if left == []:
                break
            values = {"limit": NAMES_READ_MAX} if left is None else {"names": left}
            rows = await self._rows_in_time(statement, kind=str(kind), **values)
            found |= {row.name for row in rows or ()}
            certain = certain and rows is not None
        return FoundNames(frozenset(found), certain, "" if certain else self.why_not)

    async def _rows_in_time(self, name: str, **values: Any) -> list[Any] | None:
        try:
            async with self._database.transaction(snapshot=True) as transaction:
                await transaction.rows("session/limit_statement_time")
                return await transaction.rows(name, **values)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable) as error:
            self.why_not = f": {describe_view_error(error)}"
            return []  # a reporting role may lack the view; its absence says nothing about names
        except BusyError:
            self.why_not = TIMED_OUT
            return None
        except UNAVAILABLE:
            raise
        except psycopg.Error as error:  # the operator's view raises
            self.why_not = f": {describe_view_error(error)}"
            return None
