"""The findings of a reconciliation, for people and as JSON: printed once all of it is done, in constant memory."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any, Self

from retention.core.money import display_amounts_in
from retention.core.text import counted
from retention.render.json_file import to_line
from retention.render.terminal_table import Column, print_grid, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

    from retention.core.evidence.archives import ArchivedMonth
    from retention.ledger.reconciliation import ReconcileScope
    from retention.runs.reconcile import Finding, Reconciler

PAGE_ROUNDS = 1000
"""Findings of one table."""

IN_MEMORY = 1_000_000
"""Characters of findings that need no file."""

_COLUMNS = (
    Column("partner", 3),
    Column("market", 4),
    Column("round"),
    Column("finding", 1),
    Column("", 2),
    Column("ledger", prose=True),
    Column("vendor", prose=True),
    Column("operator", prose=True),
    Column("wallet", prose=True),
)


class Findings:
    """Collects findings until the reconciliation is done: one that fails in the middle has printed nothing."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, mode="w+", encoding="utf-8")  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, findings: Sequence[Finding]) -> None:
        """Keep findings for the output."""
        for finding in findings:
            self._file.write(to_line(finding) + "\n")

    def write(
        self,
        scope: ReconcileScope,
        done: Reconciler,
        file: TextIO,
        archived: Sequence[ArchivedMonth] = (),
        *,
        as_json: bool,
    ) -> None:
        """Print the findings, and how many rounds the vendor did not tell of. `archived` months were not compared."""
        self._file.seek(0)
        if as_json:
            _write_json(self._file, scope, done, archived, file)
        else:
            _write_tables(self._file, done, file)


def _write_json(
    lines: Any, scope: ReconcileScope, done: Reconciler, archived: Sequence[ArchivedMonth], file: TextIO
) -> None:
    file.write('{\n"findings": [')
    file.writelines((",\n" if number else "\n") + line.rstrip("\n") for number, line in enumerate(lines))
    tail = {
        "from": scope.start,
        "to": scope.end,
        "market": scope.market,
        "run_id": scope.run_id,
        "rounds": done.tally.rounds,
        "new": done.tally.new,
        "wallet": done.has_wallet,
        "not_asked": done.tally.not_asked(),
        "not_listed": done.not_listed(),
        "archived": archived,
    }
    file.write("\n]" + "".join(f',\n"{name}": {to_line(value)}' for name, value in tail.items()) + "\n}\n")


def _write_tables(lines: Any, done: Reconciler, file: TextIO) -> None:
    page: list[tuple[object, ...]] = []
    for line in lines:
        page.append(_row(json.loads(line)))
        if len(page) == PAGE_ROUNDS:
            print_grid(_COLUMNS, page, file)
            page = []
    if page:
        print_grid(_COLUMNS, page, file)
    print_lines(_summary(done), file)


def _row(finding: dict[str, Any]) -> tuple[object, ...]:
    sides = (display_amounts_in(finding[name]) for name in ("ledger", "vendor", "operator", "wallet"))
    place = (finding["partner"], finding["market"], finding["round_id"], finding["kind"])
    return (*place, "new" if finding["new"] else "known", *sides)


def _summary(done: Reconciler) -> Iterator[str]:
    tally = done.tally
    compared = f"{counted(tally.rounds, 'round', separator=',')} compared"
    if tally.findings:
        yield f"{compared}: {counted(tally.findings, 'finding', separator=',')}, {tally.new} of them new"
    else:
        yield f"{compared}: no finding"
    if not done.has_wallet:
        yield "  the wallet was not compared: there is no view retention.wallet_refunds"
    unknown = tally.not_asked()
    for one in unknown:
        rounds = counted(one.rounds, "round", separator=",")
        yield f"  the vendor's side of {rounds} of {one.partner} is unknown: {one.why}"
    for partner, why in done.not_listed().items():
        asked = "" if any(one.partner == partner for one in unknown) else ", so each round was asked about by itself"
        yield f"  {partner} gave no list of rounds ({why}){asked}"
