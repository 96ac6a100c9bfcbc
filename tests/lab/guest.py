"""A minimal guest with a real qemu-ga and a script as nvidia-smi: Debian's kernel, and an
initramfs of the installed busybox and agent."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.lab.kernel import Kernel
from tests.libvirt.daemon import SEARCHED

MODULES = (
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
    "virtio_console",
)  # fmt: skip
"""In load order; a module that is built into the kernel has no file."""

PORT = "/dev/vport0p1"
"""The device node of the only channel."""

INIT = f"""\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {" ".join(MODULES)}; do
    if [ -e /modules/$module.ko ]; then insmod /modules/$module.ko; fi
done
until [ -e {PORT} ]; do sleep 0.1; done
while true; do
    qemu-ga --method=virtio-serial --path={PORT} --statedir=/tmp
    sleep 1
done
"""

NVIDIA_SMI = """\
#!/bin/sh
echo "$*" >>/tmp/asked
case $(cat /tmp/mode 2>/dev/null) in
    hang) exec sleep 1000 ;;
    flood) exec yes "97, 41, 9120" ;;
    large) yes "97, 41, 9120" | head -c 300000; exit 0 ;;
    escape) printf '\\033[2J\\033]0;title\\007'; exit 1 ;;
    no-driver) exit 9 ;;
    lies) name='Model, [bold]X[/bold]'; load=NaN; watts=-1; used=9223372036854775808 ;;
    comma) watts='386,41' ;;
    *) watts='386.41' ;;
esac
fields=${1#--query-gpu=}
line=
for field in $(echo "$fields" | tr , ' '); do
    case $field in
        pci.device_id) value=0x268410DE ;;
        pci.sub_device_id) value=0x16F310DE ;;
        driver_version) value=572.83 ;;
        utilization.gpu) value=${load:-97} ;;
        memory.used) value=${used:-9120} ;;
        memory.total) value=24564 ;;
        temperature.gpu) value=67 ;;
        power.draw) value=$watts ;;
        clocks_event_reasons.active)
            echo "Field \\"$field\\" is not a valid field to query."
            exit 2 ;;
        clocks_throttle_reasons.active) value=0x0000000000000004 ;;
        name) value=${name:-NVIDIA GeForce RTX 4090} ;;
        *) value='[N/A]' ;;
    esac
    line="$line${line:+, }$value"
done
echo "$line"
"""
"""An older nvidia-smi, which knows one field only by its former name."""


def make(kernel: Kernel, folder: Path) -> tuple[Path, Path]:
    """Write the kernel image and an initramfs to ``folder``, and return them."""
    root = folder / "root"
    files = {"init": INIT, "bin/nvidia-smi": NVIDIA_SMI}
    modules = [file for name in MODULES for file in kernel.root.rglob(f"{name}.ko")]
    tree(root, files, ("tr", "yes", "head", "kill"), modules)
    agent = _program("qemu-ga")
    for file in (agent, *_libraries(agent)):
        target = root / str(file).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    (root / "bin/qemu-ga").symlink_to(agent)
    image, initramfs = folder / "vmlinuz", folder / "initramfs"
    shutil.copy(kernel.image, image)
    pack(root, initramfs)
    for file in (image, initramfs):
        file.chmod(0o644)
    return image, initramfs


def tree(
    root: Path, programs: Mapping[str, str], applets: Iterable[str], modules: Iterable[Path]
) -> None:
    """Make a root file system of the installed busybox, some programs and kernel modules."""
    for name in ("bin", "dev", "lib", "lib64", "modules", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy(_program("busybox"), root / "bin")
    for applet in ("sh", "mount", "insmod", "sleep", "cat", "echo", *applets):
        (root / "bin" / applet).symlink_to("busybox")
    for name, text in programs.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    for module in modules:
        shutil.copy(module, root / "modules")


def pack(root: Path, initramfs: Path) -> None:
    """Pack a root file system as an initramfs."""
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    with initramfs.open("wb") as archive:
        subprocess.run(
            [_program("busybox"), "cpio", "-o", "-H", "newc"], input=names.encode(), cwd=root,
            check=True, stdout=archive, stderr=subprocess.DEVNULL,
        )  # fmt: skip


def definition(name: str, image: Path, initramfs: Path) -> str:
    """The guest as a domain."""
    return f"""\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{image}</kernel>
    <initrd>{initramfs}</initrd>
    <cmdline>quiet panic=-1</cmdline>
  </os>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <devices>
    <emulator>{_program("qemu-system-x86_64")}</emulator>
    <controller type='usb' model='none'/>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices>
</domain>"""


def _program(name: str) -> Path:
    found = shutil.which(name, path=SEARCHED)
    assert found is not None, f"{name} is not installed; run `.ci/setup --lab`"
    return Path(found)


def _libraries(program: Path) -> list[Path]:
    """The libraries and the loader of a program, from ldd(1)."""
    output = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", output)]
