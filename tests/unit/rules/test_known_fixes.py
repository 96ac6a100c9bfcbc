"""Fixes for captured hosts, through the command line. They do not advise what is set already, and
they name the file and line of a setting that contradicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.captured import Command, checks, tower
from tui.host.readiness.boot import boot
from tui.host.readiness.boot_files import written_options
from tui.host.tree import PlainTree
from tui.model import Readiness
from tui.rules.fixes import change_options

INTEL = {"proc/cpuinfo": "vendor_id\t: GenuineIntel\n", "etc/os-release": "ID=debian\n"}
AMD = {"proc/cpuinfo": "vendor_id\t: AuthenticAMD\n", "etc/os-release": "ID=arch\n"}
ARM = {"proc/cpuinfo": "CPU implementer\t: 0x41\n", "etc/os-release": "ID=debian\n"}
CMDLINE, GRUB = "proc/cmdline", "etc/default/grub"
DEFAULT = 'GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX_DEFAULT="quiet {}"\n'


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        # a case from the field: its /etc/default/grub has one letter
        (AMD | {CMDLINE: "quiet amd_iommu=off\n", GRUB: "x"},
         "remove amd_iommu=off from the kernel command line: /etc/default/grub does not have it, "
         "so run `grub-mkconfig -o /boot/grub/grub.cfg` and reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n", GRUB: DEFAULT.format("amd_iommu=off")},
         "remove amd_iommu=off from /etc/default/grub, line 2, run `grub-mkconfig -o "
         "/boot/grub/grub.cfg` and reboot"),
        (AMD | {CMDLINE: "iommu=off amd_iommu=off\n", GRUB: "x"},
         "remove iommu=off and amd_iommu=off from the kernel command line: /etc/default/grub does "
         "not have them, so run `grub-mkconfig -o /boot/grub/grub.cfg` and reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n"},
         "remove amd_iommu=off from the kernel command line in the boot loader's settings and "
         "reboot"),
        (AMD | {CMDLINE: "quiet\n"},
         "turn on the IOMMU (AMD-Vi) in the firmware; the kernel then uses it automatically"),
        (AMD | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("amd_iommu=off")},
         "turn on the IOMMU (AMD-Vi) in the firmware; the kernel then uses it automatically; and "
         "remove amd_iommu=off from /etc/default/grub, line 2, run `grub-mkconfig -o "
         "/boot/grub/grub.cfg` and reboot"),
        (AMD | {CMDLINE: "", GRUB: DEFAULT.format("amd_iommu=off")},
         "remove amd_iommu=off from /etc/default/grub, line 2, run `grub-mkconfig -o "
         "/boot/grub/grub.cfg` and reboot"),
        (ARM | {CMDLINE: "quiet iommu=off intel_iommu=on\n", GRUB: DEFAULT.format("iommu=off")},
         "turn on the IOMMU (SMMU) in the firmware; the kernel then uses it automatically"),
        (INTEL | {CMDLINE: "intel_iommu=on iommu=pt\n"},
         "turn on VT-d in the firmware: intel_iommu=on is already on the kernel command line"),
        (INTEL | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("intel_iommu=on")},
         "run `update-grub` and reboot: intel_iommu=on is in /etc/default/grub, line 2, and the "
         "kernel was started without it; if that is not enough, turn on VT-d in the firmware"),
        (INTEL | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("splash")},
         "turn on VT-d in the firmware; then add intel_iommu=on to GRUB_CMDLINE_LINUX_DEFAULT in "
         "/etc/default/grub, run `update-grub` and reboot"),
        (INTEL | {CMDLINE: "intel_iommu=off\n", GRUB: DEFAULT.format("intel_iommu=off")},
         "remove intel_iommu=off from /etc/default/grub, line 2, add intel_iommu=on to "
         "GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run `update-grub` and reboot"),
        (INTEL | {CMDLINE: "intel_iommu=on intel_iommu=off\n",
                  GRUB: DEFAULT.format("intel_iommu=on intel_iommu=off")},
         "remove intel_iommu=off from /etc/default/grub, line 2, run `update-grub` and reboot"),
        (INTEL | {CMDLINE: "intel_iommu=off\n", "etc/os-release": "ID=fedora\n", GRUB: ""},
         "run `grubby --update-kernel=ALL --args=intel_iommu=on --remove-args=intel_iommu=off` and "
         "reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n", "boot/loader/loader.conf": "",
                "boot/loader/entries/a.conf": "title a\noptions ro amd_iommu=off\n"},
         "remove amd_iommu=off from /boot/loader/entries/a.conf, line 2 and reboot"),
        (INTEL | {CMDLINE: "quiet\n", "boot/loader/loader.conf": "",
                  "boot/loader/entries/a.conf": "options intel_iommu=on\n"},
         "reboot: intel_iommu=on is in /boot/loader/entries/a.conf, line 1, and the kernel was "
         "started without it; if that is not enough, turn on VT-d in the firmware"),
        (AMD | {CMDLINE: "amd_iommu=off\n", "etc/os-release": "ID=fedora\n",
                "run/ostree-booted": ""},
         "run `rpm-ostree kargs --delete-if-present=amd_iommu=off` and reboot"),
        # the option that keeps it off is no longer in the file
        *((cpu | {CMDLINE: "intel_iommu=off\n", GRUB: DEFAULT.format("splash"),
                  "etc/os-release": "ID=debian\n"},
           "add intel_iommu=on to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run "
           "`update-grub` and reboot; /etc/default/grub does not have intel_iommu=off")
          for cpu in (INTEL, {})),
        (INTEL | {CMDLINE: "intel_iommu=off iommu=off\n", "boot/loader/loader.conf": "",
                  **{f"boot/loader/entries/{n}.conf": "options a\n" for n in "abc"}},
         "add intel_iommu=on to the options line of the entry in /boot/loader/entries and reboot; "
         "/boot/loader/entries/a.conf and /boot/loader/entries/b.conf and others do not have "
         "iommu=off and intel_iommu=off"),
        # the shell may expand to the option, so it may be in the file
        (AMD | {CMDLINE: "amd_iommu=off\n", GRUB: DEFAULT.format("$(cat /etc/x)")},
         "remove amd_iommu=off from GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run "
         "`grub-mkconfig -o /boot/grub/grub.cfg` and reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n", GRUB: 'x="amd_iommu=off"\n' + DEFAULT.format("$x")},
         "remove amd_iommu=off from /etc/default/grub, line 1, run `grub-mkconfig -o "
         "/boot/grub/grub.cfg` and reboot"),
        # another boot entry says nothing about the next boot
        *((INTEL | {CMDLINE: "quiet\n", "boot/loader/loader.conf": "",
                    "boot/loader/entries/arch-lts.conf": "options a intel_iommu=on\n",
                    "boot/loader/entries/arch.conf": text},
           "turn on VT-d in the firmware; then add intel_iommu=on to the options line of the entry "
           "in /boot/loader/entries and reboot")
          for text in ("options a\n", "options xintel_iommu=on intel_iommu=pt\n")),
        (INTEL | {CMDLINE: "quiet\n", "boot/loader/loader.conf": "",
                  "boot/loader/entries/arch-lts.conf": "options a\noptions intel_iommu=on\n",
                  "boot/loader/entries/arch.conf": "options intel_iommu=on\n"},
         "reboot: intel_iommu=on is in /boot/loader/entries/arch-lts.conf, line 2, and the kernel "
         "was started without it; if that is not enough, turn on VT-d in the firmware"),
        (INTEL | {CMDLINE: "quiet\n", "boot/limine.conf": "cmdline: a\ncmdline: intel_iommu=on\n"},
         "turn on VT-d in the firmware; then add intel_iommu=on to the cmdline line of the entry "
         "in /boot/limine.conf and reboot"),
        (INTEL | {CMDLINE: "quiet\n", "boot/refind_linux.conf":
                  '"Standard" "ro intel_iommu=on"\n"Minimal" "ro"\n'},
         "reboot: intel_iommu=on is in /boot/refind_linux.conf, line 1, and the kernel was started "
         "without it; if that is not enough, turn on VT-d in the firmware"),
        (INTEL | {CMDLINE: "quiet\n", GRUB: "GRUB_CMDLINE_LINUX=intel_iommu=on\n"
                  "GRUB_CMDLINE_LINUX_DEFAULT=quiet\n"},
         "run `update-grub` and reboot: intel_iommu=on is in /etc/default/grub, line 1, and the "
         "kernel was started without it; if that is not enough, turn on VT-d in the firmware"),
        # the source of the entries has it, but the entries do not yet
        (INTEL | {CMDLINE: "quiet\n", "boot/loader/loader.conf": "", "etc/os-release": "ID=arch\n",
                  "etc/kernel/cmdline": "quiet intel_iommu=on\n",
                  "boot/loader/entries/arch.conf": "options quiet\n"},
         "run `mkinitcpio -P` and reboot: intel_iommu=on is in /etc/kernel/cmdline, line 1, and "
         "the kernel was started without it; if that is not enough, turn on VT-d in the firmware"),
        # an entry counts alone, and a command makes Fedora's entries
        (INTEL | {CMDLINE: "quiet\n", "etc/os-release": "ID=fedora\n", GRUB: "x",
                  "boot/loader/entries/a.conf": "options ro intel_iommu=on\n"},
         "reboot: intel_iommu=on is in /boot/loader/entries/a.conf, line 1, and the kernel was "
         "started without it; if that is not enough, turn on VT-d in the firmware"),
        (INTEL | {CMDLINE: "quiet\n", "etc/os-release": "ID=fedora\n",
                  GRUB: DEFAULT.format("intel_iommu=on")},
         "run `grubby --update-kernel=ALL --args=intel_iommu=on` and reboot: intel_iommu=on is in "
         "/etc/default/grub, line 2, and the kernel was started without it; if that is not enough, "
         "turn on VT-d in the firmware"),
        # a host with a command needs no file, whatever the files say
        *((AMD | {CMDLINE: "amd_iommu=off\n", "etc/os-release": "ID=fedora\n",
                  "run/ostree-booted": "", name: text},
           "run `rpm-ostree kargs --delete-if-present=amd_iommu=off` and reboot")
          for name, text in ((GRUB, DEFAULT.format("splash")),
                             (GRUB, DEFAULT.format("amd_iommu=off")),
                             ("boot/loader/entries/a.conf", "options ro\n"))),
        *((AMD | {CMDLINE: "amd_iommu=off\n", "etc/os-release": "ID=fedora\n", GRUB: text},
           "run `grubby --update-kernel=ALL --remove-args=amd_iommu=off` and reboot")
          for text in ("x", DEFAULT.format("amd_iommu=off"))),
        (AMD | {CMDLINE: "amd_iommu=off\n", "etc/os-release": "ID=pop\n",
                "boot/efi/loader/loader.conf": "", "etc/kernel/cmdline": "quiet\n"},
         "run `kernelstub -d amd_iommu=off` and reboot"),
        (AMD | {CMDLINE: "amd_iommu=off\n", "etc/os-release": "ID=nixos\n"},
         'remove "amd_iommu=off" from boot.kernelParams, run `nixos-rebuild boot` and reboot'),
    ],
)  # fmt: skip
def test_the_iommu(vfiotop: Command, tmp_path: Path, files: dict[str, str], fix: str) -> None:
    root = tower(tmp_path / "tower", files, groups=False)
    found = checks(vfiotop("doctor", "--root", root))
    assert (found["iommu.enabled"]["verdict"], found["iommu.viable"]["verdict"]) == ("fail", "fail")
    assert found["iommu.enabled"]["fix"] == fix


@pytest.mark.parametrize(
    ("default", "stands"), [("default nixos-generation-10.conf\n", True),
                            ("default nixos-generation-9.conf\n", False), ("", False)],
)  # fmt: skip
def test_only_the_generation_that_boots_counts(
    vfiotop: Command, tmp_path: Path, default: str, *, stands: bool
) -> None:
    """Earlier ones stay as they were."""
    entries = "boot/loader/entries/nixos-generation-"
    files = INTEL | {"etc/os-release": "ID=nixos\n", CMDLINE: "quiet\n",
                     "boot/loader/loader.conf": default,
                     f"{entries}9.conf": "options iommu=off\n",
                     f"{entries}10.conf": "options intel_iommu=on\n",
                     f"{entries}11.conf": "options quiet\n"}  # fmt: skip
    if "generation-9" in default:  # a generation that was deleted
        files.pop(f"{entries}9.conf")
    root = tower(tmp_path / "tower", files, groups=False)
    fix = checks(vfiotop("doctor", "--root", root))["iommu.enabled"]["fix"]
    assert ("nixos-generation-10.conf, line 1" in fix) is stands
    assert ('add "intel_iommu=on" to boot.kernelParams' in fix) is not stands
    assert "iommu=off" not in fix


def test_an_option_that_keeps_it_off_is_the_reason(vfiotop: Command, tmp_path: Path) -> None:
    """Also without groups in the capture, which alone would prove nothing."""
    root = tower(tmp_path / "tower", AMD | {CMDLINE: "amd_iommu=off\n"}, groups=False)
    (root / "sys/kernel/iommu_groups").rmdir()
    found = checks(vfiotop("doctor", "--root", root))["iommu.enabled"]
    assert found["verdict"] == "fail"
    assert found["why"] == "the IOMMU is off: the kernel was started with amd_iommu=off"


def test_what_is_off_in_a_file_only_does_not_speak_against_an_iommu_that_is_on(
    vfiotop: Command, tmp_path: Path
) -> None:
    root = tower(tmp_path / "tower", AMD | {CMDLINE: "quiet\n", GRUB: DEFAULT.format("iommu=off")})
    assert checks(vfiotop("doctor", "--root", root))["iommu.enabled"]["verdict"] == "pass"


@pytest.mark.parametrize(("unsafe", "verdict"), [("N\n", "warn"), ("Y\n", "pass")])
def test_interrupts_that_are_not_remapped(
    vfiotop: Command, tmp_path: Path, unsafe: str, verdict: str
) -> None:
    parameters = "sys/module/vfio_iommu_type1/parameters"
    files = INTEL | {CMDLINE: "intel_iommu=on intremap=off\n"}
    files |= {f"{parameters}/allow_unsafe_interrupts": unsafe}
    found = checks(vfiotop("doctor", "--root", tower(tmp_path / "tower", files)))["iommu.enabled"]
    assert found["verdict"] == verdict
    assert ("intremap=off" in (found["fix"] or "")) is (verdict == "warn")


@pytest.mark.parametrize(
    ("grub", "fix"),
    [
        ("splash", "remove intremap=off from the kernel command line: /etc/default/grub does not "
                   "have it, so run `update-grub` and reboot"),
        ("intremap=off", "remove intremap=off from /etc/default/grub, line 2, run `update-grub` "
                         "and reboot"),
    ],
)  # fmt: skip
def test_where_their_option_stands(vfiotop: Command, tmp_path: Path, grub: str, fix: str) -> None:
    files = INTEL | {CMDLINE: "intremap=off\n", GRUB: DEFAULT.format(grub)}
    found = checks(vfiotop("doctor", "--root", tower(tmp_path / "tower", files)))["iommu.enabled"]
    assert (found["verdict"], found["fix"]) == ("warn", fix)


LOADED = {"sys/bus/pci/drivers/vfio-pci/bind": ""}
LOADABLE = {"lib/modules/6.12.0/modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko:\n"}
BUILT_IN = {"lib/modules/6.12.0/modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\n"}
NO = "etc/modprobe.d/no.conf"


AVAILABLE = "vfio-pci is available"


@pytest.mark.parametrize(
    ("files", "verdict", "why", "fix"),
    [
        (LOADABLE | {CMDLINE: "module_blacklist=vfio-pci\n"}, "fail",
         "module_blacklist=vfio-pci (/proc/cmdline)",
         "remove module_blacklist=vfio-pci from the kernel command line in the boot loader's "
         "settings and reboot"),
        (LOADABLE | {CMDLINE: "module_blacklist=nouveau,vfio_pci,x\n", GRUB:
                     DEFAULT.format("module_blacklist=nouveau,vfio_pci,x")}, "fail",
         "module_blacklist=nouveau,vfio_pci,x (/proc/cmdline)",
         "remove module_blacklist=nouveau,vfio_pci,x from /etc/default/grub, line 2, add "
         "module_blacklist=nouveau,x to GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, run "
         "`grub-mkconfig -o /boot/grub/grub.cfg` and reboot"),
        (LOADABLE | {CMDLINE: "module_blacklist=vfio-pci\n", GRUB:
                     DEFAULT.format("splash")}, "fail", "module_blacklist=vfio-pci (/proc/cmdline)",
         "remove module_blacklist=vfio-pci from the kernel command line: /etc/default/grub does "
         "not have it, so run `grub-mkconfig -o /boot/grub/grub.cfg` and reboot"),
        (LOADED | {CMDLINE: "module_blacklist=vfio-pci\n"}, "warn", "module_blacklist", "remove "),
        (LOADABLE | {NO: "# no\nblacklist vfio-pci\n"}, "warn",
         "blacklist vfio-pci (/etc/modprobe.d/no.conf, line 2)",
         "remove `blacklist vfio-pci` from /etc/modprobe.d/no.conf, line 2"),
        (LOADED | {NO: "blacklist vfio_pci\n"}, "warn", "blacklist vfio_pci (", "remove "),
        (LOADABLE | {NO: "install vfio-pci /bin/false\n"}, "fail",
         "install vfio-pci /bin/false (/etc/modprobe.d/no.conf, line 1)",
         "remove `install vfio-pci /bin/false` from /etc/modprobe.d/no.conf, line 1"),
        ({NO: "install vfio-pci /bin/false\n"}, "fail", "install vfio-pci", "remove "),
        (LOADABLE | {CMDLINE: "modprobe.blacklist=vfio-pci\n"}, "warn",
         "modprobe.blacklist=vfio-pci (/proc/cmdline)", "remove modprobe.blacklist=vfio-pci from"),
        (LOADABLE | {CMDLINE: "rd.driver.blacklist=vfio-pci\n"}, "warn", "rd.driver.blacklist",
         "remove rd.driver.blacklist=vfio-pci from"),
        (LOADABLE | {CMDLINE: "nomodule\n"}, "fail", "nomodule (/proc/cmdline)", "remove nomodule"),
        (LOADABLE | {"proc/sys/kernel/modules_disabled": "1\n"}, "fail",
         "kernel.modules_disabled is 1", "vfio-pci"),
        (LOADED | {"proc/sys/kernel/modules_disabled": "1\n"}, "pass", AVAILABLE, None),
        # a built-in driver is never loaded, so nothing can forbid that
        (BUILT_IN | {NO: "install vfio-pci /bin/false\n"}, "pass", AVAILABLE, None),
        (BUILT_IN | {NO: "blacklist vfio-pci\n"}, "pass", AVAILABLE, None),
        (BUILT_IN | {CMDLINE: "module_blacklist=vfio-pci\n"}, "pass", AVAILABLE, None),
        (BUILT_IN | LOADABLE, "pass", AVAILABLE, None),
        (BUILT_IN | {"proc/sys/kernel/modules_disabled": "1\n"}, "pass", AVAILABLE,
         None),
        (LOADABLE | {"lib/modules/6.12.0/modules.builtin": "kernel/x/vfio-pci-core.ko\n",
                     NO: "install vfio-pci /bin/false\n"}, "fail", "install vfio-pci", "remove "),
        (LOADABLE | {CMDLINE: "vfio-pci.ids=10de:2482 iommu.passthrough=1 pci=noats\n",
                     NO: "blacklist nouveau\nblacklist nvidiafb\n"}, "pass", AVAILABLE,
         None),
    ],
)  # fmt: skip
def test_vfio_pci(
    vfiotop: Command, tmp_path: Path, files: dict[str, str], verdict: str, why: str,
    fix: str | None,
) -> None:  # fmt: skip
    found = checks(vfiotop("doctor", "--root", tower(tmp_path / "tower", files)))["vfio.available"]
    assert found["verdict"] == verdict, found
    assert why in found["why"]
    assert (found["fix"] is None) is (fix is None)
    assert (found["fix"] or "").startswith(fix or "") or fix == "vfio-pci"


NVIDIA = {
    "proc/driver/nvidia/version":
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1.01  Thu Jan 1 00:00:00 UTC 2024\n",
    "sys/module/nvidia_drm/parameters/modeset": "Y\n", "etc/os-release": "ID=debian\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({}, "update the driver, or set `options nvidia_drm modeset=0` in /etc/modprobe.d and "
             "reboot, since the host GPU needs nvidia_drm"),
        ({"etc/modprobe.d/nv.conf": "options nvidia-drm modeset=1\n"},
         "update the driver, or set modeset=0 in /etc/modprobe.d/nv.conf, line 1 "
         "(options nvidia-drm modeset=1), and reboot"),
        # the next version of the package would overwrite its file
        *(({f"{folder}/modprobe.d/nv.conf": "# a\noptions nvidia-drm modeset=1 fbdev=1\n"},
           f"update the driver, or copy /{folder}/modprobe.d/nv.conf to /etc/modprobe.d, where it "
           "overrides the package's, set modeset=0 there in line 2 (options nvidia-drm "
           "modeset=1 fbdev=1), and reboot") for folder in ("usr/lib", "lib", "usr/local/lib")),
        *(({"etc/os-release": "ID=nixos\n"} | files,
           "update the driver, or set hardware.nvidia.modesetting.enable to false, run "
           "`nixos-rebuild boot` and reboot")
          for files in ({}, {"etc/modprobe.d/nixos.conf": "options nvidia-drm modeset=1\n"},
                        {CMDLINE: "nvidia-drm.modeset=1\n"})),
        ({"usr/lib/modprobe.d/nv.conf": "options nvidia_drm modeset=0\n"},
         "update the driver, or reboot: options nvidia_drm modeset=0 (/usr/lib/modprobe.d/nv.conf, "
         "line 1) takes effect then; if the initramfs loads nvidia_drm, rebuild it first"),
        ({CMDLINE: "nvidia-drm.modeset=1\n", GRUB: DEFAULT.format("nvidia-drm.modeset=1")},
         "update the driver, or remove nvidia-drm.modeset=1 from /etc/default/grub, line 2, run "
         "`update-grub` and reboot"),
        ({CMDLINE: "nvidia-drm.modeset=1\n", GRUB: DEFAULT.format("splash")},
         "update the driver, or remove nvidia-drm.modeset=1 from the kernel command line: "
         "/etc/default/grub does not have it, so run `update-grub` and reboot"),
        ({CMDLINE: "nvidia_drm.modeset=1\n", "etc/modprobe.d/nv.conf":
          "options nvidia_drm modeset=0\n"},
         "update the driver, or remove nvidia_drm.modeset=1 from the kernel command line in the "
         "boot loader's settings and reboot"),
    ],
)  # fmt: skip
def test_nvidias_modeset(vfiotop: Command, tmp_path: Path, files: dict[str, str], fix: str) -> None:
    root = tower(tmp_path / "tower", NVIDIA | files)
    found = checks(vfiotop("doctor", "--root", root))["nvidia.release"]
    assert (found["verdict"], found["fix"]) == ("fail", fix)


def test_what_a_file_has_is_shown_and_never_run(vfiotop: Command, tmp_path: Path) -> None:
    """A hostile boot loader file, made to harm a shell or the terminal."""
    files = AMD | {CMDLINE: "amd_iommu=off,`reboot`\x1b[2J\n",
                   GRUB: "GRUB_CMDLINE_LINUX='amd_iommu=off,`reboot`\x1b[2J'\n"}  # fmt: skip
    root = tower(tmp_path / "tower", files | {"etc/os-release": "ID=fedora\n"}, groups=False)
    fix = checks(vfiotop("doctor", "--root", root))["iommu.enabled"]["fix"]
    assert fix.isprintable()
    assert "'--remove-args=amd_iommu=off,`reboot`" in fix


def test_a_change_of_any_host_is_a_whole_sentence(tmp_path: Path) -> None:
    for n, files in enumerate(
        ({"boot/limine.conf": "cmdline: a\n"}, {"boot/refind_linux.conf": '"x" "a"\n'},
         {"etc/default/limine": "KERNEL_CMDLINE[default]=a\n"},
         {"etc/os-release": "ID=pop\n", "boot/efi/loader/loader.conf": ""})
    ):  # fmt: skip
        root = PlainTree(tower(tmp_path / str(n), files))
        booted = boot(root)
        fix = change_options(
            booted, ["b=1"], ["a"], [o.place for o in written_options(root, booted)[0]]
        )
        assert fix.endswith("and reboot")
        assert "b=1" in fix


def test_nothing_is_known_of_a_host_by_default() -> None:
    unknown = Readiness(root=False, vfio_pci=None)
    assert (unknown.settings.running, unknown.settings.written, unknown.captured) == (
        None, (), False,
    )  # fmt: skip
