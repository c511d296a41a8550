"""Readiness: each problem of the database gives one finding, which names its repair."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.bare_database import SCOPE, TAKES, as_role, function, run, sample, view

from retention.errors import SchemaError
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.readiness import check_database, require_ready
from retention.ledger.database import open_database

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE_TO_ADAPT = "`retention db sample --table SCHEMA.TABLE -o DIR` proposes one for your table"


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
    """Check a database with one policy, as its owner.

    How careful the tests' own server is with its disk is not its matter.
    """
    async with open_database(lambda: dsn, size=1) as database:
        findings = await check_database(database, [("nightly", SCOPE)])
    return [finding for finding in findings if finding.name not in {"durability", "role"}]


async def refusal(dsn: str) -> str:
    """The reason why no run would start."""
    async with open_database(lambda: dsn, size=1) as database:
        with pytest.raises(SchemaError) as refused:
            await require_ready(database)
    return str(refused.value)


async def test_ready_database_has_no_warning(database_dsn: str) -> None:
    """A ready database passes each check without a warning, and runs start."""
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
        "months",
        "open rounds",
        "index use of policy nightly",
        "stale rounds of policy nightly",
    ]
    assert names == [finding.name for finding in findings]
    assert {(True, False)} == {(finding.ok, finding.warning) for finding in findings}


@pytest.mark.parametrize(("breakage", "name", "message"), BROKEN.values(), ids=BROKEN.keys())
async def test_each_problem_gives_one_finding(database_dsn: str, breakage: str, name: str, message: str) -> None:
    """Each problem gives one finding with its repair, and no run starts before the repair."""
    run(database_dsn, breakage)

    assert [Finding(name, ok=False, message=message)] == [one for one in await look(database_dsn) if not one.ok]
    assert message == await refusal(database_dsn)


@pytest.mark.parametrize(("privilege", "name"), TAKEN_AWAY.items())
async def test_missing_privilege_names_its_grant(database_dsn: str, privilege: str, name: str) -> None:
    """Each kind of missing privilege gives one finding, and its GRANT alone repairs it."""
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
async def test_wallet_view_is_optional(database_dsn: str, columns: str, problems: str) -> None:
    """Problems of the optional wallet view are found, and stop no run."""
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


async def test_view_owner_without_privilege_is_found(database_dsn: str) -> None:
    """A view that has the right columns but cannot be read is found before a run starts."""
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
async def test_function_without_security_definer_is_a_warning(
    database_dsn: str, change: str, warning: str | None
) -> None:
    """A function with the caller's rights or search_path is a warning, and stops no run."""
    run(database_dsn, sample("roles"), change)
    dsn = as_role(database_dsn, "retention_job")

    warnings = [finding.message for finding in await look(dsn) if finding.warning]
    assert ([f"retention.close_rounds {warning}"] if warning else []) == warnings
    async with open_database(lambda: dsn, size=1) as database:
        await require_ready(database)


async def test_missing_index_on_a_large_table_is_a_warning(database_dsn: str) -> None:
    """A missing index for plans or claims is a warning that names the table, and ends with the index."""
    run(
        database_dsn,
        "ALTER TABLE public.rounds DROP CONSTRAINT rounds_pkey; DROP INDEX public.rounds_open_by_age",
        "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at, status)"
        " SELECT 'acme', 'MT', 'u', 'R-' || i, now(), (i > 10)::integer FROM generate_series(1, 120000) i",
        "ANALYZE public.rounds",
    )
    scan = "Seq Scan on public.rounds (about 120,000 rows), filter: "
    by_key = (
        f"{scan}((status = 0) AND (partner = PARTNER) AND (round_id = ROUND_ID));"
        " CREATE INDEX CONCURRENTLY ON public.rounds (partner, round_id) WHERE (status = 0)"
    )
    by_age = (
        f"{scan}((status = 0) AND (opened_at <= TIME));"
        " CREATE INDEX CONCURRENTLY ON public.rounds (opened_at) WHERE (status = 0)"
    )

    async def warned() -> dict[str, str]:
        return {finding.name: finding.message for finding in await look(database_dsn) if finding.warning}

    assert {"index use of claims": by_key, "index use of policy nightly": by_age} == await warned()
    run(database_dsn, "CREATE UNIQUE INDEX ON public.rounds (partner, round_id)")
    assert {"index use of policy nightly": by_age} == await warned()
    run(database_dsn, "CREATE INDEX ON public.rounds (opened_at) WHERE status = 0")
    assert {} == await warned()
    run(
        database_dsn,
        "UPDATE public.rounds SET status = 0, opened_at = now() - interval '9 days'",
        "ANALYZE public.rounds",
    )
    (said,) = [finding for finding in await look(database_dsn) if finding.name == "index use of policy nightly"]
    assert not said.warning  # the output of `db sample` is there
    assert said.message.startswith("reads all of public.rounds (about 120,000 rows), as PostgreSQL finds that quicker")


async def test_partitions_count_as_one_table(database_dsn: str) -> None:
    """Many small partitions count as one large table, and a partition without statistics is judged by its size."""
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
    assert re.fullmatch(r"Seq Scan on public.plays \(about [\d,]+ rows\), filter: .*", claims.message)
    # CONCURRENTLY is not for a partitioned table as a whole.
    assert "; CREATE INDEX ON public.plays (opened_at) WHERE (status = 0) (indexes.sql" in policy.message
