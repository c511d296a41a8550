"""Two names for one account at the vendor: each of its rounds could be cancelled twice."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from retention.settings.partner import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from retention.settings.partner import Partner

Place = tuple[str | None, int | None, str]
"""Host, port and path."""


def same_accounts(partners: Iterable[Partner]) -> Iterator[tuple[str, str, str]]:
    """Find pairs of partners that are one account: both names, and the keys that show it.

    The vendor knows an account by its secureLogin. Two partners are one account when their logins differ at most in
    letter case, and they share an address or a token.
    """
    for one, other in combinations(partners, 2):
        if one.secure_login.reveal().casefold() != other.secure_login.reveal().casefold():
            continue
        if _place(one.address(Call.CANCEL)) == _place(other.address(Call.CANCEL)):
            yield one.name, other.name, "secure_login and the address of CancelRound"
        elif one.token.reveal() == other.token.reveal():
            yield one.name, other.name, "secure_login and token"


def _place(address: str) -> Place:
    """Return host, port and path of an address, parsed as the client that sends the request parses it."""
    from yarl import URL  # noqa: PLC0415 - only two partners with one login pay for the import

    try:
        url = URL(address)
        host = url.raw_host.rstrip(".") if url.raw_host else None
    except ValueError:  # no request can be sent there, so only the same text is the same place
        return None, None, address
    return host, url.port, url.raw_path.rstrip("/")
