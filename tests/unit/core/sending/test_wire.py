"""The wire format: requests, and the decoding of any reply."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.answers import make_claim

from retention.core.model import Claim, Credentials, Reply
from retention.core.sending.wire import REPLY_LIMIT_BYTES, decode, encode_cancel, encode_health, encode_status

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
CREDENTIALS = Credentials('acme "quoted"', "tök\\en")
UUID4 = UUID("7d4e0f2a-3c55-4a39-9d3c-7f1a1d2b3c4d")
NUMBERS = ("0", "-0", "0.0", "-0.00", "0e5", "0E+999999", "0e-99999999999", "0e99999999999", "1", "61", "61.0", "6.1e1")
ODD_NUMBERS = ("1e-400", "1e400", "1e-99999999999", "0.00000000000000001", "1e99999999999999999999", "00", "+0", ".0")
TEXTS = (
    '"0"',
    '" 0 "',
    '"00"',
    '"0.0"',
    '"-0"',
    '""',
    r'"0\u0000"',
    r'"\u00000"',
    r'"\ud800"',
    r'"0\udfff"',
    r'"\u0660"',
)
NO_CODES = (
    "null",
    "true",
    "1e99999999999999999999",
    "0e-99999999999999999999",
    "false",
    "NaN",
    "Infinity",
    "-Infinity",
    "[]",
    "[0]",
    "{}",
    '{"error":0}',
)


def claim(**changes: Any) -> Claim:
    """A claim of one cancellation on its first attempt."""
    own = {"uuid": str(UUID4), "game_id": "lm_1_pumpkinfarm", "round_id": "123456"}
    return make_claim(**{**own, **changes})


def read(body: bytes | str | None, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """Decode a reply of that moment."""
    return decode(status, headers or {}, body.encode() if isinstance(body, str) else body, NOW)


def cancelled(**fields: str) -> str:
    """A reply of success; fields are JSON literals, valid or not."""
    return "{" + ", ".join(f'"{name}": {literal}' for name, literal in {"error": "0", **fields}.items()) + "}"


def test_a_cancel_request_is_the_vendors_own_example() -> None:
    """The body has the six fields of the vendor's page, each as it is known, and nothing else."""
    expected = {
        "secureLogin": 'acme "quoted"',
        "gameId": "lm_1_pumpkinfarm",
        "userId": "tester",
        "roundId": "123456",
        "token": "tök\\en",
        "uuid": str(UUID4),
    }
    assert expected == json.loads(encode_cancel(claim(), CREDENTIALS, send_game_id=True))


@pytest.mark.parametrize(("game_id", "send_game_id"), [("g-1", False), (None, True), ("", True), (None, False)])
def test_a_game_is_named_only_where_it_is_known_and_wanted(game_id: str | None, *, send_game_id: bool) -> None:
    """The optional gameId is left out, and never sent empty."""
    body = json.loads(encode_cancel(claim(game_id=game_id), CREDENTIALS, send_game_id=send_game_id))
    assert {"secureLogin", "userId", "roundId", "token", "uuid"} == set(body)


def test_a_probe_names_the_round_alone() -> None:
    """GetRoundStatus carries round, attempt and credentials; HealthCheck carries no round."""
    status = {"secureLogin": 'acme "quoted"', "roundId": "123456", "uuid": str(UUID4), "token": "tök\\en"}
    assert status == json.loads(encode_status(claim(), CREDENTIALS))
    health = {"secureLogin": 'acme "quoted"', "token": "tök\\en", "uuid": "u"}
    assert health == json.loads(encode_health(CREDENTIALS, "u"))


def test_credentials_show_no_secret() -> None:
    """Neither repr nor format of credentials, or of an object with credentials, shows a secret."""
    assert ["Credentials(...)"] * 2 == [repr(CREDENTIALS), f"{CREDENTIALS}"]


