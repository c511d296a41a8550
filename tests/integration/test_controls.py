"""The kill switch and the holds, in a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retention.errors import UsageError
from retention.ledger.holds import Controls

if TYPE_CHECKING:
    from retention.core.planning.holds import Hold
    from retention.ledger.database import Database


@pytest.fixture
def controls(database: Database) -> Controls:
    return Controls(database)


async def hold(controls: Controls, *, until: datetime | None = None, **fields: str) -> int:
    """Add a hold on what is given."""
    given = dict.fromkeys(("partner", "market", "game", "user", "round")) | fields
    return await controls.hold_add(**given, reason="complaint 7", by="ann", until=until)


async def only(controls: Controls) -> Hold:
    """Return the only hold there ever was."""
    (found,) = await controls.hold_list(all=True)
    return found


DOWN = "paused by ann: the vendor is down (acme); `retention resume --partner acme --by WHO` ends it"


async def test_a_pause_covers_its_partner_alone(controls: Controls) -> None:
    """A partner's pause stops runs that call it, in words that name who, why and what ends it, and no others."""
    await controls.pause("acme", "ann", "the vendor is down")

    assert await controls.paused(["other"]) == {}
    assert await controls.paused([]) == {}
    assert await controls.paused(["other", "acme"]) == {"acme": DOWN}


async def test_a_pause_of_all_covers_everybody(controls: Controls) -> None:
    """A pause without a partner stops any run, and the oldest pause is the one that is told."""
    await controls.pause(None, "ann", "incident 4")
    await controls.pause("acme", "bob", "the vendor is down")

    assert await controls.paused(["acme"]) == {"acme": "paused by ann: incident 4; `retention resume --by WHO` ends it"}
    assert [(None, "ann"), ("acme", "bob")] == [(p.partner, p.paused_by) for p in await controls.pauses()]


async def test_pausing_twice_is_refused(controls: Controls) -> None:
    """The second pause of the same partner is told who was first, and changes nothing."""
    await controls.pause(None, "ann", "incident 4")
    before = await controls.pauses()

    with pytest.raises(UsageError, match="all partners are paused already, by ann: incident 4"):
        await controls.pause(None, "bob", "another")
    assert before == await controls.pauses()


async def test_resuming_ends_that_pause_alone(controls: Controls) -> None:
    """A partner's pause and the one of all are ended each by its own word, and can be set again."""
    await controls.pause(None, "ann", "incident 4")
    await controls.pause("acme", "ann", "the vendor is down")
    await controls.resume(None, "bob")

    assert await controls.paused(["acme"]) == {"acme": DOWN}
    with pytest.raises(UsageError, match="all partners are not paused; paused: acme"):
        await controls.resume(None, "bob")
    await controls.resume("acme", "bob")
    assert await controls.pauses() == []
    await controls.pause("acme", "ann", "down again")
    assert await controls.paused(["acme"]) == {"acme": DOWN.replace("the vendor is down", "down again")}


async def test_resuming_what_goes_is_refused(controls: Controls) -> None:
    """There is nothing to resume where nobody is paused."""
    with pytest.raises(UsageError, match="acme is not paused; paused: nobody"):
        await controls.resume("acme", "bob")


async def test_a_hold_is_kept_as_it_was_given(controls: Controls) -> None:
    """A hold has its fields, its words, its author and its end."""
    until = datetime.now(UTC) + timedelta(days=1)
    hold_id = await hold(controls, partner="acme", round="R-1", until=until)
    found = await only(controls)

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


async def test_a_released_hold_is_listed_only_with_all(controls: Controls) -> None:
    """Releasing ends a hold, records who did it, and keeps the row."""
    first, second = await hold(controls, market="MT"), await hold(controls, user="U-1")
    await controls.hold_release(first, "bob")

    assert [second] == [found.hold_id for found in await controls.hold_list()]
    assert [(first, "bob"), (second, None)] == [
        (found.hold_id, found.released_by) for found in await controls.hold_list(all=True)
    ]


async def test_an_ended_hold_is_listed_only_with_all(controls: Controls, database: Database) -> None:
    """A hold whose time is over stands no longer, on the database's clock."""
    hold_id = await hold(controls, game="g1", until=datetime.now(UTC) + timedelta(days=1))
    async with database.connection() as connection:
        await connection.execute("UPDATE retention.holds SET until = now() - interval '1 second'")

    assert await controls.hold_list() == []
    assert hold_id == (await only(controls)).hold_id


async def test_a_hold_needs_something_to_hold(controls: Controls) -> None:
    """A hold on nothing, or on a blank that matches nothing, is refused."""
    with pytest.raises(UsageError, match="a hold on nothing"):
        await hold(controls)
    with pytest.raises(UsageError, match="game_id must not be blank"):
        await hold(controls, partner="acme", game=" ")
    assert await controls.hold_list(all=True) == []


async def test_a_hold_that_is_over_already_is_refused(controls: Controls) -> None:
    """An end in the past would exempt nothing, and be believed in."""
    with pytest.raises(UsageError, match=r"would have ended at 2024-05-01T00:00:00Z, which is past"):
        await hold(controls, market="MT", until=datetime(2024, 5, 1, tzinfo=UTC))


async def test_a_release_needs_a_hold_that_stands(controls: Controls) -> None:
    """An unknown hold and one that is released already are refused, each in its own words."""
    with pytest.raises(UsageError, match="there is no hold 7"):
        await controls.hold_release(7, "bob")
    hold_id = await hold(controls, market="MT")
    await controls.hold_release(hold_id, "bob")
    with pytest.raises(UsageError, match=f"hold {hold_id} is released already, by bob"):
        await controls.hold_release(hold_id, "ann")


async def test_somebody_answers_for_everything(controls: Controls) -> None:
    """Nobody stops or resumes anything without a name, nor stops it without a reason."""
    with pytest.raises(UsageError, match="who pauses must not be blank"):
        await controls.pause(None, " ", "why")
    with pytest.raises(UsageError, match="the reason must not be blank"):
        await controls.pause(None, "ann", "")
    with pytest.raises(UsageError, match="who resumes must not be blank"):
        await controls.resume(None, "")
    with pytest.raises(UsageError, match="who releases must not be blank"):
        await controls.hold_release(1, "")
