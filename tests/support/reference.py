"""The tables that are made from the code, and the pages that hold them.

`python tests/support/reference.py` writes each page anew. A table stands between `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import textwrap
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from retention.cli.app import app
from retention.core.model import Treatment
from retention.core.sending.reply_rules import DEFAULT_CODES
from retention.exit_codes import ExitCode
from retention.ledger.queries import purpose, statements
from retention.metric_names import METRICS
from retention.settings.durations import parse_duration
from retention.settings.fields import Says
from retention.settings.model import Database, Evidence, Settings, Target
from retention.settings.partner import Partner
from retention.settings.policy import Policy
from retention.settings.rate_group import RateGroup
from retention.settings.report import ScheduledReport
from retention.simulator.faults_format import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[2]

REFERENCE = ROOT / "deploy/REFERENCE.md"

OPERATIONS = ROOT / "deploy/OPERATIONS.md"

LEDGER = ROOT / "sql/README.md"

TEMPLATE = ROOT / "retention/settings/template.toml"

TEMPLATE_COLUMNS = 120

TABLES: Mapping[str, type[BaseModel]] = {
    "": Settings,
    "database": Database,
    "partners": Partner,
    "rate_groups": RateGroup,
    "policies": Policy,
    "reports": ScheduledReport,
    "evidence": Evidence,
    "notify": Target,
}
"""The tables of the configuration, by the first word of their header."""


def exit_codes() -> str:
    """The exit codes."""
    return _table(("code", "meaning"), ((str(int(code)), code.meaning) for code in ExitCode))


def commands() -> str:
    """Each command with its options."""
    rows = ((f"`{name}{_options(command)}`", (command.help or "").split("\n")[0]) for name, command in _commands())
    return _table(("command", "does"), rows)


def configuration() -> str:
    """Each key with its meaning, the values that it takes with their unit, and its default."""
    parts = []
    for name, model in TABLES.items():
        header = f"[{name}]" if model in {Database, Evidence} else f"[{name}.NAME]"
        rows = [
            (f"`{key}`", says.meaning, _values(field, says), _default(field, says))
            for key, field, says in described(model)
        ]
        table = _table(("key", "meaning", "value", "default"), rows)
        parts.append(f"### {f'`{header}`' if name else 'At the top of the file'}\n\n{table}")
    return "\n".join(parts)


def codes() -> str:
    """The meaning of the vendor's codes where the configuration gives none."""
    rows = [
        (", ".join(f"`{code}`" for code, means in DEFAULT_CODES.items() if means is treatment), f"`{treatment}`")
        for treatment in Treatment
        if treatment in DEFAULT_CODES.values()
    ]
    return _table(("code", "meaning"), [*rows, ("any other", f"`{Treatment.REJECTED}`")])


def metrics() -> str:
    """Each metric with its labels, as Prometheus knows it."""
    rows = ((f"`{metric.name}{{{','.join(metric.labels)}}}`", metric.documentation) for metric in METRICS)
    return _table(("metric", "what it says"), rows)


def ledger_statements() -> str:
    """Each statement with its purpose, by folder."""
    parts = []
    for folder, names in groupby(statements(), lambda name: name.partition("/")[0]):
        rows = ((f"[`{name.partition('/')[2]}`](queries/{name}.sql)", _cell(purpose(name))) for name in names)
        parts.append(f"### {folder}\n\n{_table(('statement', 'purpose'), rows)}")
    return "\n".join(parts)


def faults() -> str:
    """The faults file of the simulated vendor, as `simulate --help` prints it."""
    return f"```text\n{FORMAT}\n```\n"


MADE = {
    "exit codes": exit_codes,
    "commands": commands,
    "configuration": configuration,
    "codes": codes,
    "faults": faults,
    "metrics": metrics,
    "statements": ledger_statements,
}

PAGES = {
    REFERENCE: ("exit codes", "commands", "configuration", "codes", "faults"),
    OPERATIONS: ("metrics",),
    LEDGER: ("statements",),
}
"""The tables of each page."""


def filled(page: Path, text: str) -> str:
    """The page with its tables as the code has them."""
    for name in PAGES[page]:
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{MADE[name]()}{rest[rest.index('<!-- end -->') :]}"
    return text


def filled_template(text: str) -> str:
    """The configuration file of `retention init` with the comment above each key made from the key's meaning."""
    lines: list[str] = []
    model: type[BaseModel] = Settings
    for line in text.splitlines():
        if header := re.fullmatch(r"(?:# )?\[(\w+).*\]", line):
            model = TABLES[header[1]]
        key = re.match(r"(?:# )?(\w+) = ", line)
        if key and key[1] in model.model_fields:
            while lines and re.match(r"# (?!\[|\w+ = )", lines[-1]):
                lines.pop()
            lines += textwrap.wrap(
                _comment(model.model_fields[key[1]]), TEMPLATE_COLUMNS, initial_indent="# ", subsequent_indent="# "
            )
        lines.append(line)
    return "\n".join(lines) + "\n"


def described(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Says]]:
    """Each key that people may write in a table, with its meaning."""
    for key, field in model.model_fields.items():
        if field.examples:
            yield key, field, says_of(field)


def says_of(field: FieldInfo) -> Says:
    """The meaning of a key."""
    return next(found for found in field.metadata if isinstance(found, Says))


def command_names() -> list[str]:
    """Each command, such as `hold add`."""
    return [name for name, _ in _commands()]


def _comment(field: FieldInfo) -> str:
    says = says_of(field)
    match says.default.partition(" "):
        case ("", _, _):
            return says.meaning
        case ("required" | "required,", _, when):
            return (
                f"{says.meaning} Required {'' if when.startswith('with') else 'unless '}{when.removeprefix('unless ')}."
            )
        case _:
            return f"{says.meaning} Default: {says.default}."


def _values(field: FieldInfo, says: Says) -> str:
    form = str(field.description).removesuffix(": without the key it is all of them")
    return f"{form}; {says.unit}" if says.unit else form


def _default(field: FieldInfo, says: Says) -> str:
    assert field.examples
    example = f"for example `{field.examples[0]}`"
    if says.default or field.is_required():
        return f"{says.default or 'required'}; {example}"
    match field.get_default(call_default_factory=True):
        case bool(value):
            return f"`{str(value).lower()}`"
        case timedelta() as value:
            assert value == parse_duration(str(field.examples[0]).strip('"'), or_none=True), (
                f"{field.examples[0]} is not the default"
            )
            return f"`{field.examples[0]}`"
        case str(value):
            return f'`"{value}"`'
        case int() | float() as value:
            return f"`{value}`"
        case value:
            assert value == ()
            return f"none; {example}"


def _commands() -> Iterator[tuple[str, Any]]:
    def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(f"{prefix}{name} ", command)
            else:
                yield f"{prefix}{name}", command

    yield from walk("", typer.main.get_command(app))


def _options(command: Any) -> str:
    words = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            word = f"{_value(parameter)}{' ...' if parameter.nargs == -1 else ''}"
            words.append(word if parameter.required else f"[{word}]")
        elif parameter.name != "help":
            value = "" if parameter.is_flag else f" {_value(parameter)}"
            word = f"{parameter.opts[0]}{value}{' ...' if parameter.multiple else ''}"
            words.append(word if parameter.required else f"[{word}]")
    return "".join(f" {word}" for word in words)


def _value(option: Any) -> str:
    assert option.metavar, f"{option.name} needs a metavar"
    return str(option.metavar).replace("|", "\\|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page, page.read_text("utf-8")), "utf-8")
    TEMPLATE.write_text(filled_template(TEMPLATE.read_text("utf-8")), "utf-8")
