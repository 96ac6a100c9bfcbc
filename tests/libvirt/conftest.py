"""One daemon for all tests of this folder: starting it and probing QEMU is slow."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt
import pytest

from tests.libvirt.daemon import Daemon, daemon, missing, operator


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Daemon]:
    if packages := missing():
        pytest.skip(f"not installed: {', '.join(packages)}")
    with daemon() as started:
        yield started


@pytest.fixture
def virsh(libvirtd: Daemon) -> Iterator[libvirt.virConnect]:
    """Another client; the domains that a test leaves behind are removed."""
    with operator(libvirtd.uri) as connection:
        yield connection
        for left in connection.listAllDomains():
            persistent = left.isPersistent()
            if left.isActive():
                left.destroy()
            if persistent:
                left.undefine()
