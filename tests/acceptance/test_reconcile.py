"""`reconcile`: contradictions between ledger, vendor, operator's view and wallet, end to end."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run, sample
from support.world import SECURE_LOGIN

from retention.simulator.faults import Faults
from retention.simulator.rounds import RoundStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.world import World

WALLET = """
CREATE TABLE public.refunds (partner text, round_id text, currency text, amount numeric, refunded_at timestamptz);
CREATE VIEW retention.wallet_refunds AS SELECT * FROM public.refunds;
INSERT INTO public.refunds SELECT partner, round_id, currency, stake, now() FROM public.rounds WHERE status = 2;
"""


async def cancelled(world: World, *prefixes: str) -> None:
    """Cancel one round for each prefix, so that everything fits."""
    for prefix in prefixes:
        await world.seed(1, prefix=prefix)
    done = await world.command("run")
    assert 0 == done.code, done.err


def say(world: World, round_id: str, status: RoundStatus) -> None:
    """Have the vendor say another status of a round from now on."""
    world.vendor.rounds[SECURE_LOGIN, round_id].status = status


def found(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the round and kind of each finding."""
    return {(one["round_id"], one["kind"]) for one in document["findings"]}


def asked(world: World, call: str) -> list[str]:
    """Return the rounds of the requests of one call."""
    return [request.round_id for request in world.vendor.asked(call)]


async def attempts(world: World, kind: str = "status") -> set[str]:
    """Return the uuids of the ledger's attempts."""
    rows = await world.sql("SELECT uuid::text FROM retention.attempts WHERE kind = %(kind)s", kind=kind)
    return {row.uuid for row in rows}


async def test_what_fits_is_no_finding(world: World) -> None:
    """After a run, with the wallet's refunds there, all four sides fit: exit 0, and nothing is kept."""
    await cancelled(world, "a", "b")
    await world.sql(WALLET)
    done = await world.command("reconcile", "--json")
    assert (0, [], 2, True, []) == (
        done.code,
        done.json["findings"],
        done.json["rounds"],
        done.json["wallet"],
        done.json["not_asked"],
    ), done.err
    assert [] == await world.sql("SELECT FROM retention.findings")
    table = await world.command("reconcile")
    assert (0, "2 rounds compared: no finding\n") == (table.code, table.out)


async def test_each_kind_is_found_once(world: World) -> None:
    """Each kind comes of its own contradiction, is kept once however often it is found, and cancels nothing."""
    world.partner["max_attempts"] = 1
    world.vendor.faults = Faults.of({"code": "1", "round_ids": ["rejected0"]})
    prefixes = ("fits", "open", "closing", "completed", "finishing", "left", "missing", "other", "twice", "rejected")
    for prefix in prefixes:
        await world.seed(1, prefix=prefix)
    assert 4 == (await world.command("run")).code
    world.vendor.faults = Faults()
    await world.sql(WALLET)
    cancels = len(world.cancels)
    say(world, "open0", RoundStatus.IN_PROGRESS)
    say(world, "closing0", RoundStatus.CANCEL_IN_PROCESS)
    say(world, "completed0", RoundStatus.COMPLETED)
    say(world, "finishing0", RoundStatus.COMPLETE_IN_PROCESS)
    say(world, "rejected0", RoundStatus.CANCELED)
    await world.sql("UPDATE public.rounds SET status = 0 WHERE round_id = 'left0'")
    await world.sql("DELETE FROM public.refunds WHERE round_id = 'missing0'")
    await world.sql("UPDATE public.refunds SET amount = 'NaN' WHERE round_id = 'other0'")
    await world.sql("INSERT INTO public.refunds SELECT * FROM public.refunds WHERE round_id = 'twice0'")
    first, again = await world.command("reconcile", "--json"), await world.command("reconcile", "--json")
    expected = {
        ("open0", "open_at_vendor"),
        ("completed0", "completed_at_vendor"),
        ("finishing0", "completed_at_vendor"),
        ("rejected0", "cancelled_at_vendor"),
        ("left0", "open_at_operator"),
        ("missing0", "refund_missing"),
        ("other0", "refund_differs"),
        ("twice0", "refund_twice"),
    }
    assert (4, expected) == (first.code, found(first.json)), first.err
    assert (4, expected) == (again.code, found(again.json)), again.err
    assert ({True}, {False}) == tuple({one["new"] for one in done.json["findings"]} for done in (first, again))
    assert (8, 0) == (first.json["new"], again.json["new"])
    assert len(expected) == len(await world.sql("SELECT FROM retention.findings"))
    sides = {one["round_id"]: one for one in first.json["findings"]}
    assert ("acme", "cancelled, refund 1.5 EUR", "InProgress", "not open") == tuple(
        sides["open0"][name] for name in ("partner", "ledger", "vendor", "operator")
    )
    assert ("rejected", "open", "no refund") == (
        sides["rejected0"]["ledger"],
        sides["left0"]["operator"],
        sides["missing0"]["wallet"],
    )
    assert sides["other0"]["wallet"].startswith("NaN EUR at ")
    assert len(world.cancels) == cancels
    logged = [event for event in first.events if event["event"] == "finding.found"]
    assert expected == {(event["round_id"], event["kind"]) for event in logged}
    table = await world.command("reconcile")
    assert (4, True) == (table.code, "10 rounds compared: 8 findings, 0 of them new" in table.out)


