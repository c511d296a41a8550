"""Approvals: the persons that may decide on a run, the digest that they mean, and how far a run's approval is.

The ledger decides the same in SQL (`sql/migrations/0002_approvals.sql`), under a lock and by its own clock, and no run
goes around that. These functions decide before it, in words for people.
"""

from __future__ import annotations

import unicodedata

from retention.core.invisible_text import is_invisible

BLANKS = "".join(chr(point) for point in range(0x3001) if unicodedata.category(chr(point))[0] == "Z")
"""The blanks of Unicode, of any width."""


def fold_name(name: str) -> str:
    """Write a person's name as it is compared: without case, outer blanks, invisible signs and Unicode form.

    `retention.fold_name` in SQL is the same function, for the letters of the server's version of Unicode.
    """
    composed = unicodedata.normalize("NFKC", name)
    visible = "".join(sign for sign in composed if not is_invisible(sign))
    return unicodedata.normalize("NFKC", visible.casefold()).strip(BLANKS)
