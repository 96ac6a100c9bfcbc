"""The scenarios: which machine, cards and guests each one has, and what happens there.

Scenes and cycles repeat. One whose first and last parts are alike begins in mid-activity.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from tui.host.demo.boards import NOTEBOOK, PLX, RYZEN, functions
from tui.host.demo.cards import ASLEEP, UP, DemoCard, GpuModel, Program
from tui.host.demo.crowd import crowd
from tui.host.demo.day import day_before
from tui.host.demo.history import Day
from tui.host.demo.kernel import KernelLine
from tui.host.demo.machine import RUNNING, SHUT_OFF, DemoDomain, Machine
from tui.host.demo.placement import Placement, smt
from tui.host.demo.traces import Cycle, Load, Scenes
from tui.host.demo.usb import IN, OUT, desktop
from tui.model import DomainSetup, HostFacts, MemoryPart, PciFunction, slot_of
from tui.model.watch import WatchPolicy
from tui.rules.libvirt_uri import START_LIBVIRTD

RTX_3060 = GpuModel("GeForce RTX 3060", 12288, 14, 170, 1942, 7501, 42, 79, 93)
IRIS_XE = GpuModel(
    "Iris Xe Graphics", 0, idle_w=1.5, limit_w=28.0, clock_mhz=1450, mem_clock_mhz=0,
    idle_c=45, hot_c=82, slow_c=100, fan=False,
)  # fmt: skip
RTX_3060_MOBILE = GpuModel(
    "GeForce RTX 3060 Laptop GPU", 6144, 11, 80, 1702, 7001, 42, 84, 87, fan=False
)
RTX_3070 = GpuModel("GeForce RTX 3070", 8192, 17, 220, 1905, 7001, 40, 78, 93)
RTX_4090 = GpuModel("GeForce RTX 4090", 24564, 21, 450, 2745, 10501, 33, 74, 83)

FIRST, FIRST_AUDIO = "0000:01:00.0", "0000:01:00.1"
SECOND, SECOND_AUDIO = "0000:0a:00.0", "0000:0a:00.1"
SECOND_LANES = 4
"""The second slot is on the chipset, which has only four lanes for it."""

DESK_USB = desktop("0000:0b:00.3")

ON_VFIO: dict[str, str | None] = {FIRST: "vfio-pci", FIRST_AUDIO: "vfio-pci"}

PINNED = Placement(vcpus=(8, 24, 9, 25, 10, 26, 11, 27), emulator=(0, 1, 2, 3))
"""Four whole cores for eight vCPUs, and others for QEMU's own threads."""

EVENING_S, FOREVER_S = 30.0, 1e8
"""Seconds for which the guest of an evening runs, and for which nothing starts it again."""

STUTTERS = 3
"""The vCPU whose CPU the host uses, too."""

# seconds, load: a build that is not kept off the guest's CPUs
_INTRUDER = ((14, 0.0), (6, 0.40), (21, 0.0), (3, 0.55), (26, 0.0))

# seconds, GPU, CPU, disk: exploring, fighting, a loading screen, the menu
_GAME = (
    (40, 0.88, 0.46, 0.02), (35, 0.98, 0.63, 0.01), (40, 0.85, 0.44, 0.02),
    (14, 0.18, 0.81, 0.92), (60, 0.90, 0.48, 0.03), (45, 0.98, 0.66, 0.01),
    (25, 0.41, 0.17, 0.00), (16, 0.15, 0.76, 0.88), (30, 0.88, 0.46, 0.02),
)  # fmt: skip

_DESKTOP = ((25, 0.06), (40, 0.13), (15, 0.29), (50, 0.08), (20, 0.19))
_DISPLAY = ((25, 0.24), (40, 0.33), (15, 0.47), (50, 0.27), (20, 0.38))
_STREAMING = Cycle((140, "up"), (160, "down"), (60, "up"))
_ENCODE = ((140, 0.24), (160, 0.0), (60, 0.24))

