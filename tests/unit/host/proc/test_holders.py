"""Who holds a card: real processes with real nodes, which a test sysfs says are the card's."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.hosts_layout import add_function, add_group, lay_out, link
from tui.host import HostError
from tui.host.proc import scanner
from tui.host.proc.device_nodes import Node, find_nodes, nodes
from tui.host.proc.heartbeat import Heartbeat
from tui.host.proc.holders import _unit, holders, holders_from_scan
from tui.host.proc.processes import scan
from tui.model import Holder, Holders, UninspectedProcess

CARD, SOUND = "0000:01:00.0", "0000:01:00.1"
GPU = {"addr": CARD, "class": "0300", "vendor": "10de", "device": "2684", "driver": "nvidia"}
AUDIO = {**GPU, "addr": SOUND, "class": "0403", "driver": "snd_hda_intel"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A card whose DRM node has the number of /dev/full, and whose sound device that of
    /dev/null."""
    lay_out({"groups": {"7": [GPU, AUDIO]}, "boot_vga": CARD}, tmp_path)
    made = tmp_path / "sys/bus/pci/devices"
    child(made / CARD / "drm/card1", "drm", Path("/dev/full").stat())
    child(made / SOUND / "sound/card0/controlC0", "sound", Path("/dev/null").stat())
    return tmp_path


def child(folder: Path, subsystem: str, node: os.stat_result | str) -> None:
    """Add a device beneath a function, as its driver does."""
    folder.mkdir(parents=True)
    number = node if isinstance(node, str) else f"{os.major(node.st_rdev)}:{os.minor(node.st_rdev)}"
    (folder / "dev").write_text(f"{number}\n")
    link(folder / "subsystem", folder.parents[-2] / "sys/class" / subsystem)


