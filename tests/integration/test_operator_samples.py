"""The operator's side of the contract: the samples as shipped, a database of another shape, and least privilege."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.bare_database import as_role, bare_database, begin, cancel_all, install_samples, run, sample
from support.role_database import OF_THE_OWNER

from retention.ledger.checks.grants import grants
from retention.ledger.checks.readiness import check_database
from retention.ledger.database import open_database
from retention.ledger.queries import query, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = """
INSERT INTO casino.game_rounds
    (id, account, vendor_round_id, vendor_user_id, market, state, opened_at, currency, stake, bet_transaction_id)
SELECT i, 'acme', 'R-' || i, 'U-' || i, 'MT', CASE WHEN i = 9 THEN 'completed' ELSE 'open' END,
       now() - make_interval(days => i), 'EUR', 1.50, 'T' || i
FROM generate_series(1, 9) i
"""

WALLET = """
CREATE VIEW retention.wallet_refunds AS
SELECT ''::text AS partner, ''::text AS round_id, ''::text AS currency, 0::numeric AS amount, now() AS refunded_at
WHERE false
"""

OTHER_SHAPE = """
CREATE TABLE public.spins (
    spin_id bigint NOT NULL, began timestamp NOT NULL, player integer NOT NULL, country char(2) NOT NULL,
    bet_cents integer NOT NULL, status smallint NOT NULL DEFAULT 0
) PARTITION BY RANGE (began);
CREATE TABLE public.spins_old PARTITION OF public.spins FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE public.spins_new PARTITION OF public.spins FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
CREATE INDEX ON public.spins ((began AT TIME ZONE 'UTC')) WHERE status = 0;
CREATE INDEX ON public.spins ((spin_id::text)) WHERE status = 0;
INSERT INTO public.spins SELECT i, '2024-12-30'::date + i, i, 'MT', 150, i % 2 FROM generate_series(1, 8) i;

CREATE VIEW retention.open_rounds AS
SELECT began AT TIME ZONE 'UTC' AS opened_at, 'acme'::text AS partner, country::text AS market, NULL::text AS game_id,
       player::text AS user_id, spin_id::text AS round_id, NULL::timestamptz AS last_activity_at,
       'EUR'::text AS currency, bet_cents / 100.0 AS stake, NULL::varchar(36) AS bet_transaction_id, 'one more' AS note
FROM public.spins WHERE status = 0;

