"""A partner's addresses, status calls and rates: their defaults, and the values that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.errors import ConfigurationError
from retention.settings import files
from retention.settings.load import load_settings
from retention.settings.partner import Call
from retention.wiring.partners import terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retention.settings.model import Settings

API = "https://api.example.com/base/"
OWN = {call.key: f"https://{call.name.lower()}.example.com/hunter2" for call in Call}
VARIABLE = "RETENTION_PARTNERS__ACME__"


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def load(directory: Path, keys: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """Load a file with one partner, which has these keys besides its login, token and rate."""
    table = {"secure_login": '"acme"', "token": '"t"', "rate": "20", **keys}
    (directory / "retention.toml").write_text(
        "\n".join(["[partners.acme]", *(f"{key} = {table[key]}" for key in table)])
    )
    return load_settings(None, environ or {}, directory)


def refusal(directory: Path, keys: Mapping[str, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Load such a file and return the problems, a line each, in which no address may be."""
    with pytest.raises(ConfigurationError) as caught:
        load(directory, keys, environ)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None, "what it came from holds the values"
    return str(caught.value).splitlines()


def quoted(*keys: str) -> dict[str, str]:
    """Write the calls' own addresses under these keys."""
    return {key: f'"{OWN[key]}"' for key in keys}


@pytest.mark.parametrize("own", [(), ("cancel_url",), ("health_url", "rounds_url"), tuple(OWN)])
def test_a_call_goes_to_its_own_address_or_below_the_api(tmp_path: Path, own: tuple[str, ...]) -> None:
    """An address of its own is taken as it stands; every other call goes below api_url, by the vendor's path."""
    below = {
        "cancel_url": "https://api.example.com/base/v4/CancelRound",
        "status_url": "https://api.example.com/base/history/GetRoundStatus",
        "health_url": "https://api.example.com/base/v4/HealthCheck",
        "rounds_url": "https://api.example.com/base/history/GetGameRounds",
    }
    partner = load(tmp_path, {"api_url": f'"{API}"', **quoted(*own)}).partner("acme")
    expected = {key: OWN[key] if key in own else below[key] for key in OWN}
    assert expected == {call.key: partner.address(call) for call in Call}


@pytest.mark.parametrize("key", OWN)
@pytest.mark.parametrize("source", ["literal", "file", "variable", "variable of a file"])
def test_an_address_comes_from_everywhere(tmp_path: Path, key: str, source: str) -> None:
    """A call's own address is taken from the configuration, from a file that it names, and from the environment."""
    (tmp_path / "address").write_text(f"{OWN[key]}\n")
    keys = {"literal": quoted(key), "file": {f"{key}_file": '"address"'}}.get(source, {})
    environ = {
        "variable": {f"{VARIABLE}{key.upper()}": OWN[key]},
        "variable of a file": {f"{VARIABLE}{key.upper()}_FILE": "address"},
    }.get(source, {})
    partner = load(tmp_path, {"api_url": f'"{API}"', **keys}, environ).partner("acme")
    assert [OWN[key]] == [partner.address(call) for call in Call if call.key == key]


@pytest.mark.usefixtures("files_settle_at_once")
@pytest.mark.parametrize(("key", "end"), [("api_url", "v4/CancelRound"), ("cancel_url", "")])
def test_an_address_in_a_file_is_read_again(tmp_path: Path, key: str, end: str) -> None:
    """A call goes to the new address as soon as the file has it, and never to one that the rules refuse."""
    address = tmp_path / "address"
    address.write_text("https://one.example.com/")
    partner = load(tmp_path, {f"{key}_file": '"address"', **quoted("status_url", "health_url")}).partner("acme")
    assert f"https://one.example.com/{end}" == partner.address(Call.CANCEL)
    address.write_text("https://other.example.com/")
    assert f"https://other.example.com/{end}" == partner.address(Call.CANCEL)
    address.write_text("http://plain.example.com/")
    assert f"https://other.example.com/{end}" == partner.address(Call.CANCEL)


def test_without_an_api_url_each_call_that_is_used_needs_its_own(tmp_path: Path) -> None:
    """The addresses of all calls that are made will do; a call that is never made has none."""
    partner = load(tmp_path, quoted("cancel_url", "status_url", "health_url")).partner("acme")
    assert [*OWN.values()][:3] == [partner.address(call) for call in Call][:3]
    silent = load(tmp_path, {"status_probe": "false", **quoted("cancel_url", "health_url")}).partner("acme")
    assert ["", ""] == [silent.address(call) for call in (Call.STATUS, Call.ROUNDS)]


