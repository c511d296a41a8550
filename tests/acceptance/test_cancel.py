"""`cancel`: named rounds are cancelled whatever their age, and nothing else is called."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from support import bare_database
from support.bare_database import as_role
from support.invariants import violations
from support.postgres import only_on_our_own
from support.samples import figures

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import Done, World

YOUNG = timedelta(minutes=5)

TWO_PARTNERS = """
[partners.other]
secure_login = "login-81b7d0"
api_url = "{url}"
token = "token-9d41c7b2e6"
rate = 2000
"""

DOUBLED = """
    ALTER VIEW retention.open_rounds RENAME TO good_rounds;
    CREATE VIEW retention.open_rounds AS
    SELECT * FROM retention.good_rounds UNION ALL SELECT * FROM retention.good_rounds WHERE round_id = 'bad2'
"""

TRACES = """
    SELECT count(*) FROM retention.runs UNION ALL SELECT count(*) FROM retention.cancellations
    UNION ALL SELECT count(*) FROM retention.evidence UNION ALL SELECT count(*) FROM retention.partner_state
"""

WHY = ("--evidence", "ticket 7", "--by", "ann")


async def cancel(world: World, *rounds: str, words: tuple[str, ...] = ()) -> Done:
    """Cancel rounds of acme by their names."""
    named = [word for one in rounds for word in ("--round", one)]
    return await world.command("cancel", "--partner", "acme", *named, *WHY, "--json", *words)


async def listed(world: World, content: bytes, *words: str) -> Done:
    """Cancel the rounds of a list."""
    path = world.folder / "rounds.csv"
    path.write_bytes(content)
    return await world.command("cancel", "--from-file", str(path), *WHY, "--json", *words)


def called(world: World) -> set[str]:
    """The rounds of which the vendor heard anything."""
    return {request.round_id for request in world.vendor.requests}


async def test_named_rounds_are_cancelled_whatever_their_age(world: World) -> None:
    """A young and an old round that are named are cancelled and closed, others of any age are not called; the run
    keeps trigger, person, reason and evidence, and no age.
    """
    await world.seed(3, prefix="young", age=YOUNG)
    await world.seed(2, prefix="old")
    done = await cancel(world, "young0", "old0", words=("--reason", "fraud case 12"))
    assert (0, {"cancelled": 2}, []) == (done.code, done.json["states"], done.json["refused"]), done.err
    assert {"young0", "old0"} == called(world)
    (run,) = await world.sql(
        "SELECT policy, trigger, mode, requested_by, reason, evidence, settings FROM retention.runs"
    )
    assert ("targeted", "targeted", "enforce", "ann", "fraud case 12", "ticket 7") == run[:6]
    assert {"rounds": 2, "despite_winnings": False} == run.settings["named"]
    assert (2, "review", ["acme"]) == tuple(run.settings[key] for key in ("max_rounds", "winnings", "partners"))
    assert not {"open_longer_than", "markets"} & {*run.settings}
    assert [] == await violations(world)


async def test_each_round_that_cannot_be_cancelled_is_refused_with_its_reason(world: World) -> None:
    """Beside two good rounds, each kind of bad one is named with its reason and never called: exit code 4."""
    await world.seed(1, prefix="gone")
    await world.seed(1, prefix="done")
    assert 0 == (await world.command("run")).code
    await world.sql("UPDATE public.rounds SET status = 0 WHERE round_id = 'done0'")  # the operator opens it again
    await world.seed(2, prefix="good", age=YOUNG)
    await world.seed(4, prefix="bad", age=YOUNG)
    await world.sql("UPDATE public.rounds SET user_id = repeat('u', 33) WHERE round_id = 'bad1'")
    await world.sql(DOUBLED)
    await world.command("hold", "add", "--round", "bad0", "--reason", "complaint", "--by", "tess")
    before = called(world)
    done = await cancel(
        world, "good0", "nobody", "gone0", "done0", "bad0", "bad1", "bad2", "bad3", "good1", "bad3", "bad3"
    )
    assert (4, {"cancelled": 2}) == (done.code, done.json["states"]), done.err
    found = {one["round_id"]: one["why"] for one in done.json["refused"]}
    assert {
        "bad3": "named_twice",
        "nobody": "unknown",
        "gone0": "cancelled",
        "done0": "cancelled",
        "bad0": "held",
        "bad1": "bad_user_id",
        "bad2": "doubled",
    } == found
    assert {"good0", "good1"} == called(world) - before
    words = {one["round_id"]: one["words"] for one in done.json["refused"]}
    (first,) = await world.sql("SELECT run_id FROM retention.runs WHERE trigger = 'on_demand'")
    assert f"cancelled already by run {first.run_id}" == words["done0"]
    (entry,) = await world.sql("SELECT body::json AS body FROM retention.evidence WHERE kind = 'refused'")
    assert ("ann", len(found)) == (entry.body["facts"]["by"], len(entry.body["facts"]["rounds"]))
    assert "user-" not in str(entry.body["facts"])


async def test_rounds_that_are_not_open_any_more_are_told_from_unknown_ones(world: World) -> None:
    """A round that the ledger knows and the view does not is not open any more; the others are unknown."""
    await world.seed(1)
    assert 0 == (await world.command("run", "--dry-run")).code
    await world.sql("UPDATE public.rounds SET status = 1")
    done = await cancel(world, "r0", "r1")
    assert [("r0", "not_open"), ("r1", "unknown")] == [(one["round_id"], one["why"]) for one in done.json["refused"]]


async def test_where_all_rounds_are_refused_nothing_is_written(world: World) -> None:
    """A demand without a good round ends with exit code 2, names each reason, and leaves no run and no evidence."""
    await world.seed(1)
    await world.command("hold", "add", "--partner", "acme", "--reason", "x", "--by", "tess")
    before = await world.sql(TRACES)
    done = await cancel(world, "r0", "nobody")
    assert (2, ["held", "unknown"]) == (done.code, [one["why"] for one in done.json["refused"]])
    assert (None, 2) == (done.json["run_id"], done.json["exit_code"])
    assert "error: nothing is cancelled: all 2 named rounds are refused" in done.err
    table = await world.command("cancel", "--partner", "acme", "--round", "nobody", *WHY)
    assert (2, "  refused: acme/nobody, unknown: neither") == (table.code, table.out[:40])
    assert before == await world.sql(TRACES)
    assert [] == world.vendor.requests


async def test_a_list_names_rounds_exactly_as_they_are(world: World) -> None:
    """Of a CSV with a byte order mark, CRLF, blank lines and quotes each id is taken as data: zeros, blanks, signs."""
    world.extra = TWO_PARTNERS.format(url=world.vendor.url)
    world.vendor.secure_login = None
    odd = ["007", " r 1 ", "a,b", 'say "no"', "\U0001f3b0", "=1+1", "7"]
    await world.seed(1, prefix="other", partner="other", age=YOUNG)
    await world.seed(len(odd), age=YOUNG, at_vendor=False)
    for number, name in enumerate(odd):
        await world.sql(
            "UPDATE public.rounds SET round_id = %(name)s, user_id = 'user-' || %(name)s, bet_tx = 'bet-' || %(name)s WHERE round_id = %(old)s",
            name=name,
            old=f"r{number}",
        )
    world.register(odd)
    rows = ["007", '" r 1 "', '"a,b"', '"say ""no"""', "\U0001f3b0", "=1+1"]
    text = "\ufeffpartner,round_id\r\n\r\n" + "".join(f"acme,{row}\r\n" for row in rows) + "other,other0\r\n\r\n"
    done = await listed(world, text.encode())
    assert (0, {"cancelled": 7}) == (done.code, done.json["states"]), done.err
    assert {*odd[:6], "other0"} == called(world)


