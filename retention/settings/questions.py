"""The questions of `retention init`: which key each answers, its words, and the rule for its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.toml_text import toml_text
from retention.errors import UsageError
from retention.settings import rules
from retention.settings.schema import variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Key = tuple[str, str]
    """The kind of table and the key, such as ("partners", "token")."""

PARTNER, POLICY = "acme", "nightly"
"""The names of the template's tables. The policy keeps its name."""


@dataclass(frozen=True, slots=True)
class Question:
    """A value that a person gives. `check` raises ValueError, with a problem that follows the key's name, and a mend.

    `hidden`: the terminal does not show the answer. `listed`: the answer is a list, with commas.
    """

    option: str
    key: Key
    words: str
    check: Callable[[str], object]
    hidden: bool = False
    listed: bool = False

    @property
    def name(self) -> str:
        """The key's name."""
        return self.key[1]

    @property
    def file_option(self) -> str:
        """The option that names a file with the value."""
        return f"{self.option}-file"

    def toml(self, answer: str) -> str:
        """Return the answer as a value of TOML."""
        return toml_text(_words(answer) if self.listed else answer)

    def variable(self, partner: str) -> str:
        """Return the variable of the environment that has the value."""
        kind, key = self.key
        table = {"partners": (kind, partner), "policies": (kind, POLICY)}.get(kind, (kind,))
        return variable((*table, key))


def _words(answer: str) -> list[str]:
    return [word.strip() for word in answer.split(",")]


def _markets(answer: str) -> None:
    rules.words(tuple(_words(answer)))


QUESTIONS = (
    Question(
        "--partner",
        ("partners", "name"),
        f"Your name for the account at the vendor, as the view will have it [{PARTNER}]",
        rules.name,
    ),
    Question("--secure-login", ("partners", "secure_login"), "Its secureLogin at the vendor", rules.TextOf(32)),
    Question("--api-url", ("partners", "api_url"), "Its address at the vendor, https://...", rules.check_url),
    Question("--token", ("partners", "token"), "Its token (not shown)", rules.TextOf(36), hidden=True),
    Question("--market", ("policies", "markets"), "Markets, such as MT, SE [all]", _markets, listed=True),
    Question(
        "--older-than",
        ("policies", "open_longer_than"),
        "A round is stale when it has been open for so long, such as 72h",
        rules.duration,
    ),
    Question("--timezone", ("policies", "timezone"), "Time zone of the schedule [Europe/Malta]", rules.timezone),
    Question("--schedule", ("policies", "schedule"), "Schedule, as cron(8) reads it [0 3 * * *]", rules.schedule),
    Question(
        "--dsn",
        ("database", "dsn"),
        "Database, as the job, such as postgresql://retention_job@db/operator",
        rules.check_dsn,
    ),
    Question(
        "--owner-dsn", ("database", "owner_dsn"), "Database, as its owner, for `db migrate` [the same]", rules.check_dsn
    ),
)

SECRETS = frozenset({"--dsn", "--owner-dsn", "--api-url", "--token"})
"""The questions whose answers may have a file of their own."""


def answers_of(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return the values of options, by option. Raises UsageError for a wrong one, naming the option and the mend."""
    answers = {option: value for option, value in given.items() if value is not None}
    for question in QUESTIONS:
        if question.option in answers and question.file_option in answers:
            raise UsageError(f"{question.option} and {question.file_option} exclude each other")
        if question.option in answers:
            check_option(question.option, answers[question.option], question.check)
    for option in ("--dsn", "--owner-dsn"):
        refuse_password(option, answers.get(option))
    if ("--schedule" in answers) != ("--timezone" in answers):
        have, lack = ("schedule", "timezone") if "--schedule" in answers else ("timezone", "schedule")
        raise UsageError(f"--{have} goes with --{lack}; give both, or neither")
    return answers


def check_option(option: str, value: str, check: Callable[[str], object]) -> None:
    """Raise UsageError for a value that the check refuses, naming the option and the mend."""
    try:
        check(value)
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def refuse_password(option: str, dsn: str | None) -> None:
    """Raise UsageError for a DSN with a password: the process list shows it."""
    if dsn is not None and rules.passwords_in(dsn):
        raise UsageError(
            f"{option} has a password in it, which everyone can read in the process list; leave it out, and put it into"
            " ~/.pgpass, into $PGPASSWORD, or into the configuration's file"
        )


def is_answered(question: Question, answers: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether a value is known: by an option, an answer, a file, or a variable of the environment."""
    partner = answers.get("--partner", PARTNER)
    return (
        question.option in answers
        or question.file_option in answers
        or bool(environ.get(question.variable(partner)))
        or bool(environ.get(f"{question.variable(partner)}_FILE"))
    )


def values_of(answers: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, dict[Key, str | None]]:
    """Return the partner's name, and each known value as TOML; None for one that the environment has."""
    partner = answers.get("--partner", PARTNER)
    values: dict[Key, str | None] = {}
    for question in QUESTIONS[1:]:
        kind, key = question.key
        if question.option in answers:
            values[kind, key] = question.toml(answers[question.option])
        elif question.file_option in answers:
            values[kind, f"{key}_file"] = toml_text(answers[question.file_option])
            values[kind, key] = None
        elif is_answered(question, answers, environ):
            values[kind, key] = None
    return partner, values
