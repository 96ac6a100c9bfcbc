"""A guest gets another card: what changes in its definition, and that nothing else does."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import TEXT_LIMIT, DefinitionError, definition
from tui.model import HostDev

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
    xml = replace_hostdevs(TWO, NEW, OLD).xml
    assert xml == TWO.replace("bus='0x01'", "bus='0x0a'")
    assert replace_hostdevs(xml, OLD, NEW).xml == TWO


def test_what_is_there_already_changes_nothing() -> None:
    assert replace_hostdevs(TWO, OLD, NEW).xml == TWO
    assert replace_hostdevs(TWO, OLD).xml == TWO


def test_a_card_with_more_functions_gets_new_hostdevs_and_one_with_fewer_leaves_none() -> None:
    four = replace_hostdevs(TWO, FOUR, OLD).xml
    assert named(four) == list(FOUR)
    assert four.count("managed='yes'") == 2
    new = hostdev(FOUR[2]).replace("managed='yes'", "managed='no'")
    assert new in four
    assert replace_hostdevs(four, OLD, FOUR).xml == TWO


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
    xml = replace_hostdevs(domain(written), NEW).xml
    assert named(xml) == list(NEW)
    if wanted is not None:
        assert xml == domain(wanted)


def test_other_devices_stay_and_so_does_what_only_looks_like_one() -> None:
    usb = "\n    <hostdev type='usb'><source><vendor id='0x1'/></source></hostdev>"
    nic = hostdev("0000:05:00.0")
    comment = f"\n    <!-- {hostdev(OLD[0])} -->"
    xml = domain(devices(usb, comment, hostdev(OLD[0], quote='"'), nic))
    changed = replace_hostdevs(xml, NEW, OLD).xml
    assert named(changed) == [NEW[0], "0000:05:00.0", NEW[1]]
    for part in (usb, comment, nic):
        assert part in changed


def test_numbers_are_read_as_libvirt_reads_them() -> None:
    xml = domain(devices(hostdev(OLD[0]).replace("'0x01'", "'1'").replace("'0x00'", "'00'")))
    assert named(replace_hostdevs(xml, NEW[:1], OLD).xml) == [NEW[0]]


def test_an_address_without_domain_and_further_attributes() -> None:
    xml = domain(devices(
        "<hostdev type='pci'><source><address slot='0' bus='1' note=\"a > b\"/></source></hostdev>"
    ))  # fmt: skip
    changed = replace_hostdevs(xml, ["0001:02:03.0"], [OLD[0]]).xml
    assert named(changed) == ["0001:02:03.0"]
    assert 'note="a > b"' in changed


def test_the_file_of_a_rom_is_reported() -> None:
    xml = domain(devices(hostdev(OLD[0], "<rom file='/old.rom'/>"), hostdev(OLD[1])))
    edited = replace_hostdevs(xml, NEW, OLD)
    assert edited.rom == ("/old.rom",)
    assert "<rom file='/old.rom'/>" in edited.xml
    assert replace_hostdevs(xml, OLD).rom == ()


def test_a_function_that_an_interface_names_is_named() -> None:
    interface = hostdev(NEW[0]).replace("hostdev mode='subsystem' type='pci'",
                                        "interface type='hostdev'")  # fmt: skip
    xml = domain(devices(interface.replace("/hostdev", "/interface")))
    assert replace_hostdevs(xml, NEW[:1]).xml == xml
    assert replace_hostdevs(xml, [], NEW[:1]).xml == xml


def test_what_is_named_twice_stays_twice_and_what_is_asked_twice_is_put_in_once() -> None:
    xml = domain(devices(hostdev(NEW[0]), hostdev(NEW[0])))
    assert replace_hostdevs(xml, NEW[:1], OLD).xml == xml
    assert named(replace_hostdevs(domain(devices()), NEW * 2).xml) == list(NEW)
    twice = domain(devices(hostdev(OLD[0]), hostdev(OLD[0])))
    assert named(replace_hostdevs(twice, NEW[:1], OLD).xml) == [NEW[0]]


def test_a_function_of_another_number_gets_a_hostdev_of_its_own() -> None:
    xml = domain(devices(hostdev(OLD[0], "<rom file='/old.rom'/>"), "<video/>"))
    edited = replace_hostdevs(xml, NEW[1:], OLD)
    new = hostdev(NEW[1]).replace("yes", "no")
    assert edited.xml == domain(devices("<video/>", new))
    assert edited.rom == ()


def test_the_order_of_the_functions_is_not_that_of_the_hostdevs() -> None:
    xml = domain(devices(hostdev(OLD[1]), hostdev(OLD[0])))
    assert replace_hostdevs(xml, NEW, OLD).xml == xml.replace("bus='0x01'", "bus='0x0a'")
    assert named(replace_hostdevs(xml, NEW, OLD).xml) == [NEW[1], NEW[0]]


# --- the text stays ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('slot="0" bus="1"', 'slot="0" bus="0x0a"'),
        ("domain='0' bus='01' slot='0x0' function='0'",
         "domain='0' bus='0x0a' slot='0x0' function='0'"),
        ("note=\" bus='0x01' > \" bus = '1'\n slot='0'",
         "note=\" bus='0x01' > \" bus = '0x0a'\n slot='0'"),
        ("xmlns:x='urn:x' x:bus='1' bus='&#49;' slot='0'",
         "xmlns:x='urn:x' x:bus='1' bus='0x0a' slot='0'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", [" />", "></address >", "><!-- </hostdev> --></address>"])
def test_of_an_address_only_the_numbers_that_differ_are_written(
    before: str, after: str, end: str
) -> None:
    source = f"<source ><address {{}}{end}</source>"
    odd = f"<hostdev a='/>' type='pci' ><?x </hostdev>?>{source}</hostdev\n>"
    xml = domain(devices(odd.format(before)))
    assert replace_hostdevs(xml, NEW[:1], OLD).xml == domain(devices(odd.format(after)))
    assert replace_hostdevs(xml, (), OLD).xml == domain(devices())


def test_a_hostdev_of_another_namespace_or_element_is_not_the_domains() -> None:
    foreign = hostdev(OLD[0]).replace("<hostdev", "<hostdev xmlns='urn:x'")
    nested = f"<x>{hostdev(OLD[0])}</x><![CDATA[{hostdev(OLD[0])}]]>"
    xml = domain(f"<metadata><devices>{nested}</devices></metadata>" + devices(foreign, nested))
    assert replace_hostdevs(xml, (), OLD).xml == xml
    assert named(replace_hostdevs(xml, NEW, OLD).xml) == list(NEW)


def test_of_several_elements_the_one_that_is_read_is_changed() -> None:
    two = "<address bus='1' slot='0'/><address bus='2' slot='0'/>"
    xml = domain(devices(f"<hostdev type='pci'><source>{two}</source></hostdev>") + "<devices/>")
    changed = replace_hostdevs(xml, NEW[:1], OLD).xml
    assert changed == xml.replace("bus='1'", "bus='0x0a'")
    new = hostdev(NEW[0]).replace("yes", "no")
    assert replace_hostdevs(domain(devices() + "<devices/>"), NEW[:1]).xml == domain(
        devices(new) + "<devices/>"
    )


@pytest.mark.parametrize("before", ["é" * 500_000, "\U0001f600" * 300_000, "\ufeff"])
def test_positions_are_bytes_and_the_text_is_not_ascii(before: str) -> None:
    outside, inside = (before, "") if before == "\ufeff" else ("", f"<!--{before}-->")
    xml = outside + domain(devices(inside, hostdev(OLD[0]), "<!-- ß -->", hostdev(OLD[1])))
    assert replace_hostdevs(xml, NEW, OLD).xml == xml.replace("bus='0x01'", "bus='0x0a'")


def test_what_a_text_says_of_its_encoding_is_not_believed() -> None:
    xml = "<?xml version='1.0' encoding='utf-16'?>" + TWO
    assert replace_hostdevs(xml, NEW, OLD).xml == xml.replace("bus='0x01'", "bus='0x0a'")


def test_a_new_hostdev_stands_as_those_beside_it() -> None:
    new = hostdev(NEW[0]).replace("yes", "no")
    tabs = domain("<devices>\n\t\t\t<video/>\n\t\t</devices>")
    wanted = tabs.replace("<video/>", "<video/>" + new.replace("\n    ", "\n\t\t\t"))
    assert replace_hostdevs(tabs, NEW[:1]).xml == wanted
    assert replace_hostdevs(wanted, (), NEW).xml == tabs
    usb = "\n  <hostdev type='usb'/>"
    shallow = domain(devices(usb, "\n    <video/>"))
    wanted = shallow.replace(usb, usb + new.replace("\n    ", "\n  "))
    assert replace_hostdevs(shallow, NEW[:1]).xml == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<video/>\n\n\t<X/>\n", "<video/>\n\n"),
        ("<video/>\r\n    <X/>\r\n", "<video/>\r\n"),
        ("<video/> <X/> <tpm/>", "<video/> <tpm/>"),
        ("<!-- the card -->\n<X/><!-- was here -->", "<!-- the card --><!-- was here -->"),
        ("<X/><X/>", ""),
    ],
)
def test_only_its_indent_goes_with_a_hostdev(before: str, after: str) -> None:
    xml = domain(devices(before.replace("<X/>", hostdev(OLD[0]).strip())))
    assert replace_hostdevs(xml, (), OLD).xml == domain(devices(after))


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["", "0", "01:00.0", "0000:0A:00.0", "0000:0a:00.8", "0000:0a:00.0 ", "0000:0a:20.0", "a'/>.0"],
)
def test_what_is_no_address_is_not_put_in(address: str) -> None:
    for xml in (domain(devices()), TWO):
        with pytest.raises(DefinitionError):
            replace_hostdevs(xml, [address], OLD)


@pytest.mark.parametrize("xml", [domain(devices(" " * (TEXT_LIMIT - 1000))), TWO])
def test_what_would_be_too_long_to_be_read_is_not_handed_out(xml: str) -> None:
    xml = xml.replace("</name>", "</name>" + " " * (TEXT_LIMIT - len(xml)))
    with pytest.raises(DefinitionError, match="longer"):
        replace_hostdevs(xml, FOUR, OLD)


def test_deep_nesting_and_many_hostdevs_cost_no_more_than_their_length() -> None:
    depth = TEXT_LIMIT // 8
    deep = domain("<a>" * depth + "</a>" * depth + devices(hostdev(OLD[0])))
    assert replace_hostdevs(deep, NEW[:1], OLD).xml == deep.replace("'0x01'", "'0x0a'")
    many = domain(devices("<hostdev/>" * (TEXT_LIMIT // 12)))
    assert named(replace_hostdevs(many, NEW).xml) == list(NEW)


@pytest.mark.parametrize(
    "xml",
    [
        "", "<domain/>", "<domain>", "<!DOCTYPE x><domain/>", TWO.replace("0x01", "x"),
        TWO.replace("</devices>", ""), TWO + " " * (1 << 20), "\ud800" + TWO,
        TWO.replace("domain", "domstatus"), domain(devices("<hostdev type='pci'/>")),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(xml: str) -> None:
    with pytest.raises(DefinitionError):
        replace_hostdevs(xml, NEW, OLD)


# --- any domain -------------------------------------------------------------------

ADDRESSES = st.builds(
    "0000:{:02x}:{:02x}.{}".format, st.integers(1, 4), st.integers(0, 1), st.integers(0, 3)
)
OTHERS = st.sampled_from([
    "\n    <disk type='file'><source file='/a &amp; b'/></disk>", "\n    <!-- note -->", "<video/>",
    "\n\t<hostdev type='usb'/>", "<![CDATA[<hostdev]]>", "\n    <x a='>'/>",
    "\n    <x:y xmlns:x='urn:z' a=\"'\">é</x:y>",
])  # fmt: skip
PARTS = st.lists(
    st.one_of(OTHERS, st.builds(hostdev, ADDRESSES, st.just(""), st.sampled_from("'\""))),
    max_size=6,
)
CARDS = st.lists(ADDRESSES, unique=True, max_size=4)


@given(PARTS, CARDS, CARDS)
@examples(200)
def test_the_rest_is_the_same_to_the_letter(
    parts: list[str], card: list[str], instead_of: list[str]
) -> None:
    xml = domain(devices(*parts))
    changed = replace_hostdevs(xml, card, instead_of).xml
    assert set(card) <= set(named(changed))
    assert not (set(instead_of) - set(card)) & set(named(changed))
    cards = {*card, *instead_of}
    assert others(changed, cards) == others(xml, cards)
    assert without_hostdevs(changed) == without_hostdevs(xml)
    assert texts_without_hostdevs(changed) == texts_without_hostdevs(xml)
    assert replace_hostdevs(changed, card, instead_of).xml == changed


@given(PARTS, st.lists(st.integers(0, 7), unique=True), st.sampled_from("'\""), st.data())
@examples(200)
def test_another_card_and_back_is_the_same_text(
    parts: list[str], numbers: list[int], quote: str, data: st.DataObject
) -> None:
    old, new = ([f"0000:{bus}:00.{n}" for n in numbers] for bus in ("07", "0a"))
    ours = [hostdev(address, "<rom file='/é'/>", quote) for address in old]
    xml = domain(devices(*data.draw(st.permutations(parts + ours))))
    changed = replace_hostdevs(xml, new, old)
    assert len(changed.rom) == len(numbers)
    assert (changed.xml == xml) == (not numbers)
    assert replace_hostdevs(changed.xml, old, new).xml == xml
    assert replace_hostdevs(xml, old, new).xml == xml


def others(xml: str, cards: set[str]) -> list[HostDev]:
    return [dev for dev in definition(xml).hostdevs if dev.address not in cards]


def without_hostdevs(xml: str) -> str:
    """Return the canonical form, without PCI hostdevs and white space."""
    root = ElementTree.fromstring(xml)
    (within,) = root.iterfind("devices")
    for device in within.findall("hostdev[@type='pci']"):
        at = list(within).index(device)
        before = within[at - 1] if at else None
        if before is None:
            within.text = (within.text or "") + (device.tail or "")
        else:
            before.tail = (before.tail or "") + (device.tail or "")
        within.remove(device)
    return "".join(ElementTree.canonicalize(ElementTree.tostring(root)).split())


def texts_without_hostdevs(xml: str) -> str:
    """Return the text without each hostdev and its indent."""
    return re.sub(r"\n[ \t]*<hostdev mode=.*?</hostdev>", "", xml, flags=re.DOTALL)


@given(st.one_of(st.text(), st.text(alphabet="<>/='\" domaineviceshtt!-[]&;", max_size=200)))
def test_any_text_is_a_definition_or_an_error(text: str) -> None:
    for xml in (text, domain(text), domain(devices(text))):
        try:
            replace_hostdevs(xml, NEW, OLD)
        except DefinitionError:
            continue


SNIPPETS = st.sampled_from([
    "<devices>", "</devices>", "<devices/>", "<hostdev type='pci'>", "</hostdev>", "<hostdev/>",
    "<source>", "</source>", "<address bus='1' slot='0'/>", "<interface type='hostdev'>",
    "</interface>", "<!--", "-->", "<![CDATA[", "]]>", "<?x ", "?>", "é", "\n  ", "<rom file='>'/>",
    "<hostdev type='pci'><source><address bus=\"1\" slot='0' function='1'/></source></hostdev>",
    "<interface type='hostdev'><source><address bus='1' slot='0'/></source></interface>",
])  # fmt: skip


@given(st.lists(SNIPPETS, max_size=12).map("".join))
@examples(300)
def test_pieces_in_any_order_are_a_definition_or_an_error(text: str) -> None:
    for xml in (domain(text), domain(f"<devices>{text}</devices>")):
        try:
            changed = replace_hostdevs(xml, NEW, OLD).xml
        except DefinitionError:
            continue
        assert set(NEW) <= set(named(changed))
        assert replace_hostdevs(changed, NEW, OLD).xml == changed
