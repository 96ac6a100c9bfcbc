"""An ordinary user next to root, with sudo and doas as a careless administrator configures them.

Each command runs in a mount namespace of its own: /etc is a copy, /run is empty, the user's home
and root's are folders of the test. Nothing on this machine is changed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER, UID = "player", 1234
HOME, ROOTS_HOME, *_ = (
    place for place in map(Path, ("/srv", "/media", "/mnt")) if not ROOT.is_relative_to(place)
)
"""The homes of the user and of root in the sandbox's passwd(5). This checkout is below neither."""

SUDOERS = f"""
Defaults env_reset, !secure_path
Defaults env_keep += "*"
root ALL=(ALL) NOPASSWD: ALL
{USER} ALL=(ALL) NOPASSWD:SETENV: ALL
"""

DOAS = f"""
permit nopass keepenv {USER}
permit nopass keepenv root
"""

TIMEOUT_S = 120


class Sandbox:
    """``folder`` holds what the sandbox mounts over this machine's own files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.roots_home, self.run_folder = (
            folder / "home", folder / "root", folder / "run"
        )  # fmt: skip
        for each in (self.home, self.roots_home, self.run_folder):
            each.mkdir()
        os.chown(self.home, UID, UID)
        self._opened = _opened(folder)
        self.roots_home.chmod(0o700)
        self._make_etc()

    def _make_etc(self) -> None:
        etc = self.folder / "etc"
        shutil.copytree("/etc", etc, symlinks=True, ignore=_sockets)
        passwd = [line for line in _lines(etc / "passwd") if not line.startswith(("root:", USER))]
        passwd += [f"root:x:0:0:root:{ROOTS_HOME}:/bin/sh", f"{USER}:x:{UID}:{UID}::{HOME}:/bin/sh"]
        (etc / "passwd").write_text("\n".join(passwd) + "\n")
        (etc / "group").write_text("\n".join([*_lines(etc / "group"), f"{USER}:x:{UID}:"]) + "\n")
        with (etc / "shadow").open("a") as shadow:
            shadow.write(f"{USER}:*:20000:0:99999:7:::\n")
        (etc / "sudoers").write_text(SUDOERS)
        (etc / "sudoers").chmod(0o440)
        (etc / "doas.conf").write_text(DOAS)
        (etc / "doas.conf").chmod(0o400)
        for service in ("sudo", "doas"):  # whatever this machine asks for, nobody has a password
            (etc / "pam.d" / service).write_text(
                "".join(f"{kind} sufficient pam_permit.so\n" for kind in _KINDS)
            )

    def run(
        self,
        *command: str,
        user: str = USER,
        env: Mapping[str, str] | None = None,
        before: str = "",
        shell: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as ``user``. ``before`` is a script that root runs first; ``shell`` is one
        that the user's shell runs before it execs the command."""
        who = UID if user == USER else 0
        as_user = ["setpriv", f"--reuid={who}", f"--regid={who}", "--clear-groups"]
        surroundings = {"PATH": "/usr/bin:/bin", "HOME": str(HOME if who else ROOTS_HOME)}
        surroundings |= env or {}
        told = [f"{name}={value}" for name, value in surroundings.items()]
        inner = f"cd {HOME}; {shell}\nexec {shlex.join(command)}"
        script = f"""
            {self._opened}
            mount --bind {self.folder}/etc /etc
            mount --bind {self.run_folder} /run
            mount --bind {self.home} {HOME}
            mount --bind {self.roots_home} {ROOTS_HOME}
            {before}
            exec {shlex.join([*as_user, "env", "-i", *told, "sh", "-c", inner])}
        """
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", script],
            capture_output=True, text=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL,
            check=False, errors="replace",
        )  # fmt: skip


def _opened(folder: Path) -> str:
    """A script that lets an ordinary user reach the interpreter and this checkout, even below a
    folder that is closed to others, such as root's home."""
    kept: dict[Path, Path] = {}
    closed: set[Path] = set()
    for number, place in enumerate((Path(sys.base_prefix).resolve(), ROOT)):
        outermost = next((p for p in reversed(place.parents) if not p.stat().st_mode & 0o001), None)
        if outermost is not None:
            closed.add(outermost)
            kept[place] = folder / f"kept-{number}"
            kept[place].mkdir()
    lines = [f"mount --bind {place} {aside}" for place, aside in kept.items()]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {place}" for place in closed]
    for place, aside in kept.items():
        lines += [f"mkdir -p {place}", f"mount --bind {aside} {place}"]
    return "\n".join(lines)


_KINDS = ("auth", "account", "session")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def _sockets(folder: str, names: list[str]) -> set[str]:
    """What cannot be copied, and what is of no use in the sandbox."""
    return {n for n in names if not os.path.lexists(f"{folder}/{n}") or n == "sudoers.d"}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    if os.geteuid() != 0:
        pytest.skip("only root can be attacked by another user")
    made = Sandbox(tmp_path_factory.mktemp("sandbox"))
    seen = made.run(sys.executable, "-c", f"open({str(ROOT / 'Makefile')!r})")
    if seen.returncode != 0:
        pytest.fail(f"the sandbox cannot be set up: {seen.stderr.strip()}")
    return made


def files_below(folder: Path) -> set[str]:
    """Every file, folder and link below, by name and owner."""
    return {f"{p.relative_to(folder)} {p.lstat().st_uid}" for p in folder.rglob("*")}
