"""`check` walks a person from error to green: each wrong thing has one line, with its name and its mend."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.bare_database import function, run
from support.job_login import as_job
from support.replica import free_port

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.world import World

VIEW = (
    "CREATE OR REPLACE VIEW retention.open_rounds AS SELECT {partner} AS partner, market, game AS game_id, user_id,"
    " round_id, {opened_at} AS opened_at, last_activity_at, currency, {stake} AS stake, bet_tx AS bet_transaction_id"
    " FROM public.rounds WHERE status = 0"
)
LARGE = (
    "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at, status, bet_tx)"
    " SELECT 'acme', 'MT', 'u', 'R-' || i, now(), 1, 'bet-R-' || i FROM generate_series(1, 12000) i; ANALYZE public.rounds;"
)
"""More rounds than are read from end to end without a warning."""

RIGHT = {"partner": "partner", "opened_at": "opened_at", "stake": "stake"}


def view(**columns: str) -> str:
    """A statement that gives the view these expressions."""
    return VIEW.format(**RIGHT | columns)


class Wrong(NamedTuple):
    """A wrong thing: how it is made, and the finding that has to name its mend."""

    name: str
    mend: str
    sql: str = ""
    fault: Mapping[str, Any] = {}
    partner: Mapping[str, Any] = {}
    policy: Mapping[str, Any] = {}
    extra: str = ""
    job: bool = False
    fails: bool = False
    besides: tuple[str, ...] = ()
    """Other warnings that belong to it."""


WRONG: Mapping[str, Wrong] = {
    # The database.
    "no schema": Wrong("schema", r"run `retention db migrate`", "DROP SCHEMA retention CASCADE", fails=True),
    "no schema, and no right to make it": Wrong(
        "schema",
        r"run `retention db migrate`, with .* owner_dsn .* or --as DSN: .*GRANT CREATE ON DATABASE \S+ TO retention_job",
        "DROP SCHEMA retention CASCADE",
        job=True,
        fails=True,
    ),
    "no view": Wrong(
        "view",
        r"`retention db sample --table SCHEMA\.TABLE -o DIR` proposes one",
        "DROP VIEW retention.open_rounds",
        fails=True,
    ),
    "a column's type": Wrong(
        "view",
        r"column stake is double precision; cast it, stake::numeric",
        "DROP VIEW retention.open_rounds; " + view(stake="stake::float8"),
        fails=True,
    ),
    "no function": Wrong(
        "function",
        r"`retention db sample --table SCHEMA\.TABLE -o DIR` proposes one",
        "DROP FUNCTION retention.close_rounds",
        fails=True,
    ),
    "another signature": Wrong(
        "function", r"takes \(text\[\], bigint\[\]\), not \(text\[\]", function("text[], bigint[]"), fails=True
    ),
    "a function that raises": Wrong(
        "closing",
        r"mend the function `retention.close_rounds`; it must take empty arrays",
        "CREATE OR REPLACE FUNCTION retention.close_rounds(p_partner text[], p_round_id text[], p_cancelled_at"
        " timestamptz[], p_currency text[], p_amount numeric[], p_transaction_id text[]) RETURNS TABLE (partner text,"
        " round_id text) LANGUAGE plpgsql AS $$ BEGIN RAISE 'nothing to close'; END $$",
        fails=True,
    ),
    "a missing grant": Wrong(
        "privileges",
        r"; run sql/operator/roles.sql again, or GRANT SELECT ON retention.holds TO retention_job$",
        "REVOKE SELECT ON retention.holds FROM retention_job",
        job=True,
        fails=True,
    ),
    "all grants missing": Wrong(
        "privileges",
        r"lacks privileges; run sql/operator/roles.sql again$",
        "REVOKE ALL ON ALL TABLES IN SCHEMA retention FROM retention_job;"
        " REVOKE ALL ON SCHEMA retention FROM retention_job",
        job=True,
        fails=True,
    ),
    "the owner": Wrong("role", r"may delete evidence: .*use retention_job in database\.dsn"),
    # The view's rows.
    "division by zero": Wrong(
        "open rounds",
        r"division by zero; column stake raises it, first for round r3: write NULLIF",
        view(stake="1 / nullif(stake, -1)") + "; UPDATE public.rounds SET stake = 0 WHERE round_id = 'r3'",
        fails=True,
    ),
    "an invalid cast": Wrong(
        "open rounds",
        r"column opened_at raises it, first for round r2: .*CASE",
        view(opened_at="(CASE WHEN round_id = 'r2' THEN bet_tx ELSE opened_at::text END)::timestamptz"),
        fails=True,
    ),
    "a WHERE that raises": Wrong(
        "open rounds",
        r"its WHERE, a join or a subquery raises it",
        view() + " AND 1 / (CASE round_id WHEN 'r2' THEN 0 ELSE 1 END) > 0",
        fails=True,
    ),
    "a young row that raises": Wrong(
        "open rounds",
        r"column stake raises it, first for round r1:",
        "UPDATE public.rounds SET stake = 0, opened_at = now() WHERE round_id = 'r1'; " + view(stake="1 / stake"),
        fails=True,
    ),
    "another name of the partner": Wrong(
        "partners",
        r"Acme \(5 open rounds; did you mean acme\?\); give the names of \[partners\.NAME\] AS partner in the view",
        view(partner="initcap(partner)"),
    ),
    "times of another zone": Wrong(
        "opened_at",
        r"5 rounds .* future, by up to 2h.*\(r0, r1, r2, \.\.\.\).*AT TIME ZONE",
        view(opened_at="opened_at + interval '5 days 3 hours'"),
    ),
    "a market that is spelt otherwise": Wrong(
        "names in policy nightly",
        r"markets mt \(did you mean MT\?\).*; write .* as the view spells them",
        policy={"markets": ["mt"]},
        besides=("stale rounds of policy nightly",),
    ),
    "only markets that are left out": Wrong(
        "stale rounds of policy nightly",
        r"none of 5 open rounds: 5 in markets that it leaves out; correct",
        policy={"exclude_markets": ["MT"]},
    ),
    "no and negative stakes": Wrong(
        "stakes of policy nightly",
        r"1 round of partner acme with a negative stake \(r2\); 1 round .* with no stake \(r1\): .*give stake",
        "UPDATE public.rounds SET stake = CASE round_id WHEN 'r2' THEN -1 END WHERE round_id IN ('r1', 'r2')",
    ),
    "rounds twice": Wrong(
        "doubled rounds of policy nightly",
        r"2 of acme \(r1, r1\); make it give each round once",
        view() + " UNION ALL SELECT partner, market, game, user_id, round_id, opened_at, last_activity_at, currency,"
        " stake, bet_tx FROM public.rounds WHERE round_id = 'r1'",
    ),
    "users that the vendor cannot take": Wrong(
        "left out rounds of policy nightly",
        r"5 with a user_id that the vendor cannot take: .*bad_user_id \(r0, r1, r2, \.\.\.\); correct the view",
        "UPDATE public.rounds SET user_id = repeat('u', 36)",
    ),
    "a slow view": Wrong(
        "stale rounds of policy nightly",
        r"5 to cancel now; found in [2-9]\.\d s, longer than 2 s: .*EXPLAIN \(ANALYZE\)",
        # The one look at all rounds reads no stale round alone, so it stays quick.
        view(stake="(SELECT r.stake FROM pg_sleep(CASE WHEN current_query() LIKE '%WITH%' THEN 1.1 ELSE 0 END))")
        .replace("public.rounds", "public.rounds r")
        .replace("round_id,", "r.round_id,"),
    ),
    # Indexes.
    "no index for claims": Wrong(
        "index use of claims",
        r"^Seq Scan on public\.rounds \(about 12,005 rows\), filter: .*\(status = 0\).*;"
        r" CREATE INDEX CONCURRENTLY ON public\.rounds \(partner, round_id\) WHERE \(status = 0\)$",
        "ALTER TABLE public.rounds DROP CONSTRAINT rounds_pkey; DROP INDEX public.rounds_open_by_age;" + LARGE,
        besides=("index use of policy nightly",),
    ),
    "no index for plans": Wrong(
        "index use of policy nightly",
        r"filter: \(\(status = 0\) AND \(opened_at <= TIME\)\);"
        r" CREATE INDEX CONCURRENTLY ON public\.rounds \(opened_at\) WHERE \(status = 0\)$",
        "DROP INDEX public.rounds_open_by_age;" + LARGE,
    ),
    "no index, and no right to the operator's schema": Wrong(
        "index use of policy nightly",
        r" CREATE INDEX CONCURRENTLY ON public\.rounds \(opened_at\) WHERE \(status = 0\)$",
        "DROP INDEX public.rounds_open_by_age; REVOKE ALL ON SCHEMA public FROM PUBLIC;" + LARGE,
        job=True,
    ),
    "an index that is not valid": Wrong(
        "index use of policy nightly",
        r"index public\.rounds_by_age is not valid.*: REINDEX INDEX CONCURRENTLY public\.rounds_by_age$",
        "DROP INDEX public.rounds_open_by_age; CREATE INDEX rounds_by_age ON public.rounds (opened_at);"
        + LARGE
        + "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.rounds_by_age'::regclass",
    ),
    "an index with another condition": Wrong(
        "index use of policy nightly",
        r"rounds_by_age is partial, WHERE \(status = 1\), and the view asks in other words: CREATE INDEX",
        "DROP INDEX public.rounds_open_by_age; CREATE INDEX rounds_by_age ON public.rounds (opened_at) WHERE status = 1;"
        + LARGE,
    ),
    "an index on another expression": Wrong(
        "index use of policy nightly",
        r"rounds_by_age is on opened_at, and the view computes .*AT TIME ZONE.*: CREATE INDEX .*\(\(\(opened_at AT",
        "DROP INDEX public.rounds_open_by_age; CREATE INDEX rounds_by_age ON public.rounds (opened_at);"
        + LARGE
        + view(opened_at="opened_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'"),
    ),
    "a join without an index": Wrong(
        "index use of policy nightly",
        r"Seq Scan on public\.bets .*filter: \(bet = rounds\.bet_tx\); CREATE INDEX CONCURRENTLY ON public\.bets \(bet\)$",
        LARGE
        + "CREATE TABLE public.bets AS SELECT bet_tx AS bet, 1.5 AS amount FROM public.rounds; ANALYZE public.bets;"
        + view(stake="(SELECT sum(b.amount) FROM public.bets b WHERE b.bet = bet_tx)"),
    ),
    "old statistics": Wrong(
        "index use of policy nightly",
        r"though an index serves, as the table's statistics are old: ANALYZE public\.rounds$",
        "ALTER TABLE public.rounds SET (autovacuum_enabled = off); "
        + LARGE
        + "UPDATE public.rounds SET status = 0, opened_at = now() - interval '9 days';"
        " CREATE INDEX ON public.rounds (opened_at) WHERE status = 0; ANALYZE public.rounds;"
        "UPDATE public.rounds SET status = 1 WHERE round_id LIKE 'R-%'",
    ),
    # The vendor.
    "an allow-list": Wrong("vendor of acme", r"send the vendor this machine's outgoing address", fault={"status": 403}),
    "a wrong token": Wrong(
        "vendor of acme",
        r"refused our credentials: .*; correct partners\.acme\.secure_login and \.token",
        partner={"token": "wrong-9d41c7b2e6"},
    ),
    "a wrong address": Wrong("vendor of acme", r"HTTP 404; .*correct partners\.acme\.api_url", fault={"status": 404}),
    "a web page": Wrong(
        "vendor of acme",
        r"not JSON; a web page .*: correct partners\.acme\.api_url",
        fault={"status": 200, "body": "<html>"},
    ),
    "a redirect": Wrong("vendor of acme", r"HTTP 301; a redirect is never followed: write", fault={"status": 301}),
    "no TLS": Wrong(
        "vendor of acme",
        r"TLS handshake failed: what answers there does not speak TLS; .* wrong port",
        partner={"api_url": "https://127.0.0.1:{port}"},
    ),
    "no such host": Wrong(
        "vendor of acme",
        r"name could not be resolved; correct the host's name in partners\.acme\.api_url",
        partner={"api_url": "https://vendor.invalid"},
    ),
    "a closed port": Wrong(
        "vendor of acme",
        r"connection refused; correct host and port in partners\.acme\.health_url",
        partner={"health_url": f"http://127.0.0.1:{free_port()}/v4/HealthCheck"},
    ),
    "no answer": Wrong(
        "vendor of acme",
        r"no reply in time; set partners\.acme\.timeout above 1s",
        fault={"hang": "before"},
        partner={"timeout": "1s"},
    ),
    "a vendor's clock": Wrong(
        "clock of the vendor of acme",
        r"the vendor's clock is \d+ s behind this machine's; `timedatectl`",
        fault={"status": 200, "body": '{"error": 0}', "headers": {"Date": "Fri, 27 Mar 2026 23:30:00 GMT"}},
    ),
    # Notifications, reports, schedules, pauses.
    "a webhook that is away": Wrong(
        "notify ops",
        r"connection refused; correct host and port in notify\.ops\.webhook",
        extra=f'[notify.ops]\nwebhook = "http://127.0.0.1:{free_port()}"\nsigning_key = "{"k" * 32}"\n',
    ),
    "a service that apprise does not know": Wrong(
        "notify ops",
        r"apprise knows no such service.*; correct notify\.ops\.apprise",
        extra='[notify.ops]\napprise = "nonsense://hidden-word"\n',
        fails=True,
    ),
    "a directory that is not there": Wrong(
        "report monthly",
        r"directory /nowhere is not there; create it",
        extra='[reports.monthly]\nschedule = "@monthly"\ntimezone = "UTC"\nperiod = "last-month"\ndirectory = "/nowhere"\n',
        fails=True,
    ),
    "a pause": Wrong(
        "pause of all partners",
        r"paused by tess .*: fire drill; `retention resume --by WHO` ends it",
        "INSERT INTO retention.pauses (reason, paused_by) VALUES ('fire drill', 'tess')",
    ),
}

ALWAYS = {"durability", "role"}
"""Warnings about the tests' own server and login."""


