"""`check` warns of configured markets and games that neither view nor ledger has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from retention.core.planning.plan import Scope
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.names import MEND, check_names

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database


def scope(
    markets: tuple[str, ...] | None = None,
    exclude_markets: tuple[str, ...] = (),
    games: tuple[str, ...] | None = None,
    exclude_games: tuple[str, ...] = (),
) -> Scope:
    """A policy's scope."""
    return Scope(("acme",), (3,), timedelta(hours=72), None, markets, exclude_markets, games, exclude_games)


def warning(policy: str, message: str) -> Finding:
    return Finding(f"names in policy {policy}", ok=True, message=message, warning=True)


async def test_unknown_names_are_a_warning(database: Database, book: Book) -> None:
    """Each unknown name is listed with its key and the known spelling; a name of view or ledger alone passes."""
    await book.open_round("R-1", market="GB", game="Roulette-7")
    await book.open_round("R-2", market="MT", game="g\x1b[2J1")
    await book.row(await book.run(), "R-3", market="SE", game_id="poker-1")

    never = "neither the open rounds nor the ledger have ever shown"
    assert [
        warning("spares nothing", f"{never} exclude_markets gb (did you mean GB?); known markets: GB, MT, SE; {MEND}"),
        warning(
            "selects nothing",
            f"{never} markets mt (did you mean MT?); markets ZZ; known markets: GB, MT, SE;"
            " games roulette7 (did you mean Roulette-7?); exclude_games POKER-1 (did you mean poker-1?);"
            f" known games: Roulette-7, g\\x1b[2J1, poker-1; {MEND}",
        ),
    ] == await check_names(
        database,
        [
            ("all", scope()),
            ("well", scope(markets=("MT", "SE"), games=("Roulette-7", "poker-1"))),
            ("spares nothing", scope(exclude_markets=("gb", "MT"))),
            ("selects nothing", scope(("mt", "ZZ"), (), ("roulette7",), ("POKER-1",))),
        ],
    )


async def test_name_check_times_out(database: Database, book: Book, direct_dsn: str) -> None:
    """The check has a time limit: it reports names that it could not look up, and names of the ledger pass."""
    await book.row(await book.run(), "R-3", market="SE")
    with psycopg.connect(direct_dsn) as connection:
        connection.execute("LOCK TABLE public.rounds IN ACCESS EXCLUSIVE MODE")
        found = await check_names(database, [("known", scope(markets=("SE",))), ("other", scope(markets=("se",)))])
    assert [warning("other", "markets se: whether there are such names was not found out within 5 seconds")] == found


async def test_an_unknown_market_of_a_report_is_a_warning(database: Database, book: Book) -> None:
    """A report of a misspelt market would tell of no activity; a market of view or ledger passes."""
    await book.open_round("R-1", market="GB")
    never = "neither the open rounds nor the ledger have ever shown"
    message = f"{never} markets gb (did you mean GB?); known markets: GB; {MEND}"
    assert [Finding("names in report monthly", ok=True, message=message, warning=True)] == await check_names(
        database, [], [("weekly", ["GB"]), ("monthly", ["gb"]), ("all", ())]
    )
