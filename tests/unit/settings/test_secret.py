"""Secrets: used and never shown, and as fresh as the file that holds them."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest

from retention.settings.secret import SETTLED_S, Secret


def short(value: str) -> None:
    """Refuse a value of more than six characters."""
    if len(value) > 6:
        raise ValueError("is too long")


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def settle(self, secret: Secret) -> str:
        """Let a file that is as it is be seen twice, and return the value."""
        secret.reveal()
        self.now += 1.01 * SETTLED_S
        return secret.reveal()


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Return the path of a secret as Kubernetes mounts it: a link through a link to the directory of a version."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "token").write_text("first\n")
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "token").symlink_to(Path("..data") / "token")
    return tmp_path / "token"


def swap(mounted: Path, content: str) -> None:
    """Put a new version in place as Kubernetes does: one rename of the link to the directory."""
    base = mounted.parent
    (base / "v2").mkdir()
    (base / "v2" / "token").write_text(content)
    (base / "..new").symlink_to("v2")
    (base / "..new").replace(base / "..data")


def test_a_literal_is_revealed_and_never_shown() -> None:
    """Neither repr, str nor a format shows the value."""
    secret = Secret("s3cret", short)
    assert "s3cret" == secret.reveal()
    assert ["Secret(...)"] * 3 == [repr(secret), str(secret), f"{secret}"]


def test_a_file_is_shown_by_its_path(mounted: Path) -> None:
    """The path says where to look, and holds no secret."""
    assert f"Secret({mounted})" == repr(Secret(mounted, short))


def test_a_swapped_link_is_seen(mounted: Path, clock: Clock) -> None:
    """A new version behind the same path is revealed without a restart, even with the old one's size and time."""
    secret = Secret(mounted, short, clock)
    assert "first" == secret.reveal()
    before = mounted.stat()
    swap(mounted, "other\n")
    os.utime(mounted, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "other" == clock.settle(secret)


def test_a_rewritten_file_is_seen(tmp_path: Path, clock: Clock) -> None:
    """A file that is written again in place is revealed as it is now, even with the old one's size and time."""
    path = tmp_path / "token"
    path.write_text("first")
    secret = Secret(path, short, clock)
    before = path.stat()
    path.write_text("other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "other" == clock.settle(secret)


def test_a_file_that_is_being_written_is_not_believed(tmp_path: Path, clock: Clock) -> None:
    """Neither an empty file nor half a value is revealed or reported while the file is being written."""
    path = tmp_path / "token"
    path.write_text("first")
    secret = Secret(path, short, clock)
    for content in ("", "se", "seco", "second"):
        path.write_text(content)
        for _ in range(2):
            assert "first" == secret.reveal()
            clock.now += SETTLED_S * 0.4
    assert secret.problem is None
    assert ("second", 2) == (clock.settle(secret), secret.revision)


def test_a_change_of_long_ago_is_believed_at_once(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of long ago is complete, so a process that reads seldom does not use the old value once more."""
    path = tmp_path / "token"
    path.write_text("first")
    secret = Secret(path, short, clock)
    path.write_text("second")
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert "second" == secret.reveal()


def test_when_a_file_changed_is_known(tmp_path: Path, clock: Clock) -> None:
    """The moment of a change is the one when it was seen, believed or not; a literal never changes."""
    path = tmp_path / "token"
    path.write_text("first")
    secret = Secret(path, short, clock)
    clock.now += 100
    secret.reveal()
    assert secret.changed_at < 1001
    path.write_text("second")
    secret.reveal()
    assert clock.now == secret.changed_at
    clock.now += 100
    path.unlink()
    secret.reveal()
    assert clock.now == secret.changed_at
    assert -math.inf == Secret("first", short).changed_at


def test_an_unchanged_file_is_not_read_again(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Revealing costs one look at the file's status while it stays as it is."""
    secret = Secret(mounted, short)
    monkeypatch.delattr(Path, "open")
    assert "first" == secret.reveal()


@pytest.mark.parametrize(
    ("broken", "problem"),
    [(None, "cannot be read"), ("", "is empty"), ("far too long", "is too long"), ("\n", "is empty")],
)
def test_the_last_good_value_outlives_a_bad_file(mounted: Path, clock: Clock, broken: str | None, problem: str) -> None:
    """While the file is gone or refused the last good value is used, the reason is known, and both pass with it."""
    secret = Secret(mounted, short, clock)
    if broken is None:
        mounted.rename(mounted.parent / "away")
    else:
        swap(mounted, broken)
    assert "first" == clock.settle(secret)
    assert problem in str(secret.problem)
    if broken is None:
        (mounted.parent / "away").rename(mounted)
    else:
        mounted.write_text("third")
    assert ("first" if broken is None else "third") == clock.settle(secret)
    assert secret.problem is None


@pytest.mark.parametrize(
    ("expected", "content"),
    [("a", b"a\n"), ("a", b"a\r\n"), (" a ", b" a "), ("a\nb", b"a\nb\n\n"), ("é", "é".encode())],
)
def test_only_the_end_of_the_line_is_stripped(tmp_path: Path, expected: str, content: bytes) -> None:
    """Editors end a file with a new line that is no part of the secret; everything else is."""
    path = tmp_path / "token"
    path.write_bytes(content)
    assert expected == Secret(path, short).reveal()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty; write the value into it"),
        (b"\n", "is empty; write the value into it"),
        (b"\xff\xfe", "is not UTF-8 text; write the value into it as plain text"),
        (b"x" * 70_000, "is larger than 65536 bytes; name a file that holds the value alone"),
    ],
)
def test_a_useless_file_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """A file that holds no secret is refused with its path and the mend."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="token is") as caught:
        Secret(path, short)
    assert f"{path} {problem}" == str(caught.value)


def test_no_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a directory and a pipe without a writer are refused without waiting."""
    os.mkfifo(tmp_path / "pipe")
    for name, problem in {
        "missing": "cannot be read (No such file or directory); name a file that this process may read",
        ".": "is not a regular file; name the file that holds the value",
        "pipe": "is not a regular file; name the file that holds the value",
    }.items():
        with pytest.raises(ValueError, match="name") as caught:
            Secret(tmp_path / name, short)
        assert f"{tmp_path / name} {problem}" == str(caught.value)


def test_equality_is_of_the_values(mounted: Path) -> None:
    """Secrets are equal when they reveal the same; they have no hash, since that can change."""
    assert Secret("first", short) == Secret(mounted, short)
    assert Secret("other", short) != Secret(mounted, short)
    assert Secret("first", short) != "first"
    with pytest.raises(TypeError):
        hash(Secret("first", short))
