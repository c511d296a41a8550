"""`ledger pseudonymise`: users' ids are replaced, and the proof is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import warn
from retention.cli.options import By
from retention.cli.parsing import duration, requester
from retention.core.text import counted
from retention.errors import UsageError
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from retention.audit.pseudonymise import Erased
    from retention.wiring.services import Services


def _age(user: str | None, older_than: str | None) -> timedelta | None:
    """Read the age. Raises UsageError unless exactly one of the two options is given."""
    if (user is None) == (older_than is None):
        raise UsageError("give --user U, or --older-than D: one of them")
    if user is not None and user.startswith("pseudonym:"):
        raise UsageError(f"--user {user}: this is a pseudonym; write the user's own id")
    return duration("--older-than", older_than) if older_than is not None else None


@command(ready_for="ledger pseudonymise", check=_age)
async def ledger_pseudonymise(
    services: Services,
    checked: timedelta | None,
    /,
    by: By,
    user: Annotated[str | None, typer.Option(metavar="U", help="The user whose id is replaced.")] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="D", help="All ids in rows settled or ended so long ago, such as 365d.")
    ] = None,
) -> int:
    """Replace users' ids by keyed pseudonyms in rows that need them no more. The evidence stays proved."""
    from retention.audit.pseudonymise import pseudonymise
    from retention.ledger.archives import Archives

    done = await pseudonymise(services.database, user, checked, requester(by))
    archives = await Archives(services.database).all()
    if user is not None and not done.erased + done.kept:
        files = f"; {counted(len(archives), 'archive')} may have it, and are not searched" if archives else ""
        raise UsageError(f"--user {user}: no row of the ledger has this id, nor its pseudonym{files}")
    print(f"replaced in {counted(done.cancellations, 'cancellation')} and {counted(done.holds, 'hold')}")
    _warn_of_rest(services, done)
    if archives:
        warn(
            services,
            f"the files of {counted(len(archives), 'archive')} are not changed by this: erase the ids there by other"
            " means; `retention ledger status` lists them",
        )
    return ExitCode.REVIEW if done.kept else ExitCode.DONE


def _warn_of_rest(services: Services, done: Erased) -> None:
    """Warn of rows and texts that keep an id."""
    kept = {
        "round that is not settled": done.live,
        "settled round of a run that has not ended": done.of_runs,
        "hold that stands": done.holds_kept,
    }
    for what, count in kept.items():
        if count:
            warn(services, f"kept, because work needs the id: {count} x {what}; give the command again afterwards")
    for place, count in done.mentions.items():
        warn(services, f"{place}: {counted(count, 'text')} still repeats the id, and evidence covers it as it is")
