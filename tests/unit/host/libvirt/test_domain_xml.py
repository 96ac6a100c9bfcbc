"""Parsing domain XML: what libvirt writes, and what it would never write."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.examples import examples
from tui.host.libvirt.domain_xml import TEXT_LIMIT, Definition, DefinitionError, definition
from tui.model import DomainSetup, HostDev, MemoryPart, Pinning, UsbHostDev

UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"

WIN11 = f"""\
<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>win11</name>
  <uuid>{UUID}</uuid>
  <memory unit='KiB'>33554432</memory>
  <currentMemory unit='GiB'>16</currentMemory>
  <vcpu placement='static' current='8'>16</vcpu>
  <devices>
    <interface type='network'>
      <source network='default'/>
      <address type='pci' domain='0x0000' bus='0x09' slot='0x00' function='0x0'/>
    </interface>
    <interface type='hostdev' managed='yes'>
      <source><address type='pci' domain='0x0000' bus='0x05' slot='0x10' function='0x2'/></source>
    </interface>
    <interface type='hostdev'>
      <source><address type='usb' bus='1' device='2'/></source>
    </interface>
    <channel type='unix'>
      <target type='virtio' name='com.redhat.spice.0' state='disconnected'/>
    </channel>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>
    </channel>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <driver name='vfio'/>
      <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>
      <alias name='hostdev0'/>
      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>
    </hostdev>
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0' bus='1' slot='0' function='1'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='usb'>
      <source><vendor id='0x046D'/><product id='0xc08b'/><address bus='3' device='12'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='mdev' model='vfio-pci'>
      <source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>
    </hostdev>
  </devices>
  <qemu:commandline><qemu:arg value='-nodefaults'/></qemu:commandline>
