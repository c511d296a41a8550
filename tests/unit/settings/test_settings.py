"""Settings: file and environment become one frozen value, and secrets are wrapped."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from retention.core.model import Treatment
from retention.core.notifications.events import EVENTS
from retention.core.sending.reply_rules import DEFAULT_CODES
from retention.errors import UsageError
from retention.settings import files
from retention.settings.load import load_settings
from retention.settings.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retention.settings.model import Settings

FILE = """
database.dsn = "postgresql://job:p%40ss@db/operator?sslpassword=key-pass"

[partners.acme-eu]
secure_login = "acme-login"
api_url = "https://api.example.com/base/"
status_url = "http://[::1]:8080/status"
token = "file-token"
rate = 20
codes = { 61 = "rejected", E7 = "retry" }

[partners.beta]
secure_login = "beta-login"
api_url = "http://127.0.0.1:9000"
token = "beta-token"
rate = 0.5

[policies.nightly]
markets = ["MT", "SE"]
open_longer_than = "72h"
max_rounds = 5000
max_amount = { EUR = "50000.10", JPY = 7000 }
schedule = "0 3 * * 7"
timezone = "Europe/Malta"
catch_up = "6h"

[notify.ops]
webhook = "https://ops.example.com/hook?key=1"
signing_key = "a-signing-key-of-30-characters"

[notify.chat]
apprise = "slack://a/b/c"
events = ["run.halted"]
"""


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def load(directory: Path, text: str = FILE, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the text as ./retention.toml, and the environment over it."""
    (directory / "retention.toml").write_text(text)
    return load_settings(None, environ or {}, directory)


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    """Values have their types, money is exact, and names come from the headers."""
    settings = load(tmp_path)
    acme, policy = settings.partners["acme-eu"], settings.policies["nightly"]
    assert ("acme-eu", "file-token", 20.0) == (acme.name, acme.token.reveal(), acme.rate)
    assert ("nightly", ("MT", "SE"), timedelta(hours=72)) == (policy.name, policy.markets, policy.open_longer_than)
    assert {"EUR": Decimal("50000.10"), "JPY": Decimal(7000)} == policy.max_amount
    assert ("0 3 * * 7", "Europe/Malta", timedelta(hours=6)) == (policy.schedule, policy.timezone, policy.catch_up)