@pytest.mark.parametrize("case", WRONG)
async def test_each_wrong_thing_names_its_mend(world: World, case: str) -> None:
    """A wrong thing is one line that names it and its mend; no line beside it is wrong, and no secret is shown."""
    wrong = WRONG[case]
    await world.seed(5)
    if wrong.job:
        as_job(world)
    if wrong.sql:
        run(world.direct, wrong.sql)
    port = world.vendor.url.rpartition(":")[2]
    world.partner |= {key: str(value).replace("{port}", port) for key, value in wrong.partner.items()}
    world.policy |= wrong.policy
    world.extra = wrong.extra
    if wrong.fault:
        world.vendor.faults = Faults.of({"call": "HealthCheck", **wrong.fault})
    done = await world.command("check", "--json")
    checks = {one["name"]: one for one in done.json["checks"]}
    found = checks[wrong.name]
    assert re.search(wrong.mend, found["message"]), found["message"]
    failing = wrong.fails or (wrong.name.startswith("vendor") and not found["ok"])
    assert (2 if failing else 0, not failing) == (done.code, found["ok"])
    odd = {name for name, one in checks.items() if not one["ok"] or one["warning"]}
    assert {wrong.name, *ALWAYS, *wrong.besides} == odd | {wrong.name, *ALWAYS, *wrong.besides}
    assert not any(secret in done.out + done.err for secret in ("token-9d41c7b2e6", "secret-path", "hidden-word"))
    asked = [request.call for request in world.vendor.requests]
    assert asked in ([], ["HealthCheck"])


async def test_a_schedule_that_never_comes_is_refused(world: World) -> None:
    """A schedule without any time is an error that names the key and the mend, before anything is connected to."""
    world.policy |= {"schedule": "0 0 30 2 *", "timezone": "UTC"}
    done = await world.command("check")
    assert (2, "") == (done.code, done.out)
    assert re.search(
        r"policies\.nightly\.schedule: .* never comes: .*; write a day that one of its months has", done.err
    )
    assert [] == world.vendor.requests
