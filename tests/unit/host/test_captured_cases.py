"""Captured hosts from bug reports, on the command line.

What a capture contains is judged as on a live host; what it lacks is unknown, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts_layout import hosts, lay_out
from tests.thorough import every_third
from tests.unit.captured import CARD, HOST_CARD, SOUND, Command, checks, domain, tower
from tui.cli.main import main
from tui.host.captured import captured_host
from tui.host.demo.host import SCENARIOS

NVIDIA = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Jan 1 00:00:00 UTC 2024\n"
READY = {
    "proc/driver/nvidia/version": NVIDIA.format("530.41.03"),
    "proc/cmdline": "quiet intel_iommu=on iommu=pt\n",
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\n",
    "sys/module/nvidia/version": "530.41.03\n",
    "sys/module/nvidia_drm/parameters/modeset": "Y\n",
    "sys/bus/pci/drivers/vfio-pci/bind": "",
    "domains/win11.xml": domain(),
}
AMD = {"proc/cpuinfo": "processor\t: 0\nvendor_id\t: AuthenticAMD\n", "etc/os-release": "ID=arch\n"}
NOT_HERE = ("sudo", "usermod", "systemctl start libvirtd", "run this as root", "press ", "with w")
"""Words of advice for the machine that vfiotop runs on."""


def without(files: dict[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in files.items() if name not in names}


# --- readiness ------------------------------------------------------------------


def test_what_was_captured_is_judged_as_on_a_live_host(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "tower", READY)
    found = checks(vfiotop("doctor", "--root", root))
    verdicts = {name: check["verdict"] for name, check in found.items()}
    assert verdicts == {
        "host.linux": "pass", "iommu.enabled": "pass", "vfio.available": "pass",
        "libvirt.reachable": "pass", "privilege": "unknown", "host.two-gpus": "pass",
        "host.not-shared": "pass", "iommu.viable": "pass", "r465.family": "pass",
        "r465.sriov": "pass", "nvidia.release": "fail", "holders": "unknown",
        "r465.one-vm": "pass", "guest.hostdevs-complete": "pass", "guest.managed": "pass",
        "host.kernel-options": "pass", "host.second-writer": "unknown", "gpu.user": "pass",
        "gpu.early-binding": "pass", "gpu.framebuffer": "unknown", "gpu.reset": "pass",
        "gpu.d3cold": "unknown", "gpu.resizable-bar": "unknown", "guest.rom": "pass",
        "guest.mmio-space": "unknown", "guest.looking-glass": "pass",
        "guest.memory": "unknown", "guest.balloon": "unknown", "guest.locked-memory": "unknown",
        "guest.pinning": "unknown",
        "r465.guest-driver": "unknown", "gpu.answers": "pass", "guest.devices": "pass",
        "swap.half-bound": "pass", "swap.movable": "pass", "kernel.log": "unknown",
    }  # fmt: skip
    assert "530.41.03" in found["nvidia.release"]["why"]
    assert "modeset" in found["nvidia.release"]["why"]


def test_fixes_are_for_the_owner_of_a_captured_host(vfiotop: Command, tmp_path: Path) -> None:
    full = tower(tmp_path / "full", READY)
    bare = tower(
        tmp_path / "bare", {"domains/a.xml": domain("a"), "domains/b.xml": domain("b", None)}
    )
    none = tower(tmp_path / "none")
    for root in (full, bare, none):
        for arguments in (("doctor",), ("status",), ("plan", "bind", CARD)):
            for check in vfiotop(*arguments, "--root", root)["checks"]:
                fix = check["fix"] or ""
                assert not [words for words in NOT_HERE if words in fix], check


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({}, "unknown", "the capture has no version of the nvidia driver"),
        ({"sys/module/nvidia/version": "530.41.03\n"}, "pass", "driver 530.41.03"),
        ({"proc/driver/nvidia/version": NVIDIA.format("595.45.04")}, "warn", "driver 595.45.04"),
        ({"proc/driver/nvidia/version": NVIDIA.format("530.41.03")}, "unknown",
         "and the capture does not show that"),
        ({"proc/driver/nvidia/version": "", "sys/module/nvidia/version": "580.105.08\n"}, "pass",
         "driver 580.105.08"),
        ({"proc/driver/nvidia/version": NVIDIA.format("530.41.03"),
          "proc/modules": "nvidia 1 0 - Live 0x0\n"}, "pass", "driver 530.41.03"),
        ({"proc/driver/nvidia/version": NVIDIA.format("530.41.03"),
          "proc/modules": "nvidia_drm 1 0 - Live 0x0\n"}, "unknown", "modeset"),
        ({"sys/module/nvidia/version": "\x1b[2J\n"}, "unknown", "no version"),
        *(({"proc/driver/nvidia/version": NVIDIA.format(f"for {machine}  580.105.08")}, "pass",
           "driver 580.105.08") for machine in ("x86_64", "aarch64", "ppc64le")),
    ],
)  # fmt: skip
def test_the_driver_is_known_from_what_tells_it(
    vfiotop: Command, tmp_path: Path, files: dict[str, str], verdict: str, words: str
) -> None:
    found = checks(vfiotop("doctor", "--root", tower(tmp_path / "tower", files)))["nvidia.release"]
    assert found["verdict"] == verdict
    assert words in found["why"]


DEP = "kernel/drivers/vfio/pci/vfio-pci{}: kernel/drivers/vfio/vfio.ko\n"


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({}, "unknown"),
        ({"sys/bus/pci/drivers/vfio-pci/bind": ""}, "pass"),
        ({"sys/module/vfio_pci/refcnt": "0\n"}, "pass"),
        ({"proc/modules": "vfio_pci 16384 0 - Live 0x0\n"}, "pass"),
        ({"proc/modules": "vfio_pci_core 16384 0 - Live 0x0\n"}, "unknown"),
        ({"lib/modules/6.12.0/modules.dep": DEP.format(".ko.zst")}, "pass"),
        ({"lib/modules/6.12.0/modules.dep": DEP.format(".ko")}, "pass"),
        ({"usr/lib/modules/6.12.0/modules.builtin": "kernel/x/vfio-pci.ko\n"}, "pass"),
        ({"lib/modules/6.12.0/modules.dep": "kernel/x/vfio-pci-core.ko:\n"}, "fail"),
        ({"lib/modules/6.1.0/modules.dep": DEP.format(".ko")}, "unknown"),
        ({"lib/modules/6.1.0/modules.dep": DEP.format(".ko"),
          "proc/sys/kernel/osrelease": ""}, "pass"),
        ({"lib/modules/6.1.0/modules.dep": DEP.format(".ko"),
          "lib/modules/6.2.0/modules.dep": DEP.format(".ko"),
          "proc/sys/kernel/osrelease": "../../6.1.0"}, "unknown"),
    ],
)  # fmt: skip
def test_vfio_pci_is_known_from_what_tells_of_it(
    vfiotop: Command, tmp_path: Path, files: dict[str, str], verdict: str
) -> None:
    found = checks(vfiotop("doctor", "--root", tower(tmp_path / "tower", files)))["vfio.available"]
    assert found["verdict"] == verdict, found
    if verdict == "unknown":
        assert "the capture" in found["why"]


def test_virtual_functions_of_a_captured_card(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "tower")
    (root / f"sys/bus/pci/devices/{CARD}/virtfn0").symlink_to("../0000:0a:00.4")
    assert checks(vfiotop("doctor", "--root", root))["r465.sriov"]["verdict"] == "fail"


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"sriov_totalvfs": "4\n", "sriov_numvfs": "4\n"}, "fail"),
        ({"sriov_numvfs": "1"}, "fail"),
        ({"sriov_totalvfs": "4\n", "sriov_numvfs": "0\n"}, "pass"),
        ({"sriov_totalvfs": "4\n", "virtfn0": ""}, "fail"),
        ({"sriov_totalvfs": "4\n"}, "unknown"),
        ({"sriov_totalvfs": "4\n", "sriov_numvfs": ""}, "unknown"),
        ({"sriov_totalvfs": "4\n", "sriov_numvfs": "many\n"}, "unknown"),
        ({"sriov_totalvfs": "0\n"}, "pass"),
    ],
)
def test_virtual_functions_of_which_the_links_are_lost(
    vfiotop: Command, tmp_path: Path, files: dict[str, str], verdict: str
) -> None:
    root = tower(tmp_path / "tower", {f"sys/bus/pci/devices/{HOST_CARD}/boot_vga": "0\n"})
    for name, text in files.items():
        (root / f"sys/bus/pci/devices/{CARD}/{name}").write_text(text)
    at = ("--root", root)
    assert checks(vfiotop("plan", "bind", CARD, *at))["r465.sriov"]["verdict"] == verdict
    assert checks(vfiotop("plan", "bind", HOST_CARD, *at))["r465.sriov"]["verdict"] == "pass"


def test_what_was_not_captured_is_unknown(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "tower", groups=False)
    (root / "sys/kernel/iommu_groups").rmdir()
    found = checks(vfiotop("doctor", "--root", root))
    for name in ("iommu.enabled", "libvirt.reachable", "holders", "privilege"):
        assert found[name]["verdict"] == "unknown"
        assert "capture" in found[name]["why"]
    assert found["iommu.viable"]["verdict"] == "unknown"


def test_what_this_machine_is_set_to_is_not_a_captured_hosts(
    vfiotop: Command, tmp_path: Path
) -> None:
    """The user's own configuration names the host card; a file given by name is for this host."""
    root = tower(tmp_path / "tower", READY)
    config = tmp_path / "vfiotop/config.toml"
    config.parent.mkdir()
    config.write_text(f'guest_gpu = "{HOST_CARD}"\nguest = "nobody"\n')
    roles = {gpu["address"]: gpu["role"] for gpu in vfiotop("status", "--root", root)["gpus"]}
    assert roles == {CARD: "guest", HOST_CARD: "host"}
    found = vfiotop("status", "--root", root, "--config", config)
    assert {gpu["address"]: gpu["role"] for gpu in found["gpus"]}[HOST_CARD] == "guest"


