"""The proposal for a table, from facts: an expression for each column, and a question only where a person decides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.operator_facts import (
    BETS,
    NAMES,
    PLAYERS,
    TABLE,
    beside,
    column,
    facts,
    line,
    proposal,
    relation,
)

from retention.core.operator_tables.facts import Column, Facts, ForeignKey, Index, Partition, Values
from retention.core.operator_tables.ids import JournalError


def test_a_table_that_tells_everything_leaves_nothing_to_decide() -> None:
    """Where each column has one candidate that fits, no file has a question mark or a placeholder."""
    made = proposal(facts())
    assert ({}, 0) == (made.decisions, made.stops)
    proposed = "".join(made.files[name] for name in ("close_rounds.sql", "indexes.sql", "roles.sql", "all.sql"))
    assert "? " not in proposed
    assert ["open_rounds.sql", "close_rounds.sql", "indexes.sql", "roles.sql", "all.sql"] == [*made.files]


@pytest.mark.parametrize(
    ("changed", "name", "expected"),
    [
        (column("vendor_user_id", "uuid", longest=36), "user_id", "replace(r.vendor_user_id::text, '-', '')"),
        (column("market", "text", "Malta", "Sweden"), "market", "r.market"),
        (column("opened_at", "timestamp without time zone"), "opened_at", "r.opened_at AT TIME ZONE 'UTC'"),
        (column("stake", "money"), "stake", "r.stake::numeric"),
        (column("stake", "real"), "stake", "r.stake::text::numeric"),
        (column("stake", "double precision"), "stake", "r.stake::numeric"),
        (column("currency", "text", "eur", "SEK"), "currency", "upper(r.currency)"),
        (column("last_bet_at", "timestamp with time zone"), "last_activity_at", "r.last_bet_at"),
        (column("game_id", "bigint"), "game_id", "r.game_id::text"),
        (column("game_id", "uuid", longest=36), "game_id", "NULL::text"),
        (column("bet_tx_id", "bigint"), "bet_transaction_id", "r.bet_tx_id::text"),
    ],
)
def test_a_column_of_another_kind_is_turned_into_the_view_s(changed: Column, name: str, expected: str) -> None:
    """Each type has its expression."""
    assert expected == line(proposal(facts(changed)), name)


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        (column("vendor_user_id", "uuid", longest=36), ("user_id",)),
        (column("vendor_user_id", "text", longest=33), ("user_id",)),
        (column("opened_at", "timestamp without time zone"), ("opened_at",)),
        (column("game_id", "uuid", longest=36), ("game_id",)),
        (column("stake", "integer"), ("stake",)),
        (column("stake", "bigint"), ("stake",)),
        (column("state", "text", "open", "limbo", "cancelled"), ("open",)),
        (column("state", "text", "pending", "done", "cancelled"), ("open",)),
        (column("round_id", "text", longest=40), ("round_id",)),
        (column("stake", "numeric"), ()),
        (column("currency", "text", "eur"), ()),
    ],
)
def test_a_person_is_asked_only_what_the_facts_leave_open(changed: Column, asked: tuple[str, ...]) -> None:
    """A question stands exactly at the columns that the facts do not decide, and the proposal runs nevertheless."""
    made = proposal(facts(changed))
    assert asked == made.decisions.get("open_rounds.sql", ())
    assert 0 == made.stops


@pytest.mark.parametrize(
    ("lacking", "asked"),
    [("market", "market"), ("vendor_user_id", "user_id"), ("opened_at", "opened_at"), ("state", "open")],
)
def test_a_thing_that_nothing_tells_is_a_placeholder_at_which_psql_stops(lacking: str, asked: str) -> None:
    """An essential column without a candidate is never guessed: its name is one that no table has."""
    made = proposal(facts(without=[lacking]))
    assert asked in made.decisions["open_rounds.sql"]
    assert made.stops >= 1
    assert f'"? {asked}"' in made.files["open_rounds.sql"]


@pytest.mark.parametrize(
    ("state", "condition", "cancelled"),
    [
        (column("state", "text", "open", "completed", "cancelled"), "r.state = 'open'", "state = 'cancelled'"),
        (column("state", "text", "Open", "OPEN", "void"), "lower(r.state) = 'open'", "state = 'void'"),
        (column("state", "text", "open", "SETTLED", "VOID"), "lower(r.state) = 'open'", "state = 'VOID'"),
        (column("state", "text", "OPEN", "CLOSED", "CANCELED"), "r.state = 'OPEN'", "state = 'CANCELED'"),
        (
            column("state", "text", "open", "in_progress", "cancelled"),
            "r.state IN ('open', 'in_progress')",
            "state = 'cancelled'",
        ),
        (
            column("state", "smallint", "0", "1", "2", comment="0 = open, 1 = completed, 2 = cancelled"),
            "r.state = 0",
            "state = 2",
        ),
        (column("state", "boolean", "true"), "NOT r.finished", "finished = true"),
        (column("state", "text", "it's open", "open", "cancelled"), "r.state = 'open'", "state = 'cancelled'"),
    ],
)
def test_the_open_state_is_found_by_its_word(state: Column, condition: str, cancelled: str) -> None:
    """Text in any case, numbers with a comment and booleans: one condition, in all files to the letter."""
    if state.type == "boolean":
        state = replace(state, name="finished", sql="finished")
    made = proposal(facts(state, without=["state"]))
    assert f"WHERE {condition}" in made.files["open_rounds.sql"]
    assert f"AND {condition}\n" in made.files["close_rounds.sql"]
    assert f"WHERE {condition.replace('r.', '')};" in made.files["indexes.sql"]
    assert cancelled in made.files["close_rounds.sql"]


def test_numbers_without_names_stop_until_a_person_says_which_is_open() -> None:
    """A bare number is proposed only where its rows alone have no end, and then with a question."""
    state = column("state", "smallint", "0", "1")
    made = proposal(facts(state))
    assert 'WHERE r.state = "? open state";' in made.files["open_rounds.sql"]
    assert 2 == made.stops
    known = {("state", "ended_at"): {("0", True): 7, ("1", False): 9}}
    made = proposal(facts(state, column("ended_at", "timestamp with time zone"), open_beside=known))
    assert "WHERE r.state = 0;" in made.files["open_rounds.sql"]
    assert ("open",) == made.decisions["open_rounds.sql"]


def test_a_round_without_a_state_is_open_until_its_end() -> None:
    """Without a state the time of the end tells, and closing sets it."""
    made = proposal(facts(column("closed_at", "timestamp without time zone", "x", nulls=5), without=["state"]))
    assert "WHERE r.closed_at IS NULL;" in made.files["open_rounds.sql"]
    assert "closed_at = c.cancelled_at AT TIME ZONE 'UTC'" in made.files["close_rounds.sql"]


@pytest.mark.parametrize("values", [("RUNNING", "SETTLED", "VOID"), ("placed", "finished")], ids=" ".join)
def test_a_state_is_known_by_its_values_under_any_name(values: tuple[str, ...]) -> None:
    """A column whose values mean open and over tells the state, whatever its name, also beside an end that tells less."""
    ended = column("ended", "timestamp without time zone", "x", nulls=5)
    made = proposal(facts(column("st", "text", *values), ended, without=["state"]))
    assert f"WHERE r.st = '{values[0]}';" in made.files["open_rounds.sql"]


def test_an_end_that_no_row_has_tells_nothing() -> None:
    """Where no row of the sample has an end, a person says which rounds are open: not all of them are."""
    made = proposal(facts(column("closed_at", "timestamp without time zone", nulls=100), without=["state"]))
    assert 'WHERE "? open";' in made.files["open_rounds.sql"]
    assert ("open",) == made.decisions["open_rounds.sql"]
    assert "not one of the 100 rows of the sample has it" in " ".join(
        made.files["open_rounds.sql"].replace("--", "").split()
    )


def test_rows_that_are_deleted_softly_stay_out_of_view_function_and_indexes() -> None:
    """Each file has the condition."""
    made = proposal(facts(column("deleted_at", "timestamp with time zone"), column("is_deleted", "boolean")))
    for file in ("open_rounds.sql", "close_rounds.sql"):
        assert "AND r.deleted_at IS NULL" in made.files[file]
        assert "AND r.is_deleted IS NOT TRUE" in made.files[file]
    assert "deleted_at IS NULL AND is_deleted IS NOT TRUE;" in made.files["indexes.sql"]


def with_bets(*changed: Column) -> Facts:
    """The plain table without a stake, and a table of bets that refers to it."""
    base = facts(without=["stake", "currency"])
    columns = {
        one.name: one
        for one in (
            column("id", "bigint"),
            column("round_id"),
            column("amount_minor", "integer"),
            column("currency", "text", "EUR", "JPY"),
            *changed,
        )
    }
    key = ForeignKey(BETS, ("round_id",), TABLE, ("round_id",))
    return beside(base, relation(BETS, "bets", [*columns.values()]), foreign_keys=[key])


def test_several_bets_are_summed_beside_the_round_and_double_none() -> None:
    """The sum stands in a lateral subquery with one row, in units by ISO 4217, and each CASE has its ELSE."""
    made = proposal(with_bets())
    view = made.files["open_rounds.sql"]
    assert "LEFT JOIN LATERAL (" in view
    assert "sum(b.amount_minor::numeric)" in view
    assert "WHERE b.round_id = r.round_id" in view
    assert "'XPF') THEN 1\n" in view
    assert "'KWD', 'LYD', 'OMR', 'TND') THEN 1000\n" in view
    assert "ELSE 100\n" in view
    assert view.count("CASE") == view.count("ELSE")
    assert "bets_by_round ON casino.bets (round_id)" in made.files["indexes.sql"]
    assert {} == made.decisions


@pytest.mark.parametrize(
    ("kind", "expected", "asked"),
    [
        (column("kind", "text", "bet", "win", "refund"), "AND b.kind IN ('bet')", False),
        (column("kind", "text", "bet", "zap"), "AND b.kind IN ('bet')", True),
        (column("kind", "text", "zap"), 'AND b.kind = "? kind"', True),
        (column("status", "text", "placed", "voided"), "(b.status IN ('voided')) IS NOT TRUE", False),
    ],
)
def test_winnings_and_void_bets_are_no_stake(kind: Column, expected: str, asked: bool) -> None:
    """Only bets that stand are summed; a kind that nobody knows is asked about."""
    made = proposal(with_bets(kind))
    assert expected in made.files["open_rounds.sql"]
    assert asked == ("bets" in made.decisions.get("open_rounds.sql", ()))


def test_a_join_that_only_names_suggest_is_asked_about() -> None:
    """Without a foreign key the join stands with a question, for players as for bets."""
    base = facts(column("player_id", "bigint"), without=["market", "vendor_user_id"])
    players = relation(PLAYERS, "players", [column("id", "bigint"), column("market", "text", "MT", "SE")])
    key = ForeignKey(TABLE, ("player_id",), PLAYERS, ("id",), guessed=True)
    made = proposal(beside(base, players, foreign_keys=[key]))
    assert {"open_rounds.sql": ("join",)} == made.decisions
    assert "no foreign key says that p.id = r.player_id" in made.files["open_rounds.sql"]
    bets = with_bets()
    made = proposal(replace(bets, foreign_keys=[replace(bets.foreign_keys[0], guessed=True)]))
    assert {"open_rounds.sql": ("bets",)} == made.decisions


@pytest.mark.parametrize(
    ("beside_state", "checks", "expected"),
    [
        ({}, (), True),
        ({}, ("CHECK (((state = 'settled'::text) = (settled_at IS NOT NULL)))",), False),
        ({("cancelled", True): 5}, (), False),
        ({("cancelled", False): 5}, ("CHECK ((settled_at > opened_at))",), True),
    ],
)
def test_closing_sets_the_end_s_time_as_cancelled_rounds_have_it(
    beside_state: dict[tuple[str, bool], int], checks: tuple[str, ...], expected: bool
) -> None:
    """The sample's cancelled rounds decide; without any, a CHECK that speaks of the column keeps it out."""
    base = facts(column("settled_at", "timestamp with time zone"), open_beside={("state", "settled_at"): beside_state})
    table = replace(base.table, checks=checks)
    text = proposal(replace(base, table=table, relations={TABLE: table})).files["close_rounds.sql"]
    assert expected == ("settled_at = c.cancelled_at" in text)


