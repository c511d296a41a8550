"""The exit codes: numbers and meanings that scripts of operators rely on."""

from __future__ import annotations

from retention.errors import RetentionError
from retention.exit_codes import ExitCode


def test_the_exit_codes_are_the_contracts_numbers() -> None:
    """Each exit code has the number that the contract promises."""
    expected = {
        "DONE": 0,
        "BUG": 1,
        "USAGE": 2,
        "HALTED": 3,
        "REVIEW": 4,
        "UNREACHABLE": 5,
        "AWAITING_APPROVAL": 6,
        "SIGINT": 130,
        "SIGTERM": 143,
    }
    assert expected == {code.name: code.value for code in ExitCode}


def test_each_exit_code_has_a_meaning_of_its_own() -> None:
    """The documents list every exit code with one line, and no two codes share it."""
    meanings = [code.meaning for code in ExitCode]
    assert all(meanings)
    assert len(meanings) == len({*meanings})


def test_each_error_ends_a_command_with_a_listed_exit_code() -> None:
    """An error class takes its exit code from the list, so no command ends with an undocumented number."""

    def every(error: type[RetentionError]) -> list[type[RetentionError]]:
        return [error, *(found for below in error.__subclasses__() for found in every(below))]

    assert all(isinstance(error.exit_code, ExitCode) for error in every(RetentionError))
