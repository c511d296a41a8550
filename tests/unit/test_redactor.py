"""Secrets that come back encoded."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.redaction import MASK, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "t0ken/with+more=&a'b?c>d~e"

DRESSES: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "quoted in lower case": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "quoted twice": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML": html.escape,
    "JSON of others": lambda text: json.dumps(text).replace("/", "\\/"),
}


def redactor(*secrets: str) -> Redactor:
    """Return a redactor of these secrets."""
    return Redactor(lambda: [*secrets], set)


@pytest.mark.parametrize("before", ["", ":", "a:", "id:"])
@pytest.mark.parametrize("dress", DRESSES)
def test_a_secret_is_known_in_another_dress(dress: str, before: str) -> None:
    """Encoded behind anything else, a secret is masked whole: no beginning of it is left over."""
    put_on = DRESSES[dress]
    clean = redactor(SECRET).text(put_on(f"{before}{SECRET}:and more"))
    head, mask, tail = clean.partition(MASK)
    assert MASK == mask
    for length in range(6, len(SECRET)):
        assert put_on(SECRET[:length]).strip('"=')[:-1] not in head + tail


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=8, max_size=40), st.binary(max_size=9))
def test_no_place_in_base64_hides_a_secret(secret: str, before: bytes) -> None:
    """At whichever place of a group it begins, nothing of a secret but a sign at each end is left in base64."""
    text = base64.b64encode(before + secret.encode() + b"\xff\xff").decode()
    assert MASK in redactor(secret).text(text)
    assert len(text) - len(redactor(secret).text(text)) >= len(secret) * 8 // 6 - 1 - len(MASK)


def test_an_encoded_path_gives_an_address_away() -> None:
    """An address is encoded piece by piece: its path is a secret of its own."""
    path = "/IntegrationService/v3"
    text = base64.b64encode(f"POST https://vendor.example{path}".encode()).decode()
    assert MASK in redactor(f"https://vendor.example{path}", path).text(text)


def test_a_short_secret_takes_no_words_apart() -> None:
    """The short encoded forms of a short secret are not masked: they occur everywhere by chance."""
    assert "cGFz and cGFzMQ" == redactor("pas1").text("cGFz and cGFzMQ")


def test_a_run_keeps_the_secrets_of_its_start() -> None:
    """While a run lasts its own secrets are masked as they rotate, beside those of a newer configuration, and after."""
    ours, newer = ["token-of-the-run"], ["token-of-the-reload"]
    redactor = Redactor(lambda: ["token-of-the-start"], set)
    with redactor.follow_meanwhile(lambda: ours, set):
        redactor.follow(lambda: newer, set)
        ours[:], newer[:] = ["rotated-for-the-run"], ["rotated-for-all"]
        text = "token-of-the-start token-of-the-run token-of-the-reload rotated-for-the-run rotated-for-all"
        assert "*** *** token-of-the-reload *** ***" == redactor.text(text)  # that one was never read
        ours[:] = ["rotated-again"]
    assert "*** ***" == redactor.text("rotated-again rotated-for-the-run")
