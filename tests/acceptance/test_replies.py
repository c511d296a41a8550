"""Every row of the reply table, over a real socket; then vendor, ledger and operator's table must agree."""

from __future__ import annotations

import itertools
import signal
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.invariants import violations

from retention.simulator.faults import Faults
from retention.simulator.server import RoundStatus

if TYPE_CHECKING:
    from support.world import World

ROWS: list[tuple[str, dict[str, Any], bool, str, int, str]] = [
    # the reply; the fault; probes allowed; the round's state; exit code; the vendor's truth
    ("cut after it took effect", {"cut": "after", "first": 1}, True, "cancelled", 4, "Canceled"),
    ("cut before it took effect", {"cut": "before", "first": 1}, True, "cancelled", 0, "Canceled"),
    ("half a reply", {"cut": "middle", "first": 1}, True, "cancelled", 4, "Canceled"),
    ("no reply in time", {"hang": "after", "first": 1}, True, "cancelled", 4, "Canceled"),
    ("no reply, resent", {"hang": "before", "first": 1}, False, "cancelled", 0, "Canceled"),
    ("cut after effect, resent", {"cut": "after", "first": 1}, False, "already_cancelled", 0, "Canceled"),
    ("never a reply", {"cut": "before"}, False, "in_doubt", 4, "InProgress"),
    ("500", {"status": 500, "first": 1}, True, "cancelled", 0, "Canceled"),
    ("503 without Retry-After", {"status": 503, "first": 1}, True, "cancelled", 0, "Canceled"),
    (
        "503 with Retry-After",
        {"status": 503, "headers": {"Retry-After": "1"}, "first": 1},
        False,
        "cancelled",
        0,
        "Canceled",
    ),
    ("429", {"status": 429, "headers": {"Retry-After": "1"}, "first": 3}, False, "cancelled", 0, "Canceled"),
    ("not JSON", {"body": "<html>", "first": 1}, True, "cancelled", 0, "Canceled"),
    ("a list", {"body": "[0]", "first": 1}, True, "cancelled", 0, "Canceled"),
    ("error null", {"body": '{"error": null}', "first": 1}, True, "cancelled", 0, "Canceled"),
    ("error true", {"body": '{"error": true}', "first": 1}, True, "cancelled", 0, "Canceled"),
    ("error an object", {"body": '{"error": {}}', "first": 1}, True, "cancelled", 0, "Canceled"),
    ("more than 64 KiB", {"oversize": True, "effect": True, "first": 1}, True, "cancelled", 4, "Canceled"),
    ("a redirect", {"redirect": "http://127.0.0.1:9/", "first": 1}, True, "cancelled", 0, "Canceled"),
    ("400", {"status": 400}, False, "rejected", 4, "InProgress"),
    ("404, asked about", {"status": 404}, True, "rejected", 4, "InProgress"),
    ("a code for rejected", {"code": "99"}, True, "rejected", 4, "InProgress"),
    ("an unknown code", {"code": "4711"}, False, "rejected", 4, "InProgress"),
    ("61", {"code": "61"}, False, "already_cancelled", 0, "InProgress"),
    ("998 once", {"code": "998", "first": 1}, True, "cancelled", 0, "Canceled"),
    ("998 for ever", {"code": "998"}, False, "in_doubt", 4, "InProgress"),
    ("closed by the vendor meanwhile", {"complete": True}, True, "already_completed", 0, "CompleteInProcess"),
]


@pytest.mark.parametrize(
    ("fault", "probe", "state", "code", "truth"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
async def test_a_row_of_the_reply_table(
    world: World, fault: dict[str, Any], probe: bool, state: str, code: int, truth: str
) -> None:
    """Each reply leads to the state of the contract's table, in agreement with the vendor's truth."""
    await world.seed(1)
    world.partner |= {"status_probe": probe, "timeout": "1s" if "hang" in fault else "10s", "max_attempts": 3}
    world.vendor.faults = Faults.of(fault)
    done = await world.command("run", "--json")
    assert (code, {state: 1}) == (done.code, done.json["states"]), done.err
    (vendors,) = world.vendor.rounds.values()
    assert (truth, vendors.cancelled_times <= 1) == (vendors.status.value, True)
    (operators,) = await world.sql("SELECT status FROM public.rounds")
    assert (2 if state in {"cancelled", "already_cancelled"} else 0) == operators.status
    if not (state == "already_cancelled" and truth == "InProgress"):  # there the vendor's reply is false
        assert [] == await violations(world)


async def test_a_refused_connection_is_retried_and_then_not_sent(world: World) -> None:
    """A vendor that cannot be reached ends the run at 5, its rounds not sent; the next run cancels them."""
    await world.seed(4)
    world.partner["max_attempts"] = 2
    await world.vendor.down()
    done = await world.command("run", "--json")
    assert (5, {"not_sent": 4}) == (done.code, done.json["states"]), done.err
    await world.vendor.up()
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 4}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)


