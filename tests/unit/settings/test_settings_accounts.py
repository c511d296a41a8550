"""A partner is one account at the vendor: two names for one are refused when the configuration is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.errors import ConfigurationError
from retention.settings import files
from retention.settings.load import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retention.settings.model import Settings

HERE = "https://api.hunter2.example/base"
THERE = "https://other.hunter2.example"
LOGIN, TOKEN = "login-hunter2", "token-hunter2"


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def load(directory: Path, *partners: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """Load a file with these partners, named p1, p2 and so on, which differ only in the given keys."""
    lines = []
    for number, keys in enumerate(partners, 1):
        table = {"secure_login": LOGIN, "token": f"token-{number}", **keys}
        lines += [f"[partners.p{number}]", "rate = 20", *(f"{key} = '{table[key]}'" for key in table if table[key])]
    (directory / "retention.toml").write_text("\n".join(lines))
    return load_settings(None, environ or {}, directory)


def refusal(directory: Path, *partners: Mapping[str, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """Load such a file and return the problems, a line each, in which no secret may be."""
    with pytest.raises(ConfigurationError) as caught:
        load(directory, *partners, environ=environ)
    assert "hunter2" not in str(caught.value)
    return str(caught.value).splitlines()


def same(one: str, other: str, by: str, source: str = "retention.toml") -> str:
    """The line that says that two tables are one account."""
    return (
        f"{source}: partners.{other}: is the same account at the vendor as [partners.{one}], by {by},"
        " so each of its rounds could be cancelled twice; keep one of the two"
    )


BY_ADDRESS = "secure_login and the address of CancelRound"
BY_TOKEN = "secure_login and token"
OWN = {"status_url": f"{THERE}/status", "health_url": f"{THERE}/health"}


@pytest.mark.parametrize(
    "other",
    [
        {"api_url": HERE},
        {"api_url": f"{HERE}///"},
        {"api_url": "https://API.Hunter2.Example/base"},
        {"api_url": "HTTPS://api.hunter2.example:443/base"},
        {"api_url": "https://api.hunter2.example./base"},
        {"api_url": "https://api.hunter2.example/%62ase"},
        {"api_url": "https://api.hunter2.example/x/../base"},
        {"api_url": HERE, "secure_login": LOGIN.upper()},
        {"api_url": HERE, "status_url": f"{THERE}/status"},
        {"cancel_url": f"{HERE}/v4/CancelRound", **OWN},
        {"cancel_url": f"{HERE}/v4/CancelRound/", "api_url": THERE},
    ],
    ids=repr,
)
def test_one_login_at_one_address_is_one_account(tmp_path: Path, other: dict[str, str]) -> None:
    """However login and address are spelt, and whether the address is whole or the beginning of it, they are found."""
    assert [same("p1", "p2", BY_ADDRESS)] == refusal(tmp_path, {"api_url": HERE}, other)
    assert [same("p1", "p2", BY_ADDRESS)] == refusal(tmp_path, other, {"api_url": HERE})


def test_letters_of_other_alphabets_are_spelt_in_two_ways(tmp_path: Path) -> None:
    """A host in its own letters and in those of the DNS is one host."""
    hosts = ("https://b\u00fccher.example", "https://xn--bcher-kva.example")
    assert [same("p1", "p2", BY_ADDRESS)] == refusal(tmp_path, *({"api_url": host} for host in hosts))


@pytest.mark.parametrize("login", [LOGIN, LOGIN.title()])
def test_one_login_with_one_token_is_one_account(tmp_path: Path, login: str) -> None:
    """Two addresses may lead to one vendor, who knows an account by its login and token."""
    one = {"api_url": HERE, "token": TOKEN}
    assert [same("p1", "p2", BY_TOKEN)] == refusal(tmp_path, one, {**one, "api_url": THERE, "secure_login": login})


@pytest.mark.parametrize(
    "other",
    [
        {"api_url": HERE, "secure_login": "another"},
        {"api_url": HERE, "secure_login": "another", "token": TOKEN},
        {"api_url": THERE},
        {"api_url": "https://api.hunter2.example:8443/base"},
        {"api_url": "https://api.hunter2.example/Base"},
        {"api_url": "https://api.hunter2.example"},
        {"api_url": HERE, "cancel_url": f"{THERE}/v4/CancelRound"},
        {"api_url": THERE, "token": TOKEN.upper()},
    ],
    ids=repr,
)
def test_accounts_that_differ_are_left_alone(tmp_path: Path, other: dict[str, str]) -> None:
    """Another login, or another place and another token, is another account, even at one vendor."""
    assert ["p1", "p2"] == [*load(tmp_path, {"api_url": HERE, "token": TOKEN}, other).partners]


@pytest.mark.parametrize("where", ["api_url", "cancel_url"])
def test_values_from_everywhere_are_compared(tmp_path: Path, where: str) -> None:
    """A login from the environment, and an address from there or from a file, make one account as literals do."""
    value = HERE if where == "api_url" else f"{HERE}/v4/CancelRound"
    (tmp_path / "address").write_text(f"{value}\n")
    one, other = {"api_url": HERE}, {"secure_login": "", "api_url": THERE}
    login = {"RETENTION_PARTNERS__P2__SECURE_LOGIN": LOGIN}
    variable = f"RETENTION_PARTNERS__P2__{where.upper()}"
    for environ in ({variable: value}, {f"{variable}_FILE": "address"}):
        assert [same("p1", "p2", BY_ADDRESS)] == refusal(tmp_path, one, other, environ=login | environ)
    by_file = {key: text for key, text in other.items() if key != where} | {f"{where}_file": "address"}
    assert [same("p1", "p2", BY_ADDRESS)] == refusal(tmp_path, one, by_file, environ=login)


def test_a_token_in_a_file_is_compared(tmp_path: Path) -> None:
    """A token that one partner has in the configuration, and the other in a file, is one token."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    other = {"api_url": THERE, "token": "", "token_file": "token"}
    assert [same("p1", "p2", BY_TOKEN)] == refusal(tmp_path, {"api_url": HERE, "token": TOKEN}, other)


def test_a_partner_of_the_environment_alone_is_compared(tmp_path: Path) -> None:
    """A table that stands in no file is named as well."""
    environ = {
        f"RETENTION_PARTNERS__{name}__{key}": value
        for name in ("ONE", "TWO")
        for key, value in {"SECURE_LOGIN": LOGIN, "API_URL": HERE, "TOKEN": f"t-{name}", "RATE": "20"}.items()
    }
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, environ, tmp_path)
    assert same("one", "two", BY_ADDRESS, "environment") == str(caught.value)


def test_every_pair_is_named(tmp_path: Path) -> None:
    """With three names for one account the error names each pair at once."""
    lines = refusal(tmp_path, {"api_url": HERE}, {"api_url": THERE}, {"api_url": HERE}, {"api_url": HERE})
    assert [same(one, other, BY_ADDRESS) for one, other in (("p1", "p3"), ("p1", "p4"), ("p3", "p4"))] == lines
