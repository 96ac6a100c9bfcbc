"""Malicious captured hosts, shown by the real program.

What is outside of one, a file or a device, is neither opened nor shown. Traps (``tests.touched``)
and, where there is strace, all system calls show what was opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts_layout import lay_out
from tests.thorough import thorough
from tests.touched import Fifo, Terminal, Trap, spring

CARD, OTHER = "0000:01:00.0", "0000:02:00.0"
HOST = {
    "groups": {
        "7": [{"addr": CARD, "class": "0300", "vendor": "10de", "device": "2684",
               "driver": "nvidia", "subsystem": "1043:88e2"}],
        "8": [{"addr": OTHER, "class": "0300", "vendor": "1002", "device": "744c",
               "driver": "amdgpu", "subsystem": "1043:88e2"}],
    },
    "boot_vga": OTHER,
}  # fmt: skip

ATTRIBUTES = (
    "vendor", "device", "class", "subsystem_vendor", "subsystem_device", "boot_vga",
    "reset_method", "resource", "sriov_totalvfs", "numa_node", "power/runtime_status",
    "power_state", "current_link_speed", "current_link_width", "max_link_speed",
    "max_link_width", "driver", "iommu_group", "uevent",
)  # fmt: skip
"""All that is read of a card."""

FILES = (
    "proc/sys/kernel/hostname", "proc/sys/kernel/osrelease", "etc/hostname",
    "sys/kernel/iommu_groups/7/name", "usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids",
    "usr/share/hwdata/pci.ids.gz", "usr/share/misc/pci.ids.gz", "domains/win.xml",
    "proc/cmdline", "proc/cpuinfo", "proc/modules", "proc/driver/nvidia/version",
    "proc/sys/kernel/modules_disabled", "sys/module/nvidia/version",
    "sys/module/nvidia_drm/parameters/modeset", "etc/os-release", "etc/default/grub",
    "etc/mkinitcpio.conf", "etc/mkinitcpio.conf.d/a.conf",
    "etc/default/grub.d/a.cfg", "etc/modprobe.d/a.conf", "usr/lib/modprobe.d/b.conf",
    "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
    "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
)  # fmt: skip
"""All else that is read."""

MAKER = "usr/bin/mkinitcpio"
"""A program that only has to be there for its configuration to be read."""

FOLDERS = (
    "sys/kernel/iommu_groups/7/devices", "sys/kernel/iommu_groups", "sys/class/iommu", "domains",
    "proc/driver/nvidia/gpus", "etc/modprobe.d", "etc/default/grub.d", "lib/modules/6.12.0",
    "boot/loader/entries",
)  # fmt: skip

SECRET = "d0d0"
DOMAIN = f"""<domain type='kvm'><name>secret-{SECRET}</name>
<uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></domain>"""

COMMANDS = [
    ("status", "--json"), ("plan", "bind", CARD, "--json"),
    *thorough((("status",),), (("doctor", "--json"),)),
]  # fmt: skip


HANGS = 120.0
"""Seconds after which a program that should have ended is taken to hang."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = lay_out(HOST, tmp_path / "captured")
    for attribute in ATTRIBUTES:
        if attribute not in ("driver", "iommu_group"):
            place = card(found) / attribute
            if not place.exists():
                place.write_text("0\n")
    for folder in FOLDERS:
        (found / folder).mkdir(parents=True, exist_ok=True)
    for file in (*FILES, MAKER):
        (found / file).parent.mkdir(parents=True, exist_ok=True)
    (found / MAKER).touch()
    return found


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    trap = Terminal()
    yield trap
    trap.close()


def card(root: Path) -> Path:
    return root / f"sys/devices/pci{CARD[:7]}" / CARD


def put(place: Path, target: Path | str) -> None:
    """Make ``place`` a link, whatever it was."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
    place.symlink_to(target)


def started(
    *arguments: str | Path, home: Path, before: tuple[str, ...] = ()
) -> subprocess.Popen[str]:
    """The program without the user's configuration; ``before`` is what starts it."""
    return subprocess.Popen(
        [*before, sys.executable, "-m", "tui", *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)},
    )  # fmt: skip


