"""A whole job under session defaults of the operator's: schema, roles, each command, a daemon, and what came of it all.

It has logins of its own, an owner and a job, so that the defaults can be theirs as well as the database's.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from retention.ledger.migration_script import migration_script
from retention.simulator.rounds import RoundStatus
from support.bare_database import run, sample
from support.closing import replace
from support.described import DESCRIBED
from support.postgres import OPERATOR, new_database
from support.psql import run_script
from support.replica import schedule, serve, until
from support.world import SECURE_LOGIN, World, make_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Level = Literal["database", "role"]

ODD = "R'1\\2\"%s\u00e9"
"""A round's id that bad quoting would change."""

COMMANDS: Mapping[str, Sequence[str]] = {
    "hold add": ("hold", "add", "--round", "r0", "--reason", "It's a \\ claim", "--by", "ann"),
    "hold list": ("hold", "list", "--json"),
    "plan": ("plan", "nightly", "--json"),
    "plan --rounds": ("plan", "nightly", "--rounds", "--format", "csv"),
    "pause": ("pause", "--by", "ann", "--reason", "look"),
    "paused run": ("run", "nightly", "--yes", "--json"),
    "resume": ("resume", "--by", "ann"),
    "run": ("run", "nightly", "--yes", "--json"),
    "review": ("review", "list", "--json"),
    "runs": ("runs", "list", "--json"),
    "explain held": ("explain", "--partner", "acme", "--round", "r0", "--json"),
    "explain odd": ("explain", "--partner", "acme", "--round", ODD, "--json"),
    "report": ("report", "--all", "--format", "csv"),
    "decisions": ("report", "--kind", "decisions", "--format", "json"),
    "verify": ("audit", "verify", "--json"),
}
"""Each command of a job, in order. The daemon comes after them."""

_VOLATILE = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"'?[A-Za-z0-9+/]{43}="), "<root>"),  # in CSV, one that begins as a formula has an apostrophe
    (re.compile(r"\b(job|owner)_[0-9a-f]{12}\b"), r"<\1>"),
    (re.compile(r",\d+,<root>"), ",<size>,<root>"),
    (re.compile(r'"attempts": \d+'), '"attempts": <number>'),
    (re.compile(r'("(?:at_work|origin|size|placed|count|replica|latency_s|took_s)": )[^,}\n]+'), r"\1<volatile>"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A database with an owner and a login of the job's; `server` is the DSN of a superuser."""

    server: str
    database: str
    owner: str
    job: str

    @property
    def direct(self) -> str:
        """The superuser's DSN of this database, past a pooler."""
        return make_conninfo(self.server, dbname=self.database, client_encoding="UTF8")

    @contextmanager
    def defaults(self, settings: Mapping[str, str], level: Level) -> Iterator[None]:
        """Have these be defaults of the database or of both logins, as far as the server knows them."""
        targets = (
            [sql.SQL("DATABASE {}").format(sql.Identifier(self.database))]
            if level == "database"
            else [sql.SQL("ROLE {}").format(sql.Identifier(one)) for one in (self.owner, self.job)]
        )
        with psycopg.connect(self.server, autocommit=True) as connection:
            for target in targets:
                for name, value in settings.items():
                    setting = sql.SQL(".").join(sql.Identifier(part) for part in name.split("."))
                    # Another version's setting, or a value that this build does not have.
                    with suppress(psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue):
                        connection.execute(sql.SQL("ALTER {} SET {} = {}").format(target, setting, sql.Literal(value)))
            try:
                yield
            finally:
                for target in targets:
                    connection.execute(sql.SQL("ALTER {} RESET ALL").format(target))


@contextmanager
def new_place(server: str, encoding: str | None = None) -> Iterator[Place]:
    """Yield an empty database that belongs to an owner, with a login that will have the rights of the job."""
    suffix = uuid.uuid4().hex[:12]
    place_roles = owner, job = f"owner_{suffix}", f"job_{suffix}"
    with psycopg.connect(server, autocommit=True) as connection:
        for one in place_roles:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE").format(sql.Identifier(one)))
        try:
            with new_database(server, "template0", encoding=encoding) as database:
                connection.execute(
                    sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
                place = Place(server, database, owner, job)
                # One more way of storing tables, for default_table_access_method.
                run(place.direct, "CREATE ACCESS METHOD unusual TYPE TABLE HANDLER heap_tableam_handler")
                yield place
        finally:
            for one in place_roles:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(one)))


async def outcomes(
    place: Place, front: str, folder: Path, defaults: Mapping[str, str], level: Level = "database"
) -> dict[str, Any]:
    """Do the whole job under these defaults; returns what came of each step, without times and random ids.

    `front` is the DSN by which the commands reach the server.
    """
    found: dict[str, Any] = {}
    job = make_conninfo(front, dbname=place.database, user=place.job)
    async with make_world(job, folder, place.direct) as world:
        await _make_schema(world, place, front, found, defaults, level)
        await _open_rounds(world, place)
        with place.defaults(defaults, level):
            checked = await world.command("check", "--json")
            found["check"] = checked.code, _findings(checked.json)
            for name, words in COMMANDS.items():
                done = await world.command(*words)
                lines = steady(_sent_attempts(done.json) if name.startswith("explain") else done.out).splitlines()
                # Rounds are listed in the order in which their batches were settled.
                found[name] = done.code, sorted(lines) if name == "report" else lines, steady(done.said)
        await world.seed(3, prefix="late")
        await schedule(world)
        with place.defaults(defaults, level):
            replica = await serve(world)
        await until(lambda: world.sql(_SCHEDULED))
        with place.defaults(defaults, level):
            found["serve"] = (await replica.stopped(signal.SIGTERM)).code
            proved = await world.command("audit", "verify", "--json")
            found["verify in the end"] = proved.code, steady(proved.out)
        found |= {name: [steady(str(tuple(row))) for row in await world.sql(query)] for name, query in _LEFT.items()}
        found["cancels"] = sorted((one.round_id, one.code) for one in world.cancels)
    return found


