"""A guest gets another card: what is changed in its definition, and that nothing else is."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.domain_edit import with_functions
from tui.host.domain_xml import DefinitionError, definition

OLD = ("0000:01:00.0", "0000:01:00.1")
NEW = ("0000:0a:00.0", "0000:0a:00.1")
FOUR = tuple(f"0000:0a:00.{n}" for n in range(4))

GUEST_SIDE = "<address type='pci' domain='0x0000' bus='0x0{}' slot='0x00' function='0x0'/>"


def hostdev(address: str, inside: str = "", quote: str = "'") -> str:
    _, bus, rest = address.split(":")
    slot, function = rest.split(".")
    text = f"""
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>
      </source>{inside}
    </hostdev>"""
    return text.replace("'", quote)


def domain(devices: str) -> str:
    return f"""<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>win11</name>
  <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
  <description>Größe: "&lt;hostdev/&gt;" <![CDATA[<hostdev type='pci'>]]></description>
  {devices}
  <qemu:commandline>
    <qemu:arg value="-cpu host,kvm=off > x"/>
  </qemu:commandline>
</domain>
"""


def devices(*inside: str) -> str:
    return f"<devices>\n    <emulator>/usr/bin/qemu</emulator>{''.join(inside)}\n  </devices>"


TWO = domain(devices(hostdev(OLD[0], GUEST_SIDE.format(5)), hostdev(OLD[1], GUEST_SIDE.format(6))))


def named(xml: str) -> list[str]:
    return [dev.address for dev in definition(xml).hostdevs]


def test_the_functions_of_the_same_number_take_each_others_place() -> None:
    xml = with_functions(TWO, NEW, OLD).xml
    assert xml == TWO.replace("bus='0x01'", "bus='0x0a'")
    assert with_functions(xml, OLD, NEW).xml == TWO


def test_what_is_there_already_changes_nothing() -> None:
    assert with_functions(TWO, OLD, NEW).xml == TWO
    assert with_functions(TWO, OLD).xml == TWO


def test_a_card_with_more_functions_gets_new_hostdevs_and_one_with_fewer_leaves_none() -> None:
    four = with_functions(TWO, FOUR, OLD).xml
    assert named(four) == list(FOUR)
    assert four.count("managed='yes'") == 2
    new = hostdev(FOUR[2]).replace("managed='yes'", "managed='no'")
    assert new in four
    assert with_functions(four, OLD, FOUR).xml == TWO


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (devices(), devices(*(hostdev(a).replace("yes", "no") for a in NEW))),
        ("<devices/>", "<devices>" + "".join(hostdev(a).replace("yes", "no") for a in NEW)
         + "\n  </devices>"),
        ("", None),
    ],
    ids=["none", "empty", "no devices"],
)  # fmt: skip
def test_a_domain_that_has_none(written: str, wanted: str | None) -> None:
    xml = with_functions(domain(written), NEW).xml
    assert named(xml) == list(NEW)
    if wanted is not None:
        assert xml == domain(wanted)


def test_other_devices_stay_and_so_does_what_only_looks_like_one() -> None:
    usb = "\n    <hostdev type='usb'><source><vendor id='0x1'/></source></hostdev>"
    nic = hostdev("0000:05:00.0")
    comment = f"\n    <!-- {hostdev(OLD[0])} -->"
    xml = domain(devices(usb, comment, hostdev(OLD[0], quote='"'), nic))
    changed = with_functions(xml, NEW, OLD).xml
    assert named(changed) == [NEW[0], "0000:05:00.0", NEW[1]]
    for part in (usb, comment, nic):
        assert part in changed


def test_numbers_are_read_as_libvirt_reads_them() -> None:
    xml = domain(devices(hostdev(OLD[0]).replace("'0x01'", "'1'").replace("'0x00'", "'00'")))
    assert named(with_functions(xml, NEW[:1], OLD).xml) == [NEW[0]]


def test_an_address_without_domain_and_further_attributes() -> None:
    xml = domain(devices(
        "<hostdev type='pci'><source><address slot='0' bus='1' note=\"a > b\"/></source></hostdev>"
    ))  # fmt: skip
    changed = with_functions(xml, ["0001:02:03.0"], [OLD[0]]).xml
    assert named(changed) == ["0001:02:03.0"]
    assert 'note="a > b"' in changed


def test_the_file_of_a_rom_is_told() -> None:
    xml = domain(devices(hostdev(OLD[0], "<rom file='/old.rom'/>"), hostdev(OLD[1])))
    edited = with_functions(xml, NEW, OLD)
    assert edited.rom == ("/old.rom",)
    assert "<rom file='/old.rom'/>" in edited.xml
    assert with_functions(xml, OLD).rom == ()


def test_a_function_that_an_interface_names_is_named() -> None:
    interface = hostdev(NEW[0]).replace("hostdev mode='subsystem' type='pci'",
                                        "interface type='hostdev'")  # fmt: skip
    xml = domain(devices(interface.replace("/hostdev", "/interface")))
    assert with_functions(xml, NEW[:1]).xml == xml
    assert with_functions(xml, [], NEW[:1]).xml == xml


@pytest.mark.parametrize(
    "xml",
    [
        "", "<domain/>", "<domain>", "<!DOCTYPE x><domain/>", TWO.replace("0x01", "x"),
        TWO.replace("</devices>", ""), TWO + " " * (1 << 20), "\ud800" + TWO,
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_left_alone(xml: str) -> None:
    with pytest.raises(DefinitionError):
        with_functions(xml, NEW, OLD)


# --- any domain -------------------------------------------------------------------

ADDRESSES = st.builds(
    "0000:{:02x}:{:02x}.{}".format, st.integers(1, 4), st.integers(0, 1), st.integers(0, 3)
)
OTHERS = st.sampled_from([
    "\n    <disk type='file'><source file='/a &amp; b'/></disk>", "\n    <!-- note -->", "<video/>",
    "\n\t<hostdev type='usb'/>", "\n    <x:y xmlns:x='urn:z' a=\"'\">é</x:y>",
])  # fmt: skip
PARTS = st.lists(
    st.one_of(OTHERS, st.builds(hostdev, ADDRESSES, st.just(""), st.sampled_from("'\""))),
    max_size=6,
)
CARDS = st.lists(ADDRESSES, unique=True, max_size=4)


@given(PARTS, CARDS, CARDS)
def test_the_rest_is_the_same_to_the_letter(
    parts: list[str], card: list[str], instead_of: list[str]
) -> None:
    xml = domain(devices(*parts))
    changed = with_functions(xml, card, instead_of).xml
    assert set(card) <= set(named(changed))
    assert not (set(instead_of) - set(card)) & set(named(changed))
    kept = set(named(xml)) - set(instead_of) - set(card)
    assert set(named(changed)) == kept | set(card)
    assert without_hostdevs(changed) == without_hostdevs(xml)
    assert texts_without_hostdevs(changed) == texts_without_hostdevs(xml)
    assert with_functions(changed, card, instead_of).xml == changed


def without_hostdevs(xml: str) -> str:
    """In canonical form, without PCI hostdevs and the space around elements."""
    root = ElementTree.fromstring(xml)
    (within,) = root.iterfind("devices")
    for device in within.findall("hostdev[@type='pci']"):
        within.remove(device)
    return ElementTree.canonicalize(ElementTree.tostring(root), strip_text=True)


def texts_without_hostdevs(xml: str) -> str:
    """The text itself, comments and quotes included, without white space."""
    text = re.sub(r"<hostdev mode=.*?</hostdev>", "", xml, flags=re.DOTALL)
    return "".join(text.split())


@given(st.one_of(st.text(), st.text(alphabet="<>/='\" domaineviceshtt!-[]&;", max_size=200)))
def test_any_text_is_a_definition_or_an_error(text: str) -> None:
    for xml in (text, domain(text), domain(devices(text))):
        try:
            with_functions(xml, NEW, OLD)
        except DefinitionError:
            continue
