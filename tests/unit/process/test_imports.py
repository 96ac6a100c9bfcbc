"""What is hidden from imports, and what that keeps out of the watch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tui.process.imports import hidden

ROOT = Path(__file__).parents[3]

WATCH = """
import sys
from tui.__main__ import run
sys.argv = ["vfiotop", "watch", "--help"]
run()
import tui.host.real, tui.session, tui.watch.service, {sources}
print(*sys.modules)
"""


def test_an_import_finds_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    stand_in = ModuleType("this")
    with hidden({"this": stand_in}):
        import this

        assert this is stand_in
    assert "this" not in sys.modules


def test_an_import_without_a_stand_in_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hidden({"this": None}), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules


def test_what_was_imported_before_stays() -> None:
    import json as before

    with hidden({"json": None}):
        import json

        assert json is before
    assert sys.modules["json"] is before


def test_the_watch_loads_nothing_that_inspects_code() -> None:
    """Together they take 1.4 MiB. The program starts as always, and reads its command."""
    sources = (path.with_suffix("") for path in (ROOT / "tui/host").rglob("source.py"))
    names = [".".join(path.relative_to(ROOT).parts) for path in sources]
    assert "tui.host.libvirt.source" in names
    script = WATCH.format(sources=", ".join(names))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "libvirt" in loaded
    assert not loaded & {"typing_extensions", "inspect", "ast", "dis", "dataclasses"}
