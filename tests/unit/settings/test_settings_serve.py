"""Schedules and notification targets: bad values are refused with a mend, and without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.core.notifications.events import EVENTS
from retention.errors import ConfigurationError
from retention.settings import files
from retention.settings.load import load_settings
from retention.settings.model import Target
from retention.settings.schema import example_at, keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECRET = "hunter2"
HOOK = {"webhook": '"https://ops.example.com/x"', "signing_key": f'"{SECRET}-and-seventeen-more"'}
CHAT = {"apprise": f'"slack://{SECRET}"'}


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def write(directory: Path, header: str, table: Mapping[str, str]) -> None:
    """Write a file with this table alone."""
    (directory / "retention.toml").write_text("\n".join([f"[{header}]", *(f"{key} = {table[key]}" for key in table)]))


def refusal(
    directory: Path, header: str, table: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> list[str]:
    """Load a file with this table alone and return the problems, a line each, without the file's name."""
    write(directory, header, table)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ or {}, directory)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None, "what it came from holds the values"
    return [line.removeprefix("retention.toml: ") for line in str(caught.value).splitlines()]


CRON = 'write minute hour day-of-month month day-of-week, such as "0 3 * * *"'
HOUR = "is no schedule: its hour '25' is out of range; write numbers from 0 to 23"
ZONE = 'is no time zone; write one by its IANA name, such as "Europe/Malta"'
DURATION = 'is no duration; write whole numbers with s, m, h or d, such as "90s", "15m", "72h" or "3d"'
NIGHTLY = {"open_longer_than": '"72h"', "max_rounds": "5000", "schedule": '"0 3 * * *"', "timezone": '"Europe/Malta"'}


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        *[
            ("schedule", value, 'must be five cron fields in quotes; write schedule = "0 3 * * *"')
            for value in ("3", "[]")
        ],
        ("schedule", '"0 25 * * *"', f"'0 25 * * *' {HOUR}"),
        ("schedule", '"0 0 3 * * *"', f"'0 0 3 * * *' is no schedule: it has 6 fields instead of five; {CRON}"),
        (
            "schedule",
            r'"0 3 * *\n*"',
            rf"'0 3 * *\n*' is no schedule: it has line breaks or control characters in it; {CRON}",
        ),
        (
            "schedule",
            "'@reboot'",
            '\'@reboot\' is no schedule: it names no time; write one, such as "0 3 * * *" or "@daily"',
        ),
        (
            "schedule",
            "'0 0 31 2 *'",
            "'0 0 31 2 *' never comes: its month '2' has no day-of-month '31'; write a day that one of its months has",
        ),
        ("timezone", "1", 'must be the name of a time zone; write timezone = "Europe/Malta"'),
        ("timezone", '"Malta"', f"'Malta' {ZONE}"),
        ("timezone", r'"UTC\n"', rf"'UTC\n' {ZONE}"),
        ("catch_up", "6", f"'6' {DURATION}"),
        ("catch_up", '"0h"', '\'0h\' is no time at all; write a duration above zero, such as "90s" or "72h"'),
    ],
)
def test_when_a_policy_runs_is_checked(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """A bad schedule, zone or catch_up is one line with the problem and the mend."""
    lines = refusal(tmp_path, "policies.nightly", {**NIGHTLY, key: value})
    assert [f"policies.nightly.{key}: {problem}"] == lines


def test_a_schedule_needs_its_zone(tmp_path: Path) -> None:
    """A schedule alone is half of it, wherever it is written; where it is bad itself, nothing more is asked for."""
    missing = 'policies.nightly.timezone: missing; a schedule needs its zone, such as "Europe/Malta"'
    table = {key: value for key, value in NIGHTLY.items() if key != "timezone"}
    assert [missing] == refusal(tmp_path, "policies.nightly", table)
    name = "RETENTION_POLICIES__NIGHTLY__SCHEDULE"
    del table["schedule"]
    assert [missing] == refusal(tmp_path, "policies.nightly", table, {name: "@daily"})
    wrong = refusal(tmp_path, "policies.nightly", table, {name: "0 25 * * *"})
    assert [f"{name}: policies.nightly.schedule: '0 25 * * *' {HOUR}"] == wrong


NO_EVENTS = (
    f"must be a list of events: {', '.join(EVENTS)}, not empty: without the key it is all of them; "
    'write events = ["run.halted"]'
)


@pytest.mark.parametrize(
    ("table", "problems"),
    [
        ({}, ["apprise: missing, and so is webhook; give one of the two"]),
        ({**HOOK, **CHAT}, ["apprise: given together with webhook; keep one of the two"]),
        (
            {"webhook": HOOK["webhook"]},
            ["signing_key: missing; a webhook is signed: take what `openssl rand -hex 32` prints"],
        ),
        (
            {**CHAT, "signing_key": HOOK["signing_key"]},
            ["signing_key: signs a webhook, and there is none; give both, or neither"],
        ),
        ({**CHAT, "url": "1"}, [f"url: unknown key; known here: {', '.join(keys_of(Target))}"]),
        ({**HOOK, "webhok": "1"}, ["webhok: unknown key; did you mean webhook?"]),
        *[
            ({**CHAT, "events": value}, [f"events: {NO_EVENTS}"])
            for value in ("[]", '["run.done"]', '"run.halted"', "[1]")
        ],
    ],
)
def test_a_target_is_notified_by_webhook_or_apprise(tmp_path: Path, table: dict[str, str], problems: list[str]) -> None:
    """By a webhook with its key or through apprise, and of events that there are."""
    assert [f"notify.ops.{problem}" for problem in problems] == refusal(tmp_path, "notify.ops", table)


PLAIN = "would send what it tells unencrypted; write https:// (http:// is for 127.0.0.1, ::1 and localhost)"
CHARACTERS = "has blanks, backslashes, # or control characters in it; write the plain address, https://..."
ADDRESS = "is not the address of a web service; write https://HOST or https://HOST/PATH"
EXACTLY = "write it exactly as it was given"
SHORT = "is shorter than 24 bytes; take what `openssl rand -hex 32` prints"
APPRISE = "is no address of apprise's; write SERVICE://..., such as mailtos://user:password@example.com"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("webhook", f"http://ops.example.com/{SECRET}", PLAIN),
        ("webhook", f"http://localhost.example/?{SECRET}", PLAIN),
        (
            "webhook",
            f"https://u:{SECRET}@ops.example.com",
            "has a user or a password in it; write https://HOST/PATH alone",
        ),
        ("webhook", f"https://ops.example.com/#{SECRET}", CHARACTERS),
        ("webhook", f"https://ops.example.com/?a={SECRET} b", CHARACTERS),
        ("webhook", SECRET, ADDRESS),
        ("webhook", "", ADDRESS),
        ("signing_key", SECRET, SHORT),
        ("signing_key", SECRET + "x" * 16, SHORT),
        ("signing_key", "whsec_aHVudGVyMmh1bnRlcjJodW50ZXIy", SHORT),
        (
            "signing_key",
            f"whsec_{SECRET}!{SECRET}!{SECRET}",
            f"begins with whsec_, but goes on with no base64; {EXACTLY}",
        ),
        (
            "signing_key",
            f"whsec_{SECRET}{SECRET}{SECRET}",
            f"begins with whsec_, but goes on with no base64; {EXACTLY}",
        ),
        ("signing_key", f" {SECRET}{'x' * 32}", f"has blanks around it or control characters in it; {EXACTLY}"),
        ("apprise", f"{SECRET}", APPRISE),
        ("apprise", f"mailtos://{SECRET} @example.com", APPRISE),
        ("apprise", f"//{SECRET}", APPRISE),
    ],
)
def test_a_targets_secrets_are_checked_and_not_shown(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """A bad one is refused alike as a literal, from a file and from the environment, and nothing follows from it."""
    rest = {name: good for name, good in HOOK.items() if name != key} if key != "apprise" else {}
    variable = f"RETENTION_NOTIFY__OPS__{key.upper()}"
    assert [f"notify.ops.{key}: {problem}"] == refusal(tmp_path, "notify.ops", {**rest, key: f"'{value}'"})
    assert [f"{variable}: notify.ops.{key}: {problem}"] == refusal(tmp_path, "notify.ops", rest, {variable: value})
    if value:
        (tmp_path / "secret").write_text(f"{value}\n")
        from_file = refusal(tmp_path, "notify.ops", {**rest, f"{key}_file": '"secret"'})
        assert [f"notify.ops.{key}_file: {problem}"] == from_file


@pytest.mark.usefixtures("files_settle_at_once")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("webhook", "http://127.0.0.1:8080/hook"),
        ("webhook", "https://ops.example.com/hook?key=a%20b&c=?"),
        ("signing_key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("signing_key", "x" * 24),
        ("apprise", "mailtos://user:password@example.com?to=a@example.com"),
    ],
)
def test_a_targets_secrets_come_from_files_too(tmp_path: Path, key: str, value: str) -> None:
    """A good value is taken from a file as it stands there, and read again when the file changes."""
    rest = {name: good for name, good in HOOK.items() if name != key} if key != "apprise" else {}
    write(tmp_path, "notify.ops", {**rest, f"{key}_file": '"secret"'})
    (tmp_path / "secret").write_text(f"{value}\n")
    secret = getattr(load_settings(None, {}, tmp_path).notify["ops"], key)
    assert value == secret.reveal()
    (tmp_path / "secret").write_text(f"{value}2345\n")
    assert f"{value}2345" == secret.reveal()


def test_a_target_may_come_from_the_environment_alone(tmp_path: Path) -> None:
    """Variables make the target that they name; the error names its missing keys."""
    environ = {
        "RETENTION_NOTIFY__OPS__WEBHOOK": "https://ops.example.com",
        "RETENTION_NOTIFY__OPS__SIGNING_KEY": "x" * 32,
    }
    assert "https://ops.example.com" == load_settings(None, environ, tmp_path).notify["ops"].webhook.reveal()  # type: ignore[union-attr]
    del environ["RETENTION_NOTIFY__OPS__SIGNING_KEY"]
    with pytest.raises(ConfigurationError, match=r"^environment: notify.ops.signing_key: missing; a webhook is signed"):
        load_settings(None, environ, tmp_path)


@pytest.mark.parametrize("key", ["webhook", "signing_key", "apprise", "events"])
def test_the_example_of_an_error_loads(tmp_path: Path, key: str) -> None:
    """Every example that an error can show is a good value for its key."""
    write(tmp_path, "notify.ops", {**(HOOK if key in HOOK else CHAT), key: str(example_at(("notify", "ops", key)))})
    load_settings(None, {}, tmp_path)
