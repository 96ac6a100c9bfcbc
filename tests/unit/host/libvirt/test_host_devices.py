"""Everything that a domain takes from the host, by the elements of its definition."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.host.libvirt.domain_xml import DefinitionError, definition, with_mdev_parents
from tui.host.tree import PlainTree
from tui.model import HostDev

UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
MDEV = "c2177883-f1bb-47f0-914d-32a22e3a8804"
NVME = (
    "<source type='pci' managed='yes' namespace='1'>"
    "<address domain='0x0000' bus='0x02' slot='0x00' function='0x0'/></source>"
)
SPACE = "http://libvirt.org/schemas/domain/qemu/1.0"


def domain(devices: str = "", more: str = "", *, runs: bool = False) -> str:
    return (
        f"<domain type='kvm'{' id=' + chr(39) + '5' + chr(39) if runs else ''}><name>vm</name>"
        f"<uuid>{UUID}</uuid><devices>{devices}</devices>{more}</domain>"
    )


def by_qemu(*words: str, prefix: str = "qemu") -> str:
    args = "".join(f"<{prefix}:arg value='{word}'/>" for word in words)
    name = f"{prefix}:commandline"
    return domain(more=f"<{name} xmlns:{prefix}='{SPACE}'>{args}</{name}>")


@pytest.mark.parametrize(
    "disk",
    [
        f"<disk type='nvme' device='disk'>{NVME}<target dev='vda'/></disk>",
        f"<disk type='file'><source file='/a'/><mirror type='nvme'>{NVME}</mirror></disk>",
        f"<disk type='file'><source file='/a'/><backingStore type='nvme'>{NVME}"
        "<backingStore/></backingStore></disk>",
        "<disk type='file'><source file='/a'/><backingStore type='file'><source file='/b'/>"
        f"<backingStore type='nvme'>{NVME}</backingStore></backingStore></disk>",
    ],
)  # fmt: skip
def test_a_disk_that_is_a_function(disk: str) -> None:
    assert definition(domain(disk)).hostdevs == (HostDev("0000:02:00.0", True, "disk"),)


def test_a_disk_that_does_not_say_which() -> None:
    with pytest.raises(DefinitionError, match="a PCI disk has no address"):
        definition(domain("<disk type='nvme'><source type='pci'/></disk>"))


def test_disks_that_stay_with_the_host() -> None:
    disks = "<disk type='block'><source dev='/dev/nvme0n1'/></disk><disk type='vhostuser'/>"
    assert definition(domain(disks)).hostdevs == ()


ACTUAL = (
    "<interface type='network'><source network='vfs'/><actual type='{}' {}>"
    "<source><address type='{}' domain='0x0000' bus='0x05' slot='0x10' function='0x2'/></source>"
    "</actual></interface>"
)


@pytest.mark.parametrize(
    ("word", "managed"), [("managed='yes'", True), ("managed='no'", False), ("", False)]
)
def test_a_function_that_a_network_has_lent(word: str, managed: bool) -> None:
    found = definition(domain(ACTUAL.format("hostdev", word, "pci"), runs=True))
    assert found.hostdevs == (HostDev("0000:05:10.2", managed, "interface"),)


def test_an_interface_of_a_network_that_lends_no_function() -> None:
    for kind, bus in (("direct", "pci"), ("bridge", "pci"), ("hostdev", "usb")):
        assert definition(domain(ACTUAL.format(kind, "", bus), runs=True)).hostdevs == ()


def test_a_network_that_does_not_say_which_function_it_has_lent() -> None:
    lent = "<interface type='network'><actual type='hostdev'><source/></actual></interface>"
    with pytest.raises(DefinitionError, match="a PCI interface has no address"):
        definition(domain(lent, runs=True))


@pytest.mark.parametrize("prefix", ["qemu", "q", "ns0"])
def test_arguments_for_qemu(prefix: str) -> None:
    found = definition(by_qemu("-device", "vfio-pci,host=27:00.0", prefix=prefix))
    assert found.hostdevs == (HostDev("0000:27:00.0", False, "command line"),)
    assert found.unclear is None


@pytest.mark.parametrize(("more", "well"), [(0, True), (1, False)])
def test_more_devices_than_a_guest_can_have(more: int, well: bool) -> None:
    """Every check compares them with each other."""
    hostdev = (
        "<hostdev mode='subsystem' type='pci'><source>"
        "<address domain='{}' bus='1' slot='0' function='0'/></source></hostdev>"
    )
    mdev = f"<hostdev type='mdev'><source><address uuid='{MDEV}'/></source></hostdev>"
    xml = domain("".join(hostdev.format(n) for n in range(255 + more)) + mdev)
    if well:
        assert len(definition(xml).hostdevs) == 255
    else:
        with pytest.raises(DefinitionError, match="names more than 256 host devices"):
            definition(xml)


def test_arguments_of_another_namespace_are_not_for_qemu() -> None:
    xml = by_qemu("-device", "vfio-pci,host=27:00.0").replace(SPACE, "http://example.org/1.0")
    assert definition(xml).hostdevs == ()


def test_arguments_that_cannot_be_read_leave_the_rest() -> None:
    found = definition(by_qemu("-readconfig", "/a", "-device", "vfio-pci,host=27:00.0"))
    assert [dev.address for dev in found.hostdevs] == ["0000:27:00.0"]
    assert "-readconfig" in (found.unclear or "")


def test_a_property_that_is_overridden() -> None:
    more = (
        f"<q:override xmlns:q='{SPACE}'><q:device alias='hostdev0'><q:frontend>"
        "<q:property name='host' type='string' value='0000:03:00.0'/>"
        "<q:property name='x-vga' type='remove'/></q:frontend></q:device></q:override>"
    )
    assert [dev.address for dev in definition(domain(more=more)).hostdevs] == ["0000:03:00.0"]


# --- mediated devices ------------------------------------------------------------------

SHARE = (
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
    f"<source><address uuid='{MDEV.upper()}'/></source></hostdev>"
)


def with_link(root: Path) -> None:
    (root / "sys/bus/mdev/devices").mkdir(parents=True)
    to = f"../../../devices/pci0000:00/0000:00:02.0/{MDEV}"
    (root / "sys/bus/mdev/devices" / MDEV).symlink_to(to)


def with_folder(root: Path) -> None:
    (root / "sys/bus/pci/devices/0000:00:02.0" / MDEV).mkdir(parents=True)
    (root / "sys/bus/pci/devices/0000:00:1f.0").mkdir()


@pytest.mark.parametrize("make", [with_link, with_folder])
def test_an_mdev_stands_with_its_card(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path)
    found = with_mdev_parents(definition(domain(SHARE, runs=True)), PlainTree(tmp_path))
    assert found.hostdevs == (HostDev("0000:00:02.0", False, "mdev"),)
    assert found.unclear is None


def test_an_mdev_of_no_pci_function(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/mdev/devices").mkdir(parents=True)
    (tmp_path / "sys/bus/mdev/devices" / MDEV).symlink_to(f"../../../devices/vfio_ap/matrix/{MDEV}")
    found = with_mdev_parents(definition(domain(SHARE, runs=True)), PlainTree(tmp_path))
    assert (found.hostdevs, found.unclear) == ((), None)


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("here", [True, False])
def test_an_mdev_that_is_not_found(*, runs: bool, here: bool, tmp_path: Path) -> None:
    """The mdev of a guest that is off may not exist yet."""
    found = with_mdev_parents(
        definition(domain(SHARE, runs=runs)), PlainTree(tmp_path) if here else None
    )
    assert found.hostdevs == ()
    assert (found.unclear is not None) == runs


@pytest.mark.parametrize("uuid", ["", "uuid=''", "uuid='../../0000:01:00.0'"])
def test_an_mdev_without_a_uuid(uuid: str) -> None:
    with pytest.raises(DefinitionError, match="no valid UUID"):
        definition(domain(f"<hostdev type='mdev'><source><address {uuid}/></source></hostdev>"))
