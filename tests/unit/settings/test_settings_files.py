"""The configuration file: where it is looked for, why one cannot be read, and the one to begin with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from retention.errors import ConfigurationError
from retention.settings import files
from retention.settings.files import find_config, render_template
from retention.settings.load import load_settings
from retention.settings.model import Database, Evidence, Settings, Target
from retention.settings.partner import Partner
from retention.settings.policy import Policy
from retention.settings.rate_group import RateGroup
from retention.settings.report import ScheduledReport
from retention.settings.schema import keys_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SYSTEM", tmp_path / "etc" / "retention.toml")


def load(directory: Path, text: str | bytes) -> Settings:
    """Load the text as ./retention.toml."""
    (directory / "retention.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(None, {}, directory)


def test_the_file_is_looked_for_in_order(tmp_path: Path) -> None:
    """The option beats the variable, which beats the working directory, which beats the system's directory."""
    assert find_config(None, {}, tmp_path) is None
    for name in ("etc/retention.toml", "retention.toml", "variable.toml", "option.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        environ = {"RETENTION_CONFIG": "variable.toml"} if name[0] in "vo" else {"RETENTION_CONFIG": ""}
        explicit = tmp_path / name if name[0] == "o" else None
        assert tmp_path / name == find_config(explicit, environ, tmp_path)


def test_a_file_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    """A file that was asked for and is not there, or is a directory, is an error, never passed over for another."""
    (tmp_path / "retention.toml").touch()
    wrong: list[tuple[Path | None, dict[str, str], str]] = [
        (tmp_path / "no.toml", {}, f"{tmp_path}/no.toml: no such file, though --config names it"),
        (None, {"RETENTION_CONFIG": "no.toml"}, f"{tmp_path}/no.toml: no such file, though $RETENTION_CONFIG names it"),
        (tmp_path, {}, ".: is a directory; name the file in it"),
    ]
    for explicit, environ, expected in wrong:
        with pytest.raises(ConfigurationError) as caught:
            load_settings(explicit, environ, tmp_path)
        assert expected == str(caught.value)[: len(expected)]


def test_a_directory_that_may_not_be_seen_is_no_absence(tmp_path: Path) -> None:
    """A configuration that cannot be reached is an error, never a reason to go on with another one."""
    (tmp_path / "retention.toml").symlink_to("retention.toml")
    with pytest.raises(ConfigurationError, match=r"^retention.toml: cannot be read \(.*\); name a file"):
        load_settings(None, {}, tmp_path)


def test_no_configuration_says_how_to_begin(tmp_path: Path) -> None:
    """Without a file and variables, the error names `retention init`."""
    with pytest.raises(ConfigurationError, match=r"run `retention init`, or set \$RETENTION_CONFIG to the file"):
        load_settings(None, {}, tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("partners = 5", "partners: must be a table, [partners.NAME]"),
        ("policies.nightly = 5", "policies.nightly: must be a table, [policies.NAME]"),
        ('database = "x"', "database: must be a table, [database]"),
        (
            "[zzz]",
            "zzz: unknown key; known here: database, partners, rate_groups, policies, reports, notify, evidence, log_user_ids, max_clock_difference",
        ),
        ("[polices.x]", "polices: unknown key; did you mean policies?"),
        ('[policies."a\\nb"]\nopen_longer_than="1d"\nmax_rounds=1', 'policies."a\\nb": is no name; write one'),
        ("= 5", "is not TOML: Invalid statement (at line 1, column 1); correct it there"),
        ('a = 1\na = "hunter2"\n', "is not TOML: Cannot overwrite a value (at line 2, column 14); correct it there"),
        ("rate = " + "9" * 5000, "is not TOML: Exceeds the limit (4300"),
        (b"# caf\xe9", "is not UTF-8 text (byte 5); save it as UTF-8"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    """A file that is no TOML, or not UTF-8, is refused with its name and the place of the fault."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    assert [expected] == [
        line.removeprefix("retention.toml: ")[: len(expected)] for line in str(caught.value).splitlines()
    ]
    assert "hunter2" not in str(caught.value)


def test_the_template_loads_and_is_harmless(tmp_path: Path) -> None:
    """The file of `retention init` is valid as it stands, and its policy is a dry run."""
    settings = load(tmp_path, render_template())
    assert ["dry_run"] == [policy.mode for policy in settings.policies.values() if policy.times]
    assert ["https://api.example.invalid"] == [
        partner.api_url.reveal() for partner in settings.partners.values() if partner.api_url
    ]


def test_the_template_has_every_key(tmp_path: Path) -> None:
    """Each key stands in its own table once, and the commented ones load when their # is taken away."""
    written: dict[str, list[str]] = {
        "": [],
        "database": [],
        "partners": [],
        "rate_groups": [],
        "policies": [],
        "reports": [],
        "notify": [],
        "evidence": [],
    }
    table = ""
    for line in render_template().splitlines():
        if header := re.fullmatch(r"(?:# )?\[(\w+).*\]", line):
            table = header[1]
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            written[table].append(key[1])
            commented = line.startswith("# ") and not key[1].endswith("_file")
            if commented and table not in {"reports", "notify", "rate_groups"}:
                group = "\n[rate_groups.lm]\nrate = 100\n" if key[1] == "rate_group" else ""
                load(tmp_path, render_template().replace(line, line.removeprefix("# ")) + group)
    expected = {
        "": ["log_user_ids", "max_clock_difference"],
        "database": sorted(keys_of(Database)),
        "partners": sorted(keys_of(Partner)),
        "rate_groups": sorted(keys_of(RateGroup)),
        "policies": sorted(keys_of(Policy)),
        "reports": sorted(keys_of(ScheduledReport)),
        "notify": sorted(keys_of(Target)),
        "evidence": sorted(keys_of(Evidence)),
    }
    assert {*expected, "log_user_ids", "max_clock_difference"} == {*keys_of(Settings), ""}
    assert expected == {name: sorted(keys) for name, keys in written.items()}


@pytest.mark.parametrize("left_out", [("apprise",), ("webhook", "signing_key")])
def test_the_templates_target_loads_as_a_whole(tmp_path: Path, left_out: tuple[str, ...]) -> None:
    """Without its #, and without the one or the other way to tell, the block is a target."""
    text = re.sub(r"^# (\[notify|\[reports|\[rate_groups|\w+ = )", r"\1", render_template(), flags=re.MULTILINE)
    text = re.sub(rf"^(\w+_file|dsn|{'|'.join(left_out)}) = .*$", "", text, flags=re.MULTILINE)
    target = load(tmp_path, text).notify["ops"]
    assert set(keys_of(Target)) - set(left_out) == {
        key for key in keys_of(Target) if key.endswith("_file") or getattr(target, key) is not None
    }
    assert ("run.halted", "schedule.missed") == target.events
    assert tmp_path.root + "srv/reports" == str(load(tmp_path, text).reports["monthly"].directory)
