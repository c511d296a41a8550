"""`report --kind refunds` beside `reconcile`, end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.world import World

WALLET = """
CREATE TABLE public.refunds (partner text, round_id text, currency text, amount numeric, refunded_at timestamptz);
CREATE VIEW retention.wallet_refunds AS SELECT * FROM public.refunds;
INSERT INTO public.refunds SELECT partner, round_id, currency, stake, now() FROM public.rounds WHERE status = 2;
INSERT INTO public.refunds SELECT * FROM public.refunds WHERE round_id = 'twice0';
UPDATE public.refunds SET amount = amount + 0.000000000000000001 WHERE round_id = 'differs0';
DELETE FROM public.refunds WHERE round_id = 'missing0';
"""

REPORT = ("report", "--kind", "refunds")


async def test_refunds_are_reported_as_they_are_reconciled(world: World) -> None:
    """Verdicts are the findings of `reconcile`, `refund_within` makes a missing refund an awaited one, and the table
    shows both sums.
    """
    for prefix in ("seen", "twice", "differs", "missing"):
        await world.seed(1, prefix=prefix)
    assert 0 == (await world.command("run")).code
    unknown = await world.command(*REPORT, "--json")
    assert (0, {"unknown"}) == (unknown.code, {one["verdict"] for one in unknown.json["rounds"]}), unknown.err
    await world.sql(WALLET)
    reconciled, done = await world.command("reconcile", "--json"), await world.command(*REPORT, "--json")

    verdicts = {one["round_id"]: one["verdict"] for one in done.json["rounds"]}
    assert {name: name.removesuffix("0") for name in ("seen0", "twice0", "differs0", "missing0")} == verdicts
    found = {(one["round_id"], one["kind"].removeprefix("refund_")) for one in reconciled.json["findings"]}
    assert {(name, verdict) for name, verdict in verdicts.items() if verdict != "seen"} == found
    (total,) = done.json["totals"]
    assert ("6", "6.000000000000000001", "0.000000000000000001") == tuple(
        total[name] for name in ("amount", "seen_amount", "difference")
    )
    table = await world.command(*REPORT)
    assert "6.000000000000000001" in table.out
    assert {"verdict", "missing", "twice", "differs"} <= {*table.out.split()}

    world.partner["refund_within"] = "1h"
    awaited = await world.command(*REPORT, "--json")
    assert "awaited" == {one["round_id"]: one["verdict"] for one in awaited.json["rounds"]}["missing0"]
    assert (1, 0) == tuple(awaited.json["totals"][0][name] for name in ("awaited", "missing"))


async def test_pseudonyms_are_shown_where_asked(world: World) -> None:
    """With `--pseudonymise` no user's id is in any report, and both kinds give a user the same pseudonym."""
    await world.seed(1, prefix="a")
    assert 0 == (await world.command("run")).code
    plain = (await world.command("report", "--json")).json["rounds"][0]["user_id"]
    shown = set()
    for kind in ("cancelled", "refunds"):
        done = await world.command("report", "--kind", kind, "--pseudonymise", "--json")
        assert f'"{plain}"' not in done.out
        shown.add(done.json["rounds"][0]["user_id"])
    (pseudonym,) = shown
    assert pseudonym.startswith("pseudonym:")