def test_whole_numerics_are_asked_about_as_whole_numbers_are() -> None:
    """NUMERIC(36, 0) holds minor units as often as an integer does."""
    made = proposal(facts(replace(column("stake", "numeric"), whole=True)))
    assert {"open_rounds.sql": ("stake",)} == made.decisions
    made = proposal(facts(column("stake", "integer"), without=["currency"]))
    assert "r.stake::numeric / 100" == line(made, "stake")


def test_the_market_is_found_by_the_player_s_foreign_key() -> None:
    """A join that drops no round leads to the player's row."""
    base = facts(column("player_id", "bigint"), without=["market", "vendor_user_id"])
    players = relation(PLAYERS, "players", [column("id", "bigint"), column("country", "text", "MT", "SE")])
    key = ForeignKey(TABLE, ("player_id",), PLAYERS, ("id",))
    made = proposal(beside(base, players, foreign_keys=[key]))
    assert "p.country" == line(made, "market")
    assert "LEFT JOIN casino.players p ON p.id = r.player_id" in made.files["open_rounds.sql"]
    assert "r.player_id::text" == line(made, "user_id")


def test_a_table_of_names_tells_the_numbers() -> None:
    """The state's name is looked up now, and the number stands in the view as a literal, so that indexes can be used."""
    base = facts(column("status_id", "smallint", "1", "2", "3"), without=["state"])
    names = relation(
        NAMES, "statuses", [column("id", "smallint"), column("name")], lookup={"1": "DONE", "2": "Open", "3": "VOID"}
    )
    key = ForeignKey(TABLE, ("status_id",), NAMES, ("id",))
    made = proposal(beside(base, names, foreign_keys=[key]))
    assert "WHERE r.status_id = 2;" in made.files["open_rounds.sql"]
    assert "status_id = 3" in made.files["close_rounds.sql"]
    assert {} == made.decisions


