"""The vendor's wire format in both directions.

Source of every rule: the vendor's Cancel Round page; where it is silent, the neighbouring pages of its v4
documentation. A reply can be relied on to hold `error` alone, so every other field may be missing.

The work per request is a few calls. Values are tuples, and one expression decodes the reply that the vendor
documents; a test holds it to the general decoder.
"""

from __future__ import annotations

import email.utils
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from retention.core.ascii_json import ascii_json
from retention.core.model import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.core.model import Claim, Credentials

REPLY_LIMIT_BYTES = 64 * 1024
"""Bytes; a longer reply is not read to its end and not believed."""

SUCCESS = range(200, 300)
"""HTTP statuses whose body is read."""

REQUEST_TIMEOUT = 408
"""The HTTP status of a server that gave up waiting for a request."""

NOT_UTF8 = "the reply is not UTF-8"
NOT_JSON = "the reply is not JSON"

DIGITS_BEFORE_POINT = 20
DIGITS_AFTER_POINT = 18
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_USUAL = re.compile(
    rb"""\s*{\s*"error"\s*:\s*(?:0|"0")\s*,
    \s*"description"\s*:\s*"([ !#-\[\]-~]{0,256})"\s*,
    \s*"currency"\s*:\s*"([A-Za-z]{3})"\s*,
    \s*"amount"\s*:\s*((?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?)\s*,
    \s*"transactionId"\s*:\s*"([!#-\[\]-~]{1,256})"\s*}\s*""".replace(rb"\s", rb"[ \t\r\n]"),
    re.VERBOSE,
)
"""The reply of the vendor's page, which nearly every reply is. One match decodes it at a third of the cost."""

_TEXT_LIMIT = 256  # the vendor's own limit for a description
_CODE_LIMIT = 64
_TWO_DIGIT_YEAR = re.compile(r"-[0-9]{2} ")
_CENTURY_S = 100 * 365.2425 * 86_400
MAX_PAUSE_S = 3600.0
"""The longest pause that a Retry-After may ask for, where the configuration gives no other limit."""


def encode_cancel(claim: Claim, credentials: Credentials, *, send_game_id: bool) -> bytes:
    """Body of a CancelRound request."""
    body = {
        "secureLogin": credentials.secure_login,
        "userId": claim.user_id,
        "roundId": claim.round_id,
        "token": credentials.token,
        "uuid": claim.uuid,
    }
    if send_game_id and claim.game_id:
        body["gameId"] = claim.game_id
    return ascii_json(body)


def encode_status(claim: Claim, credentials: Credentials) -> bytes:
    """Body of a GetRoundStatus request."""
    return ascii_json(
        {
            "secureLogin": credentials.secure_login,
            "roundId": claim.round_id,
            "uuid": claim.uuid,
            "token": credentials.token,
        }
    )


def encode_health(credentials: Credentials, uuid: str) -> bytes:
    """Body of a HealthCheck request."""
    return ascii_json({"secureLogin": credentials.secure_login, "token": credentials.token, "uuid": uuid})


def decode(
    status: int, headers: Mapping[str, str], body: bytes | None, now: datetime, max_pause: float = MAX_PAUSE_S
) -> Reply:
    """Decode a reply as far as possible; never raises.

    `headers` is looked up by `Retry-After` and `Date` alone; `max_pause` is the longest pause in seconds. `body` is
    None where it was longer than REPLY_LIMIT.
    """
    if status not in SUCCESS:
        pause = _retry_after(headers, now, max_pause)
        return Reply(status, retry_after=pause, problem=f"HTTP {status}")
    return decode_success(status, body)


def decode_success(status: int, body: bytes | None) -> Reply:
    """Decode a reply whose status says success; `body` as in `decode`."""
    if body is not None and (usual := _USUAL.fullmatch(body)):
        description, currency, amount, transaction_id = usual.groups()
        return Reply(
            status, "0", description.decode(), currency.decode(), Decimal(amount.decode()), transaction_id.decode()
        )
    if body is None:
        return Reply(status, problem=f"the reply is longer than {REPLY_LIMIT_BYTES} bytes")
    document, problem = parse_object(body)
    if problem:
        return Reply(status, problem=problem)
    code = _code(document.get("error"))
    if code is None:
        return Reply(status, problem="the reply has no `error` that is a number or a string")
    return Reply(
        status,
        code=code,
        description=_text(document.get("description"), _TEXT_LIMIT),
        currency=_currency(document.get("currency")),
        amount=_amount(document.get("amount")),
        transaction_id=read_identifier(document.get("transactionId")),
        round_id=_round(document.get("roundId")),
        round_status=_text(document.get("roundStatus"), _CODE_LIMIT),
        bet_amount=_amount(document.get("betAmount")),
        winnings=(winnings := _amount(document.get("winAmount"))),
        winnings_unclear=winnings is None and document.get("winAmount") is not None,
    )


