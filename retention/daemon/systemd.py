"""Reports the daemon's state to systemd, as sd_notify(3) does.

sd_notify is thirty lines of our own. The packages on PyPI are unmaintained or bind to libsystemd.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def notify(*states: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send states such as READY=1 to the socket that NOTIFY_SOCKET names; does nothing if it is not set."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name in the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.setblocking(False)
            connection.sendto("\n".join(states).encode(), address)
    except OSError:
        pass  # systemd notices missing messages by itself


def watchdog_interval(environ: Mapping[str, str] = os.environ) -> float | None:
    """Seconds between two watchdog messages: half of the time of sd_watchdog_enabled(3); None without a watchdog."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(microseconds) / 1e6 / 2
