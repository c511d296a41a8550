"""`audit`: proves that the evidence is unaltered, and exports a run's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import known_run, recorded_run, warn, warn_of_archived
from retention.cli.options import AsJson, OnlyRun
from retention.cli.output import open_output, print_json, require_folder, require_parquet, require_place
from retention.cli.parsing import period, typed_folder, typed_run_id
from retention.core.runs.run_ids import GivenRunId
from retention.core.text import counted
from retention.errors import UsageError
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

    from retention.core.evidence.anchors import Anchor
    from retention.core.evidence.signatures import VerifierKey
    from retention.wiring.services import Services

    Checked = tuple[datetime | None, datetime | None, dict[str, set[Anchor]], list[VerifierKey]]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    audit = typer.Typer(cls=WholeHelp, help="Prove the evidence unaltered, and export it.", no_args_is_help=True)
    audit.command("verify")(audit_verify)
    audit.command("export")(audit_export)
    app.add_typer(audit, name="audit")


def _given(
    from_: str | None,
    to: str | None,
    anchors: list[Path] | None,
    files: list[Path] | None,
    key: list[str] | None,
    archives: Path | None,
) -> Checked:
    """Read the period, the anchors and the keys, and look at the folder of archives. Raises UsageError."""
    from retention.audit.anchor_files import read_anchors
    from retention.wiring.signing import given_keys

    times = period(from_, to)
    if archives is not None:
        require_folder("--archives", archives)
        require_parquet("--archives")
    if files and not anchors:
        raise UsageError(f"{files[0]}: write --anchors before the files with checkpoints")
    return *times, read_anchors([*(anchors or ()), *(files or ())]), given_keys(key or ())


@command(ready_for="audit verify", check=_given, prints=True)
async def audit_verify(
    services: Services,
    checked: Checked,
    /,
    run: OnlyRun = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Only rows at or after; ISO 8601, UTC if it does not say.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="Only rows before.")] = None,
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchors", metavar="FILE", help="Logs, reports, webhook bodies: their checkpoints must fit."),
    ] = None,
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More files for --anchors.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="LINE",
            help="The public key that signs checkpoints, as `check` shows it; all of them, if it changed.",
        ),
    ] = None,
    archives: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", parser=typed_folder, help="Where the files of archived months are: they must fit, too."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Prove that the evidence and all that it covers are unaltered; the tree is always checked whole."""
    from retention.audit.verify import RowSelection, verify_evidence
    from retention.render.terminal_audit import audit_document, print_audit
    from retention.wiring.signing import own_key

    start, end, found, keys = checked
    if not keys and services.signer is not None:
        keys = [own_key(services.signer)]
    run_id = await recorded_run(services, run) if run is not None else None
    result = await verify_evidence(services.database, RowSelection(run_id, start, end), found, keys)
    if archives is not None:
        from retention.audit.archive_check import verify_archives

        await verify_archives(services.database, archives, result)
    print_json(audit_document(result)) if as_json else print_audit(result)
    return ExitCode.DONE if result.ok else ExitCode.REVIEW


def _place(output: Path) -> None:
    require_place(output)


@command(ready_for="audit export", check=_place, prints=True)
async def audit_export(
    services: Services,
    /,
    run: Annotated[
        GivenRunId, typer.Option("--run", metavar="ID", parser=typed_run_id, help="The run; its first 8 digits do.")
    ],
    output: Annotated[Path, typer.Option("-o", metavar="FILE", help="The file to write.")],
) -> None:
    """Export a run's rows, evidence and proofs, for `deploy/verify_evidence.py`; users are pseudonyms in it."""
    from retention.audit.export import export_evidence
    from retention.core.evidence.archives import of_run
    from retention.core.evidence.checkpoint import verifier_key
    from retention.ledger.archives import Archives

    run_id = await known_run(services, run)
    with open_output(output) as file:
        origin = (await services.database.row("audit/get_ledger_key")).origin
        key = verifier_key(origin, services.signer.public_key) if services.signer is not None else None
        archived = of_run(await Archives(services.database).all(), run_id)
        done = await export_evidence(services.database, run_id, key, file, archived)
    held = f"{counted(done.rows, 'row')}, {counted(done.entries, 'entry', 'entries')}"
    print(f"{output}: {held}, checkpoint of size {done.checkpoint.size}")
    warn_of_archived(services, archived)
    if done.unplaced:
        warn(
            services,
            f"{counted(done.unplaced, 'entry', 'entries')} in no checkpoint yet; export again once the run has ended",
        )