CREATE FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])
RETURNS TABLE (whose text, what text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY UPDATE public.spins s SET status = 2 FROM unnest($2) AS closed (id)
    WHERE s.spin_id::text = closed.id AND s.status = 0 RETURNING 'acme'::text, s.spin_id::text;
END
$$;
REVOKE ALL ON FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[]) FROM PUBLIC;
"""


@pytest.fixture
def bare(postgres: str, front: str) -> Iterator[str]:
    with bare_database(postgres, front) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def installed(postgres: str, front: str) -> Iterator[str]:
    """DSN of a database with the samples, for tests that leave it as it is."""
    with bare_database(postgres, front) as dsn:
        run(dsn, WALLET)
        install_samples(dsn)
        yield dsn


async def test_the_samples_as_shipped_carry_a_run_to_its_end_with_the_job_s_rights(bare: str) -> None:
    """View, function, indexes and roles work together: exactly the stale and open rounds are closed."""
    install_samples(bare)
    run(bare, ROUNDS)
    async with open_database(lambda: as_role(bare, "retention_job")) as database:
        findings = await check_database(database, [])
        planned = await begin(database)
        run(bare, "UPDATE casino.game_rounds SET state = 'completed' WHERE vendor_round_id = 'R-5'")
        claimed = await cancel_all(planned, "T1")

    assert [] == [one for one in findings if one.name != "durability" and (not one.ok or one.warning)]
    assert planned.rounds == 6
    assert dict.fromkeys(("R-8", "R-7", "R-6", "R-4", "R-3"), False) == claimed
    assert [("cancelled", "EUR", "T1", 5)] == run(
        bare,
        "SELECT state, refund_currency, refund_transaction, count(*)::integer FROM casino.game_rounds"
        " WHERE closed_at IS NOT NULL GROUP BY 1, 2, 3",
    )


async def test_a_round_that_was_closed_meanwhile_is_returned_as_a_conflict(bare: str) -> None:
    """The sample function touches only open rounds, and leaves the others out of its result."""
    install_samples(bare)
    run(bare, ROUNDS, "UPDATE casino.game_rounds SET state = 'completed' WHERE id = 7")

    closed = run(
        bare,
        "SELECT * FROM retention.close_rounds(ARRAY['acme', 'acme', 'other'], ARRAY['R-7', 'R-8', 'R-6'],"
        " array_fill(now(), '{3}'), array_fill(NULL::text, '{3}'), '{1,2,3}', array_fill(NULL::text, '{3}'))",
    )

    assert [("acme", "R-8")] == closed
    assert [(8,)] == run(bare, "SELECT id FROM casino.game_rounds WHERE state = 'cancelled'")


async def test_a_database_of_another_shape_works_through_view_and_function_alone(bare: str) -> None:
    """Numbers as ids and states, cents, local times and partitions: only the view and the function have to know."""
    run(bare, OTHER_SHAPE, sample("roles"))
    async with open_database(lambda: as_role(bare, "retention_job")) as database:
        findings = await check_database(database, [])
        claimed = await cancel_all(await begin(database))

    assert [] == [one for one in findings if one.name != "durability" and (not one.ok or one.warning)]
    assert dict.fromkeys(("2", "4", "6", "8"), False) == claimed
    assert [(0, 0), (1, 4), (2, 4)] == run(
        bare,
        "SELECT s, count(spin_id)::integer FROM generate_series(0, 2) s LEFT JOIN public.spins ON status = s"
        " GROUP BY s ORDER BY s",
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(as_role(bare, "retention_job"), "SELECT FROM public.spins")


def refused(connection: psycopg.Connection[Any], about: str = "") -> list[str]:
    """The ones of our statements that PostgreSQL would not let this role run. Explaining one asks for the same
    privileges.
    """
    nothing: defaultdict[str, Any] = defaultdict(lambda: None)
    found = []
    for name in statements():
        text = query(name)
        if "\nDO $$" in text or name in OF_THE_OWNER:
            continue  # there is no plan of a block to explain
        try:
            if about in text:
                connection.execute("EXPLAIN " + text, nothing)
        except psycopg.errors.InsufficientPrivilege as error:
            found.append(f"{name}: {error.diag.message_primary}")
    return found


def test_every_statement_of_ours_is_allowed_to_the_job(installed: str) -> None:
    """The roles cannot fall behind the statements: none of them is refused."""
    with psycopg.connect(as_role(installed, "retention_job"), autocommit=True) as connection:
        assert [] == refused(connection)


@pytest.mark.long
def test_every_privilege_of_the_job_is_needed_by_a_statement(installed: str) -> None:
    """The roles cannot run ahead of the statements: without any one privilege, some statement fails."""
    spare = []
    with psycopg.connect(as_role(installed, "retention_job"), autocommit=True) as connection:
        for privilege, relation, column in grants():
            what = f"{privilege}{f' ({column})' if column else ''} ON retention.{relation}"
            run(installed, f"REVOKE {what} FROM retention_job")
            if not refused(connection, about=f"retention.{relation}"):
                spare.append(what)
            run(installed, f"GRANT {what} TO retention_job")

    assert ["SELECT ON retention.schema_migrations"] == spare  # read by the migrations, which have no file of their own


def test_roles_sql_grants_the_privileges_of_check_and_no_others(installed: str) -> None:
    """`check` reads roles.sql as PostgreSQL does; running it again makes the privileges exactly those of the file."""
    run(installed, "GRANT DELETE, UPDATE ON retention.attempts TO retention_job", sample("roles"), sample("roles"))

    granted = run(
        installed,
        "SELECT a.privilege_type, r.relname, NULL FROM pg_class r, aclexplode(r.relacl) a"
        " WHERE a.grantee = 'retention_job'::regrole AND r.relnamespace = 'retention'::regnamespace UNION ALL "
        "SELECT a.privilege_type, r.relname, c.attname FROM pg_class r JOIN pg_attribute c ON c.attrelid = r.oid,"
        " aclexplode(c.attacl) a WHERE a.grantee = 'retention_job'::regrole",
    )
    ours = [grant for grant in granted if grant[1] != "wallet_refunds"]
    assert sorted(map(str, ours)) == sorted(str(tuple(grant)) for grant in grants())


def test_a_view_of_wallet_refunds_is_granted_where_there_is_one(bare: str) -> None:
    """The optional view needs no step of its own: both roles may read it once roles.sql has run."""
    install_samples(bare)
    run(bare, "CREATE VIEW retention.wallet_refunds AS SELECT 'acme'::text AS partner", sample("roles"))

    for role in ("retention_job", "retention_report"):
        assert [("acme",)] == run(as_role(bare, role), "SELECT partner FROM retention.wallet_refunds")
