"""What is imported before the first frame, and what is read beside it."""

from __future__ import annotations

import subprocess
import sys

START = """
import sys
from tui.cli import main
from tui.terminal.lean import lean_imports
import tui.host.real
with lean_imports():
    import tui.app, tui.session
first = set(sys.modules)
from tui.screens import preload
preload()
print(*sorted(first))
print(*sorted(set(sys.modules) - first))
import ssl, mimetypes, difflib, rich.table
"""

MODULES = 680
"""The most modules that the first frame may need; it needs 640, Textual alone 360."""

READING = """
import os, sys
from tui.cli import screen
from tui.config import Config
from tui.host.demo.host import demo_host
from tui.sampler import Readers
from tui.terminal import tty
def begin(readers):
    print("textual" in sys.modules, flush=True)
    os._exit(0)
Readers.start_first = begin
tty.standard_tty = lambda: tty.Tty(0, 1)
screen.open_screen(demo_host("desk"), Config())
"""


def test_the_sources_are_read_before_textual_is_imported() -> None:
    command = [sys.executable, "-c", READING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n", done.stderr


def test_what_the_first_frame_does_not_need_is_imported_after_it() -> None:
    command = [sys.executable, "-c", START]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first, later = (set(line.split()) for line in output.splitlines())
    assert "tui.screens.overview" in first
    assert "asyncio" in first
    assert not {"ssl", "hashlib", "libvirt", "pyudev", "pynvml"} & first
    assert not {"textual.command", "textual.widgets._input"} & first
    assert not {"rich.table", "difflib", "mimetypes"} & first
    sources = {name.split(".")[2] for name in first if name.startswith("tui.host.")}
    assert not {"agent", "drm", "uses", "memory", "kernel_log", "files"} & sources
    assert not {f"tui.host.libvirt.{name}" for name in ("source", "control")} & first
    assert len(first) < MODULES
    assert "tui.rules.kernel_messages" not in first
    assert {"textual.command", "textual.widgets._input"} <= later
    for screen in ("swap", "guest", "roles", "doctor", "help", "device", "settings", "calls"):
        assert f"tui.screens.{screen}" in later
    for package in ("tui.guest.plan", "tui.swap.planning", "tui.host.libvirt.domain_edit"):
        assert package in later
