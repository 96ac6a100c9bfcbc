"""The host that vfiotop runs on: each source reads the machine itself.

What the first frame does not need is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from msgspec.structs import replace

from tui.host import (
    EmptySource,
    GuestControl,
    Host,
    Mover,
    NoKeeper,
    NoMover,
    ReadOnlyControl,
    Source,
)
from tui.host.calls import CallLog
from tui.host.facts import FactsSource
from tui.host.history.source import StoredHistory
from tui.host.journal.source import SwapSource, home_power
from tui.host.journal.state import under_way
from tui.host.later import Later, Selective, SelectiveLater, later_control
from tui.host.libvirt.errors import is_local_qemu
from tui.host.nvml.source import NvmlSource
from tui.host.pci.source import PciSource
from tui.host.pci.vfio_users import VfioUsers
from tui.host.pci.vitals import VitalsSource
from tui.host.tree import MACHINE
from tui.host.untrusted import clean
from tui.host.watch.keeper import RecordKeeper
from tui.model import (
    AgentReading,
    Demand,
    DeviceUses,
    DrmReading,
    FileFacts,
    Guests,
    GuestThreads,
    Holders,
    HostMemory,
    KernelLog,
    Readiness,
    UsbReading,
    Watch,
)
from tui.rules.libvirt_uri import why_not_this_host


class RealInspector:
    """Inspects this machine."""

    def holders(self, addresses: Collection[str]) -> Holders:
        return _holders(addresses)

    def readiness(self, gpus: Collection[str]) -> Readiness:
        from tui.host.readiness.source import readiness

        return replace(readiness(gpus), home_power=home_power())


class AgentSettings(Struct, frozen=True):
    """Whether running guests are asked about their cards, and whether in quiet mode too.

    ``every`` is the minimum number of seconds between two questions.
    """

    guests: bool = True
    even_quiet: bool = False
    every: float = 5.0


def real_host(
    uri: str,
    *,
    readonly: bool = False,
    mover: Mover | None = None,
    agent_settings: AgentSettings | None = None,
) -> Host:
    """Return the machine vfiotop runs on, with the domains of the libvirt at ``uri``."""
    calls = CallLog()
    pci = PciSource()
    nvml = NvmlSource(swapping=under_way, calls=calls)
    threads = _threads(uri)
    away = why_not_this_host(uri)
    not_here = f"{clean(uri)} {away}" if away else None
    agent = _agent(uri, calls, agent_settings or AgentSettings(), readonly=readonly)

    def set_demand(demand: Demand) -> None:
        nvml.set_demand(demand)
        for source in (threads, agent):
            if isinstance(source, SelectiveLater):
                source.set_demand(demand)

    return Host(
        facts=FactsSource(),
        pci=pci,
        vitals=VitalsSource(pci, users=VfioUsers(_holders)),
        nvml=nvml,
        drm=Later(lambda: _drm(pci)),
        guests=Later(lambda: _guests(uri, calls, readonly=readonly)),
        threads=threads,
        agent=agent,
        swap=SwapSource(),
        usb=Later(_usb),
        kernel=Later(_kernel_log),
        memory=EmptySource(not_here) if not_here else Later(_memory),
        watch=Later(_watch),
        readonly=readonly,
        inspector=RealInspector(),
        control=ReadOnlyControl() if readonly else later_control(lambda: _control(uri)),
        mover=NoMover() if readonly or mover is None else mover,
        keeper=NoKeeper() if readonly else RecordKeeper(),
        reopen=lambda: real_host(uri, readonly=readonly, agent_settings=agent_settings),
        uses=_uses,
        files=(lambda _: {}) if not_here else _files,
        set_demand=set_demand,
        calls=calls,
        root=MACHINE,
        history=StoredHistory(),
    )


def _holders(addresses: Collection[str]) -> Holders:
    from tui.host.proc.holders import holders

    return holders(addresses)


def _uses(addresses: Collection[str]) -> DeviceUses:
    from tui.host.uses.device import device_uses

    return device_uses(addresses)


def _guests(uri: str, calls: CallLog, *, readonly: bool) -> Source[Guests]:
    from tui.host.libvirt.source import GuestsSource

    return GuestsSource(uri, readonly=readonly, calls=calls)


def _control(uri: str) -> GuestControl:
    from tui.host.libvirt.control import LibvirtControl

    return LibvirtControl(uri)


def _files(paths: Collection[str]) -> Mapping[str, FileFacts]:
    from tui.host.files import file_facts

    return file_facts(paths)


def _drm(pci: PciSource) -> Source[DrmReading]:
    from tui.host.drm.source import DrmSource

    return DrmSource(pci)


def _usb() -> Source[UsbReading]:
    from tui.host.uses.usb import UsbSource

    return UsbSource()


def _kernel_log() -> Source[KernelLog]:
    from tui.host.kernel_log import KernelLogSource

    return KernelLogSource()


def _memory() -> Source[HostMemory]:
    from tui.host.memory import MemorySource

    return MemorySource()


def _watch() -> Source[Watch]:
    from tui.host.watch.source import WatchSource

    return WatchSource()


def _threads(uri: str) -> Source[GuestThreads]:
    """The guests of another machine, and of other hypervisors, have no QEMU process here."""
    if not is_local_qemu(uri):
        return EmptySource("threads can be read only for QEMU guests on this machine")
    return SelectiveLater(_threads_here)


def _threads_here() -> Selective[GuestThreads]:
    from tui.host.libvirt.threads_source import ThreadsSource

    return ThreadsSource()


def _agent(
    uri: str, calls: CallLog, agent_settings: AgentSettings, *, readonly: bool
) -> Source[AgentReading]:
    """Starting a program in a guest is an action, so a read-only host does not do it."""
    if readonly:
        return EmptySource("--readonly starts nothing in a guest, so guests are not asked")
    if not agent_settings.guests:
        return EmptySource("guest_readings is off in the configuration, so guests are not asked")

    def make() -> Selective[AgentReading]:
        from tui.host.agent.source import AgentSource

        return AgentSource(
            uri, every=agent_settings.every, even_quiet=agent_settings.even_quiet, calls=calls
        )

    return SelectiveLater(make)