async def test_a_scope_limits_what_is_compared(world: World) -> None:
    """`--run`, `--market` and the period choose the rounds, by the time of their outcome."""
    await cancelled(world, "old")
    run = (await world.sql("SELECT run_id::text FROM retention.runs"))[0].run_id
    await world.sql("UPDATE retention.cancellations SET settled_at = '2026-01-31 22:00+00'")
    await world.seed(1, prefix="new", market="SE")
    assert 0 == (await world.command("run")).code
    for name in ("old0", "new0"):
        say(world, name, RoundStatus.IN_PROGRESS)
    scopes: dict[tuple[str, ...], set[str]] = {
        (): {"old0", "new0"},
        ("--run", run): {"old0"},
        ("--market", "SE"): {"new0"},
        ("--to", "2026-02-01"): {"old0"},
        ("--from", "2026-01-31T22:00:01Z"): {"new0"},
        ("--from", "2026-01-31T23:00+01:00", "--to", "2026-01-31T22:00:01Z"): {"old0"},
        ("--from", "2020-01-01", "--to", "2021-01-01"): set(),
    }
    for words, rounds in scopes.items():
        done = await world.command("reconcile", "--json", *words)
        assert rounds == {one["round_id"] for one in done.json["findings"]}, (words, done.err)
        assert len(rounds) == done.json["rounds"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "soon"), "--from 'soon': not a time"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "--from must be before --to"),
        (("--run", "xyz"), "is no run id"),
        (("--nonsense",), "No such option"),
    ],
)
async def test_bad_words_are_refused_before_anything(world: World, words: tuple[str, ...], said: str) -> None:
    """A word that cannot be used ends with 2 before the database or the vendor is asked."""
    world.dsn = "postgresql://127.0.0.1:1/nowhere"
    done = await world.command("reconcile", *words)
    assert (2, True) == (done.code, said in done.err), done.err
    assert [] == world.vendor.requests


async def test_an_unknown_run_or_market_is_refused(world: World) -> None:
    """An unknown run or market would compare nothing, and look like success; so would a dry run."""
    await world.seed(1)
    dry = (await world.command("run", "--dry-run", "--json")).json["run_id"]
    for words in (("--run", "12345678"), ("--market", "XX"), ("--run", dry)):
        done = await world.command("reconcile", *words)
        assert (2, "") == (done.code, done.out), words
    assert "is a dry run" in done.err