def test_ids_that_are_unique_within_a_session_are_asked_about() -> None:
    """The key's other column becomes part of the id, and an expression index finds it."""
    base = facts(column("session_id", "bigint"))
    table = replace(base.table, primary_key=(), indexes=(Index("k", ("session_id", "round_id"), unique=True),))
    made = proposal(replace(base, table=table, relations={TABLE: table}))
    assert "r.session_id::text || '-' || r.round_id" == line(made, "round_id")
    assert ("round_id",) == made.decisions["open_rounds.sql"]
    assert "((session_id::text || '-' || round_id))" in made.files["indexes.sql"]


def test_a_journal_is_refused() -> None:
    """A table with several rows of one round is no table of rounds, whatever its columns are."""
    base = facts(column("type", "text", "bet", "win"))
    table = replace(base.table, primary_key=(), indexes=(Index("k", ("round_id", "type"), unique=True),))
    with pytest.raises(JournalError):
        proposal(replace(base, table=table, relations={TABLE: table}))
    twice = replace(column("round_id"), values=Values(100, 0, 50, 8))
    table = replace(table, indexes=(), columns=(twice, *(one for one in table.columns if one.name != "round_id")))
    with pytest.raises(JournalError):
        proposal(replace(base, table=table, relations={TABLE: table}))


