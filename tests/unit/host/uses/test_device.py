"""What is attached to a PCI function, read from trees as the kernel lays them out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.touched import Fifo, Terminal, Trap
from tui.host.confined import Confined
from tui.host.proc.mounts import unescaped
from tui.host.tree import PlainTree, Tree
from tui.host.uses.attached import FOLDERS_LIMIT
from tui.host.uses.device import NOT_CAPTURED, device_uses
from tui.host.uses.disks import from_mountinfo, from_mounts, swap_devices
from tui.host.uses.network import ipv6, own_addresses, routes
from tui.model import DeviceUse, DeviceUses

AT = "0000:03:00.0"
NVME, SATA, NIC, USB, SERIAL = "010802", "010601", "020000", "0c0330", "070002"
MOUNT = "36 1 {number} / {point} rw,relatime shared:1 - {kind} {source} rw\n"


class Machine(PlainTree):
    """A tree that stands in for the machine itself: what is not in it does not exist."""

    @property
    def is_machine(self) -> bool:
        return True


class Host:
    """The files of a host with one function."""

    def __init__(self, root: Path, code: str) -> None:
        self.root = root
        self.device = root / "sys/devices/pci0000:00" / AT
        self.device.mkdir(parents=True)
        (root / "sys/bus/pci/devices").mkdir(parents=True)
        (root / "sys/class/block").mkdir(parents=True)
        (root / "sys/bus/pci/devices" / AT).symlink_to(f"../../../devices/pci0000:00/{AT}")
        self.write(self.device / "class", f"0x{code}")
        (self.device / "power").mkdir()
        self.mounts = ""
        self.proc("swaps", "Filename Type Size Used Priority\n")
        self.proc("net/route", "Iface\tDestination\n")
        self.proc("net/fib_trie", "Main:\n")
        self.proc(
            "self/mountinfo", MOUNT.format(number="0:21", point="/proc", kind="proc", source="proc")
        )

    @staticmethod
    def write(file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    @staticmethod
    def link(place: Path, target: Path) -> None:
        """Add a link as the kernel makes it, which a copy of the tree keeps."""
        place.symlink_to(os.path.relpath(target, place.parent))

    def proc(self, name: str, text: str) -> None:
        file = self.root / "proc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def block(self, path: str, number: str) -> Path:
        """Add a disk or a partition beneath the function."""
        folder = self.device / path
        self.write(folder / "dev", number)
        (folder / "holders").mkdir()
        self.link(self.root / "sys/class/block" / folder.name, folder)
        return folder

    def built(self, name: str, number: str, on: Path, mapped: str | None = None) -> Path:
        """Add a device that is built on another."""
        folder = self.root / "sys/devices/virtual/block" / name
        self.write(folder / "dev", number)
        (folder / "holders").mkdir()
        if mapped is not None:
            self.write(folder / "dm/name", mapped)
        self.link(self.root / "sys/class/block" / name, folder)
        self.link(on / "holders" / name, folder)
        return folder

    def mount(self, number: str, point: str, source: str, kind: str = "ext4") -> None:
        self.mounts += MOUNT.format(number=number, point=point, source=source, kind=kind)
        self.proc("self/mountinfo", self.mounts)

    def use(self, tree: Callable[[str], Tree] = Machine) -> DeviceUse:
        (found,) = device_uses([AT], tree(str(self.root))).uses
        return found


@pytest.fixture
def host(tmp_path: Path) -> Callable[[str], Host]:
    return lambda code: Host(tmp_path / "host", code)


def texts(use: DeviceUse) -> list[str]:
    assert use.unreadable == ()
    return [f"{'used: ' if each.in_use else ''}{each.text}" for each in use.attached]


# --- disks ----------------------------------------------------------------------------


def nvme(host: Host) -> tuple[Path, Path]:
    host.block("nvme/nvme0/nvme0n1", "259:0")
    first = host.block("nvme/nvme0/nvme0n1/nvme0n1p1", "259:1")
    return first, host.block("nvme/nvme0/nvme0n1/nvme0n1p2", "259:2")


@pytest.mark.parametrize("tree", [Machine, Confined])
def test_a_disk_that_is_mounted(host: Callable[[str], Host], tree: Callable[[str], Tree]) -> None:
    there = host(NVME)
    nvme(there)
    assert texts(there.use(tree)) == ["nvme0n1 is not in use"]
    there.mount("259:2", "/", "/dev/root")
    there.mount("259:1", "/boot/efi", "/dev/nvme0n1p1", "vfat")
    assert texts(there.use(tree)) == [
        "used: nvme0n1p1 is mounted at /boot/efi", "used: nvme0n1p2 is mounted at /",
    ]  # fmt: skip


def test_a_whole_disk_and_many_mounts_of_it(host: Callable[[str], Host]) -> None:
    there = host(SATA)
    there.block("ata1/host0/target0:0:0/0:0:0:0/block/sda", "8:0")
    for number in range(5):
        there.mount("8:0", f"/srv/{number}", "/dev/sda")
    assert texts(there.use()) == ["used: sda is mounted at /srv/0, /srv/1, /srv/2 and 2 more"]


def test_other_disks_are_not_its_own(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    there.mount("259:20", "/", "/dev/nvme0n10p2")
    there.mount("8:1", "/home", "/dev/sda1")
    assert texts(there.use()) == ["nvme0n1 is not in use"]


def test_swap_on_a_partition(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    there.proc("swaps", "Filename Type Size Used Priority\n/dev/nvme0n1p2 partition 1 0 -2\n"
                        "/dev/nvme0n1p1 file 1 0 -2\n")  # fmt: skip
    assert texts(there.use()) == ["used: nvme0n1p2 is swap"]


def test_lvm_on_luks(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    _, second = nvme(there)
    crypt = there.built("dm-0", "253:0", second, "luks-1")
    assert texts(there.use()) == ["used: nvme0n1p2 is part of dm-0"]
    there.built("dm-1", "253:1", crypt, "vg-root")
    there.built("dm-2", "253:2", crypt, "vg-swap")
    there.proc("swaps", "Filename Type Size Used Priority\n/dev/dm-2 partition 1 0 -2\n")
    assert texts(there.use()) == ["used: nvme0n1p2 is part of vg-swap, which is swap"]
    there.mount("253:1", "/", "/dev/mapper/vg-root")
    assert texts(there.use()) == ["used: nvme0n1p2 is part of vg-root, mounted at /"]


@pytest.mark.parametrize("name", ["md0", "bcache0"])
def test_arrays(host: Callable[[str], Host], name: str) -> None:
    there = host(SATA)
    there.built(name, "9:0", there.block("ata1/host0/block/sda", "8:0"))
    there.mount("9:0", "/srv", f"/dev/{name}")
    assert texts(there.use()) == [f"used: sda is part of {name}, mounted at /srv"]


def test_file_systems_of_several_disks(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    devices = there.root / "sys/fs/btrfs/0000-1/devices"
    for name in ("sdb1", "nvme0n1p1"):
        (devices / name).mkdir(parents=True)
    there.mount("0:40", "/home", "/dev/sdb1", "btrfs")
    there.mount("0:41", "/srv", "/dev/sdc1:/dev/nvme0n1p2", "bcachefs")
    assert texts(there.use()) == [
        "used: nvme0n1p1 is mounted at /home", "used: nvme0n1p2 is mounted at /srv",
    ]  # fmt: skip


def test_a_zfs_pool_is_known_to_udev_alone(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    there.mount("0:50", "/tank", "tank", "zfs")
    assert there.use().unreadable == ("whether it is part of a ZFS pool",)
    there.write(there.root / "run/udev/data/b259:2", "S:disk/by-id/x\nE:ID_FS_TYPE=zfs_member")
    assert texts(there.use()) == ["used: nvme0n1p2 is part of a ZFS pool"]
    there.write(there.root / "run/udev/data/b259:2", "S:disk/by-id/x\nE:ID_FS_TYPE=ext4")
    assert texts(there.use()) == ["nvme0n1 is not in use"]


def test_a_path_of_several_to_a_disk(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    there.write(there.device / "nvme/nvme3/nvme0c3n1/size", "1")
    head = there.root / "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1"
    there.write(head / "dev", "259:0")
    there.write(head / "nvme0n1p1/dev", "259:1")
    (there.root / "sys/class/block/nvme0n1").symlink_to(head)
    there.mount("259:1", "/", "/dev/nvme0n1p1")
    assert texts(there.use()) == ["used: nvme0n1p1 is mounted at /"]


def test_where_nothing_tells_of_mounts(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    (there.root / "proc/self/mountinfo").unlink()
    (there.root / "proc/swaps").unlink()
    assert there.use().unreadable == ("what is mounted", "what is swapped to")
    there.proc("mounts", "/dev/nvme0n1p2 / ext4 rw 0 0\n")
    assert texts(there.use()) == ["used: nvme0n1p2 is mounted at /"]


def test_a_usb_disk_hangs_on_its_controller(host: Callable[[str], Host]) -> None:
    there = host(USB)
    there.block("usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb", "8:16")
    there.block("usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1", "8:17")
    there.mount("8:17", r"/media/My\040Disk", "/dev/sdb1", "vfat")
    assert texts(there.use()) == ["used: sdb1 is mounted at /media/My Disk"]


# --- network interfaces -----------------------------------------------------------------

TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 192.168.7.0/24 2 0 2
        |-- 192.168.7.0
           /24 link UNICAST
        |-- 192.168.7.20
           /32 host LOCAL
        |-- 192.168.7.255
           /32 link BROADCAST
"""
ROUTE = (
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "enp3s0\t00000000\t0107A8C0\t0003\t0\t0\t0\t00000000\n"
    "enp3s0\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
)


