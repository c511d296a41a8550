"""Each attack in SECURITY.md names its defence and its tests, or denies both with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENTRY = re.compile(
    r"^- \*\*(?P<attack>.+?)\*\*\n  - Defence: (?P<defence>.+?)\n  - (?P<shown>.+?)(?=^- |^#|\Z)",
    re.DOTALL | re.MULTILINE,
)


def attacks() -> dict[str, tuple[str, str]]:
    """The defence against each attack, and the words that name its tests."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    return {found["attack"]: (found["defence"], found["shown"]) for found in ENTRY.finditer(text)}


def test_each_attack_is_read() -> None:
    """The list is read whole: a change of its form does not leave the other tests without an attack."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert len(attacks()) == len(re.findall(r"^- ", text, re.MULTILINE)) > 20


def test_each_attacker_has_an_attack() -> None:
    """Each heading names an attacker, and is followed by at least one attack."""
    parts = re.split(r"^## ", (ROOT / "SECURITY.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(parts) > 10
    assert [] == [part.splitlines()[0] for part in parts if not ENTRY.search(part)]


@pytest.mark.parametrize("attack", attacks())
def test_an_attack_has_a_defence_and_tests(attack: str) -> None:
    """A defence names its files or denies itself; at least one test proves it, or the entry gives the reason."""
    defence, shown = attacks()[attack]
    assert re.search(r"`(?:retention/|sql/|\.ci/|pyproject)", defence) or defence.startswith(("none", "a run keeps"))
    assert re.match(r"Tests: `tests/[\w/]+\.py::test_\w+`", shown) or (
        shown.startswith("No test: ") and defence.startswith("none of ours")
    )


def test_the_page_of_results_names_tests_that_exist() -> None:
    """Each test that the page of results names for a defect is there."""
    page = (ROOT / "tests/chaos/README.md").read_text("utf-8")
    tests = set(re.findall(r"`(test_\w+)`", page))
    everywhere = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert len(tests) > 8
    assert set() == tests - everywhere
