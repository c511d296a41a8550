"""Builds the redactor from the secrets of a configuration."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retention.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.settings.model import Settings

    Sources = tuple[Callable[[], list[str]], Callable[[], set[str]], Callable[[], set[str]]]

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts that are no secret."""


def redactor_of(settings: Settings) -> Redactor:
    """Return a redactor that masks the secrets of this configuration."""
    return Redactor(*secret_sources(settings))


def secret_sources(settings: Settings) -> Sources:
    """Return the arguments of `Redactor`, and of `Redactor.follow`, for this configuration."""
    every = settings.every_secret()
    urls = [url for partner in settings.partners.values() for url in partner.addresses()]
    urls += [url for target in settings.notify.values() for url in (target.webhook, target.apprise) if url]
    listed: list[str] = []
    seen: list[int] | None = None

    def secrets() -> list[str]:
        # Called for every log line, so it must not read files. A secret that has not been read yet cannot appear in any
        # output.
        nonlocal listed, seen
        revisions = [secret.revision for secret in every]
        if revisions != seen:
            listed = [*settings.secrets(), *(part for url in urls for part in _parts(url.reveal()))]
            seen = revisions
        return listed

    return (
        secrets,
        lambda: {*settings.partners, *settings.policies},
        lambda: {partner.secure_login.reveal() for partner in settings.partners.values()},
    )


@lru_cache(maxsize=64)
def _parts(address: str) -> tuple[str, ...]:
    """Return the parts of an address that are secret by themselves: a vendor may repeat the path of a request."""
    url = urlsplit(address)
    host = "" if url.hostname in LOOPBACK else url.hostname
    return tuple(part for part in (url.netloc, host, url.path.rstrip("/"), url.query, url.password) if part)
