"""The database as `check` and each run look at it: what is wrong gives one finding, which says how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.bare import SCOPE, TAKES, as_role, function, run, sample, view

from retention.errors import SchemaError
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.readiness import check_database, require_ready
from retention.ledger.database import open_database

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_TO_ADAPT = "`retention db sample` prints one to adapt"


BROKEN: Mapping[str, tuple[str, str, str]] = {
    "no schema": (
        "DROP SCHEMA retention CASCADE",
        "schema",
        "there is no schema `retention`; run `retention db migrate`",
    ),
    "a migration that is not applied": (
        "DELETE FROM retention.schema_migrations WHERE number = 1",
        "schema",
        "the schema lacks 0001_ledger; run `retention db migrate`",
    ),
    "no view": (
        "DROP VIEW retention.open_rounds",
        "view",
        f"there is no view retention.open_rounds; {ONE_TO_ADAPT}",
    ),
    "an id that is a number": (
        view(round_id="1::bigint"),
        "view",
        "retention.open_rounds: column round_id is bigint; cast it, round_id::text",
    ),
    "a fixed-width text, which compares without its blanks": (
        view(currency="'EUR'::char(3)"),
        "view",
        "retention.open_rounds: column currency is character; cast it, currency::text",
    ),
    "a time without a zone": (
        view(opened_at="now()::timestamp"),
        "view",
        (
            "retention.open_rounds: column opened_at is timestamp without time zone; "
            "write opened_at AT TIME ZONE 'UTC', or whichever zone its times are in"
        ),
    ),
    "a stake that is not exact": (
        view(stake="1::float8"),
        "view",
        "retention.open_rounds: column stake is double precision; cast it, stake::numeric",
    ),
    "a stake in the server's own money": (
        view(stake="1::money"),
        "view",
        "retention.open_rounds: column stake is money; cast it, stake::numeric",
    ),
    "several columns at once": (
        view(without=("market", "game_id"), user_id="1", last_activity_at="current_date"),
        "view",
        (
            "retention.open_rounds: column market is missing; add it as text; "
            "column game_id is missing; add it as text (NULL::text AS game_id where there is no such thing); "
            "column user_id is integer; cast it, user_id::text; "
            "column last_activity_at is date; cast it, last_activity_at::timestamptz"
        ),
    ),
    "a copy of the open rounds": (
        view("MATERIALIZED VIEW"),
        "view",
        "retention.open_rounds: it is a materialized view, which does not show what is open now: make it a plain view",
    ),
    "no function": (
        "DROP FUNCTION retention.close_rounds",
        "function",
        f"there is no function retention.close_rounds; {ONE_TO_ADAPT}",
    ),
    "a function that takes something else": (
        function("text[], bigint[]"),
        "function",
        f"retention.close_rounds takes (text[], bigint[]), not ({TAKES}); {ONE_TO_ADAPT}",
    ),
    "a function that tells nothing": (
        function(returns="void"),
        "function",
        "retention.close_rounds returns void; declare it RETURNS TABLE (partner text, round_id text)",
    ),
    "a function that returns one row": (
        function("OUT a text, OUT b text, " + TAKES, "record"),
        "function",
        "retention.close_rounds returns text, text; declare it RETURNS TABLE (partner text, round_id text)",
    ),
    "a function that returns numbers": (
        function(returns="TABLE (partner text, id bigint)"),
        "function",
        "retention.close_rounds returns rows of text, bigint; declare it RETURNS TABLE (partner text, round_id text)",
    ),
    "a function that returns one column": (
        function(returns="SETOF text"),
        "function",
        "retention.close_rounds returns rows of text; declare it RETURNS TABLE (partner text, round_id text)",
    ),
}

TAKEN_AWAY = {
    "USAGE ON SCHEMA retention": "schema",
    "SELECT ON retention.schema_migrations": "schema",
    "SELECT ON retention.open_rounds": "privileges",
    f"EXECUTE ON FUNCTION retention.close_rounds({TAKES})": "privileges",
    "SELECT ON retention.runs": "privileges",
    "INSERT (uuid, cancellation_id, run_id, kind, replica, claimed_at) ON retention.attempts": "privileges",
    "UPDATE (state, due_at) ON retention.cancellations": "privileges",
}


async def look(dsn: str) -> list[Finding]:
    """Inspect a database with one policy, as its owner.

    How careful the tests' own server is with its disk is not its matter.
    """
    async with open_database(lambda: dsn, size=1) as database:
        findings = await check_database(database, [("nightly", SCOPE)])
    return [finding for finding in findings if finding.name not in {"durability", "role"}]


async def refusal(dsn: str) -> str:
    """Tell why no run would begin."""
    async with open_database(lambda: dsn, size=1) as database:
        with pytest.raises(SchemaError) as refused:
            await require_ready(database)
    return str(refused.value)


async def test_a_sound_database_passes_without_a_warning(database_dsn: str) -> None:
    """Everything that is looked at is named, is well, and lets runs begin."""
    findings = await look(database_dsn)
    async with open_database(lambda: database_dsn, size=1) as database:
        await require_ready(database)

    names = [
        "database",
        "schema",
        "view",
        "function",
        "privileges",
        "index use of claims",
        "session",
        "closing",
        "index use of policy nightly",
    ]
    assert names == [finding.name for finding in findings]
    assert {(True, False)} == {(finding.ok, finding.warning) for finding in findings}


@pytest.mark.parametrize(("breakage", "name", "message"), BROKEN.values(), ids=BROKEN.keys())
async def test_each_thing_that_is_wrong_gives_one_finding(
    database_dsn: str, breakage: str, name: str, message: str
) -> None:
    """One cause, one finding, with the mend in it; and no run begins before it is mended."""
    run(database_dsn, breakage)

    assert [Finding(name, ok=False, message=message)] == [one for one in await look(database_dsn) if not one.ok]
    assert message == await refusal(database_dsn)


@pytest.mark.parametrize(("privilege", "name"), TAKEN_AWAY.items())
async def test_a_missing_privilege_is_named_with_the_grant_that_mends_it(
    database_dsn: str, privilege: str, name: str
) -> None:
    """Each kind of privilege that is missing gives one finding, and the statement in it is all that is needed."""
    dsn = as_role(database_dsn, "retention_job")
    run(
        database_dsn,
        sample("roles"),
        "GRANT SELECT, UPDATE ON public.rounds TO retention_job",
        f"REVOKE {privilege} FROM retention_job, PUBLIC",
    )

    [failure] = [finding for finding in await look(dsn) if not finding.ok]
    grant = f"GRANT {privilege} TO retention_job"
    assert (name, True) == (failure.name, failure.message.endswith(grant))
    assert failure.message == await refusal(dsn)

    run(database_dsn, grant)
    assert [] == [finding for finding in await look(dsn) if not finding.ok]


@pytest.mark.parametrize(
    ("columns", "problems"),
    [
        (
            "partner, round_id, currency, stake AS amount, opened_at AS refunded_at",
            "this role may not read it; run sql/operator/roles.sql again",
        ),
        (
            "partner, round_id, currency, 1 AS amount",
            (
                "column amount is integer; cast it, amount::numeric; "
                "column refunded_at is missing; add it as timestamptz "
                "(NULL::timestamptz AS refunded_at where there is no such thing); "
                "this role may not read it; run sql/operator/roles.sql again"
            ),
        ),
    ],
)
async def test_the_optional_view_is_looked_at_where_there_is_one(
    database_dsn: str, columns: str, problems: str
) -> None:
    """What the wallet's view lacks is found, and keeps no run from beginning."""
    run(
        database_dsn,
        sample("roles"),
        "GRANT SELECT, UPDATE ON public.rounds TO retention_job",
        f"CREATE VIEW retention.wallet_refunds AS SELECT {columns} FROM public.rounds",
    )
    dsn = as_role(database_dsn, "retention_job")

    failure = Finding("wallet view", ok=False, message=f"retention.wallet_refunds: {problems}")
    assert [failure] == [finding for finding in await look(dsn) if not finding.ok]
    async with open_database(lambda: dsn, size=1) as database:
        await require_ready(database)


