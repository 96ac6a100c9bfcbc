"""What a host is, as frozen values.

Readings come from the sources in ``tui.host`` and compare by value. The rules in ``tui.rules``
turn them into a view, which screens draw and ``vfiotop status`` prints. What could not be
measured is ``None`` or ``Unavailable``, never zero and never "pass".

Addresses are PCI addresses with domain, ``0000:01:00.0``; ids are four lower case hex digits
without ``0x``.
"""

from __future__ import annotations

from tui.model.address import bus_of, domain_of, slot_of
from tui.model.checks import VERDICT_ORDER, Check, Verdict
from tui.model.clock import CLOCK, Clock
from tui.model.demand import Cost, CountedService, Demand, SourceState
from tui.model.devices import Attachment, AttachmentKind, DeviceUse, DeviceUses, GuestDevice
from tui.model.domain_setup import DomainSetup, Firmware, MemoryPart, SharedMemory
from tui.model.drivers import (
    STUB_DRIVERS,
    VFIO_NODES,
    VFIO_PCI,
    driver_side,
    is_host_driver,
    is_vfio_driver,
)
from tui.model.facts import HostFacts
from tui.model.files import FileFacts, FileKind, RomImage
from tui.model.guests import (
    INACTIVE_STATES,
    AgentReading,
    Domain,
    DomainState,
    GuestAction,
    GuestCard,
    GuestReport,
    Guests,
    HostDev,
    HostDevBy,
)
from tui.model.holders import Holder, Holders, UninspectedProcess
from tui.model.hooks import HookAct, HookLine, Hooks
from tui.model.host_setup import Framebuffer, HostSetup, Manager
from tui.model.kernel import KernelLog, KernelMessage
from tui.model.memory import HostMemory, PagePool
from tui.model.metrics import (
    NOT_SEEN,
    CardReading,
    DrmReading,
    GpuProcess,
    Metrics,
    MetricsSource,
    NvmlReading,
)
from tui.model.naming import domains_named, domains_with_uuid, looks_like_uuid, shell_word
from tui.model.owner import Owner, OwnerKind
from tui.model.pci import (
    AMD,
    AMD_GRAPHICS,
    AUDIO_CLASS,
    BRIDGE_CLASS,
    GPU_CLASSES,
    INTEL,
    MULTIMEDIA_CLASS,
    NETWORK_CLASS,
    NO_RESPONSE,
    NVIDIA,
    STORAGE_CLASS,
    USB_CLASS,
    Bar,
    BarSizes,
    Inventory,
    IommuKind,
    Link,
    PciFunction,
)
from tui.model.plans import Checked, GuestPlan, Plan, Step, StepKind
from tui.model.readiness import Boot, BootLoader, Code, NvidiaModule, PowerControl, Readiness
from tui.model.sentences import capital, listed
from tui.model.series import CARD_SERIES, CardSeries, value_of
from tui.model.settings import KernelOption, KernelSettings, ModuleDirective, ModuleRule
from tui.model.snapshot import SOURCES, Reading, Sample, Snapshot, SourceName, card_read_at
from tui.model.swaps import SWAP_ENDS, Direction, Swap, SwapState
from tui.model.unavailable import NOT_READ_YET, Unavailable
from tui.model.users import CardUse, CardUser, CardUsers
from tui.model.view import (
    Blocker,
    Brand,
    Event,
    EventCause,
    EventKind,
    Family,
    Form,
    Gpu,
    Group,
    GroupMark,
    Guest,
    HostView,
    Notable,
    NvidiaModel,
    Role,
    Viability,
)
from tui.model.vitals import CardVitals, Removal, Vitals, is_awake

__all__ = [
    "AMD",
    "AMD_GRAPHICS",
    "AUDIO_CLASS",
    "BRIDGE_CLASS",
    "CARD_SERIES",
    "CLOCK",
    "GPU_CLASSES",
    "INACTIVE_STATES",
    "INTEL",
    "MULTIMEDIA_CLASS",
    "NETWORK_CLASS",
    "NOT_READ_YET",
    "NOT_SEEN",
    "NO_RESPONSE",
    "NVIDIA",
    "SOURCES",
    "STORAGE_CLASS",
    "STUB_DRIVERS",
    "SWAP_ENDS",
    "USB_CLASS",
    "VERDICT_ORDER",
    "VFIO_NODES",
    "VFIO_PCI",
    "AgentReading",
    "Attachment",
    "AttachmentKind",
    "Bar",
    "BarSizes",
    "Blocker",
    "Boot",
    "BootLoader",
    "Brand",
    "CardReading",
    "CardSeries",
    "CardUse",
    "CardUser",
    "CardUsers",
    "CardVitals",
    "Check",
    "Checked",
    "Clock",
    "Code",
    "Cost",
    "CountedService",
    "Demand",
    "DeviceUse",
    "DeviceUses",
    "Direction",
    "Domain",
    "DomainSetup",
    "DomainState",
    "DrmReading",
    "Event",
    "EventCause",
    "EventKind",
    "Family",
    "FileFacts",
    "FileKind",
    "Firmware",
    "Form",
    "Framebuffer",
    "Gpu",
    "GpuProcess",
    "Group",
    "GroupMark",
    "Guest",
    "GuestAction",
    "GuestCard",
    "GuestDevice",
    "GuestPlan",
    "GuestReport",
    "Guests",
    "Holder",
    "Holders",
    "HookAct",
    "HookLine",
    "Hooks",
    "HostDev",
    "HostDevBy",
    "HostFacts",
    "HostMemory",
    "HostSetup",
    "HostView",
    "Inventory",
    "IommuKind",
    "KernelLog",
    "KernelMessage",
    "KernelOption",
    "KernelSettings",
    "Link",
    "Manager",
    "MemoryPart",
    "Metrics",
    "MetricsSource",
    "ModuleDirective",
    "ModuleRule",
    "Notable",
    "NvidiaModel",
    "NvidiaModule",
    "NvmlReading",
    "Owner",
    "OwnerKind",
    "PagePool",
    "PciFunction",
    "Plan",
    "PowerControl",
    "Readiness",
    "Reading",
    "Removal",
    "Role",
    "RomImage",
    "Sample",
    "SharedMemory",
    "Snapshot",
    "SourceName",
    "SourceState",
    "Step",
    "StepKind",
    "Swap",
    "SwapState",
    "Unavailable",
    "UninspectedProcess",
    "Verdict",
    "Viability",
    "Vitals",
    "bus_of",
    "capital",
    "card_read_at",
    "domain_of",
    "domains_named",
    "domains_with_uuid",
    "driver_side",
    "is_awake",
    "is_host_driver",
    "is_vfio_driver",
    "listed",
    "looks_like_uuid",
    "shell_word",
    "slot_of",
    "value_of",
]