_SCHEDULED = "SELECT FROM retention.runs WHERE trigger = 'schedule' AND status = 'finished'"

_LEFT: Mapping[str, LiteralString] = {
    "operator": "SELECT round_id, status, refund::text FROM public.rounds ORDER BY round_id",
    "ledger": (
        "SELECT round_id, state, error_code, currency, amount::text, stake::text, transaction_id, conflict, detail,"
        " attempts FROM retention.cancellations ORDER BY id"
    ),
    "attempts": "SELECT kind, outcome, error_code FROM retention.attempts WHERE sent_at IS NOT NULL ORDER BY 1, 2, 3",
    "settings": "SELECT DISTINCT name, split_part(setting, ',', 1) FROM public.seen ORDER BY 1, 2",
    "holds": "SELECT round_id, reason, created_by FROM retention.holds ORDER BY hold_id",
}


async def _make_schema(
    world: World, place: Place, front: str, found: dict[str, Any], defaults: Mapping[str, str], level: Level
) -> None:
    """Make the schema by psql, see that the program finds it, and make it once more by the program."""
    owner = make_conninfo(front, dbname=place.database, user=place.owner)
    with place.defaults(defaults, level):
        by_psql = await asyncio.to_thread(run_script, owner, script=migration_script())
        found["script"] = by_psql.returncode, by_psql.stdout, by_psql.stderr
        again = await world.command("db", "migrate", "--as", owner)
        found["migrate after the script"] = again.code, again.out, again.said
    found["schema of the script"] = await _schema(place)
    await world.sql("DROP SCHEMA retention CASCADE")
    with place.defaults(defaults, level):
        done = await world.command("db", "migrate", "--as", owner)
        found["migrate"] = done.code, done.out, done.said
    found["schema"] = await _schema(place)


async def _schema(place: Place) -> list[str]:
    """The description of the schema, in an order that is no collation's."""
    return sorted(map(str, await asyncio.to_thread(run, place.direct, DESCRIBED)))


async def _open_rounds(world: World, place: Place) -> None:
    """Do the DBA's part, without defaults; then rounds are open that will end in several ways."""
    await asyncio.to_thread(run, place.direct, OPERATOR.read_text("utf-8"), sample("roles"))
    await asyncio.to_thread(run, place.direct, f"GRANT retention_job TO {place.job}")
    await replace(world, begin="PERFORM pg_sleep(0.05);")  # longer than the limits
    await asyncio.to_thread(run, place.direct, _DEFINER, *_WATCHED)
    await world.seed(5)
    await world.seed(1, prefix="large", stake="12345678901234567.123456789012345678", currency="JPY")
    await world.sql(
        "UPDATE public.rounds SET round_id = %(odd)s, user_id = 'user-' || %(odd)s WHERE round_id = 'r4'", odd=ODD
    )
    world.register([ODD])
    world.vendor.rounds[SECURE_LOGIN, "r1"].status = RoundStatus.COMPLETED
    world.vendor.rounds[SECURE_LOGIN, "r2"].status = RoundStatus.CANCELED


_DEFINER = "ALTER FUNCTION retention.close_rounds SECURITY DEFINER SET search_path = pg_catalog, pg_temp"

_WATCHED = (
    "CREATE TABLE public.seen AS SELECT name, setting FROM pg_settings WHERE false",
    """CREATE FUNCTION public.note_settings() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO public.seen SELECT pg_catalog.lower(name), pg_catalog.current_setting(name)
        FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) OPERATOR(pg_catalog.=) ANY (ARRAY[
            'statement_timeout', 'lock_timeout', 'transaction_timeout', 'transaction_read_only',
            'transaction_isolation', 'datestyle', 'intervalstyle', 'extra_float_digits', 'array_nulls', 'row_security',
            'enable_indexscan', 'jit', 'plan_cache_mode', 'work_mem', 'synchronous_commit', 'bytea_output']);
        RETURN NULL;
    END $$""",
    "CREATE TRIGGER watched AFTER UPDATE ON public.rounds FOR EACH STATEMENT EXECUTE FUNCTION public.note_settings()",
)
"""The statement that closes rounds notes the settings that it sees, and on which our statements rely."""


def steady(text: str) -> str:
    """A text without its times and random ids."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return text


def _sent_attempts(document: Any) -> str:
    """A round's history with the attempts alone that left: on a slow machine a claim may be given back before."""
    for cancellation in document["cancellations"]:
        cancellation["attempts"] = [one for one in cancellation["attempts"] if one["sent_at"] is not None]
    return json.dumps(document, indent=1)


def _findings(document: Any) -> list[tuple[str, bool, bool]]:
    """The findings of `check`. That of the session may warn, and name a default."""
    return [(one["name"], one["ok"], one["warning"] and one["name"] != "session") for one in document["checks"]]
