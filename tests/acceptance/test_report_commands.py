"""`report`, `runs`, `explain` and `review` on a finished run, for people and for programs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

TOTALS = ["market", "outcome", "currency", "count", "amount", "stake"]

LARGE = "12345678901234567890.123456789012345678"
SMALL = "0.000000000000000001"


async def test_report_gives_exact_amounts_in_every_format(world: World) -> None:
    """JSON, CSV and table have exact amounts, times are in UTC, and the totals add up."""
    await world.seed(1, prefix="large", stake=LARGE)
    await world.seed(1, prefix="small", stake=SMALL)
    await world.seed(1, prefix="less", stake="5", market="SE", currency="SEK")
    await world.sql("UPDATE public.rounds SET user_id = '=user', game = NULL")
    for one in world.vendor.rounds.values():
        one.user_id = one.game_id = ""
    world.vendor.faults = Faults.of({"round_ids": ["less0"], "amount": "4.99"})
    run = await world.command("run", "--by", "tess", "--reason", "-1, order 17", "--json")
    assert (4, {"cancelled": 3}) == (run.code, run.json["states"]), run.err
    as_json, as_csv, table = await asyncio.gather(
        world.command("report", "--json"),
        world.command("report", "--format", "csv"),
        world.command("report"),
    )
    document = as_json.json
    assert (None, None) == (document["from"], document["to"])
    rows = {row["round_id"]: row for row in document["rounds"]}
    assert [(LARGE, LARGE), (SMALL, SMALL), ("4.99", "5")] == [
        (rows[name]["amount"], rows[name]["stake"]) for name in ("large0", "small0", "less0")
    ]
    row = rows["less0"]
    assert ["amount 4.99 SEK, stake 5 SEK"] == row["discrepancies"]
    names = ("partner", "market", "game_id", "user_id", "outcome", "currency", "stake_currency", "transaction_id")
    assert ["acme", "SE", None, "=user", "cancelled", "SEK", "SEK", "bet-less0"] == [row[name] for name in names]
    assert ("nightly", "on_demand", "tess") == (row["policy"], row["trigger"], row["requested_by"])
    assert ("-1, order 17", None, None, run.json["run_id"]) == (
        row["reason"],
        row["evidence"],
        row["approved_by"],
        row["run_id"],
    )
    for name in ("opened_at", "cancelled_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", row[name])
    assert {request.uuid for request in world.cancels} == {row["uuid"] for row in document["rounds"]}
    assert [
        dict(zip(TOTALS, values, strict=True))
        for values in (
            ("MT", "cancelled", "EUR", 2, LARGE[:-1] + "9", LARGE[:-1] + "9"),
            ("SE", "cancelled", "SEK", 1, "4.99", "5"),
        )
    ] == document["totals"]

    assert as_csv.out.endswith("\r\n")
    head, *cells = csv.reader(io.StringIO(as_csv.out, newline=""))
    told = {line[4]: dict(zip(head, line, strict=True)) for line in cells}
    assert (LARGE, "'=user", "", "'-1, order 17") == tuple(
        told["large0"][name] for name in ("amount", "user_id", "evidence", "reason")
    )
    assert all(word in table.out for word in ("large0", LARGE, "4.99 SEK", "amount 4.99 SEK, stake 5.00 SEK"))


async def test_report_has_a_filter_for_time_market_policy_run_and_outcome(world: World) -> None:
    """Each option of `report` filters its rounds, and an empty report prints a sentence."""
    await world.seed(1)
    await world.seed(1, prefix="se", market="SE")
    world.partner["status_probe"] = False
    world.vendor.faults = Faults.of({"round_ids": ["se0"], "code": "1"})
    run = (await world.command("run", "--json")).json["run_id"]
    await world.sql("UPDATE retention.cancellations SET settled_at = '2026-01-31 22:00+00'")
    asked: dict[tuple[str, ...], list[str]] = {
        ("--from", "2026-01-31T22:00:00Z", "--to", "2026-01-31T23:01+01:00", "--run", run): ["r0"],
        ("--all", "--policy", "nightly", "--market", "SE"): ["se0"],
        ("--market", "SE"): [],
    }
    told = await asyncio.gather(*(world.command("report", "--format", "json", *words) for words in asked))
    assert list(asked.values()) == [sorted(row["round_id"] for row in done.json["rounds"]) for done in told]
    assert ["2026-01-31T22:00:00Z", "2026-01-31T22:01:00Z"] == [told[0].json[name] for name in ("from", "to")]
    assert ["rejected"] == [row["outcome"] for row in told[1].json["rounds"]]
    empty = await world.command("report", "--to", "2020-01-01")
    assert (0, True) == (empty.code, "no rounds were cancelled in this period" in empty.out)


async def test_report_replaces_its_file_only_when_complete(world: World) -> None:
    """With -o stdout stays empty, and the old file stays until the new one is complete."""
    await world.seed(2)
    assert 0 == (await world.command("run")).code
    path = world.folder / "report.json"
    path.write_text("the old one")
    async with world.locked("retention.cancellations"):
        process = await world.start("report", "--format", "json", "-o", "report.json")
        await world.until_waiting()
        assert "the old one" == path.read_text()
    done = await process.ended()
    assert (0, "") == (done.code, done.out)
    assert ["r0", "r1"] == [row["round_id"] for row in json.loads(path.read_text())["rounds"]]
    assert {"retention.toml", "report.json"} == {one.name for one in world.folder.iterdir()}


async def test_runs_and_explain_show_a_finished_run(world: World) -> None:
    """`runs` shows a run with its person and counts; `explain` shows a round's eligibility and its events."""
    await world.seed(2)
    before = datetime.now(UTC)
    run = (await world.command("run", "--by", "tess", "--reason", "order 17", "--json")).json["run_id"]
    words = ("explain", "--partner", "acme", "--round")
    listed, table, shown, life, text = await asyncio.gather(
        world.command("runs", "list", "--json"),
        world.command("runs", "list"),
        world.command("runs", "show", run, "--json"),
        world.command(*words, "r1", "--json"),
        world.command(*words, "r1"),
    )
    (row,) = listed.json
    assert (run, "nightly", "finished", 2, 2, "tess", "order 17") == tuple(
        row[name] for name in ("run_id", "policy", "status", "rounds", "cancelled", "requested_by", "reason")
    )
    assert all(word in table.out for word in (run[:8], "nightly", "finished", "cancelled 2", "tess"))
    document = shown.json
    assert (run, "enforce", {"cancelled": 2}, {"EUR": "3"}) == tuple(
        document[name] for name in ("run_id", "mode", "states", "refunds")
    )
    assert ("3d", 100000) == (document["settings"]["open_longer_than"], document["settings"]["max_rounds"])
    assert before < datetime.fromisoformat(document["started_at"]) <= datetime.fromisoformat(document["finished_at"])
    (verdict,) = life.json["policies"]
    assert ("nightly", False) == (verdict["policy"], verdict["selected"])
    (cancellation,) = life.json["cancellations"]
    question, attempt = cancellation["attempts"]
    assert ("status", "in_progress") == (question["kind"], question["outcome"])
    (request,) = (request for request in world.cancels if request.round_id == "r1")
    assert ("cancelled", "1.5", request.uuid, "cancel", 200) == (
        cancellation["state"],
        cancellation["amount"],
        attempt["uuid"],
        attempt["kind"],
        attempt["http_status"],
    )
    for word in (
        "not open any more",
        "would not plan it now",
        f"planned by run {run}",
        request.uuid,
        "settled: cancelled",
    ):
        assert word in text.out


