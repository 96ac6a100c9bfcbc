"""Words that identify nobody: these, and no others, stay in a redacted capture."""

from __future__ import annotations

import re


def listed(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


OPTIONS = listed(
    """acpi acpi_enforce_resources amd_iommu amd_pstate apparmor audit bgrt_disable console
    cpuidle.off default_hugepagesz efi efifb fbcon hugepages hugepagesz ibt init_on_alloc
    initcall_blacklist intel_idle.max_cstate intel_iommu intel_pstate intremap iommu
    iommu.passthrough iommu.strict irqaffinity isolcpus lockdown loglevel lsm mem_sleep_default
    mitigations modprobe.blacklist module_blacklist nmi_watchdog noapic nohz nohz_full
    nointremap nomodeset nomodule nosmt nowatchdog panic pci pcie_acs_override pcie_aspm
    pcie_port_pm pcie_ports pm_debug_messages preempt processor.max_cstate rcu_nocbs
    rd.driver.blacklist rd.driver.pre rd.udev.log_level rootfstype rootdelay rootwait selinux
    split_lock_detect spectre_v2 swiotlb threadirqs transparent_hugepage tsc udev.log_level
    usbcore.autosuspend video vga vt.global_cursor_default systemd.show_status
    systemd.unified_cgroup_hierarchy security zswap.enabled"""
)
"""Kernel parameters whose values stay (kernel-parameters.txt)."""

ON_DEVICES = listed("root resume rd.lvm.lv cryptdevice cryptroot real_root")
"""Parameters whose value starts with a block device."""

MODULES = re.compile(
    r"(?:vfio|kvm|nvidia|nouveau|amdgpu|radeon|i915|xe|snd|nvme|vhost|drm|ahci|xhci|efifb|simpledrm"
    r"|simplefb|vesafb|mdev|vendor_reset|kvmfr|pci_stub|thunderbolt|i2c|ucsi)(?:_[a-z0-9_]{1,30})?"
)
"""Modules that matter for passthrough, with underscores; their parameters stay."""

BOOT_WORDS = OPTIONS | listed(
    """ro rw quiet splash rhgb debug single 3 5 s verbose bash sh true false env modprobe insmod
    rmmod exit export if then else fi options title version linux initrd architecture
    machine-id sort-key default timeout console-mode editor cmdline kernel_cmdline grub submenu
    auto efi yes no on off boot with minimal standard --ignore-install --remove -i -r -q -b
    /bin/true /bin/false /bin/sh /usr/bin/env /usr/bin/true /usr/bin/false /bin/env
    /sbin/modprobe /usr/sbin/modprobe modprobe.d : :: blacklist install -- ="""
)
"""Words of boot files and modprobe.d that stay if they stand alone."""

BOOT_VARIABLES = listed(
    "GRUB_CMDLINE_LINUX GRUB_CMDLINE_LINUX_DEFAULT LINUX_OPTIONS KERNEL_CMDLINE CMDLINE_OPTS"
)

FOLDERS = listed(
    """boot efi home var log lib mnt media usr opt srv root tmp nix store run local cache
    libvirt images data games steam backup vm vms swap esp persist snapshots .snapshots
    containers"""
)
"""Parts of mount points."""

QEMU_WORDS = listed(
    """device set global drive blockdev object readconfig fw_cfg smbios name append cpu machine
    smp memory driver host hostaddr sysfsdev file json vfio-pci vfio-pci-nohotplug pci-assign
    kvm-pci-assign nvme nvme:// virtio-blk-vfio-pci pcie-root-port ivshmem-plain
    ivshmem-doorbell memory-backend-file multifunction x-vga x-pci-vendor-id x-pci-device-id
    x-no-kvm-intx x-no-mmap x-igd-opregion display rombar romfile bus addr id chassis slot port
    mem-path mem-prealloc memory-backend memory-backend-ram memory-backend-memfd numa node
    nodeid prealloc hugepages share memdev dev shm kvmfr0 kvmfr1 looking-glass
    on off true false property value path secret data format raw qcow2 type sys devices mdev
    pci"""
)
"""Options, devices and properties on QEMU's command line."""

# --- domain XML: attributes and elements whose values stay, and how these look -----

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,31}")
NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,18}")
NUMBERS = re.compile(r"[0-9,^-]{1,200}")

