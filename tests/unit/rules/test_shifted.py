"""Two captured hosts from the field, through the commands: a card in a new slot whose guest names
the old one, and a card whose functions are on both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import lay_out
from tui.cli.main import main

OLD, OLD_SOUND = "0000:0b:00.0", "0000:0b:00.1"


def function(addr: str, code: str, vendor: str, device: str, driver: str | None) -> dict[str, Any]:
    return {"addr": addr, "class": code, "vendor": vendor, "device": device, "driver": driver}


NVME = function(OLD, "0108", "144d", "a80a", "nvme")
RTX_3060 = (
    function("0000:0c:00.0", "0300", "10de", "2504", "nvidia"),
    function("0000:0c:00.1", "0403", "10de", "228e", "snd_hda_intel"),
)
RX_6800 = (
    function("0000:08:00.0", "0300", "1002", "73bf", "amdgpu"),
    function("0000:08:00.1", "0403", "1002", "ab28", "snd_hda_intel"),
)
XML = """<domain type='kvm'><name>win10</name>
<uuid>00000000-0000-4000-8000-000000000001</uuid><memory>16777216</memory><vcpu>8</vcpu>
<devices>{}</devices></domain>"""
HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='{}'><source>
<address domain='0x0000' bus='0x{}' slot='0x00' function='0x{}'/></source></hostdev>"""


def shifted(
    place: Path, at_old: tuple[dict[str, Any], ...] = (NVME,), managed: str = "yes"
) -> Path:
    """The card moved from 0b to 0c; the domain names 0b, where another device is now."""
    groups: dict[str, Any] = {"14": list(RX_6800), "21": list(RTX_3060)}
    if at_old:
        groups["20"] = list(at_old)
    root = lay_out({"boot_vga": "0000:08:00.0", "groups": groups}, place / "shifted")
    (root / "domains").mkdir()
    both = HOSTDEV.format(managed, "0b", 0) + HOSTDEV.format(managed, "0b", 1)
    (root / "domains/win10.xml").write_text(XML.format(both))
    return root


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def doctor(root: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    code = main(["doctor", "--json", "--root", str(root)])
    return code, json.loads(capfd.readouterr().out)["checks"]


def one(checks: list[dict[str, Any]], which: str) -> dict[str, Any]:
    (found,) = (check for check in checks if check["id"] == which)
    return found


def test_a_card_that_was_moved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = shifted(tmp_path)
    code, checks = doctor(root, capfd)
    check = one(checks, "guest.devices")
    assert (code, check["verdict"], check["subject"]) == (1, "fail", "win10")
    assert f"{OLD} is on nvme, and libvirt takes it from the host" in check["why"]
    assert f"{OLD_SOUND} does not exist" in check["why"]
    assert check["fix"].startswith(
        "`virsh -c qemu:///system edit win10`: remove the <hostdev> with <address "
    )
    assert main(["start", "win10", "--dry-run", "--root", str(root)]) == 1
    plan = capfd.readouterr().out
    assert check["why"] in plan
    assert check["fix"] in plan


@pytest.mark.parametrize(
    ("code", "driver"),
    [("0106", "ahci"), ("0200", "igb"), ("0c03", "xhci_hcd"), ("0403", "snd_hda_intel"),
     ("0108", "nvme")],
)  # fmt: skip
@pytest.mark.parametrize("managed", ["yes", "no"])
def test_whatever_is_where_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], code: str, driver: str, managed: str
) -> None:
    there = function(OLD, code, "8086", "1521", driver)
    _, checks = doctor(shifted(tmp_path, (there,), managed), capfd)
    check = one(checks, "guest.devices")
    assert check["verdict"] == "fail"
    assert f"{OLD} is on {driver}" in check["why"]


def test_nothing_is_where_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, checks = doctor(shifted(tmp_path, ()), capfd)
    why = one(checks, "guest.devices")["why"]
    assert why == f"{OLD} does not exist; {OLD_SOUND} does not exist"