async def test_a_resolved_rejection_is_planned_again(world: World) -> None:
    """A round rejected too often waits for a person; once resolved it is planned again, and the vendor's reply
    stays.
    """
    await world.seed(1)
    world.partner |= {"max_runs": 1, "status_probe": False}
    world.vendor.faults = Faults.of({"code": "99", "description": "bet not found"})
    assert 4 == (await world.command("run")).code
    listed, plan = await asyncio.gather(world.command("review", "list", "--json"), world.command("plan", "--json"))
    assert (0, {"given_up": 1}) == (plan.json["rounds"], plan.json["left_out"])
    (row,) = listed.json
    assert ("r0", "rejected", "99", "bet not found") == tuple(
        row[name] for name in ("round_id", "state", "error_code", "description")
    )
    resolve = ("review", "resolve", str(row["id"]), "--by", "tess", "--note", "a mistake of theirs", "--as")
    done = await world.command(*resolve, "rejected")
    assert (0, "") == (done.code, done.said)
    table, plan, again, wrong = await asyncio.gather(
        world.command("review", "list"),
        world.command("plan", "--json"),
        world.command(*resolve, "rejected"),
        world.command(*resolve, "lost"),
    )
    assert "nothing needs a person" in table.out
    assert (1, {}) == (plan.json["rounds"], plan.json["left_out"])
    assert (0, "") == (again.code, again.said), "the decision stands already"
    assert (2, True) == (wrong.code, "not resolved as 'lost'; known: cancelled" in wrong.err)
    (kept,) = await world.sql(
        "SELECT state, resolved_as, resolved_by, resolved_note, error_code, description FROM retention.cancellations"
    )
    assert ("resolved", "rejected", "tess", "a mistake of theirs", "99", "bet not found") == tuple(kept)
    world.vendor.faults = Faults()
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 1}) == (done.code, done.json["states"]), done.err
    (told,) = await world.sql("SELECT amount FROM retention.cancellations WHERE state = 'cancelled'")
    assert Decimal("1.50") == told.amount


async def test_explain_suggests_a_round_in_another_spelling(world: World) -> None:
    """`explain` suggests similar rounds: in another spelling, of another partner, open or only in the ledger."""
    upper = "6B8468C8-D098-72A7-50A6-4652A47A7B5E"
    await world.sql(
        "INSERT INTO public.rounds (partner, market, game, user_id, round_id, opened_at) VALUES"
        " ('acme', 'MT', 'g', 'u', 'Spin-17', now() - interval '5 d'), ('beta', 'MT', 'g', 'u', %(id)s, now())",
        id=upper,
    )
    spelt, foreign, partner, stranger = await asyncio.gather(
        world.command("explain", "--partner", "acme", "--round", "spin_17"),
        world.command("explain", "--partner", "acme", "--round", upper.lower().replace("-", "")),
        world.command("explain", "--partner", "Acme", "--round", "Spin-17"),
        world.command("explain", "--partner", "acme", "--round", "nothing-like-it", "--json"),
    )
    assert "never seen: " in spelt.out
    assert "did you mean --partner acme --round Spin-17?" in spelt.out
    assert f"did you mean --partner beta --round {upper}?" in foreign.out
    assert (2, True) == (partner.code, "did you mean acme?" in partner.err)
    assert (0, False, []) == (stranger.code, stranger.json["seen"], stranger.json["alike"])
