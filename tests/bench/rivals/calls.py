"""The parts that all rivals share: the stale rounds, the call to the vendor, and the write afterwards."""

from __future__ import annotations

import argparse
import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import aiohttp
import psycopg
from psycopg_pool import AsyncConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

One = TypeVar("One")

CONNECTIONS = 8
"""To PostgreSQL, of each rival with a pool: so that commits share a sync. On two cores 4, 16 and 32 were slower."""

HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}

PATH = "/secret-path/v4/CancelRound"

STALE = (
    "SELECT round_id, user_id, game FROM public.rounds"
    " WHERE partner = 'acme' AND status = 0 AND opened_at <= now() - interval '72 hours' ORDER BY opened_at"
)

CLOSE = (
    "UPDATE public.rounds SET status = 2, cancelled_at = now(), refund = %s"
    " WHERE partner = 'acme' AND round_id = %s AND status = 0"
)

CLOSE_AND_RECORD = (
    "WITH closed AS (UPDATE public.rounds SET status = 2, cancelled_at = now(), refund = %(amount)s"
    " WHERE partner = 'acme' AND round_id = %(round_id)s AND status = 0 RETURNING round_id)"
    " INSERT INTO public.results (round_id, uuid, currency, amount, transaction_id)"
    " SELECT round_id, %(uuid)s, %(currency)s, %(amount)s, %(transaction_id)s FROM closed"
)
"""Both in one statement with a commit of its own: once to the server and back, instead of four times."""


class Round(NamedTuple):
    """A stale round; in the order of STALE's columns."""

    round_id: str
    user_id: str
    game: str


def make_results(dsn: str) -> None:
    """Make the table for the result of each round."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "CREATE TABLE public.results (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, round_id text NOT NULL,"
            " uuid uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(), currency text, amount numeric,"
            " transaction_id text)"
        )


def open_pool(dsn: str) -> AsyncConnectionPool:
    """Connections on which each statement is a transaction. A caller may wait for one for minutes."""
    terms = {"autocommit": True}
    return AsyncConnectionPool(dsn, kwargs=terms, min_size=CONNECTIONS, max_size=CONNECTIONS, timeout=600, open=False)


def open_session(in_flight: int) -> aiohttp.ClientSession:
    """A session that lets no more than so many requests out at a time."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight), headers=HEADERS)


def request(stale: Round) -> tuple[uuid.UUID, bytes]:
    """A fresh uuid, and the body that holds it."""
    attempt = uuid.uuid4()
    body = {
        "secureLogin": "login",
        "userId": stale.user_id,
        "roundId": stale.round_id,
        "token": "token-9d41c7b2e6",
        "uuid": str(attempt),
        "gameId": stale.game,
    }
    return attempt, json.dumps(body).encode()


def refund(status: int, body: bytes) -> dict[str, Any]:
    """The vendor's refund; any reply but a success raises."""
    reply = json.loads(body, parse_float=Decimal)
    if status != 200 or reply["error"] not in {0, "0"}:
        raise ValueError(f"{status}: {body!r}")
    return {"currency": reply["currency"], "amount": reply["amount"], "transaction_id": reply["transactionId"]}


async def cancel(session: aiohttp.ClientSession, url: str, stale: Round) -> dict[str, Any]:
    """Call the vendor. Returns the parameters of CLOSE_AND_RECORD."""
    attempt, body = request(stale)
    async with session.post(url + PATH, data=body) as reply:
        return {"round_id": stale.round_id, "uuid": attempt, **refund(reply.status, await reply.read())}


def chunks(jobs: Sequence[One]) -> Iterator[Sequence[One]]:
    """As many at a time as are enqueued by one statement."""
    for first in range(0, len(jobs), 1000):
        yield jobs[first : first + 1000]


def tell_enqueued(seconds: float) -> None:
    """Leave word of how long it took to make a job of each round."""
    print(json.dumps({"enqueued": seconds}))


def asked() -> argparse.Namespace:
    """The input of a rival. Its `work` is measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("prepare", "work"))
    parser.add_argument("dsn")
    parser.add_argument("url")
    parser.add_argument("in_flight", type=int)
    return parser.parse_args()
