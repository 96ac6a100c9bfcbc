"""The socket of the metrics, and the file with the token."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from tui.config import ConfigError
from tui.model.endpoint import Endpoint, endpoint
from tui.watch import listen
from tui.watch.listen import listening, token

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _tests_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the test counts as one that only root can change."""
    monkeypatch.setattr(listen, "only_root_can_change", lambda _path: True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("127.0.0.1:9835", Endpoint("127.0.0.1", 9835)),
        ("127.8.8.8:1", Endpoint("127.8.8.8", 1)),
        ("[::1]:9835", Endpoint("::1", 9835)),
        ("unix:/run/vfiotop/metrics.sock", Endpoint(path="/run/vfiotop/metrics.sock")),
    ],
)
def test_a_place_of_this_machine(text: str, found: Endpoint | None) -> None:
    assert endpoint(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.0.0.0:9835", "can be reached from other machines"),
        ("192.168.1.2:9835", "can be reached from other machines"),
        ("[::]:9835", "can be reached from other machines"),
        ("[::ffff:8.8.8.8]:1", "it must be like"),
        ("localhost:9835", "it must be like"),
        (":9835", "it must be like"),
        ("127.0.0.1", "it must be like"),
        ("127.0.0.1:0", "it must be like"),
        ("127.0.0.1:65536", "it must be like"),
        ("127.0.0.999:1", "999"),
        ("unix:metrics.sock", "full path"),
        ("unix:/run/../x", "full path"),
        ("unix:/run/", "full path"),
        ("unix:/" + "x" * 200, "at most 100 bytes"),
        ("unix:/a\0b", "at most 100 bytes"),
    ],
)
def test_any_other_place_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        endpoint(text)


def test_a_socket_is_roots_and_its_groups_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    before = os.umask(0o077)
    try:
        with listening(Endpoint(path=str(path))) as opened:
            opened.listen()
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert path.stat().st_uid == os.geteuid()
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(path))
    with listening(Endpoint(path=str(path))):
        assert stat.S_ISSOCK(path.stat().st_mode)


@pytest.mark.parametrize("kind", ["file", "link", "other"])
def test_what_is_not_ours_stays(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        if kind == "file":
            path.write_text("kept")
        elif kind == "link":
            path.symlink_to("elsewhere")
        else:
            other.bind(str(path))
            other.listen()
        with pytest.raises(FileExistsError), listening(Endpoint(path=str(path))):
            pass
        assert path.is_symlink() or path.exists()


def test_a_port_is_on_the_loopback_and_can_be_taken_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Endpoint("127.0.0.1", other.getsockname()[1])
        with pytest.raises(OSError, match="in use"), listening(taken):
            pass


def written(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_a_token_is_the_line_of_its_file(tmp_path: Path) -> None:
    assert token(None) is None
    assert token(written(tmp_path, f"{TOKEN}\n")) == TOKEN


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (TOKEN, 0o640, "others can read it"),
        (TOKEN, 0o604, "others can read it"),
        ("short", 0o600, "16 to 512"),
        (f"{TOKEN}\n{TOKEN}", 0o600, "16 to 512"),
        ("ü" * 20, 0o600, "16 to 512"),
        ("x" * 2000, 0o600, "larger than"),
    ],
)
def test_a_token_that_is_none_is_an_error(text: str, mode: int, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        token(written(tmp_path, text, mode))


def test_a_token_that_others_can_change_or_that_is_missing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        token(str(tmp_path / "none"))
    monkeypatch.setattr(listen, "only_root_can_change", lambda _path: False)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid)
    if tmp_path.stat().st_uid == 0:
        with pytest.raises(ConfigError, match="users other than root"):
            token(written(tmp_path, TOKEN))