async def test_a_later_row_stands_for_its_round(world: World) -> None:
    """A round that was rejected once and cancelled by a later run is compared as cancelled, and fits."""
    world.partner["status_probe"] = False
    world.vendor.faults = Faults.of({"code": "1", "first": 1})
    await world.seed(1)
    assert 4 == (await world.command("run")).code
    assert 0 == (await world.command("run")).code
    done = await world.command("reconcile", "--json")
    assert (0, 1, []) == (done.code, done.json["rounds"], done.json["findings"]), done.err


async def test_a_resolved_finding_is_not_listed_again(world: World) -> None:
    """A finding that a person has resolved stays so, and is no reason to look again."""
    await cancelled(world, "a")
    say(world, "a0", RoundStatus.IN_PROGRESS)
    assert 4 == (await world.command("reconcile")).code
    await world.sql("UPDATE retention.findings SET resolved_at = now()")
    done = await world.command("reconcile", "--json")
    assert (0, []) == (done.code, done.json["findings"]), done.err


async def test_another_round_under_the_id_is_not_the_cancelled_one(world: World) -> None:
    """The operator's view may have a new round under the id of a cancelled one."""
    await cancelled(world, "a")
    await world.sql("UPDATE public.rounds SET status = 0, opened_at = now() - interval '1 h'")
    done = await world.command("reconcile", "--json")
    assert (0, []) == (done.code, done.json["findings"]), done.err


async def test_a_refund_has_its_time(world: World) -> None:
    """A refund that is not there yet is missed only after the partner's `refund_within`."""
    await cancelled(world, "a")
    await world.sql(WALLET + "DELETE FROM public.refunds;")
    world.partner["refund_within"] = "1h"
    assert 0 == (await world.command("reconcile")).code
    await world.sql("UPDATE retention.cancellations SET settled_at = settled_at - interval '1 h'")
    done = await world.command("reconcile", "--json")
    assert (4, {("a0", "refund_missing")}) == (done.code, found(done.json)), done.err


async def test_a_broken_wallet_view_is_named(world: World) -> None:
    """A view of the wallet with the wrong columns is an error that says how to mend it, and not a missing refund."""
    await cancelled(world, "a")
    await world.sql("CREATE VIEW retention.wallet_refunds AS SELECT 'acme'::text AS partner")
    done = await world.command("reconcile")
    assert (2, True) == (done.code, "retention.wallet_refunds: column round_id is missing" in done.err), done.err


async def test_a_reconciliation_leaves_evidence(world: World) -> None:
    """Its end, and each answer to a question, are in the evidence, which stays whole and names no user."""
    await cancelled(world, "a")
    say(world, "a0", RoundStatus.IN_PROGRESS)
    assert 4 == (await world.command("reconcile", "--market", "MT")).code
    rows = await world.sql("SELECT kind, body FROM retention.evidence ORDER BY entry_id DESC LIMIT 2")
    assert ["reconciled", "asked"] == [row.kind for row in rows]
    facts = json.loads(rows[0].body)["facts"]
    assert ("MT", 1, 1, 1) == tuple(facts[name] for name in ("market", "rounds", "findings", "new"))
    assert "user-a0" not in rows[0].body + rows[1].body
    verified = await world.command("audit", "verify", "--json")
    assert 0 == verified.code, verified.out
    (newest,) = await world.sql("SELECT size FROM retention.checkpoints ORDER BY checkpoint_id DESC LIMIT 1")
    (entries,) = await world.sql("SELECT count(*) AS entries FROM retention.evidence")
    assert entries.entries == newest.size


async def test_the_jobs_login_reconciles(world: World) -> None:
    """The rights of roles.sql suffice, also for the view of the wallet."""
    await cancelled(world, "a")
    await world.sql(WALLET + "DELETE FROM public.refunds;")
    say(world, "a0", RoundStatus.COMPLETED)
    await asyncio.to_thread(run, world.direct, sample("roles"))
    world.dsn = make_conninfo(world.dsn, user="retention_job")
    done = await world.command("reconcile", "--json")
    assert (4, {("a0", "completed_at_vendor"), ("a0", "refund_missing")}) == (done.code, found(done.json)), done.err


# How the vendor is asked.


