"""One daemon for all tests of this folder: to start it and to probe QEMU takes a while."""

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
    """A connection of somebody else; the domains that a test leaves are taken away."""
    with operator(libvirtd.uri) as connection:
        yield connection
        for left in connection.listAllDomains():
            persistent = left.isPersistent()
            if left.isActive():
                left.destroy()
            if persistent:
                left.undefine()
