"""QEMU's command lines: what they take is the same after redaction, and all else is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.capture.towers import UUID
from tests.unit.host.libvirt.test_qemu_args import lines
from tui.host.capture.qemu import arguments, without_secrets
from tui.host.capture.standins import StandIns
from tui.host.libvirt.qemu_args import host_arguments

TOLD = ["-display", "none", "-device", "vfio-pci,host=0a:00.0", "-nodefaults"]


def taken(words: list[str]) -> tuple[object, object, object]:
    found = host_arguments(words)
    return found.functions, [parent for _, parent in found.mdevs], found.doubt


@given(lines())
def test_every_spelling_takes_the_same(line: tuple[list[str], str]) -> None:
    words, _ = line
    assert taken(arguments(words, StandIns())) == taken(words)


@given(st.lists(st.text(max_size=30) | st.sampled_from(
    ["-device", "vfio-pci", "-set", "nvme://01:00.0", "json:{", "-readconfig", "-drive"]),
    max_size=6))  # fmt: skip
def test_any_words_take_the_same(words: list[str]) -> None:
    assert taken(arguments(words, StandIns())) == taken(words)


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=somewhere"], ["-device", "vfio-pci,fd=9"],
        ["-device", "vfio-pci-next,host=01:00.0"], ["-device", '{"driver": "vfio-pci", "host": '],
        ["-device", "vfio-pci,sysfsdev=/sys/class/drm/card1/device"],
        ["-device", "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:01:00.0/../0000:02:00.0"],
        ["-device", "vfio-pci,sysfsdev="], ["-add-device", "vfio-pci,host=01:00.0"],
        ["-readconfig", "/etc/vm.cfg"], ["-drive", "file=nvme://card/1"],
        ["-device", f"vfio-pci,sysfsdev=/sys/bus/mdev/devices/{UUID}"],
        ["-device", f"vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:00:02.0/{UUID.upper()}"],
        ["-drive", 'file=json:{"driver":"nvme",,"device":"0000:02:00.0"}'],
        ["-blockdev", "virtio-blk-vfio-pci,path=/sys/bus/pci/devices/0000:02:00.0"],
        ["-global", "driver=vfio-pci,property=host,value=01:00.0"],
        ["-device vfio-pci,host=01:00.0 -device vfio-pci,host=01:00.1"],
    ],
)  # fmt: skip
def test_other_spellings_and_doubts_stay(words: list[str]) -> None:
    told = arguments(words, StandIns())
    assert taken(told) == taken(words)
    assert UUID not in "".join(told).lower()


def test_a_line_without_secrets_stays_as_it_is() -> None:
    assert arguments(TOLD, StandIns())[2:4] == TOLD[2:4]
    assert without_secrets(TOLD, StandIns()) == TOLD


SECRET = "Gurkensalat7"


@pytest.mark.parametrize(
    "words",
    [
        ["-object", f"secret,id=s0,data={SECRET},format=raw"],
        ["-object", f'{{"qom-type": "secret", "data": "{SECRET}"}}'],
        ["-object", f"tls-creds-x509,id=a,passwordid={SECRET}"],
        ["-fw_cfg", f"name=opt/x,string={SECRET}"], ["-smbios", f"type=11,value={SECRET}"],
        ["-append", f"quiet token={SECRET}"], ["-drive", f"file=rbd:x:key={SECRET}"],
        ["-vnc", f":0,password-secret={SECRET}"], ["-iscsi", f"user=a,password={SECRET}"],
        [f"-fw_cfg=name=opt/x,string={SECRET}"], [f"--object=secret,id=a,data={SECRET}"],
    ],
)  # fmt: skip
def test_secrets_are_in_no_capture(words: list[str]) -> None:
    for change in (arguments, without_secrets):
        assert SECRET not in "".join(change(words, StandIns()))
