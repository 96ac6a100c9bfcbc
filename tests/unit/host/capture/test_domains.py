"""A domain's XML after redaction: what vfiotop reads of it is the same."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.captured import domain
from tests.unit.host.capture.towers import GUEST, MAC, PASSWORD, SERIAL, USER, UUID
from tui.host.capture import domains
from tui.host.capture.memory import MemoryTree
from tui.host.capture.standins import Personal, StandIns
from tui.host.libvirt.domain_files import read
from tui.host.libvirt.domain_xml import TEXT_LIMIT, Definition, DefinitionError, definition

QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
ADDRESS = "<address domain='0x0000' bus='0x0a' slot='0x00' function='0x1'/>"
PARTS = (
    "<vcpu placement='static' current='2'>4</vcpu>", "<vcpu>many</vcpu>",
    "<memory unit='GiB'>8</memory>", "<currentMemory>4194304</currentMemory>",
    "<features><kvm><hidden state='on'/></kvm></features>",
    f"<devices><hostdev mode='subsystem' type='pci' managed='yes'><source>{ADDRESS}</source>"
    "<rom file='/x/y.rom'/></hostdev></devices>",
    f"<devices><hostdev type='pci'><source>{ADDRESS}</source><rom bar='off'/></hostdev></devices>",
    f"<devices><hostdev mode='subsystem' type='mdev'><source><address uuid='{UUID}'/></source>"
    "</hostdev></devices>",
    f"<devices><interface type='hostdev' managed='yes'><source>{ADDRESS}</source></interface>"
    "</devices>",
    f"<devices><interface type='network'><actual type='hostdev'><source>{ADDRESS}</source>"
    "</actual></interface></devices>",
    f"<devices><disk type='nvme'><source type='pci' managed='yes' namespace='1'>{ADDRESS}</source>"
    "</disk></devices>",
    f"<devices><disk type='file'><source file='/a'/><backingStore type='nvme'><source>{ADDRESS}"
    "</source></backingStore></disk></devices>",
    "<devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' "
    "state='connected'/></channel></devices>",
    "<devices><channel type='unix'><target name='org.qemu.guest_agent.0'/></channel></devices>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-device'/>"
    "<qemu:arg value='vfio-pci,host=27:00.0,id=x'/></qemu:commandline>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-device'/><qemu:arg value='vfio-pci,fd=3'/>"
    "</qemu:commandline>",
    f"<qemu:override {QEMU}><qemu:device alias='a'><qemu:frontend>"
    "<qemu:property name='host' type='string' value='0000:02:00.0'/></qemu:frontend></qemu:device>"
    "</qemu:override>",
    f"<qemu:override {QEMU}><qemu:device alias='a'><qemu:frontend>"
    "<qemu:property name='fd' type='string' value='9'/></qemu:frontend></qemu:device>"
    "</qemu:override>",
    f"<qemu:override {QEMU}><qemu:device alias='a'><qemu:frontend>"
    f"<qemu:property name='sysfsdev' type='string' value='/sys/bus/mdev/devices/{UUID}'/>"
    "<qemu:property name='x-y' type='string' value='z'/></qemu:frontend></qemu:device>"
    "</qemu:override>",
    f"<qemu:override {QEMU}><qemu:device alias='a'><qemu:frontend>"
    "<qemu:property name='sysfsdev' type='string' value='/sys/a/../b'/></qemu:frontend>"
    "</qemu:device></qemu:override>",
    "<memory unit='GiB'>16</memory><memoryBacking><hugepages><page size='1' unit='G'/></hugepages>"
    "<locked/></memoryBacking><memtune><hard_limit unit='GiB'>17</hard_limit></memtune>",
    "<numatune><memory mode='strict' nodeset='0-1'/></numatune><os firmware='efi'/>",
    "<devices><memballoon model='none'/><shmem name='looking-glass'><size unit='M'>64</size>"
    "</shmem></devices>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-fw_cfg'/>"
    "<qemu:arg value='name=opt/ovmf/X-PciMmio64Mb,string=65536'/></qemu:commandline>",
    "<devices><controller type='pci' index='0' model='pcie-root'><pcihole64 unit='KiB'>0"
    "</pcihole64></controller></devices>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-global'/>"
    "<qemu:arg value='q35-pcihost.pci-hole64-size=2048G'/></qemu:commandline>",
    "<memoryBacking><source type='memfd'/><allocation mode='immediate'/></memoryBacking>",
    "<cpu><numa><cell id='0' memory='4' unit='GiB'/></numa></cpu><devices><memory model='dimm'>"
    "<source><pagesize unit='MiB'>2</pagesize><nodemask>0-1</nodemask></source>"
    "<target><size unit='GiB'>8</size><node>0</node></target></memory>"
    "<memory model='virtio-mem'><target><requested unit='GiB'>8</requested></target></memory>"
    "</devices>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-mem-path'/><qemu:arg value='/dev/hugepages/x'/>"
    "</qemu:commandline>",
    f"<qemu:commandline {QEMU}><qemu:arg value='-machine'/>"
    "<qemu:arg value='q35,memory-backend=own'/><qemu:arg value='-numa'/>"
    "<qemu:arg value='node,memdev=own'/></qemu:commandline>",
    "<devices><hostdev type='pci'><source/></hostdev></devices>",
    "<devices><hostdev type='pci'><source><address bus='x'/></source></hostdev></devices>",
    "<devices><hostdev type='mdev'><source><address uuid='x'/></source></hostdev></devices>",
)  # fmt: skip


def known(xml: str | bytes) -> Definition | str:
    data = xml.encode() if isinstance(xml, str) else xml
    try:
        return definition(read(MemoryTree({"x": data}, "t"), "x").xml, "stand-in")
    except DefinitionError as error:
        return str(error)


def unnamed(found: Definition | str) -> Definition | str:
    """Without its UUIDs, which get stand-ins, and paths."""
    if isinstance(found, str):
        return found
    hostdevs = tuple(replace(dev, rom_file=None) for dev in found.hostdevs)
    return replace(found, uuid="", mdevs=("",) * len(found.mdevs), hostdevs=hostdevs)


def told(xml: str | bytes, stand_ins: StandIns | None = None) -> bytes:
    data = xml.encode() if isinstance(xml, str) else xml
    return domains.file(data, stand_ins or StandIns(), domains.redacted)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=4), st.sampled_from(["", " id='3'"]))
def test_what_is_read_of_a_definition_is_the_same(parts: list[str], running: str) -> None:
    xml = domain("win11", UUID, running).replace("</domain>", f"{''.join(parts)}</domain>")
    assert unnamed(known(told(xml))) == unnamed(known(xml))
    stripped = domains.file(xml.encode(), StandIns(), domains.without_secrets)
    assert known(stripped) == known(xml)


@pytest.mark.parametrize(
    "xml",
    [
        "", "<domain>", "<other/>", "<domain/>", "<domain><name> </name></domain>",
        "<!DOCTYPE a><domain/>", " " * (TEXT_LIMIT + 1), b"<\xff>", b"\xff\xfe<\0",
        "<?xml version='1.0' encoding='utf-8'?><!-- x --><domain><name>a</name></domain>",
        "\ufeff<domain><name>a</name></domain>",
        b"<domain><name>a</name></domain>\0\0",
        "<domain><name>a</name></domain>".encode("utf-16"),
        b"<?xml version='1.0' encoding='latin1'?><domain><name>\xe4</name></domain>",
        "<domstatus state='paused' reason='x'><domain id='1'><name>a</name></domain></domstatus>",
        "<domainsnapshot><name>s</name><domain><name>a</name></domain></domainsnapshot>",
    ],
)  # fmt: skip
def test_odd_files_stay_as_odd(xml: str | bytes) -> None:
    assert known(told(xml)) == known(xml)


def test_states_and_snapshots_stay() -> None:
    def written(data: bytes) -> tuple[object, object]:
        found = read(MemoryTree({"x": data}, "t"), "x")
        return found.state, found.snapshot

    state = b"<domstatus state='paused' reason='x'><domain><name>a</name></domain></domstatus>"
    snapshot = b"<domainsnapshot><domain><name>a</name></domain></domainsnapshot>"
    assert written(told(state)) == ("paused", False)
    assert written(told(snapshot)) == (None, True)


def test_an_unknown_encoding_is_not_told() -> None:
    xml = f"<?xml version='1.0' encoding='{USER}'?><domain/>"
    assert USER.encode() not in told(xml)


def test_the_structure_stays() -> None:
    root = ElementTree.fromstring(told(GUEST))
    devices = root.find("devices")
    assert devices is not None
    assert {e.get("type") for e in root.iterfind("devices/graphics")} == {"vnc", "spice"}
    assert {e.get("passwd") for e in root.iterfind("devices/graphics")} == {"redacted"}
    assert [e.get("dev") for e in root.iterfind("devices/disk/target")] == ["vda", "vdb"]
    assert [e.attrib for e in root.iterfind("devices/interface/mac")] == [
        {"address": "52:54:00:00:00:01"}
    ]
    assert root.find("metadata") is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("win11", "win11"), ("Windows 11", "Windows 11"), (f"{USER}-vm", "guest-1"),
        (f"my{USER.upper()}", "guest-1"), ("tower", "guest-1"), (f"vm-{MAC}", "guest-1"),
        (UUID, "guest-1"), ("vm 10.0.0.3", "guest-1"),
    ],
)  # fmt: skip
def test_names_of_domains(name: str, shown: str) -> None:
    found = known(told(domain(name), StandIns(Personal(["tower"], [USER]))))
    assert isinstance(found, Definition)
    assert found.name == shown


def test_a_uuid_is_the_same_in_every_spelling() -> None:
    stand_ins = StandIns()
    spellings = (UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}")
    found = {known(told(domain("a", each), stand_ins)) for each in spellings}
    assert len(found) == 1


def test_what_was_left_out_is_counted() -> None:
    stand_ins = StandIns(Personal([], [USER]))
    told(GUEST, stand_ins)
    counts = stand_ins.counts()
    assert counts["passwords and secrets"] >= 3
    assert counts["serial numbers"] >= 2
    assert counts["elements of other programs"] == 1
    stripped = StandIns()
    xml = domains.file(GUEST.encode(), stripped, domains.without_secrets)
    assert PASSWORD.encode() not in xml and SERIAL.encode() in xml and MAC.encode() in xml
    assert stripped.counts()["passwords and secrets"] >= 3