# --- all domains of the host ------------------------------------------------------


def test_the_domains_of_a_capture_are_all_of_that_host(vfiotop: Command, tmp_path: Path) -> None:
    running = {"domains/a.xml": domain("a", "00000000-0000-4000-8000-00000000000a", " id='1'"),
               "domains/b.xml": domain("b", None, " id='2'", HOST_CARD)}  # fmt: skip
    root = tower(tmp_path / "tower", READY | running, driver="vfio-pci")
    host_card = root / f"sys/bus/pci/devices/{HOST_CARD}/driver"
    host_card.unlink()
    host_card.symlink_to("../../../bus/pci/drivers/vfio-pci")
    found = checks(vfiotop("doctor", "--root", root))["r465.one-vm"]
    assert found["verdict"] == "fail"
    assert "“a”, “b” are running with a GeForce card" in found["why"]


def test_a_host_without_a_geforce_breaks_no_rule(vfiotop: Command, tmp_path: Path) -> None:
    root = lay_out(hosts()["25-phoenix3-all-vfio"], tmp_path / "apu")
    assert checks(vfiotop("doctor", "--root", root))["r465.one-vm"]["verdict"] == "pass"


# --- one host, one verdict ---------------------------------------------------------


def _hosts() -> list[Callable[[Path], list[str]]]:
    def of_file(name: str) -> Callable[[Path], list[str]]:
        def make(place: Path) -> list[str]:
            root = lay_out(hosts()[name], place / name)
            (root / "domains").mkdir()
            return ["--root", str(root)]

        return make

    def of_case(files: dict[str, str], driver: str, *, groups: bool) -> Callable[[Path], list[str]]:
        def make(place: Path) -> list[str]:
            root = tower(place / "tower", files, driver=driver, groups=groups)
            return ["--root", str(root)]

        return make

    def of_demo(name: str) -> Callable[[Path], list[str]]:
        return lambda _: ["--demo", name]

    runs = domain("win11", None, " id='1'")
    return [
        *every_third(of_file(name) for name in hosts()),
        *every_third(of_demo(name) for name in SCENARIOS),
        of_case(READY, "nvidia", groups=True),
        of_case(READY | {"domains/win11.xml": runs}, "vfio-pci", groups=True),
        of_case(AMD | {"proc/cmdline": "amd_iommu=off\n"}, "nvidia", groups=False),
        of_case({}, "nvidia", groups=True),
    ]


