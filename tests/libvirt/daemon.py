"""A private, unprivileged libvirtd with all its files in one folder.

The machine's own libvirt, its domains and its settings are not touched.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.libvirt import reaper as reaping

if TYPE_CHECKING:
    import libvirt

NEEDED = {"libvirtd": "libvirt-daemon", "qemu-system-x86_64": "qemu-system-x86"}
"""Programs, and the packages that contain them."""

SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
START_SECONDS = 20.0
STOP_SECONDS = 10.0
FREEZE_SECONDS = 10.0

OPEN = 'auth_unix_rw = "none"\n'
LOGIN = 'auth_unix_rw = "sasl"\n'
SASL_CONF = "mech_list: scram-sha-256\n"
"""SASL has no accounts, so every connection is refused.

Without a list of mechanisms, ANONYMOUS, if it is installed, would let everybody in.
"""

QEMU_CONF = """\
stdio_handler = "file"
security_driver = "none"
cgroup_controllers = []
seccomp_sandbox = 0
"""
"""No virtlogd, no confinement, no control groups.

At each start libvirt asks QEMU for 400 features of its CPU, and QEMU reads the 48 kB byte by byte.
A filter of the 340,000 system calls takes 6 % of the CPU time of the tests with a guest.
"""


def missing() -> list[str]:
    """Return the packages that are not installed."""
    return [pkg for program, pkg in NEEDED.items() if shutil.which(program, path=SEARCHED) is None]


class Daemon:
    """libvirtd in session mode.

    Runs as another user if the tests run as root: as root it would be the system instance. Its QEMU
    processes outlive it, as on a real host.
    """

    def __init__(self, folder: Path, qemu_conf: str = "") -> None:
        self.folder = folder
        self.socket = folder / "run" / "libvirt" / "libvirt-sock"
        self.uri = f"qemu:///session?socket={self.socket}"
        self._reapers: list[subprocess.Popen[bytes]] = []
        self._pid: int | None = None
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        for name in ("run", "config/libvirt", "sasl"):
            (folder / name).mkdir(parents=True)
        (folder / "sasl" / "libvirt.conf").write_text(SASL_CONF)
        (folder / "config" / "libvirt" / "qemu.conf").write_text(QEMU_CONF + qemu_conf)
        if self._user is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _environment(self) -> Mapping[str, str]:
        places = {"RUNTIME_DIR": "run", "CONFIG_HOME": "config", "CACHE_HOME": "cache"}
        xdg = {f"XDG_{name}": str(self.folder / place) for name, place in places.items()}
        sasl = {"SASL_CONF_PATH": str(self.folder / "sasl")}
        return {"PATH": SEARCHED, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", **xdg, **sasl}

    def _arguments(self) -> list[str]:
        """It exits after ten minutes without clients, in case the tests are killed. In that time,
        tests of other folders may run between two that need it."""
        files = {"--config": "libvirtd.conf", "--pid-file": "pid"}
        named = [f"{option}={self.folder / name}" for option, name in files.items()]
        return [*named, "--timeout=600"]

    def start(self, settings: str = OPEN) -> None:
        """Return when it accepts connections, which it reports as to systemd (sd_notify(3))."""
        log = f'log_outputs = "3:file:{self.folder / "log"}"\n'
        (self.folder / "libvirtd.conf").write_text(settings + log)
        notify = self.folder / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(notify))
            notify.chmod(0o777)
            ready.settimeout(START_SECONDS)
            user = self._user
            ids = (str(user.pw_uid), str(user.pw_gid)) if user is not None else ("", "")
            reaper = subprocess.Popen(
                [sys.executable, "-IS", reaping.__file__, *ids, "libvirtd", *self._arguments()],
                env={**self._environment(), "NOTIFY_SOCKET": str(notify)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._reapers.append(reaper)
            try:
                assert b"READY=1" in ready.recv(4096)
            finally:
                notify.unlink()
            self._pid = int((self.folder / "pid").read_text())

    def stop(self) -> None:
        """Return when it has ended."""
        if self._pid is not None:
            os.kill(self._pid, signal.SIGTERM)
            ended = self._reapers[-1].stdout
            assert ended is not None and select.select([ended], [], [], STOP_SECONDS)[0]
            self._pid = None

    def close(self) -> None:
        """End it with everything that it started."""
        self.end_domains()
        self.stop()
        for reaper in self._reapers:
            reaper.communicate(timeout=STOP_SECONDS)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the daemon for a while; the limit keeps the tests from waiting for ever."""
        assert self._pid is not None
        thaw = threading.Timer(FREEZE_SECONDS, os.kill, (self._pid, signal.SIGCONT))
        os.kill(self._pid, signal.SIGSTOP)
        thaw.start()
        try:
            yield
        finally:
            thaw.cancel()
            os.kill(self._pid, signal.SIGCONT)

    def end_domains(self) -> None:
        """End the QEMU processes of this daemon, by their pid files."""
        for file in (self.folder / "run" / "libvirt" / "qemu" / "run").glob("*.pid"):
            if file.name != "driver.pid":
                with contextlib.suppress(ProcessLookupError, ValueError):
                    os.kill(int(file.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def daemon(qemu_conf: str = "") -> Iterator[Daemon]:
    """A running daemon, which is ended with everything that it started.

    ``qemu_conf`` are further lines of its qemu.conf.

    Its folder is not pytest's: the path of a Unix socket has at most 107 bytes, and the other user
    must be able to reach it.
    """
    folder = Path(tempfile.mkdtemp(prefix="vfiotop-"))
    folder.chmod(0o755)
    made = Daemon(folder, qemu_conf)
    try:
        made.start()
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def tiny(name: str, devices: str = "", more: str = "") -> str:
    """Return a domain with 64 MiB and no disk, whose firmware waits for something to boot;
    ``more`` goes beside its devices."""
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  {more}
  <devices>
    <emulator>{shutil.which("qemu-system-x86_64", path=SEARCHED)}</emulator>
    <controller type='usb' model='none'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    {devices}
  </devices>
</domain>"""


@contextlib.contextmanager
def operator(uri: str) -> Iterator[libvirt.virConnect]:
    """Another client of the same libvirt, such as virsh."""
    import libvirt  # the bench shares none of its memory with what it measures

    connection = libvirt.open(uri)
    try:
        yield connection
    finally:
        connection.close()
