"""Durations: each written form is read back, and any other text is refused with examples."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.settings.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("72h", 259_200),
        ("3d", 259_200),
        ("007s", 7),
        ("1h30m", 5_400),
        ("1d2h3m4s", 93_784),
        ("36500d", 3_153_600_000),
    ],
)
def test_a_duration_of_the_contract_is_read(text: str, seconds: int) -> None:
    """Whole numbers with a unit are read exactly, alone or several of them from the longest unit down."""
    assert timedelta(seconds=seconds) == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "72",
        "72 h",
        " 72h",
        "72h\n",
        "72H",
        "1.5h",
        "-3h",
        "+3h",
        "1m1h",
        "1h1h",
        "2w",
        "1e3s",
        "٣h",
        "PT3H",
    ],
)
def test_an_invalid_duration_is_refused(text: str) -> None:
    """A text without a unit, with a fraction, a sign, another unit or anything around it is refused with examples."""
    with pytest.raises(ValueError, match="is no duration; write whole numbers with s, m, h or d, such as") as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["0s", "0d0h0m0s"])
def test_refuses_no_time_at_all(text: str) -> None:
    """A duration of zero would make every round stale, so it is refused."""
    with pytest.raises(ValueError, match="is no time at all; write a duration above zero"):
        parse_duration(text)
    assert timedelta() == parse_duration(text, or_none=True)


@pytest.mark.parametrize("text", ["36501d", "99999999d", "36500d1s"])
def test_a_duration_beyond_the_calendar_is_refused(text: str) -> None:
    """A duration that cannot be taken from a date is refused here rather than by the database."""
    with pytest.raises(ValueError, match="is too long; write at most 36500d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("expected", "seconds"),
    [("0s", 0), ("0s", 0.4), ("1s", 0.6), ("1m30s", 90), ("3d", 259_200), ("1d12h", 129_600), ("-5m", -300)],
)
def test_writes_the_shortest_form(expected: str, seconds: float) -> None:
    """Units that are zero are left out, and parts of a second are rounded."""
    assert expected == format_duration(timedelta(seconds=seconds))


@given(st.integers(min_value=1, max_value=36_500 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_written_duration_reads_back(duration: timedelta) -> None:
    """Writing and reading again changes no duration of whole seconds."""
    assert duration == parse_duration(format_duration(duration))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but ValueError, and each duration is above zero."""
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta(0) < duration


def test_durations_and_errors_are_light() -> None:
    """Durations, errors and the template do without pydantic and psycopg."""
    program = (
        "import sys, retention.errors, retention.settings.durations\n"
        "from retention.settings.files import find_config, render_template\n"
        "render_template()\n"
        "print(sorted({'pydantic', 'psycopg', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "[]\n" == done.stdout
