"""What a QEMU command line takes: spellings are built from an address, and parsed back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.libvirt.qemu_args import (
    HostArguments,
    host_address,
    host_arguments,
    override_arguments,
)

UUID = "c2177883-f1bb-47f0-914d-32a22e3a8804"

addresses = st.tuples(
    st.sampled_from([0, 1, 0xABCD, 0x10000]), st.integers(0, 0xFF), st.integers(0, 0x1F),
    st.integers(0, 7),
)  # fmt: skip


def written(address: tuple[int, int, int, int]) -> str:
    domain, bus, slot, function = address
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


@st.composite
def hosts(draw: st.DrawFn, address: tuple[int, int, int, int]) -> str:
    """Spellings of an address that QEMU's ``host=`` accepts."""
    domain, bus, slot, function = address
    digits = draw(st.sampled_from(["{:x}", "{:02x}", "{:04X}", "0x{:x}", " {:x}", "+{:x}"]))
    with_domain = domain or draw(st.booleans())
    head = f"{digits.format(domain)}:" if with_domain else ""
    return f"{head}{digits.format(bus)}:{digits.format(slot)}.{function}"


@st.composite
def lines(draw: st.DrawFn) -> tuple[list[str], str]:
    """Command lines with one device in them, and the device's address."""
    address = draw(addresses)
    name = written(address)
    driver = draw(st.sampled_from(["vfio-pci", "vfio-pci-nohotplug"]))
    value = draw(hosts(address))
    path = draw(st.sampled_from([
        f"/sys/bus/pci/devices/{name}", f"/sys/bus/pci/devices/{name}/",
        f"/sys/devices/pci0000:00/0000:00:01.0/{name}", f"/sys//bus/pci/devices/./{name.upper()}",
    ]))  # fmt: skip
    given_by = draw(st.sampled_from([("host", value), ("sysfsdev", path)]))
    more = draw(st.lists(st.sampled_from([
        ("id", "hostpci0"), ("bus", "pcie.0"), ("addr", "0x10.0"), ("multifunction", "on"),
        ("romfile", "/a, b=c"), ("x-vga", "on"),
    ]), unique=True))  # fmt: skip
    pairs = draw(st.permutations([given_by, *more]))
    if draw(st.booleans()):
        argument = json.dumps({"driver": driver} | dict(pairs))
        if draw(st.booleans()) and "'" not in argument:
            argument = argument.replace('"', "'")
    else:
        plain = [f"{key}={text.replace(',', ',,')}" for key, text in pairs]
        named = draw(st.booleans())
        argument = ",".join([*plain, f"driver={driver}"] if named else [driver, *plain])
    option = draw(st.sampled_from(["-device", "--device"]))
    words = draw(st.sampled_from([[option, argument], [f"{option}={argument}"]]))
    before = draw(st.sampled_from([[], ["-nodefaults"], ["-m", "8G"], ["-cpu", "host,-vmx"]]))
    return [*before, *words, "-display", "none"], name


@given(lines())
def test_every_spelling_of_a_device(line: tuple[list[str], str]) -> None:
    words, name = line
    found = host_arguments(words)
    assert (found.functions, found.doubt) == ([name], None)


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=40), max_size=6))
def test_no_words_are_too_odd(words: list[str]) -> None:
    assert isinstance(host_arguments(["-device", *words]), HostArguments)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("27:00.0", "0000:27:00.0"), ("0000:0A:1f.7", "0000:0a:1f.7"), ("01:00", "0000:01:00.0"),
        ("0000:01:00", "0000:01:00.0"), ("10000:e1:00.0", "10000:e1:00.0"),
        ("01:00.8", None), ("100:00.0", None), ("01:20.0", None), ("x:00.0", None), ("", None),
        ("01:00.0x", None), ("-1:00.0", None), ("0000:01:00.0,x", None), ("01:00.a", None),
    ],
)  # fmt: skip
def test_an_address_as_qemu_reads_it(text: str, address: str | None) -> None:
    assert host_address(text) == address


