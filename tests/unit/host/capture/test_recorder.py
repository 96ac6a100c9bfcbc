"""What recording does to a host: nothing that wakes, blocks or never ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts_layout import add_function, add_group
from tests.touched import Fifo
from tests.unit.captured import CARD, HOST_CARD, SOUND, domain, tower
from tui.host.capture import recorder as recorders
from tui.host.capture.archive import MEMBERS_LIMIT
from tui.host.capture.collect import record
from tui.host.capture.memory import Link, MemoryTree
from tui.host.capture.recorder import UNREADABLE, RecordingTree
from tui.host.captured import host_in
from tui.host.confined import Confined
from tui.host.libvirt.domain_files import StoredDomain
from tui.host.tree import FILE_LIMIT, NAMES_LIMIT, PlainTree

LOCKED = ("driver_override", "sriov_numvfs", "uevent")
LINKS = ("current_link_speed", "current_link_width", "max_link_speed", "max_link_width")


class Live(PlainTree):
    """A host as if it were this one: its files are not a copy. Notes what is read, and raises the
    errors in ``fails``."""

    def __init__(self, path: Path, fails: dict[str, OSError] | None = None) -> None:
        super().__init__(path)
        self.opened: list[str] = []
        self.fails = fails or {}

    def read(self, name: str, limit: int = FILE_LIMIT) -> bytes | None:
        self.opened.append(name)
        if name.rpartition("/")[2] in self.fails:
            raise self.fails[name.rpartition("/")[2]]
        return super().read(name, limit)

    def names(self, name: str = "", limit: int = NAMES_LIMIT) -> list[str]:
        if name.rpartition("/")[2] in self.fails:
            raise self.fails[name.rpartition("/")[2]]
        return super().names(name, limit)


def opened(live: Live) -> set[str]:
    return {name.rpartition("/")[2] for name in live.opened}


def read(root: Any) -> Any:
    return host_in(MemoryTree(record(root).nodes, "capture"), "capture")


def test_no_attribute_that_takes_the_lock_is_read(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", driver=None)
    card = root / "sys/bus/pci/devices" / CARD
    for name in LOCKED:
        (card / name).write_text("7\n")
    (card / "sriov_totalvfs").write_text("7\n")
    live = Live(root)
    host = read(live)
    assert opened(live) & {*LOCKED} == set()
    assert host.inspector.readiness([CARD]).with_vfs == ()
    assert host.inspector.readiness([CARD]).unreadable_vfs == ()


def test_virtual_functions_are_known_by_their_links(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    (root / "sys/bus/pci/devices" / CARD / "virtfn0").symlink_to("../0000:0a:10.0")
    live = Live(root)
    assert read(live).inspector.readiness([CARD]).with_vfs == (CARD,)
    assert opened(live) & {*LOCKED} == set()


@pytest.mark.parametrize(("status", "wakes"), [("active", True), ("suspended", False)])
def test_a_sleeping_card_sleeps_on(tmp_path: Path, status: str, wakes: bool) -> None:
    root = tower(tmp_path / "host")
    for address in (CARD, HOST_CARD):
        card = root / "sys/bus/pci/devices" / address
        (card / "power/runtime_status").write_text(f"{status}\n")
        for name in LINKS:
            (card / name).write_text("8\n")
    live = Live(root)
    record(live)
    assert bool(opened(live) & {*LINKS}) is wakes
    first = live.opened.index(f"sys/devices/pci0000:0a/{CARD}/power/runtime_status")
    reads = [n for n in live.opened if n.rpartition("/")[2] in LINKS and CARD in n]
    assert all(live.opened.index(name) > first for name in reads)


def test_what_cannot_be_read_is_unreadable_not_missing(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    refused = PermissionError(errno.EACCES, "Permission denied")
    live = Live(root, {"boot_vga": refused, "modeset": refused})
    found = record(live)
    assert found.nodes[f"sys/devices/pci0000:0a/{CARD}/boot_vga"] == UNREADABLE
    assert found.unread[f"sys/bus/pci/devices/{CARD}/boot_vga"] == "Permission denied"
    cards = host_in(MemoryTree(found.nodes, "capture"), "capture").pci.read().gpus
    assert [card.unreadable for card in cards] == [("boot_vga",), ("boot_vga",)]


def test_an_unreadable_command_line_is_unknown(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"proc/cmdline": "quiet\n"})
    live = Live(root, {"cmdline": PermissionError(errno.EACCES, "Permission denied")})
    assert read(live).inspector.readiness([CARD]).settings.running is None


def test_fifos_and_devices_are_skipped_and_told(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"etc/modprobe.d/a.conf": "blacklist nouveau\n"})
    Fifo(root / "etc/modprobe.d/b.conf")
    (root / "sys/bus/pci/devices" / CARD / "reset_method").symlink_to("/dev/zero")
    Fifo(root / "sys/bus/pci/devices" / SOUND / "numa_node")
    found = record(Confined(str(root)))
    assert found.unread["etc/modprobe.d/b.conf"] == "not a regular file"
    assert "etc/modprobe.d/b.conf" not in found.nodes
    assert f"sys/bus/pci/devices/{SOUND}/numa_node" in found.unread
    rules = host_in(MemoryTree(found.nodes, "c"), "c").inspector.readiness([]).settings.modules
    assert [rule.text for rule in rules] == ["blacklist nouveau"]


def test_a_link_stays_inside(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"usr/lib/os-release": "ID=arch\n"})
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/os-release").symlink_to("/usr/lib/os-release")
    (root / "lib").symlink_to("../../../usr/lib")
    found = record(Confined(str(root)))
    assert found.nodes["etc/os-release"] == Link("../usr/lib/os-release")
    assert found.nodes["lib"] == Link("usr/lib")
    assert found.nodes["usr/lib/os-release"] == b"ID=arch\n"


def test_time_that_is_over_ends_the_reading(tmp_path: Path) -> None:
    ticks: Iterator[float] = iter(range(10_000))
    recorder = RecordingTree(
        Confined(str(tower(tmp_path / "host"))), deadline=5, clock=lambda: next(ticks)
    )
    host = host_in(recorder, "capture")
    with pytest.raises(Exception, match="time ran out"):
        host.pci.read()
    assert set(recorder.unread.values()) == {"time ran out before it was read"}


def test_a_full_capture_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "ROOM", 16 << 10)
    found = record(Confined(str(tower(tmp_path / "host"))))
    assert 0 < len(found.nodes) < 40
    assert "the capture is full" in found.unread.values()


def test_a_reader_that_fails_does_not_prevent_a_capture(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    fault: Any = ZeroDivisionError()
    found = record(Live(root, {"cpuinfo": fault}))
    assert found.unread["readiness"] == "its reader failed: ZeroDivisionError"
    assert f"sys/devices/pci0000:0a/{CARD}/vendor" in found.nodes


# --- domains of a live host ---------------------------------------------------------


def test_the_domains_of_a_live_host_keep_their_states(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"domains/not-libvirts.xml": domain("stray")})
    stored = [
        StoredDomain("win11", "paused", domain("win11", None)),
        StoredDomain("../up", "running", domain("../up", None)),
        StoredDomain("off", "shut off", domain("off", None)),
        StoredDomain("odd", "unknown", domain("odd", None)),
    ]
    found = record(Live(root), stored)
    guests = host_in(MemoryTree(found.nodes, "capture"), "capture").guests.read()
    assert [(d.name, d.state) for d in guests.domains] == [
        ("../up", "running"), ("odd", "shut off"), ("off", "shut off"), ("win11", "paused"),
    ]  # fmt: skip
    assert "domains/domain 2.xml" in found.nodes


def test_without_libvirt_the_domains_are_unknown(tmp_path: Path) -> None:
    root = tower(tmp_path / "host", {"domains/not-libvirts.xml": domain("stray")})
    host = host_in(MemoryTree(record(Live(root)).nodes, "capture"), "capture")
    with pytest.raises(Exception, match="has no folder `domains`"):
        host.guests.read()


def test_no_domain_at_all_is_known(tmp_path: Path) -> None:
    found = record(Live(tower(tmp_path / "host")), [])
    assert host_in(MemoryTree(found.nodes, "c"), "c").guests.read().domains == ()


def test_a_large_host_fits(tmp_path: Path) -> None:
    root = tower(tmp_path / "host")
    for number in range(256):
        address = f"0000:{0x20 + number // 8:02x}:{number % 8:02x}.0"
        function = {"addr": address, "class": "0200", "vendor": "8086", "device": "1533",
                    "driver": "igb"}  # fmt: skip
        place = add_function(root / "sys", function)
        add_group(root / "sys", str(100 + number), place)
        (place / f"net/eth{number}/statistics").mkdir(parents=True)
    stored = [StoredDomain(f"guest{n}", "running", domain(f"guest{n}", None)) for n in range(100)]
    found = record(Live(root), stored)
    assert found.unread == {}
    assert len(found.nodes) < MEMBERS_LIMIT // 4
    host = host_in(MemoryTree(found.nodes, "c"), "c")
    assert len(host.pci.read().functions) == 259
    assert len(host.guests.read().domains) == 100