def interface(host: Host, flags: str = "0x1003", state: str = "up") -> Path:
    folder = host.device / "net/enp3s0"
    host.write(folder / "flags", flags)
    host.write(folder / "operstate", state)
    return folder


@pytest.mark.parametrize(
    ("flags", "state", "words"),
    [
        ("0x1003", "up", "is up, without an address"), ("0x1003", "down", "has no link"),
        ("0x1002", "down", "is down"), ("0x1003", "unknown", "is up, without an address"),
    ],
)  # fmt: skip
def test_an_interface_without_an_address(
    host: Callable[[str], Host], flags: str, state: str, words: str
) -> None:
    there = host(NIC)
    interface(there, flags, state)
    link_local = "fe8000000000000000fc00fffe000001 04 40 20 80   enp3s0\n"
    there.proc("net/if_inet6", link_local)
    assert texts(there.use()) == [f"enp3s0 {words}"]


def test_an_interface_with_an_address(host: Callable[[str], Host]) -> None:
    there = host(NIC)
    interface(there)
    there.proc("net/route", ROUTE)
    there.proc("net/fib_trie", TRIE)
    assert texts(there.use()) == ["used: enp3s0 has 192.168.7.20"]
    there.proc("net/route", ROUTE.replace("enp3s0", "enp4s0"))
    assert texts(there.use()) == ["enp3s0 is up, without an address"]
    there.proc("net/if_inet6", "fd000000000000000000000000000002 04 40 00 82   enp3s0\n")
    assert texts(there.use()) == ["used: enp3s0 has fd00::2"]


