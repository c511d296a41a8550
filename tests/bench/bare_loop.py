"""The least that a program could do: send the same requests, so many at a time, and read the replies.

It plans nothing, records nothing, checks nothing and logs nothing: the yardstick for `retention run`, not a rival.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid

import aiohttp
import uvloop


async def call_all(url: str, rounds: int, in_flight: int) -> None:
    """Cancel r0, r1, r2 and so on."""
    numbers = iter(range(rounds))
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "bare"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight), headers=headers) as session:

        async def work() -> None:
            for number in numbers:
                body = {
                    "secureLogin": "login",
                    "userId": f"user-r{number}",
                    "roundId": f"r{number}",
                    "token": "token-9d41c7b2e6",
                    "uuid": str(uuid.uuid4()),
                    "gameId": "game",
                }
                async with session.post(f"{url}/secret-path/v4/CancelRound", data=json.dumps(body).encode()) as reply:
                    await reply.read()

        await asyncio.gather(*(work() for _ in range(in_flight)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("rounds", type=int)
    parser.add_argument("in_flight", type=int)
    options = parser.parse_args()
    uvloop.run(call_all(options.url, options.rounds, options.in_flight))