async def test_a_view_whose_owner_may_not_read_the_table_is_told_apart(database_dsn: str) -> None:
    """A view that exists, with the right columns, and still cannot be read, is found before a run begins."""
    run(
        database_dsn,
        sample("roles"),
        "ALTER VIEW retention.open_rounds OWNER TO retention_report",
        "GRANT SELECT ON retention.open_rounds TO retention_job",
    )
    dsn = as_role(database_dsn, "retention_job")

    [failure] = [finding for finding in await look(dsn) if not finding.ok]
    assert failure.message.startswith("retention.open_rounds cannot be read: permission denied for table rounds; ")
    assert failure.message == await refusal(dsn)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ("SELECT", "is not SECURITY DEFINER, so the job's own role needs rights on your tables"),
        (
            f"ALTER FUNCTION retention.close_rounds({TAKES}) SECURITY DEFINER",
            "is SECURITY DEFINER without a fixed path; add SET search_path = pg_catalog, pg_temp",
        ),
        (f"ALTER FUNCTION retention.close_rounds({TAKES}) SECURITY DEFINER SET search_path = pg_catalog", None),
    ],
)
async def test_whose_rights_the_function_has_is_worth_a_warning(
    database_dsn: str, change: str, warning: str | None
) -> None:
    """A function with the caller's rights, or with a path of the caller's, is warned about; no run stops for it."""
    run(database_dsn, sample("roles"), change)
    dsn = as_role(database_dsn, "retention_job")

    warnings = [finding.message for finding in await look(dsn) if finding.warning]
    assert ([f"retention.close_rounds {warning}"] if warning else []) == warnings
    async with open_database(lambda: dsn, size=1) as database:
        await require_ready(database)