_Patterns = tuple[re.Pattern[str], ...]

_WORD_ATTRIBUTES = listed(
    """arch firmware machine managed check match fallback policy cache io discard driver
    action offset clock tickpolicy multifunction secure migratable shareable tray removable
    snapshot present autoport sharePolicy ioeventfd event_idx packed ats primary default
    memballoon feature mask enabled"""
)
_NUMBER_ATTRIBUTES = listed(
    """domain slot function index port controller target current cores threads sockets dies
    clusters vcpu iothread size memory chassis cell cells period level order ram vram vgamem
    heads iobase irq reg queues"""
)
_EITHER = listed("type mode state bus device model unit placement id")

ATTRIBUTES: dict[str, _Patterns] = {
    **dict.fromkeys(_WORD_ATTRIBUTES, (WORD,)),
    **dict.fromkeys(_NUMBER_ATTRIBUTES, (NUMBER,)),
    **dict.fromkeys(_EITHER, (WORD, NUMBER)),
    **dict.fromkeys(listed("cpuset cpus nodeset vcpus"), (NUMBERS,)),
}

TEXTS: dict[str, _Patterns] = {
    **dict.fromkeys(
        listed(
            """vcpu memory currentMemory maxMemory iothreads hard_limit size requested pagesize
            node pcihole64"""
        ),
        (NUMBER,),
    ),
    "nodemask": (NUMBERS,),
    **dict.fromkeys(listed("on_poweroff on_reboot on_crash type model vendor"), (WORD,)),
}

NAMED_ELEMENTS = listed("driver timer feature capability")
"""Elements whose attribute ``name`` is a word of libvirt's."""

CHANNELS = re.compile(
    r"(?:org\.qemu\.guest_agent|com\.redhat\.spice|org\.spice-space\.[a-z.]{1,30})\.[0-9]"
)

SHARED = re.compile(r"looking-glass[0-9]?|scream(?:-ivshmem)?")
"""Names that well-known programs give their shared memory."""

SECRET_ELEMENTS = listed("cookie secret password passwd oemStrings")

SECRET = re.compile(
    r"pass(?:w(?:or)?d|phrase)?|secret|token|psk|credential|cookie|authorized|api_?key|private"
    r"|ssh|\bpw\b|\bkey\b|_key\b",
    re.IGNORECASE,
)
"""Parts of the names of secrets."""

SYSTEM = listed(
    """sys proc etc boot domains devices bus pci drivers driver module modules kernel class
    block net power iommu groups modprobe.d loader entries grub default conf xml cfg vfio
    vfio-pci nvidia nvidia_drm nouveau amdgpu root localhost localdomain linux host user guest
    debian ubuntu fedora arch archlinux manjaro nixos opensuse suse gentoo proxmox pve unraid
    mint pop rhel centos bazzite server desktop desk pc laptop qemu libvirt kvm win win10 win11
    windows xe i915 none unknown domain domainstatus name uuid memory hidden state running
    hostdev mode subsystem managed source address type yes vcpu features release name osrelease
    hostname version information parameters redacted removed value option word path volume pool
    folder label argument variable cmdline cpuinfo swaps mounts mountinfo input self spl kstat
    zfs sysctl hwdata share misc pci.ids builtin dep fs btrfs class data firmware efivars"""
)
"""Words of a capture itself, and common host names."""

ALL = SYSTEM | BOOT_WORDS | BOOT_VARIABLES | FOLDERS | QEMU_WORDS | frozenset({*ATTRIBUTES, *TEXTS})
