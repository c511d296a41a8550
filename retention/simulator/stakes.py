"""The stakes of rounds from a CSV file, so that a staging run is refunded what was staked."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from retention.core.planning.rails import is_currency
from retention.errors import UsageError
from retention.simulator.rounds import Round

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

HEADER = "round_id,currency,stake"
"""The columns that the file needs; bet_transaction_id is read too, and other columns are ignored."""

STDIN = Path("-")

LONGEST_LINE = 100_000
"""Characters from which on a line is no round's."""

LARGEST_STAKE = Decimal(10) ** 20
"""In currency units: the ledger holds 20 digits before the point and 18 after it."""


@dataclass(frozen=True, slots=True)
class FileRounds:
    """Finds rounds by their ids, with the stakes of a file."""

    stakes: Mapping[str, Round]

    async def find(self, secure_login: str, round_id: str) -> Round | None:
        """Return a round with the stake of the file; None for a round that the file does not have."""
        found = self.stakes.get(round_id)
        if found is None:
            return None
        return Round(
            secure_login, round_id, currency=found.currency, amount=found.amount, transaction_id=found.transaction_id
        )


def read_stakes(path: Path) -> FileRounds:
    """Read a CSV file with a header; `-` is stdin. Raises UsageError that names file, line and column."""
    shown = "stdin" if path == STDIN else str(path)
    opened: AbstractContextManager[TextIO]
    try:
        opened = nullcontext(sys.stdin) if path == STDIN else path.open(encoding="utf-8-sig", newline="")
        with opened as file:
            return FileRounds(dict(_rows(shown, file)))
    except OSError as error:
        raise UsageError(f"{shown}: {error.strerror}; name a file of the columns {HEADER}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{shown} is not CSV: {error}; write {HEADER} and one round a line") from None


def _rows(shown: str, file: TextIO) -> Iterator[tuple[str, Round]]:
    reader = csv.DictReader(_lines(shown, file), strict=True)
    columns = reader.fieldnames or ()
    # The names of `plan --rounds` and of a report.
    currency_column = "stake_currency" if "stake_currency" in columns else "currency"
    for wanted in ("round_id", currency_column, "stake"):
        if wanted not in columns:
            raise UsageError(f"{shown}: line 1: there is no column {wanted}; write {HEADER}")
    lines: dict[str, int] = {}
    for row in reader:
        place = f"{shown}: line {reader.line_num}"
        round_id = row["round_id"] or ""
        if not round_id:
            raise UsageError(f"{place}: round_id is empty; write the vendor's id of the round, or take the line out")
        if (first := lines.setdefault(round_id, reader.line_num)) != reader.line_num:
            raise UsageError(f"{place}: round_id {round_id} stands on line {first} already; keep one of the two")
        yield round_id, _round(place, round_id, row, currency_column)


def _lines(shown: str, file: TextIO) -> Iterator[str]:
    """Yield the lines. Raises UsageError for one without an end, such as a device gives."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise UsageError(
                f"{shown}: a line has {LONGEST_LINE:,} characters or more; write {HEADER} and one round a line"
            )
        yield line


def _round(place: str, round_id: str, row: Mapping[str, str | None], currency_column: str) -> Round:
    """Read a row. An empty currency or stake keeps the simulated vendor's own."""
    given = Round("", round_id)
    currency, stake = row[currency_column] or given.currency, row["stake"] or str(given.amount)
    if not is_currency(currency):
        raise UsageError(f"{place}: {currency_column} {currency!r} is no code of ISO 4217; write one such as EUR")
    try:
        amount = Decimal(stake)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount < LARGEST_STAKE or amount != round(amount, 18):
        raise UsageError(f"{place}: stake {stake!r} is no amount; write digits and a point, such as 12.50")
    return Round("", round_id, currency=currency, amount=amount, transaction_id=row.get("bet_transaction_id") or "")