async def test_many_rounds_are_listed_in_one_call(world: World) -> None:
    """One list tells of a day's rounds; only a round that does not fit is asked about by itself, with an attempt on record."""
    await world.seed(20)
    assert 0 == (await world.command("run")).code
    say(world, "r7", RoundStatus.COMPLETED)
    before = len(asked(world, "GetRoundStatus"))
    known = await attempts(world)
    done = await world.command("reconcile", "--json")
    assert (4, {("r7", "completed_at_vendor")}) == (done.code, found(done.json)), done.err
    assert 1 == len(asked(world, "GetGameRounds"))
    assert ["r7"] == asked(world, "GetRoundStatus")[before:]
    (request,) = world.vendor.asked("GetRoundStatus")[before:]
    # On a busy machine, a slot may go by unused: its attempt is on record as released.
    released = await world.sql("SELECT uuid::text FROM retention.attempts WHERE outcome = 'released'")
    assert {request.uuid} == await attempts(world) - known - {row.uuid for row in released}
    (listed,) = (event for event in done.events if event["event"] == "rounds.listed")
    assert (world.vendor.asked("GetGameRounds")[0].uuid, 20) == (listed["uuid"], listed["rounds"])


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"status": 404}, "HTTP 404"),
        pytest.param({"status": 405}, "HTTP 405", marks=pytest.mark.long),
        pytest.param({"body": "<html>"}, "the reply is not JSON", marks=pytest.mark.long),
        ({"reply": {"error": 0, "rounds": 1}}, "the reply has no list of rounds"),
        pytest.param({"code": "20", "description": "no"}, "error 20, no", marks=pytest.mark.long),
    ],
)
async def test_without_lists_each_round_is_asked_about(world: World, fault: dict[str, Any], why: str) -> None:
    """Where the vendor answers no list, that is told, and each round is asked about by itself."""
    await cancelled(world, "a", "b")
    say(world, "b0", RoundStatus.IN_PROGRESS)
    before = len(asked(world, "GetRoundStatus"))
    world.vendor.faults = Faults.of({"call": "GetGameRounds", **fault})
    done = await world.command("reconcile", "--json")
    assert (4, {("b0", "open_at_vendor")}) == (done.code, found(done.json)), done.err
    assert {"acme": why} == done.json["not_listed"]
    assert ["a0", "b0"] == sorted(asked(world, "GetRoundStatus")[before:])
    assert 1 == len(asked(world, "GetGameRounds"))


async def test_lists_that_lack_rounds_are_completed_by_questions(world: World) -> None:
    """A round that no page has is asked about by itself."""
    await cancelled(world, "a", "b")
    before = len(asked(world, "GetRoundStatus"))
    world.vendor.faults = Faults.of({"hide": ["b*"]})
    done = await world.command("reconcile", "--json")
    assert (0, [], {}) == (done.code, done.json["not_asked"], done.json["not_listed"]), done.err
    assert ["b0"] == asked(world, "GetRoundStatus")[before:]


@pytest.mark.parametrize("total", [None, *(pytest.param(one, marks=pytest.mark.long) for one in (10**15, 5000)), "1e9"])
async def test_endless_lists_come_to_an_end(world: World, total: object) -> None:
    """A vendor that always has another page is asked for no more pages than there are rounds to find."""
    await world.seed(3)
    assert 0 == (await world.command("run")).code
    before = len(asked(world, "GetRoundStatus"))
    line = {"roundId": "stranger", "roundStatus": "Completed"}
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "reply": {"error": 0, "totalRounds": total, "rounds": [line] * 1000}}
    )
    done = await world.command("reconcile", "--json")
    assert (0, 3) == (done.code, done.json["rounds"]), done.err
    assert len(asked(world, "GetGameRounds")) <= 3
    assert 3 == len(asked(world, "GetRoundStatus")) - before


