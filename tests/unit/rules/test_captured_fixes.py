"""Messages about a captured host are for its owner. None advises an action on the machine that
shows it, or as a user that the capture does not know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hosts_layout import hosts, lay_out
from tests.thorough import every_third
from tests.unit.captured import CARD, HOST_CARD, SOUND, Command, checks, domain, tower
from tui.guest.planning import guest_plan_once
from tui.host.captured import captured_host
from tui.model import Check
from tui.once import examine_once
from tui.report.status_text import as_text
from tui.rules import doctor
from tui.rules.roles import Choice
from tui.swap.planning import plan_once

ON_THIS_MACHINE = re.compile(
    r"(?<!capture it )(?<!capture it again, )as root|sudo|doas|run0|usermod|systemctl|\bkill\b"
    r"|update-pciids|package hwdata|press [a-z]\b|with w\b|qemu-guest-agent|<channel>|log out"
    r"|log in|kernel log for this device"
)
"""Advice for a user of the machine itself, with rights there."""

AT = "sys/bus/pci/devices"


def said(place: Path, choice: Choice | None = None) -> Iterator[str]:
    """All texts about a captured host: checks, plans, details, status."""
    host, choice = captured_host(str(place)), choice or Choice()
    readings = examine_once(host, choice, with_readings=True)
    found: list[Check] = [*doctor.all_checks(doctor.examine(readings)), *readings.view.checks]
    for gpu in readings.view.gpus:
        for direction in ("bind", "unbind"):
            found += plan_once(host, choice, direction, gpu.address).checks
        yield from (gpu.viability.reason or "", gpu.viability.fix or "", gpu.no_reading or "")
    for guest in readings.view.guests:
        for action in ("start", "stop", "resume"):
            plan, _ = guest_plan_once(host, choice, action, uuid=guest.domain.uuid)
            found += plan.checks
    for check in found:
        yield from (check.why, check.fix or "")
    yield from (why for _, why in readings.view.problems)
    yield as_text(readings.view)


def dark_link(name: str, address: str = CARD) -> Callable[[Path], None]:
    """A link with an invalid target; the folder that it led to has lost its own link."""

    def damage(root: Path) -> None:
        link = root / f"{AT}/{address}/{name}"
        for listed in (link / address, link / "devices" / address):
            listed.unlink(missing_ok=True)
        link.unlink()
        link.symlink_to("../../../\x01")

    return damage


def without_pci_ids(device: str) -> Callable[[Path], None]:
    def rename(root: Path) -> None:
        ids = root / "usr/share/misc/pci.ids"
        ids.parent.mkdir(parents=True)
        ids.write_text("10de  NVIDIA Corporation\n\t1b81  GP104 [GeForce GTX 1070]\n")
        (root / f"{AT}/{CARD}/device").write_text(f"0x{device}\n")

    return rename


def nothing(root: Path) -> None:
    """Leave the capture as it is."""


RUNS = {"domains/a.xml": domain("a", None, " id='1'"), "domains/b.xml": domain("b", None)}
AGENT = (
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices>"
)
DAMAGES: dict[str, tuple[dict[str, str], str, Callable[[Path], None], Choice]] = {
    "whole": ({}, "nvidia", nothing, Choice()),
    "two guests": (RUNS, "vfio-pci", nothing, Choice()),
    "an agent that is not there": (
        {"domains/a.xml": RUNS["domains/a.xml"].replace("</devices>", AGENT)}, "vfio-pci", nothing,
        Choice(),
    ),
    "no driver": ({}, "nvidia", dark_link("driver"), Choice(CARD)),
    "no group": ({}, "nvidia", dark_link("iommu_group"), Choice(CARD)),
    "neighbour": ({}, "nvidia", dark_link("driver", SOUND), Choice(CARD)),
    "no name": ({}, "nvidia", without_pci_ids("0fda"), Choice(CARD)),
    "no name, guests": (RUNS, "vfio-pci", without_pci_ids("0fda"), Choice(CARD)),
    "a card that is gone": (RUNS, "nvidia", nothing, Choice("0000:77:00.0")),
    "a guest that is gone": (RUNS, "nvidia", nothing, Choice(CARD, "nobody")),
    "vfio-pci barred": (
        {"etc/modprobe.d/no.conf": "install vfio-pci /bin/false\n"}, "nvidia", nothing, Choice(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", every_third(hosts()))
def test_nothing_is_said_to_who_only_looks_at_a_host(tmp_path: Path, name: str) -> None:
    root = lay_out(hosts()[name], tmp_path)
    texts = list(said(root))
    assert len(texts) > 20
    assert [text for text in texts if ON_THIS_MACHINE.search(text)] == []


@pytest.mark.parametrize("name", DAMAGES)
def test_nor_of_one_that_lacks_something(tmp_path: Path, name: str) -> None:
    files, driver, damage, choice = DAMAGES[name]
    root = tower(tmp_path / "tower", files, driver=driver)
    damage(root)
    texts = list(said(root, choice))
    assert [text for text in texts if ON_THIS_MACHINE.search(text)] == []


@pytest.mark.parametrize("name", ["no driver", "no group", "neighbour"])
def test_what_a_capture_has_lost_is_to_be_captured_again(
    vfiotop: Command, tmp_path: Path, name: str
) -> None:
    root = tower(tmp_path / "tower")
    DAMAGES[name][2](root)
    found = checks(vfiotop("plan", "bind", CARD, "--root", root))["iommu.viable"]
    assert found["verdict"] == "unknown"
    assert "cannot be read" in found["why"]
    assert found["fix"] == "capture it again, as root and with all of its links"


def test_a_card_without_a_name_is_to_be_captured_with_newer_names(
    vfiotop: Command, tmp_path: Path
) -> None:
    """This machine's list is not read if the capture has one."""
    root = tower(tmp_path / "tower")
    without_pci_ids("0fda")(root)
    found = checks(vfiotop("doctor", "--root", root))["r465.family"]
    assert (found["verdict"], found["fix"]) == (
        "unknown", "capture it with a newer list of PCI names (/usr/share/misc/pci.ids)",
    )  # fmt: skip
    ids = root / "usr/share/misc/pci.ids"
    ids.write_text("10de  NVIDIA Corporation\n\t0fda  GK107 [GeForce GT 640]\n")
    found = checks(vfiotop("doctor", "--root", root))["r465.family"]
    assert (found["verdict"], found["fix"]) == ("pass", None)


