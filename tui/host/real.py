"""This host: every source on the machine itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tui.host import EmptySource, Host, Mover, NoMover, ReadOnlyControl, Source
from tui.host.agent.source import AgentSource
from tui.host.calls import CallLog
from tui.host.drm.source import DrmSource
from tui.host.facts import FactsSource
from tui.host.journal.source import SwapSource, home_power
from tui.host.journal.state import under_way
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.source import GuestsSource
from tui.host.nvml.source import NvmlSource
from tui.host.pci.source import PciSource
from tui.host.pci.vfio_users import VfioUsers
from tui.host.pci.vitals import VitalsSource
from tui.host.proc.holders import holders
from tui.host.readiness.source import readiness
from tui.host.uses.device import device_uses
from tui.model import AgentReading, Demand, Holders, Readiness


class RealInspector:
    """Looks closer at this machine."""

    def holders(self, addresses: Collection[str]) -> Holders:
        return holders(addresses)

    def readiness(self, gpus: Collection[str]) -> Readiness:
        return replace(readiness(gpus), home_power=home_power())


@dataclass(frozen=True)
class AgentSettings:
    """Whether running guests are asked for their cards, in quiet mode too, and how many
    seconds apart at least."""

    guests: bool = True
    even_quiet: bool = False
    every: float = 5.0


def real_host(
    uri: str,
    *,
    readonly: bool = False,
    mover: Mover | None = None,
    asking: AgentSettings | None = None,
) -> Host:
    """The machine vfiotop runs on, with the domains of the libvirt at ``uri``."""
    calls = CallLog()
    pci = PciSource()
    nvml = NvmlSource(swapping=under_way, calls=calls)
    agent = _agent(uri, calls, asking or AgentSettings(), readonly=readonly)

    def attend(attention: Demand) -> None:
        nvml.set_demand(attention)
        if isinstance(agent, AgentSource):
            agent.set_demand(attention)

    return Host(
        facts=FactsSource(),
        pci=pci,
        vitals=VitalsSource(pci, users=VfioUsers(holders)),
        nvml=nvml,
        drm=DrmSource(pci),
        guests=GuestsSource(uri, readonly=readonly, calls=calls),
        agent=agent,
        swap=SwapSource(),
        readonly=readonly,
        inspector=RealInspector(),
        control=ReadOnlyControl() if readonly else LibvirtControl(uri),
        mover=NoMover() if readonly or mover is None else mover,
        reopen=lambda: real_host(uri, readonly=readonly, asking=asking),
        uses=device_uses,
        set_demand=attend,
        calls=calls,
    )


def _agent(
    uri: str, calls: CallLog, asking: AgentSettings, *, readonly: bool
) -> Source[AgentReading]:
    """To start a program in a guest is something done to it."""
    if readonly:
        return EmptySource("with --readonly nothing is started in a guest, so it is not asked")
    if not asking.guests:
        return EmptySource("guest_readings is off in the configuration: the guest is not asked")
    return AgentSource(uri, every=asking.every, even_quiet=asking.even_quiet, calls=calls)
