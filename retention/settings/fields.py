"""The types of the configuration's keys, and the description of a key.

A key's description completes "must be ..." in an error, and the error suggests the key's example. Examples are TOML;
the type of an example is also the type of a value from the environment. `Says` is the key's meaning: the comment in
`retention init`'s file and the table in deploy/REFERENCE.md are both made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from retention.core.model import Treatment
from retention.settings import rules
from retention.settings.durations import format_duration
from retention.settings.secret import Secret

Dsn = Annotated[Secret, BeforeValidator(rules.secret(rules.check_dsn))]
Login = Annotated[Secret, BeforeValidator(rules.secret(rules.TextOf(32)))]
Token = Annotated[Secret, BeforeValidator(rules.secret(rules.TextOf(36)))]
Url = Annotated[Secret, BeforeValidator(rules.secret(rules.check_url))]
Webhook = Annotated[Secret, BeforeValidator(rules.secret(rules.check_webhook))]
SigningKey = Annotated[Secret, BeforeValidator(rules.secret(rules.check_signing_key))]
AppriseUrl = Annotated[Secret, BeforeValidator(rules.secret(rules.check_apprise))]

Name = Annotated[str, AfterValidator(rules.name)]
Words = Annotated[tuple[str, ...], AfterValidator(rules.words)]
Codes = Mapping[Name, Annotated[Treatment, Field(strict=False)]]
Currency = Annotated[str, AfterValidator(rules.currency)]
Amounts = Mapping[Currency, Annotated[Decimal, BeforeValidator(rules.money)]]
Cron = Annotated[str, AfterValidator(rules.schedule)]
Zone = Annotated[str, AfterValidator(rules.timezone)]
Duration = Annotated[timedelta, BeforeValidator(rules.duration), PlainSerializer(format_duration)]
DurationOrNone = Annotated[timedelta, BeforeValidator(rules.duration_or_none), PlainSerializer(format_duration)]


@dataclass(frozen=True, slots=True)
class Says:
    """The meaning of a key, in sentences for an operator.

    `unit` names the unit of a bare number. `default` describes the absence of a key without a default value, such as
    "all" or "as `rate`".
    """

    meaning: str
    unit: str = ""
    default: str = ""


def key(example: str, must_be: str, **limits: Any) -> Any:
    return Field(examples=[example], description=must_be, **limits)


def list_of(example: str, of: str, at_least: int = 0, **limits: Any) -> Any:
    must_be = f"a list of {of}" + (", not empty: without the key it is all of them" if at_least else "")
    return key(example, must_be, min_length=at_least, strict=False, **limits)


MANY = 1_000_000_000
"""The largest count: a larger number does not fit into the ledger's columns."""

COUNT = f"a whole number from 1 to {MANY}"
COUNT_OR_NONE = f"a whole number from 0 to {MANY}"
SWITCH = "true or false"
DURATION = "a duration"


class Table(BaseModel):
    """A table of the file. Strict: a string is no number, and a number no boolean."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", frozen=True, hide_input_in_errors=True, strict=True
    )


TableT = TypeVar("TableT", bound=Table)
