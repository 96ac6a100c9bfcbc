"""A minimal Debian system in a chroot, to install packages in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROOTS = ROOT / "build" / "chroots"

USER, UID = "player", 1234
APT = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "--yes", "--no-install-recommends")
ONLY_NEEDED = (
    "-o", "APT::AutoRemove::RecommendsImportant=false",
    "-o", "APT::AutoRemove::SuggestsImportant=false",
)  # fmt: skip
"""Options that also remove what other packages recommend or suggest."""

TIMEOUT_S = 600

NOISE = (
    "proc/", "sys/", "dev/", "run/", "srv/", "tmp/", f"home/{USER}/",
    "var/cache/", "var/log/", "var/lib/apt/", "var/lib/dpkg/", "etc/hosts/",
)  # fmt: skip
"""What apt and dpkg keep for themselves, what is not part of the system, a user's own files, and
/etc/hosts, which netbase, a dependency of Python, creates and leaves behind."""


class System:
    """A system in ``folder``. ``packages`` is a folder that it sees as /srv."""

    def __init__(self, folder: Path, packages: Path, archives: Path) -> None:
        self.folder = folder
        self._enter = [
            str(ROOT / ".packaging" / "chroot"), "--bind", str(packages), "/srv",
            "--bind", str(archives), "/var/cache/apt/archives", str(folder),
        ]  # fmt: skip

    def command(self, *command: str, user: str = "root") -> list[str]:
        """Return the command that runs this one in the system."""
        if user == "root":
            return [*self._enter, *command]
        return [
            *self._enter, "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
            "env", "--chdir=/", f"HOME=/home/{USER}", *command,
        ]  # fmt: skip

    def run(self, *command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*command, user=user), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip

    def do(self, *command: str) -> str:
        """Run a command as root that must succeed; returns its output."""
        done = self.run(*command)
        assert done.returncode == 0, done
        return done.stdout

    def state(self) -> str:
        """dpkg's state of our package (dpkg-query(1)): "ii" if it is installed."""
        return self.run("dpkg-query", "-Wf", "${db:Status-Abbrev}", "vfiotop").stdout.strip()

    def version(self) -> str:
        return self.do("dpkg-query", "-Wf", "${Version}", "vfiotop")

    def paths(self) -> set[str]:
        """Every file, folder and link of the system."""
        found = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))
        return {path for path in found if not f"{path}/".startswith(NOISE)}


@contextmanager
def system(release: str, packages: Path) -> Iterator[System]:
    """Yield a copy of a minimal system with a user, man-db and bash-completion."""
    kept, folder, archives = (
        CHROOTS / release, CHROOTS / f"{release}-test", CHROOTS / f"{release}-archives"
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run(["cp", "-a", kept, folder], check=True, timeout=TIMEOUT_S)
        made = System(folder, packages, archives)
        made.do("apt-get", "-qq", "update")
        made.do(*APT, "install", "man-db", "bash-completion")
        made.do("useradd", "--create-home", f"--uid={UID}", USER)
        yield made
    finally:
        assert str(folder) not in Path("/proc/self/mountinfo").read_text()
        shutil.rmtree(folder, ignore_errors=True)