def with_real_processes(root: Path) -> Path:
    (root / "proc/sys/kernel/hostname").unlink()
    (root / "proc/sys/kernel/osrelease").unlink()
    for folder in ("proc/sys/kernel", "proc/sys", "proc"):
        (root / folder).rmdir()
    (root / "proc").symlink_to("/proc")
    return root


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that has /dev/full open."""
    with open("/dev/full", "rb") as full:  # noqa: PTH123
        process = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[full.fileno()], text=True,
        )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield process
    process.communicate("\n")


# --- nodes ----------------------------------------------------------------------


def test_the_nodes_that_drivers_made(root: Path) -> None:
    assert [(node.name, node.address) for node in nodes(root, [CARD, SOUND])] == [
        ("/dev/dri/card1", CARD), ("/dev/snd/controlC0", SOUND),
    ]  # fmt: skip


def test_a_disk_behind_five_hubs(root: Path) -> None:
    hubs = "/".join(f"1-1{'.1' * n}" for n in range(6))
    disk = f"usb1/{hubs}/1-1.1.1.1.1.1:1.0/host0/target0:0:0/0:0:0:0/block/sda/sda1"
    child(root / "sys/bus/pci/devices" / SOUND / disk, "block", "8:1")
    assert Node(("b", 8, 1), "/dev/sda1", SOUND) in nodes(root, [SOUND])


def test_the_node_of_a_usb_device_is_named_by_its_bus_and_number(root: Path) -> None:
    child(root / "sys/bus/pci/devices" / SOUND / "usb3/3-1", "usb", f"189:{2 * 128 + 6}")
    assert Node(("c", 189, 262), "/dev/bus/usb/003/007", SOUND) in nodes(root, [SOUND])


def test_what_lies_too_deep_is_not_taken_for_nothing(root: Path) -> None:
    assert find_nodes(root, [SOUND]).unknown is None
    child(root / "sys/bus/pci/devices" / SOUND / ("x/" * 30), "block", "8:1")
    assert "not all devices" in (find_nodes(root, [SOUND]).unknown or "")


def test_the_nodes_of_nvidia(root: Path) -> None:
    (root / "proc/devices").write_text(
        "Character devices:\n  1 mem\n195 nvidia\n511 nvidia-uvm\n\nBlock devices:\n  8 sd\n"
    )
    entry = root / "proc/driver/nvidia/gpus" / CARD
    entry.mkdir(parents=True)
    (entry / "information").write_text("Model: \t\t X\nDevice Minor: \t 3\nGPU Excluded:\t No\n")
    (root / "proc/driver/nvidia/gpus/0000:02:00.0").mkdir()
    own = Node(("c", 195, 3), "/dev/nvidia3", CARD)
    found = nodes(root, [CARD])
    assert own in found
    assert {node.name: node.number for node in found if node.shared} == {
        "/dev/nvidiactl": ("c", 195, 255), "/dev/nvidia-modeset": ("c", 195, 254),
        "/dev/nvidia-uvm": ("c", 511, 0),
    }  # fmt: skip
    (root / "proc/driver/nvidia/gpus/0000:02:00.0").rmdir()
    assert not any(node.shared for node in nodes(root, [CARD]))  # there is only one card


def test_the_nodes_of_vfio(root: Path) -> None:
    group = root / "sys/class/vfio/7"
    group.mkdir(parents=True)
    (group / "dev").write_text("244:0\n")
    child(root / "sys/bus/pci/devices" / CARD / "vfio-dev/vfio0", "vfio-dev", "511:0")
    found = nodes(root, [CARD])
    assert Node(("c", 244, 0), "/dev/vfio/7", CARD) in found
    assert Node(("c", 511, 0), "/dev/vfio/devices/vfio0", CARD) in found


MDEV = "c2177883-f1bb-47f0-914d-32a22e3a8804"


def test_the_node_of_an_mdev_is_one_of_its_card(root: Path) -> None:
    """Older kernels have only the node of its group, newer ones its own too."""
    group = root / "sys/class/vfio/9"
    group.mkdir(parents=True)
    (group / "dev").write_text("244:1\n")
    share = root / "sys/bus/pci/devices" / CARD / MDEV
    child(share / "vfio-dev/vfio3", "vfio-dev", "511:3")
    add_group(root / "sys", "9", share.resolve())
    found = nodes(root, [CARD])
    assert Node(("c", 244, 1), "/dev/vfio/9", CARD) in found
    assert Node(("c", 511, 3), "/dev/vfio/devices/vfio3", CARD) in found
    assert not any(node.name.startswith("/dev/vfio") for node in nodes(root, [SOUND]))


def test_a_node_of_vfio_that_is_hidden(root: Path) -> None:
    """As in a sandbox that shows only part of /sys: then nobody can tell who has it."""
    driver = root / "sys/bus/pci/devices" / CARD / "driver"
    driver.unlink()
    link(driver, root / "sys/bus/pci/drivers/vfio-pci")
    assert "does not show which VFIO node leads to" in (find_nodes(root, [CARD]).unknown or "")
    group = root / "sys/class/vfio/7"
    group.mkdir(parents=True)
    (group / "dev").write_text("244:0\n")
    assert find_nodes(root, [CARD]).unknown is None


@pytest.mark.parametrize("text", ["", "226", "226:-1", "a:b", "1:2:3", "1" * 5000])
def test_a_number_that_is_none_is_no_node(root: Path, text: str) -> None:
    (root / "sys/bus/pci/devices" / SOUND / "sound/card0/controlC0/dev").write_text(text)
    assert nodes(root, [SOUND]) == ()
    assert "not all devices" in (find_nodes(root, [SOUND]).unknown or "")


# --- processes ------------------------------------------------------------------


def test_a_process_that_has_the_node_open(root: Path, holder: subprocess.Popen[str]) -> None:
    found = holders([CARD], with_real_processes(root))
    (seen,) = [each for each in found.holders if each.pid == holder.pid]
    assert seen == Holder(
        CARD, holder.pid, seen.name, "/dev/dri/card1", seen.user, seen.command, seen.unit,
        seen.of_user,
    )  # fmt: skip
    assert seen.name.startswith("python")
    assert seen.command is not None
    assert "print('up'" in seen.command
    assert seen.user is not None


@pytest.mark.parametrize(
    ("words", "name"),
    [(["-name", "guest=a,,b,debug-threads=on"], "a,b"), (["-name", "plain"], "plain"), ([], None)],
)
def test_a_process_that_has_a_card_in_a_guest(
    root: Path, words: list[str], name: str | None
) -> None:
    """Found by the group's node, which has the number of /dev/full here."""
    group = root / "sys/class/vfio/7"
    group.mkdir(parents=True)
    full = Path("/dev/full").stat().st_rdev
    (group / "dev").write_text(f"{os.major(full)}:{os.minor(full)}\n")
    program = "f = open('/dev/full', 'rb'); print('up', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        found = holders([CARD], with_real_processes(root)).holders
        seen = {each.what: each.guest for each in found if each.pid == process.pid}
        assert seen == {"/dev/vfio/7": name, "/dev/dri/card1": None}
    finally:
        process.communicate("\n")


