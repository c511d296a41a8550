"""The operator's configuration: one TOML file, the environment over it, secrets in files of their own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from retention.settings.durations import format_duration, parse_duration

if TYPE_CHECKING:
    from retention.settings.files import find_config, render_template
    from retention.settings.load import load_settings
    from retention.settings.model import Database, Settings
    from retention.settings.partner import Partner
    from retention.settings.policy import Policy
    from retention.settings.secret import Secret
else:
    _HOMES = {
        "find_config": "files",
        "render_template": "files",
        "load_settings": "load",
        "Database": "model",
        "Partner": "partner",
        "Policy": "policy",
        "Settings": "model",
        "Secret": "secret",
    }

    def __getattr__(name: str) -> object:
        """Import a name on first use: durations and `--help` must not load pydantic."""
        if name in _HOMES:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Database",
    "Partner",
    "Policy",
    "Secret",
    "Settings",
    "find_config",
    "format_duration",
    "load_settings",
    "parse_duration",
    "render_template",
]
