"""[reports.NAME]: each mistake is refused with its mend, before `serve` begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from retention.errors import ConfigurationError
from retention.render.formats import Format
from retention.reports.report import Kind
from retention.settings.load import load_settings
from retention.settings.report import ScheduledReport

if TYPE_CHECKING:
    from pathlib import Path

    from retention.settings.model import Settings

TIMES = 'schedule = "0 6 1 * *"\ntimezone = "Europe/Malta"\nperiod = "last-month"\n'
OPS = '[notify.ops]\nwebhook = "https://ops.example.com/"\nsigning_key = "0123456789012345678901234567"\n'


def read(folder: Path, text: str, **environ: str) -> Settings:
    """The settings of a file with this text."""
    path = folder / "retention.toml"
    path.write_text(text, "utf-8")
    return load_settings(path, environ, folder)


def test_a_report_is_read_with_its_defaults(tmp_path: Path) -> None:
    """A report has all markets and policies, no limit to what it catches up, and its directory begins at the file."""
    report = read(tmp_path, f'[reports.monthly]\n{TIMES}directory = "out"\n').reports["monthly"]
    assert ("monthly", "cancelled", "csv", None, None, None) == (
        report.name,
        report.kind,
        report.format,
        report.markets,
        report.policies,
        report.catch_up,
    )
    assert tmp_path / "out" == report.directory
    assert report == ScheduledReport.of_record(report.as_record())


def test_a_report_comes_from_the_environment(tmp_path: Path) -> None:
    """Each key can be a variable, as everywhere."""
    variables = {"SCHEDULE": "@daily", "TIMEZONE": "UTC", "PERIOD": "yesterday", "NOTIFY": "ops", "CATCH_UP": "2h"}
    environ = {f"RETENTION_REPORTS__DAILY__{name}": value for name, value in variables.items()}
    report = read(tmp_path, OPS, **environ).reports["daily"]
    assert ("yesterday", ("ops",), None) == (report.period, report.notify, report.directory)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TIMES, "reports.monthly.notify: missing, and so is directory; give one of the two, or both"),
        (TIMES.replace("last-month", "last-moon"), "reports.monthly.period: names no period; write today,"),
        (TIMES.replace("Europe/Malta", "Malta/Europe"), "reports.monthly.timezone: "),
        (TIMES.replace("0 6 1 * *", "0 6"), "reports.monthly.schedule: "),
        (TIMES.replace("schedule", "shedule"), "did you mean schedule?"),
        (TIMES + 'directory = "d"\nformat = "pdf"', 'reports.monthly.format: must be "table", "csv", "json"'),
        (TIMES + 'directory = "d"\nkind = "all"', 'reports.monthly.kind: must be "cancelled", "pending"'),
        (TIMES + 'notify = ["opps"]\n' + OPS, "there is no [notify.opps]; add it, or correct the name"),
        (TIMES + 'directory = "d"\npolicies = ["nihtly"]', "there is no [policies.nihtly]; add it"),
        (TIMES + 'directory = "d"\nmarkets = []', "reports.monthly.markets: must be a list of markets, not empty"),
    ],
)
def test_a_mistake_is_refused_with_its_mend(tmp_path: Path, text: str, expected: str) -> None:
    """Each error names the key, the problem and the mend."""
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, f"[reports.monthly]\n{text}\n")
    assert expected in str(refused.value)


@pytest.mark.parametrize("name", ["a/b", "a\\\\b", ".hidden", "x" * 101, "é" * 51])
def test_a_name_that_is_no_file_s_name_is_refused(tmp_path: Path, name: str) -> None:
    """A report with a directory has files, so its name has to be able to begin one; without, any name goes."""
    with pytest.raises(ConfigurationError, match="rename the table"):
        read(tmp_path, f'[reports."{name}"]\n{TIMES}directory = "out"\n')
    assert read(tmp_path, f'[reports."{name}"]\n{TIMES}notify = ["ops"]\n{OPS}').reports


def test_reports_with_the_same_files_are_refused(tmp_path: Path) -> None:
    """A file system may ignore the case of names, so two reports of one directory differ by more than case."""
    two = f'[reports.MGA]\n{TIMES}directory = "out"\n[reports.mga]\n{TIMES}directory = "%s"\n'
    with pytest.raises(ConfigurationError, match=r"would write the same files as \[reports\.MGA\]"):
        read(tmp_path, two % "out")
    assert 2 == len(read(tmp_path, two % "other").reports)


def test_each_kind_and_format_of_the_command_can_be_scheduled() -> None:
    """The configuration knows the same words as `report`."""
    fields = ScheduledReport.model_fields
    assert {*Kind} == {*get_args(fields["kind"].annotation)}
    assert {*Format} == {*get_args(fields["format"].annotation)}
