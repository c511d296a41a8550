"""The kind `pending` on a real ledger and a real view: which way each round goes, and what the counts say."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from support.bare_database import as_role, run, sample
from support.ledger import OPENED
from support.reports import output_to

from retention.core.planning.plan import Scope
from retention.errors import UsageError, ViewError
from retention.ledger.checks.grants import REPORT_ROLE
from retention.ledger.database import open_database
from retention.render.json_file import write_json
from retention.render.terminal_report import print_report
from retention.reports.read import read_report
from retention.reports.report import Configured, Kind, Selection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.ledger import Book

    from retention.ledger.database import Database
    from retention.reports.kinds.pending import PendingRound, PendingTotal

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
STALE = OPENED + 3 * DAY
"""When a round of the default age becomes stale by `NIGHTLY`."""

START, END = STALE - DAY, STALE + 7 * DAY
"""A period in which such a round becomes stale."""


def scope(**limits: Any) -> Scope:
    """Return a policy's scope, by default every round of acme that has been open for 72 hours."""
    values: dict[str, Any] = {
        "partners": ("acme",),
        "max_runs": (3,),
        "open_longer_than": 3 * DAY,
        "idle_longer_than": None,
        "markets": None,
        "exclude_markets": (),
        "games": None,
        "exclude_games": (),
    }
    return Scope(**(values | limits))


NIGHTLY = {"nightly": scope()}


async def read(
    database: Database, selection: Selection | None = None, scopes: Mapping[str, Scope] = NIGHTLY
) -> tuple[list[PendingRound], tuple[PendingTotal, ...]]:
    """Read a report's rounds and totals, and prove that they agree."""
    selection = selection or Selection(START, END, kind=Kind.PENDING)
    async with read_report(database, selection, configured=Configured(scopes)) as report:
        rows = [item async for item in report.rows]
        totals = report.totals
        assert len(rows) == report.count
    for total in totals:
        of = [row for row in rows if (row.market, row.stake_currency) == (total.market, total.currency)]
        assert total.at_begin + total.became_stale - total.completed - total.cancelled - total.gone == total.at_end
        assert (total.at_begin, total.at_end) == (sum(row.at_begin for row in of), sum(row.at_end for row in of))
        assert total.at_begin_stake == sum((row.stake or 0 for row in of if row.at_begin), Decimal(0))
        assert total.at_end_stake == sum((row.stake or 0 for row in of if row.at_end), Decimal(0))
        for outcome in ("completed", "cancelled", "gone"):
            assert getattr(total, outcome) == sum(row.outcome == outcome for row in of)
    return rows, totals


def pending(start: datetime | None = START, end: datetime | None = END, **others: Any) -> Selection:
    """Return the selection of a report of this kind."""
    return Selection(start, end, kind=Kind.PENDING, **others)


async def fates(database: Database, selection: Selection | None = None) -> dict[str, tuple[str, datetime | None]]:
    """Read the outcome of each round, and when it ended."""
    rows, _ = await read(database, selection)
    return {row.round_id: (row.outcome, row.ended_at) for row in rows}


async def test_each_way_that_a_planned_round_may_go(database: Database, book: Book) -> None:
    """A round that the view has no more is cancelled, completed or gone as the ledger's records tell."""
    settled = STALE + HOUR
    ledger = await book.run(as_of=STALE)
    for state, outcome in (
        ("cancelled", "cancelled"),
        ("already_cancelled", "cancelled"),
        ("already_completed", "completed"),
        ("no_longer_open", "completed"),
        ("rejected", "gone"),
        ("held", "gone"),
        ("not_sent", "gone"),
        ("planned", "gone"),
        ("in_doubt", "gone"),
    ):
        times = {} if state in {"planned", "in_doubt"} else {"settled_at": settled}
        await book.row(ledger, f"{state} {outcome}", state, **times)
        if times:
            decided = {"resolved_as": state, "resolved_from": "in_doubt", "resolved_at": settled + HOUR}
            await book.row(ledger, f"later {state} {outcome}", "resolved", **decided)
    found = await fates(database)

    assert 16 == len(found)
    for name, (outcome, ended_at) in found.items():
        assert name.split()[-1] == outcome
        expected = None if outcome == "gone" else settled + HOUR if name.startswith("later") else settled
        assert expected == ended_at


