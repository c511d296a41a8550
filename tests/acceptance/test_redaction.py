"""A secret stands in an identifier by chance, or because the vendor repeats it: data stay as they are, echoes are
dropped.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.world import SECURE_LOGIN, TOKEN

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

SHORT = "4711"
TRANSACTION = "98124711003"


def known_as(world: World, login: str = SECURE_LOGIN, token: str = TOKEN) -> None:
    """Let operator and vendor agree on another login and token."""
    world.vendor.secure_login, world.vendor.token = login, token
    world.partner |= {"secure_login": login, "token": token}


async def closed_with(world: World) -> None:
    """Let the operator's function keep its arguments."""
    await world.sql("CREATE TABLE public.called (round_id text, currency text, amount numeric, transaction_id text)")
    await world.sql(
        "CREATE OR REPLACE FUNCTION retention.close_rounds(p_partner text[], p_round_id text[], p_cancelled_at timestamptz[],"
        " p_currency text[], p_amount numeric[], p_transaction_id text[]) RETURNS TABLE (partner text, round_id text)"
        " LANGUAGE sql AS $$"
        " INSERT INTO public.called SELECT * FROM unnest(p_round_id, p_currency, p_amount, p_transaction_id);"
        " UPDATE public.rounds r SET status = 2 FROM unnest(p_partner, p_round_id) AS c (partner, round_id)"
        " WHERE r.partner = c.partner AND r.round_id = c.round_id AND r.status = 0 RETURNING r.partner, r.round_id $$"
    )


@pytest.mark.parametrize(
    ("login", "token"),
    [
        (SHORT, TOKEN),
        *(
            pytest.param(*one, marks=pytest.mark.long)
            for one in ((SECURE_LOGIN, SHORT), ("casino-malta-prod-1", TOKEN))
        ),
    ],
)
async def test_a_secret_inside_an_identifier_leaves_it_unredacted(world: World, login: str, token: str) -> None:
    """Ledger, close_rounds, report, review, explain and log have transaction, amount, code and ids as they came."""
    known_as(world, login, token)
    transaction = f"{login}-98124711003" if login.startswith("casino") else TRANSACTION
    await closed_with(world)
    ids = await world.seed(3, prefix="r4711-", stake="4711.50", at_vendor=False)
    world.register(ids, "4711.50", login=login)
    await world.sql("UPDATE public.rounds SET bet_tx = %(tx)s, user_id = 'u-4711-9', game = '4711'", tx=transaction)
    for one in world.vendor.rounds.values():
        one.transaction_id, one.user_id, one.game_id = transaction, "u-4711-9", "4711"
    world.vendor.faults = Faults.of({"round_ids": ["*-2"], "code": "94711", "description": f"no bet, {login}"})
    done = await world.command("--log-level", "debug", "run", "--json")
    assert (4, {"cancelled": 2, "rejected": 1}, 0) == (done.code, done.json["states"], done.json["discrepancies"]), (
        done.err
    )
    rows = await world.sql("SELECT * FROM retention.cancellations WHERE state = 'cancelled' ORDER BY id")
    assert [(transaction, Decimal("4711.50"), "u-4711-9", "4711")] * 2 == [
        (row.transaction_id, row.amount, row.user_id, row.game_id) for row in rows
    ]
    called = await world.sql("SELECT * FROM public.called ORDER BY round_id")
    assert [("r4711-0", transaction, Decimal("4711.50")), ("r4711-1", transaction, Decimal("4711.50"))] == [
        (row.round_id, row.transaction_id, row.amount) for row in called
    ]
    (refused,) = await world.sql("SELECT error_code, description FROM retention.cancellations WHERE state = 'rejected'")
    assert ("94711", "no bet, ***") == tuple(refused)
    report = (await world.command("report", "--all", "--json")).json["rounds"]
    assert {"r4711-0", "r4711-1", "r4711-2"} == {row["round_id"] for row in report}
    assert [[], [], []] == [row["discrepancies"] for row in report]
    explained = await world.command("explain", "--partner", "acme", "--round", "r4711-0")
    assert all(word in explained.out for word in (transaction, "4711.5"))
    listed = (await world.command("review", "list", "--json")).json
    assert [("r4711-2", "94711")] == [(row["round_id"], row["error_code"]) for row in listed]
    told = [event for event in done.events if event["event"] == "round.cancelled"]
    assert {("r4711-0", "4711.5"), ("r4711-1", "4711.5")} == {
        (event["round_id"], event["amount"].rstrip("0")) for event in told
    }
    assert not any("***" in str(event[key]) for event in done.events for key in event if key != "description")


