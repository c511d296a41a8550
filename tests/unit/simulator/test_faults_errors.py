"""The errors of a faults file: each names place, value and mend in TOML's notation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from retention.errors import UsageError
from retention.simulator.fault_keys import DOCUMENT, KEYS
from retention.simulator.faults import load

if TYPE_CHECKING:
    from pathlib import Path

VALUES = ("-1", "1.5", "true", '""', '"  "', "[]", '[""]', "{ a = 2026-01-01 }", "nan", "2026-01-01", "1e30")
PYTHON = re.compile(r"Decimal|datetime|True|False|None|Traceback|Error")


def problem_of(path: Path, text: str) -> str:
    """Read a faults file; return its error, or an empty text."""
    path.write_text(text)
    try:
        load(path)
    except UsageError as error:
        return str(error)
    return ""


def test_no_refusal_quotes_python(tmp_path: Path) -> None:
    """Each key accepts a value of each type, or refuses it in one line without Python's notation."""
    for key in [*DOCUMENT, "fault"]:
        for value in VALUES:
            assert not PYTHON.search(problem_of(tmp_path / "faults.toml", f"{key} = {value}\n"))
    for key in KEYS:
        for value in VALUES:
            words = problem_of(tmp_path / "faults.toml", f"[[fault]]\n{key} = {value}\n")
            assert not PYTHON.search(words), words
            assert "\n" not in words


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed = 1.5", "seed = 1.5 cannot be used: give a whole number or a word"),
        ('"" = 1', '"": unknown key: the keys are seed, '),
        ("[[fault]]\ndelay = 1e30", "fault 1: delay = 1e+30 cannot be used: give seconds, or a text"),
        ('[[fault]]\ndelay = "999999999h"', 'fault 1: delay = "999999999h" cannot be used: give seconds, or a text'),
        ("[[fault]]\ncut = 2026-01-01", "fault 1: cut = 2026-01-01 cannot be used: give one of before, after, middle"),
        ("[[fault]]\nrepeat = { a = [true] }", "fault 1: repeat = { a = [true] } cannot be used: give true"),
    ],
)
def test_a_value_is_shown_as_the_file_has_it(tmp_path: Path, text: str, problem: str) -> None:
    """The error names place and mend, and quotes the bad value as the file has it."""
    path = tmp_path / "faults.toml"
    assert problem_of(path, text).startswith(f"{path}: {problem}")


def test_a_faults_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """The error for a file that is not UTF-8 names the first bad byte."""
    path = tmp_path / "faults.toml"
    path.write_bytes(b'seed = "\xe9"')
    with pytest.raises(UsageError, match=re.escape(f"{path}: not UTF-8 text (byte 8): save it as UTF-8")):
        load(path)
