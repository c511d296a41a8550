"""Options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from retention.cli.completion import policy_names
from retention.cli.parsing import typed_run_id
from retention.core.runs.run_ids import GivenRunId

HIGHEST_ID = 2**63 - 1
"""The highest id that the ledger can hold: PostgreSQL's bigint."""

MAX_COUNT = 1_000_000_000
"""The highest number of rounds or runs that a command may be limited to."""

MAX_PROCESSES = 64
"""The highest number of processes of one command; more belong on more machines."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
By = Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")]
Limit = Annotated[
    int | None, typer.Option(min=1, max=MAX_COUNT, metavar="N", help="Only the oldest N; the rails look at those.")
]
Markets = Annotated[
    list[str] | None, typer.Option("--market", metavar="M", help="Only this market; may be given more than once.")
]
OlderThan = Annotated[
    str | None,
    typer.Option(metavar="D", help="Another age than the policy's, such as 96h; a lower one needs --reason."),
]
Partner = Annotated[str | None, typer.Option(metavar="P", help="Only this partner.")]
PolicyName = Annotated[
    str | None,
    typer.Argument(metavar="POLICY", help="May be left out where there is only one.", autocompletion=policy_names),
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the run.")]
RunId = Annotated[GivenRunId, typer.Argument(metavar="RUN_ID", parser=typed_run_id, help="Its first 8 digits do.")]
OnlyRun = Annotated[GivenRunId | None, typer.Option(metavar="ID", parser=typed_run_id, help="Only this run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")]
ResumedRun = Annotated[
    GivenRunId | None, typer.Option(metavar="RUN_ID", parser=typed_run_id, help="Go on with a run, or help with it.")
]
Processes = Annotated[
    int,
    typer.Option(
        min=1, max=MAX_PROCESSES, metavar="N", help="So many processes send, one for each core; a dry run has 1."
    ),
]