def _is_a_copy(check: dict[str, str | None]) -> bool:
    """Whether a fix repeats what the reason says."""
    fix, why = check["fix"], check["why"] or ""
    return fix is not None and (fix in why or why in fix)


@pytest.mark.parametrize("make", _hosts())
def test_plan_doctor_and_status_never_differ(
    vfiotop: Command, tmp_path: Path, make: Callable[[Path], list[str]]
) -> None:
    at = make(tmp_path)
    doctor, status = vfiotop("doctor", *at), vfiotop("status", *at)
    assert status["checks"] == [
        {key: check[key] for key in ("id", "subject", "verdict", "why", "fix")}
        for check in doctor["checks"]
    ]
    assert not [check for check in doctor["checks"] if _is_a_copy(check)]
    by_subject = {(c["id"], c["subject"]): c["verdict"] for c in doctor["checks"]}
    for gpu in status["gpus"]:
        for direction in ("bind", "unbind"):
            plan = vfiotop("plan", direction, gpu["address"], *at)
            for check in plan["checks"]:
                assert not _is_a_copy(check), check
                key = check["id"], check["subject"]
                assert by_subject.get(key, check["verdict"]) == check["verdict"], key


# --- where the captured host is ------------------------------------------------------


@pytest.mark.parametrize("name", ["root", "captured-host-1", "x y"])
def test_a_host_in_a_folder_of_the_one_that_is_named(
    vfiotop: Command, tmp_path: Path, name: str
) -> None:
    """As archives unpack. Files next to the folder do not matter; a second host does."""
    tower(tmp_path / "unpacked" / name, READY)
    (tmp_path / "unpacked/README").write_text("a host")
    (tmp_path / "unpacked/empty").mkdir()
    found = vfiotop("status", "--root", tmp_path / "unpacked")
    assert found["host"]["libvirt"]["uri"].endswith(f"unpacked/{name}/domains")
    assert [gpu["address"] for gpu in found["gpus"]] == [CARD, HOST_CARD]
    tower(tmp_path / "unpacked/another")
    assert main(["status", "--root", str(tmp_path / "unpacked")]) == 1


def test_links_of_a_host_in_a_folder_stay_in_it(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "unpacked/root", {"vendor": "0x1002\n"})
    (tmp_path / "unpacked/vendor").write_text("0xdead\n")
    for place in (CARD, SOUND):
        attribute = root / f"sys/bus/pci/devices/{place}/vendor"
        attribute.unlink()
        attribute.symlink_to("/vendor")
    found = vfiotop("status", "--root", tmp_path / "unpacked")
    assert {gpu["address"]: gpu["vendor"] for gpu in found["gpus"]}[CARD] == "1002"


def test_a_link_to_a_host_is_no_folder_with_one(tmp_path: Path) -> None:
    tower(tmp_path / "elsewhere/root")
    (tmp_path / "unpacked").mkdir()
    (tmp_path / "unpacked/root").symlink_to(tmp_path / "elsewhere/root")
    assert main(["status", "--root", str(tmp_path / "unpacked")]) == 1
    tower(tmp_path / "unpacked/inner")
    (tmp_path / "unpacked/latest").symlink_to("inner")
    assert captured_host(str(tmp_path / "unpacked")).banner == "Captured host: unpacked/inner"
