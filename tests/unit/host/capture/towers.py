"""Captured hosts that between them have every file vfiotop reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.hosts_layout import add_function, add_group, link
from tests.unit.captured import CARD, domain, tower
from tests.unit.host.uses.usb_tree import MOUSE, add_usb

HOME = "/home"
USER, HOST = "annegret", "kellerkiste"
"""The user of the host, and the host's name."""

MAC, UUID = "52:9a:be:0c:7d:1e", "8c5e7d21-3a44-4f0b-9b6e-d2f1a07c9e35"
MACHINE_ID = "d41f0c9a7be54c0f9d6b8a2e13f5c7e9"
DISK_UUID = "2f1b9c4e-77aa-4d2e-8c11-0e9d5b6a7f80"
IPV4, IPV6 = "10.77.31.9", "2a02:8109:9ac0:1f::17"
SERIAL, PASSWORD, TOKEN = "S5GXNX0R912345", "Gurkensalat7", "ghp_9aXc3VbN7mQ1"

NIC, DISK = "0000:0b:00.0", "0000:0c:00.0"

FILES: Mapping[str, str | bytes] = {
    "proc/sys/kernel/hostname": f"{HOST}\n",
    "etc/hostname": f"{HOST}.example.org\n",
    "proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-6.12.0 root=UUID={DISK_UUID} ro quiet iommu=pt "
    f"rd.luks.uuid=luks-{UUID} ip={IPV4}::10.77.31.1 ci.token={TOKEN} intel_iommu=on\n",
    "proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\n",
    "proc/modules": "nvidia 56 1 nvidia_drm, Live 0x0\nkvm 1 0 - Live 0x0\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  "
    f"580.95.05  Release Build  ({USER}@{HOST})\nGCC version:  gcc\n",
    "proc/driver/nvidia/gpus/0000:08:00.0/information": f"GPU UUID: GPU-{UUID}\n",
    "proc/1/mountinfo": (
        f"1 1 0:31 / / rw - btrfs /dev/mapper/vg_{USER}-root rw\n"
        f"2 1 253:7 / {HOME}/{USER}/Games rw - ext4 /dev/nvme0n1p1 rw\n"
        "3 1 0:40 / /sys rw - sysfs sysfs rw\n"
    ),
    "proc/swaps": f"Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p2 partition 9 0 -2\n"
    f"{HOME}/{USER}/swap file 9 0 -3\n",
    "proc/net/route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    "enp5s0\t00000000\t011F4D0A\t3\t0\t0\t0\t00000000\n"
    "enp5s0\t001F4D0A\t00000000\t1\t0\t0\t0\t00FFFFFF\n",
    "proc/net/fib_trie": f"Local:\n  +-- 0.0.0.0/0 3 0 5\n     |-- {IPV4}\n"
    "        /32 host LOCAL\n",
    "proc/net/if_inet6": "2a0281099ac0001f0000000000000017 02 40 00 80 wlan0\n",
    "proc/bus/input/devices": 'I: Bus=0011\nN: Name="AT keyboard"\nP: Phys=isa0060/serio0/input0\n'
    f"U: Uniq={MAC}\nH: Handlers=sysrq kbd event0\n\n",
    "etc/os-release": 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
    "etc/default/grub": "# by hand\nGRUB_TIMEOUT=5\nEXTRA='vfio-pci.ids=10de:2482'\n"
    f'GRUB_CMDLINE_LINUX="intel_iommu=on $EXTRA cryptdevice=UUID={DISK_UUID}:{USER}"\n'
    f'GRUB_CMDLINE_LINUX_DEFAULT="quiet password={PASSWORD} \\\n iommu=pt"\n',
    "etc/default/grub.d/10-x.cfg": 'GRUB_CMDLINE_LINUX+=" pcie_acs_override=downstream"\n',
    "etc/modprobe.d/vfio.conf": f"# {USER}\noptions vfio-pci ids=10de:2482 \\\n disable_vga=1\n"
    f"blacklist nouveau\ninstall nvidia /bin/true\noptions wifi psk={PASSWORD}\n",
    "usr/bin/mkinitcpio": "#!/bin/sh\n",
    "etc/mkinitcpio.conf": f"# {USER}\nMODULES=(nvidia vfio_pci)\nFILES=({HOME}/{USER}/x)\n"
    f"HOOKS=(base {USER})\nMY_PASSWORD={PASSWORD}\nMY_TOKEN='{TOKEN}'\n",
    "sys/module/nvidia/version": "580.95.05\n",
    "sys/module/nvidia_drm/parameters/modeset": "Y\n",
    "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts": "N\n",
    "sys/bus/pci/drivers/vfio-pci/bind": "",
    "sys/class/dmi/id/chassis_type": "3\n",
    "lib/modules/6.12.0/modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko.zst: kernel/a.ko\n",
    "lib/modules/6.12.0/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
    "usr/share/misc/pci.ids": "10de  NVIDIA Corporation\n\t2482  GA104 [GeForce RTX 3070 Ti]\n"
    "\t1b81  GP104 [GeForce GTX 1070]\n",
    "run/udev/data/b253:7": f"I:1\nE:ID_SERIAL={SERIAL}\nE:ID_FS_TYPE=zfs_member\n",
    "proc/spl/kstat/zfs/annes-tank/state": "ONLINE\n",
    "proc/iomem": f"00000000-00000000 : PCI Bus 0000:0a\n  00000000-00000000 : {CARD}\n"
    f"    00000000-00000000 : BOOTFB\n    00000000-00000000 : {USER}\n",
    "etc/supergfxd.conf": f'{{"mode": "Hybrid", "vfio_enable": true, "{USER}": 1}}\n',
    f"etc/driverctl.d/pci-{CARD}": "vfio-pci\n",
    f"sys/bus/pci/devices/{CARD}/d3cold_allowed": "1\n",
    f"sys/bus/pci/devices/{CARD}/resource0_resize": "0000000000000fc0\n",
    "sys/module/vfio_pci/parameters/disable_idle_d3": "N\n",
    "proc/meminfo": "MemTotal: 65769872 kB\nMemAvailable: 22934892 kB\nHugepagesize: 2048 kB\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "8192\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "0\n",
    "etc/libvirt/hooks/qemu": f"#!/bin/sh\n# {USER}\nsu {USER} -c 'curl {IPV4}'\n",
    f"etc/libvirt/hooks/qemu.d/{USER}/prepare/begin/{USER}.sh": f"export TOKEN={TOKEN}\n"
    f"virsh nodedev-detach pci_0000_0a_00_0 # {USER}\necho 9 > /proc/sys/vm/nr_hugepages\n",
    "boot/loader/loader.conf": "default x.conf\n",
    f"boot/loader/entries/{MACHINE_ID}-6.12.0.conf": f"title {USER}\nmachine-id {MACHINE_ID}\n"
    f"options root=UUID={DISK_UUID} intel_iommu=on\n",
}