DESKTOP_PROGRAMS = (
    Program(1893, "Xorg", "graphics", 284),
    Program(2140, "gnome-shell", "graphics", 231),
    Program(4417, "firefox", "graphics", 496),
)
GAME = Program(4711, "game.exe", "graphics", 6850)
LOOKING_GLASS = Program(6032, "looking-glass-client", "graphics", 148)
OBS = Program(7718, "obs", "graphics", 402, _STREAMING)


class Scenario(Struct, frozen=True):
    """A scenario: a one-line summary, the machine for a seed, and what its watch does, if it has
    one, and has kept of the ``day`` before."""

    summary: str
    machine: Callable[[int], Machine]
    policy: WatchPolicy | None = None
    day: Callable[[Machine], Day] | None = None


def gaming(seed: int) -> Machine:
    """The guest GPU runs a game in ``win11``; the host GPU displays and streams it."""
    host = DemoCard(
        SECOND, RTX_3060, Scenes(_DISPLAY, seed, 0.2), encode=Scenes(_ENCODE, seed + 1, 0.15),
        programs=(*DESKTOP_PROGRAMS, LOOKING_GLASS, OBS), lanes=SECOND_LANES, seed=seed,
    )  # fmt: skip
    guest = DemoCard(FIRST, RTX_4090, _game(1, seed), programs=(GAME,))
    domains = (_win11(True, seed), _debian_build(), _fedora_ci(seed))
    return Machine(_ryzen(ON_VFIO), (guest, host), domains, usb=DESK_USB)


def evening(seed: int) -> Machine:
    """Like ``gaming``, but the game and its guest end after ``EVENING_S``."""
    machine = gaming(seed)
    win11, *others = machine.domains
    game, runs = _game(1, seed), Cycle((EVENING_S, "up"), (FOREVER_S, "down"))
    guest = DemoCard(
        FIRST, RTX_4090, lambda at: game(at) if at < EVENING_S else 0.0,
        programs=(Program(4711, "game.exe", "graphics", 6850, runs),),
    )  # fmt: skip
    states = Cycle((EVENING_S, "running"), (FOREVER_S, "shut off"))
    return replace(
        machine, cards=(guest, machine.cards[1]), domains=(replace(win11, states=states), *others)
    )


def stutter(seed: int) -> Machine:
    """Like ``gaming``, but the host's work runs on the CPU of one vCPU again and again, huge pages
    are scarce, a host program causes an Xid on its own card once, and the game controller is
    replugged. A quarter of the guest's memory is in ordinary pages, and a guest that wants only
    huge ones cannot start beside it."""
    machine = gaming(seed)
    intruded = PINNED.vcpus[STUTTERS]
    crowded = replace(PINNED, intruded=intruded, intruder=Scenes(_INTRUDER, seed + 3, 0.15))
    win11, build, *others = machine.domains
    short = (MemoryPart(12288, 0), MemoryPart(4096))
    domains = (
        replace(win11, placement=crowded, setup=_setup(*short)),
        replace(build, setup=_setup(MemoryPart(build.memory_mib, 0))), *others,
    )  # fmt: skip
    xid = f"NVRM: Xid (PCI:{slot_of(SECOND)}): 31, pid=2201, name=obs, Ch 00000018, intr 00000000."
    return replace(
        machine, domains=domains, pages=12288 // 2,
        kernel_lines=(KernelLine(200, xid),),
        usb=desktop("0000:0b:00.3", Cycle((260, IN), (4, OUT))),
    )  # fmt: skip


def desk(seed: int) -> Machine:
    """Both cards on host drivers, the guest GPU idle, the guest shut off."""
    cards = (_idle_card(seed), _desktop_card(seed))
    return Machine(_ryzen(), cards, _idle_domains(seed), usb=DESK_USB)


