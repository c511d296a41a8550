"""Sets a Python process's calendar clock off: with this folder on PYTHONPATH, by CLOCK_OFF_BY seconds.

Monotonic time stays right, and so do other processes' clocks. C code that asks the kernel itself is not reached: libpq
and the event loop ask it for monotonic time only.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import gc
import os
import time
from typing import Any

_OFF_BY = float(os.environ["CLOCK_OFF_BY"])
_time, _time_ns, _datetime = time.time, time.time_ns, dt.datetime
_gmtime, _localtime = time.gmtime, time.localtime


def _now(cls: type[dt.datetime], tz: dt.tzinfo | None = None) -> dt.datetime:
    return cls.fromtimestamp(_time() + _OFF_BY, tz)


def _utcnow(cls: type[dt.datetime]) -> dt.datetime:
    return _now(cls, dt.UTC).replace(tzinfo=None)


time.time = lambda: _time() + _OFF_BY
time.time_ns = lambda: _time_ns() + round(_OFF_BY * 1e9)
time.gmtime = lambda seconds=None, /: _gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None, /: _localtime(time.time() if seconds is None else seconds)
# The type is C's and takes no attributes, but its own dictionary does. A subclass in its place would not do: what C code
# makes would be no instance of it.
_attributes: dict[str, Any] = gc.get_referents(_datetime.__dict__)[0]
_attributes |= {"now": classmethod(_now), "utcnow": classmethod(_utcnow)}
ctypes.pythonapi.PyType_Modified(ctypes.py_object(_datetime))
