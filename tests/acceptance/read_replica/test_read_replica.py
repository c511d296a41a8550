"""Plans read the view on a replica: a late one cancels nothing wrongly, and a missing one stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.conninfo import make_conninfo
from support.cluster import JOB
from support.invariants import violations
from support.read_pair import ReadPair, checked, events, reading

if TYPE_CHECKING:
    from support.world import Done, World


def without_place(document: dict[str, Any]) -> dict[str, Any]:
    """A plan without its moment and its server."""
    return {key: value for key, value in document.items() if key not in {"as_of", "view"}}


ODD_ROUNDS = (
    "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at, last_activity_at, currency, stake) VALUES"
    " ('acme', 'MT', 'u', 'young', now(), NULL, 'EUR', 1),"
    " ('acme', 'MT', 'u', 'active', now() - interval '9 days', now(), 'EUR', 1),"
    " ('acme', 'GB', 'u', 'elsewhere', now() - interval '9 days', NULL, 'EUR', 1),"
    " ('acme', 'MT', repeat('u', 40), 'long', now() - interval '9 days', NULL, 'EUR', 1),"
    " ('acme', 'MT', 'u', 'exact', now() - interval '9 days', NULL, 'EUR', 0.123456789012345678),"
    " ('acme', 'MT', 'u', 'nan', now() - interval '9 days', NULL, 'EUR', 'NaN'),"
    " ('acme', 'MT', 'u', 'late', 'infinity', NULL, 'EUR', 1),"
    " ('acme', '', 'u', 'nowhere', now() - interval '9 days', NULL, NULL, NULL),"
    " ('acme', 'MT', 'Żółć', 'letters', now() - interval '9 days', NULL, 'EUR', -1),"
    " ('stranger', 'MT', 'u', 'unknown', now() - interval '9 days', NULL, 'EUR', 1),"
    " ('acme', 'MT', 'held', 'held', now() - interval '9 days', NULL, 'EUR', 1)"
)

TWINS = """
CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,
       bet_tx AS bet_transaction_id FROM public.rounds WHERE status = 0
