"""Captured hosts whose guests take a card without a <hostdev>, through the whole command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import lay_out
from tests.unit.captured import Command

FIRST, SECOND, BOOT = "0000:27:00.0", "0000:28:00.0", "0000:26:00.0"
MDEV = "c2177883-f1bb-47f0-914d-32a22e3a8804"
QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"


def function(address: str, device: str, driver: str, **more: str) -> dict[str, str]:
    made = {"addr": address, "class": "0300", "vendor": "10de", "device": device, "driver": driver}
    return made | more


HOST_CARD = function(BOOT, "731f", "amdgpu", vendor="1002")


def host(root: Path, *, group: list[dict[str, str]], domains: dict[str, str]) -> Path:
    """Return a host with its own card, the group of another, and a third card on vfio-pci."""
    second = [function(SECOND, "2484", "vfio-pci")]
    lay_out({"groups": {"14": [HOST_CARD], "15": group, "16": second}, "boot_vga": BOOT}, root)
    (root / "domains").mkdir()
    for name, xml in domains.items():
        (root / "domains" / f"{name}.xml").write_text(xml)
    return root


def domain(name: str, devices: str = "", more: str = "", *, runs: bool = True) -> str:
    number = 1 + len(name)
    return (
        f"<domain type='kvm'{' id=' + repr('5') if runs else ''} {QEMU}><name>{name}</name>"
        f"<uuid>00000000-0000-4000-8000-{number:012d}</uuid><memory unit='GiB'>8</memory>"
        f"<vcpu>4</vcpu><devices>{devices}</devices>{more}</domain>"
    )


def by_qemu(*words: str) -> str:
    args = "".join(f"<qemu:arg value='{word}'/>" for word in words)
    return f"<qemu:commandline>{args}</qemu:commandline>"


SECOND_GUEST = domain(
    "second",
    "<hostdev mode='subsystem' type='pci' managed='no'><source>"
    "<address domain='0' bus='0x28' slot='0' function='0'/></source></hostdev>",
    runs=False,
)
CARD = [
    function(FIRST, "1f08", "vfio-pci"),
    function("0000:27:00.1", "10f9", "vfio-pci", **{"class": "0403"}),
]


def check(answer: dict[str, Any], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in answer["checks"] if each["id"] == name]
    return found[0]


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=27:00.0,id=a,multifunction=on", "-device",
         "vfio-pci,host=27:00.1"],
        ["--device", '{"driver":"vfio-pci","host":"0000:27:00.0"}',
         "-device=vfio-pci,host=27:00.1"],
        ["-device", "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:27:00.0",
         "-device", "vfio-pci,host=0000:27:00.1"],
    ],
)  # fmt: skip
def test_a_card_in_qemus_own_command_line(
    vfiotop: Command, words: list[str], tmp_path: Path
) -> None:
    win10 = domain("win10", more=by_qemu(*words))
    root = host(tmp_path / "tower", group=CARD, domains={"win10": win10, "second": SECOND_GUEST})
    status = vfiotop("status", "--root", root)
    gpus = {gpu["address"]: gpu for gpu in status["gpus"]}
    assert (gpus[FIRST]["owner"], gpus[SECOND]["owner"]) == ("guest:win10", "vfio")
    assert {g["name"]: g["hostdevs"] for g in status["guests"]} == {
        "win10": [FIRST, "0000:27:00.1"], "second": [SECOND],
    }  # fmt: skip
    plan = vfiotop("plan", "bind", SECOND, "--root", root)
    assert check(plan, "r465.one-vm")["verdict"] == "fail"
    assert "“win10” is running with a GeForce card" in check(plan, "r465.one-vm")["why"]
    for command in ("bind", "unbind"):
        plan = vfiotop("plan", command, FIRST, "--root", root)
        assert check(plan, "guest.inactive")["verdict"] == "fail"
        assert "“win10”" in check(plan, "guest.inactive")["why"]
    doctor = vfiotop("doctor", "--root", root)
    assert check(doctor, "r465.one-vm")["verdict"] == "unknown"  # who has the other one?
    assert SECOND in check(doctor, "r465.one-vm")["why"]


@pytest.mark.parametrize(("enable", "verdict"), [("0", "pass"), ("1", "unknown"), ("x", "unknown")])
def test_another_card_that_nobody_has_open(
    vfiotop: Command, enable: str, verdict: str, tmp_path: Path
) -> None:
    win10 = domain("win10", more=by_qemu("-device", "vfio-pci,host=27:00.0"))
    root = host(tmp_path / "tower", group=CARD, domains={"win10": win10})
    (root / "sys/bus/pci/devices" / SECOND / "enable").write_text(f"{enable}\n")
    assert check(vfiotop("doctor", "--root", root), "r465.one-vm")["verdict"] == verdict
    assert check(vfiotop("status", "--root", root), "r465.one-vm")["verdict"] == verdict


def test_an_nvme_disk_of_the_cards_group(vfiotop: Command, tmp_path: Path) -> None:
    disk = (
        "<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='1'>"
        "<address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/></source></disk>"
    )
    nvme = function("0000:02:00.0", "a808", "vfio-pci", vendor="144d", **{"class": "0108"})
    group = [nvme, function(FIRST, "1f08", "nvidia")]
    root = host(tmp_path / "tower", group=group, domains={"a": domain("a", disk)})
    (guest,) = vfiotop("status", "--root", root)["guests"]
    assert guest["hostdevs"] == ["0000:02:00.0"]
    found = check(vfiotop("plan", "bind", FIRST, "--root", root), "guest.inactive")
    assert found["verdict"] == "fail"
    assert found["why"] == "“a” is running with a device in the card's IOMMU group"


def test_an_mdev_of_the_card(vfiotop: Command, tmp_path: Path) -> None:
    share = (
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
        f"<source><address uuid='{MDEV}'/></source></hostdev>"
    )
    group = [function(FIRST, "1f08", "nvidia")]
    root = host(tmp_path / "tower", group=group, domains={"vgpu": domain("vgpu", share)})
    unclear = vfiotop("status", "--root", root)
    (guest,) = unclear["guests"]
    assert (guest["hostdevs"], MDEV in guest["problem"]) == (None, True)
    assert check(unclear, "r465.one-vm")["verdict"] == "unknown"
    (root / "sys/bus/mdev/devices").mkdir(parents=True)
    (root / "sys/bus/pci/devices" / FIRST / MDEV).mkdir()
    (root / "sys/bus/mdev/devices" / MDEV).symlink_to(f"../../../devices/pci0000:27/{FIRST}/{MDEV}")
    status = vfiotop("status", "--root", root)
    (guest,) = status["guests"]
    assert (guest["hostdevs"], guest["problem"]) == ([FIRST], None)
    assert {gpu["address"]: gpu["owner"] for gpu in status["gpus"]}[FIRST] == "host"
    assert (
        check(vfiotop("plan", "bind", FIRST, "--root", root), "guest.inactive")["verdict"] == "fail"
    )
    assert (
        check(vfiotop("plan", "bind", SECOND, "--root", root), "r465.one-vm")["verdict"] == "fail"
    )


def test_a_command_line_that_cannot_be_read_may_take_anything(
    vfiotop: Command, tmp_path: Path
) -> None:
    win10 = domain("win10", more=by_qemu("-readconfig", "/etc/vm.cfg"))
    root = host(tmp_path / "tower", group=CARD, domains={"win10": win10})
    status = vfiotop("status", "--root", root)
    (guest,) = status["guests"]
    assert (guest["hostdevs"], "-readconfig" in guest["problem"]) == (None, True)
    assert check(status, "r465.one-vm")["verdict"] == "unknown"
    assert (
        check(vfiotop("plan", "bind", FIRST, "--root", root), "guest.inactive")["verdict"]
        == "unknown"
    )
