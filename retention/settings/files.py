"""Finds and reads the configuration file, and holds the template for a new one."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "RETENTION_CONFIG"
LOCAL = Path("retention.toml")
SYSTEM = Path("/etc/retention/retention.toml")


def find_config(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the file that was asked for, else the first usual file that exists, else None."""
    named = explicit or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is None:
        return next((path for path in (cwd / LOCAL, SYSTEM) if _exists(path)), None)
    path = cwd / named
    if not _exists(path):
        by = "--config" if explicit else f"${VARIABLE}"
        raise ConfigurationError(
            f"{path}: no such file, though {by} names it; correct the name, or run `retention init`"
        )
    return path


def _exists(path: Path) -> bool:
    """Whether the path exists. A path that may not be seen counts as existing: reading it then names the reason."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def read_document(path: Path, shown: str) -> dict[str, Any]:
    """Return the file's values. ConfigurationError names the file as `shown`, and the reason."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except IsADirectoryError:
        problem = "is a directory; name the file in it"
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); name a file that this process may read"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
    except RecursionError:
        problem = "is not TOML: values are nested too deep; correct it there"
    except ValueError as error:  # TOMLDecodeError, or a number too long for Python
        problem = f"is not TOML: {error}; correct it there"
    raise ConfigurationError(f"{shown}: {problem}")


def render_template() -> str:
    """Return the commented file that `retention init` writes. It is valid as it stands, and a dry run."""
    return (files(__package__) / "template.toml").read_text("utf-8")
