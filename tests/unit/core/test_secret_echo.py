"""Secrets within identifiers: chance, or an echo."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from retention.core.secret_echo import is_echo_if_contained, is_echo_if_equal, why_weak
from retention.log import configure
from retention.redaction import MASK, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-9d41c7b2e6"
LOGIN = "casino-malta-prod"
SHORT = "4711"
DIGITS = "123456789012345"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def redactor(*more: str) -> Redactor:
    """Knows a token, a login, a short secret and a secret of digits alone."""
    return Redactor(lambda: [TOKEN, LOGIN, SHORT, DIGITS, *more], set, lambda: {LOGIN, SHORT})


@pytest.mark.parametrize(
    ("secret", "weak"),
    [
        ("", True),
        ("4711", True),
        ("acme-mt", True),
        ("acme-mt1", False),
        ("12345678", True),
        ("123-456-789-012", True),
        ("٤٧١١٤٧١١", True),
        (TOKEN, False),
    ],
)
def test_a_weak_secret_is_no_echo(secret: str, weak: bool) -> None:
    """A secret shorter than eight characters, or without a letter, is never searched in identifiers."""
    assert (weak, not weak) == (why_weak(secret) is not None, is_echo_if_equal(secret))
    assert not (weak and is_echo_if_contained(secret, login=False))


def test_a_login_within_an_identifier_is_a_name() -> None:
    """A vendor may begin its identifiers with the account's name, and not with a token."""
    assert (True, False) == (is_echo_if_contained(LOGIN, login=False), is_echo_if_contained(LOGIN, login=True))
    assert not is_echo_if_contained("acme-mt1-ab", login=False)


@pytest.mark.parametrize(
    ("identifier", "echo"),
    [
        ("98124711003", False),
        (SHORT, False),
        (DIGITS, False),
        (f"9{DIGITS}9", False),
        (f"{LOGIN}-98124", False),
        (LOGIN, True),
        (f" {LOGIN} ", True),
        (TOKEN, True),
        (f"tx:{TOKEN}:1", True),
        (TOKEN.encode().hex(), True),
        (base64.b64encode(f"{LOGIN}:{TOKEN}".encode()).decode(), True),
        (TOKEN[:-1], False),
        ("", False),
    ],
)
def test_an_echo_is_told_from_an_identifier(identifier: str, echo: bool) -> None:
    """An identifier is an echo where it contains a long secret or equals a strong one, in any encoding."""
    assert echo is redactor().is_echo(identifier)


@given(st.text(max_size=40))
def test_an_echo_never_looks_clean(text: str) -> None:
    """Every echo is masked in text as well, so one search of the text finds all candidates."""
    for identifier in (text, f"{text}{TOKEN}", LOGIN):
        if redactor().is_echo(identifier):
            assert identifier != redactor().text(identifier)


def test_words_of_our_own_keep_their_numbers() -> None:
    """Our own texts lose tokens and keep amounts; foreign texts lose every secret."""
    words = f"max_amount: 4711 EUR, {DIGITS} rounds, {TOKEN}, {LOGIN}"
    assert f"max_amount: 4711 EUR, {DIGITS} rounds, {MASK}, {MASK}" == redactor().own_text(words)
    assert f"max_amount: {MASK} EUR, {MASK} rounds, {MASK}, {MASK}" == redactor().text(words)


DATA: dict[str, Any] = {
    "run_id": "00004711-0000-4000-8000-000000004711",
    "uuid": "47114711-0000-4000-8000-000000000000",
    "round_id": "r4711",
    "user_id": "4711",
    "partner": "acme-4711",
    "market": "MT",
    "transaction_id": f"{LOGIN}-4711",
    "amount": "4711.4711",
    "error_code": "4711",
    "refunds": {"EUR": "4711"},
    "states": {"cancelled": 4711},
    "detail": "winnings 4711 EUR",
    "halt_reason": "max_amount: 4711 EUR",
}


def test_a_line_shows_data_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Identifiers, amounts and times of a line stay; an echo is masked whole, other text in part."""
    log = configure("json", "info", redactor())
    log.info("round.settled", **DATA, why=Decimal("4711.5"), moment=datetime(4711, 1, 1, tzinfo=UTC), problem="at 4711")
    log.info("round.settled", round_id=f"r{TOKEN}", problem=f"at {TOKEN}", detail=f"said {LOGIN}")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert DATA == {key: first[key] for key in DATA}
    assert ("4711.5", "4711-01-01 00:00:00+00:00", f"at {MASK}") == (first["why"], first["moment"], first["problem"])
    assert (MASK, f"at {MASK}", f"said {MASK}") == (second["round_id"], second["problem"], second["detail"])
    assert datetime.now(UTC).year == datetime.fromisoformat(first["timestamp"]).year
