"""The output of a child process."""

from __future__ import annotations

import pytest

from retention.process.child import LONGEST_LINE_BYTES, WholeLines

CASES = {
    "whole lines": ([b"a\nb\n"], [b"a\nb\n"]),
    "a line in parts": ([b"a", b"b\nc", b"d\n"], [b"ab\n", b"cd\n"]),
    "a last line without an end": ([b"a\nb"], [b"a\n", b"b\n"]),
    "nothing": ([], []),
    "a line that is too long": ([b"x" * LONGEST_LINE_BYTES, b"yz"], [b"x" * LONGEST_LINE_BYTES + b"yz\n"]),
}


@pytest.mark.parametrize("case", CASES)
def test_output_is_passed_on_in_whole_lines(case: str) -> None:
    """However a pipe cuts the output, each write ends with the end of a line, and no byte is lost."""
    parts, expected = CASES[case]
    written: list[bytes] = []
    lines = WholeLines(written.append)
    for part in parts:
        lines.data_received(part)
    lines.connection_lost(None)
    assert expected == written
    assert lines.ended.is_set()
