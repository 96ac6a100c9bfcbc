"""A capture has what vfiotop reads: no more is asked of a loaded one, and its verdicts are those of
the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import hosts, lay_out
from tests.thorough import every_third
from tui.cli.main import main
from tui.host.capture.archive import pack
from tui.host.capture.collect import record
from tui.host.capture.memory import MemoryTree
from tui.host.captured import host_in
from tui.host.confined import Confined
from tui.host.tree import FILE_LIMIT, NAMES_LIMIT, Tree
from tui.once import examine_once
from tui.rules.doctor import all_checks, examine
from tui.rules.roles import Choice
from tui.swap.planning import plan_once

from . import towers

Said = Callable[..., dict[str, Any]]

COMMANDS = (("doctor",), ("status",), ("plan", "bind"), ("plan", "unbind"))


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    """What a command prints as JSON of a captured host, without where that is and the time."""

    def run(root: Path, *arguments: str) -> dict[str, Any]:
        capfd.readouterr()
        main(["--root", str(root), *arguments, "--json"])
        out, errors = capfd.readouterr()
        text = (out or json.dumps(errors)).replace(str(root), "ROOT")
        found = json.loads(text)
        if isinstance(found, dict):
            found.pop("taken_at", None)
        return {"said": found}

    return run


@pytest.mark.parametrize("name", every_third(hosts()))
def test_a_loaded_capture_of_a_real_host_says_the_same(
    said: Said, tmp_path: Path, name: str
) -> None:
    root = lay_out(hosts()[name], tmp_path / "host")
    archive = tmp_path / "host.tar.gz"
    archive.write_bytes(pack(record(Confined(str(root))).nodes))
    for command in (("doctor",), ("plan", "bind")):
        there = said(archive, *command)
        there = json.loads(json.dumps(there).replace("ROOT/vfiotop-capture", "ROOT"))
        assert there == said(root, *command)


@pytest.mark.parametrize("name", every_third(sorted(towers.ALL)))
def test_a_loaded_capture_of_a_case_says_the_same(said: Said, tmp_path: Path, name: str) -> None:
    root = towers.ALL[name](tmp_path / "host")
    archive = tmp_path / "host.tar.gz"
    archive.write_bytes(pack(record(Confined(str(root))).nodes))
    for command in COMMANDS:
        there = said(archive, *command)
        there = json.loads(json.dumps(there).replace("ROOT/vfiotop-capture", "ROOT"))
        assert there == said(root, *command)


# --- nothing that a reader reads is missing -----------------------------------------


class Asked:
    """A tree that notes what was read from another, if it exists there."""

    is_machine = False
    is_copied = True

    def __init__(self, tree: Tree, path: str = "", seen: set[str] | None = None) -> None:
        self.tree = tree
        self.path = path
        self.seen: set[str] = set() if seen is None else seen

    def __truediv__(self, name: str) -> Asked:
        return Asked(self.tree, self.join(name), self.seen)

    def join(self, name: str) -> str:
        return f"{self.path}/{name}".strip("/")

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        data = self.tree.read(self.join(name), limit)
        if data is not None:
            self.seen.add(self.join(name))
        return data

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        return self.tree.names(self.join(name), limit)

    def target(self, name: str) -> str:
        return self.tree.target(self.join(name))

    def mode(self, name: str = "") -> int:
        return self.tree.mode(self.join(name))


@pytest.mark.parametrize("name", sorted(towers.ALL))
def test_doctor_status_and_plan_read_nothing_that_a_capture_lacks(
    tmp_path: Path, name: str
) -> None:
    root = Confined(str(towers.ALL[name](tmp_path / "host")))
    asked = Asked(root)
    host = host_in(asked, "host")
    all_checks(examine(examine_once(host, Choice(), with_readings=True)))
    for gpu in host.pci.read().gpus:
        plan_once(host, Choice(gpu.address), "bind", gpu.address)
    capture = MemoryTree(record(root).nodes, "capture")
    named = {path for path in asked.seen if "pci.ids" not in path}  # kept as the names in it
    assert len(named) > 20
    assert {path: capture.read(path) for path in named} == {p: root.read(p) for p in named}