def test_a_reply_of_success_is_read_as_the_vendor_means_it() -> None:
    """The vendor's own example, with its comma mended, gives each of its fields."""
    body = '{"error": 0, "description": "Success", "currency": "USD", "amount": 100, "transactionId": "bet-7"}'
    expected = Reply(200, "0", "Success", currency="USD", amount=Decimal(100), transaction_id="bet-7")
    assert expected == read(body)


USUAL_AND_NEARLY = {
    "error": ("0", '"0"', "00", '"00"', "-0", "0.0", "61", '" 0"', "null", '"0', '0"'),
    "description": (
        '"Success"',
        '"a, b: {c} #d"',
        '""',
        '"\\""',
        '"\\\\"',
        '"\u00e9"',
        '"\x7f"',
        f'"{"x" * 256}"',
        f'"{"x" * 257}"',
    ),
    "currency": ('"EUR"', '"eur"', '"EURO"', '"E\\u0055R"', "null", '""'),
    "amount": (
        *("0", "100", "1.50", '"1.50"', '"1.50', '1.50"', "01", "1.", ".5", "1e2", "-1", "-0", "1_0", "NaN"),
        *("9" * 20, "9" * 21, f"0.{'1' * 18}", f"0.{'1' * 19}", f"{'9' * 20}.{'9' * 18}"),
    ),
    "transactionId": ('"bet-7"', '""', '" "', '"a b"', '"a\\/b"', "7", f'"{"t" * 256}"', f'"{"t" * 257}"'),
}


@given(
    st.fixed_dictionaries({name: st.sampled_from(literals) for name, literals in USUAL_AND_NEARLY.items()}),
    st.lists(st.sampled_from(["", "", " ", "\n", "\t\r", "\f"]), min_size=22, max_size=22),
)
@settings(max_examples=500)
def test_the_usual_reply_is_read_like_any_other(literals: dict[str, str], blanks: list[str]) -> None:
    """The short way decodes the usual reply to the same values as the long way."""
    blank = iter(blanks)
    fields = [f'{next(blank)}"{name}"{next(blank)}:{next(blank)}{literals[name]}{next(blank)}' for name in literals]
    usual = f"{next(blank)}{{{','.join(fields)}"
    assert read(f'{usual}, "meaning": null}}{next(blank)}') == read(f"{usual}}}{blanks[-1]}")


def test_the_vendors_example_as_printed_is_not_believed() -> None:
    """The page's example lacks a comma, and a text that is not JSON says nothing."""
    body = '{"error": 0, "description": "Success", "currency": "USD" "amount": 100}'
    assert Reply(200, problem="the reply is not JSON") == read(body)


def test_a_status_reply_is_read() -> None:
    """GetRoundStatus gives the round's status and its bet, whose decimals come as texts."""
    body = '{"error":"0","roundId":"1","currency":"EUR","betAmount":"1.50","winAmount":"0","roundStatus":"InProgress"}'
    expected = Reply(
        200,
        "0",
        currency="EUR",
        round_id="1",
        round_status="InProgress",
        bet_amount=Decimal("1.50"),
        winnings=Decimal(0),
    )
    assert expected == read(body)


@pytest.mark.parametrize(
    ("code", "literal"),
    [
        *[("0", literal) for literal in ("0", "-0", "0.0", "0e5", "0E+999999", "0e-7", '"0"', '" 0 "')],
        *[("61", literal) for literal in ("61", "61.0", "6.1e1", '"61"', '"61 "')],
        ("-1", "-1"),
        ("1.5", "1.5"),
        ("E_BUSY", '"E_BUSY"'),
        ("00", '"00"'),
        ("", '""'),
        ("1E+64", "1e64"),
        ("9" * 64, "9" * 65_000),
        ("E" * 64, f'"{"E" * 65}"'),
    ],
)
def test_a_code_is_one_text_in_any_form(code: str, literal: str) -> None:
    """Numbers and texts of one code are equal; a text keeps all but blanks around it."""
    assert code == read(cancelled(error=literal)).code


@pytest.mark.parametrize("literal", NO_CODES)
def test_a_value_that_is_no_code_is_refused(literal: str) -> None:
    """Null, booleans, lists, objects, invalid JSON and huge numbers are no code."""
    expected = Reply(200, problem="the reply has no `error` that is a number or a string")
    assert expected == read(cancelled(error=literal))