def test_the_hosts_own_card_is_where_it_was(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = shifted(tmp_path)
    text = (root / "domains/win10.xml").read_text()
    (root / "domains/win10.xml").write_text(text.replace("0x0b", "0x08"))
    _, checks = doctor(root, capfd)
    check = one(checks, "guest.devices")
    assert check["verdict"] == "fail"
    assert "0000:08:00.0 is on amdgpu: the card drives the host's display" in check["why"]


def test_what_the_capture_has_of_the_disk_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = shifted(tmp_path)
    device = (root / "sys/bus/pci/devices" / OLD).resolve()
    partition = device / "nvme/nvme0/nvme0n1/nvme0n1p2"
    partition.mkdir(parents=True)
    (partition / "dev").write_text("259:2\n")
    (root / "proc/self").mkdir()
    (root / "proc/self/mountinfo").write_text(
        "36 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n"
    )
    _, checks = doctor(root, capfd)
    assert "nvme0n1p2 is mounted at /" in one(checks, "guest.devices")["why"]


# --- half bound -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gpu", "sound", "verdict"),
    [
        ("nvidia", "vfio-pci", "warn"), ("vfio-pci", "snd_hda_intel", "warn"),
        ("vfio-pci", "vfio-pci", "pass"), ("nvidia", "snd_hda_intel", "pass"),
    ],
)  # fmt: skip
def test_a_card_on_both_sides(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], gpu: str, sound: str, verdict: str
) -> None:
    card = (
        function("0000:01:00.0", "0300", "10de", "1c20", gpu),
        function("0000:01:00.1", "0403", "10de", "10f1", sound),
    )
    graphics = function("0000:00:02.0", "0300", "8086", "3e92", "i915")
    root = lay_out(
        {"boot_vga": "0000:00:02.0", "groups": {"1": list(card), "2": [graphics]}},
        tmp_path / "half",
    )
    _, checks = doctor(root, capfd)
    check = one(checks, "swap.half-bound")
    assert (check["verdict"], check["subject"]) == (verdict, "0000:01:00.0")
    assert main(["status", "--json", "--root", str(root)]) == 0
    shown = {g["address"]: g["half_bound"] for g in json.loads(capfd.readouterr().out)["gpus"]}
    assert shown["0000:01:00.0"] is (verdict == "warn")
    if verdict == "warn":
        assert f"0000:01:00.0 on {gpu}, 0000:01:00.1 on {sound}" in check["why"]
        assert "`vfiotop bind 0000:01:00.0`" in check["fix"]
        assert "`vfiotop unbind 0000:01:00.0`" in check["fix"]
    for direction in ("bind", "unbind"):
        main(["plan", direction, "--json", "--root", str(root)])
        plan = json.loads(capfd.readouterr().out)
        needed = one(plan["checks"], "swap.needed")["verdict"]
        there = ("vfio-pci", "vfio-pci") if direction == "bind" else ("nvidia", "snd_hda_intel")
        assert needed == ("fail" if (gpu, sound) == there else "pass")


# --- other devices ----------------------------------------------------------------------------


@pytest.mark.parametrize("managed", ["yes", "no"])
def test_all_commands_say_the_same_of_a_neighbour(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], managed: str
) -> None:
    """A serial card shares the group of a card on a host driver; the guest takes both."""
    serial = function("0000:0d:00.0", "0700", "1912", "0014", "serial")
    groups = {"14": list(RX_6800), "21": [*RTX_3060, serial]}
    root = lay_out({"boot_vga": "0000:08:00.0", "groups": groups}, tmp_path / "beside")
    (root / "domains").mkdir()
    devices = [HOSTDEV.format("no", "0c", 0), HOSTDEV.format("no", "0c", 1)]
    xml = XML.format("".join((*devices, HOSTDEV.format(managed, "0d", 0))))
    (root / "domains/win10.xml").write_text(xml)
    told = []
    for command in (["doctor"], ["plan", "bind"], ["status"]):
        main([*command, "--json", "--root", str(root)])
        told += [one(json.loads(capfd.readouterr().out)["checks"], "iommu.viable")]
    assert {check["verdict"] for check in told} == {"pass" if managed == "yes" else "fail"}
    assert len({check["why"] for check in told}) == 1
    main(["start", "win10", "--dry-run", "--root", str(root)])
    assert told[0]["why"] in capfd.readouterr().out