async def test_a_list_that_is_too_long_is_not_believed(world: World) -> None:
    """A reply of more than 4 MiB is not read to its end, and the rounds are asked about by themselves."""
    await cancelled(world, "a")
    world.vendor.faults = Faults.of({"call": "GetGameRounds", "body": "{" + " " * 4_200_000 + "}"})
    done = await world.command("reconcile", "--json")
    assert (0, {"acme": "the reply is longer than 4194304 bytes"}) == (done.code, done.json["not_listed"]), done.err


async def test_the_list_has_an_address_of_its_own(world: World) -> None:
    """`rounds_url` is the whole address of the list, where the vendor gave one for this call."""
    await cancelled(world, "a")
    world.partner["rounds_url"] = f"{world.vendor.url}/elsewhere/GetGameRounds"
    done = await world.command("reconcile", "--json")
    assert (0, {"acme": "HTTP 404"}) == (done.code, done.json["not_listed"]), done.err
    world.partner["rounds_url"] = f"{world.vendor.url}/elsewhere/history/GetGameRounds"
    done = await world.command("reconcile", "--json")
    assert (0, {}) == (done.code, done.json["not_listed"]), done.err


async def test_a_vendor_that_is_away_is_told(world: World) -> None:
    """Where the vendor cannot be reached, its side is told as unknown, the others are compared all the same: exit 5."""
    await cancelled(world, "a", "b")
    await world.sql(WALLET + "DELETE FROM public.refunds WHERE round_id = 'b0';")
    world.partner |= {"max_attempts": 1, "timeout": "1s"}
    await world.vendor.down()
    done = await world.command("reconcile", "--json")
    assert (5, {("b0", "refund_missing")}) == (done.code, found(done.json)), done.err
    (told,) = done.json["not_asked"]
    assert ("acme", 2) == (told["partner"], told["rounds"])
    assert "not asked: no connection: connection refused" == told["why"]
    (finding,) = done.json["findings"]
    assert finding["vendor"].startswith("not asked: no connection")
    shown = (await world.command("reconcile")).out
    assert "acme gave no list of rounds (no connection: connection refused)" in shown
    assert "asked about by itself" not in shown


async def test_a_database_that_is_away_is_exit_5(world: World) -> None:
    """Without the database nothing is compared, and nothing is printed as a result."""
    world.dsn = "postgresql://127.0.0.1:1/nowhere"
    done = await world.command("reconcile", "--json")
    assert (5, "") == (done.code, done.out)


async def test_a_paused_partner_is_not_asked(world: World) -> None:
    """The kill switch stops questions and lists too: rounds that were not asked about are told, and the exit code is 3."""
    await cancelled(world, "a")
    assert 0 == (await world.command("pause", "--by", "ann", "--reason", "incident")).code
    before = len(world.vendor.requests)
    done = await world.command("reconcile", "--json")
    assert (3, [{"partner": "acme", "why": "not asked: paused by ann", "rounds": 1}]) == (
        done.code,
        done.json["not_asked"],
    ), done.err
    assert before == len(world.vendor.requests)


async def test_a_vendor_that_asks_for_a_pause_gets_it(world: World) -> None:
    """A 429 to a list or a question pauses the partner, and the same question comes again after it."""
    await cancelled(world, "a")
    say(world, "a0", RoundStatus.IN_PROGRESS)
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "status": 429, "headers": {"Retry-After": "1"}, "first": 1},
        {"call": "GetRoundStatus", "status": 429, "headers": {"Retry-After": "1"}, "first": 1},
    )
    done = await world.command("reconcile", "--json")
    assert (4, {("a0", "open_at_vendor")}) == (done.code, found(done.json)), done.err
    assert 2 == len([event for event in done.events if event["event"] == "partner.throttled"])
    lists = world.vendor.asked("GetGameRounds")
    assert lists[1].arrived_at - lists[0].arrived_at >= 1