@pytest.mark.parametrize(
    ("problem", "body"),
    [
        ("the reply is not JSON", b""),
        ("the reply is not JSON", b"<html>502</html>"),
        ("the reply is not JSON", b'{"error": 0'),
        ("the reply is not JSON", b'{"error": 0} {"error": 0}'),
        ("the reply is not JSON", b"{'error': 0}"),
        ("the reply is not JSON", b'{"error": 00}'),
        ("the reply is not UTF-8", b'{"error": 0, "description": "\xff"}'),
        ("the reply is not UTF-8", '{"error": 0}'.encode("utf-16")),
        ("the reply is not a JSON object", b"0"),
        ("the reply is not a JSON object", b'"0"'),
        ("the reply is not a JSON object", b'[{"error": 0}]'),
        ("the reply is not a JSON object", b"null"),
        ("the reply has no `error` that is a number or a string", b"{}"),
        ("the reply has no `error` that is a number or a string", b'{"Error": 0}'),
        ("the reply names a key twice", b'{"error": 1, "error": 0}'),
        ("the reply is longer than 65536 bytes", None),
    ],
)
def test_an_unreadable_reply_says_why(problem: str, body: bytes | None) -> None:
    """A body that is no JSON object with a code has no code, and a problem in words."""
    assert Reply(200, problem=problem) == read(body)


def test_a_byte_order_mark_is_no_obstacle() -> None:
    """A reply that begins with a UTF-8 byte order mark is read like any other."""
    assert "0" == read(b"\xef\xbb\xbf" + cancelled().encode()).code


