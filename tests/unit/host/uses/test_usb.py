"""The USB devices of a host, from sysfs."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from tests.hosts_layout import link
from tests.unit.host.uses.usb_tree import KEYBOARD, MOUSE, STORAGE, add_usb, drive, unplug
from tui.host import NothingToRead
from tui.host.capture.collect import record
from tui.host.capture.memory import MemoryTree
from tui.host.capture.redact import redacted
from tui.host.capture.standins import StandIns
from tui.host.confined import Confined
from tui.host.tree import FILE_LIMIT, PlainTree
from tui.host.uses.usb import UsbSource
from tui.model import Attachment, UsbDevice

XHCI = "0000:00:14.0"
LONG = "x" * 300


class Counting(PlainTree):
    """Notes what is read."""

    opened: list[str]

    def __init__(self, path: Path, opened: list[str] | None = None) -> None:
        super().__init__(path)
        self.opened = [] if opened is None else opened

    def __truediv__(self, name: str) -> Counting:
        return Counting(Path(str(self)) / name, self.opened)

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        self.opened.append(name.rpartition("/")[2])
        return super().read(name, limit)


def devices(root: Path) -> dict[str, UsbDevice]:
    return {each.port: each for each in UsbSource(Confined(str(root))).read().devices}


def test_a_host_without_usb_has_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NothingToRead, match="no USB"):
        UsbSource(Confined(str(tmp_path))).read()


def test_a_keyboard_a_mouse_with_keys_and_a_hub(tmp_path: Path) -> None:
    both = {KEYBOARD: "usbhid", MOUSE: "usbhid"}
    add_usb(tmp_path, XHCI, "1-10", 5, interfaces=both)
    add_usb(tmp_path, XHCI, "1-2", 3, interfaces=dict(reversed(both.items())))
    add_usb(tmp_path, XHCI, "1-3", 4, "1d6b:0002", {("09", "00"): "hub"}, device_class="09")
    add_usb(tmp_path, XHCI, "1-3.1", 6, interfaces={MOUSE: "usbhid"})
    found = devices(tmp_path)
    assert list(found) == ["1-2", "1-3", "1-3.1", "1-10"]
    assert [d.keyboard for d in found.values()] == [False, False, False, True]
    assert [d.hub for d in found.values()] == [False, True, False, False]
    assert {d.controller for d in found.values()} == {XHCI}
    assert Attachment("keyboard", "1-2", "is a keyboard") in found["1-2"].attached
    assert (found["1-10"].bus, found["1-10"].number, found["1-10"].node) == (
        1, 5, "/dev/bus/usb/001/005",
    )  # fmt: skip


def test_a_hub_is_what_has_a_hubs_interface_whatever_the_device_says(tmp_path: Path) -> None:
    """If it were lent, the host's keyboard that is plugged into it would go with it."""
    hub = {("ff", "00"): None, ("09", "00"): "hub"}
    add_usb(tmp_path, XHCI, "1-3", 4, "1d6b:0104", hub, device_class="ef")
    add_usb(tmp_path, XHCI, "1-3.1", 6, interfaces={KEYBOARD: "usbhid"})
    add_usb(tmp_path, XHCI, "1-4", 7, interfaces={KEYBOARD: "usbhid"}, device_class="09")
    add_usb(tmp_path, XHCI, "1-5", 8, device_class="09")
    found = devices(tmp_path)
    assert [port for port, each in found.items() if each.hub] == ["1-3", "1-5"]
    assert found["1-4"].keyboard


@pytest.mark.parametrize("protocol", ["00", "01", "02"])
@pytest.mark.parametrize(
    ("keys", "types"),
    [
        ("1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe", True),
        ("febeffdf fffffffe", True), ("10000 0 0 0", False), ("fffffffffffffffc", False),
        ("", False), ("x", False),
    ],
)  # fmt: skip
def test_a_keyboard_without_a_boot_protocol_is_one_by_its_keys(
    tmp_path: Path, keys: str, types: bool, protocol: str
) -> None:
    at = add_usb(tmp_path, XHCI, "1-1", 2, interfaces={("03", protocol): "usbhid"})
    made = at / "1-1:1.0/0003:046D:C31C.0001/input/input5/capabilities"
    made.mkdir(parents=True)
    (made / "key").write_text(f"{keys}\n")
    expected = {"00": types, "01": True, "02": False}[protocol]
    assert devices(tmp_path)["1-1"].keyboard is expected
    assert [each.kind == "keyboard" for each in devices(tmp_path)["1-1"].attached] == [expected]


