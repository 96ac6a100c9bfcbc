"""The cards of the mock-ups, and their panels as text."""

from __future__ import annotations

from datetime import timedelta

from tests.values import replace
from tui.model import (
    Bar,
    CardReading,
    Extremes,
    Gpu,
    Link,
    Metrics,
    Owner,
    PciFunction,
    Swap,
    Viability,
)
from widgets.card import Card
from widgets.card_edges import card_edges
from widgets.card_lines import card_lines, plan
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, width_of
from widgets.panel import FRAME_CELLS, edge
from widgets.samples import AT, CARD_KEYS, GUEST_GPU, HOST_GPU

assert GUEST_GPU.reading is not None
assert HOST_GPU.reading is not None

GUEST = Card(
    replace(GUEST_GPU, reading=replace(GUEST_GPU.reading, processes=None)), AT, 1,
    {"load": (84.0,) * 200, "vram": (6963.0,) * 200, "power": (381.0,) * 200,
     "temp": (64.0,) * 200, "clock": (2655.0,) * 200},
    age_s=3.0, guest="win11", guest_driver="581.57", keys=CARD_KEYS,
    extremes={
        "load": Extremes(3.0, 70.0, 98.0), "vram": Extremes(512.0, 4096.0, 6963.0),
        "power": Extremes(21.0, 310.0, 441.0), "temp": Extremes(40.0, 60.0, 72.0),
    },
)  # fmt: skip
"""The guest's card while ``win11`` has it."""

_RTX_3060 = replace(
    HOST_GPU.function, name="GA106 [GeForce RTX 3060 Lite Hash Rate]", iommu_group=26,
    bars=(Bar(1, 256 << 20, prefetchable=True),), reset_methods=("bus",),
)  # fmt: skip
HOST = Card(
    replace(HOST_GPU, function=_RTX_3060, viability=Viability(True, (_RTX_3060.address,))), AT, 2,
    {"load": (22.0,) * 200, "vram": (1843.0,) * 200, "power": (56.0,) * 200,
     "temp": (53.0,) * 200, "clock": (1905.0,) * 200},
    age_s=1.0, guest="win11", host_driver="580.95.05", keys=CARD_KEYS,
)  # fmt: skip
"""The host's card, with five processes."""

_IRIS = PciFunction(
    "0000:00:02.0", "8086", "9a49", "030000", "TigerLake-LP GT2 [Iris Xe Graphics]",
    driver="i915", iommu_group=0, boot_vga=True, link_max=Link(16.0, 16),
)  # fmt: skip
IRIS = Card(
    Gpu(
        _IRIS, (), "host", Owner("host"), Viability(True, (_IRIS.address,)),
        reading=CardReading(
            _IRIS.address, "i915", Metrics(util_pct=6, clock_mhz=1020, power_w=4)
        ),
    ),
    AT, 2, {"load": (6.0,) * 200, "power": (4.0,) * 200}, age_s=1.0, keys=CARD_KEYS,
)  # fmt: skip
"""A card that reports little."""

_DEVICES, _DRIVERS = "/sys/bus/pci/devices", "/sys/bus/pci/drivers"
SWAP = Swap(
    "one", "bind", "0000:01:00.0", ("0000:01:00.0", "0000:01:00.1"), "running",
    (
        "modprobe vfio-pci",
        f"echo vfio-pci > {_DEVICES}/0000:01:00.1/driver_override",
        f"echo 0000:01:00.1 > {_DRIVERS}/snd_hda_intel/unbind",
        "echo 0000:01:00.1 > /sys/bus/pci/drivers_probe",
        f"echo vfio-pci > {_DEVICES}/0000:01:00.0/driver_override",
        f"echo 0000:01:00.0 > {_DRIVERS}/nvidia/unbind",
        "echo 0000:01:00.0 > /sys/bus/pci/drivers_probe",
        "wait for /dev/vfio/14",
    ),
    5, AT - timedelta(seconds=2.1), AT - timedelta(seconds=1.6),
    drivers=("nvidia", "snd_hda_intel"),
)  # fmt: skip
"""A bind at its sixth step of eight: the audio function is there already."""


def on_host(card: Card) -> Card:
    """The guest's card with the host, on its own drivers, without a reading."""
    nvidia = replace(card.gpu.function, driver="nvidia")
    audio = replace(card.gpu.companions[0], driver="snd_hda_intel")
    gpu = replace(card.gpu, function=nvidia, companions=(audio,), owner=Owner("host"), reading=None)
    return replace(card, gpu=gpu)


def moving(swap: Swap = SWAP) -> Card:
    """The guest's card while ``swap`` moves it."""
    card = on_host(GUEST)
    audio = replace(card.gpu.companions[0], driver="vfio-pci")
    owner = Owner("stuck" if swap.stuck else "moving")
    return replace(card, gpu=replace(card.gpu, companions=(audio,), owner=owner), swap=swap)


def unread(card: Card, why: str = "on vfio-pci: the host cannot read it", **facts: object) -> Card:
    """A card that cannot be read, and on VFIO unless ``facts`` say otherwise."""
    changed = {"owner": Owner("vfio"), **facts}
    return replace(card, gpu=replace(card.gpu, reading=None, no_reading=why, **changed))


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def tones(line: Line, *parts: str) -> list[str]:
    """The tones of the spans with these texts."""
    return [span.tone for span in line if span.text.strip() in parts]


def box(card: Card, width: int, height: int, glyphs: Glyphs = RICH) -> list[str]:
    """The panel with its frame, as on the screen."""
    lines = card_lines(card, width - 4, height - 2, glyphs)
    lines += [()] * (height - 2 - len(lines))
    shared = plan(card, width - 4, height - 2, glyphs)
    edges = card_edges(
        card, width - 4, glyphs, lower=shared.has_axis,
        names=not shared.tail, hidden=shared.hidden,
    )  # fmt: skip
    room, frame = width - FRAME_CELLS, glyphs.frame
    above = text(edge(edges.title, edges.state, room, frame))
    below = f"{text(edges.keys)} " if edges.keys else ""
    note = f" {text(edges.note)} {frame}" if edges.note else ""
    line = frame * (width - 3 - len(below) - len(note) - (1 if below else 0))
    return [
        f"╭{frame} {above} {frame}╮",
        *(f"│ {text(each)}{' ' * (width - 4 - width_of(each))} │" for each in lines),
        f"╰{frame}{' ' if below else ''}{below}{line}{note}╯",
    ]


def rule(card: Card, width: int, height: int) -> list[str]:
    """The panel with one rule above its lines, as on a phone."""
    shared = plan(card, width - 2, height - 1)
    edges = card_edges(card, width - 2, ruled=True, hidden=shared.hidden)
    above = text(edge(edges.title, edges.state, width - 4, RICH.frame))
    return [f"─ {above} ─", *(f" {text(each)}" for each in card_lines(card, width - 2, height - 1))]
