"""Holds in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retention.errors import UsageError
from retention.ledger.holds import Holds

if TYPE_CHECKING:
    from retention.core.planning.holds import Hold
    from retention.ledger.database import Database


@pytest.fixture
def holds(database: Database) -> Holds:
    return Holds(database)


async def add(holds: Holds, *, until: datetime | None = None, **fields: str) -> int:
    """Add a hold on the given fields."""
    given = dict.fromkeys(("partner", "market", "game", "user", "round")) | fields
    return await holds.add_hold(**given, reason="complaint 7", by="ann", until=until)


async def only(holds: Holds) -> Hold:
    """Return the ledger's only hold, ended or not."""
    (found,) = await holds.list_holds(all=True)
    return found


async def test_hold_keeps_its_fields(holds: Holds) -> None:
    """A hold keeps its fields, its reason, its author and its end."""
    until = datetime.now(UTC) + timedelta(days=1)
    hold_id = await add(holds, partner="acme", round="R-1", until=until)
    found = await only(holds)

    assert hold_id == found.hold_id
    assert ("acme", None, None, None, "R-1") == (
        found.partner,
        found.market,
        found.game_id,
        found.user_id,
        found.round_id,
    )
    assert ("complaint 7", "ann", until, None, None) == (
        found.reason,
        found.created_by,
        found.until,
        found.released_at,
        found.released_by,
    )


async def test_released_hold_is_listed_only_with_all(holds: Holds) -> None:
    """Releasing a hold ends it, records the person, and keeps the row."""
    first, second = await add(holds, market="MT"), await add(holds, user="U-1")
    await holds.release_hold(first, "bob")

    assert [second] == [found.hold_id for found in await holds.list_holds()]
    assert [(first, "bob"), (second, None)] == [
        (found.hold_id, found.released_by) for found in await holds.list_holds(all=True)
    ]


async def test_ended_hold_is_listed_only_with_all(holds: Holds, database: Database) -> None:
    """A hold is in force until its end, on the database's clock."""
    hold_id = await add(holds, game="g1", until=datetime.now(UTC) + timedelta(days=1))
    async with database.connection() as connection:
        await connection.execute("UPDATE retention.holds SET until = now() - interval '1 second'")

    assert await holds.list_holds() == []
    assert hold_id == (await only(holds)).hold_id


async def test_a_hold_without_a_field_is_refused(holds: Holds) -> None:
    """A hold without a field, or with a blank field that matches nothing, is refused."""
    with pytest.raises(UsageError, match="a hold on nothing"):
        await add(holds)
    with pytest.raises(UsageError, match="game_id must not be blank"):
        await add(holds, partner="acme", game=" ")
    assert await holds.list_holds(all=True) == []


async def test_hold_that_ends_in_the_past_is_refused(holds: Holds) -> None:
    """A hold whose end is past is refused, because it would exempt nothing."""
    with pytest.raises(UsageError, match=r"would have ended at 2024-05-01T00:00:00Z, which is past"):
        await add(holds, market="MT", until=datetime(2024, 5, 1, tzinfo=UTC))


async def test_hold_is_released_once_by_a_named_person(holds: Holds) -> None:
    """An unknown hold, a released hold and a blank name are refused, each with its own message."""
    with pytest.raises(UsageError, match="there is no hold 7"):
        await holds.release_hold(7, "bob")
    hold_id = await add(holds, market="MT")
    with pytest.raises(UsageError, match="who releases must not be blank"):
        await holds.release_hold(hold_id, "")
    await holds.release_hold(hold_id, "bob")
    with pytest.raises(UsageError, match=f"hold {hold_id} is released already, by bob"):
        await holds.release_hold(hold_id, "ann")
