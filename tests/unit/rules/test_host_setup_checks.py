"""Settings that move a card without us, or that do not do what users hope."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.made import card, inventory, snapshot
from tui.host.readiness.kernel_options import options
from tui.host.readiness.modprobe import rules
from tui.model import (
    Boot,
    Check,
    HookLine,
    Hooks,
    HostSetup,
    HostView,
    Initramfs,
    InitramfsMaker,
    KernelSettings,
    Manager,
    ModuleRule,
    NvidiaModule,
    Readiness,
    Verdict,
)
from tui.rules import host_setup_checks as checks
from tui.rules.roles import Choice
from tui.rules.view import assess

CARD, HOST_CARD = "0000:02:00.0", "0000:01:00.0"
OTHER = {"device": "2504", "name": "GA106 [GeForce RTX 3060]"}


def view(host_driver: str = "nouveau", guest_driver: str = "vfio-pci", **host: Any) -> HostView:
    host = OTHER | host
    return assess(
        snapshot(inventory(
            *card("01:00", 1, host_driver, boot_vga=True, **host),
            *card("02:00", 2, guest_driver, boot_vga=False),
        )), Choice(CARD),
    )  # fmt: skip


def ready(line: str | None = "quiet", modprobe: str = "", **facts: Any) -> Readiness:
    running = None if line is None else options(line, "/proc/cmdline")
    settings = KernelSettings(running, modules=tuple(rules(modprobe, "/etc/modprobe.d/vfio.conf")))
    return Readiness(root=True, vfio_pci=True, settings=settings, **facts)


# --- early binding --------------------------------------------------------------------


def early(seen: HostView, readiness: Readiness) -> Check:
    gpu = seen.gpu(CARD)
    assert gpu is not None
    return checks.early_binding(gpu, seen, readiness)


@pytest.mark.parametrize(
    ("line", "modprobe", "verdict", "words"),
    [
        ("quiet", "", "pass", "nothing binds it"),
        ("vfio-pci.ids=10de:2684,10de:22ba", "", "pass", "vfio-pci.ids=10de:2684,10de:22ba"),
        ("", "options vfio-pci ids=10de:2684,10de:22ba\n", "pass", "vfio.conf, line 1"),
        ("vfio-pci.ids=10de:2504", "", "warn", f"the host's card {HOST_CARD}"),
        ("", "options vfio_pci ids=10DE:2504\n", "warn", f"the host's card {HOST_CARD}"),
        ("vfio-pci.ids=10de:9999", "", "pass", "nothing binds it"),
        (None, "", "unknown", "neither the kernel command line nor modprobe.d"),
    ],
)
def test_what_binds_a_card_at_boot(
    line: str | None, modprobe: str, verdict: Verdict, words: str
) -> None:
    check = early(view(), ready(line, modprobe))
    assert (check.id, check.verdict) == ("gpu.early-binding", verdict)
    assert words in check.why


def test_one_id_for_both_cards() -> None:
    twins = view(device="2684", name="AD102 [GeForce RTX 4090]")
    check = early(twins, ready("vfio-pci.ids=10de:2684:1043:88e2"))
    assert (check.verdict, "10de:2684 at boot, the id of both cards" in check.why) == ("warn", True)
    assert "vfiotop bind" in (check.fix or "")


def initramfs(
    *lines: str, maker: InitramfsMaker = "mkinitcpio", modprobe: bool = True
) -> Initramfs:
    """One that loads modules, each with its parameters."""
    parts = [line.partition(" ") for line in lines]
    loaded = tuple(
        ModuleRule("load", module, arguments, line, "/etc/made", number)
        for number, (line, (module, _, arguments)) in enumerate(zip(lines, parts, strict=True), 1)
    )
    return Initramfs(maker, loaded, modprobe, "/etc/made")


def with_initramfs(readiness: Readiness, made: Initramfs) -> Readiness:
    return replace(readiness, settings=replace(readiness.settings, initramfs=made))


IDS = "options vfio-pci ids=10de:2684\n"


@pytest.mark.parametrize(
    ("modprobe", "line", "made", "words"),
    [
        (IDS, "", initramfs("nvidia", "vfio_pci"), "loads nvidia before vfio-pci"),
        (IDS, "", initramfs("nvidia_drm"), "loads nvidia_drm before vfio-pci"),
        ("", "vfio-pci.ids=10de:2684", initramfs("nouveau"), "loads nouveau before vfio-pci"),
        (IDS, "", initramfs("vfio_pci", modprobe=False), "loads vfio-pci without its ids"),
        (IDS + "softdep nvidia pre: vfio-pci\n", "", initramfs("nvidia", modprobe=False),
         "loads nvidia before"),
        (IDS + "softdep nvidia post: vfio-pci\n", "", initramfs("nvidia"), "loads nvidia before"),
        (IDS, "rd.driver.pre=vfio-pci", initramfs("nvidia"), "loads nvidia before"),
    ],
)  # fmt: skip
def test_an_initramfs_that_lets_another_driver_take_the_card(
    modprobe: str, line: str, made: Initramfs, words: str
) -> None:
    readiness = with_initramfs(ready(line, modprobe), made)
    check = early(view(guest_driver="nvidia"), readiness)
    assert check.verdict == "warn"
    assert words in check.why
    assert "`mkinitcpio -P`" in (check.fix or "")
    assert early(view(guest_driver="vfio-pci"), readiness).verdict == "pass"


@pytest.mark.parametrize(
    ("modprobe", "line", "made"),
    [
        (IDS, "", initramfs("vfio_pci", "nvidia")), (IDS, "", initramfs("amdgpu", "vfio_pci")),
        (IDS, "", initramfs()), (IDS, "", initramfs("vfio")),
        (IDS + "softdep nvidia pre: vfio-pci\n", "", initramfs("nvidia")),
        (IDS + "softdep nvidia pre: vfio vfio_pci post: x\n", "", initramfs("nvidia_drm")),
        (IDS, "rd.driver.pre=vfio-pci", initramfs("nvidia", maker="dracut")),
        ("", "vfio-pci.ids=10de:2684", initramfs("vfio_pci", modprobe=False)),
        ("", "", initramfs("vfio_pci ids=10de:2684", "nvidia", maker="initramfs-tools")),
        ("", "", initramfs("nvidia")),
    ],
)  # fmt: skip
def test_an_initramfs_that_lets_vfio_pci_take_the_card(
    modprobe: str, line: str, made: Initramfs
) -> None:
    readiness = with_initramfs(ready(line, modprobe), made)
    assert early(view(guest_driver="nvidia"), readiness).verdict == "pass"


def test_ids_in_the_initramfs_bind_as_those_of_modprobe_do() -> None:
    made = initramfs("vfio_pci ids=10de:2684,10de:2504", maker="initramfs-tools")
    check = early(view(), with_initramfs(ready(), made))
    assert (check.verdict, f"the host's card {HOST_CARD}" in check.why) == ("warn", True)
    assert check.fix == (
        "remove it, rebuild the initramfs: `update-initramfs -u -k all`, and let `vfiotop bind` "
        "move the card by its address"
    )
    alone = initramfs("vfio_pci ids=10de:2684", maker="initramfs-tools")
    check = early(view(), with_initramfs(ready(), alone))
    assert check.why == ("vfio-pci takes it at boot: vfio_pci ids=10de:2684 (/etc/made, line 1)")


def test_an_image_has_its_initramfs_made_elsewhere() -> None:
    seen = view(host_driver="i915", vendor="8086")
    readiness = with_initramfs(ready("", BOTH), initramfs(maker="dracut"))
    assert "`dracut --force --regenerate-all`" in (early(seen, readiness).fix or "")
    image = replace(readiness, boot=Boot("grub", "ostree"))
    assert (early(seen, image).fix or "").endswith("and rebuild the initramfs")


BOTH = "blacklist nvidia\nblacklist nouveau\n"


@pytest.mark.parametrize(
    ("line", "modprobe", "verdict"),
    [
        ("", BOTH, "warn"), ("modprobe.blacklist=nvidia,nouveau", "", "warn"),
        ("module_blacklist=nouveau", "install nvidia /bin/false\n", "warn"),
        ("", "blacklist nouveau\n", "pass"), ("", "blacklist nvidia_drm\n" + "blacklist nvidia\n",
                                              "pass"),
    ],
)  # fmt: skip
def test_the_way_back(line: str, modprobe: str, verdict: Verdict) -> None:
    """One driver is enough: with NVIDIA's, nouveau is blacklisted everywhere."""
    seen = view(host_driver="i915", vendor="8086")
    assert early(seen, ready(line, modprobe)).verdict == verdict


