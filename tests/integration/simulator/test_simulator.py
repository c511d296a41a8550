"""The simulated vendor over real sockets: its rounds, and its records of requests."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from support.vendor import CANCEL, FIELDS, HEALTH, KEY, STATUS, ask, open_round

from retention.errors import UsageError
from retention.simulator.faults import Faults
from retention.simulator.server import RoundStatus, Simulator, worst_second

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_second_cancel_leaves_the_round_unchanged(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """The first cancel changes the round and promises the refund; the second one changes nothing and says so."""
    first = await ask(client, vendor.url + CANCEL)
    second = await ask(client, vendor.url + CANCEL)

    refund = {"currency": "SEK", "amount": Decimal("12.50"), "transactionId": "bet-7"}
    assert {"error": 0, "description": "Success", **refund} == first
    assert {"error": "61", "description": "round is already cancelled"} == second
    assert open_round(status=RoundStatus.CANCELED, cancel_calls=2, cancelled_times=1) == vendor.rounds[KEY]
    assert [True, False] == [request.effect for request in vendor.requests]


async def test_a_vendor_that_is_not_idempotent_cancels_twice(client: aiohttp.ClientSession) -> None:
    """A vendor that is not idempotent honours a second cancel, and its rounds show it."""
    async with Simulator([open_round()], idempotent=False) as vendor:
        codes = [(await ask(client, vendor.url + CANCEL))["error"] for _ in range(2)]

    assert [0, 0] == codes
    assert 2 == vendor.rounds[KEY].cancelled_times
    assert 1 == vendor.figures()["cancelled_more_than_once"]


@pytest.mark.parametrize(
    ("status", "code"),
    [("InProgress", 0), ("Completed", "1"), ("CompleteInProcess", "1"), ("Canceled", "61"), ("CancelInProcess", "61")],
)
async def test_the_reply_follows_the_round_status(client: aiohttp.ClientSession, status: str, code: int | str) -> None:
    """GetRoundStatus returns the status without a change, and only a round in progress is cancelled."""
    async with Simulator([open_round(status=status)]) as vendor:
        told = await ask(client, vendor.url + STATUS, userId=None, gameId=None)
        cancelled = await ask(client, vendor.url + CANCEL)

    money = {"currency": "SEK", "betAmount": "12.50", "winAmount": "0"}
    assert {"error": 0, "description": "Success", "roundId": "R-1", "roundStatus": status, **money} == told
    assert code == cancelled["error"]
    assert (code == 0) == vendor.rounds[KEY].cancelled_times


@pytest.mark.parametrize(
    ("call", "changes", "code"),
    [
        (CANCEL, {"secureLogin": "other"}, "54"),
        (CANCEL, {"token": "other"}, "54"),
        (STATUS, {"token": "other"}, "54"),
        (HEALTH, {"token": "other"}, "54"),
        *((CANCEL, {name: None}, "20") for name in ("secureLogin", "userId", "roundId", "token", "uuid")),
        *((STATUS, {name: None}, "20") for name in ("secureLogin", "roundId", "token", "uuid")),
        *((HEALTH, {name: None}, "20") for name in ("secureLogin", "token", "uuid")),
        (CANCEL, {"roundId": 1}, "20"),
        (CANCEL, {"token": ["s3cret"]}, "20"),
        (CANCEL, {"userId": ""}, "20"),
        (CANCEL, {"uuid": "x" * 37}, "20"),
        (CANCEL, {"roundId": "none"}, "17"),
        (STATUS, {"roundId": "none"}, "17"),
        (CANCEL, {"userId": "other"}, "16"),
        (CANCEL, {"gameId": "other"}, "18"),
        (CANCEL, {"gameId": None}, 0),
        (STATUS, {"userId": None, "gameId": None}, 0),
        (HEALTH, {"userId": None, "gameId": None, "roundId": None}, 0),
    ],
)
async def test_fields_are_checked(
    vendor: Simulator, client: aiohttp.ClientSession, call: str, changes: dict[str, Any], code: int | str
) -> None:
    """Fields are required as on the vendor's page, credentials come first, and only a valid call has an effect."""
    reply = await ask(client, vendor.url + call, **changes)

    assert code == reply["error"]
    assert ((call, code) == (CANCEL, 0)) == vendor.rounds[KEY].cancelled_times