def test_defaults_are_the_contracts(tmp_path: Path) -> None:
    """A missing key has the contract's default, and a policy without a mode enforces nothing."""
    settings = load(tmp_path)
    beta, policy = settings.partners["beta"], settings.policies["nightly"]
    assert (50, timedelta(seconds=10), 5, 3) == (beta.concurrency, beta.timeout, beta.max_attempts, beta.max_runs)
    assert (True, True, None) == (beta.status_probe, beta.send_game_id, beta.status_url)
    assert (True, 0.5, True) == (beta.asks_first, beta.questions_per_second, beta.refund_in_reply)
    assert "review" == policy.winnings
    assert ("dry_run", 0.2, None, None) == (
        policy.mode,
        policy.max_failure_ratio,
        policy.idle_longer_than,
        policy.deadline,
    )
    assert (None, None, (), ()) == (policy.partners, policy.games, policy.exclude_markets, policy.exclude_games)
    assert EVENTS == settings.notify["ops"].events
    assert settings.log_user_ids is False


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nothing changes a setting once it is loaded."""
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path).log_user_ids = True


def test_codes_lie_over_the_vendors_table(tmp_path: Path) -> None:
    """A partner's own codes win, all others keep the default mapping, and the mapping itself stays as it is."""
    acme = load(tmp_path).partners["acme-eu"]
    assert Treatment.REJECTED == acme.treatments["61"]
    assert Treatment.RETRY == acme.treatments["E7"]
    assert {**DEFAULT_CODES, **acme.codes} == acme.treatments
    assert Treatment.ALREADY_CANCELLED == DEFAULT_CODES["61"]


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("LOG_USER_IDS", "true", lambda s: s.log_user_ids is True),
        ("MAX_CLOCK_DIFFERENCE", "5s", lambda s: s.clock_limit("nightly") == s.clock_limit() == 5),
        ("POLICIES__NIGHTLY__MAX_CLOCK_DIFFERENCE", "2m", lambda s: s.clock_limit("nightly") == 120),
        ("PARTNERS__BETA__MAX_PAUSE", "2m", lambda s: s.partners["beta"].max_pause == timedelta(minutes=2)),
        ("DATABASE__DSN", "host=h", lambda s: s.database.dsn.reveal() == "host=h"),
        ("PARTNERS__ACME_EU__TOKEN", "5", lambda s: s.partners["acme-eu"].token.reveal() == "5"),
        ("PARTNERS__acme_eu__rate", "1.5", lambda s: s.partners["acme-eu"].rate == 1.5),
        ("PARTNERS__ACME_EU__TIMEOUT", "1m30s", lambda s: s.partners["acme-eu"].timeout == timedelta(seconds=90)),
        ("PARTNERS__BETA__STATUS_PROBE", "false", lambda s: not s.partners["beta"].status_probe),
        ("PARTNERS__BETA__ASK_FIRST", "false", lambda s: not s.partners["beta"].asks_first),
        ("RATE_GROUPS__LM__RATE", "7.5", lambda s: s.rate_groups["lm"].rate == 7.5),
        ("PARTNERS__BETA__QUESTION_RATE", "7", lambda s: s.partners["beta"].questions_per_second == 7.0),
        ("PARTNERS__BETA__REFUND_IN_REPLY", "false", lambda s: not s.partners["beta"].refund_in_reply),
        ("PARTNERS__BETA__REFUND_WITHIN", "1d", lambda s: s.partners["beta"].refund_within == timedelta(days=1)),
        ("PARTNERS__BETA__REFUND_WITHIN", "0s", lambda s: s.partners["beta"].refund_within == timedelta()),
        ("PARTNERS__BETA__CODES", '{ 7 = "retry" }', lambda s: s.partners["beta"].codes == {"7": "retry"}),
        ("PARTNERS__ACME_EU__CODES__E7", "rejected", lambda s: s.partners["acme-eu"].treatments["E7"] == "rejected"),
        ("PARTNERS__ACME_EU__CODES__X9", "retry", lambda s: len(s.partners["acme-eu"].codes) == 3),
        ("POLICIES__NIGHTLY__MARKETS", "DK, ES", lambda s: s.policy().markets == ("DK", "ES")),
        ("POLICIES__NIGHTLY__MARKETS", '["GB"]', lambda s: s.policy().markets == ("GB",)),
        ("POLICIES__NIGHTLY__GAMES", "101,102", lambda s: s.policy().games == ("101", "102")),
        ("POLICIES__NIGHTLY__MODE", "enforce", lambda s: s.policy().mode == "enforce"),
        ("POLICIES__NIGHTLY__WINNINGS", "cancel", lambda s: s.policy().winnings == "cancel"),
        ("POLICIES__NIGHTLY__SCHEDULE", "@daily", lambda s: s.policy().times.fields == "0 0 * * *"),
        ("POLICIES__NIGHTLY__TIMEZONE", "UTC", lambda s: s.policy().times.zone.key == "UTC"),
        ("POLICIES__NIGHTLY__CATCH_UP", "1d", lambda s: s.policy().catch_up == timedelta(days=1)),
        (
            "NOTIFY__OPS__WEBHOOK",
            "https://x.example",
            lambda s: s.notify["ops"].webhook.reveal() == "https://x.example",
        ),
        (
            "NOTIFY__CHAT__EVENTS",
            "run.failed,run.review",
            lambda s: s.notify["chat"].events == ("run.failed", "run.review"),
        ),
        ("NOTIFY__NEW__APPRISE", "json://h/", lambda s: s.notify["new"].apprise.reveal() == "json://h/"),
        ("POLICIES__NIGHTLY__MAX_ROUNDS", "7", lambda s: s.policy().max_rounds == 7),
        ("POLICIES__NIGHTLY__MAX_AMOUNT__SEK", "1.10", lambda s: s.policy().max_amount["SEK"] == Decimal("1.10")),
        ("POLICIES__NIGHTLY__MAX_AMOUNT", '{ EUR = "1" }', lambda s: s.policy().max_amount == {"EUR": Decimal(1)}),
    ],
)
def test_the_environment_beats_the_file(tmp_path: Path, name: str, value: str, read: object) -> None:
    """Every kind of key can come from a variable, which is matched to the file's names and wins."""
    assert callable(read)
    assert read(load(tmp_path, FILE, {f"RETENTION_{name}": value}))