@pytest.mark.parametrize("status", [100, 101, 199, 300, 302, 307, 400, 404, 429, 500, 502, 503, 599, 600, 999])
def test_a_body_counts_with_2xx_alone(status: int) -> None:
    """A success written into any other reply is not read."""
    assert Reply(status, problem=f"HTTP {status}") == read(cancelled(), status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_2xx_is_read(status: int) -> None:
    """The vendor promises 2xx for success, not 200."""
    assert (status, "0") == (read(cancelled(), status).http_status, read(cancelled(), status).code)


@pytest.mark.parametrize(
    ("amount", "literal"),
    [
        ("100", "100"),
        ("12.50", "12.50"),
        ("0.00", "-0.00"),
        ("0", "0E+999999"),
        ("0", '"0e999999"'),
        ("0", "0e99999999999"),
        ("1200", "1.2e3"),
        ("0.0000000000000001", "1E-16"),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
        ("99999999999999999999.999999999999999999", '"99999999999999999999.999999999999999999"'),
        ("99999999999999999999.999999999999999999", "99999999999999999999999999999999999999e-18"),
        ("12.50", '" 12.50 "'),
        ("0.5", '".5"'),
        ("5", '"5."'),
        ("5", '"+5"'),
    ],
)
def test_an_amount_is_exact_as_sent(amount: str, literal: str) -> None:
    """Number, text or exponent: every digit is kept, those at the end too, and none goes through a float."""
    found = read(cancelled(amount=literal)).amount
    assert found is not None
    assert amount == f"{found:f}"


@pytest.mark.parametrize(
    "literal",
    [
        *(
            "null",
            "true",
            "[]",
            "{}",
            '""',
            '" "',
            '"ten"',
            '"1,5"',
            '"1_000"',
            '"\u0661"',
            '"0x1"',
            '"1e"',
            '"."',
            '"1 2"',
        ),
        *("NaN", "Infinity", "-Infinity", '"NaN"', '"Infinity"', '"-1"', "-1", "-0.01"),
        *("100000000000000000000", "1e20", "1e999999", "1e99999999999", "1e99999999999999999999", '"1e9999999"'),
        *(
            "0.0000000000000000001",
            "1e-19",
            "1e-99999999999",
            "1.0000000000000000000",
            "1" * 65_000,
            "0." + "0" * 65_000,
        ),
    ],
)
def test_an_amount_that_makes_no_sense_is_not_kept(literal: str) -> None:
    """An amount that is no number, negative, or beyond 20 digits before and 18 after the point is None."""
    reply = read(cancelled(amount=literal))
    assert ("0", None) == (reply.code, reply.amount)


@pytest.mark.parametrize(
    ("currency", "literal"),
    [
        ("EUR", '"EUR"'),
        ("usd", '"usd"'),
        *[(None, odd) for odd in ('"EURO"', '"EU"', '"€€€"', '""', "978", "null", '"EUR "')],
    ],
)
def test_a_currency_is_three_letters(currency: str | None, literal: str) -> None:
    """A currency has three letters, and any other text is None."""
    assert currency == read(cancelled(currency=literal)).currency


@pytest.mark.parametrize(
    ("identifier", "literal"),
    [
        ("bet-7", '"bet-7"'),
        ("12345678901234567890123456789012345", "12345678901234567890123456789012345"),
        ("0", "0"),
        ("100000", "1e5"),
        *[
            (None, odd)
            for odd in ("null", "true", "[]", '""', '"  "', "1e64", "1e400", "0e400", '"\\u0000"', '"a\\ud800"')
        ],
        (None, f'"{"x" * 257}"'),
    ],
)
def test_a_transaction_id_is_kept_whole_or_not_at_all(identifier: str | None, literal: str) -> None:
    """An id that would have to be cut or altered is None, because it would be another one."""
    assert identifier == read(cancelled(transactionId=literal)).transaction_id


@pytest.mark.parametrize(
    ("round_id", "literal"),
    [
        *[("123456", ours) for ours in ('"123456"', "123456")],
        *[(None, none) for none in ("null", '""', '" "')],
        *[("", odd) for odd in ("1e400", "1e99999999999999999999", "NaN", "true", "[]", "{}", '"123456\\u0000"')],
        ("", f'"{"1" * 257}"'),
    ],
)
def test_an_unreadable_round_id_is_another_round(round_id: str | None, literal: str) -> None:
    """A reply without a round id differs from a reply with an id that cannot be ours."""
    assert round_id == read(cancelled(roundId=literal)).round_id


def test_a_description_is_cut_to_the_vendors_own_limit() -> None:
    """Words may be cut: 256 characters of a description are kept, and 64 of a round's status."""
    words = f'"{"x" * 5000}"'
    reply = read(cancelled(description=words, roundStatus=words))
    assert ("x" * 256, "x" * 64) == (reply.description, reply.round_status)


def test_an_unstorable_character_leaves_a_mark() -> None:
    """A character that neither a terminal nor PostgreSQL takes leaves a mark, and half a one another."""
    assert "a\ufffdb?c" == read(cancelled(description=r'"a\u001bb\ud800c"')).description


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (5.0, "5"),
        (5.0, " 5 "),
        (5.0, "00000000000000000005"),
        (0.0, "0"),
        (120.0, "Sun, 01 Mar 2026 12:02:00 GMT"),
        (120.0, "Sunday, 01-Mar-26 12:02:00 GMT"),
        (120.0, "Sun Mar  1 12:02:00 2026"),
        (120.0, "Sun, 01 Mar 2026 13:02:00 +0100"),
        (0.0, "Sun, 01 Mar 2026 11:00:00 GMT"),
        (3600.0, "9" * 400),
        (3600.0, "Fri, 31 Dec 9999 23:59:59 -2359"),
        (0.0, "Sunday, 01-Mar-77 12:02:00 GMT"),  # of 1977: 2077 is more than fifty years ahead
        *[
            (None, odd)
            for odd in ("", " ", "-1", "1.5", "soon", "\u0665", "5 s", "Sun, 99 Mar 2026 12:02:00 GMT", ",", "(")
        ],
        # Impossible dates: beyond the range of a date, an hour, or the distance from Greenwich.
        (None, "Sun, 01 Mar 9999999999 12:02:00 GMT"),
        (None, "Sun, 01 Mar 2026 9999999999:02:00 GMT"),
        (None, "Sun, 01 Mar 2026 12:02:00 +99999999999999"),
    ],
)
def test_retry_after_is_seconds_or_a_date(seconds: float | None, value: str) -> None:
    """Both forms of RFC 9110, its old dates included, are seconds from now, and anything else is nothing."""
    assert seconds == read(b"", 429, {"Retry-After": value}).retry_after


