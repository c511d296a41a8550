"""The command line. Each command imports what it needs when it runs, so that `--help` is there at once."""

from __future__ import annotations

import sys

from retention.errors import RetentionError


def main() -> None:
    """Entry point of the `retention` command."""
    from retention.cli.app import app
    from retention.cli.complaints import complaint
    from retention.core.text import printable_lines

    try:
        sys.exit(app(prog_name="retention", standalone_mode=False))
    except RetentionError as error:
        print(f"error: {printable_lines(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # What typer says of a command line that it does not understand has no base class with a public name.
        if not hasattr(error, "format_message"):
            raise
        print(printable_lines(complaint(error)), file=sys.stderr)
        sys.exit(2)