def test_the_notebook_that_was_captured_has_no_other_slot(vfiotop: Command, tmp_path: Path) -> None:
    host = hosts()["11-msi-b450m-max-hd7450-gtx960"]
    root = lay_out(host, tmp_path)
    gpu = next(
        check for check in vfiotop("doctor", "--root", root)["checks"]
        if check["id"] == "iommu.viable" and check["verdict"] == "fail"
    )  # fmt: skip
    assert "slot" in gpu["fix"]
    board = root / "sys/devices/virtual/dmi/id"
    board.mkdir(parents=True)
    (board / "chassis_type").write_bytes(b"10\n" + b"\0" * 4093)  # as copies of /sys are padded
    (root / "sys/class/dmi").mkdir()
    (root / "sys/class/dmi/id").symlink_to("../../devices/virtual/dmi/id")
    again = [
        check for check in vfiotop("doctor", "--root", root)["checks"]
        if (check["id"], check["subject"]) == ("iommu.viable", gpu["subject"])
    ]  # fmt: skip
    assert [check["verdict"] for check in again] == ["fail"]
    assert not [check for check in again if "slot" in check["fix"]]


def test_no_agent_is_wanted_in_the_guest_of_a_capture(vfiotop: Command, tmp_path: Path) -> None:
    root = tower(tmp_path / "tower", RUNS, driver="vfio-pci")
    cards = {gpu["address"]: gpu for gpu in vfiotop("status", "--root", root)["gpus"]}
    assert cards[CARD]["no_reading"] == "a captured host has no live readings"
    assert cards[HOST_CARD]["no_reading"] == "a captured host has no live readings"