async def test_a_round_of_the_view_is_open_unless_it_is_cancelled(database: Database, book: Book) -> None:
    """While the view has a round it is open, whatever its last state; a cancelled one is named as a conflict."""
    ledger = await book.run(as_of=STALE)
    for state in ("cancelled", "already_completed", "no_longer_open", "rejected", "held", "not_sent", "planned"):
        await book.row(ledger, state, state, **({} if state == "planned" else {"settled_at": STALE + HOUR}))
        await book.open_round(state)
    await book.open_round("never planned")
    rows, _ = await read(database)
    by_name = {row.round_id: row for row in rows}

    assert 8 == len(by_name)
    assert {"cancelled"} == {name for name, row in by_name.items() if row.outcome != "open"}
    assert "conflict: cancelled, and still open in the operator's view" == by_name["cancelled"].note
    assert "completed at the vendor, and still open in the operator's view" == by_name["already_completed"].note
    assert ("nightly", None, None) == (
        by_name["never planned"].policy,
        by_name["never planned"].run_id,
        by_name["never planned"].state,
    )
    assert ledger == by_name["held"].run_id
    assert all(row.at_end == (row.outcome == "open") for row in rows)


async def test_a_round_that_ended_unrecorded_is_the_named_difference(database: Database, book: Book) -> None:
    """A gone round counts in the period that last saw it, is listed there with a note, and in no later one."""
    for as_of in (STALE + HOUR, STALE + 3 * DAY):
        await book.row(await book.run(as_of=as_of), state="not_sent", settled_at=as_of + HOUR)
    (row,), (total,) = await read(database)

    assert ("gone", None, False, STALE + 3 * DAY) == (row.outcome, row.ended_at, row.at_end, row.last_planned_at)
    assert "not in the operator's view any more, and no record tells how it ended" == row.note
    assert (0, 1, 0, 0, 1, 0) == (
        total.at_begin,
        total.became_stale,
        total.completed,
        total.cancelled,
        total.gone,
        total.at_end,
    )
    assert ([], ()) == await read(database, pending(END, END + DAY))
    (row,), (total,) = await read(database, pending(START, STALE + DAY))
    assert ("open", True, 0, 1) == (row.outcome, row.at_end, total.gone, total.at_end)


async def test_a_round_planned_again_had_not_ended(database: Database, book: Book) -> None:
    """A later plan, a player who came back, and another opening of an id show what an earlier settlement was not."""
    early, late = await book.run(as_of=STALE), await book.run(as_of=STALE + DAY, mode="dry_run")
    await book.row(early, "again", "no_longer_open", settled_at=STALE + HOUR)
    await book.row(late, "again", "not_sent", settled_at=STALE + DAY)
    back = "the player came back at 2025-03-04T12:00:00Z"
    await book.row(early, "came back", "no_longer_open", settled_at=STALE + HOUR, detail=back)
    await book.row(early, "reopened", "no_longer_open", settled_at=STALE + HOUR)
    await book.open_round("reopened", opened_at=OPENED + 2 * DAY)
    await book.row(early, "vendor's word", "already_completed", settled_at=STALE + HOUR)
    await book.row(late, "vendor's word", "not_sent", settled_at=STALE + DAY)
    rows, _ = await read(database)

    assert [
        ("again", "gone", None),
        ("came back", "gone", None),
        ("reopened", "completed", STALE + HOUR),
        ("vendor's word", "completed", STALE + DAY),
        ("reopened", "open", None),
    ] == [(row.round_id, row.outcome, row.ended_at) for row in rows]


async def test_a_round_becomes_stale_by_the_earliest_policy_that_selects_it(database: Database, book: Book) -> None:
    """Age, idleness, scope and the first plan decide since when a round is stale; `--policy` asks one policy."""
    scopes = {
        "nightly": scope(idle_longer_than=DAY),
        "poker": scope(open_longer_than=2 * DAY, games=("poker",)),
        "sweden": scope(open_longer_than=DAY, markets=("SE",), exclude_games=("slots",)),
        "others": scope(partners=("other",), open_longer_than=HOUR),
    }
    await book.open_round("plain")
    await book.open_round("active", last_activity_at=STALE + HOUR)
    await book.open_round("poker", game="poker", last_activity_at=STALE + HOUR)
    await book.open_round("sweden", market="SE", game=None)
    await book.open_round("slots", market="SE", game="slots")
    await book.open_round("of nobody", partner="unknown")
    await book.open_round("planned")
    await book.row(await book.run(as_of=OPENED + HOUR, trigger="targeted", policy="poker"), "planned", "not_sent")
    everything = pending(None, None)
    rows, (_, nobody, _) = await read(database, everything, scopes)

    assert {
        "plain": STALE,
        "active": STALE + HOUR + DAY,
        "poker": OPENED + 2 * DAY,
        "sweden": OPENED + DAY,
        "slots": STALE,
        "planned": OPENED + HOUR,
    } == {row.round_id: row.stale_at for row in rows}
    assert ("MT", None, 1) == (nobody.market, nobody.currency, nobody.left_out)
    of_poker, _ = await read(database, pending(None, None, policies=("poker",)), scopes)
    assert {"poker", "planned"} == {row.round_id for row in of_poker}
    of_nightly, _ = await read(database, pending(None, None, policies=("nightly",)), scopes)
    assert STALE == {row.round_id: row.stale_at for row in of_nightly}["planned"]
    swedish, _ = await read(database, pending(None, None, markets=("SE",)), scopes)
    assert {"sweden", "slots"} == {row.round_id for row in swedish}