async def test_a_request_that_is_no_call_gets_an_http_error(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """Another path, method or body is the caller's mistake, and is recorded too."""
    statuses = [
        (await client.post(vendor.url + "/v3/CancelRound", json=FIELDS)).status,
        (await client.get(vendor.url + CANCEL)).status,
        (await client.post(vendor.url + CANCEL, data=b"[1]")).status,
        (await client.post(vendor.url + CANCEL, data=b"\xff{")).status,
    ]

    assert [404, 405, 400, 400] == statuses
    assert ["other", "CancelRound", "CancelRound", "CancelRound"] == [request.call for request in vendor.requests]
    assert ["404", "405", "400", "400"] == [request.code for request in vendor.requests]


async def test_any_path_may_go_before_the_call(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """An API URL with a path of its own reaches the same calls."""
    assert 0 == (await ask(client, f"{vendor.url}/some/prefix{CANCEL}"))["error"]


async def test_an_unknown_round_can_be_opened_on_the_spot(client: aiohttp.ClientSession) -> None:
    """For staging, any requested round exists, with a bet of 1.00 EUR."""
    async with Simulator(unknown="open") as vendor:
        reply = await ask(client, vendor.url + CANCEL)

    assert ("EUR", Decimal("1.00")) == (reply["currency"], reply["amount"])
    assert RoundStatus.CANCELED is vendor.rounds[KEY].status


@pytest.mark.parametrize(
    ("amount", "form", "text"),
    [
        ("12.50", "number", b'"amount": 12.50,'),
        ("12.50", "string", b'"amount": "12.50",'),
        ("12.50", "exponent", b'"amount": 1.250E+1,'),
        ("12345678901234567890.123456789012345678", "number", b'"amount": 12345678901234567890.123456789012345678,'),
        ("0.000000000000000001", "string", b'"amount": "0.000000000000000001",'),
        ("1E+3", "number", b'"amount": 1000,'),
    ],
)
async def test_amounts_are_exact(client: aiohttp.ClientSession, amount: str, form: Any, text: bytes) -> None:
    """Each amount keeps its digits, in the notation that the simulator or the round asks for."""
    one = open_round(amount=Decimal(amount))
    other = open_round(round_id="R-2", amount=Decimal(amount), amount_as=form)
    async with Simulator([one], amount_as=form) as vendor:
        body = await (await client.post(vendor.url + CANCEL, json=FIELDS)).read()
    async with Simulator([other]) as vendor:
        same = await (await client.post(vendor.url + CANCEL, json={**FIELDS, "roundId": "R-2"})).read()

    assert text in body
    assert body == same


async def test_latency_keeps_requests_in_flight(client: aiohttp.ClientSession) -> None:
    """With a latency, simultaneous requests are in flight together."""
    async with Simulator(unknown="open", latency=0.25) as vendor:
        await asyncio.gather(*(ask(client, vendor.url + CANCEL, roundId=f"R-{n}") for n in range(5)))

    assert 5 == vendor.peak_in_flight
    assert 5 == vendor.worst_second()
    assert 0 == vendor.worst_second("GetRoundStatus")


async def test_a_request_arrives_with_its_headers(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """The arrival time is that of the headers, and a request without its body is not recorded."""
    body = json.dumps(FIELDS).encode()
    head = f"POST {CANCEL} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    slow, slow_out = await asyncio.open_connection("127.0.0.1", vendor.port)
    _, gone_out = await asyncio.open_connection("127.0.0.1", vendor.port)
    slow_out.write(head)
    gone_out.write(head + body[:9])
    await ask(client, vendor.url + HEALTH)  # the server reads in the order of writing
    body_sent_at = datetime.now(UTC)
    gone_out.close()
    slow_out.write(body)
    await slow.readuntil(b"}")
    slow_out.close()

    assert ["HealthCheck", "CancelRound"] == [request.call for request in vendor.requests]
    assert vendor.requests[1].at < body_sent_at
    assert vendor.requests[1].arrived_at < (vendor.requests[0].finished_at or 0)


async def test_the_journal_is_written_before_the_answer(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    """The journal has one line before a request's effect and one with the effect, and neither holds the token."""
    journal = tmp_path / "journal"
    async with Simulator([open_round()], journal=journal, faults=Faults.of({"hang": "after"})) as vendor:
        asking = asyncio.create_task(ask(client, vendor.url + CANCEL))
        await vendor.until(lambda: bool(vendor.requests) and vendor.requests[0].answer == "hung")
        text = journal.read_text()
    with suppress(aiohttp.ClientConnectionError):
        await asking

    asked, answered = map(json.loads, text.splitlines())
    assert ("", False, "R-1", "u-1") == (asked["answer"], asked["effect"], asked["round_id"], asked["uuid"])
    assert asked["at"] < answered["effect_at"]
    assert {**asked, "answer": "hung", "effect": True, "effect_at": answered["effect_at"], "fault": 1} == answered
    assert FIELDS["token"] not in text


def test_an_unwritable_journal_is_refused_at_start(tmp_path: Path) -> None:
    """The simulator refuses an unwritable journal at once, with a reason and a mend."""
    with pytest.raises(UsageError, match=r"journal: cannot be written \(No such file or directory\): name a file"):
        Simulator(journal=tmp_path / "none" / "journal")


async def test_other_processes_administer_the_simulator(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """Other processes set rounds and faults, and read rounds, requests and figures over HTTP."""
    admin = vendor.url + "/_simulator/"
    rows = b'[{"secure_login": "acme", "round_id": "R-2", "amount": 0.10, "status": "InProgress"}]'
    registered = await (await client.post(admin + "rounds", data=rows)).json()
    faulty = await (await client.post(admin + "faults", json={"fault": [{"code": "998", "first": 1}]})).json()
    codes = [(await ask(client, vendor.url + CANCEL, roundId="R-2"))["error"] for _ in range(2)]
    rounds = await (await client.get(admin + "rounds")).json()
    requests = await (await client.get(admin + "requests")).json()
    figures = await (await client.get(admin + "figures")).json()

    assert ({"rounds": 2}, {"faults": 1}) == (registered, faulty)
    assert ["998", 0] == codes
    assert [("R-1", "InProgress", "12.50"), ("R-2", "Canceled", "0.10")] == [
        (one["round_id"], one["status"], one["amount"]) for one in rounds
    ]
    assert [("998", False, 1), ("0", True, None)] == [(one["code"], one["effect"], one["fault"]) for one in requests]
    assert FIELDS["token"] not in json.dumps(requests)
    assert {
        "answers": {"CancelRound": {"998": 1, "0": 1}},
        "rounds": {"InProgress": 1, "Canceled": 1},
        "cancelled_more_than_once": 0,
        "reversed_completed": 0,
        "cancelled_with_winnings": 0,
        "worst_second": {"CancelRound": 2, "GetRoundStatus": 0, "GetGameRounds": 0, "HealthCheck": 0},
        "peak_in_flight": 1,
    } == figures


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("faults", b'{"fault": [{"statsu": 1}]}', "the request: fault 1: statsu: unknown key: did you mean status?"),
        ("faults", b"[]", "the request: not a table"),
        ("rounds", b'[{"secure_login": "acme", "round_id": "R-2", "status": "Open"}]', "'Open' is not a valid"),
        ("rounds", b'[{"round_id": "R-2"}]', "secure_login"),
        ("rounds", b'[{"secure_login": "acme", "round_id": "R-2", "amount_as": "x"}]', "amount_as = 'x' cannot be"),
        ("rounds", b"[", "Expecting value"),
    ],
)
async def test_bad_administration_leaves_rounds_and_faults(
    vendor: Simulator, client: aiohttp.ClientSession, path: str, body: bytes, words: str
) -> None:
    """Bad administration is refused with a reason, and rounds and faults stay."""
    async with client.post(f"{vendor.url}/_simulator/{path}", data=body) as reply:
        assert 400 == reply.status
        assert words in (await reply.json())["error"]

    assert ({KEY: open_round()}, Faults()) == (vendor.rounds, vendor.faults)


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.9", 200), ("::1", 200), ("192.0.2.1", 403), (None, 403)])
async def test_only_the_loopback_administers_the_simulator(
    vendor: Simulator,
    client: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    peer: str | None,
    status: int,
) -> None:
    """A peer that is not on the loopback may call the vendor, but not administer it."""
    monkeypatch.setattr(web.BaseRequest, "remote", peer)

    assert status == (await client.get(vendor.url + "/_simulator/rounds")).status
    assert 0 == (await ask(client, vendor.url + HEALTH))["error"]


@pytest.mark.parametrize(
    ("times", "worst"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 1.0, 2.0], 1),
        ([0.0, 0.5, 0.999, 1.0], 3),
        ([3.0, 0.0, 3.5, 3.25], 3),
        ([n / 16 for n in range(100)], 16),
    ],
)
def test_worst_second_slides_over_all_arrivals(times: list[float], worst: int) -> None:
    """The window slides over unordered times, and excludes its own end."""
    assert worst == worst_second(times)