def test_the_environment_alone_will_do(tmp_path: Path) -> None:
    """Without a file, variables make the partners and policies that they name, in lower case."""
    settings = load_settings(
        None,
        {
            "RETENTION_PARTNERS__ACME_EU__SECURE_LOGIN": "acme",
            "RETENTION_PARTNERS__ACME_EU__API_URL": "https://api.example.com",
            "RETENTION_PARTNERS__ACME_EU__TOKEN": "t",
            "RETENTION_PARTNERS__ACME_EU__RATE": "3",
            "RETENTION_POLICIES__NIGHTLY__OPEN_LONGER_THAN": "3d",
            "RETENTION_POLICIES__NIGHTLY__MAX_ROUNDS": "10",
            "RETENTION_POLICIES__NIGHTLY__MAX_AMOUNT__EUR": "5",
        },
        tmp_path,
    )
    assert ("acme_eu",) == settings.partners_of(settings.policy())
    assert {"EUR": Decimal(5)} == settings.policy("nightly").max_amount


def test_variables_that_are_no_keys_are_left_alone(tmp_path: Path) -> None:
    """The file's variable, variables of tests and the service variables of Kubernetes are no typos."""
    no_keys = {
        "RETENTION_CONFIG": "",
        "RETENTION_TEST_DSN": "x",
        "RETENTION_SERVICE_HOST": "10.0.0.1",
        "RETENTION_SERVICE_PORT_HTTP": "80",
        "RETENTION_PORT": "tcp://10.0.0.1:80",
        "RETENTION_WEB_PORT_80_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert load(tmp_path) == load(tmp_path, FILE, no_keys)


@pytest.mark.parametrize(
    ("in_file", "variable", "expected"),
    [
        ('token_file = "a"', None, "from-a"),
        ('token_file = "a"', ("TOKEN", "direct"), "direct"),
        ('token_file = "missing"', ("TOKEN", "direct"), "direct"),
        ('token = "direct"', ("TOKEN_FILE", "a"), "from-a"),
        ('token_file = "missing"', ("TOKEN_FILE", "a"), "from-a"),
    ],
)
def test_a_secret_comes_from_the_strongest_source(
    tmp_path: Path, in_file: str, variable: tuple[str, str] | None, expected: str
) -> None:
    """A token or its file from the environment replaces whichever of them the file has; paths begin at the file."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a").write_text("from-a\n")
    config = tmp_path / "conf" / "custom.toml"
    config.write_text(FILE.replace('token = "file-token"', in_file))
    environ = {f"RETENTION_PARTNERS__ACME_EU__{variable[0]}": variable[1]} if variable else {}
    settings = load_settings(config, environ, tmp_path)
    assert expected == settings.partners["acme-eu"].token.reveal()


@pytest.mark.usefixtures("files_settle_at_once")
def test_a_re_read_secret_stays_within_the_rules(tmp_path: Path) -> None:
    """An address that turns into an unencrypted one while we run is not used, and the partner's secret says so."""
    address = tmp_path / "address"
    address.write_text("https://one.example.com\n")
    text = FILE.replace('api_url = "https://api.example.com/base/"', 'api_url_file = "address"')
    url = load(tmp_path, text).partners["acme-eu"].api_url
    assert url is not None
    address.write_text("http://two.example.com\n")
    assert "https://one.example.com" == url.reveal()
    assert "unencrypted" in str(url.problem)
    address.write_text("https://three.example.com\n")
    assert "https://three.example.com" == url.reveal()


def test_secrets_are_all_known_to_the_redaction(tmp_path: Path) -> None:
    """Every secret is listed as it is written and as it may be used, the longest first; repr holds none of them."""
    own = {key: f"https://{key}.example.com/own" for key in ("cancel_url", "health_url", "rounds_url")}
    lines = "".join(f'{key} = "{url}/"\n' for key, url in own.items())
    settings = load(tmp_path, FILE.replace("[partners.beta]", f"[partners.beta]\n{lines}"))
    expected = {
        *own.values(),
        *(f"{url}/" for url in own.values()),
        "postgresql://job:p%40ss@db/operator?sslpassword=key-pass",
        "p@ss",
        "key-pass",
        "https://api.example.com/base/",
        "https://api.example.com/base",
        "http://[::1]:8080/status",
        "http://127.0.0.1:9000",
        "acme-login",
        "file-token",
        "beta-login",
        "beta-token",
        "https://ops.example.com/hook?key=1",
        "a-signing-key-of-30-characters",
        "slack://a/b/c",
    }
    secrets = settings.secrets()
    assert expected == set(secrets)
    assert sorted(secrets, key=len, reverse=True) == secrets
    assert [] == [secret for secret in secrets if secret in repr(settings)]


def test_a_policys_record_is_read_back(tmp_path: Path) -> None:
    """A policy's record is JSON with exact money and readable durations, and makes the same policy."""
    policy = load(tmp_path).policy()
    record = json.loads(json.dumps(policy.as_record()))
    assert ("3d", {"EUR": "50000.10", "JPY": "7000"}) == (record["open_longer_than"], record["max_amount"])
    assert ("0 3 * * 7", "Europe/Malta", "6h") == (record["schedule"], record["timezone"], record["catch_up"])
    assert policy == Policy.model_validate(record)


def test_a_record_from_before_there_were_schedules_is_read(tmp_path: Path) -> None:
    """An old record without the keys of schedules makes a policy without a schedule."""
    record = load(tmp_path).policy().as_record()
    for key in ("schedule", "timezone", "catch_up"):
        del record[key]
    policy = Policy.model_validate(record)
    assert (None, None, None, None) == (policy.schedule, policy.timezone, policy.catch_up, policy.times)


def test_a_failed_lookup_lists_the_policies(tmp_path: Path) -> None:
    """A policy is found by name, or as the only one; otherwise the error lists the names."""
    one = load(tmp_path)
    two = load(tmp_path, FILE + '[policies.daily]\nopen_longer_than="1d"\nmax_rounds=1\npartners=["beta", "beta"]')
    assert "nightly" == one.policy().name
    assert "daily" == two.policy("daily").name
    assert ("acme-eu", "beta") == two.partners_of(two.policy("nightly"))
    assert ("beta",) == two.partners_of(two.policy("daily"))
    assert "beta" == two.partner("beta").name
    with pytest.raises(UsageError, match=r"^say which policy: nightly, daily$"):
        two.policy()
    with pytest.raises(UsageError, match=r"^there is no policy 'x'; known: nightly$"):
        one.policy("x")
    with pytest.raises(UsageError, match=r"^there is no partner 'x'; known: acme-eu, beta$"):
        one.partner("x")


def test_a_database_alone_is_enough_to_migrate(tmp_path: Path) -> None:
    """A configuration without partners and policies loads; the error for a missing one names the table to add."""
    settings = load(tmp_path, "[database]\n")
    with pytest.raises(UsageError, match=r"no policy is configured; add \[policies.NAME\]"):
        settings.policy()
    with pytest.raises(UsageError, match=r"no partner is configured; add \[partners.NAME\]"):
        settings.partners_of(Policy(name="p", open_longer_than=timedelta(days=3), max_rounds=1))