async def test_another_policy_may_cancel_a_round_before_it_is_stale(database: Database, book: Book) -> None:
    """A round that ended before a policy would select it was never pending for that policy."""
    hasty = await book.run(as_of=OPENED + DAY, policy="hasty")
    await book.row(hasty, settled_at=OPENED + DAY + HOUR)

    assert ([], ()) == await read(database, pending(None, None, policies=("nightly",)))
    (row,), _ = await read(database, pending(None, None, policies=("hasty",)))
    assert (OPENED + DAY, "hasty") == (row.stale_at, row.policy)


async def test_the_first_moment_belongs_to_a_period_and_the_last_does_not(database: Database, book: Book) -> None:
    """A round that becomes stale or ends at midnight is pending, or ends, in the new period."""
    ledger = await book.run(as_of=STALE)
    await book.row(ledger, "ends at the end", settled_at=END)
    await book.row(ledger, "ends at the start", settled_at=STALE)
    rows, _ = await read(database, pending(STALE, END))

    assert [("ends at the end", False, "open", True), ("ends at the start", False, "cancelled", False)] == [
        (row.round_id, row.at_begin, row.outcome, row.at_end) for row in rows
    ]
    rows, _ = await read(database, pending(END, END + DAY))
    assert [("ends at the end", True, "cancelled")] == [(row.round_id, row.at_begin, row.outcome) for row in rows]
    assert ([], ()) == await read(database, pending(START, STALE))


async def test_a_period_that_is_not_over_ends_now(database: Database, book: Book) -> None:
    """A round that is not stale yet is in no report, and a period in the future begins as today's ends."""
    now = datetime.now(UTC)
    await book.open_round("old")
    await book.open_round("young", opened_at=now - 2 * DAY)
    rows, (total,) = await read(database, pending(now - DAY, now + 9 * DAY))
    later, (coming,) = await read(database, pending(now + 9 * DAY, now + 10 * DAY))

    assert ["old"] == [row.round_id for row in rows] == [row.round_id for row in later]
    assert (1, 1) == (total.at_end, coming.at_begin)
    assert (1, 0) == (coming.at_end, coming.became_stale)


async def test_rows_of_the_view_that_no_plan_can_take_are_counted_apart(database: Database, book: Book) -> None:
    """NULLs, doubled rows, infinities and impossible numbers are left out and counted by market."""
    await book.open_round("good")
    await book.open_round("known twice")
    await book.row(await book.run(as_of=STALE), "known twice", "not_sent", settled_at=STALE + HOUR)
    good = "'acme', 'MT', 'g1', 'U-1', 'bad', '2025-03-01 12:00+00', NULL::timestamptz, 'EUR', 100"
    bad = [
        good.replace("'acme'", "NULL"),
        good.replace("'MT'", "NULL"),
        good.replace("'MT'", "' '"),
        good.replace("'U-1'", "NULL"),
        good.replace("'bad'", "NULL"),
        good.replace("'2025-03-01 12:00+00'", "NULL"),
        good.replace("'2025-03-01 12:00+00'", "'infinity'"),
        good.replace("'2025-03-01 12:00+00'", "'-infinity'"),
        good.replace("NULL::timestamptz", "'infinity'"),
        good.replace("100", "'NaN'"),
        good.replace("100", "1e-19"),
        good.replace("'acme'", "'unknown'"),
        good.replace("'MT'", "'SE'").replace("'bad'", "'twice'"),
        good.replace("'MT'", "'GB'").replace("'bad'", "'twice'").replace("12:00", "13:00"),
        good.replace("'bad'", "'known twice'"),
        good.replace("'MT'", "'SE'").replace("'2025-03-01 12:00+00'", "now()").replace("'U-1'", "NULL"),
    ]
    named = (values.replace("'bad'", f"'bad {number}'") for number, values in enumerate(bad))
    rows = " UNION ALL ".join(f"SELECT {values}, NULL::text" for values in named)
    await book.one(
        "CREATE OR REPLACE VIEW retention.open_rounds AS SELECT partner, market, game AS game_id, user_id, round_id,"
        " opened_at, last_activity_at, currency, stake, bet_tx AS bet_transaction_id FROM public.rounds"
        f" WHERE status = 0 UNION ALL {rows}"
    )
    found, totals = await read(database)

    assert [("good", "open"), ("known twice", "open")] == [(row.round_id, row.outcome) for row in found]
    assert "the operator's view has this round more than once, or with a value that makes no sense" == found[1].note
    assert [("GB", 1), ("MT", 0), ("MT", 12), ("SE", 1), (None, 2)] == [
        (total.market, total.left_out) for total in totals
    ]


