"""A command refuses odd words before it connects to any server, and reads back the words that it accepts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

if TYPE_CHECKING:
    from support.world import World

LONG = "x" * 2001
CANCEL = "cancel --by ann --evidence x"
HOLD = "hold add --by ann --reason x --user u"

LISTS = {"strangers.csv": "partner,round_id\nacmee,7\n", "bare.csv": "\n\n7\n", "wide.csv": "7\n8,9\n"}
"""Lists of rounds, by their files."""

ODD: dict[str, str] = {
    # a command, and its error
    "report --from 0001-01-01T00:00+01:00": "--from '0001-01-01T00:00+01:00': outside of the years 1 to 9999 in UTC",
    "report --to 9999-12-31T23:59-01:00": "--to '9999-12-31T23:59-01:00': outside of the years 1 to 9999 in UTC",
    "report --to 9999-12-31T23:59": "write a time up to 9999-12-31, or leave it out",
    "report --from 2026-02-29": "--from '2026-02-29': not a time; write 2026-01-31",
    "report --from 2026-01-01x10:00": "not a time",
    "report --from 2026-06-30T23:59:60Z": "not a time",
    "report --from 1767225600": "not a time",
    "report --from 2026-01-02 --to 2026-01-01": "--from must be before --to",
    "report -o /no/such/folder/file": "-o /no/such/folder/file: no place for a file; name a file in a folder",
    "report -o /": "no place for a file",
    f"report -o {LONG}": "no place for a file",
    f"report --market {LONG}": "--market has 2001 characters; write at most 2000",
    "plan nigthly": "there is no policy 'nigthly'; known: nightly",
    "plan --older-than 0s": "--older-than '0s'",
    "plan --older-than -5h": "--older-than '-5h'",
    "plan --older-than 1e9d": "--older-than '1e9d'",
    "plan --older-than 36501d": "--older-than '36501d'",
    "plan --limit 0": "--limit",
    "plan --limit 99999999999999999999": "--limit",
    "run --limit -1": "--limit",
    f"run --reason {LONG}": "--reason has 2001 characters; write at most 2000",
    f"run --by {LONG}": "--by has 2001 characters",
    "run --metrics-file /": "--metrics-file /: is a directory",
    f"run --metrics-file {LONG}": "File name too long; name another file",
    f"serve --http h:{'9' * 5000}": "no address; write HOST:PORT",
    "serve --http [::1:80": "no address; write HOST:PORT",
    f"serve --http {'h' * 300}:80": "no name or address of a host",
    "serve --drain-timeout 0s": "--drain-timeout '0s'",
    f"simulate --host {'h' * 300}": "--host: no name or address of a host",
    f"{HOLD} --until 9999-12-31T12:00": "--until '9999-12-31T12:00': outside of the years",
    f"{HOLD} --until 2001-01-01": "the hold would have ended at 2001-01-01T00:00:00Z, which is past",
    f"{HOLD} --round {LONG}": "--round has 2001 characters",
    "hold release 99999999999999999999 --by ann": "HOLD_ID",
    "hold release 0 --by ann": "HOLD_ID",
    "review resolve 99999999999999999999 --as cancelled --by ann --note x": "ID",
    "review resolve 1 --as gone --by ann --note x": "not resolved as 'gone'; known: cancelled",
    "review reclose 1 99999999999999999999 --by ann": "ID",
    "runs list --limit 99999999999999999999": "--limit",
    f"{CANCEL} --round r": "--round needs --partner: a round id alone may be any partner's",
    f"{CANCEL} --partner acme": "no round is named; write --partner P --round R, or --from-file FILE",
    f"{CANCEL} --partner acmee --round r": "--partner acmee: not in the configuration, which has acme",
    f"{CANCEL} --partner acme --round {LONG}": "--round has 2001 characters",
    f"{CANCEL} --from-file /no/such/file": "--from-file /no/such/file: No such file or directory; name a file",
    f"{CANCEL} --from-file /": "--from-file /: Is a directory; name a file",
    f"{CANCEL} --from-file /dev/null": "no round is named",
    f"{CANCEL} --from-file strangers.csv": "round 7: partner acmee is not in the configuration; known: acme",
    f"{CANCEL} --from-file bare.csv": "--from-file bare.csv, line 3: no partner; give --partner",
    f"{CANCEL} --from-file wide.csv --partner acme": "--from-file wide.csv, line 2: 2 values, not a round id alone",
    "cancel --partner acme --round r --by ann": "--evidence",
    "cancel --partner acme --round r --evidence x": "--by",
    "pause --by ann --reason x --partner acmee": "--partner acmee: not in the configuration, which has acme",
    "explain --partner acme --round \udce9": "--round is not UTF-8",
}


async def test_odd_words_are_refused_before_anything_is_connected_to(world: World) -> None:
    """With a database that is away, each odd word is one line that names it, and exit code 2; not that it is away."""
    world.dsn = "postgresql://127.0.0.1:1/none"
    world.configure()
    for name, lines in LISTS.items():
        (world.folder / name).write_text(lines)
    ended = await asyncio.gather(*(world.command(*words.split()) for words in ODD))
    wrong = {
        words: (done.code, done.err)
        for (words, said), done in zip(ODD.items(), ended, strict=True)
        if done.code != 2 or done.out or said not in done.err or done.err.count("\n") != 1 or done.err[:7] != "error: "
    }
    assert {} == wrong


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
async def test_accepted_extreme_values_can_be_read_back(world: World, zone: str) -> None:
    """The extreme times, the longest text and the highest number are accepted and shown again, in any time zone of the
    database.
    """
    async with await psycopg.AsyncConnection.connect(world.direct, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        await connection.execute(sql.SQL("ALTER DATABASE {} SET timezone = {}").format(name, zone))
    reason = "ü" * 2000
    added = await world.command(*HOLD.split()[:5], reason, "--user", "u" * 2000, "--until", "9999-12-31")
    assert (0, True) == (added.code, added.out.startswith("hold 1 stands")), added.err
    hold, report, plan, runs = await asyncio.gather(
        world.command("hold", "list", "--json"),
        world.command("report", "--from", "0001-01-01", "--to", "9999-12-31", "--json"),
        world.command("plan", "--limit", "1000000000", "--older-than", "36500d", "--json"),
        world.command("runs", "list", "--limit", "1000000000", "--json"),
    )
    assert ("9999-12-31T00:00:00Z", reason) == (hold.json[0]["until"], hold.json[0]["reason"])
    assert ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z") == (report.json["from"], report.json["to"])
    assert [0, 0] == [plan.code, runs.code]
    for words in (("hold", "release"), ("review", "reclose")):
        done = await world.command(*words, "9223372036854775807", "--by", "ann")
        assert (2, True) == (done.code, "9223372036854775807" in done.err)