@pytest.mark.parametrize("link", ["master", "upper_br0"])
def test_an_interface_that_is_part_of_another(host: Callable[[str], Host], link: str) -> None:
    there = host(NIC)
    (interface(there) / link).symlink_to("../../../../virtual/net/br0")
    assert texts(there.use()) == ["used: enp3s0 is part of br0"]


def test_where_nothing_tells_of_addresses(host: Callable[[str], Host]) -> None:
    there = host(NIC)
    interface(there)
    (there.root / "proc/net/route").unlink()
    assert there.use().unreadable == ("the addresses of enp3s0",)


# --- USB ------------------------------------------------------------------------------------


def test_keyboards_and_other_input(host: Callable[[str], Host]) -> None:
    there = host(USB)
    for path, kind, protocol in (
        ("usb1/1-0:1.0", "09", "00"), ("usb1/1-3/1-3:1.0", "03", "01"),
        ("usb1/1-4/1-4.2/1-4.2:1.1", "03", "02"), ("usb1/1-5/1-5:1.0", "03", "00"),
        ("usb1/1-6/1-6:1.0", "08", "50"),
    ):  # fmt: skip
        there.write(there.device / path / "bInterfaceClass", kind)
        there.write(there.device / path / "bInterfaceProtocol", protocol)
    use = there.use()
    assert sorted((each.kind, each.text) for each in use.attached) == [
        ("input", "1-4.2 is a mouse"), ("input", "1-5 is an input device"),
        ("keyboard", "1-3 is a keyboard"),
    ]  # fmt: skip


