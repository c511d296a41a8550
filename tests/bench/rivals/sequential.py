"""The script of ten minutes: one call after another on one connection, and a commit for each row."""

from __future__ import annotations

from http.client import HTTPConnection

import psycopg

from bench.rivals.calls import CLOSE_AND_RECORD, HEADERS, PATH, STALE, Round, asked, make_results, refund, request


def work(dsn: str, url: str) -> None:
    """Cancel them."""
    vendor = HTTPConnection(url.removeprefix("http://"), timeout=30)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for row in connection.execute(STALE).fetchall():
            stale = Round(*row)
            attempt, body = request(stale)
            vendor.request("POST", PATH, body, HEADERS)
            reply = vendor.getresponse()
            result = refund(reply.status, reply.read())
            connection.execute(CLOSE_AND_RECORD, {"round_id": stale.round_id, "uuid": attempt, **result})
    vendor.close()


if __name__ == "__main__":
    options = asked()
    if options.step == "prepare":
        make_results(options.dsn)
    else:
        work(options.dsn, options.url)