async def test_winnings_are_an_amount(world: World) -> None:
    """The vendor's winnings stand in `detail` to the last digit, in ledger and log, with any secrets."""
    known_as(world, SHORT)
    world.register(await world.seed(1, at_vendor=False), login=SHORT)
    world.vendor.faults = Faults.of(
        {
            "call": "GetRoundStatus",
            "reply": {"error": 0, "roundStatus": "InProgress", "winAmount": 4711, "currency": "EUR"},
        }
    )
    done = await world.command("run", "--json")
    (row,) = await world.sql("SELECT state, detail FROM retention.cancellations")
    assert ("held", "winnings 4711 EUR") == tuple(row), done.err
    assert "winnings 4711 EUR" in {event.get("detail") for event in done.events}


async def test_a_login_inside_a_round_status_leaves_the_status(world: World) -> None:
    """A login that is part of a roundStatus leaves the status unchanged."""
    known_as(world, "Prog")
    world.register(await world.seed(2, at_vendor=False), login="Prog")
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err


ECHOES: dict[str, Any] = {
    "the token": TOKEN,
    "the token within": f"tx/{TOKEN}/1",
    "the login": SECURE_LOGIN,
    "the token in hexadecimal": TOKEN.encode().hex(),
}


@pytest.mark.parametrize(
    "echo", [pytest.param(one, marks=pytest.mark.long if number else ()) for number, one in enumerate(ECHOES)]
)
async def test_a_transaction_that_echoes_a_secret_is_null(world: World, echo: str) -> None:
    """A transaction that repeats a secret is NULL as a whole, is reported, and is listed for review; no output shows
    it.
    """
    said = ECHOES[echo]
    await world.seed(2)
    reply = {"error": 0, "description": "ok", "currency": "EUR", "amount": "1.50", "transactionId": said}
    world.vendor.faults = Faults.of(
        {"round_ids": ["r0"], "reply": reply}, {"round_ids": ["r1"], "code": said, "description": "no"}
    )
    world.partner["status_probe"] = False
    done = await world.command("--log-level", "debug", "run", "--json")
    assert (4, {"cancelled": 1, "rejected": 1}) == (done.code, done.json["states"]), done.err
    rows = await world.sql(
        "SELECT round_id, transaction_id, error_code, incomplete, detail FROM retention.cancellations ORDER BY id"
    )
    assert [
        ("r0", None, "0", True, "transactionId repeated a secret, and is not kept"),
        ("r1", None, None, False, "code repeated a secret, and is not kept"),
    ] == [tuple(row) for row in rows]
    listed = (await world.command("review", "list", "--json")).json
    assert ["r0", "r1"] == [row["round_id"] for row in listed]
    assert "incomplete reply: transaction_id missing" in listed[0]["reasons"]
    assert not any(TOKEN in text or SECURE_LOGIN in text or said in text for text in (done.out, done.err))


async def test_check_names_a_secret_that_chance_writes(world: World) -> None:
    """`check` warns of short secrets, of such without a letter, and of those in identifiers; it shows none of them."""
    known_as(world, "bet-r", "123456789012")
    await world.seed(2)
    done = await world.command("check", "--json")
    told = {one["name"]: one for one in done.json["checks"] if one["name"].startswith("secret ")}
    assert {"secret partners.acme.secure_login", "secret partners.acme.token"} == {*told}
    login, token = told.values()
    assert (True, True, True, True) == (login["ok"], login["warning"], token["ok"], token["warning"])
    assert "is shorter than 8 characters and occurs in retention.open_rounds.bet_transaction_id" in login["message"]
    assert "partners.acme.token has no letter; " in token["message"]
    assert not any(secret in one["message"] for one in told.values() for secret in ("bet-r", "123456789012"))
    known_as(world)
    quiet = await world.command("check", "--json")
    assert not any(one["name"].startswith("secret ") for one in quiet.json["checks"])


async def test_an_error_names_a_requested_identifier_whole(world: World) -> None:
    """A message of our own that names an identifier names it whole."""
    known_as(world, SHORT)
    done = await world.command("review", "resolve", "9847110", "--as", "rejected", "--by", "ann", "--note", "x")
    assert (2, True) == (done.code, "there is no cancellation 9847110" in done.err), done.err
    shown = await world.command("runs", "show", "00004711-0000-4000-8000-000000004711")
    assert "there is no run 00004711-0000-4000-8000-000000004711" in shown.err