def test_only_what_was_asked_about(root: Path, holder: subprocess.Popen[str]) -> None:
    real = with_real_processes(root)
    assert holder.pid not in {each.pid for each in holders([SOUND], real).holders}
    both = holders([CARD, SOUND], real)
    assert {each.address for each in both.holders} == {CARD, SOUND}
    assert holders([], real).holders == ()
    assert [each.address for each in both.holders if each.pid == holder.pid] == [CARD]


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_processes_of_others_are_counted(open_root: Path) -> None:
    root = open_root
    process = root / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "stat").write_text("4711 (X Y) S 1 1 1 0 -1 4194560 0 0\n")
    kernels = root / "proc/12"
    (kernels / "fd").mkdir(parents=True)
    (kernels / "stat").write_text("12 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0\n")
    for each in (process, kernels):
        (each / "fd").chmod(0)
    with ThreadPoolExecutor(1) as ordinary:
        found = ordinary.submit(as_nobody, root).result()
    assert (found.uninspected, found.examples) == (1, (UninspectedProcess(4711, "X Y"),))
    assert (found.fix == "run this as root") is (os.geteuid() != 0)


def as_nobody(root: Path) -> Holders:
    """root may access everything, so the file system sees another user.

    This holds for one thread, which ends afterwards.
    """
    if os.geteuid() == 0:
        ctypes.CDLL(None).setfsuid(54321)
    beat = os.memfd_create("beat")
    try:
        return holders_from_scan(scan(f"{root}/proc", "/dev", {}, Heartbeat(beat, 60), {}), {})
    finally:
        os.close(beat)


def test_a_process_that_ends_meanwhile_is_nobody(root: Path) -> None:
    (root / "proc/4711").mkdir()
    assert holders([CARD], root).holders == ()
    assert holders([CARD], root).uninspected == 0


def test_a_driver_that_does_not_tell_its_node(root: Path) -> None:
    """No node of nvidia's is known, so finding no holder proves nothing."""
    assert find_nodes(root, [SOUND]).unknown is None
    assert "does not report which node" in (find_nodes(root, [CARD]).unknown or "")
    assert "does not report which node" in (holders([CARD], root).unlisted_reason or "")
    entry = root / "proc/driver/nvidia/gpus" / CARD
    entry.mkdir(parents=True)
    (entry / "information").write_text("Device Minor: \t 3\n")
    assert find_nodes(root, [CARD]).unknown is None


def test_without_proc(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="no process can be seen"):
        holders([CARD], tmp_path)


@pytest.mark.parametrize(
    ("cgroup", "expected"),
    [
        ("0::/system.slice/nvidia-persistenced.service", ("nvidia-persistenced.service", False)),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/pipewire.service",
         ("pipewire.service", True)),
        ("0::/user.slice/user-1000.slice/session-2.scope", ("session-2.scope", False)),
        ("0::/machine.slice/machine-qemu\\x2d1\\x2dwin11.scope/libvirt/emulator",
         ("machine-qemu\\x2d1\\x2dwin11.scope", False)),
        ("0::/init.scope", ("init.scope", False)),
        ("0::/", (None, False)),
        ("0::/system.slice/\x1b[2J.service", (None, False)),
        ("", (None, False)),
    ],
)  # fmt: skip
def test_the_unit_of_a_process(cgroup: str, expected: tuple[str | None, bool]) -> None:
    assert _unit(cgroup) == expected


def test_names_are_made_safe(root: Path) -> None:
    process = root / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "fd/3").symlink_to("/dev/full")
    (process / "maps").write_text("")
    (process / "comm").write_text("evil\x1b[31m\n")
    (process / "cmdline").write_bytes(b"a\0\x1b]0;x\x07\0" + b"y" * 9999)
    (seen,) = holders([CARD], root).holders
    assert seen.name == "evil[31m"
    assert seen.command is not None
    assert seen.command.isprintable()
    assert len(seen.command) <= 200


def test_functions_that_are_gone_have_no_nodes(root: Path) -> None:
    assert nodes(root, ["0000:09:00.0"]) == ()


def test_a_function_without_children(root: Path) -> None:
    function = {**AUDIO, "addr": "0000:03:00.0"}
    add_group(root / "sys", "9", add_function(root / "sys", function))
    assert nodes(root, ["0000:03:00.0"]) == ()


def test_the_scan_loads_little() -> None:
    """It is started several times in a swap."""
    program = Path(scanner.__file__).with_name("scan.py")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-I", "-S", program, "/none", "/none", "1", "60"],
        input="", capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tui.host.proc.processes" in loaded
    heavy = {"tui.model", "json", "re", "typing", "pathlib", "dataclasses", "ctypes", "subprocess"}
    assert loaded & heavy == set()
    assert done.stdout.startswith("{'error': ")