_NONSENSE = False
"""A value that is neither null nor of any use. Every field treats a boolean so."""


class _AmbiguousError(ValueError):
    """A JSON object names a key twice, and either value could be the wrong one."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _AmbiguousError
    return document


def _number(literal: str) -> Decimal | bool:
    try:
        return Decimal(literal)
    except InvalidOperation:  # an exponent beyond Decimal's range is no amount, no identifier and no code
        return _NONSENSE


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_number,
    parse_int=_number,
    parse_constant=lambda _: _NONSENSE,
)


def parse_object(body: bytes) -> tuple[dict[str, Any], str | None]:
    """Parse a JSON object whose numbers are Decimals; returns the object, and why the body is none."""
    try:
        document = _DECODER.decode(body.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError:
        return {}, NOT_UTF8
    except _AmbiguousError:
        return {}, "the reply names a key twice"
    except (ValueError, RecursionError):
        return {}, NOT_JSON
    if not isinstance(document, dict):
        return {}, "the reply is not a JSON object"
    return document, None


def _code(value: object) -> str | None:
    """Read a code as text: 0, "0" and 0.0 are all "0". Booleans, null, arrays and objects are no code."""
    if isinstance(value, str):
        return _text(value.strip(), _CODE_LIMIT) or ""
    if isinstance(value, Decimal):
        if not value:
            return "0"  # of any exponent
        if value == value.to_integral_value() and value.adjusted() < _CODE_LIMIT:
            return str(int(value))
        return str(value)[:_CODE_LIMIT]
    return None


def _text(value: object, limit: int) -> str | None:
    """Read a text that PostgreSQL can store and a terminal can show: no control characters, no lone surrogate."""
    if not isinstance(value, str):
        return None
    if value.isascii() and value.isprintable():  # as nearly always
        return value[:limit]
    return _CONTROL.sub("\ufffd", value).encode("utf-8", "replace").decode()[:limit]


def _currency(value: object) -> str | None:
    return value if isinstance(value, str) and _CURRENCY.fullmatch(value) else None


def read_identifier(value: object) -> str | None:
    """Read an identifier unchanged. A cut or altered identifier would be another one, so it is None."""
    if isinstance(value, Decimal):
        value = format(value, "f") if abs(value.adjusted()) < _CODE_LIMIT else None
    text = _text(value, _TEXT_LIMIT)
    return text if text and text == value and not text.isspace() else None


def _round(value: object) -> str | None:
    """Read the round's id: None where it is missing, and empty where it cannot be read and so is not ours."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return read_identifier(value) or ""


def _amount(value: object) -> Decimal | None:
    """Read an amount exactly as sent. A negative one, or one beyond the vendor's string(32,18), is None."""
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value.strip()):
            return None
        value = Decimal(value.strip())
    if not isinstance(value, Decimal) or value < 0:
        return None
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # NaN and infinities have been refused above, by both hooks
    if -exponent > DIGITS_AFTER_POINT or (value and value.adjusted() >= DIGITS_BEFORE_POINT):
        return None
    if not value and exponent > 0:
        return Decimal(0)  # PostgreSQL does not read 0E+99999999999
    return value.copy_abs()  # -0 is 0; abs() would round to the context's 28 digits


def _retry_after(headers: Mapping[str, str], now: datetime, longest: float) -> float | None:
    """Read either form of RFC 9110 section 10.2.3, in seconds from now; None where it is missing or makes no sense.

    A date comes from the vendor's clock, so it counts from the reply's own Date, or from `now` without a Date.
    """
    value = (headers.get("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), longest)
    if (until := http_date(value, now)) is None:
        return None
    sent = http_date(headers.get("Date") or "", now) or now
    return min(max((until - sent).total_seconds(), 0.0), longest)


def http_date(value: str, now: datetime) -> datetime | None:
    """Read any of the three forms of RFC 9110 section 5.6.7, all in GMT; None where the text makes no sense."""
    try:
        at = email.utils.parsedate_to_datetime(value.strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if _TWO_DIGIT_YEAR.search(value) and (at - now).total_seconds() > _CENTURY_S / 2:
            at = at.replace(year=at.year - 100)
    except (ValueError, OverflowError):  # the latter where a number is too great to be a year, an hour or a zone
        return None
    return at
