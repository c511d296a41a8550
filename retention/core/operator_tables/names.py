"""The words in the names of tables and columns, and how well a name fits a meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")

NAME_BYTES = 63
"""The longest name that PostgreSQL keeps."""

Rules = tuple[str, ...]
"""Regular expressions over a name's words, the best first."""

_VENDOR = "(?:vendor|provider|supplier|external|ext|remote|partner|third_party|lucky_monaco|lm)"
_OUTER = "(?:vendor|external|ext|remote|third_party)"
_PERSON = "(?:user|player|customer|member|punter|gamer|client|account|acc|patron)"
_ROUND = "(?:game_round|round|spin|hand|play|bet_round|game_play|game_instance|ticket)"
_ID = "(?:id|ref|reference|uid|uuid|guid|key|code|no|number|nr)"

PERSON_TABLE: Rules = (rf"(?:.*_)?{_PERSON}s?(?:_.*)?",)
VENDOR_USER: Rules = (
    rf"{_VENDOR}_{_PERSON}(?:_{_ID})?",
    rf"{_PERSON}_{_VENDOR}_{_ID}",
    rf"{_OUTER}_{_ID}",
)
USER: Rules = (rf"{_PERSON}_{_ID}", _PERSON, rf"(?:uid|login|{_PERSON}name)")
VENDOR_ROUND: Rules = (
    rf"{_VENDOR}_{_ROUND}(?:_{_ID})?",
    rf"{_ROUND}_{_VENDOR}_{_ID}",
    rf"(?:{_ROUND}_)?(?:ext|external)_{_ID}",
)
ROUND: Rules = (rf"{_ROUND}_{_ID}", rf"{_ROUND}", rf"(?:public_)?{_ID}")
PARTNER: Rules = (
    "partner(?:_id|_code|_name)?",
    "secure_login",
    "(?:vendor|provider)_account(?:_id|_name)?",
    "account(?:_name|_code)?",
    "(?:operator|brand|skin|site|tenant|licensee)(?:_id|_code|_name)?",
)
PROVIDER: Rules = ("(?:game_)?(?:provider|vendor|supplier|aggregator|studio)(?:_code|_name|_key|_slug|_id)?",)
MARKET: Rules = (
    "(?:market|jurisdiction)(?:_code)?",
    "(?:licen[cs]e|regulator|regulation)(?:_code)?",
    "(?:player_|user_)?country(?:_code|_iso|_iso2)?",
    "region(?:_code)?",
)
GAME: Rules = (
    rf"{_VENDOR}_game_{_ID}",
    f"game_{_VENDOR}_{_ID}",
    "game_(?:code|key|slug|symbol|ref|identifier)",
    f"game_{_ID}",
    "game",
    "game_name",
)
GAME_TABLE: Rules = ("(?:.*_)?games?(?:_.*)?",)
GAME_CODE: Rules = (
    rf"{_VENDOR}_(?:game_)?{_ID}",
    "(?:game_)?(?:code|key|slug|symbol|identifier|ref)",
)
OPENED: Rules = (
    "(?:opened|open)(?:_(?:at|time|on|ts|date|datetime))?",
    "(?:round_)?(?:started|start|begin|began|begun)(?:_(?:at|time|on|ts|date|datetime|timestamp))?",
    "(?:placed|bet)_(?:at|time|on|ts)",
    "(?:created|create|creation|inserted|insert)(?:_(?:at|time|on|ts|date|datetime|timestamp))?",
    "(?:timestamp|time|ts|date_created|date|occurred_at)",
)
ACTIVITY: Rules = (
    "last_(?:activity|active|bet|action|event|play|played|move|seen|transaction|tx)(?:_(?:at|time|on|ts))?",
    "(?:updated|modified|changed|update|last_update|last_updated|last_modified)(?:_(?:at|time|on|ts|date))?",
)
UPDATED: Rules = ("(?:updated|modified|last_updated|last_modified|date_updated)(?:_(?:at|time|on|ts))?",)
ENDED: Rules = (
    "(?:closed|settled|completed|finished|ended|resolved|end|finish|close)(?:_(?:at|time|on|ts|date|datetime))?",
    "date_(?:closed|settled|ended|finished)",
)
CANCELLED_TIME: Rules = ("(?:cancel|cancell)ed_(?:at|time|on|ts)", "void(?:ed)?_at")
DELETED_TIME: Rules = ("(?:deleted|removed)_(?:at|time|on|ts|date)", "date_deleted")
DELETED_FLAG: Rules = ("(?:is_)?(?:deleted|removed)",)
STATE: Rules = (
    f"(?:(?:{_ROUND}|game)_)?(?:state|status|phase)(?:_(?:id|code|name))?",
    "(?:is_)?(?:open|active|in_progress|running|ongoing)",
    "(?:is_|has_)?(?:closed|settled|completed|finished|ended|complete|over|done)",
)
CURRENCY: Rules = ("(?:currency|ccy|cur)(?:_(?:code|iso|id|key))?", "(?:bet|stake|wager)_currency(?:_code)?")
CODE: Rules = (
    "(?:iso|iso2|iso_2|iso_code|alpha2|alpha_2|code|iso_alpha2|iso_alpha_2|country_code)",
    "(?:key|slug|symbol)",
    "name",
)
STAKE: Rules = (
    "(?:total_)?(?:stake|wager|bet)s?(?:_(?:amount|total|sum|value))?(?:_(?:cents?|minor|units|minor_units))?",
    "(?:amount|value|sum)_?(?:staked|wagered|bet)?(?:_(?:cents?|minor|units|minor_units))?",
    "debit(?:_amount)?",
)
MINOR: Rules = (".*(?:cents?|minor|pence|minor_units?|subunits?)",)
BET_TRANSACTION: Rules = (
    "(?:bet|stake|debit|wager)_(?:transaction|tx|txn|trx)(?:_(?:id|ref|uuid|key))?",
    f"{_VENDOR}_(?:bet_)?(?:transaction|tx|txn)(?:_(?:id|ref))?",
    "bet_(?:id|ref|uuid)",
)
BET_TABLE: Rules = ("(?:.*_)?(?:bet|wager|stake)s?(?:_.*)?", "(?:.*_)?(?:transaction|tx|action|event|movement)s?")
KIND: Rules = ("(?:.*_)?(?:type|kind|action|operation|direction)(?:_(?:id|code|name))?",)
VERSION: Rules = ("(?:lock_)?version", "row_version", "opt_lock")
SEQUENCE: Rules = (f"(?:{_ROUND}_)?(?:no|nr|number|seq|sequence|index|idx|ordinal|num)",)
REFUND: Rules = ("refund(?:ed)?(?:_amount)?",)
REFUND_CURRENCY: Rules = ("refund(?:ed)?_currency",)
REFUND_TRANSACTION: Rules = ("refund(?:ed)?_(?:transaction|tx|txn)(?:_id|_ref)?",)


def words(name: str) -> str:
    """Return a name's words in lower case with an underscore between them: `vendorRoundID` is vendor_round_id."""
    spaced = _HUMPS.sub("_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def fit(name: str, rules: Rules) -> int | None:
    """Return the place of the first rule that a name fits, None where none does; 0 is best."""
    found = words(name)
    return next((place for place, rule in enumerate(rules) if re.fullmatch(rule, found)), None)


def fits(name: str, rules: Rules) -> bool:
    """Whether a name fits one of the rules."""
    return fit(name, rules) is not None


def quote(name: str) -> str:
    """Quote a name that we derived; one with a suffix of ours is no reserved word."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text as a value."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'" if "\\" not in escaped else "E'" + escaped.replace("\\", "\\\\") + "'"


def derived_name(name: str, suffix: str) -> str:
    """Name an index after a table, within the longest name that PostgreSQL keeps."""
    kept = name
    while len((kept + suffix).encode()) > NAME_BYTES:
        kept = kept[:-1]
    return kept + suffix


def listed(names: Sequence[str], joint: str = "or") -> str:
    """List names for a comment: a, b or c. None of them can leave the comment."""
    shown = [printable(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}"
