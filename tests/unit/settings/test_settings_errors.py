"""Problems of a configuration: each names the place, the fault and the mend, and no secret's value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from retention.errors import ConfigurationError
from retention.settings import files
from retention.settings.load import load_settings
from retention.settings.model import Settings
from retention.settings.partner import Partner
from retention.settings.policy import Policy
from retention.settings.schema import example_at, keys_of, table_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ACME = {"secure_login": '"acme"', "api_url": '"https://api.example.com"', "token": '"t"', "rate": "20"}
NIGHTLY = {"open_longer_than": '"72h"', "max_rounds": "5000"}
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def configuration(partner: Mapping[str, str], policy: Mapping[str, str], extra: str = "") -> str:
    """Write a good file but for the keys that are given; an empty value leaves the key out."""
    lines = [extra]
    for header, table in (("partners.acme", {**ACME, **partner}), ("policies.nightly", {**NIGHTLY, **policy})):
        lines += [f"[{header}]", *(f"{key} = {value}" for key, value in table.items() if value)]
    return "\n".join(lines)


def refusal(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Load the text and return the problems, a line each."""
    (directory / "retention.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ or {}, directory)
    assert 2 == caught.value.exit_code
    assert caught.value.__context__ is None, "what it came from holds the values"
    return str(caught.value).splitlines()


DURATION = 'is no duration; write whole numbers with s, m, h or d, such as "90s", "15m", "72h" or "3d"'
AMOUNT = 'is no amount; write a string of digits, such as "50000" or "50000.00"'
RATE = "must be a number of requests per second, from 0.000001 to 1000000000; write rate = 20"
QUESTIONS = "must be a number of requests per second, from 0.000001 to 1000000000; write question_rate = 20"
SWITCHES = ("status_probe", "ask_first", "refund_in_reply", "send_game_id")
WINNINGS = 'must be "review" or "cancel"; write winnings = "review"'
CONCURRENCY = "must be a whole number from 1 to 1000; write concurrency = 50"
TREATMENTS = "cancelled, already_cancelled, already_completed, retry, rejected, unauthorized"
CODES = f"must be a table of vendor codes, each one of {TREATMENTS}; write codes = " + '{ "61" = "already_cancelled" }'
COUNT = "must be a whole number from 1 to 1000000000; write"
RATIO = "must be a number above 0, at most 1; write max_failure_ratio = 0.2"
SURGE = "must be a number above 0, at most 1000000000; write max_surge = 5.0"
DRIFT = "must be a number from 0 to 1; write max_drift = 0.1"
BLANK = "has a blank name in it, which would match nothing; write the name, or take it out"
MARKETS = 'must be a list of markets, not empty: without the key it is all of them; write markets = ["MT", "SE"]'
ADDRESS = "is not the address of a web service; write https://HOST or https://HOST/PATH"
PLAIN = "would send the token unencrypted; write https:// (http:// is for 127.0.0.1, ::1 and localhost)"
CHARACTERS = "has blanks, backslashes or control characters in it; write the plain address, https://..."
GONE = "cannot be read (No such file or directory); name a file that this process may read"
VENDOR = "write it exactly as the vendor gave it"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("rate", "", "missing; write rate = 20"),
        ("token", "", 'missing; write token = "the-token-of-this-partner", or token_file = "PATH"'),
        ("secure_login", "", 'missing; write secure_login = "acme"'),
        *[("rate", value, RATE) for value in ("0", "-1", "inf", "nan", "true", '"20"', "[20]")],
        *[("rate", value, RATE) for value in ("1e308", "1e-300", "99999999999999999999")],
        *[("question_rate", value, QUESTIONS) for value in ("0", "-2", "inf", "false", '"2"')],
        ("rate_group", "7", 'must be the name of a [rate_groups.NAME]; write rate_group = "lm"'),
        (
            "rate_group",
            '"lm"',
            "there is no [rate_groups.lm]; add it, or correct the name (none is configured)",
        ),
        *[("concurrency", value, CONCURRENCY) for value in ("0", "1001", "5.0", "true")],
        ("max_attempts", "0", f"{COUNT} max_attempts = 5"),
        *[("max_runs", value, f"{COUNT} max_runs = 3") for value in ("true", "2147483648")],
        ("timeout", "10", f"'10' {DURATION}"),
        ("max_pause", "3600", f"'3600' {DURATION}"),
        *[(key, value, f"must be true or false; write {key} = true") for key in SWITCHES for value in ("1", '"yes"')],
        ("max_runs", "2147483648", f"{COUNT} max_runs = 3"),
        ("codes", '"61"', CODES),
        ("max_atempts", "5", "unknown key; did you mean max_attempts?"),
        ("secure_login_file", '"x"', "unknown key; did you mean secure_login?"),
        ("dsn", '"x"', f"unknown key; known here: {', '.join(keys_of(Partner))}"),
        ("name", '"x"', f"unknown key; known here: {', '.join(keys_of(Partner))}"),
    ],
)
def test_a_partners_keys_are_checked(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """Each key of a partner that is missing, unknown or bad is one line that says how to write it."""
    assert [f"retention.toml: partners.acme.{key}: {problem}"] == refusal(tmp_path, configuration({key: value}, {}))


@pytest.mark.parametrize("value", ["0", "-5", "nan", "inf", '"100"', "10001"])
def test_a_groups_rate_is_checked(tmp_path: Path, value: str) -> None:
    """A rate that limits nothing, or is none, is refused with the way to write it; so is a group without a rate."""
    place, mend = "retention.toml: rate_groups.lm.rate", "write rate = 100"
    problem = "must be a number of requests per second, from 0.000001 to 10000"
    text = configuration({"rate_group": '"lm"'}, {})
    assert [f"{place}: {problem}; {mend}"] == refusal(tmp_path, f"{text}\n[rate_groups.lm]\nrate = {value}\n")
    assert [f"{place}: missing; {mend}"] == refusal(tmp_path, f"{text}\n[rate_groups.lm]\n")


def test_an_unknown_group_is_named_beside_the_known_ones(tmp_path: Path) -> None:
    """A partner's group that is misspelt is refused, with the group that was probably meant."""
    text = configuration({"rate_group": '"lm1"'}, {}) + "\n[rate_groups.lm]\nrate = 5\n"
    mend = "add it, or correct the name (known: lm; did you mean lm?)"
    problem = f"retention.toml: partners.acme.rate_group: there is no [rate_groups.lm1]; {mend}"
    assert [problem] == refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("max_rounds", "", "missing; write max_rounds = 5000"),
        ("open_longer_than", "", 'missing; write open_longer_than = "72h"'),
        ("open_longer_than", '"72 hours"', f"'72 hours' {DURATION}"),
        ("open_longer_than", '"0s"', '\'0s\' is no time at all; write a duration above zero, such as "90s" or "72h"'),
        ("idle_longer_than", "true", f"'true' {DURATION}"),
        ("deadline", '"-3h"', f"'-3h' {DURATION}"),
        *[("max_rounds", value, f"{COUNT} max_rounds = 5000") for value in ("0", "-1", "1.5", '"5"', "true")],
        ("max_rounds", "9223372036854775808", f"{COUNT} max_rounds = 5000"),
        (
            "markets",
            r'["M\u0000"]',
            "has a name with a NUL character in it, which no database has; write the name alone",
        ),
        *[("max_failure_ratio", value, RATIO) for value in ("0", "1.01", "nan", '"0.2"')],
        *[("markets", value, MARKETS) for value in ("[]", '"MT"', "[1]")],
        *[
            (key, value, BLANK)
            for key in ("markets", "exclude_markets", "games", "exclude_games")
            for value in ('[""]', '["MT", "  "]', r'["\u200B"]', r'["\u00A0\u3164"]')
        ],
        ("exclude_games", '"x"', 'must be a list of game ids; write exclude_games = ["poker-1"]'),
        ("mode", '"live"', 'must be "dry_run" or "enforce"; write mode = "dry_run"'),
        *[("winnings", value, WINNINGS) for value in ('"keep"', '"Cancel"', "true")],
        ("max_amount", "5", 'must be a table of amounts by currency; write max_amount = { EUR = "50000" }'),
        (
            "partners",
            '["acme", "acne"]',
            "there is no [partners.acne]; add it, or correct the name (known: acme; did you mean acme?)",
        ),
        *[("max_surge", value, SURGE) for value in ("0", "-5.0", "nan", "inf", '"5"', "true")],
        *[("max_drift", value, DRIFT) for value in ("-0.1", "1.1", "nan", '"0.1"', "true")],
        ("requires_approval", "1", "must be true or false; write requires_approval = false"),
        ("approval", '"certified"', 'must be "claimed" or "authenticated"; write approval = "claimed"'),
        ("needs_sleep", "true", f"unknown key; known here: {', '.join(keys_of(Policy))}"),
    ],
)
def test_a_policys_keys_are_checked(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """Each key of a policy that is missing, unknown or bad is one line that says how to write it."""
    assert [f"retention.toml: policies.nightly.{key}: {problem}"] == refusal(tmp_path, configuration({}, {key: value}))


@pytest.mark.parametrize(
    ("amount", "problem"),
    [
        (
            "50000.5",
            'is a TOML float; write it as a string, such as "50000.00", since money never passes through a float',
        ),
        *[
            (value, AMOUNT)
            for value in ("true", "-1", '"-1"', '"1e5"', '"1_000"', '" 5"', '"NaN"', '"5,00"', '""', "[]")
        ],
    ],
)
def test_money_is_written_exactly(tmp_path: Path, amount: str, problem: str) -> None:
    """An amount is digits in a string or a whole number; a float is refused before it can round anything."""
    text = configuration({}, {"max_amount": f"{{ EUR = {amount} }}"})
    assert [f"retention.toml: policies.nightly.max_amount.EUR: {problem}"] == refusal(tmp_path, text)


@pytest.mark.parametrize("key", ["markets", "games"])
def test_a_name_selected_and_excluded_is_refused(tmp_path: Path, key: str) -> None:
    """A name that is selected and excluded at once is a contradiction, not a puzzle for the reader."""
    text = configuration({}, {key: '["A", "B", "C"]', f"exclude_{key}": '["C", "D", "B"]'})
    problem = f"names B, C, which {key} names too; keep each in one of the two"
    assert [f"retention.toml: policies.nightly.exclude_{key}: {problem}"] == refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("api_url", f"http://{SECRET}.example.com", PLAIN),
        ("api_url", f"http://localhost.{SECRET}.example", PLAIN),
        ("api_url", f"http://127.0.0.1@{SECRET}.example", PLAIN),
        (
            "status_url",
            f"https://user:{SECRET}@example.com",
            "has a user or a password in it; write https://HOST/PATH alone",
        ),
        ("cancel_url", f"http://{SECRET}.example.com/v4/CancelRound", PLAIN),
        ("health_url", f"https://example.com/{SECRET}?", "has a query or a fragment; end it before the ? or #"),
        ("rounds_url", SECRET, ADDRESS),
        ("api_url", f"https://example.com/{SECRET}?", "has a query or a fragment; end it before the ? or #"),
        ("api_url", f"https://example.com/#{SECRET}", "has a query or a fragment; end it before the ? or #"),
        ("api_url", f"https://example.com/ {SECRET}", CHARACTERS),
        ("api_url", f"https://example.com\\{SECRET}", CHARACTERS),
        ("api_url", f"ftp://{SECRET}", ADDRESS),
        ("api_url", f"https://example.com:{SECRET}", ADDRESS),
        ("api_url", f"https://[{SECRET}]/", ADDRESS),
        ("api_url", f"https:///{SECRET}", ADDRESS),
        ("api_url", SECRET, ADDRESS),
        ("token", SECRET + "x" * 30, f"is longer than the vendor's 36 characters; {VENDOR}"),
        ("secure_login", SECRET + "x" * 26, f"is longer than the vendor's 32 characters; {VENDOR}"),
        ("token", f"{SECRET} ", f"has blanks around it or control characters in it; {VENDOR}"),
        ("token", "", "is empty; write what the vendor gave you"),
    ],
)
def test_secrets_are_checked_and_not_shown(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """A bad secret is refused alike as a literal, from a file and from the environment, and shown by none of them."""
    variable = f"RETENTION_PARTNERS__ACME__{key.upper()}"
    places = {
        f"retention.toml: partners.acme.{key}": refusal(tmp_path, configuration({key: f"'{value}'"}, {})),
        f"{variable}: partners.acme.{key}": refusal(tmp_path, configuration({}, {}), {variable: value}),
    }
    if value and key != "secure_login":
        (tmp_path / "secret").write_text(f"{value}\n")
        from_file = configuration({key: "", f"{key}_file": '"secret"'}, {})
        places[f"retention.toml: partners.acme.{key}_file"] = refusal(tmp_path, from_file)
    assert {place: [f"{place}: {problem}"] for place in places} == places


@pytest.mark.parametrize("value", [f"host {SECRET}", f"postgresql://u:{SECRET}@h:x y/", f"pasword={SECRET}", " "])
def test_a_dsn_is_checked_and_not_shown(tmp_path: Path, value: str) -> None:
    """A DSN that libpq cannot read is refused without libpq's message, which repeats the DSN."""
    lines = refusal(tmp_path, f'database.dsn = "{value}"')
    assert ["retention.toml: database.dsn: is"] == [line[:32] for line in lines]
    assert SECRET not in lines[0]


@pytest.mark.parametrize("wrong", ["5", "true", "[]", f'["{SECRET}"]', f'{{ value = "{SECRET}" }}'])
@pytest.mark.parametrize("key", ["token", "token_file", "secure_login", "api_url", "cancel_url", "health_url_file"])
def test_a_secret_is_a_string(tmp_path: Path, key: str, wrong: str) -> None:
    """A secret of another type is refused by its key, without its value."""
    text = configuration({key.removesuffix("_file"): "", key: wrong}, {})
    assert [f"retention.toml: partners.acme.{key}: is not a string; write it in quotes"] == refusal(tmp_path, text)


def test_a_secrets_file_has_to_be_there(tmp_path: Path) -> None:
    """The key, the path and the reason are named; an empty path is an empty value."""
    lines = refusal(
        tmp_path, configuration({"token": "", "token_file": '"gone"', "api_url": "", "api_url_file": '""'}, {})
    )
    assert [
        f"retention.toml: partners.acme.api_url_file: {ADDRESS}",
        f"retention.toml: partners.acme.token_file: {tmp_path}/gone {GONE}",
    ] == lines


def test_a_secret_is_given_once_per_source(tmp_path: Path) -> None:
    """A literal and a file beside each other are ambiguous, in the file as in the environment."""
    text = configuration({"token_file": '"x"'}, {})
    name = "RETENTION_PARTNERS__ACME__TOKEN"
    assert [
        "retention.toml: partners.acme.token_file: given together with partners.acme.token; keep one of the two"
    ] == refusal(tmp_path, text)
    assert [f"{name}_FILE: partners.acme.token_file: given together with {name}; keep one of the two"] == refusal(
        tmp_path, configuration({}, {}), {name: SECRET, f"{name}_FILE": "x"}
    )


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PARTNERS__ACME__TOKN", SECRET, "unknown variable; did you mean RETENTION_PARTNERS__ACME__TOKEN?"),
        ("PARTNERS__NEW__TOKN", SECRET, "unknown variable; did you mean RETENTION_PARTNERS__NEW__TOKEN?"),
        ("DATABASE_DSN", SECRET, "unknown variable; did you mean RETENTION_DATABASE__DSN?"),
        ("PARTNERS__ACME__RATE__X", SECRET, "unknown variable; did you mean RETENTION_PARTNERS__ACME__RATE?"),
        ("PARTNERS__ACME", SECRET, "unknown variable; did you mean RETENTION_PARTNERS__ACME__RATE?"),
        ("QUX", SECRET, "unknown variable; unset it, or write RETENTION_TABLE__NAME__KEY"),
        ("PARTNERS____TOKEN", SECRET, "unknown variable; did you mean RETENTION_PARTNERS__ACME__TOKEN?"),
        (
            "POLICIES__NIGHTLY__MAX_ROUNDS",
            "many",
            f"policies.nightly.max_rounds: {COUNT} RETENTION_POLICIES__NIGHTLY__MAX_ROUNDS=5000",
        ),
        (
            "POLICIES__NIGHTLY__MODE",
            "live",
            'policies.nightly.mode: must be "dry_run" or "enforce"; write RETENTION_POLICIES__NIGHTLY__MODE=dry_run',
        ),
        ("POLICIES__NIGHTLY__DEADLINE", "soon", f"policies.nightly.deadline: 'soon' {DURATION}"),
    ],
)
def test_a_variables_problem_names_the_variable(tmp_path: Path, name: str, value: str, problem: str) -> None:
    """A typo in a variable's name is refused, and the error of a bad value names the variable, without unknown
    values.
    """
    expected = [f"RETENTION_{name}: {problem}"]
    assert expected == refusal(tmp_path, configuration({}, {}), {f"RETENTION_{name}": value})