</domain>
"""


def domain(inner: str = "", name: str = "vm", attributes: str = "") -> str:
    return f"<domain{attributes}><name>{name}</name><uuid>{UUID}</uuid>{inner}</domain>"


def hostdev(**address: str) -> str:
    parts = "".join(f" {key}='{value}'" for key, value in address.items())
    source = f"<source><address{parts}/></source>"
    return domain(f"<devices><hostdev type='pci'>{source}</hostdev></devices>")


def test_a_live_definition() -> None:
    assert definition(WIN11) == Definition(
        name="win11",
        uuid=UUID,
        hostdevs=(
            HostDev("0000:01:00.0", managed=True),
            HostDev("0000:01:00.1", managed=False),
            HostDev("0000:05:10.2", managed=True, by="interface"),
        ),
        mdevs=("c2177883-f1bb-47f0-914d-32a22e3a8804",),
        vcpus=8,
        memory_mib=16384,
        agent=True,
        active_id=3,
        usb=(UsbHostDev("046d", "c08b", 3, 12),),
        setup=DomainSetup((MemoryPart(32768.0),), current_mib=16384.0),
        pinning=Pinning((None,) * 16),
    )


def test_the_least_definition() -> None:
    assert definition(domain()) == Definition(name="vm", uuid=UUID, setup=DomainSetup())


@pytest.mark.parametrize(
    ("memory", "mib"),
    [
        ("<memory>2097152</memory>", 2048),
        ("<memory unit='KiB'> 1024 </memory>", 1),
        ("<memory unit='b'>1048576</memory>", 1),
        ("<memory unit='bytes'>524288</memory>", 0.5),
        ("<memory unit='k'>1024</memory>", 1),
        ("<memory unit='KB'>1048576</memory>", 1000),
        ("<memory unit='M'>7</memory>", 7),
        ("<memory unit='MB'>1048576</memory>", 1e6),
        ("<memory unit='G'>2</memory>", 2048),
        ("<memory unit='GB'>1048576</memory>", 1e9),
        ("<memory unit='TiB'>1</memory>", 1 << 20),
        ("<memory unit='acre'>1</memory>", None),
        ("<memory>-5</memory>", None),
        ("<memory>1e3</memory>", None),
        ("<memory/>", None),
        ("", None),
    ],
)
def test_memory_in_every_unit(memory: str, mib: float | None) -> None:
    assert definition(domain(memory)).memory_mib == mib


@pytest.mark.parametrize(
    ("vcpu", "count"),
    [
        ("<vcpu>4</vcpu>", 4),
        ("<vcpu current='2'>4</vcpu>", 2),
        ("<vcpu>many</vcpu>", None),
        ("<vcpu>٣</vcpu>", None),
    ],
)
def test_vcpus(vcpu: str, count: int | None) -> None:
    assert definition(domain(vcpu)).vcpus == count


def test_an_agent_channel_of_a_domain_that_is_off() -> None:
    channel = "<channel><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
    assert definition(domain(f"<devices>{channel}</devices>")).agent is False


def test_numbers_are_read_as_libvirt_reads_them() -> None:
    parsed = definition(hostdev(domain="0x10000", bus="0xC1", slot="012", function="7"))
    assert parsed.hostdevs == (HostDev("10000:c1:0a.7", managed=False),)


@pytest.mark.parametrize(
    ("address", "read"),
    [
        ({"bus": "1"}, "0000:01:00.0"),
        ({"slot": "2", "function": "3"}, "0000:00:02.3"),
        ({"domain": "0x1", "function": "0"}, "0001:00:00.0"),
        ({}, "0000:00:00.0"),
    ],
)
def test_what_an_address_leaves_out_is_zero(address: dict[str, str], read: str) -> None:
    """As in libvirt (src/conf/device_conf.c: virPCIDeviceAddressParseXML)."""
    assert definition(hostdev(**address)).hostdevs == (HostDev(read, managed=False),)


def test_hostdevs_outside_of_devices_are_not_the_domains() -> None:
    inner = "<hostdev type='pci'><source><address bus='1' slot='0'/></source></hostdev>"
    assert definition(domain(f"<metadata><devices>{inner}</devices></metadata>")).hostdevs == ()


@pytest.mark.parametrize(
    "address",
    [
        {"bus": "0x100", "slot": "0"},
        {"bus": "1", "slot": "32"},
        {"bus": "1", "slot": "0", "function": "8"},
        {"bus": "1", "slot": "0", "domain": "0x1ffffffff"},
        {"slot": "32"},
        {"bus": "", "slot": "0"},
        {"bus": "-1", "slot": "0"},
        {"bus": "1_0", "slot": "0"},
        {"bus": "08", "slot": "0"},
        {"bus": "٣", "slot": "0"},
        {"bus": " 1", "slot": "0"},
        {"bus": "0b1", "slot": "0"},
        {"bus": "ff", "slot": "0"},
        {"type": "usb", "bus": "ff", "slot": "0"},
    ],
)
def test_a_bad_address_is_an_error_and_not_a_free_card(address: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match="of a PCI hostdev"):
        definition(hostdev(**address))


@pytest.mark.parametrize("device", ["<hostdev type='pci'/>", "<interface type='hostdev'/>"])
def test_a_pci_hostdev_without_address(device: str) -> None:
    with pytest.raises(DefinitionError, match="no address"):
        definition(domain(f"<devices>{device}</devices>"))


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("", "not well-formed"),
        ("<domain>", "not well-formed"),
        (domain() + "\0", "not well-formed"),
        (domain("\ud800"), "not well-formed"),
        (domain("&unknown;"), "not well-formed"),
        ("<domstatus/>", "not a <domain>"),
        ("<domain/>", "no name"),
        (domain(name="\t"), "no name"),
        ("<domain><name>vm</name></domain>", "UUID"),
        ("<domain><name>vm</name><uuid>1234</uuid></domain>", "UUID"),
        (domain("<a>" + "x" * TEXT_LIMIT + "</a>"), "longer than 1 MiB"),
        ('<!DOCTYPE d [<!ENTITY a "b">]>' + domain(name="&a;"), "DTD"),
        ('<!DOCTYPE d SYSTEM "file:///etc/passwd">' + domain(), "DTD"),
    ],
)
def test_what_is_refused(xml: str, reason: str) -> None:
    with pytest.raises(DefinitionError, match=reason):
        definition(xml)


def test_a_name_is_kept_to_the_letter() -> None:
    raw = "\x85vm\u202e  [bold red] " + "x" * 500
    assert definition(domain(name=raw)).name == raw
    with pytest.raises(DefinitionError, match="has no name"):
        definition(domain(name=" "))


def test_deep_nesting_is_survived() -> None:
    depth = TEXT_LIMIT // 8
    assert definition(domain("<a>" * depth + "</a>" * depth)).name == "vm"


numbers = st.one_of(st.text(max_size=8), st.integers().map(str), st.integers().map(hex))
snippets = st.sampled_from(
    ["<domain>", "</domain>", "<name>", "<devices>", "<hostdev type='pci'>", "<!DOCTYPE", "&a;"]
)


@given(st.one_of(st.text(), st.lists(st.one_of(snippets, st.text(max_size=9))).map("".join)))
@example("\ud800")
@examples(200)
def test_arbitrary_text_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(DefinitionError, match="its definition"):
        definition(text)


@given(numbers, numbers, numbers, numbers)
@examples(200)
def test_arbitrary_numbers_are_read_or_refused(a: str, b: str, c: str, d: str) -> None:
    try:
        (found,) = definition(hostdev(domain=a, bus=b, slot=c, function=d)).hostdevs
    except DefinitionError:
        return
    parts = found.address.replace(".", ":").split(":")
    assert [int(part, 16) for part in parts] == [
        int(text, 8 if text.isdecimal() and text.startswith("0") else 0) for text in (a, b, c, d)
    ]


@given(
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFF),
    st.integers(0, 0x1F),
    st.integers(0, 7),
    st.sampled_from(("{:d}", "{:#x}", "{:#06x}", "0{:o}")),
    st.booleans(),
)
@examples(200)
def test_an_address_comes_back_as_it_was_written(
    domain_: int, bus: int, slot: int, function: int, form: str, managed: bool
) -> None:
    xml = hostdev(
        domain=form.format(domain_),
        bus=form.format(bus),
        slot=form.format(slot),
        function=form.format(function),
    )
    if managed:
        xml = xml.replace("<hostdev", "<hostdev managed='yes'")
    assert definition(xml).hostdevs == (
        HostDev(f"{domain_:04x}:{bus:02x}:{slot:02x}.{function}", managed=managed),
    )
