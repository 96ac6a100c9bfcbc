"""USB devices of a real bus, lent to a running guest: what its QEMU has then, and what the host
has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.host import run, until, virsh, write
from tests.lab.swaps import vfiotop
from tests.lab.terminal import terminal
from tests.lab.usb import DEVICES, KEYBOARD, MOUSE, STICK, driver, go_to, number, port_of, replug
from tests.libvirt.daemon import tiny

pytestmark = pytest.mark.only("usb-c")

NAME = "vm"
PLACE = Path("/run/stick")


def guest_has() -> list[str]:
    """The products on the guest's USB bus, as its QEMU reports them."""
    told = virsh("qemu-monitor-command", NAME, "--hmp", "info usb")
    return sorted(found.strip() for found in re.findall(r"Product ([^,\r\n]+)", told))


def elements(*options: str) -> int:
    """How many USB devices the guest's definition names."""
    return virsh("dumpxml", NAME, *options).count("type='usb' managed=")


def number_of_element() -> int | None:
    """The number of the only USB device that the running guest names."""
    found = re.findall(r"<address bus='[0-9]+' device='([0-9]+)'/>", virsh("dumpxml", NAME))
    return int(found[0]) if len(found) == 1 else None


@contextmanager
def mounted(port: str) -> Iterator[None]:
    """A file system on the disk at a port, mounted."""
    until(lambda: any(DEVICES.glob(f"{port}:1.0/host*/target*/*/block/*")))
    (block,) = DEVICES.glob(f"{port}:1.0/host*/target*/*/block/*")
    run("mkfs.ext4", "-q", "-F", f"/dev/{block.name}")
    PLACE.mkdir()
    run("mount", f"/dev/{block.name}", str(PLACE))
    try:
        yield
    finally:
        run("umount", str(PLACE))


@contextmanager
def without_builtin_keyboard() -> Iterator[None]:
    """Take the i8042's keyboard from its driver."""
    folder = Path("/sys/bus/serio/drivers/atkbd")
    ports = [link.name for link in folder.glob("serio*")]
    for port in ports:
        write(folder / "unbind", port)
    try:
        yield
    finally:
        for port in ports:
            write(folder / "bind", port)


@pytest.fixture(scope="module", autouse=True)
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running guest with a USB controller and nothing on it."""
    definition = tmp_path_factory.mktemp("usb") / f"{NAME}.xml"
    definition.write_text(tiny(NAME).replace("model='none'", "model='qemu-xhci'"))
    virsh("define", str(definition))
    virsh("start", NAME)
    try:
        assert guest_has() == []
        yield
    finally:
        virsh("destroy", NAME)
        virsh("undefine", NAME)


def test_what_the_host_would_miss_is_not_lent_unasked() -> None:
    keyboard, stick = port_of(KEYBOARD), port_of(STICK)
    with without_builtin_keyboard(), mounted(stick):
        told = vfiotop("usb", "lend", keyboard, NAME, "--yes", code=1)
        assert "the host has no other keyboard (usb.keyboard)" in told
        told = vfiotop("usb", "lend", "46f4:0001", NAME, "--yes", code=1)
        assert f"is mounted at {PLACE} (usb.disk)" in told
    assert guest_has() == []
    assert (driver(keyboard), driver(stick)) == ("usbhid", "usb-storage")


def test_a_stick_is_lent_and_returned_and_the_definition_stays() -> None:
    stick = port_of(STICK)
    assert "lent to vm" in vfiotop("usb", "lend", "46f4:0001", NAME, "--yes")
    assert guest_has() == ["QEMU USB HARDDRIVE"]
    assert driver(stick) in (None, "usbfs")
    assert (elements(), elements("--inactive")) == (1, 0)
    assert "“vm” has it" in vfiotop("usb", "lend", stick, NAME, "--yes", code=1)
    assert "returned by vm" in vfiotop("usb", "return", stick, NAME, "--yes")
    assert guest_has() == []
    until(lambda: driver(stick) == "usb-storage")
    assert elements() == 0
    assert "does not have it" in vfiotop("usb", "return", stick, NAME, "--yes", code=1)


def test_of_two_alike_the_right_one_is_lent_and_lent_again_after_a_replug(tmp_path: Path) -> None:
    keyboard, mouse = port_of(KEYBOARD), port_of(MOUSE)
    assert "2 devices match" in vfiotop("usb", "lend", "0627:0001", NAME, "--yes", code=1)
    settings = tmp_path / "config.toml"
    settings.write_text(f'guest = "{NAME}"\n')
    with terminal("vfiotop", "--config", str(settings), size=(100, 40)) as screen:
        screen.until(lambda text: "running" in text)
        screen.press("v")
        screen.until(lambda text: f"{mouse} QEMU USB Mouse" in text)
        go_to(screen, "Lend QEMU USB Mouse")
        screen.press("y")
        screen.until(lambda text: "vm has QEMU USB Mouse" in text)
        assert guest_has() == ["QEMU USB Mouse"]
        replug(mouse)
        until(lambda: number_of_element() == number(mouse))
        until(lambda: guest_has() == ["QEMU USB Mouse"])  # QEMU may look for it a moment later
        assert elements() == 1
        assert driver(mouse) in (None, "usbfs")
        assert driver(keyboard) == "usbhid"
        screen.until(lambda text: "Take back QEMU USB Mouse" in text)
        screen.press("y")
        screen.until(lambda text: "is back with the host" in text)
        assert (guest_has(), elements("--inactive")) == ([], 0)
        replug(mouse)
        until(lambda: driver(mouse) == "usbhid")
        assert guest_has() == []


def test_what_the_command_line_lent_is_attached_again_by_an_open_screen(tmp_path: Path) -> None:
    """The guest's own XML says what was lent, to every program that reads it."""
    mouse = port_of(MOUSE)
    assert "lent to vm" in vfiotop("usb", "lend", mouse, NAME, "--yes")
    assert (guest_has(), "ua-vfiotop-usb-" in virsh("dumpxml", NAME)) == (["QEMU USB Mouse"], True)
    settings = tmp_path / "config.toml"
    settings.write_text(f'guest = "{NAME}"\n')
    with terminal("vfiotop", "--config", str(settings), size=(100, 40)) as screen:
        screen.until(lambda text: "running" in text)
        for _ in range(2):  # the mark stays with it
            replug(mouse)
            until(lambda: number_of_element() == number(mouse))
            until(lambda: guest_has() == ["QEMU USB Mouse"])
            assert elements() == 1
    assert "returned by vm" in vfiotop("usb", "return", mouse, NAME, "--yes")
    assert (guest_has(), elements()) == ([], 0)
