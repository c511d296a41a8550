"""The configuration in force. SIGHUP replaces it while the daemon works."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.runs.service import RunService
    from retention.settings.model import Settings


class LiveConfiguration:
    """The settings in force, and the service that makes runs under them; only `reload` replaces both.

    Readers ask for `settings` and `runs` at each use and keep neither. `load` reads the configuration anew and raises
    ConfigurationError if it cannot be used. `make_runs` builds the service for given settings.
    """

    def __init__(
        self, settings: Settings, load: Callable[[], Settings], make_runs: Callable[[Settings], RunService]
    ) -> None:
        self._load = load
        self._make_runs = make_runs
        self.settings = settings
        self.runs = make_runs(settings)

    def reload(self) -> None:
        """Replace settings and service. Raises ConfigurationError, and then keeps the present ones."""
        settings = self._load()
        self.settings, self.runs = settings, self._make_runs(settings)