async def test_a_list_comes_from_stdin(world: World) -> None:
    """With `-` the round ids are read from stdin, one a line, all of --partner."""
    await world.seed(3, age=YOUNG)
    path = world.folder / "ids"
    path.write_text("r0\nr2\n")
    done = await world.command(
        "cancel",
        "--from-file",
        "-",
        "--partner",
        "acme",
        *WHY,
        "--json",
        under=("sh", "-c", f'exec "$@" <{path}', "sh"),
    )
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err
    assert {"r0", "r2"} == called(world)


@pytest.mark.parametrize("rounds", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_thousands_of_rounds_from_a_list(world: World, rounds: int) -> None:
    """Thousands of listed rounds are cancelled, once each, and their neighbours are not called."""
    names = await world.seed(rounds + 50, age=YOUNG)
    done = await listed(world, "\n".join(names[:rounds]).encode(), "--partner", "acme")
    assert (0, {"cancelled": rounds}) == (done.code, done.json["states"]), done.err[-2000:]
    assert {*names[:rounds]} == called(world)
    assert [] == await violations(world)


async def test_a_targeted_run_takes_up_no_doubts(world: World) -> None:
    """A round in doubt from an earlier run is refused by name, and no doubt of any run is asked about; a policy's next
    run settles them.
    """
    await world.seed(2)
    world.partner |= {"status_probe": False, "max_attempts": 1}
    world.vendor.faults = Faults.of({"cut": "after"})
    assert 4 == (await world.command("run")).code
    world.vendor.faults = Faults.of()
    world.partner |= {"status_probe": True, "max_attempts": 5}
    await world.seed(1, prefix="good", age=YOUNG)
    heard = len(world.vendor.requests)
    done = await cancel(world, "r0", "good0")
    assert (4, {"cancelled": 1}) == (done.code, done.json["states"]), done.err
    assert [("r0", "in_doubt")] == [(one["round_id"], one["why"]) for one in done.json["refused"]]
    assert {"good0"} == {request.round_id for request in world.vendor.requests[heard:]}
    assert {"cancelled": 2} == (await world.command("run", "--json")).json["taken_up"]


async def test_a_round_that_another_run_has_in_hand_is_refused(world: World) -> None:
    """While another run has the round in its plan, a targeted run refuses it and names that run."""
    await world.seed(60)
    world.partner["rate"] = 20
    process = await world.start("run", "nightly", "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 0)
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    done = await cancel(world, "r59")
    assert (2, "live", str(run.run_id)) == (done.code, *(done.json["refused"][0][key] for key in ("why", "run_id")))
    assert {"cancelled": 60} == (await process.ended()).json["states"]


async def test_a_halted_runs_unsent_round_can_be_named(world: World) -> None:
    """A round that a halted run planned and never sent is cancelled by name, and that run does not send it any more."""
    await world.seed(3)
    world.policy["max_amount"] = {"EUR": "1"}
    assert 3 == (await world.command("run")).code
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    assert (0, {"cancelled": 1}) == ((done := await cancel(world, "r1")).code, done.json["states"]), done.err
    done = await world.command("run", "--resume", str(run.run_id), "--override", "it is right", "--by", "ann", "--json")
    assert {"cancelled": 2, "not_sent": 1} == done.json["states"], done.err
    assert [] == await violations(world)


async def test_winnings_are_cancelled_only_at_a_persons_word(world: World) -> None:
    """A named round that was won in is held for review; with --despite-winnings it is cancelled."""
    await world.seed(1, age=YOUNG)
    for one in world.vendor.rounds.values():
        one.winnings = Decimal("12.5")
    done = await cancel(world, "r0")
    assert (4, {"held": 1}, []) == (done.code, done.json["states"], world.cancels), done.err
    done = await cancel(world, "r0", words=("--despite-winnings",))
    assert (0, {"cancelled": 1}) == (done.code, done.json["states"]), done.err


async def test_a_named_round_that_changes_before_its_call_is_not_called(world: World) -> None:
    """A player who comes back, a hold and a closing between plan and call are seen, as in any run."""
    names = await world.seed(60, age=YOUNG)
    world.partner["rate"] = 20
    named = [word for one in names for word in ("--round", one)]
    process = await world.start("cancel", "--partner", "acme", *named, *WHY, "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 0)
    async with world.locked("retention.cancellations"):
        await world.sql("UPDATE public.rounds SET last_activity_at = now() WHERE round_id = 'r58'")
        await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r57'")
        added = await world.command("hold", "add", "--user", "user-r59", "--reason", "complaint", "--by", "tess")
        assert 0 == added.code
    done = await process.ended()
    assert {"cancelled": 57, "held": 1, "no_longer_open": 2} == done.json["states"], done.err
    assert not {"r57", "r58", "r59"} & called(world)
    assert [] == await violations(world)


async def test_the_jobs_login_names_rounds(world: World) -> None:
    """The login of the job, with the rights of roles.sql alone, plans, refuses, sends and settles named rounds."""
    only_on_our_own()
    await world.seed(2, age=YOUNG)
    bare_database.run(
        world.direct, bare_database.sample("roles"), "GRANT SELECT, UPDATE ON public.rounds TO retention_job"
    )
    world.dsn = as_role(world.dsn, "retention_job")
    done = await cancel(world, "r0", "r1", "r2")
    assert (4, {"cancelled": 2}, 1) == (done.code, done.json["states"], len(done.json["refused"])), done.err
    assert [] == await violations(world)


async def test_rails_of_the_targeted_policy_halt_and_are_passed(world: World) -> None:
    """Where [policies.targeted] is configured its max_rounds halts the run; an override sends the named rounds, and
    no others. Its age and markets do not matter.
    """
    await world.seed(4, age=YOUNG)
    world.policies["targeted"] = {"max_rounds": 2, "markets": ["SE"]}
    done = await cancel(world, "r0", "r1", "r2")
    assert (3, {"planned": 3}) == (done.code, done.json["states"]), done.err
    assert "max_rounds" in done.json["halt_reason"]
    assert [] == world.vendor.requests
    run = done.json["run_id"]
    done = await world.command("run", "--resume", run, "--override", "3 is right", "--by", "bob", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err
    assert {"r0", "r1", "r2"} == called(world)
    (row,) = await world.sql("SELECT overrides FROM retention.runs")
    assert ["max_rounds"] == [one["rail"] for one in row.overrides]


async def test_a_targeted_run_waits_for_the_approval_that_its_policy_requires(world: World) -> None:
    """With `requires_approval` in [policies.targeted] nothing is called until another person has approved the set; the
    one who named the rounds may not.
    """
    await world.seed(3, age=YOUNG)
    world.policies["targeted"] = {"requires_approval": True}
    done = await cancel(world, "r0", "r1", "r9")
    assert (6, {"planned": 2}, ["r9"]) == (
        done.code,
        done.json["states"],
        [one["round_id"] for one in done.json["refused"]],
    ), done.err
    run = done.json["run_id"]
    assert 6 == (await world.command("run", "--resume", run)).code
    assert 2 == (await world.command("approve", run, "--by", " ANN ")).code
    assert 0 == (await world.command("approve", run, "--by", "bob")).code
    assert [] == world.vendor.requests
    done = await world.command("run", "--resume", run, "--json")
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err
    assert {"r0", "r1"} == called(world)
    (reported, _) = (await world.command("report", "--json")).json["rounds"]
    assert ("ann", "bob", "ticket 7") == tuple(reported[key] for key in ("requested_by", "approved_by", "evidence"))


async def test_a_targeted_run_resumes_without_a_configured_policy(world: World) -> None:
    """A paused targeted run goes on after `resume`, and no policy that is not configured counts as stricter. Its
    metrics have the rounds, and promise no nightly success.
    """
    await world.seed(2, age=YOUNG)
    await world.command("pause", "--by", "tess", "--reason", "incident")
    done = await cancel(world, "r0", "r1")
    assert (3, {"planned": 2}) == (done.code, done.json["states"]), done.err
    await world.command("resume", "--by", "tess")
    path = world.folder / "retention.prom"
    words = ("--json", "--metrics-file", str(path))
    assert 0 == (await world.command("run", "nightly", *words)).code
    done = await world.command("run", "--resume", done.json["run_id"], *words)
    assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err
    assert [([],)] == await world.sql("SELECT overrides FROM retention.runs WHERE trigger = 'targeted'")
    found = figures(path.read_text("utf-8"))
    assert 2 == found['retention_rounds_total{market="MT",outcome="cancelled",partner="acme",policy="targeted"}']
    last = {name for name in found if name.startswith("retention_run_last")}
    assert {'retention_run_last_exit_code{policy="nightly"}'} < last
    assert [] == [name for name in last if "targeted" in name]


async def test_reports_and_lists_show_who_named_the_round_and_why(world: World) -> None:
    """`report`, `explain`, `runs list` and `runs show` have trigger, person, reason and evidence; before that, `explain`
    names the command for a young round.
    """
    await world.seed(1, age=YOUNG)
    young = await world.command("explain", "--partner", "acme", "--round", "r0")
    assert "`retention cancel --partner acme --round r0 --evidence REF --by WHO`" in young.out
    done = await cancel(world, "r0", words=("--reason", "fraud"))
    (reported,) = (await world.command("report", "--json")).json["rounds"]
    keys = ("policy", "trigger", "requested_by", "reason", "evidence")
    expected = ("targeted", "targeted", "ann", "fraud", "ticket 7")
    assert expected == tuple(reported[key] for key in keys)
    shown = (await world.command("runs", "show", done.json["run_id"], "--json")).json
    assert expected == tuple(shown[key] for key in keys)
    assert "targeted" == (await world.command("runs", "list", "--json")).json[0]["trigger"]
    explained = await world.command("explain", "--partner", "acme", "--round", "r0")
    assert "targeted by ann, fraud, evidence ticket 7" in explained.out
    assert "retention cancel" not in explained.out