async def test_stakes_are_exact(database: Database, book: Book) -> None:
    """Stakes keep eighteen decimals in rows and sums, each under its own currency."""
    tiny, huge = Decimal("0.000000000000000001"), Decimal("99999999999999999999.999999999999999999")
    await book.open_round("tiny", stake=tiny)
    await book.open_round("huge", stake=huge)
    await book.open_round("unknown", stake=None, currency=None)
    await book.row(await book.run(as_of=STALE), "dollars", stake=tiny, stake_currency="USD", settled_at=END)
    file = io.StringIO()
    async with read_report(database, pending(STALE + DAY, None), configured=Configured(NIGHTLY)) as report:
        await write_json(report, output_to(file))
    written = json.loads(file.getvalue())

    assert {"EUR": "100000000000000000000", "USD": "0.000000000000000001", None: "0"} == {
        total["currency"]: total["at_begin_stake"] for total in written["totals"]
    }
    assert {"EUR": "100000000000000000000", "USD": "0", None: "0"} == {
        total["currency"]: total["at_end_stake"] for total in written["totals"]
    }
    assert "0.000000000000000001" in [item["stake"] for item in written["rounds"]]


async def test_users_are_shown_by_pseudonyms(database: Database, book: Book) -> None:
    """With pseudonyms, a round of the ledger and one of the view name the same user alike, and neither plainly."""
    await book.open_round("of the view")
    await book.row(await book.run(as_of=STALE), "of the ledger", settled_at=STALE + HOUR)
    rows, _ = await read(database, pending(pseudonymise=True))
    (shown,) = {row.user_id for row in rows}

    assert 2 == len(rows)
    assert shown.startswith("pseudonym:")


async def test_an_empty_period_says_so(database: Database) -> None:
    """Without a pending round a report has no rows and no totals, and a terminal says that nothing happened."""
    assert ([], ()) == await read(database)
    file = io.StringIO()
    async with read_report(database, pending(), configured=Configured(NIGHTLY)) as report:
        await print_report(report, file)
    assert "no activity: no rounds were open and stale in this period" in file.getvalue()


async def test_a_terminal_shows_the_reconciliation(database: Database, book: Book) -> None:
    """A terminal shows each round's outcome, and the counts under their names."""
    await book.open_round()
    file = io.StringIO()
    async with read_report(database, pending(), configured=Configured(NIGHTLY)) as report:
        assert 1 == await print_report(report, file)
    for words in ("R-1", "open", "100.00 EUR", "at begin", "became stale", "gone", "left out"):
        assert words in file.getvalue()


async def test_filters_without_a_meaning_are_refused(database: Database) -> None:
    """A report of this kind about one run, or of every outcome, is refused with the mend."""
    for option, filters in (("--run", {"run_id": uuid4()}), ("--all", {"all_outcomes": True})):
        with pytest.raises(UsageError, match=f"^{option} .* --kind pending.*leave"):
            async with read_report(database, pending(**filters)):
                pass


async def test_a_role_that_may_not_read_the_view_is_told_so(direct_dsn: str) -> None:
    """Without SELECT on the view the report is refused, and the error names the GRANT."""
    run(direct_dsn, sample("roles"), f"REVOKE ALL ON retention.open_rounds FROM {REPORT_ROLE}")
    async with open_database(lambda: as_role(direct_dsn, REPORT_ROLE), size=1) as reporting:
        with pytest.raises(ViewError, match=r"GRANT SELECT ON retention\.open_rounds"):
            async with read_report(reporting, pending(), configured=Configured(NIGHTLY)):
                pass
