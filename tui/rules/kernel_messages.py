"""The lines of the kernel's log that concern passthrough: how to recognise them, what each means,
and what to do.

A pattern matches from the beginning of a line: further on there may be a name that anybody can
choose, such as that of a process or of a USB device. What is not in the table is ignored. That
includes lines that look bad and are harmless: ``hiding ecap``, ``not ready …; waiting``, a link
that is retrained, invalid ROM signatures.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from tui.model import AMD_GRAPHICS, EventKind, KernelMessage
from tui.rules.xids import CABLES, RESTART, UNKNOWN, XIDS


class Topic(NamedTuple):
    """Something that the kernel says in one or several forms.

    ``text`` follows the card's address: ``01:00.0 does not wake …``. ``{detail}`` in it is what the
    pattern found. ``amd_fix`` takes the place of ``fix`` for a card of AMD. A repetition within
    ``quiet_s`` seconds is not news.
    """

    id: str
    patterns: tuple[str, ...]
    kind: EventKind
    text: str
    fix: str | None = None
    amd_fix: str | None = None
    quiet_s: float = 60.0


class Recognised(NamedTuple):
    """A line that is in the table, with what ``KernelMessage`` keeps of it."""

    topic: Topic
    address: str | None
    detail: str


_SLOT = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]"
_ADDRESS = rf"(?P<address>{_SLOT}\.[0-7])"
_DEVICE = rf"[\w-]{{1,40}} {_ADDRESS}: "
"""How dev_printk() begins a line: the driver, or ``pci`` without one, and the device."""

_XID = rf"NVRM: Xid \((?:PCI:)?(?P<address>{_SLOT})(?:\.[0-7])?(?: [^)]{{1,40}})?\): "
_AMD_IOMMU = r"(?:iommu ivhd\d{1,3}: )?AMD-Vi: "
_AMD_DEVICE = r"device=(?P<address>(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]) "
_INTEL_DEVICE = r"device \[(?:0x)?(?P<bus>[0-9a-f]{2}):(?:0x)?(?P<slot>[01][0-9a-f]\.[0-7])\] "
_AMDGPU = rf"amdgpu {_ADDRESS}: (?:amdgpu: )?"

_HOUR = 3600.0

_POWER_OFF = "shut the guest down and power the host off and on: a reboot may not reset the card"
_VENDOR_RESET = f"{_POWER_OFF}; the module vendor-reset helps cards from Polaris to Navi 1x"
_KEEP_AWAKE = (
    "power the host off and on; then keep it awake with `options vfio-pci disable_idle_d3=1` in "
    "/etc/modprobe.d/vfio.conf"
)
_RESEAT = "reseat the card, try another slot or riser, or set the slot to a lower PCIe generation"
_STACK = "update the kernel and Mesa; if it comes back, undo overclocking and undervolting"
_GUEST_DRIVER = (
    "once, when a guest starts or stops, it is harmless; else update the card's driver in the guest"
)

TOPICS = (
    Topic(
        "in-use", (rf"NVRM: Attempting to remove device {_ADDRESS} with non-zero usage count",),
        "failed", "the nvidia driver cannot release the card: something uses it",
        "end what uses it, which `vfiotop doctor` names; from driver 595 on only a reboot helps",
    ),
    Topic(
        "off-bus", (
            rf"{_XID}79\b",
            rf"NVRM: GPU {_ADDRESS}: GPU has fallen off the bus",
            rf"NVRM: The NVIDIA GPU {_ADDRESS}\b.{{1,120}}\bfallen off the bus",
        ), "failed", "the card has fallen off the bus (Xid 79)", CABLES,
    ),
    Topic(
        "recovery",
        (rf"{_XID}154,.{{1,99}} to (?:0x\d+ \()?(?!None)(?P<detail>[\w ]{{1,40}})\)?\Z",),
        "failed", "the nvidia driver asks for recovery: {detail}", RESTART,
    ),
    Topic("xid", (rf"{_XID}(?P<detail>\d{{1,3}})\b",), "warn", "Xid {detail}"),
    Topic(
        "no-start", (rf"NVRM: GPU {_ADDRESS}: RmInitAdapter failed! \((?P<detail>[0-9a-fx:]+)\)",),
        "failed", "the nvidia driver cannot start the card ({detail})",
        "power the host off and on; if it comes back, change the driver's version",
    ),
    Topic(
        "no-answer",
        (rf"{_DEVICE}not ready \d+ms after (?P<detail>[\w >-]{{1,40}}); giving up",),
        "failed", "does not answer after {detail}", _POWER_OFF, _VENDOR_RESET,
    ),
    Topic(
        "no-link", (
            rf"{_DEVICE}Data Link Layer Link Active not set in \d+ msec",
            rf"{_DEVICE}retraining failed",
        ), "failed", "the PCIe link does not come up", f"{_POWER_OFF}; if it comes back, {_RESEAT}",
    ),
    Topic(
        "asleep", (
            rf"{_DEVICE}Unable to change power state from (?P<detail>\w{{1,10}}) to D0, device "
            "inaccessible",
            rf"{_DEVICE}Refused to change power state, currently in (?P<detail>D3\w{{0,4}})",
        ), "failed", "does not wake from {detail}", _KEEP_AWAKE,
    ),
    Topic(
        "reset-failed", (rf"{_DEVICE}AMD_\w{{1,20}}: failed to reset device",),
        "failed", "vendor-reset could not reset the card", _POWER_OFF,
    ),
    Topic(
        "bar", (rf"{_DEVICE}BAR (?P<detail>[0-6])(?: \[[^\]]{{1,80}}\])?: can't reserve ",),
        "failed", "BAR {detail} is in use by something else, so no guest can use it",
        "/proc/iomem names what has it; if that is the boot framebuffer, boot with "
        "`initcall_blacklist=sysfb_init`",
    ),
    Topic(
        "bars-restored", (
            rf"{_DEVICE}vfio_bar_restore: reset recovery - restoring BARs",
            rf"vfio_bar_restore: {_ADDRESS} reset recovery - restoring bars",
        ), "warn", "was reset, and not by vfio-pci",
        "if the guest shows nothing, shut it down and start it again",
    ),
    Topic(
        "iommu-waits", (
            rf"{_AMD_IOMMU}Completion-Wait loop timed out",
            "DMAR: VT-d detected Invalidation (?:Time-out|Completion) Error",
        ), "failed", "waits for a device that does not answer, often a card after a reset",
        _POWER_OFF,
    ),
    Topic(
        "iommu-timeout", (rf"{_AMD_IOMMU}Event logged \[IOTLB_INV_TIMEOUT {_AMD_DEVICE}",),
        "failed", "does not answer the IOMMU", _POWER_OFF, _VENDOR_RESET,
    ),
    Topic(
        "dma", (
            rf"{_DEVICE}AMD-Vi: Event logged \[IO_PAGE_FAULT ",
            rf"{_AMD_IOMMU}Event logged \[IO_PAGE_FAULT {_AMD_DEVICE}",
            rf"DMAR: \[DMA (?:Read|Write)[^\]]{{0,20}}\] Request {_INTEL_DEVICE}",
        ), "warn", "the IOMMU blocked an access to memory", _GUEST_DRIVER,
    ),
    Topic(
        "aer-fatal", (rf"{_DEVICE}PCIe Bus Error: severity=Uncorrect(?:ed|able) \(Fatal\)",),
        "failed", "fatal PCIe error", _RESEAT,
    ),
    Topic(
        "aer", (rf"{_DEVICE}PCIe Bus Error: severity=Uncorrect(?:ed|able) \(Non-Fatal\)",),
        "warn", "uncorrected PCIe error", _RESEAT,
    ),
    Topic(
        "aer-corrected", (rf"{_DEVICE}PCIe Bus Error: severity=Correct(?:ed|able),",),
        "note", "corrected PCIe errors", quiet_s=_HOUR,
    ),
    Topic(
        "aer-lost", (rf"{_DEVICE}AER: can't recover",),
        "failed", "its driver cannot recover from a PCIe error", _POWER_OFF,
    ),
    Topic(
        "link-down", (rf"{_DEVICE}pciehp: Slot\([^)]{{1,20}}\): Link Down",),
        "failed", "the PCIe link went down", CABLES,
    ),
    Topic(
        "ring", (rf"{_AMDGPU}ring (?P<detail>[\w.]{{1,24}}) timeout",),
        "warn", "amdgpu: a job hangs in ring {detail}", _STACK,
    ),
    Topic(
        "reset", (rf"{_AMDGPU}GPU reset begin!",),
        "warn", "amdgpu resets the card: what its memory held is lost", _STACK,
    ),
    Topic(
        "reset-done", (rf"{_AMDGPU}GPU reset\(\d{{1,6}}\) succeeded!",),
        "done", "amdgpu has reset the card",
    ),
    Topic(
        "not-reset", (
            rf"{_AMDGPU}GPU reset end with ret = -\d",
            rf"xe {_ADDRESS}: \[drm\] \*ERROR\* CRITICAL: Xe has declared device \S+ as wedged",
        ), "failed", "its driver could not reset the card", _POWER_OFF,
    ),
    Topic(
        "hang", (
            rf"i915 {_ADDRESS}: \[drm\] (?:GT\d: )?(?:GPU HANG: |Resetting chip for )",
            rf"i915 {_ADDRESS}: Resetting chip after gpu hang",
            rf"xe {_ADDRESS}: \[drm\] (?:Tile\d: )?GT\d: Engine reset: ",
        ), "warn", "the GPU hangs, and its driver resets it", _STACK,
    ),
)  # fmt: skip

BY_ID = {topic.id: topic for topic in TOPICS}


class Told(NamedTuple):
    """A message in words: what happened, how bad it is, and what to do."""

    text: str
    kind: EventKind
    fix: str | None


def told(message: KernelMessage, vendor: str | None = None) -> Told:
    """A message in words. ``vendor`` is that of the card that it is about."""
    topic = BY_ID[message.topic]
    text = topic.text.format(detail=message.detail)
    if topic.id == "xid":
        xid = XIDS.get(int(message.detail), UNKNOWN)
        return Told(f"{text}: {xid.text}", xid.kind, xid.fix)
    amd = vendor == AMD_GRAPHICS and topic.amd_fix is not None
    return Told(text, topic.kind, topic.amd_fix if amd else topic.fix)


def recognised(text: str) -> Recognised | None:
    """What a line of the kernel's log says; ``None`` if it does not concern passthrough. The first
    topic that matches counts."""
    for topic, pattern in _patterns():
        found = pattern.match(text)
        if found is not None:
            part = found.groupdict()
            short = f"{part['bus']}:{part['slot']}" if "bus" in part else None
            return Recognised(topic, part.get("address", short), part.get("detail", ""))
    return None


@cache
def _patterns() -> tuple[tuple[Topic, re.Pattern[str]], ...]:
    """The patterns, compiled when the first line comes."""
    return tuple(
        (topic, re.compile(pattern, re.ASCII | re.DOTALL))
        for topic in TOPICS
        for pattern in topic.patterns
    )