@pytest.mark.parametrize(
    ("partners", "values", "expected"),
    [
        (("acme",), (), "'acme'::text"),
        (("acme",), ("acme", "beta"), "r.partner"),
        (("acme", "beta"), ("acme", "beta"), "r.partner"),
        (("acme",), ("LuckyBrand", "Other"), "'acme'::text"),
        (("o'neil",), (), "'o''neil'::text"),
    ],
)
def test_the_partner_is_the_configuration_s(partners: tuple[str, ...], values: tuple[str, ...], expected: str) -> None:
    """The only partner stands as a literal; a column that has the configured names is taken instead."""
    changed = [column("partner", "text", *values)] if values else []
    assert expected == line(proposal(facts(*changed, partners=partners)), "partner")


def test_rounds_of_other_vendors_stay_out() -> None:
    """A column with several vendors is a filter where one has the partner's name, and a placeholder otherwise."""
    made = proposal(facts(column("provider", "text", "Acme", "Other")))
    assert "AND r.provider = 'Acme';" in made.files["open_rounds.sql"]
    made = proposal(facts(column("provider", "text", "One", "Other")))
    assert 'AND r.provider = "? provider";' in made.files["open_rounds.sql"]
    assert ({"open_rounds.sql": ("provider",)}, 1) == (made.decisions, made.stops)


