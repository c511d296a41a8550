"""Operators' databases of several shapes, each with rounds of known fates, for the proposals of `db sample --table`."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).with_name("shapes")


class Stale(NamedTuple):
    """A stale round as the vendor knows it."""

    user_id: str
    market: str
    currency: str
    stake: Decimal


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema in shapes/NAME.sql with its table of rounds.

    `decisions`: each text of the proposal that a person replaces, and the text that replaces it, as `sed` would in all
    files. `asked`: the decisions by file. `closed`: the ids of the rounds that are cancelled now, as the vendor has them.
    """

    name: str
    table: str
    stale: Mapping[str, Stale]
    closed: str
    decisions: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)

    def script(self, filler: int) -> str:
        """The schema, with so many rounds that are over."""
        return (FOLDER / f"{self.name}.sql").read_text("utf-8").replace(":filler", str(filler))


def _uuid(text: str) -> str:
    plain = md5(text.encode(), usedforsecurity=False).hexdigest()
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


SHAPES = [
    Shape(
        "several_bets",
        "casino.rounds",
        {
            "1000001": Stale("1", "GB", "EUR", Decimal("4.00")),
            "1000002": Stale("2", "MT", "JPY", Decimal(500)),
            "1000003": Stale("3", "GB", "KWD", Decimal("1.235")),
            "1000005": Stale("4", "MT", "EUR", Decimal(1)),
        },
        "SELECT id::text FROM casino.rounds WHERE status = 'Cancelled' AND lock_version = 1 AND settled_at > now() - interval '1 day'",
    ),
    Shape(
        "uuids",
        "public.game_rounds",
        {_uuid(f"open{i}"): Stale(_uuid("u2").replace("-", ""), "MT", "SEK", Decimal(i)) for i in (1, 2)},
        "SELECT id::text FROM game_rounds WHERE state = 'cancelled' AND ended_at > now() - interval '1 day'",
        asked={"open_rounds.sql": "user_id, open"},
    ),
    Shape(
        "sessions",
        "plays",
        {f"{i}-1000001": Stale(f"ref{i}", "MT", "EUR", Decimal(i)) for i in (1, 2, 3)},
        "SELECT session_id || '-' || round_no FROM plays WHERE state = 9 AND finished_at > now() AT TIME ZONE 'UTC' - interval '1 day'",
        {'"? market"': "'MT'::text", '"? cancelled state"': "9"},
        {"open_rounds.sql": "market, round_id, opened_at, open", "close_rounds.sql": "cancelled"},
    ),
    Shape(
        "partitions",
        "gaming.game_rounds",
        {f"open-{i}": Stale(f"vp-{i}", "MT" if i % 2 == 0 else "GB", "EUR", i + Decimal("0.25")) for i in (1, 2, 3)},
        "SELECT external_round_id FROM gaming.game_rounds WHERE status_id = 3 AND id > 1000000",
    ),
    Shape(
        "quoted",
        "Casino.Game Rounds",
        {f"o.{i}": Stale(f"u{i}", "SE", "SEK", i + Decimal("0.1")) for i in (1, 2)},
        """SELECT "roundId" FROM "Casino"."Game Rounds" WHERE finished AND "endTime" > now() - interval '1 day'""",
    ),
    Shape(
        "no_state",
        "hands",
        {f"open{i}": Stale(f"{i}", "MT", "EUR", Decimal("12345.67")) for i in (1, 2)},
        "SELECT hand_id FROM hands WHERE closed_at > now() - interval '1 day'",
    ),
]