@pytest.mark.parametrize(
    ("line", "modprobe", "fix"),
    [
        ("", BOTH, "remove `blacklist nvidia` from /etc/modprobe.d/vfio.conf, line 1"),
        ("modprobe.blacklist=nouveau,nvidia", "",
         "take nvidia out of modprobe.blacklist=nouveau,nvidia on the kernel command line"),
    ],
)  # fmt: skip
def test_what_lets_a_driver_be_loaded_again(line: str, modprobe: str, fix: str) -> None:
    seen = view(host_driver="i915", vendor="8086")
    assert fix in (early(seen, ready(line, modprobe)).fix or "")


def test_a_driver_in_use_needs_no_modprobe() -> None:
    assert early(view(host_driver="nvidia"), ready("", BOTH)).verdict == "pass"
    loaded = ready("", BOTH, nvidia=NvidiaModule("580.95"))
    assert early(view(host_driver="i915", vendor="8086"), loaded).verdict == "pass"


def test_driverctl_binds_at_boot() -> None:
    by = Manager("driverctl", f"/etc/driverctl.d/pci-{CARD}", "binds it to vfio-pci at each boot",
                 CARD)  # fmt: skip
    check = early(view(), ready(setup=HostSetup(managers=(by,))))
    assert (check.verdict, "driverctl binds it to vfio-pci" in check.why) == ("pass", True)


