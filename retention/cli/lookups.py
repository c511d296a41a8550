"""A command's own words, before anything is connected to, and the names in them, before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from retention.core.names import NameKind, hint, known_text, listed
from retention.core.typed_text import is_blank
from retention.errors import UsageError
from retention.process.surroundings import tell

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import typer

    from retention.settings import Settings
    from retention.wiring.services import Services


HIGHEST = 2**63 - 1
"""The highest number that an id can have: bigint's."""

MOST = 1_000_000_000
"""Rounds or runs that a command may be limited to."""

LONGEST = 2000
"""Characters of a word on the command line; a longer one is not what was meant."""


def refuse_blanks(context: typer.Context) -> None:
    """Raise UsageError for a word of the command that cannot be read: by anybody, as text, or to its end.

    A blank one would stand for nobody, or for everything.
    """
    for param in context.command.params:
        value = context.params.get(param.name or "")
        for word in value if isinstance(value, list | tuple) else (value,):
            if not isinstance(word, str):
                continue
            spelt = max(param.opts, key=len)
            name = spelt if spelt.startswith("-") else spelt.upper()
            if not _is_utf8(word):
                raise UsageError(f"{name} is not UTF-8; write it in that encoding")
            if is_blank(word):
                raise UsageError(f"{name} must not be blank: write what can be read, or leave it out where it may be")
            if len(word) > LONGEST:
                raise UsageError(f"{name} has {len(word)} characters; write at most {LONGEST}")


def require_partner(settings: Settings, partner: str | None) -> None:
    """Raise UsageError for a partner that is not configured: nothing would be held or stopped, and be believed in."""
    has = list(settings.partners)
    if partner is not None and partner not in has:
        raise UsageError(f"--partner {partner}: not in the configuration, which has {listed(has)}{hint(partner, has)}")


def require_host(option: str, host: str) -> None:
    """Raise UsageError for what cannot be the name or the address of a host."""
    try:
        host.encode("idna")
    except UnicodeError:
        host = ""
    if is_blank(host):
        raise UsageError(f"{option}: no name or address of a host; write one such as 127.0.0.1 or ::1")


async def require_known(services: Services, option: str, kind: NameKind, given: Collection[str]) -> None:
    """Raise UsageError for a name that neither configuration nor ledger nor view has, and list those that they have.

    Where the operator's view does not tell soon, a warning has to do.
    """
    from retention.ledger.names import KnownNames
    from retention.runs.scope import configured_names

    configured = configured_names(services.settings, kind)
    strangers = [name for name in given if name not in configured]
    if not strangers:
        return
    found = await KnownNames(services.database).find_names(kind, strangers)
    strange = next((name for name in strangers if name not in found.names), None)
    if strange is None:
        return
    if not found.certain:
        warn(services, f"{option} {strange}: whether there is such a {kind} was not found out{found.why_not}")
        return
    known = configured | (await KnownNames(services.database).list_names(kind)).names
    where = "the configuration and the ledger" if kind is NameKind.POLICY else "configuration, ledger and open rounds"
    raise UsageError(f"{option} {strange}: unknown to {where}; {known_text(strange, known)}")


async def warn_of_no_match(services: Services, fields: Mapping[str, str | None]) -> None:
    """Say that a hold matches nothing now, and which spelling was perhaps meant."""
    from retention.ledger.names import KnownNames

    names, hints = KnownNames(services.database), []
    kinds = {"partner": NameKind.PARTNER, "market": NameKind.MARKET, "game_id": NameKind.GAME}
    for column, kind in kinds.items():
        if (given := fields[column]) is None:
            continue
        found = await names.find_names(kind, [given])
        if given not in found.names and found.certain:
            known = (await names.list_names(kind)).names
            hints.append(f"{kind} {given} has never been seen; {known_text(given, known)}")
    ids: tuple[Literal["user_id", "round_id"], ...] = ("user_id", "round_id")
    for column in ids:
        if (given := fields[column]) is None:
            continue
        others = await names.find_similar_ids(column, given)
        if others is None:
            hints.append(f"whether {given} is known in another spelling was not found out{names.why_not}")
        elif others:
            hints.append(f"{column} {given} is known in another spelling: did you mean {' or '.join(others)}?")
    warn(services, "; ".join(["the hold matches no round that is open now", *hints]))


def warn(services: Services, text: str) -> None:
    """Tell on stderr what whoever asked should know."""
    from retention.core.text import printable_lines

    tell(f"warning: {printable_lines(services.redactor.text(text))}")


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:  # bytes of the command line that could not be decoded
        return False
    return True
