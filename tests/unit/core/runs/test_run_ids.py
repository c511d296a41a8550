"""Run ids as people type and read them."""

from __future__ import annotations

from uuid import UUID

import pytest

from retention.core.runs.run_ids import parse_run_id, shorten_run_id, unique_digits

RUN = UUID("3f2a9c1e-5504-457d-bdf7-cf0c0811b446")


@pytest.mark.parametrize(
    "typed",
    [
        str(RUN),
        str(RUN).upper(),
        RUN.hex,
        f"{{{RUN}}}",
        RUN.urn,
        "3f2a9c1e",
        "3F2A9C1E",
        "3f2a9c1e-",
        "3f2a9c1e-5504",
        "3f2a9c1e5504457",
        " 3f2a9c1e\n",
    ],
)
def test_a_run_id_may_be_shortened(typed: str) -> None:
    """Eight or more typed digits, with dashes or without, in any case, mean the ids that begin with them."""
    given = parse_run_id(typed)
    assert given.lowest <= RUN <= given.highest
    assert typed == str(given)
    assert not given.lowest <= UUID(int=RUN.int ^ (1 << 96)) <= given.highest


@pytest.mark.parametrize(
    "typed", ["", "3f2a9c1", "3f2a-9c1", "no-uuid", "3f2a9c1g", f"{RUN}0", "latest", "\uff13f2a9c1e", "\u0663" * 8]
)
def test_a_text_that_is_no_run_id_is_refused(typed: str) -> None:
    """Fewer than eight digits, more than all, or no digits are refused with the right form."""
    with pytest.raises(ValueError, match="is no run id; write its first 8 digits or more, as `retention runs list`"):
        parse_run_id(typed)


@pytest.mark.parametrize(
    ("others", "shown"),
    [
        ([], "3f2a9c1e"),
        (["3f2a9c1d-0000-0000-0000-000000000000"], "3f2a9c1e"),
        (["3f2a9c1e-4504-457d-bdf7-cf0c0811b446"], "3f2a9c1e-5"),
        (["3f2a9c1e-5504-457d-bdf7-cf0c0811b447", "3f2a0000-5504-457d-bdf7-cf0c0811b447"], str(RUN)),
    ],
)
def test_a_shown_run_id_is_unambiguous(others: list[str], shown: str) -> None:
    """Eight digits are shown where they name one run, else as many as do."""
    assert shown == shorten_run_id(RUN, unique_digits(RUN, map(UUID, others)))