_ENCRYPTED = f"<encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption>"
_ISCSI = (
    f"<auth username='{USER}'><secret type='iscsi' uuid='{UUID}'/></auth>"
    f"<source protocol='iscsi' name='iqn.2013-07.com.{USER}:x'><host name='{IPV4}' port='3260'/>"
    f"<cookies><cookie name='a'>{PASSWORD}</cookie></cookies></source><serial>{SERIAL}</serial>"
)
_DEVICES = (
    f"<graphics type='vnc' port='5901' passwd='{PASSWORD}' listen='{IPV4}'>"
    f"<listen type='address' address='{IPV4}'/></graphics>"
    f"<graphics type='spice' passwd='{PASSWORD}'/>"
    f"<disk type='network' device='disk'>{_ISCSI}<target dev='vda' bus='virtio'/></disk>"
    f"<disk type='file' device='disk'><source file='{HOME}/{USER}/vm/win.qcow2'>{_ENCRYPTED}"
    "</source><target dev='vdb'/></disk>"
    f"<interface type='bridge'><mac address='{MAC}'/><source bridge='br-{USER}'/></interface>"
    f"<channel type='unix'><source mode='bind' path='{HOME}/{USER}/agent'/>"
    "<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>"
)
_ARGUMENTS = (
    "-object", f"secret,id=s0,data={PASSWORD},format=raw", "-fw_cfg",
    f"name=opt/org/ssh,string=ssh-ed25519 {TOKEN} {USER}", "-smbios", f"type=1,serial={SERIAL}",
    "-device", f"vfio-pci,host=0a:00.1,id={USER}",
)  # fmt: skip

SECRETS = (
    f"<devices>{_DEVICES}</devices>"
    f"<sysinfo type='smbios'><system><entry name='serial'>{SERIAL}</entry>"
    f"<entry name='uuid'>{UUID}</entry></system><oemStrings>"
    f"<entry>io.systemd.credential:passwd={PASSWORD}</entry></oemStrings></sysinfo>"
    f"<metadata><x:y xmlns:x='urn:x'>{PASSWORD}</x:y></metadata>"
    f"<description>{USER}</description><title>{USER}</title>"
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    + "".join(f"<qemu:arg value='{argument}'/>" for argument in _ARGUMENTS)
    + f"<qemu:env name='TOKEN' value='{TOKEN}'/></qemu:commandline>"
)

