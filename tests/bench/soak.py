"""``python -m tests.bench.soak --seconds 3600``: does the screen leak?

Two screens run for that long, each on a terminal of its own, with a reading every 0.2 s: one on
the simulated host, one with the real backends, the stand-in for NVML and a libvirtd of the tests'
own. The soak presses keys, resizes windows, starts and ends guests and moves a card between
drivers. At the end it judges memory (PSS), file descriptors and threads of each screen with all
its children.

The rule: after a warm-up of a third of the time, at most five minutes, so that caches fill, the
rest is divided into three. A screen fails if it uses more during all of the last third than ever
in the first, by more than ``SLACK``. What only goes up and down, such as NVML's process, passes.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tests.bench.terminal import Terminal
from tests.bench.usage import memory, processes
from tests.libvirt.daemon import daemon, missing, operator, tiny
from tests.nvml.machine import CARDS, bring, open_host
from tui.cli.screen import open_screen
from tui.config import Config
from tui.host import Host
from tui.host.agent.source import AgentSource
from tui.host.drm.source import DrmSource
from tui.host.journal.source import SwapSource
from tui.host.pci.source import PciSource
from tui.host.pci.vitals import VitalsSource
from tui.host.tree import PlainTree

INTERVAL_S = 0.2
ACT_S = 1.0
WARM_UP_S = 300.0
SAMPLES = 12
"""Minimum number of samples, so that each third has some; a long run takes one per minute."""

KEYS = ("g", "\x1b", "d", "\x1b", "e", "\x1b", "c", "\x1b", "?", "\x1b", "\t", "\t", "\r", "\x1b",
        "t", "z", "z", "/", "nvidia", "\x1b", "\x10", "\x1b", "jjjkkk", "\x0c")  # fmt: skip
"""To every screen, the filter and the palette, and back; moves no card and ends no guest."""

SIZES = ((120, 40), (80, 24), (45, 20), (200, 60))


class Used(NamedTuple):
    """What a screen and its children use: PSS in KiB, and counts."""

    pss: int
    fds: int
    threads: int


SLACK = Used(4096, 0, 0)
"""Growth that is tolerated: fragmented free memory, and reference cycles not yet collected."""


@dataclass
class Screen:
    """One of the screens."""

    name: str
    terminal: Terminal
    used: list[tuple[float, Used]] = field(default_factory=list)

    def look(self, at: float) -> Used:
        """Take a sample; raises an error if the program has ended."""
        if self.terminal.process.poll() is not None:
            raise SystemExit(f"{self.name} has ended:\n{self.terminal.text()}")
        found = used(self.terminal.process.pid)
        self.used.append((at, found))
        return found


def used(root: int) -> Used:
    fds = threads = 0
    for process in processes(root):
        with contextlib.suppress(OSError):  # the process has ended
            fds += len([*Path(f"/proc/{process.pid}/fd").iterdir()])
            threads += len([*Path(f"/proc/{process.pid}/task").iterdir()])
    return Used(memory(root).pss, fds, threads)


def growth(samples: Sequence[Used]) -> list[str]:
    """What grows by the rule above, in samples taken after the warm-up."""
    third = max(1, len(samples) // 3)
    found = []
    for name in Used._fields:
        first = max(getattr(sample, name) for sample in samples[:third])
        last = min(getattr(sample, name) for sample in samples[-third:])
        if last > first + getattr(SLACK, name):
            found.append(f"{name}: at most {first} at first, at least {last} in the end")
    return found


# --- the program with the real backends --------------------------------------------


def real(folder: Path, uri: str) -> int:
    """Run the screen on the laid-out host, with every source that this machine supports."""
    host: Host = open_host(folder, uri)
    pci = PciSource(PlainTree(folder / "host"))
    host = replace(
        host,
        vitals=VitalsSource(pci),
        drm=DrmSource(pci),
        agent=AgentSource(uri),
        swap=SwapSource(),
    )
    return open_screen(host, Config(interval=INTERVAL_S))


# --- the run ---------------------------------------------------------------------------


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    home = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"), str(folder))
    return {**kept, **home, "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def screens(folder: Path) -> Iterator[tuple[list[Screen], Callable[[int], None]]]:
    """Both screens, and a function that changes their hosts: call it with 0, 1, 2, …"""
    with contextlib.ExitStack() as stack:
        libvirtd = stack.enter_context(daemon())
        virsh = stack.enter_context(operator(libvirtd.uri))
        host = folder / "real"
        host.mkdir()
        commands = {
            "demo": ("-m", "tui", "--demo", "--interval", str(INTERVAL_S)),
            "real": ("-m", "tests.bench.soak", "--screen", str(host), libvirtd.uri),
        }
        opened = [
            Screen(
                name, stack.enter_context(Terminal((sys.executable, *words), environment(folder)))
            )
            for name, words in commands.items()
        ]
        for screen in opened:
            screen.terminal.until(lambda text: "q quit" in text)
        keys = itertools.cycle(KEYS)
        sizes = itertools.cycle(SIZES)

        def act(turn: int) -> None:
            key = next(keys)
            for screen in opened:
                screen.terminal.press(key)
            if turn % 3 == 0:
                running = virsh.listAllDomains()
                if running:
                    running[0].destroy()
                else:
                    virsh.createXML(tiny(f"soak-{turn}"))
            if turn % 20 == 10:
                bring(host / "host", CARDS[0], "vfio-pci" if turn % 40 == 10 else "nvidia")
            if turn % 30 == 15:
                size = next(sizes)
                for screen in opened:  # discards the output so far
                    screen.terminal.resize(*size)

        yield opened, act


def soak(seconds: float) -> int:
    """Run for ``seconds`` and report; returns 1 if something grows."""
    began = time.monotonic()
    every = min(60.0, seconds / (SAMPLES * 3 / 2))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        opened, act = stack.enter_context(screens(folder))
        began, due = time.monotonic(), 0.0
        print(f"{'s':>6}  {'screen':<6} {'PSS KiB':>8} {'fds':>4} {'threads':>7}")
        for turn in itertools.count():
            at = time.monotonic() - began
            if at >= due:
                for screen in opened:
                    found = screen.look(at)
                    print(f"{at:6.0f}  {screen.name:<6} {found.pss:>8} {found.fds:>4} "
                          f"{found.threads:>7}", flush=True)  # fmt: skip
                due += every
            if at >= seconds:
                break
            act(turn)
            time.sleep(ACT_S)
        return report(opened, min(WARM_UP_S, seconds / 3))


def report(opened: Sequence[Screen], warm_up: float) -> int:
    """Print the first and last sample of each screen, and what grows."""
    grows = False
    for screen in opened:
        samples = [found for at, found in screen.used if at >= warm_up]
        first, last, found = samples[0], samples[-1], growth(samples)
        grows |= bool(found)
        print(f"{screen.name}: first {first}, last {last}; {'; '.join(found) or 'nothing grows'}")
    return 1 if grows else 0


def main() -> int:
    """Run the soak, or with ``--screen`` one of its screens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--screen", nargs=2, metavar=("FOLDER", "URI"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.screen:
        return real(Path(given.screen[0]), given.screen[1])
    lacking = [*missing(), *([] if shutil.which("cc") else ["a C compiler"])]
    if lacking:
        print(f"not installed: {', '.join(lacking)}", file=sys.stderr)
        return 2
    return soak(given.seconds)


if __name__ == "__main__":
    raise SystemExit(main())
