"""Invisible texts, and the known name that was probably meant."""

from __future__ import annotations

import pytest

from retention.core.invisible_text import is_blank, strip_invisible
from retention.core.name_matching import (
    MAX_LISTED,
    closest_name,
    known_names_text,
    list_names,
    normalized,
    other_spellings,
)

USER = "3f2b8c1e-9a4d-4e6f-8b7a-0c1d2e3f4a5b"

BLANK = ["", " ", "\t\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d\ufeff", "\u2060", "\x07\x1b", "\u202e", "\u00ad", "\u0301", "\ufe0f", "\u3164\u115f", "\u2800", "\ue000"]  # fmt: skip


@pytest.mark.parametrize("text", BLANK)
def test_an_invisible_text_is_blank(text: str) -> None:
    """Blanks of any width, control and format characters, lone marks and fillers are no name and no reason."""
    assert is_blank(text)
    assert is_blank(f" {text}\n")
    assert not is_blank(f"{text}a{text}")


@pytest.mark.parametrize("text", ["a", "-", "0", "é", "e\u0301", "张", "🙂", "\u200fعلي"])
def test_a_visible_sign_is_not_blank(text: str) -> None:
    """One visible sign of any script is enough."""
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("  ann ", "ann"),
        ("\u200bann\u00a0", "ann"),
        ("ann  of\u00a0ops", "ann  of\u00a0ops"),
        ("\u3164", ""),
        ("", ""),
        (" Rene\u0301 ", "Rene\u0301"),
    ],
)
def test_a_name_loses_its_invisible_ends_alone(text: str, left: str) -> None:
    """The text inside a name, and the marks of its last letter, stay as they are."""
    assert left == strip_invisible(text)


@pytest.mark.parametrize(
    "spelling",
    [USER.upper(), f"{{{USER}}}", USER.replace("-", ""), f"urn:uuid:{USER}", f" {USER}", f"({USER.upper()})"],
)
def test_spellings_of_one_id_are_normalized_alike(spelling: str) -> None:
    """Case, braces, dashes and blanks make no other id."""
    assert normalized(USER) == normalized(spelling)
    assert USER == closest_name(spelling, ["other", USER])
    assert {USER, USER.upper()} - {spelling} <= other_spellings(spelling)
    assert spelling not in other_spellings(spelling)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("mt", "MT"),
        ("M T", "MT"),
        ("\uff2d\uff34", "MT"),
        ("nigtly", "nightly"),
        ("MTT", "MT"),
        ("zz", None),
        ("---", None),
    ],
)
def test_the_closest_known_name_is_found(given: str, meant: str | None) -> None:
    """Another spelling and a typo are recognised, and a name without a similar one has none."""
    assert meant == closest_name(given, ["GB", "MT", "SE", "nightly"])


def test_a_list_of_names_is_bounded() -> None:
    """An error about one of many names stays readable, and still names the closest one."""
    names = {f"game-{number:05}" for number in range(5000)} | {"Roulette-7"}
    assert 19 == list_names(names).count(",")
    assert list_names(names).endswith(f"game-{MAX_LISTED - 2:05} and {5001 - MAX_LISTED} more")
    assert known_names_text("roulette7", names).endswith("more; did you mean Roulette-7?")
    assert "known: none" == known_names_text("mt", ())
