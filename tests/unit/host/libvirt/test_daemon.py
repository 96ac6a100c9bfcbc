"""What the files of a host say about a libvirt that does not answer."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.unit.host.libvirt.test_errors import Error
from tui.host.libvirt.errors import why_not_open
from tui.host.tree import PlainTree
from tui.rules.libvirt_uri import INSTALL, START, START_LIBVIRTD, START_VIRTQEMUD

SYSTEM = "qemu:///system"
LIBVIRTD, VIRTQEMUD = "usr/sbin/libvirtd", "usr/sbin/virtqemud"
ENABLED = "etc/systemd/system/sockets.target.wants/virtqemud.socket"
UNCLEAR = f"libvirtd is not running, or does not serve {SYSTEM}: {START}"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["usr/bin/sh"], f"libvirt is not installed: {INSTALL}"),
        ([LIBVIRTD], f"libvirtd is not running: {START_LIBVIRTD}"),
        (["etc/systemd/system/libvirtd.service"], f"libvirtd is not running: {START_LIBVIRTD}"),
        ([VIRTQEMUD], f"virtqemud is not running: {START_VIRTQEMUD}"),
        ([LIBVIRTD, VIRTQEMUD], f"libvirtd is not running: {START_LIBVIRTD}"),
        ([LIBVIRTD, VIRTQEMUD, ENABLED], f"virtqemud is not running: {START_VIRTQEMUD}"),
        (["usr/bin/sh", "run/libvirt/libvirt-sock"], UNCLEAR),
        ([], UNCLEAR),
    ],
)  # fmt: skip
def test_not_installed_and_not_running_are_told_apart(
    tmp_path: Path, files: list[str], said: str
) -> None:
    for name in files:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    error = Error(38, errno.ENOENT)
    assert why_not_open(error, SYSTEM, PlainTree(tmp_path)) == said


def test_only_the_systems_libvirt_is_started_by_systemd(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    said = why_not_open(Error(38, errno.ENOENT), "qemu:///session", PlainTree(tmp_path))
    assert "not installed" not in said
