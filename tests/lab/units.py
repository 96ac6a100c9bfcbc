"""Units of the lab's systemd, libvirtd's among them, as an administrator installs, runs, kills and
reads them; and what logind says. In topologies with systemd only."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab.follow import Followed, followed
from tests.lab.host import run, until, virsh
from tests.lab.vm import PROJECT

FOLDER = Path("/etc/systemd/system")
LIBVIRTD = "libvirtd.service"
VFIOTOP = f"{PROJECT}/.venv/bin/vfiotop"

HIDDEN = ("/home/", "/root/", "/tmp/", "/var/tmp/")
"""What ProtectHome= and PrivateTmp= hide from a unit; this project or its Python may be there."""


# --- any unit ---------------------------------------------------------------------


def systemctl(*words: str) -> str:
    return run("systemctl", *words)


def drop_in(*command: str, **environment: str) -> str:
    """A drop-in that replaces a service's program and adds to its environment."""
    words = " ".join(_quoted(word).replace("$", "$$") for word in command)
    lines = ["[Service]", "ExecStart=", f"ExecStart={words}"]
    lines += [f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()]
    return "\n".join((*lines, ""))


def _quoted(word: str) -> str:
    """A word of a unit file (systemd.syntax(7)) without specifiers."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


@contextmanager
def installed(name: str, text: str, *drop_ins: str) -> Iterator[str]:
    """Install a unit with its drop-ins for the duration of the test; it is not started. Hardened
    units can still read this project and its Python."""
    folder = FOLDER / f"{name}.d"
    folder.mkdir()
    (FOLDER / name).write_text(text)
    for number, part in enumerate((*drop_ins, _uncovered(text))):
        (folder / f"{number}.conf").write_text(part)
    systemctl("daemon-reload")
    try:
        yield name
    finally:
        systemctl("stop", name)
        if state(name) == "failed":
            systemctl("reset-failed", name)
        for file in (*folder.iterdir(), FOLDER / name):
            file.unlink()
        folder.rmdir()
        systemctl("daemon-reload")


def _uncovered(text: str) -> str:
    """A drop-in with the parts of this project and its Python that a unit hides from itself."""
    settings = dict(re.findall(r"^(ProtectHome|PrivateTmp)=(\S+)$", text, re.MULTILINE))
    lines = ["[Service]"]
    if settings:
        needed = [path for path in (str(PROJECT), sys.base_prefix) if path.startswith(HIDDEN)]
        lines += [f"BindReadOnlyPaths={path}" for path in needed]
    if settings.get("ProtectHome") in ("yes", "true"):  # nothing can be bound below these
        lines.append("ProtectHome=tmpfs")
    return "\n".join((*lines, ""))


def show(unit: str, name: str) -> str:
    """A property of a unit (org.freedesktop.systemd1(5)): ``Result``, ``NRestarts``, …"""
    return systemctl("show", "--property", name, "--value", unit).strip()


def state(unit: str) -> str:
    """``active``, ``inactive``, ``failed``, ``activating``, …"""
    return show(unit, "ActiveState")


def await_state(unit: str, *wanted: str) -> str:
    """Wait for one of some states, and return it."""
    until(lambda: state(unit) in wanted)
    return state(unit)


def main_pid(unit: str) -> int:
    """The process of a service; 0 if none runs."""
    return int(show(unit, "MainPID"))


def kill(unit: str, number: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal to a service's main process alone, and return its pid."""
    pid = main_pid(unit)
    assert pid, f"{unit} does not run"
    os.kill(pid, number)
    return pid


def await_new_process(unit: str, old: int) -> int:
    """Wait until systemd has started a service again, and return its pid."""
    until(lambda: main_pid(unit) not in (0, old) and state(unit) == "active")
    return main_pid(unit)


def journal(unit: str) -> list[str]:
    """What a unit has logged, and systemd about it, since the machine has booted."""
    run("journalctl", "--sync")
    return run("journalctl", "--unit", unit, "--output", "cat", "--quiet").splitlines()


@contextmanager
def followed_journal(unit: str) -> Iterator[Followed]:
    """What a unit logs, line by line, from the machine's boot on."""
    with followed(
        "journalctl", "--unit", unit, "--output", "cat", "--quiet", "--follow", "--lines", "all"
    ) as lines:
        yield lines


# --- libvirtd and QEMU --------------------------------------------------------------


def restart_libvirtd() -> None:
    """Restart libvirtd and wait until it answers. Guests keep running."""
    systemctl("restart", LIBVIRTD)
    virsh("version")


def kill_libvirtd() -> None:
    """Kill libvirtd; its unit starts it again. Returns when it answers."""
    await_new_process(LIBVIRTD, kill(LIBVIRTD))
    virsh("version")


@contextmanager
def without_libvirtd() -> Iterator[None]:
    """libvirtd is stopped, and its sockets with it: a client would start it."""
    sockets = [f"libvirtd{kind}.socket" for kind in ("", "-ro", "-admin")]
    systemctl("stop", *sockets, LIBVIRTD)
    try:
        yield
    finally:
        systemctl("start", *sockets, LIBVIRTD)
        virsh("version")


def qemu_pid(name: str) -> int:
    """The QEMU of a running guest."""
    return int(Path(f"/run/libvirt/qemu/{name}.pid").read_text())


def kill_qemu(name: str) -> None:
    """Kill a guest's QEMU, as the kernel does when memory is short."""
    pid = qemu_pid(name)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


# --- logind -------------------------------------------------------------------------


@dataclass(frozen=True)
class Inhibitor:
    """An inhibitor lock as logind lists it (org.freedesktop.login1(5))."""

    what: str
    who: str
    why: str
    mode: str
    uid: int
    pid: int


def inhibitors(what: str = "sleep") -> list[Inhibitor]:
    """The locks of one kind that are held now."""
    answer = run(
        "busctl", "--json=short", "call", "org.freedesktop.login1", "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager", "ListInhibitors",
    )  # fmt: skip
    (rows,) = json.loads(answer)["data"]
    found = [Inhibitor(*row) for row in rows]
    return [each for each in found if what in each.what.split(":")]