def test_hostile_values_stay_in_comments_and_literals() -> None:
    """A line break in a value does not end its comment, and a dollar quote does not end the function."""
    evil = "x\n$close$; DROP TABLE t; --"
    state = replace(column("state", "text", "open"), values=Values(20, 0, 2, 30, (("open", 10), (evil, 10))))
    made = proposal(facts(state))
    for text in made.files.values():
        assert {True} >= {one.lstrip().startswith("--") for one in text.splitlines() if "DROP TABLE t" in one}
    body = made.files["close_rounds.sql"]
    assert 2 == body.count("$close_$")


@pytest.mark.parametrize("role", ["nightly", "Odd Role", 'a"b'])
def test_the_roles_are_the_shipped_ones_for_the_job_s_login(role: str) -> None:
    """Another role than retention_job stands everywhere in its place, quoted where it has to be."""
    text = proposal(facts(job_role=role)).files["roles.sql"]
    assert "retention_job" not in text
    quoted = role if role == "nightly" else '"' + role.replace('"', '""') + '"'
    assert f"GRANT SELECT ON retention.open_rounds TO {quoted};" in text
    assert f"rolname = '{role}'" in text


def test_a_unique_key_makes_a_second_index_needless_and_long_names_are_cut() -> None:
    """Claims use the primary key of a text; an index's name has at most 63 bytes."""
    base = facts()
    table = replace(base.table, name="ä" * 40, sql='casino."' + "ä" * 40 + '"')
    text = proposal(replace(base, table=table, relations={TABLE: table})).files["indexes.sql"]
    assert "The index rounds_pkey does that already." in text
    name = text.split("IF NOT EXISTS ")[1].split("\n")[0].strip('"')
    assert len(name.encode()) <= 63
    assert name.endswith("_open_by_age")


def test_a_foreign_key_of_two_columns_joins_by_both() -> None:
    """A join by one of them would double rounds."""
    base = facts(column("brand_id", "bigint"), column("player_no", "bigint"), without=["market"])
    columns = [column("brand", "bigint"), column("no", "bigint"), column("market", "text", "MT")]
    key = ForeignKey(TABLE, ("brand_id", "player_no"), PLAYERS, ("brand", "no"))
    made = proposal(beside(base, relation(PLAYERS, "players", columns, "no"), foreign_keys=[key]))
    assert "players p ON p.brand = r.brand_id AND p.no = r.player_no\n" in made.files["open_rounds.sql"]


def test_a_partitioned_table_gets_an_index_for_each_partition() -> None:
    """CONCURRENTLY is for single partitions; their indexes are attached to those of their parents, at any depth."""
    parts = (
        Partition("casino.mid", "mid", "casino", "casino.rounds", leaf=False),
        Partition("other.leaf", "leaf", "other", "casino.mid", leaf=True),
    )
    base = facts()
    table = replace(base.table, partitions=parts, kind="p")
    text = proposal(replace(base, table=table, relations={TABLE: table})).files["indexes.sql"]
    assert "CREATE INDEX IF NOT EXISTS rounds_open_by_age\n    ON ONLY casino.rounds" in text
    assert "CREATE INDEX IF NOT EXISTS mid_open_by_age\n    ON ONLY casino.mid" in text
    assert "CREATE INDEX CONCURRENTLY IF NOT EXISTS leaf_open_by_age\n    ON other.leaf" in text
    assert "ALTER INDEX casino.rounds_open_by_age ATTACH PARTITION casino.mid_open_by_age;" in text
    assert "ALTER INDEX casino.mid_open_by_age ATTACH PARTITION other.leaf_open_by_age;" in text


@pytest.mark.parametrize("name", ["last_bet_at", "closed_at"])
def test_a_zone_is_asked_about_wherever_a_time_without_one_is_first_used(name: str) -> None:
    """A time beside, or one that closing sets, leads to the question, too: once, and never silently."""
    made = proposal(facts(column(name, "timestamp without time zone")))
    asked = {"last_bet_at": {"open_rounds.sql": ("last_activity_at",)}, "closed_at": {"close_rounds.sql": ("zone",)}}
    assert asked[name] == made.decisions