async def test_a_pause_that_others_got_is_obeyed_and_told(world: World) -> None:
    """A pause that the vendor asked of a run holds for questions too, is told once, and `resume` ends it."""
    await cancelled(world, "a")
    await world.sql("UPDATE retention.partner_state SET paused_until = now() + interval '1 h'")
    before = len(world.vendor.requests)
    running = await world.start("reconcile", "--json")
    while not await world.sql(
        "SELECT FROM pg_stat_activity WHERE query LIKE '%%reserve_questions%%' AND pid <> pg_backend_pid() AND datname = current_database()"
    ):
        await asyncio.sleep(0.02)
    assert before == len(world.vendor.requests)
    assert 0 == (await world.command("resume", "--by", "ann")).code
    done = await running.ended()
    assert (0, ["reconcile.waiting"]) == (done.code, [e["event"] for e in done.events if "waiting" in e["event"]])


async def test_refused_credentials_end_the_questions(world: World) -> None:
    """A vendor that refuses us is asked once for its health, and then no more: exit 5."""
    await cancelled(world, "a", "b")
    world.vendor.token = "another"
    done = await world.command("reconcile", "--json")
    assert (5, "not asked: the vendor refused our credentials") == (done.code, done.json["not_asked"][0]["why"])
    assert 1 == len(asked(world, "HealthCheck"))
    assert "partner.unauthorized" in {event["event"] for event in done.events}


async def test_a_wrong_status_address_is_named(world: World) -> None:
    """An address that answers no question is named by its key, and is not asked about every round."""
    await world.seed(30)
    assert 0 == (await world.command("run")).code
    world.partner |= {"concurrency": 2, "question_rate": 20}
    before = len(asked(world, "GetRoundStatus"))
    world.vendor.faults = Faults.of({"call": "GetGameRounds", "status": 404}, {"call": "GetRoundStatus", "status": 404})
    done = await world.command("reconcile", "--json")
    told = {one["why"] for one in done.json["not_asked"]}
    assert 5 == done.code
    assert "not asked: status_url does not answer questions: HTTP 404" in told
    assert len(asked(world, "GetRoundStatus")) - before < 5


async def test_an_answer_that_tells_nothing_is_told(world: World) -> None:
    """A vendor that does not know a round, or fails to answer, has not confirmed it."""
    await cancelled(world, "a", "b")
    world.partner["max_attempts"] = 2
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "status": 404},
        {"call": "GetRoundStatus", "code": "17", "description": "no such round", "round_ids": ["a0"]},
    )
    done = await world.command("reconcile", "--json")
    assert (4, ["no answer: error 17, no such round"]) == (done.code, [one["why"] for one in done.json["not_asked"]])
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "status": 404}, {"call": "GetRoundStatus", "status": 500, "round_ids": ["a0"]}
    )
    before = len(asked(world, "GetRoundStatus"))
    done = await world.command("reconcile", "--json")
    assert (5, ["no answer: HTTP 500"]) == (done.code, [one["why"] for one in done.json["not_asked"]])
    assert ["a0", "a0", "b0"] == sorted(asked(world, "GetRoundStatus")[before:])


async def test_without_questions_a_list_is_believed(world: World) -> None:
    """`status_probe = false` forbids questions: a list is believed, and rounds that it lacks are told as not asked."""
    world.partner["status_probe"] = False
    await cancelled(world, "a", "b")
    say(world, "a0", RoundStatus.IN_PROGRESS)
    world.vendor.faults = Faults.of({"hide": ["b*"]})
    done = await world.command("reconcile", "--json")
    assert (4, {("a0", "open_at_vendor")}) == (done.code, found(done.json)), done.err
    assert [1] == [one["rounds"] for one in done.json["not_asked"]]
    assert [] == asked(world, "GetRoundStatus")


async def test_a_partner_without_configuration_is_told(world: World) -> None:
    """Rounds of a partner that the configuration has no more cannot be asked about; the other sides are compared."""
    await cancelled(world, "a")
    await world.sql("UPDATE retention.cancellations SET partner = 'former'")
    done = await world.command("reconcile", "--json")
    assert (4, ["former"]) == (done.code, [one["partner"] for one in done.json["not_asked"]]), done.err


