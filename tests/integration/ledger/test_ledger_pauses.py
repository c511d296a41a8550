"""Pauses: the kill switch in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.errors import UsageError
from retention.ledger.pauses import Pauses

if TYPE_CHECKING:
    from retention.ledger.database import Database

DOWN = "paused by ann: the vendor is down (acme); `retention resume --partner acme --by WHO` ends it"


@pytest.fixture
def pauses(database: Database) -> Pauses:
    return Pauses(database)


async def test_pause_covers_only_its_partner(pauses: Pauses) -> None:
    """A partner's pause covers that partner alone; its text names the person, the reason and the command that ends
    it.
    """
    await pauses.begin_pause("acme", "ann", "the vendor is down")

    assert await pauses.find_pauses(["other"]) == {}
    assert await pauses.find_pauses([]) == {}
    assert await pauses.find_pauses(["other", "acme"]) == {"acme": DOWN}


async def test_pause_of_all_covers_each_partner(pauses: Pauses) -> None:
    """A pause without a partner covers every partner, and the oldest pause is the one that is named."""
    await pauses.begin_pause(None, "ann", "incident 4")
    await pauses.begin_pause("acme", "bob", "the vendor is down")

    expected = {"acme": "paused by ann: incident 4; `retention resume --by WHO` ends it"}
    assert expected == await pauses.find_pauses(["acme"])
    assert [(None, "ann"), ("acme", "bob")] == [(p.partner, p.paused_by) for p in await pauses.list_pauses()]


async def test_second_pause_is_refused(pauses: Pauses) -> None:
    """A second pause of the same partner is refused, names the first person and changes nothing."""
    await pauses.begin_pause(None, "ann", "incident 4")
    before = await pauses.list_pauses()

    with pytest.raises(UsageError, match="all partners are paused already, by ann: incident 4"):
        await pauses.begin_pause(None, "bob", "another")
    assert before == await pauses.list_pauses()


async def test_resume_ends_only_the_named_pause(pauses: Pauses) -> None:
    """Resuming all leaves a partner's own pause in force, and a partner can be paused again after its pause ended."""
    await pauses.begin_pause(None, "ann", "incident 4")
    await pauses.begin_pause("acme", "ann", "the vendor is down")
    await pauses.end_pause(None, "bob")

    assert await pauses.find_pauses(["acme"]) == {"acme": DOWN}
    with pytest.raises(UsageError, match="all partners are not paused; paused: acme"):
        await pauses.end_pause(None, "bob")
    await pauses.end_pause("acme", "bob")
    assert await pauses.list_pauses() == []
    await pauses.begin_pause("acme", "ann", "down again")
    assert await pauses.find_pauses(["acme"]) == {"acme": DOWN.replace("the vendor is down", "down again")}


async def test_resume_without_pause_is_refused(pauses: Pauses) -> None:
    """Resuming a partner that is not paused is refused."""
    with pytest.raises(UsageError, match="acme is not paused; paused: nobody"):
        await pauses.end_pause("acme", "bob")


async def test_pause_and_resume_need_a_person(pauses: Pauses) -> None:
    """A pause needs a name and a reason, and a resume a name: blanks are refused."""
    with pytest.raises(UsageError, match="who pauses must not be blank"):
        await pauses.begin_pause(None, " ", "why")
    with pytest.raises(UsageError, match="the reason must not be blank"):
        await pauses.begin_pause(None, "ann", "")
    with pytest.raises(UsageError, match="who resumes must not be blank"):
        await pauses.end_pause(None, "")