async def test_unauthorized_while_slots_were_missed(world: World) -> None:
    """A run whose partner refuses us while claims wait for another slot hands them back and ends halted."""
    await world.seed(4)
    world.partner |= {"concurrency": 2, "rate": 200, "timeout": "60s"}
    world.vendor.latency = 0.2
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "status": 401})
    process = await world.start("run", "--json")
    await process.until(world.vendor, lambda: {"r0", "r1"} <= {request.round_id for request in world.vendor.requests})
    process.signal(signal.SIGSTOP)  # the slots of the others go by
    await world.vendor.until(lambda: all(request.finished_at is not None for request in world.vendor.requests))
    process.signal(signal.SIGCONT)
    done = await process.ended()
    # How many were cancelled before the refusal came is chance.
    assert (3, {"cancelled", "planned"}) == (done.code, {*done.json["states"]} | {"cancelled"}), done.err
    assert "planned" == (await world.states())["r1"]
    assert [] == await violations(world)


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        pytest.param(fault, call, id=f"{fault}-{call}", marks=() if number in {0, 5} else pytest.mark.long)
        for number, (fault, call) in enumerate(
            itertools.product(
                ({"status": 401}, {"status": 403}, {"code": "54"}, {"code": "401"}), ("CancelRound", "any")
            )
        )
    ],
)
async def test_refused_credentials_halt_the_partner(world: World, fault: dict[str, Any], call: str) -> None:
    """After 401, 403 or a code that a HealthCheck confirms no further call is made; unsent rounds stay planned."""
    await world.seed(40)
    world.partner |= {"concurrency": 1}
    world.vendor.faults = Faults.of(fault | {"call": call}, fault | {"call": "HealthCheck"})
    done = await world.command("run", "--json")
    assert (3, "halted", {"planned": 40}) == (done.code, done.json["status"], done.json["states"]), done.err
    assert 1 == sum(request.fault is not None for request in world.vendor.requests if request.call != "HealthCheck")
    assert ("code" in fault) == len(world.vendor.asked("HealthCheck"))
    world.vendor.faults = Faults()
    done = await world.command("run", "--resume", done.json["run_id"], "--json")
    assert (0, {"cancelled": 40}) == (done.code, done.json["states"]), done.err


async def test_a_later_run_plans_unsent_rounds_of_a_halted_run_again(world: World) -> None:
    """A round that a halted run left planned becomes not sent when another run plans it again."""
    await world.seed(3)
    world.vendor.faults = Faults.of({"status": 401})
    first = (await world.command("run", "--json")).json["run_id"]
    world.vendor.faults = Faults()
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    rows = await world.sql("SELECT DISTINCT state FROM retention.cancellations WHERE run_id = %(run)s", run=first)
    assert ["not_sent"] == [row.state for row in rows]


async def test_a_doubt_is_taken_up_by_the_next_run_in_its_own_row(world: World) -> None:
    """The next run asks about an unsettled round first, and makes no second row for it."""
    await world.seed(1)
    world.partner |= {"max_attempts": 1, "ask_first": False}
    world.vendor.faults = Faults.of({"cut": "after"}, {"call": "GetRoundStatus", "status": 500})
    done = await world.command("run", "--json")
    assert (4, {"in_doubt": 1}) == (done.code, done.json["states"])
    world.vendor.faults = Faults()
    done = await world.command("run", "--json")
    assert ({}, {"cancelled": 1}) == (done.json["states"], done.json["taken_up"]), done.err
    assert [("cancelled", 1)] == [
        (row.state, row.attempts) for row in await world.sql("SELECT state, attempts FROM retention.cancellations")
    ]
    assert [] == await violations(world)


AMOUNTS = ["0.000000000000000001", "12345678901234567890.123456789012345678", "100", "0", "7.10"]


