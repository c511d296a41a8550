"""Reads file and environment into `Settings`, or raises one error that lists every problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from retention.core.model import Treatment
from retention.core.name_matching import known_names_text
from retention.errors import ConfigurationError
from retention.settings.accounts import same_accounts
from retention.settings.draft import Draft
from retention.settings.files import find_config, read_document
from retention.settings.model import FILE_SECRETS, Settings
from retention.settings.partner import NO_ADDRESS
from retention.settings.schema import SECTIONS, dotted, field_at, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from retention.settings.report import ScheduledReport


_REFERENCES = (
    ("partners", "rate_group", "rate_groups"),
    ("policies", "partners", "partners"),
    ("reports", "policies", "policies"),
    ("reports", "notify", "notify"),
)
"""Keys that name tables of another section: section, key, and the section of those tables."""


def load_settings(config: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Read the configuration from the named or usual file, and from the environment, which beats the file."""
    path = find_config(config, environ, cwd)
    draft = Draft(None, cwd)
    if path:
        shown = str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)
        draft = Draft(shown, path.parent)
        draft.read_file(read_document(path, shown))
    draft.read_environment(environ)
    if not path and not draft.tree and not draft.problems:
        raise ConfigurationError(
            "no configuration: no ./retention.toml, no /etc/retention/retention.toml and no RETENTION_ variables; "
            "run `retention init`, or set $RETENTION_CONFIG to the file"
        )
    return _finish(draft)


def _finish(draft: Draft) -> Settings:
    """Validate the draft; ConfigurationError lists all its problems, one a line."""
    problems = [*draft.problems, *_strangers(draft)]
    try:
        settings = Settings.model_validate(_with_names(draft.tree))
    except ValidationError as error:
        problems += [_line(draft, detail) for detail in error.errors(include_input=False, include_url=False)]
    else:
        problems += [_one_account(draft, *found) for found in same_accounts(settings.partners.values())]
        problems += _same_files(draft, settings.reports.values())
    if problems:  # raised here, outside of the handler: pydantic's own error holds the values
        raise ConfigurationError("\n".join(dict.fromkeys(problems)))
    return settings


def _one_account(draft: Draft, one: str, other: str, shown_by: str) -> str:
    """Name two tables that are one account, and the keys that show it; the values are secret."""
    place = draft.place(("partners", other))
    return (
        f"{place}: is the same account at the vendor as [partners.{dotted([one])}], by {shown_by}, so each of its"
        " rounds could be cancelled twice; keep one of the two"
    )


def _with_names(tree: dict[str, Any]) -> dict[str, Any]:
    """Copy the name in a table's header into the table."""
    for section in SECTIONS:
        for name, table in _tables(tree, section):
            table["name"] = name
    return tree


def _strangers(draft: Draft) -> Iterator[str]:
    """Find names of tables that the configuration lacks."""
    for section, key, target in _REFERENCES:
        known = [name for name, _ in _tables(draft.tree, target)]
        for name, table in _tables(draft.tree, section):
            wanted = table.get(key)
            for one in wanted if isinstance(wanted, list) else [wanted]:
                if isinstance(one, str) and one not in known:
                    place = draft.place((section, name, key))
                    have = known_names_text(one, known) if known else "none is configured"
                    yield f"{place}: there is no [{target}.{dotted([one])}]; add it, or correct the name ({have})"


def _same_files(draft: Draft, reports: Iterable[ScheduledReport]) -> Iterator[str]:
    """Find reports that would replace each other's files: many file systems ignore the case of a name."""
    seen: dict[object, str] = {}
    for report in reports:
        if report.place is None:
            continue
        other = seen.setdefault(report.place, report.name)
        if other != report.name:
            place = draft.place(("reports", report.name))
            yield f"{place}: would write the same files as [reports.{dotted([other])}]; rename one of them"


def _tables(tree: dict[str, Any], section: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the tables of a section; other values are skipped, because validation refuses them."""
    tables = tree.get(section)
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict):
            yield name, table


def _line(draft: Draft, detail: ErrorDetails) -> str:
    """Word a problem: its place, the problem, its mend. Only our own rules show values, because they know secrets."""
    path = tuple(step for step in detail["loc"] if isinstance(step, str) and step != "[key]")
    place, (key, field) = draft.place(path), field_at(path)
    if detail["type"] == "value_error":
        return f"{place}: {detail['ctx']['error']}"
    problem = "missing" if detail["type"] in {"missing", NO_ADDRESS} else f"must be {field.description}"
    if key[-1] == "codes" and len(path) > len(key):
        return f'{place}: must be one of {", ".join(Treatment)}; write {dotted(path[-1:])} = "{Treatment.REJECTED}"'
    if not field.examples:
        return f"{place}: {problem}"
    example = str(field.examples[0])
    mend = f"{key[-1]} = {example}" if place.in_file else f"{variable(key)}=" + example.strip('"')
    by_file = f', or {key[-1]}_file = "PATH"' if place.in_file and key[-1] in FILE_SECRETS else ""
    lacking = detail["ctx"]["lacking"] if detail["type"] == NO_ADDRESS else []
    instead = f", or give {_listed(lacking)} instead" if lacking else ""
    return f"{place}: {problem}; write {mend}{by_file}{instead}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
