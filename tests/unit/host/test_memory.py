"""The host's memory, and the hooks that allocate pages, from a tree of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.host import HostError, NothingToRead
from tui.host.confined import Confined
from tui.host.hooks import ENTRIES_LIMIT, LINE_LIMIT, hooks, line_act
from tui.host.memory import MemorySource
from tui.host.tree import PlainTree
from tui.model import HookAct, HostMemory, PagePool

MEMINFO = """\
MemTotal:       65769872 kB
MemFree:        11193420 kB
MemAvailable:   22934892 kB
SwapFree:        8388604 kB
Hugepagesize:       2048 kB
Hugetlb:        16777216 kB
"""
POOL = "sys/kernel/mm/hugepages/hugepages-2048kB"
NODE = "sys/devices/system/node/node{}/hugepages/hugepages-2048kB"


def laid_out(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def pool(folder: str, total: int, free: int, **more: int) -> dict[str, str]:
    values = {"nr": total, "free": free} | more
    return {f"{folder}/{name}_hugepages": f"{value}\n" for name, value in values.items()}


def test_a_host_with_two_nodes(tmp_path: Path) -> None:
    files = {"proc/meminfo": MEMINFO}
    files |= pool(POOL, 8192, 4096, resv=1024, nr_overcommit=512, surplus=128)
    for node in (0, 1):
        files |= pool(NODE.format(node), 4096, 2048, surplus=64)
    assert MemorySource(Confined(str(laid_out(tmp_path, files)))).read() == HostMemory(
        available_mib=22400, swap_free_mib=8192, default_page_kib=2048,
        pools=(
            PagePool(2048, 8192, 3072, on_demand=384),
            PagePool(2048, 4096, 2048, 0), PagePool(2048, 4096, 2048, 1),
        ),
    )  # fmt: skip


def test_what_zfs_gives_back_is_available_too(tmp_path: Path) -> None:
    arc = "13 1 0x01 147 39984 1 2\nname type data\nsize 4 8589934592\nc_min 4 1073741824\n"
    laid_out(tmp_path, {"proc/meminfo": MEMINFO, "proc/spl/kstat/zfs/arcstats": arc})
    found = MemorySource(Confined(str(tmp_path))).read()
    assert found.available_mib == 22400 + 7168


def test_a_kernel_without_huge_pages_has_none(tmp_path: Path) -> None:
    laid_out(tmp_path, {"proc/meminfo": MEMINFO})
    assert MemorySource(Confined(str(tmp_path))).read().pools == ()


@pytest.mark.parametrize("odd", ["many", "-5", ""])
def test_pages_that_cannot_be_read_are_not_none(tmp_path: Path, odd: str) -> None:
    files = {"proc/meminfo": MEMINFO} | pool(POOL, 8192, 4096)
    laid_out(tmp_path, files | {f"{POOL}/free_hugepages": odd})
    assert MemorySource(Confined(str(tmp_path))).read().pools is None


def test_a_capture_without_meminfo(tmp_path: Path) -> None:
    with pytest.raises(NothingToRead, match="capture has no proc/meminfo"):
        MemorySource(Confined(str(laid_out(tmp_path, {"proc/other": ""})))).read()
    odd = laid_out(tmp_path, {"proc/meminfo": "MemAvailable: lots\n"})
    with pytest.raises(HostError):
        MemorySource(Confined(str(odd))).read()


@pytest.mark.parametrize(
    ("mounts", "sizes"),
    [
        ("hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0\n", (2048,)),
        ("hugetlbfs /dev/hugepages hugetlbfs rw,relatime 0 0\n", (2048,)),
        ("a /x ext4 rw 0 0\nb /dev/hugepages1G hugetlbfs rw,pagesize=1024M 0 0\n", (1 << 20,)),
        ("a /x ext4 rw 0 0\n", ()), ("", None),
    ],
)  # fmt: skip
def test_for_which_pages_a_hugetlbfs_is_mounted(
    tmp_path: Path, mounts: str, sizes: tuple[int, ...] | None
) -> None:
    laid_out(tmp_path, {"proc/meminfo": MEMINFO, "proc/mounts": mounts})
    assert MemorySource(Confined(str(tmp_path))).read().mounted_kib == sizes


def test_a_hook_that_allocates_pages_is_named(tmp_path: Path) -> None:
    script = "#!/bin/sh\necho 8192 > /proc/sys/vm/nr_hugepages\n"
    place = "etc/libvirt/hooks/qemu.d/win11/prepare/begin/alloc.sh"
    laid_out(tmp_path, {"proc/meminfo": MEMINFO, place: script})
    assert MemorySource(Confined(str(tmp_path))).read().hook == f"/{place}, line 2"


def test_a_hook_that_may_call_anything_is_named(tmp_path: Path) -> None:
    hook = "etc/libvirt/hooks/qemu"
    laid_out(tmp_path, {"proc/meminfo": MEMINFO, hook: "#!/bin/sh\n/usr/local/bin/prepare\n"})
    reading = MemorySource(Confined(str(tmp_path))).read()
    assert (reading.hook, reading.unclear_hook) == (None, f"/{hook}")


# --- hooks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("virsh nodedev-detach $VIRSH_GPU_VIDEO", "moves"),
        ("virsh nodedev-dettach pci_0000_01_00_0", "moves"),
        ('echo "$gpu" > "/sys/bus/pci/devices/$gpu/driver/unbind"', "moves"),
        ("echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override", "moves"),
        ("modprobe -r nvidia_drm nvidia_modeset", "moves"),
        ("rmmod amdgpu", "moves"), ("driverctl --nosave set-override 0000:01:00.0 vfio-pci",
                                    "moves"),
        ("sysctl vm.nr_hugepages=8192", "pages"),
        ("hugeadm --pool-pages-min 2M:8192", "pages"),
        ("# virsh nodedev-detach pci_0000_01_00_0", None),
        ("echo efi-framebuffer.0 > /sys/bus/platform/drivers/efi-framebuffer/unbind", None),
        ("echo 0 > /sys/class/vtconsole/vtcon0/bind", None), ("modprobe vfio-pci", None),
        ("systemctl stop display-manager", None), ("mount --bind /a /b", None),
    ],
)  # fmt: skip
def test_what_a_line_of_a_hook_does(tmp_path: Path, line: str, act: str | None) -> None:
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": f"#!/bin/bash\n{line}\n"})
    found = hooks(Confined(str(tmp_path))).lines
    assert [(each.act, each.line, each.file) for each in found] == (
        [(act, 2, "/etc/libvirt/hooks/qemu")] if act else []
    )


def test_scripts_that_hooks_call_are_read_and_other_hooks_are_not(tmp_path: Path) -> None:
    moves = "virsh nodedev-detach pci_0000_01_00_0\n"
    laid_out(tmp_path, {
        "bin/vfio-startup.sh": moves, "etc/libvirt/hooks/network": moves,
        "etc/libvirt/hooks/qemu.d/10-gpu": moves, "var/lib/libvirt/hooks/qemu.d/x": moves,
    })  # fmt: skip
    assert [each.file for each in hooks(Confined(str(tmp_path))).lines] == [
        "/etc/libvirt/hooks/qemu.d/10-gpu", "/var/lib/libvirt/hooks/qemu.d/x",
        "/bin/vfio-startup.sh",
    ]  # fmt: skip


def test_a_script_that_has_two_names_is_read_once(tmp_path: Path) -> None:
    laid_out(tmp_path, {"usr/bin/vfio-startup.sh": "rmmod nvidia\n"})
    (tmp_path / "bin").symlink_to("usr/bin")
    for root in (PlainTree(tmp_path), Confined(str(tmp_path))):
        assert [each.file for each in hooks(root).lines] == ["/usr/bin/vfio-startup.sh"]


def test_a_hook_that_has_not_changed_is_not_searched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []

    def noted(line: str) -> HookAct | None:
        searched.append(line)
        return line_act(line)

    monkeypatch.setattr("tui.host.hooks.line_act", noted)
    root = Confined(str(tmp_path))
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": "rmmod a"})
    assert hooks(root).lines == hooks(root).lines
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": "rmmod b"})
    assert [each.text for each in hooks(root).lines] == ["rmmod b"]
    assert searched == ["rmmod a", "rmmod b"]


def test_a_tree_of_folders_is_not_searched_for_ever(tmp_path: Path) -> None:
    """A captured host may have anything: a reader looks at a bounded number of entries."""
    root = tmp_path / "etc/libvirt/hooks/qemu.d"
    for outer in range(ENTRIES_LIMIT // 16):
        for inner in range(20):
            (root / f"{outer:03}" / f"{inner:03}").mkdir(parents=True)
    (root / "zz").write_text("rmmod nvidia\n")
    looked: list[str] = []

    class Noted(PlainTree):
        def mode(self, name: str = "") -> int:
            looked.append(name)
            return super().mode(name)

    assert hooks(Noted(tmp_path)).lines
    assert len(looked) <= ENTRIES_LIMIT + 1


def test_only_the_beginning_of_a_long_line_counts(tmp_path: Path) -> None:
    far = " " * LINE_LIMIT + "rmmod nvidia"
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": f"{far}\nrmmod nvidia{far}\n"})
    assert [each.line for each in hooks(Confined(str(tmp_path))).lines] == [2]


def test_a_hook_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": "x" * (1 << 17)})
    found = hooks(PlainTree(tmp_path))
    assert (found.lines, found.unreadable) == ((), ("/etc/libvirt/hooks/qemu",))


def test_a_line_is_made_safe_to_draw(tmp_path: Path) -> None:
    laid_out(tmp_path, {"etc/libvirt/hooks/qemu": "rmmod \x1b[31m" + "x" * 500})
    (line,) = hooks(Confined(str(tmp_path))).lines
    assert "\x1b" not in line.text
    assert len(line.text) < 120
