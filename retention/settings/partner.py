"""[partners.NAME]: one account at the vendor, and the address of each call."""

from __future__ import annotations

import enum
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from retention.core.model import Treatment
from retention.core.sending.reply_rules import DEFAULT_CODES
from retention.settings.fields import (
    COUNT,
    DURATION,
    MANY,
    SWITCH,
    Codes,
    Duration,
    DurationOrNone,
    Login,
    Name,
    Says,
    Table,
    Token,
    Url,
    key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.settings.secret import Secret

NO_ADDRESS = "no_address"
"""The type of the error for a call without an own address and without `api_url`."""


class Call(enum.Enum):
    """A call of the vendor's API: the key that names its whole address, and its path below `api_url`."""

    CANCEL = ("cancel_url", "/v4/CancelRound")
    STATUS = ("status_url", "/history/GetRoundStatus")
    HEALTH = ("health_url", "/v4/HealthCheck")
    ROUNDS = ("rounds_url", "/history/GetGameRounds")

    def __init__(self, key: str, path: str) -> None:
        self.key = key
        self.path = path


def _address(call: Call) -> Any:
    return key(f'"https://api.example.com{call.path}"', "an https address")


def _own_address(call: Call) -> Says:
    name = call.path.rpartition("/")[2]
    return Says(
        f"The whole address of {name}, where the vendor gave one for this call alone.",
        default=f"`<api_url>{call.path}`",
    )


_PER_SECOND = key(
    "20",
    "a number of requests per second, from 0.000001 to 1000000000",
    ge=0.000_001,
    le=1_000_000_000,
    allow_inf_nan=False,
)
_LOGIN = key('"acme"', "a string")
_TOKEN = key('"the-token-of-this-partner"', "a string")
_TREATMENTS = "a table of vendor codes, each one of " + ", ".join(Treatment)


class Partner(Table):
    """One account at the vendor."""

    name: str
    secure_login: Annotated[Login, _LOGIN, Says("The account's name at the vendor, at most 32 characters.")]
    cancel_url: Annotated[Url | None, _address(Call.CANCEL), _own_address(Call.CANCEL)] = None
    status_url: Annotated[Url | None, _address(Call.STATUS), _own_address(Call.STATUS)] = None
    health_url: Annotated[Url | None, _address(Call.HEALTH), _own_address(Call.HEALTH)] = None
    rounds_url: Annotated[Url | None, _address(Call.ROUNDS), _own_address(Call.ROUNDS)] = None
    status_probe: Annotated[
        bool, key("true", SWITCH), Says("Whether GetRoundStatus may be asked to settle a doubt.")
    ] = True
    api_url: Annotated[
        Url | None,
        key('"https://api.example.com"', "an https address", validate_default=True),
        Says(
            "The address that the vendor gave to you alone: https, a path is allowed. Each call goes to it with "
            "the call's own path, such as `<api_url>/v4/CancelRound`.",
            default="required, unless each call that is used has an address of its own",
        ),
    ] = None
    token: Annotated[Token, _TOKEN, Says("The account's token, at most 36 characters.")]
    rate: Annotated[float, _PER_SECOND, Says("Cancel requests per second, over all replicas together.")]
    question_rate: Annotated[
        float | None, _PER_SECOND, Says("Status probes per second, over all replicas together.", default="as `rate`")
    ] = None
    rate_group: Annotated[
        Name | None,
        key('"lm"', "the name of a [rate_groups.NAME]"),
        Says(
            "The group of partners that share one more limit at the vendor: [rate_groups.NAME].",
            default="no other partner shares a limit with this one",
        ),
    ] = None
    concurrency: Annotated[
        int,
        key("50", "a whole number from 1 to 1000", ge=1, le=1000),
        Says("Requests in flight, cancels and probes together, for each process.", unit="requests"),
    ] = 50
    timeout: Annotated[
        Duration,
        key('"10s"', DURATION),
        Says("The limit for making a connection, and then for one request, from its first byte to the reply's last."),
    ] = timedelta(seconds=10)
    max_attempts: Annotated[
        int,
        key("5", COUNT, ge=1, le=MANY),
        Says(
            "Cancel requests for one round in one run. Probes are counted apart, up to the same number.",
            unit="requests",
        ),
    ] = 5
    max_runs: Annotated[
        int,
        key("3", COUNT, ge=1, le=MANY),
        Says(
            "A round that ended rejected or already_completed in so many runs is not planned again before a "
            "person resolves it.",
            unit="runs",
        ),
    ] = 3
    max_pause: Annotated[
        Duration,
        key('"1h"', DURATION),
        Says(
            "The longest pause that a Retry-After of the vendor may cause. `retention resume` ends such a pause "
            "earlier."
        ),
    ] = timedelta(hours=1)
    ask_first: Annotated[
        bool | None,
        key("true", SWITCH),
        Says(
            "Whether the vendor is asked about a round before its first cancel in a run. Only rounds in progress "
            "are then cancelled, and a ledger that was restored from a copy cancels nothing twice. Needs "
            "status_probe.",
            default="as `status_probe`",
        ),
    ] = None
    refund_within: Annotated[
        DurationOrNone,
        key('"0s"', DURATION),
        Says("`reconcile` misses a refund that retention.wallet_refunds does not have this long after the cancel."),
    ] = timedelta(0)
    refund_in_reply: Annotated[
        bool,
        key("true", SWITCH),
        Says(
            "Whether a success of this vendor names currency, amount and transactionId. With false, their "
            "absence needs no review."
        ),
    ] = True
    send_game_id: Annotated[bool, key("true", SWITCH), Says("Whether requests name the game.")] = True
    codes: Annotated[
        Codes,
        key('{ "61" = "already_cancelled" }', _TREATMENTS),
        Says(
            "The meaning of this vendor's codes, where it differs from the default: cancelled, "
            "already_cancelled, already_completed, retry, rejected or unauthorized.",
            default="no code differs",
        ),
    ] = Field(default_factory=dict)

    @cached_property
    def treatments(self) -> Mapping[str, Treatment]:
        """The meaning of each code: the default mapping, overridden by this partner's `codes`."""
        return {**DEFAULT_CODES, **self.codes}

    @field_validator("api_url")
    @classmethod
    def _leads_to_every_call(cls, api_url: Secret | None, info: ValidationInfo) -> Secret | None:
        used = [Call.CANCEL, *([Call.STATUS] if info.data.get("status_probe") else []), Call.HEALTH]
        # A refused address is not in `info.data`; it has an error already.
        lacking = [call.key for call in used if call.key in info.data and info.data[call.key] is None]
        if api_url is None and lacking:
            raise PydanticCustomError(NO_ADDRESS, "an address is missing", {"lacking": lacking})
        return api_url

    @field_validator("ask_first")
    @classmethod
    def _can_ask(cls, ask_first: bool | None, info: ValidationInfo) -> bool | None:
        if ask_first and info.data.get("status_probe") is False:
            raise ValueError(
                "is true, but status_probe = false forbids to ask; set status_probe = true, or leave ask_first out"
            )
        return ask_first

    @property
    def asks_first(self) -> bool:
        """Whether the vendor is asked before a round's first cancel."""
        return self.status_probe if self.ask_first is None else self.ask_first

    @property
    def questions_per_second(self) -> float:
        """Status probes per second, from all replicas together."""
        return self.rate if self.question_rate is None else self.question_rate

    def addresses(self) -> list[Secret]:
        """Every address that is configured."""
        every = (self.api_url, *(getattr(self, call.key) for call in Call))
        return [address for address in every if address is not None]

    def secrets(self) -> list[Secret]:
        """The secrets that its calls carry, and their addresses."""
        return [self.secure_login, self.token, *self.addresses()]

    def address(self, call: Call) -> str:
        """The current address of a call; its secret's file may have changed. Empty for a call that is not used."""
        own: Secret | None = getattr(self, call.key)
        if own is not None:
            return own.reveal()
        return _joined(self.api_url.reveal(), call.path) if self.api_url is not None else ""


@lru_cache(maxsize=64)
def _joined(api_url: str, path: str) -> str:
    return api_url.rstrip("/") + path
