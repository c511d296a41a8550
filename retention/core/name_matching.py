"""Given names: the known name that was probably meant, and the list of known names for an error."""

from __future__ import annotations

import enum
import unicodedata
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING
from uuid import UUID

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

IGNORED_SIGNS = "{}()[]<>\"'-_:./ "
"""Signs that two spellings of one name may differ by, besides the case."""

MAX_LISTED = 20
"""Names in one list, at most."""


class NameKind(enum.StrEnum):
    """The kind of thing that a name names."""

    MARKET = "market"
    GAME = "game"
    PARTNER = "partner"
    POLICY = "policy"


_WITHOUT = str.maketrans(dict.fromkeys(IGNORED_SIGNS))


def normalized(name: str) -> str:
    """Normalize a name, so that all its spellings agree: no case, no width, no punctuation, no `urn:uuid:`."""
    return unicodedata.normalize("NFKC", name).casefold().translate(_WITHOUT).strip().removeprefix("urnuuid")


def other_spellings(given: str) -> set[str]:
    """The other usual spellings of an id, such as a UUID in capitals and without dashes."""
    bare = given.strip(" {}()").removeprefix("urn:uuid:")
    forms = {bare, bare.replace("-", "")}
    with suppress(ValueError):
        uuid = UUID(bare)
        forms |= {str(uuid), uuid.hex, f"{{{uuid}}}"}
    return {cased for form in forms for cased in (form, form.lower(), form.upper())} - {given}


def closest_name(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that was probably meant: the same name in another spelling, else a similar name."""
    folded: dict[str, str] = {}
    for one in sorted(known):
        folded.setdefault(normalized(one), one)
    close = get_close_matches(normalized(name), folded, n=1)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Ask whether a similar known name was meant, as the end of a sentence; empty where no name is similar."""
    meant = closest_name(name, known)
    return f"; did you mean {printable(meant)}?" if meant is not None else ""


def list_names(known: Collection[str]) -> str:
    """List at most MAX_LISTED names, a set in alphabetical order, and count the others."""
    names = sorted(known) if isinstance(known, set | frozenset) else list(known)
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(map(printable, names[:MAX_LISTED])) + more if names else "none"


def known_names_text(name: str, known: Collection[str]) -> str:
    """List the known names, and name the one that was probably meant."""
    return f"known: {list_names(known)}{did_you_mean(name, known)}"
