"""The vendor is asked before a round's first cancel, and only rounds that it calls in progress are cancelled. Contract,
5.1.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.invariants import violations

from retention.simulator.faults import Faults
from retention.simulator.server import RoundStatus, worst_second

if TYPE_CHECKING:
    from support.world import World

QUESTION = {"call": "GetRoundStatus"}

ANSWERS: list[tuple[str, dict[str, Any], str, int, str | None]] = [
    # the answer; the fault; the round's state; the exit code; its detail
    ("in progress", {"replace": {"winAmount": "0.00"}}, "cancelled", 0, None),
    ("no winAmount", {"omit": ["winAmount"]}, "cancelled", 0, None),
    ("winnings", {"winnings": "12.5"}, "held", 4, "winnings 12.5 EUR"),
    ("winnings that make no sense", {"winnings": "NaN"}, "not_sent", 4, "not asked: winAmount makes no sense"),
    ("winnings below zero", {"winnings": "-1"}, "not_sent", 4, "not asked: winAmount makes no sense"),
    ("no answer", {"cut": "before"}, "not_sent", 4, "not asked: the connection broke: connection reset by peer"),
    ("500", {"status": 500}, "not_sent", 4, "not asked: HTTP 500"),
    ("400", {"status": 400}, "not_sent", 4, "not asked: HTTP 400"),
    ("a code", {"code": "17", "description": "no such round"}, "not_sent", 4, "not asked: error 17, no such round"),
    ("a code for another attempt", {"code": "998"}, "not_sent", 4, "not asked: error 998"),
    ("another word", {"replace": {"roundStatus": "Suspended"}}, "not_sent", 4, "not asked: the vendor says Suspended"),
    ("another round", {"other_round": True}, "not_sent", 4, "not asked: the reply is about another round"),
    ("a list", {"body": "[0]"}, "not_sent", 4, "not asked: the reply is not a JSON object"),
]


async def test_a_first_probes_answer_decides_the_rounds_state(world: World) -> None:
    """Each answer leads to the state that the contract says; the round is called only where it is plainly in
    progress.
    """
    names = await world.seed(len(ANSWERS))
    world.partner |= {"max_attempts": 2, "timeout": "3s"}
    world.vendor.faults = Faults.of(
        *[QUESTION | fault | {"round_ids": [name]} for name, (_, fault, *_) in zip(names, ANSWERS, strict=True)]
    )
    done = await world.command("run", "--json")
    assert 4 == done.code, done.err[-2000:]
    rows = await world.sql("SELECT round_id, state, detail, attempts FROM retention.cancellations")
    found = {row.round_id: (row.state, row.detail, row.attempts) for row in rows}
    expected = {
        name: (state, detail, int(state == "cancelled"))
        for name, (_, _, state, _, detail) in zip(names, ANSWERS, strict=True)
    }
    assert expected == found
    assert {name for name in names if found[name][2]} == {request.round_id for request in world.cancels}
    listed = {row["round_id"] for row in (await world.command("review", "list", "--json")).json}
    assert {name for name, (_, _, _, code, _) in zip(names, ANSWERS, strict=True) if code} == listed
    assert [] == await violations(world)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (RoundStatus.COMPLETED, "already_completed"),
        (RoundStatus.COMPLETE_IN_PROCESS, "already_completed"),
        (RoundStatus.CANCELED, "already_cancelled"),
        (RoundStatus.CANCEL_IN_PROCESS, "already_cancelled"),
    ],
)
async def test_a_round_that_is_over_is_never_called(world: World, status: RoundStatus, state: str) -> None:
    """A round that the vendor calls completed or cancelled is settled without a call, even if a call would succeed."""
    await world.seed(2)
    world.vendor.reverses, world.vendor.idempotent = True, False
    for one in world.vendor.rounds.values():
        one.status, one.cancelled_times = status, int("ancel" in status)
    done = await world.command("run", "--json")
    assert (0, {state: 2}) == (done.code, done.json["states"]), done.err[-2000:]
    assert [] == world.cancels
    rows = await world.sql("SELECT status FROM public.rounds")
    assert [2 if state == "already_cancelled" else 0] * 2 == [row.status for row in rows]
    assert [] == (await world.command("review", "list", "--json")).json
    assert [] == await violations(world)


async def test_winnings_may_be_cancelled_where_the_policy_says_so(world: World) -> None:
    """With `winnings = "cancel"` a round that was won in is cancelled like any other."""
    await world.seed(2)
    for one in world.vendor.rounds.values():
        one.winnings = Decimal("12.5")
    world.policy["winnings"] = "cancel"
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err[-2000:]
    assert [] == await violations(world)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404},
        {"body": "<html>"},
        *[pytest.param(one, marks=pytest.mark.long) for one in ({"status": 405}, {"body": ""})],
    ],
    ids=str,
)
async def test_a_wrong_status_address_halts_before_the_first_cancel(world: World, fault: dict[str, Any]) -> None:
    """An address that does not answer questions halts the run, which goes on once the address is mended."""
    await world.seed(20)
    world.vendor.faults = Faults.of(QUESTION | fault)
    done = await world.command("run", "--json")
    assert (3, "halted", {"planned": 20}) == (done.code, done.json["status"], done.json["states"]), done.err[-2000:]
    assert all(word in done.json["halt_reason"] for word in ("status_url", "ask_first", "acme"))
    assert [] == world.cancels
    world.vendor.faults = Faults()
    done = await world.command("run", "--resume", done.json["run_id"], "--json")
    assert (0, {"cancelled": 20}) == (done.code, done.json["states"]), done.err[-2000:]
    assert [] == await violations(world)


@pytest.mark.parametrize("asks_first", [True, False], ids=["asks first", "does not ask"])
async def test_a_restored_ledger_cancels_no_round_twice(world: World, asks_first: bool) -> None:
    """After a restore the vendor knows the cancelled rounds that the ledger lacks; `check` warns without ask_first."""
    await world.seed(20)
    world.partner["ask_first"] = asks_first
    world.vendor.idempotent = False
    assert 0 == (await world.command("run")).code
    await world.sql("TRUNCATE retention.runs, retention.cancellations, retention.attempts CASCADE")
    await world.sql("UPDATE public.rounds SET status = 0, cancelled_at = NULL, refund = NULL")
    warned = [one for one in (await world.command("check", "--json")).json["checks"] if one["warning"]]
    assert (not asks_first) == any("copy" in one["message"] for one in warned)
    done = await world.command("run", "--json")
    assert {"already_cancelled" if asks_first else "cancelled": 20} == done.json["states"], done.err[-2000:]
    assert [1 if asks_first else 2] * 20 == [one.cancelled_times for one in world.vendor.rounds.values()]


@pytest.mark.parametrize("call", ["CancelRound", "GetRoundStatus"])
async def test_a_refused_row_stops_no_other_round(world: World, call: str) -> None:
    """A code for refused credentials is about its round alone where a HealthCheck says that the vendor knows us."""
    await world.seed(30)
    world.vendor.faults = Faults.of({"call": call, "round_ids": ["r7", "r8"], "code": "54"})
    done = await world.command("run", "--json")
    state = "rejected" if call == "CancelRound" else "not_sent"
    assert (4, {"cancelled": 28, state: 2}) == (done.code, done.json["states"]), done.err[-2000:]
    assert 1 == len(world.vendor.asked("HealthCheck"))
    assert [] == await violations(world)


async def test_a_health_check_that_is_not_answered_halts_the_partner(world: World) -> None:
    """Without a word that the vendor knows us, a code that refuses our credentials counts as that."""
    await world.seed(10)
    world.partner |= {"timeout": "1s", "concurrency": 1}
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "54"}, {"call": "HealthCheck", "hang": "before"})
    done = await world.command("run", "--json")
    assert (3, "halted") == (done.code, done.json["status"]), done.err[-2000:]
    assert "planned" == (await world.states())["r1"]
    assert [] == await violations(world)


async def test_a_reply_about_another_round_is_a_doubt(world: World) -> None:
    """A success that names another round is not believed; the vendor is asked about ours."""
    await world.seed(2)
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "other_round": True, "first": 1})
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 2}) == (done.code, done.json["states"]), done.err[-2000:]
    rows = await world.sql("SELECT outcome FROM retention.attempts WHERE detail = 'the reply is about another round'")
    assert ["in_doubt"] == [row.outcome for row in rows]
    assert [1, 1] == [one.cancelled_times for one in world.vendor.rounds.values()]


async def test_questions_have_a_rate_of_their_own(world: World) -> None:
    """No second holds more questions than `question_rate`, nor more cancels than that leaves."""
    await world.seed(40)
    world.partner |= {"rate": 1000, "question_rate": 20}
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 40}) == (done.code, done.json["states"]), done.err[-2000:]
    questions = [request.arrived_at for request in world.vendor.asked("GetRoundStatus")]
    assert 40 == len(questions)
    sent = await world.sql(
        "SELECT extract(epoch FROM sent_at)::float8 AS at FROM retention.attempts"
        " WHERE kind = 'status' AND sent_at IS NOT NULL"  # a claim that could not leave in time is released
    )
    # Seen from both ends of the wire: a stall of one end's process bunches its own times, both ends see a burst.
    assert 21 >= min(worst_second(questions), worst_second(row.at for row in sent))


async def test_without_ask_first_the_cancel_is_sent_without_a_probe(world: World) -> None:
    """`ask_first = false` sends the cancel as it is; questions then settle doubts alone."""
    await world.seed(5)
    world.partner["ask_first"] = False
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err[-2000:]
    assert ["CancelRound"] * 5 == [request.call for request in world.vendor.requests]


@pytest.mark.parametrize(("told", "code"), [(True, 4), (False, 0)])
async def test_a_success_that_names_no_refund(world: World, told: bool, code: int) -> None:
    """A missing refund goes to review, except at a vendor whose success never names one."""
    await world.seed(2)
    world.partner["refund_in_reply"] = told
    world.vendor.faults = Faults.of({"omit": ["currency", "amount", "transactionId"]})
    done = await world.command("run", "--json")
    assert (code, {"cancelled": 2}) == (done.code, done.json["states"]), done.err[-2000:]
    assert (2 if told else 0) == len((await world.command("review", "list", "--json")).json)


@pytest.mark.parametrize("key", ["cancel_url", "status_url"])
async def test_one_unreachable_address_ends_the_run(world: World, key: str) -> None:
    """If only one of the addresses of questions and cancels can be reached, no cancel is sent and the run ends with
    5.
    """
    await world.seed(4)
    world.partner |= {"max_attempts": 1, key: "http://127.0.0.1:1/nobody"}
    done = await world.command("run", "--json")
    assert (5, {"not_sent": 4}) == (done.code, done.json["states"]), done.err[-2000:]
    assert [] == world.cancels
