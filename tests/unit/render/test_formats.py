"""The registry of report formats."""

from __future__ import annotations

import io

import pytest
from support.reports import ROUND, output_to, report_of

from retention.render.formats import FORMATS, Format


def test_every_format_has_a_writer() -> None:
    """Each value of `--format` has an entry in the registry."""
    assert set(Format) == set(FORMATS)


@pytest.mark.parametrize(
    ("format_", "start"), [("table", "partner  market"), ("csv", "partner,market,"), ("json", "{")]
)
async def test_a_format_writes_the_rounds_of_a_report(format_: str, start: str) -> None:
    """The registered writer writes each round, and returns the number of rounds."""
    file = io.StringIO(newline="")
    assert 2 == await FORMATS[Format(format_)].load()(report_of(ROUND, ROUND), output_to(file))
    assert file.getvalue().startswith(start)
    assert 2 == file.getvalue().count("R-1")
