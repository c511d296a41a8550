"""The command line. Each command imports what it needs when it runs, so that `--help` is there at once."""

from __future__ import annotations

import sys

from retention.errors import RetentionError, UnprintedError
from retention.exit_codes import ExitCode
from retention.process import surroundings


def main() -> None:
    """Entry point of the `retention` command."""
    surroundings.settle()  # before anything is opened
    try:
        code = _outcome()
    except Exception:  # noqa: BLE001 - a bug, told as far as it can be
        import traceback

        surroundings.tell(traceback.format_exc().rstrip())
        code = ExitCode.BUG
    except KeyboardInterrupt:
        code = ExitCode.SIGINT
    sys.exit(surroundings.finish(code))


def _outcome() -> int:
    """Run the command that the arguments name; returns its exit code."""
    from retention.cli.app import app
    from retention.cli.usage_errors import complaint
    from retention.core.text import printable_lines

    try:
        return app(prog_name="retention", standalone_mode=False) or 0
    except UnprintedError:  # told at the end
        return 0
    except RetentionError as error:
        surroundings.tell(f"error: {printable_lines(str(error))}")
        return error.exit_code
    except Exception as error:
        # What typer says of a command line that it does not understand has no base class with a public name.
        if not hasattr(error, "format_message"):
            raise
        surroundings.tell(printable_lines(complaint(error)))
        return ExitCode.USAGE