def vfiotop(
    *arguments: str | Path, home: Path, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return ended(started(*arguments, home=home, before=before))


def ended(running: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    try:
        out, errors = running.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return subprocess.CompletedProcess(running.args, running.returncode, out, errors)


def shown(root: Path, command: tuple[str, ...], before: tuple[str, ...] = ()) -> str:
    """What the program shows of a captured host. It exits normally, whatever the host is."""
    result = vfiotop("--root", root, *command, home=root.parent, before=before)
    assert result.returncode in (0, 1), result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") <= 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", result.stdout + result.stderr)
    return result.stdout + result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("absolute", [False, *thorough(True)])
def test_no_link_tells_what_is_outside(
    root: Path, command: tuple[str, ...], absolute: bool
) -> None:
    outside = root.parent / "outside"
    outside.mkdir()

    def leave(place: Path, target: Path) -> None:
        put(place, target if absolute else os.path.relpath(target, place.parent.resolve()))

    for attribute in ATTRIBUTES:
        secret = outside / attribute.replace("/", "-")
        secret.write_text({"class": "0x030000"}.get(attribute, f"0x{SECRET}") + "\n")
        if attribute not in ("driver", "iommu_group"):
            leave(card(root) / attribute, secret)
    ids = outside / "pci.ids"
    ids.write_text(f"10de  Secret {SECRET}\n1002  Secret {SECRET}\n\t744c  Secret {SECRET}\n")
    (outside / "win.xml").write_text(DOMAIN)
    (outside / "name").write_text(f"{SECRET}\n")
    for file in FILES:
        named = {"ids": ids, "xml": outside / "win.xml"}.get(file.rpartition(".")[2])
        leave(root / file, named or outside / "name")
    told = shown(root, command)
    assert SECRET not in told
    assert "10de" in told or OTHER in told or "refused" in told.lower()
    for folder in FOLDERS:
        leave(root / folder, outside)
    (outside / "dmar0").mkdir()
    assert SECRET not in shown(root, command)


@pytest.mark.parametrize("place", ["sys", "sys/bus", "sys/bus/pci", "sys/bus/pci/devices"])
def test_no_folder_on_the_way_leads_out(root: Path, tmp_path: Path, place: str) -> None:
    """There is another captured host next to it, of which nothing is shown."""
    (root / place).rename(tmp_path / "beside")
    (root / place).symlink_to("../" * (place.count("/") + 1) + "beside")
    result = vfiotop("--root", root, "status", "--json", home=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "has no sys/bus/pci/devices" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_no_fifo_and_no_device_is_opened(
    root: Path, terminal: Terminal, command: tuple[str, ...]
) -> None:
    traps: dict[str, Trap] = {}
    with contextlib.ExitStack() as stack:
        places = [card(root) / attribute for attribute in ATTRIBUTES if attribute != "class"]
        for place in [*places, *(root / file for file in FILES)]:
            place.unlink(missing_ok=True)
            traps[str(place)] = Fifo(place)
            stack.callback(traps[str(place)].close)
        # The attributes of the other card are links to a device: absolute ones, and ones that
        # climb.
        other = root / f"sys/devices/pci{OTHER[:7]}" / OTHER
        for n, attribute in enumerate(ATTRIBUTES):
            if attribute not in ("class", "iommu_group"):
                climb = f"{'../' * 30}{str(terminal.place)[1:]}"
                put(other / attribute, climb if n % 2 else terminal.place)
        for folder in FOLDERS:
            if not any((root / folder).iterdir()):
                put(root / folder, terminal.place)
        shown(root, command)
        assert not terminal.touched()
        assert [place for place, trap in traps.items() if trap.touched()] == []
        for trap in (terminal, *traps.values()):
            spring(trap)
            assert trap.touched()  # otherwise the above would prove nothing


def test_sockets_sparse_files_and_loops(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        monkeypatch.chdir(card(root))  # a socket's name may be 107 bytes long
        Path("vendor").unlink()
        listening.bind("vendor")
    monkeypatch.undo()
    for file in (card(root) / "device", root / "domains/big.xml", root / FILES[4]):
        with file.open("wb") as out:
            out.truncate(1 << 40)
    put(card(root) / "class", "class")
    put(root / "proc/sys/kernel/hostname", "/proc/self/fd/0")
    put(root / "proc/sys/kernel/osrelease", "/proc/self/exe")
    put(root / "etc/hostname", "/proc/1/root/etc/hostname")
    put(root / "sys/class/iommu", "iommu")
    told = json.loads(shown(root, ("status", "--json")))
    assert (told["host"]["name"], told["host"]["kernel"]) == ("unknown", "unknown")
    (guest,) = told["guests"]
    assert (guest["name"], guest["state"]) == ("big", "unknown")


def test_names_of_any_bytes_and_many(root: Path) -> None:
    names = (b"\xff\xfe.xml", b"\x1b[2J.xml", b"a\nb.xml", b"\xed\xa0\x80.xml", b".xml", b"\r.xml")
    for name in names:
        Path(os.fsdecode(bytes(root) + b"/domains/" + name)).write_text("<domain/>")
        (root / "sys/bus/pci/devices" / os.fsdecode(name)).mkdir()
        (root / "sys/kernel/iommu_groups" / os.fsdecode(name)).mkdir()
    told = json.loads(shown(root, ("status", "--json")))
    assert len(told["guests"]) == len(names) - 1
    assert {gpu["address"] for gpu in told["gpus"]} == {CARD, OTHER}
    shown(root, ("doctor",))


def test_more_devices_than_any_host_has(root: Path) -> None:
    devices = root / "sys/bus/pci/devices"
    for n in range(16_400):
        os.symlink("../../../devices", f"{devices}/{n:05x}:00:00.0")  # noqa: PTH211 - thousands
    assert "more than 16384 entries" in shown(root, ("status", "--json"))


# --- every system call --------------------------------------------------------


def _strace_works() -> bool:
    """Whether strace is installed and works: a container may forbid ptrace(2)."""
    try:
        tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)  # noqa: PLW1510
    except OSError:
        return False
    return tried.returncode == 0


needs_strace = pytest.mark.skipif(not _strace_works(), reason="no strace")

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>(?:\(deleted\))?)?(?: .*)?$")


def calls(root: Path, command: tuple[str, ...]) -> list[tuple[str, str, int, str]]:
    """The calls on files below ``root``: name, arguments, result, what was opened."""
    log = root.parent / "calls"
    trace = ("strace", "-f", "-qq", "-y", "-s", "4096", "-e", "trace=%file,openat2", "-o", str(log))
    result = vfiotop("--root", root, *command, home=root.parent / "home", before=trace)
    assert result.returncode in (0, 1), result.stderr
    matched = (_CALL.match(line) for line in log.read_text(errors="replace").splitlines())
    found = [(m[1], m[2], int(m[3]), m[4] or "") for m in matched if m]
    return [each for each in found if each[0] != "execve" and str(root) in each[1] + each[3]]


def nodes(root: Path) -> None:
    """Replace all that is read by FIFOs and, as root, by device nodes."""
    kinds = [(stat.S_IFCHR, os.makedev(1, 3)), (stat.S_IFCHR, os.makedev(10, 130)),
             (stat.S_IFBLK, os.makedev(7, 0)), (stat.S_IFIFO, 0)]  # fmt: skip
    places = [card(root) / attribute for attribute in ATTRIBUTES if attribute != "class"]
    for n, place in enumerate([*places, *(root / file for file in FILES)]):
        place.unlink(missing_ok=True)
        kind, number = kinds[n % len(kinds)] if os.geteuid() == 0 else kinds[-1]
        os.mknod(place, 0o666 | kind, number)


@needs_strace
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("hostile", [True, *thorough(False)])
def test_only_files_and_folders_beneath_the_root_are_opened(
    root: Path, command: tuple[str, ...], hostile: bool
) -> None:
    (root.parent / "home").mkdir()
    if hostile:
        nodes(root)
    made = calls(root, command)
    by_path = [each for each in made if f'"{root}' in each[1] and "/proc/self/fd" not in each[1]]
    assert [(name, "O_PATH" in arguments) for name, arguments, _, _ in by_path] == [
        ("openat", True)
    ]
    beneath = [each for each in made if each[0] == "openat2"]
    opened = [each for each in made if each[0] == "openat" and each not in by_path]
    assert beneath
    assert opened
    for _, arguments, _, _ in beneath:
        assert "O_PATH" in arguments
        assert "RESOLVE_IN_ROOT" in arguments
        assert "RESOLVE_NO_MAGICLINKS" in arguments
    for _, arguments, descriptor, place in opened:
        assert re.search(r', "(/proc/self/fd/[0-9]+|\.)", ', arguments)
        assert descriptor >= 0
        mode = os.lstat(place).st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), (arguments, place)
        assert Path(place).is_relative_to(root)