DATED = "Sun, 01 Mar 2026 13:00:00 GMT"


@pytest.mark.parametrize(
    ("seconds", "value", "date"),
    [
        (2.0, "Sun, 01 Mar 2026 13:00:02 GMT", DATED),  # a vendor whose clock is an hour ahead
        (2.0, "Sunday, 01-Mar-26 13:00:02 GMT", "Sun Mar  1 13:00:00 2026"),
        (2.0, "Sun Mar  1 13:00:02 2026", "Sunday, 01-Mar-26 13:00:00 GMT"),
        (2.0, "Sun, 01 Mar 2026 10:00:02 GMT", "Sun, 01 Mar 2026 10:00:00 GMT"),  # two hours behind
        (0.0, "Sun, 01 Mar 2026 12:30:00 GMT", DATED),
        (5.0, "5", DATED),
        (1800.0, "Mon, 02 Mar 2026 13:00:00 GMT", DATED),
        *[(120.0, "Sun, 01 Mar 2026 12:02:00 GMT", odd) for odd in ("", "soon", "5", "Sun, 99 Mar 2026 12:00:00 GMT")],
        (None, "soon", DATED),
    ],
)
def test_a_date_is_read_against_the_replys_own(seconds: float | None, value: str, date: str) -> None:
    """A pause until a date is counted from the reply's Date, from our clock without a Date, and never beyond the
    limit.
    """
    headers = {"Retry-After": value, "Date": date}
    assert seconds == decode(429, headers, b"", NOW, 1800).retry_after


@given(
    st.text(max_size=60) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [-+]?\w{1,6}")
)
@settings(deadline=None)
def test_no_retry_after_raises(value: str) -> None:
    """Any Retry-After is some seconds within the limit, or None."""
    found = read(None, 503, {"Retry-After": value}).retry_after
    assert found is None or 0 <= found <= 3600
    assert isinstance(found, float | None)  # a whole number would be no pause to who matches on float


