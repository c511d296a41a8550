"""Names on the command line: an unknown one is refused with the known ones, and a hold says how much it matches."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg.conninfo import make_conninfo
from support import bare_database
from support.bare_database import as_role
from support.postgres import only_on_our_own

if TYPE_CHECKING:
    from support.world import Done, World

NOBODY = "00000000-0000-4000-8000-000000000000"
USER = "3f2b8c1e-9a4d-4e6f-8b7a-0c1d2e3f4a5b"

PARTNER = """
[partners.Acme]
secure_login = "login-81b7d0"
api_url = "{url}"
token = "token-2f8e1c"
rate = 20
"""

MATCHES_NONE = "warning: the hold matches no round that is open now"


async def hold(world: World, *words: str) -> Done:
    """Add a hold, with a reason and a name."""
    return await world.command("hold", "add", *words, "--reason", "complaint 7", "--by", "tess")


async def seed(world: World) -> None:
    """Open rounds in three markets, of two games, one of them of a user with a UUID."""
    await world.seed(12, prefix="mt")
    await world.seed(3, prefix="gb", market="GB")
    await world.seed(1, prefix="se", market="SE", age=timedelta(minutes=1))
    await world.sql("UPDATE public.rounds SET user_id = %(user)s WHERE round_id IN ('mt0', 'gb0')", user=USER)
    await world.sql("UPDATE public.rounds SET game = 'Roulette-7' WHERE round_id = 'mt1'")


async def untouched(world: World) -> None:
    """Nothing was written or called."""
    assert [] == world.vendor.requests
    assert [] == await world.sql(
        "SELECT run_id::text FROM retention.runs UNION ALL SELECT hold_id::text FROM retention.holds"
        " UNION ALL SELECT pause_id::text FROM retention.pauses"
    )


async def test_a_hold_says_how_many_open_rounds_it_matches(world: World) -> None:
    """All fields count together, young rounds too; the requester is recorded without surrounding blanks."""
    await seed(world)
    cases = {
        ("--market", "MT"): "12 open rounds",
        ("--market", "SE"): "1 open round",
        ("--partner", "acme"): "16 open rounds",
        ("--user", USER): "2 open rounds",
        ("--user", USER, "--market", "GB"): "1 open round",
        ("--game", "Roulette-7", "--round", "mt1", "--partner", "acme"): "1 open round",
    }
    for number, (words, rounds) in enumerate(cases.items(), 1):
        done = await world.command(
            "hold", "add", *words, "--reason", " complaint  7 ", "--by", " tess of\u00a0ops\u200b"
        )
        assert (0, f"hold {number} stands; it matches {rounds} now\n", "") == (done.code, done.out, done.said)
    rows = await world.sql("SELECT DISTINCT created_by, reason FROM retention.holds")
    assert [("tess of\u00a0ops", " complaint  7 ")] == rows


HOLDS_NOTHING: list[tuple[tuple[str, ...], str]] = [
    *[
        (("--user", spelling), f"is known in another spelling: did you mean {USER}?")
        for spelling in (USER.upper(), f"{{{USER}}}", USER.replace("-", ""), f"urn:uuid:{USER}", f" {USER}")
    ],
    (("--round", "MT1"), "round_id MT1 is known in another spelling: did you mean mt1?"),
    (("--round", "mt-1", "--partner", "acme"), "did you mean mt1?"),
    (("--user", "nobody-yet"), ""),
    (("--round", "tomorrow", "--market", "MT"), ""),
    # The configuration knows it; the view has no such round now.
    (("--market", "gb"), "market gb has never been seen; known: GB, MT, SE; did you mean GB?"),
    (("--market", "DK"), "market DK has never been seen; known: GB, MT, SE"),
    (("--game", "roulette 7"), "known: Roulette-7, game; did you mean Roulette-7?"),
    (("--partner", "Acme"), "partner Acme has never been seen; known: acme; did you mean acme?"),
    # Each is there, but no round has both.
    (("--market", "GB", "--game", "Roulette-7"), ""),
]


async def test_a_hold_without_a_match_stands_and_warns(world: World) -> None:
    """A hold may be set ahead of time, so it stands; the warning names the lack of a match and the known spelling."""
    await seed(world)
    world.policy["exclude_markets"] = ["gb", "DK"]
    world.policies["other"] = {"games": ["roulette 7"]}
    world.extra = PARTNER.format(url=world.vendor.url)
    for number, (words, fragment) in enumerate(HOLDS_NOTHING, 1):
        done = await hold(world, *words)
        assert (0, f"hold {number} stands; it matches 0 open rounds now\n") == (done.code, done.out), done.err
        assert done.err.startswith(MATCHES_NONE)
        assert fragment in done.err
        assert "" != fragment or done.said == f"{MATCHES_NONE}\n"


REFUSED: list[tuple[tuple[str, ...], list[str]]] = [
    (("hold", "add", "--market", "mt"), ["--market mt: ", "known: GB, MT, SE; did you mean MT?"]),
    (("hold", "add", "--market", "M T", "--user", USER), ["--market M T: ", "did you mean MT?"]),
    (("hold", "add", "--game", "ROULETTE-7"), ["--game ROULETTE-7: ", "known: Roulette-7, game", "mean Roulette-7?"]),
    (("hold", "add", "--partner", "ACME"), ["--partner ACME: not in the configuration, which has acme", "mean acme?"]),
    (("hold", "add", "--partner", "acme ", "--market", "MT"), ["--partner acme ", "did you mean acme?"]),
    (("pause", "--partner", "ACME"), ["--partner ACME: not in the configuration, which has acme"]),
    (("resume", "--partner", "ACME"), ["--partner ACME: not in the configuration, which has acme"]),
    (("plan", "--market", "mt"), ["--market mt: ", "did you mean MT?"]),
    (("plan", "--market", "MT", "--market", "gb"), ["--market gb: ", "did you mean GB?"]),
    (("run", "--market", "mt"), ["--market mt: ", "known: GB, MT, SE; did you mean MT?"]),
    (("run", "--dry-run", "--market", "ZZ"), ["--market ZZ: ", "known: GB, MT, SE\n"]),
    (("plan", "Nightly"), ["there is no policy 'Nightly'; known: nightly; did you mean nightly?"]),
    (("report", "--market", "mt"), ["--market mt: ", "did you mean MT?"]),
    (("report", "--policy", "nigtly"), ["--policy nigtly: ", "known: nightly; did you mean nightly?"]),
    (("report", "--run", NOBODY), [f"there is no run {NOBODY}; `retention runs list`"]),
    (("report", "--all", "--market", "mt", "-o", "report.csv"), ["--market mt: "]),
    (("explain", "--partner", "ACME", "--round", "mt1"), ["--partner ACME: ", "known: acme; did you mean acme?"]),
    (("runs", "close", NOBODY, "--note", "x"), [f"there is no run {NOBODY}; `retention runs list`"]),
]

NEEDS = {"hold": ("--reason", "x", "--by", "tess"), "pause": ("--reason", "x", "--by", "tess")} | dict.fromkeys(
    ("resume", "runs"), ("--by", "tess")
)


async def test_unknown_names_are_refused_with_the_known_ones(world: World) -> None:
    """An unknown name ends with 2 and one line that lists the known ones and the closest; no call and no write is
    made.
    """
    await seed(world)
    turn = asyncio.Semaphore(4)

    async def ask(words: tuple[str, ...]) -> Done:
        async with turn:
            return await world.command(*words, *NEEDS.get(words[0], ()))

    told = await asyncio.gather(*(ask(words) for words, _ in REFUSED))
    for (words, fragments), done in zip(REFUSED, told, strict=True):
        assert (2, "", 1) == (done.code, done.out, done.err.count("\n")), (words, done)
        assert [] == [fragment for fragment in fragments if fragment not in done.err], done.err
    await untouched(world)
    assert ["retention.toml"] == [path.name for path in world.folder.iterdir()]


async def test_bad_arguments_are_refused_before_connecting(world: World) -> None:
    """Unknown partners and policies, bad times, ages and outcomes are exit 2 though the database is away."""
    world.dsn = make_conninfo(world.dsn, host="127.0.0.1", port=1)
    world.policy["markets"] = ["MT"]
    by = ("--reason", "x", "--by", "tess")
    cases: list[tuple[str, ...]] = [
        ("plan", "nigtly"),
        ("run", "nigtly"),
        ("plan", "--market", "mt"),
        ("run", "--older-than", "soon"),
        ("run", "--older-than", "1h"),
        ("hold", "add", "--partner", "ACME", *by),
        ("hold", "add", "--market", "MT", "--until", "soon", *by),
        ("hold", "add", *by),
        ("pause", "--partner", "ACME", *by),
        ("report", "--from", "yesterday"),
        ("report", "--from", "2026-02-01", "--to", "2026-01-31"),
        ("review", "resolve", "1", "--as", "cancelld", "--by", "tess", "--note", "x"),
    ]
    done = await asyncio.gather(*(world.command(*words) for words in cases))
    assert dict.fromkeys(cases, 2) == {words: one.code for words, one in zip(cases, done, strict=True)}
    away = await hold(world, "--market", "MT")
    assert 5 == away.code


@pytest.mark.long
async def test_a_name_known_to_view_ledger_or_configuration_is_accepted(world: World) -> None:
    """Open rounds, the ledger or the configuration: each makes a market, a policy or a partner known by itself."""
    await world.seed(12, prefix="mt")
    await world.seed(3, prefix="gb", market="GB")
    world.policy["exclude_markets"] = ["GB", "DK"]
    assert 0 == (await world.command("run")).code
    # The market is in the ledger alone now, its policy and partner have left the configuration.
    await world.sql("UPDATE public.rounds SET status = 1 WHERE market <> 'GB'")
    await world.sql("UPDATE retention.cancellations SET partner = 'old' WHERE round_id = 'mt0'")
    await world.sql("UPDATE retention.runs SET policy = 'weekly'")
    cases: list[tuple[tuple[str, ...], str]] = [
        (("report", "--market", "MT", "--policy", "weekly"), "12 "),
        (("report", "--market", "GB"), "no rounds were cancelled"),
        (("report", "--market", "DK", "--policy", "nightly"), "no rounds were cancelled"),
        (("explain", "--partner", "old", "--round", "mt0"), "cancelled"),
    ]
    for words, fragment in cases:
        done = await world.command(*words)
        assert (0, "") == (done.code, done.err)
        assert fragment in done.out
    refused = await hold(world, "--partner", "old")
    assert (2, True) == (refused.code, "which has acme" in refused.err)


async def test_a_pause_outlives_its_partner_s_configuration(world: World) -> None:
    """A partner that has left the configuration cannot be paused, but its pause can be ended, once."""
    await world.sql("INSERT INTO retention.pauses (partner, reason, paused_by) VALUES ('old', 'x', 'ann')")
    paused = await world.command("pause", "--partner", "old", "--by", "tess", "--reason", "x")
    assert (2, True) == (paused.code, "--partner old: not in the configuration, which has acme" in paused.err)
    first = await world.command("resume", "--partner", "old", "--by", " tess ")
    assert (0, "resumed: old\n") == (first.code, first.out)
    assert [("tess",)] == await world.sql("SELECT resumed_by FROM retention.pauses")
    again = await world.command("resume", "--partner", "old", "--by", "tess")
    assert (2, True) == (again.code, "--partner old: not in the configuration, which has acme" in again.err)


@pytest.mark.long
async def test_a_database_that_does_not_tell_soon_holds_up_no_hold(world: World) -> None:
    """Where the operator's table is locked, a hold stands all the same, and says which facts it could not read."""
    await seed(world)
    async with world.locked("public.rounds"):
        user, market = await asyncio.gather(hold(world, "--user", USER), hold(world, "--market", "mt"))
    not_found_out = "was not found out within 5 seconds\n"
    assert (0, 0) == (user.code, market.code), (user.err, market.err)
    assert f"warning: how many open rounds the hold matches {not_found_out}" in user.err
    assert user.out.startswith("hold ")
    assert f"warning: --market mt: whether there is such a market {not_found_out}" in market.err
    assert 2 == len(await world.sql("SELECT FROM retention.holds"))


