"""What the file of faults may hold: each refusal names place, value and mend, as TOML has them."""

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


def told(path: Path, text: str) -> str:
    """Read a file of faults, and return what is wrong with it; nothing where that is nothing."""
    path.write_text(text)
    try:
        load(path)
    except UsageError as error:
        return str(error)
    return ""


def test_no_refusal_is_in_pythons_words(tmp_path: Path) -> None:
    """Each key with a value of each type is taken, or refused in one line that has the value as the file does."""
    for key in [*DOCUMENT, "fault"]:
        for value in VALUES:
            assert not PYTHON.search(told(tmp_path / "faults.toml", f"{key} = {value}\n"))
    for key in KEYS:
        for value in VALUES:
            words = told(tmp_path / "faults.toml", f"[[fault]]\n{key} = {value}\n")
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
    """What cannot be used is told by place, value and mend."""
    path = tmp_path / "faults.toml"
    assert told(path, text).startswith(f"{path}: {problem}")


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with the byte at which it is not."""
    path = tmp_path / "faults.toml"
    path.write_bytes(b'seed = "\xe9"')
    with pytest.raises(UsageError, match=re.escape(f"{path}: not UTF-8 text (byte 8): save it as UTF-8")):
        load(path)