# --- kernel options ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "cpu", "verdict", "words"),
    [
        ("quiet iommu=pt", "amd", "pass", "no option known to be ineffective"),
        ("amd_iommu=on iommu=pt", "amd", "pass", "amd_iommu=on does nothing here"),
        ("intel_iommu=on", "amd", "pass", "intel_iommu=on does nothing here"),
        ("intel_iommu=on iommu=pt", "intel", "pass", "no option known"),
        ("quiet intel_iommu=on iommu=pt", "arm", "pass", "intel_iommu=on, iommu=pt do nothing"),
        ("amd_iommu=off iommu=off", "arm", "pass", "amd_iommu=off, iommu=off do nothing here"),
        ("iommu.passthrough=1", "arm", "pass", "no option known to be ineffective"),
        ("iommu=1 amd_iommu=on", "amd", "pass", "iommu=1, amd_iommu=on do nothing here"),
        ("pcie_aspm=off", "amd", "warn", "leaves ASPM as the firmware has set it"),
        ("pcie_aspm=force", "amd", "pass", "no option known"),
        ("pcie_acs_override=downstream,multifunction", "amd", "warn", "splits IOMMU groups that"),
        ("pcie_acs_override=id:1022:43b4", "intel", "warn", "splits IOMMU groups that"),
        ("pcie_acs_override", "intel", "pass", "no option known"),
        (None, "amd", "unknown", "could not be read"),
    ],
)
def test_options_that_do_nothing(line: str | None, cpu: Any, verdict: Verdict, words: str) -> None:
    check = checks.kernel_options(ready(line, cpu=cpu))
    assert (check.verdict, words in check.why) == (verdict, True), check


def test_an_override_of_acs_is_told_before_options_that_do_nothing() -> None:
    check = checks.kernel_options(ready("amd_iommu=on pcie_acs_override=downstream", cpu="amd"))
    assert (check.verdict, check.why) == (
        "warn",
        "pcie_acs_override=downstream splits IOMMU groups that the hardware does not isolate: a "
        "guest may reach what its card shared one with",
    )
    assert check.fix is not None
    assert check.fix.startswith("if the card's group is viable without it, remove ")


# --- a second writer --------------------------------------------------------------------

MOVES = HookLine("moves", "virsh nodedev-detach pci_0000_02_00_0", "/etc/libvirt/hooks/qemu", 4)
PAGES = HookLine("pages", "echo 8 > nr_hugepages", "/etc/libvirt/hooks/qemu", 9)


def managed(name: str, address: str | None = None) -> HostSetup:
    manager = Manager(name, f"/etc/{name}", "moves cards", address)
    return HostSetup(managers=(manager,), hooks=Hooks(known=True))


@pytest.mark.parametrize(
    ("setup", "verdict", "fix"),
    [
        (HostSetup(hooks=Hooks(known=True)), "pass", ""), (HostSetup(), "unknown", ""),
        (HostSetup(hooks=Hooks((PAGES,), known=True)), "pass", ""),
        (HostSetup(hooks=Hooks((MOVES, PAGES))), "warn", "remove that from the hook"),
        (HostSetup(hooks=Hooks(unreadable=("/etc/libvirt/hooks/qemu",))), "unknown", "as root"),
        (managed("supergfxd"), "warn", "set vfio_enable to false in /etc/supergfxd"),
        (managed("envycontrol"), "warn", "envycontrol -s hybrid"),
        (managed("driverctl", HOST_CARD), "warn", f"driverctl unset-override {HOST_CARD}"),
        (managed("driverctl", CARD), "pass", ""),
        (managed("driverctl", "0000:09:00.0"), "pass", ""),
    ],
)  # fmt: skip
def test_whoever_else_moves_cards(setup: HostSetup, verdict: Verdict, fix: str) -> None:
    check = checks.second_writer(view(), ready(setup=setup))
    assert (check.id, check.verdict) == ("host.second-writer", verdict)
    assert fix in (check.fix or "")


def test_the_line_of_a_hook_is_named() -> None:
    check = checks.second_writer(view(), ready(setup=HostSetup(hooks=Hooks((MOVES, MOVES)))))
    assert "virsh nodedev-detach pci_0000_02_00_0 (/etc/libvirt/hooks/qemu, line 4) and 1 more" in (
        check.why
    )