async def test_a_large_table_without_its_index_is_warned_about_until_it_has_one(database_dsn: str) -> None:
    """The plan's index and the claims' index are each missed by name of the table, and the warning goes with them."""
    run(
        database_dsn,
        "ALTER TABLE public.rounds DROP CONSTRAINT rounds_pkey; DROP INDEX public.rounds_open_by_age",
        "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at, status)"
        " SELECT 'acme', 'MT', 'u', 'R-' || i, now(), (i > 10)::integer FROM generate_series(1, 120000) i",
        "ANALYZE public.rounds",
    )
    reads_all = (
        "reads all of public.rounds (about 120,000 rows), more than 100,000;"
        " `retention db sample` prints the indexes that are wanted"
    )

    async def warned() -> dict[str, str]:
        return {finding.name: finding.message for finding in await look(database_dsn) if finding.warning}

    assert dict.fromkeys(("index use of claims", "index use of policy nightly"), reads_all) == await warned()
    run(database_dsn, "CREATE INDEX ON public.rounds (partner, round_id)")
    assert {"index use of policy nightly": reads_all} == await warned()
    run(database_dsn, "CREATE INDEX ON public.rounds (opened_at) WHERE status = 0")
    assert {} == await warned()
    run(
        database_dsn,
        "UPDATE public.rounds SET status = 0, opened_at = now() - interval '9 days'",
        "ANALYZE public.rounds",
    )
    (said,) = [finding for finding in await look(database_dsn) if finding.name == "index use of policy nightly"]
    assert not said.warning  # what `db sample` prints is there
    assert said.message.startswith("reads all of public.rounds (about 120,000 rows), as PostgreSQL finds that quicker")


async def test_partitions_count_together_even_before_they_are_analyzed(database_dsn: str) -> None:
    """Many small partitions are a large table, and one that was never analyzed is judged by its size."""
    parts = "; ".join(
        f"CREATE TABLE public.part_{i} PARTITION OF public.plays FOR VALUES WITH (MODULUS 4, REMAINDER {i})"
        for i in range(4)
    )
    run(
        database_dsn,
        f"CREATE TABLE public.plays (LIKE public.rounds) PARTITION BY HASH (round_id); {parts}",
        "INSERT INTO public.plays (partner, market, user_id, round_id, opened_at, status)"
        " SELECT 'acme', 'MT', 'u', 'R-' || i, now(), 1 FROM generate_series(1, 200000) i",
        "CREATE OR REPLACE VIEW retention.open_rounds AS"
        " SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,"
        " bet_tx AS bet_transaction_id FROM public.plays WHERE status = 0",
    )

    [claims, policy] = [finding for finding in await look(database_dsn) if finding.warning]
    assert claims.message.startswith("reads all of public.plays (about ")
    assert claims.message == policy.message