def test_names_and_serials_are_untrusted(tmp_path: Path) -> None:
    strings = {"manufacturer": "Evil\x1b[2J", "product": f"evil{LONG}", "serial": "A\u200b1"}
    add_usb(tmp_path, XHCI, "1-1", 2, strings={"manufacturer": "Logitech", "product": "G502"})
    add_usb(tmp_path, XHCI, "1-2", 3, strings={"manufacturer": "SanDisk", "product": "SanDisk U"})
    add_usb(tmp_path, XHCI, "1-3", 4, strings=strings)
    add_usb(tmp_path, XHCI, "1-4", 5)
    names = [each.name for each in devices(tmp_path).values()]
    assert (names[0], names[1], names[3]) == ("Logitech G502", "SanDisk U", "046d:c52b")
    assert "\x1b" not in names[2]
    assert len(names[2]) < 100
    assert devices(tmp_path)["1-3"].serial == r"A\u200b1"


def test_the_strings_are_read_once_for_each_plugging_in(tmp_path: Path) -> None:
    strings = {"product": "G502", "serial": "1"}
    at = add_usb(tmp_path, XHCI, "1-1", 2, strings=strings, interfaces={MOUSE: "usbhid"})
    tree = Counting(tmp_path)
    source = UsbSource(tree)
    assert source.read().devices == source.read().devices
    assert tree.opened.count("serial") == 1
    unplug(tmp_path, at)
    assert source.read().devices == ()
    shutil.rmtree(at)
    add_usb(tmp_path, XHCI, "1-1", 3, strings={"product": "Other"})
    assert [(d.number, d.name, d.serial) for d in source.read().devices] == [(3, "Other", None)]


def test_a_device_is_ready_once_it_has_interfaces_and_its_driver(tmp_path: Path) -> None:
    add_usb(tmp_path, XHCI, "1-1", 2)
    ready = add_usb(tmp_path, XHCI, "1-2", 3, interfaces={MOUSE: None})
    assert [each.ready for each in devices(tmp_path).values()] == [False, True]
    (ready / "driver").unlink()
    assert not devices(tmp_path)["1-2"].ready


def test_a_program_has_a_device_through_usbfs(tmp_path: Path) -> None:
    at = add_usb(tmp_path, XHCI, "1-1", 2, interfaces={MOUSE: "usbhid"})
    assert not devices(tmp_path)["1-1"].taken
    drive(tmp_path, at, "usbfs")
    assert devices(tmp_path)["1-1"].taken


def test_a_mounted_stick_and_a_network_adapter(tmp_path: Path) -> None:
    stick = add_usb(tmp_path, XHCI, "2-1", 2, interfaces={STORAGE: "usb-storage"})
    block = stick / "2-1:1.0/host6/target6:0:0/6:0:0:0/block/sda"
    for name, number in (("", "8:0"), ("sda1", "8:1")):
        (block / name / "holders").mkdir(parents=True)
        (block / name / "dev").write_text(f"{number}\n")
    net = add_usb(tmp_path, XHCI, "2-2", 3, interfaces={("ff", "00"): "r8152"})
    (net / "2-2:1.0/net/enx0").mkdir(parents=True)
    (net / "2-2:1.0/net/enx0/operstate").write_text("down\n")
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/mountinfo").write_text("1 1 8:1 / /media/x rw - vfat /dev/sda1 rw\n")
    (tmp_path / "proc/swaps").write_text("Filename\n")
    found = devices(tmp_path)
    used = Attachment("disk", "sda1", "is mounted at /media/x", in_use=True)
    assert found["2-1"].attached == (used,)
    assert [each.kind for each in found["2-2"].attached] == ["network"]


KEYS = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe"
NO_KEYS, MOUSE_KEYS = "0", "ff0000 0 0 0 0"
UHID = "sys/devices/virtual/misc/uhid"


def add_adapter(root: Path, port: str, number: int, name: str = "hci0") -> Path:
    """A Bluetooth adapter; returns its directory."""
    at = add_usb(root, XHCI, port, number, interfaces={("e0", "01"): "btusb"})
    adapter = at / f"{port}:1.0/bluetooth/{name}"
    adapter.mkdir(parents=True)
    (root / "sys/class/bluetooth").mkdir(parents=True, exist_ok=True)
    link(root / "sys/class/bluetooth" / name, adapter)
    return adapter


def connect(
    below: Path,
    keys: str = KEYS,
    rel: str = "0",
    properties: str = "0",
    hid: str = "0005:046D:B342",
) -> None:
    made = below / f"{hid}.0003/input/input20"
    (made / "capabilities").mkdir(parents=True)
    (made / "capabilities/key").write_text(f"{keys}\n")
    (made / "capabilities/rel").write_text(f"{rel}\n")
    (made / "properties").write_text(f"{properties}\n")


def uses(root: Path) -> list[str]:
    return [each.text for device in devices(root).values() for each in device.attached]


