"""The programs to measure: vfiotop and those it is compared with, and how to start them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench import bare
from tests.bench.places import CONTROL, root
from tests.bench.terminal import Seen, Terminal

HERE = Path(__file__).parents[2]
NVITOP = HERE / ".bench/nvitop/bin/nvitop"

HIDDEN = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "LINES", "COLUMNS",
          "SSH_CONNECTION", "NO_COLOR")  # fmt: skip
"""Environment variables that would make a program behave differently than for its users."""


@dataclass(frozen=True)
class Subject:
    """A program to measure. ``reading`` recognises its screen with the first reading, ``values``
    with NVML's values."""

    name: str
    command: tuple[str, ...]
    reading: Seen
    values: Seen
    version: str = ""

    def open(self, folder: Path, *, still: bool = False) -> Terminal:
        """Start it on the host laid out in ``folder``, in a terminal of 120x40."""
        return Terminal(self.command, environment(folder, still=still))


@dataclass(frozen=True)
class Absent:
    """A program that cannot be measured here, with the reason."""

    name: str
    why: str


def environment(folder: Path, *, still: bool = False) -> dict[str, str]:
    """The environment: the stand-in as NVML's library and an empty home. Values change with the
    clock, or with ``still`` not at all."""
    kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    return {
        **kept,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_STATE_HOME": str(folder),
        "LD_LIBRARY_PATH": str(folder),
        "VFIOTOP_STANDIN_SYSFS": str(root(folder) / "sys"),
        "VFIOTOP_STANDIN_CONTROL": str(folder / CONTROL),
        **({"VFIOTOP_STANDIN_STEP": "7"} if still else {}),
    }


def vfiotop(folder: Path, *, still: bool = False, plain: bool = False) -> Subject:
    """vfiotop from this checkout, on the host in ``folder``. ``plain``: in the terminal's 16
    colours."""
    arguments = [str(folder), *["--still"] * still, *["--plain"] * plain]
    return Subject(
        "vfiotop",
        (sys.executable, "-m", "tests.bench.screen", *arguments),
        reading=lambda text: re.search(r"[12] (Guest|Host) GPU · \w", text) is not None,
        values=lambda text: len(re.findall(r"Temp +\d+ °C", text)) == 2,
    )


def watch(folder: Path) -> tuple[str, ...]:
    """The command of a watch with a history, on the host in ``folder``."""
    return sys.executable, "-m", "tests.bench.watch", str(folder)


def bare_textual() -> Subject:
    """The smallest Textual program."""

    def seen(text: str) -> bool:
        return bare.WORD in text

    return Subject("bare Textual", (sys.executable, "-m", "tests.bench.bare"), seen, seen)


def nvitop() -> Subject | Absent:
    """nvitop from PyPI, in the environment that ``.ci/setup --bench`` creates for it."""
    if not NVITOP.exists():
        return Absent("nvitop", "it is not installed: run .ci/setup --bench")

    def seen(text: str) -> bool:
        return len(re.findall(r"\d+W / 450W", text)) == 2

    command = (str(NVITOP), "--monitor", "full", "--interval", "1")
    return Subject("nvitop", command, seen, seen, _version(str(NVITOP)))


def nvtop(folder: Path) -> Subject | Absent:
    """Debian's nvtop, if it finds the cards of the host in ``folder``."""
    program = shutil.which("nvtop")
    if program is None:
        return Absent("nvtop", "it is not installed: run .ci/setup --bench")

    def seen(text: str) -> bool:
        return len(re.findall(r"TEMP +\d+", text)) == 2

    subject = Subject("nvtop", (program, "-d", "10"), seen, seen, _version(program))
    with subject.open(folder) as terminal:
        try:
            terminal.until(lambda text: seen(text) or "No GPU" in text)
        except TimeoutError:
            return Absent("nvtop", "it shows no card")
        if terminal.shown(seen) is None:
            return Absent("nvtop", "it finds no card: the stand-in lacks a function it needs")
    return subject


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(" ")[2]


def surroundings(subjects: Mapping[str, Subject | Absent]) -> str:
    """The versions of the programs and of the machine."""
    found = [f"{s.name} {s.version}" for s in subjects.values() if isinstance(s, Subject)]
    return ", ".join(each.strip() for each in found)