def idle_on_vfio(seed: int) -> Machine:
    """The guest GPU sleeps on vfio-pci."""
    cards = (DemoCard(FIRST, RTX_4090, states=ASLEEP), _desktop_card(seed))
    return Machine(_ryzen(ON_VFIO), cards, _idle_domains(seed), usb=DESK_USB)


def bad_acs(seed: int) -> Machine:
    """The guest GPU shares its group with the host GPU, a disk and a network card."""
    board = functions(PLX, boot_vga="0000:03:00.0")
    host = DemoCard(
        "0000:03:00.0", RTX_3060, Scenes(_DESKTOP, seed, 0.3), programs=DESKTOP_PROGRAMS,
        lanes=16, pcie_gen=3, seed=seed,
    )  # fmt: skip
    guest = DemoCard("0000:04:00.0", RTX_4090, lanes=8, pcie_gen=3, seed=seed + 1)
    win11 = _win11(False, seed, ("0000:04:00.0", "0000:04:00.1"))
    domains, usb = (win11, _debian_build()), desktop("0000:00:14.0")
    return Machine(board, (host, guest), domains, "intel", usb=usb)


def identical(seed: int) -> Machine:
    """Two cards of one model, told apart only by address; one runs a game in the guest."""
    models = {
        FIRST: "10de:2484", FIRST_AUDIO: "10de:228b",
        SECOND: "10de:2484", SECOND_AUDIO: "10de:228b",
    }  # fmt: skip
    cards = (
        DemoCard(FIRST, RTX_3070, _game(1, seed), programs=(GAME,)),
        _desktop_card(seed, RTX_3070),
    )
    domains = (_win11(True, seed), _debian_build())
    return Machine(_ryzen(ON_VFIO, models), cards, domains, usb=DESK_USB)


def laptop(seed: int) -> Machine:
    """The Intel GPU drives the display; the GeForce works, idles and falls asleep."""
    states = Cycle((35, "up"), (40, "asleep"), (15, "up"))
    work = ((17, 0.62), (58, 0.0), (15, 0.62))
    runs = Cycle((20, "up"), (55, "down"), (15, "up"))
    blender = Program(5210, "blender", "compute", 1480, runs)
    geforce = DemoCard(
        FIRST, RTX_3060_MOBILE, Scenes(work, seed, 0.12), programs=(blender,), states=states,
        lanes=4, seed=seed,
    )  # fmt: skip
    board = functions(NOTEBOOK, boot_vga="0000:00:02.0")
    win11 = replace(_win11(False, seed, memory_mib=8192), placement=Placement())
    domains = (win11, _debian_build())
    facts = HostFacts("dash", "6.16.8-arch1-1", chassis=10, cpus=smt(8))
    return Machine(
        board, (_integrated_graphics(seed), geforce), domains, "intel", facts,
        usb=desktop("0000:00:14.0"), builtin_keyboard=True,
    )  # fmt: skip


def lost(seed: int) -> Machine:
    """Like ``desk``, but the guest GPU falls off the bus and comes back."""
    states = Cycle((20, "up"), (20, "lost"), (30, "gone"), (30, "up"))
    cards = (_idle_card(seed, states), _desktop_card(seed))
    off_bus = "NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."
    lines = (KernelLine(20, off_bus, every=100),)
    return Machine(_ryzen(), cards, _idle_domains(seed), kernel_lines=lines, usb=DESK_USB)


def fresh(seed: int) -> Machine:
    """Like ``desk``, but nothing is set up for passthrough: no IOMMU, no libvirt, no guest."""
    board = tuple(replace(function, iommu_group=None) for function in _ryzen())
    why = f"libvirtd is not running: {START_LIBVIRTD}"
    cards = (_idle_card(seed), _desktop_card(seed))
    return Machine(board, cards, no_libvirt=why, usb=DESK_USB)