@pytest.mark.parametrize(
    ("words", "functions"),
    [
        (["-device", "vfio-pci,host=01:00.0,host=02:00.0"], ["0000:02:00.0"]),
        (["-device vfio-pci,host=01:00.0 -device vfio-pci,host=01:00.1"],
         ["0000:01:00.0", "0000:01:00.1"]),
        (['-device {"driver": "vfio-pci", "host": "01:00.0"}'], ["0000:01:00.0"]),
        (["-device", "vfio-pci,host=01:00.0,sysfsdev=/sys/bus/pci/devices/0000:02:00.0"],
         ["0000:02:00.0"]),
        (["-device", "kvm-pci-assign,host=01:00.0"], ["0000:01:00.0"]),
        (["-device", "xen-pci-passthrough,hostaddr=0000:01:00.0"], ["0000:01:00.0"]),
        (["-device", "e1000,id=a", "-set", "device.b.host=01:00.0"], ["0000:01:00.0"]),
        (["-global", "vfio-pci.host=01:00.0"], ["0000:01:00.0"]),
        (["-global", "driver=vfio-pci,property=host,value=01:00.0"], ["0000:01:00.0"]),
        (["-drive", "file=nvme://0000:02:00.0/1,if=none"], ["0000:02:00.0"]),
        (["-drive", "file.driver=nvme,file.device=0000:02:00.0,file.namespace=1"],
         ["0000:02:00.0"]),
        (["-blockdev", "nvme,node-name=a,device=0000:02:00.0,namespace=1"], ["0000:02:00.0"]),
        (["-blockdev", '{"driver": "raw", "file": {"driver": "nvme", "device": "0000:02:00.0"}}'],
         ["0000:02:00.0"]),
        (["-drive", 'file=json:{"driver":"nvme",,"device":"0000:02:00.0"}'], ["0000:02:00.0"]),
        (["-blockdev", "virtio-blk-vfio-pci,path=/sys/bus/pci/devices/0000:02:00.0"],
         ["0000:02:00.0"]),
        (["nvme://0000:02:00.0/1"], ["0000:02:00.0"]),
    ],
)  # fmt: skip
def test_other_ways_to_take_a_function(words: list[str], functions: list[str]) -> None:
    found = host_arguments(words)
    assert (found.functions, found.doubt) == (functions, None)


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "nvme,drive=a,serial=b"], ["-device", "virtio-net-pci,host_mtu=1500"],
        ["-append", "vfio-pci.ids=10de:2684"], ["-append", "-device vfio-pci,host=01:00.0"],
        ["-name", "vfio-pci"], ["-drive", "file=/img/vfio-pci.qcow2"],
        ["-device", "vfio-pci-igd-lpc-bridge"], ["-device", "vfio-ap,sysfsdev=/sys/devices/ap"],
        ["-device", "usb-host,hostbus=1,hostaddr=2"], ["-set", "device.usb0.hostaddr=3"],
        ["-device"], [],
    ],
)  # fmt: skip
def test_what_takes_nothing(words: list[str]) -> None:
    assert host_arguments(words) == HostArguments()


@pytest.mark.parametrize(
    "words",
    [
        ["-device", "vfio-pci,host=somewhere"], ["-device", "vfio-pci,fd=9"],
        ["-device", "vfio-pci"], ["-device", "vfio-pci-next,host=01:00.0"],
        ["-device", '{"driver": "vfio-pci", "host": '], ["-device", '{"a":' * 2000],
        ["-device", "vfio-pci,sysfsdev=/sys/class/drm/card1/device"],
        ["-device", "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:01:00.0/../0000:02:00.0"],
        ["-device", '"vfio-pci,host=01:00.0"'], ["vfio-pci,host=01:00.0"],
        ["-add-device", "vfio-pci,host=01:00.0"], ["-readconfig", "/etc/vm.cfg"],
        ["-drive", "file=nvme://card/1"],
    ],
)  # fmt: skip
def test_what_may_take_anything(words: list[str]) -> None:
    """The readable part counts in addition to the doubt."""
    found = host_arguments([*words, "-device", "vfio-pci,host=05:00.0"])
    assert found.doubt is not None
    assert found.functions == ["0000:05:00.0"]


@pytest.mark.parametrize(
    ("path", "of"),
    [
        (f"/sys/bus/mdev/devices/{UUID}", None),
        (f"/sys/bus/pci/devices/0000:00:02.0/{UUID.upper()}", "0000:00:02.0"),
        (f"/sys/class/mdev_bus/0000:00:02.0/{UUID}", "0000:00:02.0"),
    ],
)
def test_an_mdev(path: str, of: str | None) -> None:
    found = host_arguments(["-device", f"vfio-pci,sysfsdev={path},display=on"])
    assert (found.functions, found.mdevs, found.doubt) == ([], [(UUID, of)], None)


def test_properties_that_libvirt_overrides() -> None:
    assert override_arguments({"host": "0000:02:00.0", "x-vga": "on"}).functions == ["0000:02:00.0"]
    assert override_arguments({"sysfsdev": "/sys/bus/pci/devices/0000:02:00.0"}).functions == [
        "0000:02:00.0"
    ]  # fmt: skip
    assert override_arguments({"fd": "9"}).doubt is not None
    assert override_arguments({"hostaddr": "3"}) == HostArguments()
