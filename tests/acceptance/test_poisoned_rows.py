"""Rows of the operator's view that no run can plan delay no other row, and are reported."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import pytest
from support.invariants import violations
from support.replica import schedule, serve, until

if TYPE_CHECKING:
    from support.world import World

BAD_VIEW = """
    CREATE TABLE public.poison (
        partner text, market text, game_id text, user_id text, round_id text, opened_at timestamptz,
        last_activity_at timestamptz, currency text, stake numeric, bet_transaction_id text);
    ALTER VIEW retention.open_rounds RENAME TO good_rounds;
    CREATE VIEW retention.open_rounds AS SELECT * FROM retention.good_rounds UNION ALL SELECT * FROM public.poison
"""

KINDS: dict[str, tuple[str, ...]] = {
    "no_partner": ("partner = NULL", "partner = ''", "partner = '  '"),
    "unknown_partner": ("partner = 'ACME'", "partner = 'elsewhere'"),
    "no_market": ("market = NULL", "market = ''", "market = ' '"),
    "no_user_id": ("user_id = NULL", "user_id = ''", "user_id = '   '"),
    "no_round_id": ("round_id = NULL", "round_id = ''", "round_id = ' '"),
    "no_opened_at": ("opened_at = NULL",),
    "bad_user_id": ("user_id = repeat('u', 33)", "user_id = E'u\\x1b[2J'", "user_id = E'\\t'"),
    "bad_round_id": ("round_id = repeat('r', 37)", "round_id = E'r\\n1'"),
    "bad_game_id": ("game_id = repeat('g', 33)", "game_id = ''", "game_id = E'g\\x7f'"),
    "bad_opened_at": (
        "opened_at = '-infinity'",
        "opened_at = 'infinity'",
        "opened_at = '0044-03-15 BC'",
        "opened_at = '1999-12-31 23:59:59+00'",
        "opened_at = '9001-01-01 00:00:00+00'",
        "opened_at = '20000-01-01'",
    ),
    "bad_last_activity_at": (
        "last_activity_at = 'infinity'",
        "last_activity_at = '-infinity'",
        "last_activity_at = '0001-01-01'",
        "last_activity_at = '12000-01-01'",
    ),
    "bad_stake": (
        "stake = 'NaN'",
        "stake = 'Infinity'",
        "stake = '-Infinity'",
        "stake = 1e20",
        "stake = -1e21",
        "stake = 0.0000000000000000001",
    ),
}
"""The possible faults of a row, and the way such rows come about."""


async def poison(world: World, change: str, name: str) -> None:
    """Add a stale row with something wrong."""
    await world.sql(
        "INSERT INTO public.poison VALUES ('acme', 'MT', 'game', 'U', %(name)s, now() - interval '5 days',"
        " now() - interval '5 days', 'EUR', 1, 'T')",
        name=name,
    )
    await world.sql("UPDATE public.poison SET " + change + " WHERE round_id = %(name)s", name=name)


async def poison_all(world: World) -> dict[str, int]:
    """Add rows of all kinds; returns how many there are of each."""
    await world.sql(BAD_VIEW)
    for kind, changes in KINDS.items():
        for number, change in enumerate(changes):
            await poison(world, change, f"{kind}-{number}"[:36])
    return {kind: len(changes) for kind, changes in KINDS.items()}


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({}, marks=pytest.mark.long),
        {"idle_longer_than": "1h", "markets": ["MT"], "exclude_markets": ["GB"]},
    ],
)
async def test_poisoned_rows_stop_no_other_round(world: World, policy: dict[str, object]) -> None:
    """Beside faulty rows, all good ones are cancelled; the faulty ones are counted, listed and never called."""
    await world.seed(3)
    expected = await poison_all(world)
    world.policy |= policy
    plan = await world.command("plan", "--rounds", "--json")
    assert (0, 3, expected) == (plan.code, plan.json["rounds"], plan.json["left_out"]), plan.err
    listed = plan.json["listed"]
    assert {**expected, "eligible": 3} == count([one["standing"] for one in listed])
    assert {"-infinity", "infinity", "0044-03-15", "NaN"} < {
        str(word).partition(" ")[0] for one in listed for word in (one["opened_at"], one["stake"])
    }
    shown = await world.command("plan", "--rounds")
    assert 0 == shown.code
    assert all(f"{kind}: " in shown.out for kind in expected)
    assert "\x1b" not in shown.out
    check = await world.command("check", "--json")
    told = [one for one in check.json["checks"] if one["name"] in {"left out rounds of policy nightly", "partners"}]
    assert (0, [(True, True)] * 2) == (check.code, [(one["ok"], one["warning"]) for one in told])
    assert all(word in str(told) for word in ("ACME", "elsewhere", *expected))
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}, expected) == (done.code, done.json["states"], done.json["left_out"]), done.err[-2000:]
    (planned,) = (event for event in done.events if event["event"] == "run.planned")
    assert expected == planned["left_out"]
    assert {"r0", "r1", "r2"} == {request.round_id for request in world.vendor.requests} - {
        ""
    }  # a HealthCheck names none
    assert 0 == (await world.command("run")).code
    assert [] == await violations(world)


async def test_other_partners_rows_are_not_left_out(world: World) -> None:
    """Rounds of a configured partner that the policy does not speak of are counted nowhere; nor are young ones."""
    await world.seed(2)
    await world.seed(2, prefix="b", partner="beta", at_vendor=False)
    await world.seed(2, prefix="y", partner="young", age=timedelta(hours=1), at_vendor=False)
    world.policy["partners"] = ["acme"]
    beta = json.dumps(f"{world.vendor.url}/beta")
    world.extra = f'[partners.beta]\nsecure_login = "login-beta"\ntoken = "token-beta"\nrate = 5\napi_url = {beta}\n'
    plan = await world.command("plan", "--json")
    assert (2, {}) == (plan.json["rounds"], plan.json["left_out"])
    world.extra = ""
    plan = await world.command("plan", "--json")
    assert {"unknown_partner": 2} == plan.json["left_out"]


@pytest.mark.parametrize(
    "policy", [pytest.param({}, marks=pytest.mark.long), {"markets": ["MT"]}], ids=["every market", "one market"]
)
async def test_explain_gives_the_reason_of_an_unplannable_row(world: World, policy: dict[str, object]) -> None:
    """Of a row with a key, `explain` gives the reason for which a plan leaves it out."""
    await poison_all(world)
    world.policy |= policy
    for name, word in (
        ("bad_opened_at-0", "opened_at"),
        ("bad_opened_at-2", "opened_at"),
        ("bad_opened_at-5", "opened_at"),
        ("no_opened_at-0", "opened_at"),
        ("bad_stake-0", "stake"),
        ("no_market-0", "no market"),
        ("no_user_id-0", "user_id"),
        ("bad_last_activity_at-3", "last_activity_at"),
    ):
        told = await world.command("explain", "--partner", "acme", "--round", name)
        assert (0, True, True) == (told.code, "would not plan it now" in told.out, word in told.out), (
            told.err + told.out
        )


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ("market = NULL", "no_longer_open", "in market none"),
        pytest.param("user_id = NULL", "no_longer_open", "another player", marks=pytest.mark.long),
        pytest.param("opened_at = NULL", "no_longer_open", "no time", marks=pytest.mark.long),
        ("opened_at = 'infinity'", "no_longer_open", "infinity"),
        pytest.param("opened_at = '0044-03-15 BC'", "no_longer_open", "opened at", marks=pytest.mark.long),
        pytest.param("last_activity_at = 'infinity'", "not_sent", "bad_last_activity_at", marks=pytest.mark.long),
        pytest.param("last_activity_at = '-infinity'", "not_sent", "bad_last_activity_at", marks=pytest.mark.long),
        ("stake = 'NaN'", "not_sent", "bad_stake"),
        pytest.param("game = repeat('g', 33)", "not_sent", "bad_game_id", marks=pytest.mark.long),
    ],
)
async def test_a_row_that_turns_into_nonsense_is_not_called(
    world: World, change: LiteralString, state: str, words: str
) -> None:
    """A planned round whose row makes no sense when its turn comes is not sent, and holds up no other of its claim."""
    for column in ("market", "user_id", "opened_at"):
        await world.sql("ALTER TABLE public.rounds ALTER COLUMN " + column + " DROP NOT NULL")
    await world.seed(8)
    world.partner["rate"] = 5
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: bool(world.vendor.requests))
    await world.sql("UPDATE public.rounds SET " + change + " WHERE round_id = 'r7'")
    done = await process.ended()
    assert {"cancelled": 7, state: 1} == done.json["states"], done.err[-2000:]
    assert (4 if state == "not_sent" else 0) == done.code
    assert "r7" not in {request.round_id for request in world.cancels}
    (row,) = await world.sql("SELECT detail FROM retention.cancellations WHERE round_id = 'r7'")
    assert words in row.detail


RAISING = {
    "division by zero": "1 / (CASE WHEN round_id = 'r1' THEN 0 ELSE 1 END)::numeric",
    "does not exist": "public.worth(stake)",
    "has not been populated": "(SELECT max(x) FROM public.never)",
}


LONG_BUT_ONE = [pytest.param(words, marks=pytest.mark.long if number else ()) for number, words in enumerate(RAISING)]


async def break_view(world: World, words: str) -> None:
    """Let the view raise."""
    if words == "has not been populated":
        await world.sql("CREATE MATERIALIZED VIEW public.never AS SELECT 1::numeric AS x WITH NO DATA")
    await world.sql(
        "CREATE FUNCTION public.worth(numeric) RETURNS numeric LANGUAGE plpgsql AS"
        " 'BEGIN RETURN (SELECT $1 * rate FROM public.rates); END'"
    )
    await world.sql(
        "CREATE OR REPLACE VIEW retention.open_rounds AS SELECT partner, market, game AS game_id, user_id, round_id,"
        f" opened_at, last_activity_at, currency, {RAISING[words]} AS stake, bet_tx AS bet_transaction_id"
        " FROM public.rounds WHERE status = 0"
    )


@pytest.mark.parametrize("words", LONG_BUT_ONE)
async def test_a_view_that_raises_is_named(world: World, words: str) -> None:
    """One-shot commands end with 2, and name the view and the database's error, in one line."""
    await world.seed(3)
    await break_view(world, words)
    for command in (["plan"], ["plan", "--rounds"], ["run"], ["explain", "--partner", "acme", "--round", "r1"]):
        done = await world.command("--log-format", "json", *command)
        assert 2 == done.code, (command, done.err)
        lines = [line for line in done.err.splitlines() if "retention.open_rounds" in line]
        assert (1, True) == (len(lines), words in lines[0]), (command, done.err)
        assert "Traceback" not in done.err
    check = await world.command("check", "--json")
    assert 2 == check.code
    assert any("retention.open_rounds" in one["message"] and words in one["message"] for one in check.json["checks"])
    assert [] == await world.sql("SELECT FROM retention.runs")
    assert [] == world.cancels


@pytest.mark.parametrize("words", LONG_BUT_ONE)
async def test_serve_reports_a_view_that_raises_once(world: World, words: str) -> None:
    """A scheduled run that cannot be planned is on record as failed, told once by its event, and can be resumed."""
    await world.seed(3)
    await break_view(world, words)
    await schedule(world)
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE status = 'failed'"))
    await asyncio.sleep(3)
    assert 200 == (await replica.get("/readyz"))[0]
    done = await replica.stopped(signal.SIGTERM)
    failed = [event for event in done.events if event["event"] in {"run.failed", "schedule.failed"}]
    assert [("run.failed", True, True)] == [
        (event["event"], "retention.open_rounds" in event["halt_reason"], words in event["halt_reason"])
        for event in failed
    ]
    assert [] == world.vendor.requests


def count(words: list[Any]) -> dict[Any, int]:
    """How often each of the words is there."""
    return {word: words.count(word) for word in words}