UNION ALL SELECT 'acme', 'SE', NULL, 'twin', 'r1', timestamptz '2030-01-01', NULL, NULL, NULL, NULL
UNION ALL SELECT NULL, 'MT', NULL, 'u', NULL, timestamptz '2020-01-01', NULL, NULL, NULL, NULL
"""


async def test_a_plan_on_a_replica_without_lag_is_the_plan_of_the_primary(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """Counts, sums, rounds and reasons are the same, whatever the view shows, and the plan names the server."""
    paired.policy |= {"markets": ["MT", "SE"], "idle_longer_than": "24h"}
    await paired.seed(20, at_vendor=False)
    await paired.sql(ODD_ROUNDS)
    await paired.sql(TWINS)
    assert 0 == (await paired.command("hold", "add", "--user", "held", "--reason", "x", "--by", "tess")).code
    await read_pair.caught_up()
    for words in (("plan", "--json"), ("plan", "--rounds", "--json"), ("plan", "--limit", "7", "--json")):
        there = await paired.command(*words, environ=replica)
        here = await paired.command(*words)
        assert (0, 0) == (there.code, here.code), there.err + here.err
        assert without_place(here.json) == without_place(there.json)
        assert {"read_on": "replica", "lag_seconds": 0.0, "why_primary": None} == {
            key: value for key, value in there.json["view"].items() if key != "words"
        }
        assert None is here.json["view"]
    assert {"doubled", "held", "bad_user_id", "bad_stake", "bad_opened_at", "no_market", "unknown_partner"} <= {
        *there.json["left_out"]
    }
    assert 7 == there.json["rounds"]
    shown = await paired.command("plan", environ=replica)
    assert "the view was read on the replica, which had all of the primary's commits" in shown.out


async def test_a_late_replica_cancels_nothing_wrongly(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """Rounds that closed, vanished, came back, changed owner, opening or market, got a hold, or were cancelled within
    the lag get no cancel request; a round that became stale within it is not planned.
    """
    names = ("closed", "gone", "back", "owner", "again", "moved", "held", "done", "good")
    for one in names:
        await paired.seed(1, prefix=one, market="SE" if one == "done" else "MT")
    async with read_pair.paused():
        await paired.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'closed0'")
        await paired.sql("DELETE FROM public.rounds WHERE round_id = 'gone0'")
        await paired.sql("UPDATE public.rounds SET last_activity_at = now() WHERE round_id = 'back0'")
        await paired.sql("UPDATE public.rounds SET user_id = 'other' WHERE round_id = 'owner0'")
        await paired.sql("UPDATE public.rounds SET opened_at = opened_at + interval '1 s' WHERE round_id = 'again0'")
        await paired.sql("UPDATE public.rounds SET market = 'GB' WHERE round_id = 'moved0'")
        assert 0 == (await paired.command("hold", "add", "--round", "held0", "--reason", "x", "--by", "tess")).code
        first = await paired.command("run", "--market", "SE", "--json")
        assert {"cancelled": 1} == first.json["states"], first.err
        await paired.seed(1, prefix="later")
        done = await paired.command("run", "--json", environ=replica)
    assert (0, {"cancelled": 1, "no_longer_open": 6}) == (done.code, done.json["states"]), done.err
    assert {"held": 1, "in_ledger": 1} == done.json["left_out"]
    assert {"done0", "good0"} == {request.round_id for request in paired.cancels}
    (planned,) = events(done, "run.planned")
    assert "replica" == planned["read_on"]
    assert planned["lag_s"] > 0
    ((view_at, as_of),) = await paired.sql(
        "SELECT (settings ->> 'view_at')::timestamptz, as_of FROM retention.runs WHERE run_id = %(run_id)s",
        run_id=done.json["run_id"],
    )
    assert view_at < as_of
    assert [] == await violations(paired)


async def test_a_dry_run_reads_the_replica(paired: World, read_pair: ReadPair, replica: dict[str, str]) -> None:
    """A dry run records the rounds that the replica shows, and its evidence holds."""
    await paired.seed(3)
    await read_pair.caught_up()
    done = await paired.command("run", "--dry-run", "--json", environ=replica)
    assert {"not_sent": 3} == done.json["states"], done.err
    assert 0 == (await paired.command("audit", "verify")).code


async def test_a_run_without_its_replica_is_done_on_the_primary(
    paired: World, read_pair: ReadPair, pair_name: str
) -> None:
    """A nightly run is not failed by a replica that is away: it cancels the same rounds, and a warning says why."""
    await paired.seed(3)
    away = reading(make_conninfo(read_pair.standby.dsn(JOB), dbname=pair_name, port="1"))
    done = await paired.command("run", "--json", environ=away)
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    (warned,) = events(done, "plan.replica_unused")
    assert "the replica cannot be reached" in warned["detail"]
    assert "database.read_dsn" in warned["detail"]
    assert "database.dsn" not in warned["detail"]


async def test_the_check_looks_at_the_replica(paired: World, read_pair: ReadPair, replica: dict[str, str]) -> None:
    """`check` names the server and its lag, and counts the rounds that the replica shows."""
    await paired.seed(3)
    await read_pair.caught_up()
    assert (False, "the view was read on the replica, which had all of the primary's commits") == (
        (finding := await checked(paired, replica))["warning"],
        finding["message"],
    )
    async with read_pair.paused():
        await paired.seed(2, prefix="later")
        done = await paired.command("check", "--json", environ=replica)
    told = {one["name"]: one["message"] for one in done.json["checks"]}
    assert "s behind the primary" in told["replica"]
    assert told["stale rounds of policy nightly"].startswith("3 to cancel now")


async def test_a_plan_that_was_not_written_is_read_on_the_replica(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """`run --resume` writes the rounds of a halted run from the replica."""
    paired.policy["max_rounds"] = 2
    await paired.seed(5)
    await read_pair.caught_up()
    halted = await paired.command("run", "--json", environ=replica)
    assert 3 == halted.code, halted.err
    await read_pair.caught_up()
    done = await paired.command(*resuming(halted), environ=replica)
    assert ["replica"] == [one["read_on"] for one in events(done, "run.planned")]
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err


async def test_a_plan_is_not_written_from_an_older_view(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """A replica that knows less than the run's own plan did is not read by `run --resume`: a player who came back
    between the two would not be seen.
    """
    paired.policy["max_rounds"] = 2
    await paired.seed(5)
    async with read_pair.paused():
        await paired.sql("UPDATE public.rounds SET last_activity_at = now() - interval '1 day' WHERE round_id = 'r4'")
        halted = await paired.command("run", "--json")
        done = await paired.command(*resuming(halted), environ=replica)
    (warned,) = events(done, "plan.replica_unused")
    assert "further behind than when the run was planned" in warned["detail"]
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err


def resuming(halted: Done) -> tuple[str, ...]:
    """The words that resume a halted run."""
    return ("run", "--resume", halted.json["run_id"], "--override", "all of them", "--by", "tess", "--json")