GUEST = domain("win11", UUID).replace("</domain>", f"{SECRETS}<memory unit='GiB'>8</memory>"
                                      "<vcpu current='4'>8</vcpu></domain>")  # fmt: skip
"""A guest with a secret in each place that has one."""


def full(place: Path) -> Path:
    """A host with a disk, a network card, a guest and every file."""
    root = tower(place, FILES)
    _device(root, NIC, "020000", "15")
    _device(root, DISK, "010802", "16")
    net = root / f"sys/bus/pci/devices/{NIC}/net"
    for name, index in (("enp5s0", 3), ("wlan0", 4)):
        (net / name).mkdir(parents=True)
        (net / name / "operstate").write_text("up\n")
        (net / name / "flags").write_text("0x1003\n")
        (net / name / "address").write_text(f"{MAC}\n")
        (net / name / "ifindex").write_text(f"{index}\n")
    block = (root / f"sys/bus/pci/devices/{DISK}").resolve() / "nvme/nvme0/nvme0n1"
    for name, number in (
        ("", "253:0"),
        ("nvme0n1p1", "253:7"),
        ("nvme0n1p2", "253:8"),
        ("nvme0n1p3", "253:9"),
    ):
        (block / name / "holders").mkdir(parents=True)
        (block / name / "dev").write_text(f"{number}\n")
        (block / name / "serial").write_text(f"{SERIAL}\n")
    mapped = root / "sys/devices/virtual/block/dm-0"
    (mapped / "dm").mkdir(parents=True)
    (mapped / "holders").mkdir()
    (mapped / "dm/name").write_text(f"vg_{USER}-root\n")
    (mapped / "dev").write_text("254:0\n")
    (root / "sys/class/block").mkdir(parents=True)
    for at in (block, block / "nvme0n1p1", block / "nvme0n1p2", block / "nvme0n1p3", mapped):
        link(root / "sys/class/block" / at.name, at)
    link((block / "nvme0n1p3/holders").resolve() / "dm-0", mapped)
    (root / f"sys/fs/btrfs/{DISK_UUID}/devices").mkdir(parents=True)
    link(root / f"sys/fs/btrfs/{DISK_UUID}/devices/dm-0", mapped)
    card = root / f"sys/bus/pci/devices/{CARD}"
    for attribute, text in {"sriov_totalvfs": "4", "sriov_numvfs": "0", "reset_method": "bus",
                       "max_link_speed": "16.0 GT/s PCIe", "max_link_width": "16",
                       "current_link_speed": "2.5 GT/s PCIe", "current_link_width": "16",
                       "numa_node": "0", "enable": "1"}.items():  # fmt: skip
        (card / attribute).write_text(f"{text}\n")
    strings = {"serial": SERIAL, "manufacturer": USER, "product": f"{USER}s telephone"}
    add_usb(root, NIC, "1-3", 4, interfaces={MOUSE: "usbhid"}, strings=strings)
    (root / "domains").mkdir(exist_ok=True)
    (root / "domains/win11.xml").write_text(_taking(GUEST, DISK, NIC))
    (root / f"domains/{USER}s-box.xml").write_text(domain(f"{USER}s box", None))
    (root / "domains/broken.xml").write_text(f"<domain><name>{PASSWORD}")
    return root


def systemd_boot(place: Path) -> Path:
    """The same, started by systemd-boot."""
    root = full(place)
    (root / "proc/cmdline").write_text(f"initrd=\\{MACHINE_ID}\\6.12.0\\initrd quiet\n")
    return root


def _device(root: Path, address: str, code: str, group: str) -> None:
    function = {"addr": address, "class": code[:4], "vendor": "8086", "device": "1533",
                "driver": "nvme" if code.startswith("01") else "igb"}  # fmt: skip
    add_group(root / "sys", group, add_function(root / "sys", function))


def _taking(xml: str, *addresses: str) -> str:
    devices = "".join(
        f"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' "
        f"bus='0x{a[5:7]}' slot='0x{a[8:10]}' function='0x{a[11]}'/></source></hostdev>"
        for a in addresses
    )
    return xml.replace("</devices>", f"{devices}</devices>", 1)


ALL: Mapping[str, Callable[[Path], Path]] = {
    "full": full,
    "systemd-boot": systemd_boot,
    "bare": tower,
    "no groups": lambda place: tower(place, groups=False),
    "on vfio": lambda place: tower(place, {"domains/w.xml": domain()}, driver="vfio-pci"),
    "no driver": lambda place: tower(place, driver=None),
}