def test_a_variable_that_means_two_names_is_refused(tmp_path: Path) -> None:
    """Names that a variable cannot tell apart are not guessed between."""
    text = configuration({}, {}) + "".join(f"\n[policies.{name}]\nopen_longer_than='1d'" for name in ("a-b", "a_b"))
    lines = refusal(tmp_path, text, {"RETENTION_POLICIES__A_B__MAX_ROUNDS": "1"})
    assert "RETENTION_POLICIES__A_B__MAX_ROUNDS: A_B means both a-b and a_b; rename one of them" == lines[0]


def test_without_a_file_the_environment_is_the_place(tmp_path: Path) -> None:
    """Without a file, the error for a missing key names its variable."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, {"RETENTION_POLICIES__NIGHTLY__OPEN_LONGER_THAN": "3d"}, tmp_path)
    expected = "environment: policies.nightly.max_rounds: missing; write RETENTION_POLICIES__NIGHTLY__MAX_ROUNDS=5000"
    assert expected == str(caught.value)


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    """One look at the error is enough to mend the whole configuration."""
    text = configuration({"rate": "0", "tokn": f'"{SECRET}"'}, {"max_rounds": ""}, 'log_user_ids = "no"')
    lines = refusal(tmp_path, text, {"RETENTION_X": "1"})
    assert [
        "retention.toml: partners.acme.tokn",
        "RETENTION_X: unknown variable",
        "retention.toml: partners.acme.rate",
        "retention.toml: policies.nightly.max_rounds",
        "retention.toml: log_user_ids",
    ] == [re.split(r": missing|: must|; |: unknown key", line)[0] for line in lines]


@pytest.mark.parametrize("table", [("database",), ("partners", "acme"), ("policies", "nightly")])
def test_the_example_of_an_error_loads(tmp_path: Path, table: tuple[str, ...]) -> None:
    """Every example that an error can show is a good value for its key."""
    for key in keys_of(table_at(table) or Settings):
        if not key.endswith("_file"):
            example = {key: str(example_at((*table, key)))}
            (tmp_path / "retention.toml").write_text(
                configuration(
                    example if table[0] == "partners" else {},
                    {"timezone": '"UTC"', **example} if table[0] == "policies" else {},
                    f"database.dsn = {example[key]}" if table[0] == "database" else "rate_groups.lm.rate = 100",
                )
            )
            load_settings(None, {}, tmp_path)


TYPES = ("5", "-1", "1.5", "true", '"x"', '""', '"  "', "[]", '[""]', "[1]", "{}", "{ a = 1 }", "nan", "2026-01-01")
LIBRARY = re.compile(
    r"Input should|Value error|Extra inputs|Field required|validation error|[a-z]+_(type|parsing)\b|True|False|None"
    r"|Decimal|datetime|Traceback"
)


@pytest.mark.parametrize("table", [(), ("database",), ("partners", "acme"), ("policies", "nightly"), ("notify", "ops")])
def test_no_problem_is_told_in_a_librarys_words(tmp_path: Path, table: tuple[str, ...]) -> None:
    """Any value at any key is taken, or refused with its place and a mend in our own message."""
    for key in keys_of(table_at(table) or Settings):
        for value in TYPES:
            header = f"[{'.'.join(table)}]\n" if table else ""
            (tmp_path / "retention.toml").write_text(f"{header}{key} = {value}\n")
            try:
                load_settings(None, {}, tmp_path)
            except ConfigurationError as error:
                for line in str(error).splitlines():
                    assert not LIBRARY.search(line), line
                    assert re.match(r"retention.toml: \S+: .+", line), line


def test_a_bad_code_treatment_is_refused_at_its_own_key(tmp_path: Path) -> None:
    """A bad treatment of one code is reported at its own key, not at the whole table."""
    expected = f'retention.toml: partners.acme.codes.61: must be one of {TREATMENTS}; write 61 = "rejected"'
    assert [expected] == refusal(tmp_path, configuration({"codes": "{ 61 = 5 }"}, {}))