SCENARIOS = {
    "gaming": Scenario("a game is running in the guest, which has the guest GPU", gaming),
    "desk": Scenario("both cards are on host drivers; the guest is shut off", desk),
    "idle": Scenario("the guest GPU is on vfio-pci; no guest is running", idle_on_vfio),
    "bad-acs": Scenario("the guest GPU shares its IOMMU group with devices of the host", bad_acs),
    "identical": Scenario("two cards of one model, one of them in the guest", identical),
    "laptop": Scenario("Intel graphics and a notebook GeForce that sometimes sleeps", laptop),
    "lost": Scenario("a card falls off the bus and comes back", lost),
    "stutter": Scenario("a game stutters: the host uses the core of one vCPU", stutter),
    "evening": Scenario(
        "the guest ends, and the watch returns its card; graphs of a whole day",
        evening,
        WatchPolicy(after_stop="unbind"),
        day_before,
    ),
    "fresh": Scenario("two cards, and nothing set up: the IOMMU is off, libvirt missing", fresh),
    "crowd": Scenario("8 GPUs, 256 PCI functions, 96 groups, 100 domains", crowd),
}


def _ryzen(
    drivers: dict[str, str | None] | None = None, models: dict[str, str] | None = None
) -> tuple[PciFunction, ...]:
    return functions(RYZEN, boot_vga=SECOND, drivers=drivers, models=models)


def _game(column: int, seed: int) -> Load:
    scenes = tuple((scene[0], scene[column]) for scene in _GAME)
    return Scenes(scenes, seed + column, jitter=0.05 if column == 1 else 0.15)


def _desktop_card(seed: int, model: GpuModel = RTX_3060) -> DemoCard:
    return DemoCard(
        SECOND, model, Scenes(_DESKTOP, seed, 0.3), decode=Scenes(((90, 0.07), (60, 0.0)), seed),
        programs=DESKTOP_PROGRAMS, lanes=SECOND_LANES, seed=seed,
    )  # fmt: skip


def _integrated_graphics(seed: int) -> DemoCard:
    """The CPU's own graphics, which drive the display."""
    return DemoCard("0000:00:02.0", IRIS_XE, Scenes(_DESKTOP, seed, 0.3), seed=seed + 2)


def _idle_card(seed: int, states: Cycle = UP) -> DemoCard:
    return DemoCard(FIRST, RTX_4090, states=states, seed=seed + 1)


def _idle_domains(seed: int) -> tuple[DemoDomain, ...]:
    return (_win11(False, seed), _debian_build(), _fedora_ci(seed))


def _win11(
    playing: bool,
    seed: int,
    hostdevs: tuple[str, ...] = (FIRST, FIRST_AUDIO),
    memory_mib: int = 16384,
) -> DemoDomain:
    return DemoDomain(
        "win11", RUNNING if playing else SHUT_OFF, 8, memory_mib, hostdevs,
        load=_game(2, seed), disk=_game(3, seed), seed=seed,
        placement=PINNED,
        setup=_setup(MemoryPart(memory_mib, 0)),
    )  # fmt: skip


def _setup(*memory: MemoryPart) -> DomainSetup:
    return DomainSetup(memory, firmware="uefi", mmio64_mib=65536)


def _debian_build() -> DemoDomain:
    return DemoDomain("debian-build", SHUT_OFF, 12, 8192)


def _fedora_ci(seed: int) -> DemoDomain:
    """A domain that something external starts and stops, again and again."""
    return DemoDomain(
        "fedora-ci", Cycle((45, "shut off"), (90, "running"), (105, "shut off")), 4, 4096,
        load=Scenes(((45, 0.0), (20, 0.35), (60, 0.94), (115, 0.0)), seed + 5),
        disk=Scenes(((45, 0.0), (20, 0.5), (60, 0.12), (115, 0.0)), seed + 6, 0.4),
        net_peak=(2.4e6, 90e3), agent=None, seed=seed,
    )  # fmt: skip
