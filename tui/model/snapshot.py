"""The last reading of every source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from tui.model.cpus import GuestThreads
from tui.model.facts import HostFacts
from tui.model.guests import AgentReading, Guests
from tui.model.kernel import KernelLog
from tui.model.memory import HostMemory
from tui.model.metrics import CardReading, DrmReading, MetricsSource, NvmlReading
from tui.model.pci import Inventory
from tui.model.swaps import Swap
from tui.model.unavailable import NOT_READ_YET, Unavailable
from tui.model.usb import UsbReading
from tui.model.vitals import Vitals
from tui.model.watch import Watch

SourceName = Literal[
    "facts", "pci", "vitals", "nvml", "drm", "guests", "threads", "agent", "swap", "usb",
    "kernel", "memory", "watch",
]  # fmt: skip

SOURCE_NAMES: dict[SourceName, str] = {
    "facts": "host", "pci": "PCI", "vitals": "sysfs", "nvml": "NVML", "drm": "DRM",
    "guests": "libvirt", "threads": "QEMU threads", "agent": "guest agent", "swap": "journal",
    "usb": "USB", "kernel": "kernel log", "memory": "memory", "watch": "watch",
}  # fmt: skip
"""What a source is called where nothing else says which one is meant."""

Reading = (
    HostFacts | Inventory | Vitals | NvmlReading | DrmReading | Guests | GuestThreads
    | AgentReading | Swap | UsbReading | KernelLog | HostMemory | Watch | Unavailable
)  # fmt: skip


class Sample(Struct, frozen=True):
    """One reading of one source, and when it was taken. The time is here and not in the reading,
    so that equal readings compare equal whenever they were taken."""

    source: SourceName
    reading: Reading
    taken_at: datetime


class Snapshot(Struct, frozen=True):
    """The last reading of each source, or why there is none. ``read_at`` is when it was taken; a
    source that does not answer keeps the time of its last answer."""

    facts: HostFacts | Unavailable = NOT_READ_YET
    pci: Inventory | Unavailable = NOT_READ_YET
    vitals: Vitals | Unavailable = NOT_READ_YET
    nvml: NvmlReading | Unavailable = NOT_READ_YET
    drm: DrmReading | Unavailable = NOT_READ_YET
    guests: Guests | Unavailable = NOT_READ_YET
    threads: GuestThreads | Unavailable = NOT_READ_YET
    agent: AgentReading | Unavailable = NOT_READ_YET
    swap: Swap | Unavailable = NOT_READ_YET
    usb: UsbReading | Unavailable = NOT_READ_YET
    kernel: KernelLog | Unavailable = NOT_READ_YET
    memory: HostMemory | Unavailable = NOT_READ_YET
    watch: Watch | Unavailable = NOT_READ_YET
    read_at: Mapping[SourceName, datetime] = field(default_factory=dict)

    def differs_from(self, sample: Sample) -> bool:
        """Whether the source's last reading differs from the sample's."""
        return bool(getattr(self, sample.source) != sample.reading)

    def updated(self, sample: Sample, *, finished: bool = True) -> Snapshot:
        """The snapshot with the sample's reading in place of its source's last one. A sample that
        is not ``finished`` stands for a source that does not answer."""
        change: dict[str, Any] = {sample.source: sample.reading}
        if finished:
            change["read_at"] = {**self.read_at, sample.source: sample.taken_at}
        return replace(self, **change)


SOURCES: dict[MetricsSource, SourceName] = {
    "nvml": "nvml", "amdgpu": "drm", "i915": "drm", "xe": "drm", "guest-agent": "agent",
}  # fmt: skip
"""The source whose samples hold each kind of card reading."""


def card_read_at(reading: CardReading, read_at: Mapping[SourceName, datetime]) -> datetime | None:
    """When a card was read, given when each source was. A guest's report has its own time: it
    stands until the guest is asked again."""
    if reading.source == "guest-agent":
        return reading.reported_at
    return read_at.get(SOURCES[reading.source])