json_literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("error"), inner, max_size=3)
    ),
    max_leaves=6,
).map(json.dumps)
error_literals = st.sampled_from([*NUMBERS, *ODD_NUMBERS, *TEXTS, *NO_CODES, "0x0", "zero"]) | json_literals


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body: a good reply, a damaged one, or noise."""
    reply = cancelled(error=draw(error_literals), amount=draw(json_literals), description=draw(json_literals)).encode()
    at, to = sorted(draw(st.tuples(st.integers(0, len(reply)), st.integers(0, len(reply)))))
    damaged = reply[:at] + draw(st.binary(max_size=4)) + reply[to:]
    return draw(st.sampled_from([reply, damaged]) | st.binary(max_size=200) | json_literals.map(str.encode))


@given(bodies())
@settings(deadline=None, max_examples=400)
@example(b'{"error": false}')
@example(b'{"error": 1, "error": 0}')
@example(b'[{"error": 0}]')
def test_only_a_zero_code_is_a_success(body: bytes) -> None:
    """Decoding never raises, and gives the code "0" only where a JSON object says zero, as a number or a text."""
    reply = read(body)
    assert (reply.code is None) == (reply.problem is not None)
    if reply.code == "0":
        document = json.loads(body.decode("utf-8-sig"), parse_int=Decimal, parse_float=Decimal)
        error = document["error"]
        assert not isinstance(error, bool)
        assert error.strip() == "0" if isinstance(error, str) else error == 0


@given(bodies(), st.integers(0, 999))
@settings(deadline=None)
@example(b'{"error": 0, "amount": 0e99999999999}', 200)
def test_a_decoded_reply_can_be_stored(body: bytes, status: int) -> None:
    """Texts hold nothing that PostgreSQL refuses, and amounts fit numeric(38, 18), also a zero with an exponent."""
    reply = read(body, status)
    for text in (reply.code, reply.description, reply.currency, reply.transaction_id, reply.round_status):
        assert text is None or ("\x00" not in text and len(text) <= 256 and text.encode().decode() == text)
    for amount in (reply.amount, reply.bet_amount):
        assert amount is None or (0 <= amount < 10**20 and len(str(amount)) <= 39)


@given(st.text(st.characters(exclude_categories=()), max_size=40))
@settings(deadline=None)
@example("\x00")
@example("\ud800")
@example("\ud83d\ude00")
def test_decoded_text_can_be_stored(text: str) -> None:
    """NULs and halves of characters, which JSON can write, are gone from every text."""
    literal = json.dumps(text)
    reply = read(cancelled(error=literal, description=literal, transactionId=literal, roundStatus=literal))
    for found in (reply.code, reply.description, reply.transaction_id, reply.round_status):
        assert found is None or ("\x00" not in found and found.encode("utf-8").decode() == found)


@st.composite
def amounts(draw: st.DrawFn) -> tuple[Decimal, str]:
    """An amount of up to 20 digits before and 18 after the point, and one way to write it."""
    whole = draw(st.integers(0, 10**20 - 1))
    fraction = draw(st.text("0123456789", max_size=18))
    plain = f"{whole}.{fraction}" if fraction else str(whole)
    exponents = f"{Decimal(plain):E}", f"{int(f'{whole}{fraction}')}e-{len(fraction)}"
    return Decimal(plain), draw(st.sampled_from([form for one in (plain, *exponents) for form in (one, f'"{one}"')]))


@given(amounts())
@settings(deadline=None, max_examples=300)
def test_amounts_round_trip(amount: tuple[Decimal, str]) -> None:
    """Up to 20 digits before and 18 after the point come through exactly, in whichever form they are written."""
    expected, literal = amount
    assert expected == read(cancelled(amount=literal)).amount
    assert expected == read(cancelled(betAmount=literal)).bet_amount


def hostile() -> list[Any]:
    """Bodies of the greatest size, each made to cost time."""
    size = REPLY_LIMIT_BYTES - 100
    literals = {
        "digits": "1" * size,
        "digits in a text": f'"{"1" * size}"',
        "fraction": "0." + "1" * size,
        "zeros": "0." + "0" * size,
        "exponent": "1e" + "9" * size,
        "exponent in a text": f'"1e{"9" * size}"',
        "exponent that fits": "1e999999",
        "small exponent": "1e-999999999999",
        "blanks": f'"{" " * size}1"',
        "lists": "[" * (size // 2) + "]" * (size // 2),
        "objects": '{"a":' * (size // 6) + "0" + "}" * (size // 6),
        "escapes": '"' + "\\u0000" * (size // 6) + '"',
        "halves": '"' + "\\ud800" * (size // 6) + '"',
        "keys": "{" + ",".join(f'"{n}":0' for n in range(size // 12)) + "}",
    }
    fields = ("error", "amount", "transactionId")
    return [
        *(
            pytest.param(cancelled(**{field: literal}).encode(), id=f"{name} as {field}")
            for name, literal in literals.items()
            for field in fields
        ),
        pytest.param(b"[" * REPLY_LIMIT_BYTES, id="lists without end"),
        pytest.param(b'{"error":' * (REPLY_LIMIT_BYTES // 9), id="objects without end"),
        pytest.param(b"\xff" * REPLY_LIMIT_BYTES, id="no UTF-8"),
    ]


@pytest.mark.parametrize("body", hostile())
def test_no_body_hangs_the_decoder(body: bytes) -> None:
    """64 KiB of the most expensive body are decoded in well under a second of processor time, without an error."""
    started = time.thread_time()
    reply = read(body)
    assert 1.0 > time.thread_time() - started
    assert (reply.code is None) == (reply.problem is not None)