@pytest.mark.parametrize("written", ["number", "string", "exponent"])
async def test_amounts_are_exact_to_the_last_digit(world: World, written: str) -> None:
    """Eighteen decimals, as number, string or exponent, arrive in ledger and operator's table as they were sent."""
    ids = await world.seed(len(AMOUNTS))
    for name, amount in zip(ids, AMOUNTS, strict=True):
        one = next(one for one in world.vendor.rounds.values() if one.round_id == name)
        one.amount, one.amount_as = Decimal(amount), written  # type: ignore[assignment]
        await world.sql(
            "UPDATE public.rounds SET stake = %(amount)s WHERE round_id = %(name)s", amount=Decimal(amount), name=name
        )
    done = await world.command("run", "--json")
    assert (0, {"cancelled": len(AMOUNTS)}) == (done.code, done.json["states"]), done.err
    rows = await world.sql(
        "SELECT c.amount, r.refund FROM retention.cancellations c JOIN public.rounds r USING (round_id) ORDER BY c.round_id"
    )
    assert [(Decimal(amount), Decimal(amount)) for amount in AMOUNTS] == [(row.amount, row.refund) for row in rows]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"amount": "null"}, marks=pytest.mark.long),
        pytest.param({"amount": '"abc"'}, marks=pytest.mark.long),
        pytest.param({"amount": "-5"}, marks=pytest.mark.long),
        {"amount": "1e400"},
        pytest.param({"amount": "123456789012345678901"}, marks=pytest.mark.long),
        pytest.param({"amount": "0.1234567890123456789"}, marks=pytest.mark.long),
        pytest.param({"omit": ["amount"]}, marks=pytest.mark.long),
        {"omit": ["currency"]},
        pytest.param({"replace": {"currency": "euros"}}, marks=pytest.mark.long),
        pytest.param({"omit": ["transactionId"]}, marks=pytest.mark.long),
        {"replace": {"transactionId": ""}},
    ],
    ids=str,
)
async def test_an_absurd_refund_is_null_and_in_review(world: World, fault: dict[str, Any]) -> None:
    """A missing or absurd amount, currency or transaction is kept NULL, never zero, and needs a person."""
    await world.seed(1)
    world.vendor.faults = Faults.of(fault)
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 1}, 1) == (done.code, done.json["states"], done.json["incomplete"]), done.err
    (row,) = await world.sql("SELECT num_nulls(amount, currency, transaction_id) AS nulls FROM retention.cancellations")
    assert 1 == row.nulls


async def test_reply_text_in_any_script_is_kept_under_any_locale(world: World) -> None:
    """Words in any script are written down also where the environment asks PostgreSQL for an encoding without them."""
    await world.seed(1)
    world.vendor.faults = Faults.of({"replace": {"description": "\u6210\u529f"}})
    done = await world.command("run", "--json", environ={"PGCLIENTENCODING": "LATIN1"})
    assert (0, {"cancelled": 1}) == (done.code, done.json["states"]), done.err
    assert ["\u6210\u529f"] == [row.description for row in await world.sql("SELECT * FROM retention.cancellations")]


async def test_a_different_refund_is_a_discrepancy_and_not_corrected(world: World) -> None:
    """An amount that differs from the stake is kept as the vendor sent it, and needs a person."""
    await world.seed(1, stake="5")
    world.vendor.faults = Faults.of({"amount": "4.99"})
    done = await world.command("run", "--json")
    assert (4, 1) == (done.code, done.json["discrepancies"])
    (row,) = await world.sql("SELECT amount, stake FROM retention.cancellations")
    assert (Decimal("4.99"), Decimal(5)) == (row.amount, row.stake)


async def test_an_earlier_cancellation_at_the_vendor_is_recognised(world: World) -> None:
    """A round that another party cancelled is settled as already cancelled, and closed at the operator's."""
    await world.seed(1)
    next(iter(world.vendor.rounds.values())).status = RoundStatus.CANCELED
    done = await world.command("run", "--json")
    assert (0, {"already_cancelled": 1}) == (done.code, done.json["states"])
    assert 2 == (await world.sql("SELECT status FROM public.rounds"))[0].status


async def test_a_rejected_round_is_not_planned_for_ever(world: World) -> None:
    """After max_runs runs that ended rejected, a round is left out until a person resolves it."""
    await world.seed(1)
    world.partner |= {"max_runs": 2, "status_probe": False}
    world.vendor.faults = Faults.of({"code": "1"})
    for _ in range(2):
        assert {"rejected": 1} == (await world.command("run", "--json")).json["states"]
    done = await world.command("plan", "--json")
    assert (0, {"given_up": 1}) == (done.json["rounds"], done.json["left_out"])


async def test_the_failure_ratio_halts_the_run(world: World) -> None:
    """When more replies than allowed are refused or unclear, the run halts at 3 with most rounds still planned."""
    await world.seed(400)
    world.partner |= {"status_probe": False, "rate": 200}
    world.vendor.faults = Faults.of({"share": 0.5, "code": "1"})
    done = await world.command("run", "--json")
    assert (3, "halted") == (done.code, done.json["status"])
    assert done.json["halt_reason"].startswith("max_failure_ratio:")
    assert done.json["states"]["planned"] > 200
    done = await world.command("run", "--resume", done.json["run_id"], "--override", "known", "--by", "tess", "--json")
    assert 4 == done.code
    assert 400 == done.json["states"]["cancelled"] + done.json["states"]["rejected"]