@pytest.mark.parametrize("place", ["hci0:256", UHID])
def test_a_keyboard_or_a_mouse_through_a_bluetooth_adapter_is_a_use(
    tmp_path: Path, place: str
) -> None:
    """The kernel's HIDP and BlueZ's uhid have different places for it."""
    adapter = add_adapter(tmp_path, "1-7", 3)
    assert uses(tmp_path) == []
    below = tmp_path / place if place == UHID else adapter / place
    connect(below, MOUSE_KEYS, rel="1943", hid="0005:004C:0269")
    assert uses(tmp_path) == ["hci0 connects a mouse"]
    connect(below)
    assert uses(tmp_path) == ["hci0 connects a keyboard"]
    assert all(each.in_use for each in devices(tmp_path)["1-7"].attached)


@pytest.mark.parametrize(
    ("input", "use"),
    [
        ({"keys": NO_KEYS, "properties": "5"}, ["hci0 connects a mouse"]),
        ({"keys": NO_KEYS, "rel": "100"}, []),
        ({"keys": "fffffffffffffffc"}, []),
        ({"keys": "x", "rel": "", "properties": "-"}, []),
        ({"hid": "0003:046D:B342"}, []),
    ],
    ids=["touchpad", "wheel alone", "gamepad", "nonsense", "no Bluetooth"],
)
def test_what_is_connected_is_told_by_its_keys_and_axes(
    tmp_path: Path, input: dict[str, str], use: list[str]
) -> None:
    add_adapter(tmp_path, "1-7", 3)
    connect(tmp_path / UHID, **input)
    assert uses(tmp_path) == use


def test_of_two_adapters_either_may_connect_what_bluez_has(tmp_path: Path) -> None:
    add_adapter(tmp_path, "1-7", 3)
    connect(add_adapter(tmp_path, "1-8", 4, "hci1") / "hci1:256")
    connect(tmp_path / UHID)
    assert uses(tmp_path) == ["hci0 may connect a keyboard", "hci1 connects a keyboard"]


@pytest.mark.parametrize("depth", [0, 40])
def test_what_cannot_be_read_of_bluetooth_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """A folder that is deeper than any that is looked into, or one that cannot be opened."""
    add_adapter(tmp_path, "1-7", 3)
    (tmp_path / UHID / "/".join("x" * depth)).mkdir(parents=True)
    if not depth:
        kept = Confined.mode

        def mode(tree: Confined, name: str = "") -> int:
            if name == UHID:
                raise PermissionError(errno.EACCES, "Permission denied")
            return kept(tree, name)

        monkeypatch.setattr(Confined, "mode", mode)
    assert devices(tmp_path)["1-7"].unreadable == ("what is connected over Bluetooth",)


def test_other_devices_have_nothing_over_bluetooth(tmp_path: Path) -> None:
    add_usb(tmp_path, XHCI, "1-1", 2, interfaces={MOUSE: "usbhid"})
    connect(tmp_path / UHID)
    assert uses(tmp_path) == ["1-1 is a mouse"]


def test_what_the_kernel_never_writes_is_no_device(tmp_path: Path) -> None:
    for port, vendor in (("1-1", "046D"), ("1-2", "46d"), ("1-3", "")):
        at = add_usb(tmp_path, XHCI, port, 2)
        (at / "idVendor").write_text(f"{vendor}\n")
    for name in ("usb1", "1-4:1.0", "1-", "x-1", "1-5.", "1-1.."):
        (tmp_path / "sys/bus/usb/devices" / name).mkdir()
    assert devices(tmp_path) == {}


def test_a_capture_has_the_same_devices(tmp_path: Path) -> None:
    add_usb(tmp_path, XHCI, "1-1", 2, interfaces={KEYBOARD: "usbhid"}, strings={"serial": "7"})
    add_usb(tmp_path, XHCI, "1-3", 4, "1d6b:0002", {("09", "00"): "hub"}, device_class="09")
    plain = add_usb(tmp_path, XHCI, "1-4", 5, interfaces={("03", "00"): "usbhid"})
    keys = plain / "1-4:1.0/0003:046D:C31C.0001/input/input5/capabilities/key"
    keys.parent.mkdir(parents=True)
    keys.write_text("fffffffffffffffe\n")
    add_adapter(tmp_path, "1-7", 6)
    connect(tmp_path / UHID)
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    there = UsbSource(Confined(str(tmp_path))).read()
    recorded = record(Confined(str(tmp_path)))
    assert UsbSource(MemoryTree(recorded.nodes, "capture")).read() == there
    told = UsbSource(MemoryTree(redacted(recorded, StandIns()).nodes, "capture")).read()
    assert [each.keyboard for each in told.devices] == [True, False, True, False]
    assert [each.text for each in told.devices[3].attached] == ["hci0 connects a keyboard"]