BROKEN: LiteralString = """
CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake / 0 AS stake,
       bet_tx AS bet_transaction_id
FROM public.rounds WHERE status = 0 / length(replace(user_id, user_id, ''))
"""


async def test_a_view_that_raises_holds_up_no_hold(world: World) -> None:
    """A view that fails cannot tell the known or matched names; a hold stands all the same."""
    await seed(world)
    await world.sql(BROKEN)
    done = await hold(world, "--market", "MT")
    assert (0, "hold 1 stands\n") == (done.code, done.out), done.err
    why = "not found out: retention.open_rounds cannot be read: division by zero\n"
    assert (2, 2) == (done.err.count("warning: "), done.err.count(why)), done.err
    assert "seconds" not in done.err


@pytest.mark.long
@pytest.mark.parametrize("role", ["retention_job", "retention_report"])
async def test_the_restricted_roles_are_told_as_well(world: World, role: str) -> None:
    """Names known by the ledger, the configuration and the open rounds are suggested."""
    only_on_our_own()
    await world.seed(12, prefix="mt")
    await world.seed(3, prefix="gb", market="GB")
    world.policy["exclude_markets"] = ["GB", "SE"]
    assert 0 == (await world.command("run")).code
    bare_database.run(world.direct, bare_database.sample("roles"))
    world.dsn = as_role(world.dsn, role)
    done = await world.command("report", "--market", "MT", "--format", "csv")
    assert (0, 13, "") == (done.code, done.out.count("\r\n"), done.err)
    done = await world.command("report", "--market", "mt")
    assert (2, "") == (done.code, done.out)
    assert "known: GB, MT, SE; did you mean MT?" in done.err
    done = await world.command("report", "--policy", "nigtly")
    assert (2, True) == (done.code, "known: nightly; did you mean nightly?" in done.err)
    if role == "retention_job":
        done = await hold(world, "--market", "GB")
        assert "hold 1 stands; it matches 3 open rounds now\n" == done.out
        done = await hold(world, "--user", "USER-GB0", "--market", "GB")
        assert "did you mean user-gb0?" in done.err
