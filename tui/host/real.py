"""This host: every source on the machine itself."""

from __future__ import annotations

from collections.abc import Collection

from tui.host import Host, Mover, OnlyLookedAt, Still
from tui.host.facts import FactsSource
from tui.host.guest_control import LibvirtControl
from tui.host.guests import GuestsSource
from tui.host.holders import holders
from tui.host.nvml import NvmlSource
from tui.host.pci import PciSource, VitalsSource
from tui.host.readiness import readiness
from tui.host.swaps import SwapSource
from tui.model import Holders, Readiness
from tui.swap.machine import under_way


class RealInspector:
    """Looks closer at this machine."""

    def holders(self, addresses: Collection[str]) -> Holders:
        return holders(addresses)

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return readiness(gpus)


def real_host(uri: str, *, readonly: bool = False, mover: Mover | None = None) -> Host:
    """The machine vfiotop runs on, with the domains of the libvirt at ``uri``."""
    pci = PciSource()
    return Host(
        facts=FactsSource(),
        pci=pci,
        vitals=VitalsSource(pci),
        nvml=NvmlSource(swapping=under_way),
        guests=GuestsSource(uri, readonly=readonly),
        swap=SwapSource(),
        readonly=readonly,
        inspector=RealInspector(),
        control=OnlyLookedAt() if readonly else LibvirtControl(uri),
        mover=Still() if readonly or mover is None else mover,
        again=lambda: real_host(uri, readonly=readonly),
    )