BY_API = 'partners.acme.api_url: missing; write api_url = "https://api.example.com", or api_url_file = "PATH", or give'


@pytest.mark.parametrize(
    ("keys", "lacking"),
    [
        ({}, "cancel_url, status_url and health_url"),
        ({"status_probe": "false"}, "cancel_url and health_url"),
        (quoted("cancel_url", "health_url"), "status_url"),
        (quoted("status_url", "health_url"), "cancel_url"),
        (quoted("cancel_url", "status_url", "rounds_url"), "health_url"),
        (quoted("rounds_url"), "cancel_url, status_url and health_url"),
    ],
)
def test_an_address_that_can_be_had_nowhere_is_asked_for(tmp_path: Path, keys: dict[str, str], lacking: str) -> None:
    """One line says that api_url would do, or else exactly the addresses that are used and missing."""
    assert [f"retention.toml: {BY_API} {lacking} instead"] == refusal(tmp_path, keys)


def test_without_a_file_an_address_is_asked_for_as_a_variable(tmp_path: Path) -> None:
    """Where all comes from the environment, the line says which variable to set."""
    environ = {f"{VARIABLE}{key}": value for key, value in {"SECURE_LOGIN": "acme", "TOKEN": "t", "RATE": "20"}.items()}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ | {f"{VARIABLE}CANCEL_URL": OWN["cancel_url"]}, tmp_path)
    assert (
        f"environment: partners.acme.api_url: missing; write {VARIABLE}API_URL=https://api.example.com, or give"
        " status_url and health_url instead"
    ) == str(caught.value)


def test_a_refused_address_is_not_asked_for_again(tmp_path: Path) -> None:
    """An address that is there and bad is one problem, not two."""
    keys = {**quoted("cancel_url", "status_url"), "health_url": '"hunter2"'}
    problem = "is not the address of a web service; write https://HOST or https://HOST/PATH"
    assert [f"retention.toml: partners.acme.health_url: {problem}"] == refusal(tmp_path, keys)


@pytest.mark.parametrize(
    ("keys", "asks"),
    [
        ({}, True),
        ({"status_probe": "false"}, False),
        ({"ask_first": "false"}, False),
        ({"ask_first": "false", "status_probe": "false"}, False),
        ({"ask_first": "true"}, True),
    ],
)
def test_a_partner_is_asked_first_where_it_may_be_asked(tmp_path: Path, keys: dict[str, str], asks: bool) -> None:
    """ask_first follows status_probe unless it is set, and the terms of the run say so."""
    settings = load(tmp_path, {"api_url": f'"{API}"', **keys})
    assert (asks, asks) == (settings.partner("acme").asks_first, terms_of(settings, "acme").ask_first)


@pytest.mark.parametrize(("written", "environ"), [(True, {}), (False, {f"{VARIABLE}ASK_FIRST": "true"})])
def test_ask_first_without_status_probe_is_refused(tmp_path: Path, written: bool, environ: dict[str, str]) -> None:
    """ask_first = true beside status_probe = false is a contradiction, and its line names both keys."""
    keys = {"api_url": f'"{API}"', "status_probe": "false", **({"ask_first": "true"} if written else {})}
    problem = "is true, but status_probe = false forbids to ask; set status_probe = true, or leave ask_first out"
    source = "retention.toml" if written else f"{VARIABLE}ASK_FIRST"
    assert [f"{source}: partners.acme.ask_first: {problem}"] == refusal(tmp_path, keys, environ)


@pytest.mark.parametrize(
    ("keys", "expected"), [({}, 20.0), ({"question_rate": "2.5"}, 2.5), ({"question_rate": "40"}, 40.0)]
)
def test_questions_have_a_rate_of_their_own(tmp_path: Path, keys: dict[str, str], expected: float) -> None:
    """As many questions as cancels are asked per second, unless question_rate says another number."""
    partner = load(tmp_path, {"api_url": f'"{API}"', **keys}).partner("acme")
    assert (expected, 20.0) == (partner.questions_per_second, partner.rate)
