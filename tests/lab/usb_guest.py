"""A guest of the lab with Linux: it reports the USB devices that it sees on its serial console.

It is emulated inside an emulated machine, a hundred times slower than outside. So its kernel is
already unpacked, and it starts nothing that it can do without.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.lab.guest import pack, tree
from tests.libvirt.daemon import tiny

MODULES = ("usb-common", "usbcore", "xhci-hcd", "xhci-pci")
"""In load order."""

INIT = f"""\
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {" ".join(MODULES)}; do insmod /modules/$module.ko; done
uevent /bin/report &
until [ -e /tmp/last ]; do
    echo change >/sys/bus/usb/devices/usb1/uevent
    sleep 20
done
wait
"""
"""From the first report on, no event is missed."""

REPORT = """\
#!/bin/sh
# Runs after each event of the kernel, one at a time.
cd /sys/bus/usb/devices
found=
for device in *-*; do
    case $device in *:*) continue ;; esac
    read -r vendor <$device/idVendor && read -r id <$device/idProduct &&
        read -r serial <$device/serial && read -r product <$device/product || continue
    found="$found[$vendor:$id $serial $product]"
done 2>/dev/null
read -r last </tmp/last || last=none
if [ "$found" != "$last" ]; then
    echo "$found" >/tmp/last
    echo "usb: $found"
fi
"""

NOT_NEEDED = (
    "load_system_certificate_list", "init_kprobe_trace", "crypto_kdf108_init", "cubictcp_register",
)  # fmt: skip
"""Parts of the kernel that take long to start."""

COMMAND_LINE = (
    "console=ttyS0 quiet panic=-1 mitigations=off noreplace-smp cryptomgr.notests tsc=reliable "
    f"initcall_blacklist={','.join(NOT_NEEDED)}"
)
"""With the TSC as its clock source, the idle kernel has no tick, which alone would keep the lab's
CPU busy. That needs ACPI, too."""


def make(folder: Path) -> Path:
    """Write the initramfs to ``folder``, with modules of the running kernel, and return it."""
    release = Path("/lib/modules", os.uname().release)
    modules = [next(release.rglob(f"{name}.ko")) for name in MODULES]
    tree(folder / "root", {"init": INIT, "bin/report": REPORT}, ("uevent",), modules)
    initramfs = folder / "initramfs"
    pack(folder / "root", initramfs)
    return initramfs


def definition(name: str, initramfs: Path, console: Path) -> str:
    """The guest as a domain with a USB controller."""
    kernel = re.search(r"\blab\.kernel=(\S+)", Path("/proc/cmdline").read_text())
    assert kernel is not None
    boot = (
        f"<kernel>{kernel[1]}</kernel><initrd>{initramfs}</initrd><cmdline>{COMMAND_LINE}</cmdline>"
    )
    serial = f"<serial type='file'><source path='{console}'/></serial>"
    return (
        tiny(name, serial)
        .replace("<memory unit='MiB'>64<", "<memory unit='MiB'>192<")
        .replace("</type></os>", f"</type>{boot}</os><features><acpi/></features>")
        .replace("type='usb' model='none'", "type='usb' model='qemu-xhci'")
    )


def yield_to_others(name: str) -> None:
    """Let the vCPU of a running guest have only the time that nothing else in the lab needs."""
    pid = Path(f"/run/libvirt/qemu/{name}.pid").read_text().strip()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        if (thread / "comm").read_text().startswith("CPU "):
            os.setpriority(os.PRIO_PROCESS, int(thread.name), 19)


def reported(console: Path) -> list[list[str]]:
    """The devices, as ``vendor:product serial name``, that the guest saw each time that they
    changed."""
    lines = re.findall(r"^usb: (.*?)\r?\n", console.read_text(errors="replace"), re.MULTILINE)
    return [re.findall(r"\[(.*?)\]", line) for line in lines]
