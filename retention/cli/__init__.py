"""The command line. A command imports its modules when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys

from retention.errors import RetentionError, UnprintedError
from retention.exit_codes import ExitCode
from retention.process import this_process


def main() -> None:
    """Entry point of the `retention` command."""
    this_process.set_up()  # before anything is opened
    try:
        code = _outcome()
    except Exception:  # noqa: BLE001 - a bug
        import traceback

        this_process.report(traceback.format_exc().rstrip())
        code = ExitCode.BUG
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    sys.exit(this_process.finish(code))


def _outcome() -> int:
    """Run the command of the arguments; returns its exit code."""
    from retention.cli.app import app
    from retention.cli.completion import answer_shell
    from retention.cli.usage_errors import complaint
    from retention.core.text import printable_lines

    answer_shell()
    try:
        return app(prog_name="retention", standalone_mode=False) or 0
    except UnprintedError:  # reported at the end
        return 0
    except RetentionError as error:
        this_process.report(f"error: {printable_lines(str(error))}")
        return error.exit_code
    except Exception as error:
        # Typer's errors about a command line have no base class with a public name.
        if not hasattr(error, "format_message"):
            raise
        this_process.report(printable_lines(complaint(error)))
        return ExitCode.USAGE
