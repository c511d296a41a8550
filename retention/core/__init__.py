"""The decisions: functions of values. No I/O, no event loop, no clock; the time is an argument."""