def test_a_keyboard_of_the_host_besides_usb(host: Callable[[str], Host]) -> None:
    there = host(USB)
    block = 'N: Name="{}"\nP: Phys={}/input0\nH: Handlers=sysrq {}event2 leds\n\n'

    def found(*blocks: str) -> bool:
        there.proc("bus/input/devices", "".join(blocks))
        return device_uses([], Machine(str(there.root))).builtin_keyboard

    assert not found()
    assert not found(block.format("USB Keyboard", "usb-0000:03:00.0-3", "kbd "))
    assert not found(block.format("PS/2 Mouse", "isa0060/serio1", "mouse0 "))
    assert found(block.format("AT Keyboard", "isa0060/serio0", "kbd "))


# --- captures and whatever else may be there ----------------------------------------------------


def test_what_a_capture_has_not_is_not_known(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    assert there.use(Confined).unreadable == (NOT_CAPTURED,)
    assert there.use(Machine) == DeviceUse(AT)
    there.write(there.device / "class", f"0x{SERIAL}")
    assert there.use(Confined) == DeviceUse(AT)


@pytest.mark.parametrize(
    ("code", "parent", "child"),
    [
        (NVME, "nvme/nvme0", "nvme0n1"), (SATA, "ata1/host0/target0:0:0/0:0:0:0/block", "sda"),
        (NIC, "net", "enp3s0"), (USB, "", "usb1"),
    ],
)  # fmt: skip
def test_a_capture_that_ends_at_the_controller(
    host: Callable[[str], Host], code: str, parent: str, child: str
) -> None:
    there = host(code)
    (there.device / "ptp_clock").mkdir()
    (there.device / parent).mkdir(parents=True, exist_ok=True)
    assert there.use(Confined).unreadable == (NOT_CAPTURED,)
    assert there.use(Machine) == DeviceUse(AT)
    (there.device / parent / child / "holders").mkdir(parents=True)
    assert NOT_CAPTURED not in there.use(Confined).unreadable


def test_a_capture_without_what_is_built_on_a_disk(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    _, second = nvme(there)
    (second / "holders").rmdir()
    assert there.use(Confined).unreadable == ("what is built on it",)
    assert texts(there.use(Machine)) == ["nvme0n1 is not in use"]
    there.mount("259:2", "/", "/dev/nvme0n1p2")
    assert texts(there.use(Confined)) == ["used: nvme0n1p2 is mounted at /"]


@pytest.mark.parametrize("source", ["/dev/mapper/vg-root", "/dev/md0", "/dev/bcache0", "/dev/dm-0"])
def test_what_is_mounted_and_on_no_disk_of_the_capture(
    host: Callable[[str], Host], source: str
) -> None:
    there = host(NVME)
    nvme(there)
    there.mount("253:0", "/", source)
    assert there.use(Confined).unreadable == (f"what {source} is built on",)
    assert texts(there.use(Machine)) == ["nvme0n1 is not in use"]
    other = there.root / "sys/devices/pci0000:00/0000:05:00.0/ata1/block/sda"
    there.write(other / "dev", "8:0")
    (other / "holders").mkdir()
    there.link(there.root / "sys/class/block/sda", other)
    known = {"/dev/mapper/vg-root": "dm-0"}.get(source, source.removeprefix("/dev/"))
    there.built(known, "253:0", other, "vg-root" if known == "dm-0" else None)
    assert texts(there.use(Confined)) == ["nvme0n1 is not in use"]


def test_swap_on_what_is_on_no_disk_of_the_capture(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    nvme(there)
    there.proc("swaps", "Filename Type Size Used Priority\n/dev/dm-1 partition 1 0 -2\n")
    assert there.use(Confined).unreadable == ("what /dev/dm-1 is built on",)


def test_a_capture_that_has_the_links_of_a_class_alone(host: Callable[[str], Host]) -> None:
    there = host(NVME)
    for name, below in (("nvme0n1", "nvme0n1"), ("nvme0n1p2", "nvme0n1/nvme0n1p2")):
        (there.root / "sys/class/block" / name).symlink_to(
            f"../../devices/pci0000:00/{AT}/nvme/nvme0/{below}"
        )
    there.mount("259:2", "/", "/dev/nvme0n1p2")
    assert texts(there.use(Confined)) == ["used: nvme0n1p2 is mounted at /"]


def test_links_are_not_followed_and_nothing_but_files_is_opened(
    host: Callable[[str], Host], tmp_path: Path
) -> None:
    there = host(NVME)
    folder = there.block("nvme/nvme0/nvme0n1", "259:0")
    (folder / "loop").symlink_to("..")
    traps: list[Trap] = [Fifo(folder / "fifo"), Terminal()]
    (folder / "terminal").symlink_to(traps[1].place)
    (folder / "dev").unlink()
    (folder / "dev").symlink_to(traps[1].place)
    assert texts(there.use(Confined)) == ["nvme0n1 is not in use"]
    for trap in traps:
        assert not trap.touched()
        trap.close()


def test_a_tree_without_an_end(host: Callable[[str], Host]) -> None:
    there = host(USB)
    for first in range(70):
        for second in range(70):
            (there.device / f"{first}/{second}").mkdir(parents=True)
    assert there.use().unreadable == ("everything attached to it",)
    assert FOLDERS_LIMIT < 70 * 70


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    assert device_uses([AT], Machine(str(tmp_path))) == DeviceUses((DeviceUse(AT),))


def test_names_are_made_safe_to_draw(host: Callable[[str], Host]) -> None:
    there = host(NIC)
    there.write(there.device / "net/e\x1b[31m/flags", "0x1002")
    (each,) = there.use().attached
    assert each.text.isprintable()


# --- parsers --------------------------------------------------------------------------------------

PATHS = st.binary(min_size=1, max_size=30).filter(lambda path: b"\0" not in path)


def mangled(path: bytes) -> bytes:
    """Escape a path as mangle_path of the kernel does.

    Source: fs/proc_namespace.c; space, tab, newline, backslash and hash.
    """
    return b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in path)


@given(PATHS)
def test_every_path_is_read_as_it_was(path: bytes) -> None:
    assert unescaped(mangled(path)) == path


@given(st.binary())
def test_any_bytes_are_some_path(field: bytes) -> None:
    assert len(unescaped(field)) <= len(field)


@given(PATHS, PATHS, st.integers(0, 4095), st.integers(0, 1 << 20))
def test_a_line_of_mountinfo(source: bytes, point: bytes, major: int, minor: int) -> None:
    number = b"%d:%d" % (major, minor)
    optional = b"shared:1 master:2"
    line = b" ".join((b"36", b"1", number, b"/", mangled(point), b"rw", optional, b"-", b"ext4",
                      mangled(source), b"rw"))  # fmt: skip
    found = from_mountinfo(b"junk\n" + line + b"\n")
    assert list(found.by_number) == [number]
    text = source.decode("utf-8", "surrogateescape")
    assert list(found.by_source) == list(dict.fromkeys(text.split(":")))
    mounts = from_mounts(b" ".join((mangled(source), mangled(point), b"ext4", b"rw", b"0", b"0")))
    assert mounts.by_source == found.by_source
    assert mounts.by_number == {}


@given(st.lists(PATHS, max_size=4))
def test_the_lines_of_swaps(paths: list[bytes]) -> None:
    rows = [mangled(path) + b"\tpartition\t8388604\t0\t-2" for path in paths]
    text = b"\n".join((b"Filename Type Size Used Priority", *rows, b"/file file 1 0 -3", b""))
    assert {os.fsencode(path) for path in swap_devices(text)} == set(paths)


@given(st.binary(max_size=400))
def test_any_bytes_are_tables_or_nothing(data: bytes) -> None:
    from_mountinfo(data)
    from_mounts(data)
    swap_devices(data)
    text = data.decode("ascii", "replace")
    assert all(0 <= route.network < 1 << 32 for route in routes(text))
    assert all(0 <= address < 1 << 32 for address in own_addresses(text))
    ipv6(text)


@given(st.integers(0, (1 << 32) - 1), st.integers(1, 32))
def test_a_line_of_routes(address: int, prefix: int) -> None:
    mask = (1 << 32) - (1 << (32 - prefix))
    words = [int.to_bytes(n, 4, "little").hex().upper() for n in (address & mask, 0, mask)]
    text = f"Iface\nlan0\t{words[0]}\t{words[1]}\t0001\t0\t0\t0\t{words[2]}\t0\t0\t0\n"
    (route,) = routes(text)
    assert (route.interface, route.network, route.mask) == ("lan0", address & mask, mask)
    assert route.direct