async def test_questions_keep_to_their_rate(world: World) -> None:
    """Questions and lists arrive spread out by `question_rate`, and never in a burst."""
    await world.seed(25)
    assert 0 == (await world.command("run")).code
    world.partner["question_rate"] = 10
    world.vendor.faults = Faults.of({"call": "GetGameRounds", "status": 404})
    before = len(world.vendor.requests)
    done = await world.command("reconcile", "--json")
    assert (0, 25) == (done.code, done.json["rounds"]), done.err
    times = sorted(request.arrived_at for request in world.vendor.requests[before:])
    assert 26 == len(times)
    # A busy machine delays some arrivals; a burst would halve these gaps at least.
    assert all(later - earlier >= 0.7 for earlier, later in zip(times, times[10:], strict=False))


async def test_a_killed_reconciliation_is_made_again(world: World) -> None:
    """A reconciliation that is killed in the middle has kept whole batches; the next one finds the rest, each once."""
    await world.seed(12)
    assert 0 == (await world.command("run")).code
    for number in range(12):
        say(world, f"r{number}", RoundStatus.IN_PROGRESS)
    world.partner["question_rate"] = 10
    before = len(asked(world, "GetRoundStatus"))
    running = await world.start("reconcile")
    await running.until(world.vendor, lambda: len(asked(world, "GetRoundStatus")) >= before + 5)
    running.signal(signal.SIGKILL)
    await running.ended()
    world.partner["question_rate"] = 1000
    done = await world.command("reconcile", "--json")
    assert (4, 12, 12) == (done.code, len(done.json["findings"]), done.json["new"]), done.err
    assert 12 == len(await world.sql("SELECT FROM retention.findings"))
    requests = {request.uuid for request in world.vendor.asked("GetRoundStatus")}
    assert requests <= await attempts(world)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_question_without_an_answer_is_no_forgery(world: World, number: signal.Signals) -> None:
    """Questions whose process has died stay without an outcome, and `audit verify` accepts them hours later."""
    await cancelled(world, "a")
    world.partner["timeout"] = "1s"
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "status": 404}, {"call": "GetRoundStatus", "hang": "before"}
    )
    before = len(asked(world, "GetRoundStatus"))
    running = await world.start("reconcile")
    await running.until(world.vendor, lambda: len(asked(world, "GetRoundStatus")) > before)
    running.signal(number)
    await running.ended()
    late = await world.sql(
        "UPDATE retention.attempts SET claimed_at = now() - interval '2 hours' WHERE outcome IS NULL RETURNING uuid"
    )
    assert 1 == len(late)
    done = await world.command("audit", "verify", "--json")
    assert (0, []) == (done.code, done.json["findings"])


async def test_a_stopped_reconciliation_ends_with_its_signal(world: World) -> None:
    """SIGTERM ends it with 143, and nothing is printed as a result."""
    await cancelled(world, "a")
    world.partner["timeout"] = "1s"
    world.vendor.faults = Faults.of({"call": "GetGameRounds", "hang": "before"})
    running = await world.start("reconcile", "--json")
    await running.until(world.vendor, lambda: bool(asked(world, "GetGameRounds")))
    running.signal(signal.SIGTERM)
    done = await running.ended()
    assert (143, "") == (done.code, done.out)


def secrets(texts: Iterable[str], *words: str) -> list[str]:
    """Find the secrets that any of the texts contains."""
    return [word for word in words if any(word in text for text in texts)]


async def test_no_secret_is_told(world: World) -> None:
    """A vendor that sends secrets back gets them into no output, log or finding."""
    await cancelled(world, "a")
    said = f"{SECURE_LOGIN} {world.vendor.token} {world.vendor.url}/secret-path"
    world.vendor.faults = Faults.of(
        {"call": "GetGameRounds", "code": "20", "description": said},
        {"call": "GetRoundStatus", "code": "17", "description": said},
    )
    done = await world.command("reconcile", "--json")
    assert 4 == done.code
    rows = await world.sql("SELECT a::text AS text FROM retention.attempts a")
    assert [] == secrets([done.out, done.err, *(row.text for row in rows)], SECURE_LOGIN, str(world.vendor.token))