# --- kernels and sandboxes without openat2 ------------------------------------

NO_OPENAT2 = """
import ctypes, os, sys
# struct sock_filter: the number of the call (seccomp(2)); 437 gets the error, the rest passes.
program = bytes.fromhex("2000000000000000" "15000001b5010000") + (
    (6).to_bytes(2, "little") + bytes(2) + (0x00050000 | int(sys.argv[1])).to_bytes(4, "little")
    + (6).to_bytes(2, "little") + bytes(2) + (0x7FFF0000).to_bytes(4, "little"))
class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(4, program)), 0, 0) == 0
assert libc.syscall(437, -1, 0, 0, 0) == -1 and ctypes.get_errno() == int(sys.argv[1])
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="its filter is written for little endian")
@pytest.mark.parametrize("code", [38, *thorough(1)], ids=["ENOSYS", "EPERM"])
def test_without_openat2_all_is_the_same(root: Path, terminal: Terminal, code: int) -> None:
    before = (sys.executable, "-c", NO_OPENAT2, str(code))

    def status(*before: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(shown(root, ("status", "--json"), before))
        del found["taken_at"]
        return found

    assert status(*before) == status()
    put(card(root) / "vendor", terminal.place)
    put(card(root) / "device", root.parent / "secret")
    (root.parent / "secret").write_text(f"0x{SECRET}")
    fifo = Fifo(card(root) / "reset")
    fifo.place = fifo.place.replace(card(root) / "numa_node")
    answer = status(*before)
    assert answer == status()
    assert SECRET not in json.dumps(answer)
    for trap in (fifo, terminal):
        assert not trap.touched()
        spring(trap)
        assert trap.touched()
    fifo.close()


# --- what else is given to --root ---------------------------------------------


def refused(place: str | Path, home: Path, command: str, code: int = 1) -> str:
    result = vfiotop("--root", place, command, home=home)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith("vfiotop: ")
    assert result.stderr.endswith("\n")
    assert result.stderr[:-1].isprintable()
    return result.stderr


@pytest.mark.parametrize("command", ["status", *thorough("doctor")])
def test_what_is_no_captured_host_is_refused_and_not_opened(
    tmp_path: Path, terminal: Terminal, command: str
) -> None:
    fifo = Fifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to(terminal.place)
    for place in (fifo.place, terminal.place, tmp_path / "link", tmp_path / "file", "/dev/null"):
        assert re.search("is (not|neither) a directory", refused(place, tmp_path, command))
    for place in (tmp_path / "gone", tmp_path / "esc\x1b[31m\n\u202eape", "\udcff"):
        assert "there is no" in refused(place, tmp_path, command)
    assert "cannot be read" in refused(tmp_path / "loop", tmp_path, command)
    for place in ("x" * 10_000, "x/" * 5_000):  # no path at all
        assert "is too long for an argument" in refused(place, tmp_path, command, code=2)
    for place in ("/proc", tmp_path, "", "."):
        assert "has no sys/bus/pci/devices" in refused(place, tmp_path, command)
    assert not fifo.touched()
    assert not terminal.touched()
    fifo.close()


def test_this_machine_itself_is_shown_as_a_captured_one(tmp_path: Path) -> None:
    if not Path("/sys/bus/pci/devices").exists():
        pytest.skip("no PCI here")
    result = vfiotop("--root", "/", "status", "--json", home=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["host"]["kernel"] == os.uname().release


# --- a place that does not answer ---------------------------------------------

SILENT = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x00020000) or libc.mount(None, b"/", None, 0x44000, None):
    sys.exit(77)
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options):
    sys.exit(77)
ended = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL)
sys.exit(ended.returncode)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/fuse").exists(), reason="no FUSE mounts")
def test_a_file_system_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    """Neither where all of the captured host is on it, nor where a part of it is."""
    running = []
    with contextlib.ExitStack() as stack:
        for n, part in enumerate(("", "sys/bus/pci/devices", "domains")):
            root = lay_out(HOST, tmp_path / f"captured{n}")
            (root / "domains").mkdir()
            mounted = sys.executable, "-c", SILENT, str(root / part)
            command = "--root", root, "status", "--json"
            running.append(started(*command, home=tmp_path, before=mounted))
            stack.callback(running[-1].kill)
        for result in map(ended, running):
            if result.returncode == 77:
                pytest.skip("may not mount here")
            told = result.stdout + result.stderr
            assert "no answer within 10 s" in told or "does not answer within 5 s" in told
            assert "Traceback" not in told
