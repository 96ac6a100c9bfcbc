"""Changes the PCI hostdevs of a domain's definition, and not one character else.

The definition is text that the user may have written: comments, quotes and elements that
libvirt or we know nothing of stay as they are. It is therefore not written anew from a tree:
a parser tells where the elements begin and end, and pieces of the text are replaced.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from tui.host.domain_xml import DefinitionError, definition, pci_address

INDENT = 2
"""Spaces by which libvirt indents what lies within an element."""

_DEVICES = ("domain", "devices")
_HOSTDEV = (*_DEVICES, "hostdev")


@dataclass(frozen=True, slots=True)
class Edited:
    """A changed definition. ``rom`` are the files in <rom> of hostdevs that now have another
    card: they were made for the one before."""

    xml: str
    rom: tuple[str, ...]


def with_functions(xml: str, addresses: Sequence[str], instead_of: Collection[str] = ()) -> Edited:
    """The definition with all functions at ``addresses``, in place of those ``instead_of``
    which they come. A hostdev of those gets the function of the same number, and keeps its
    place in the guest and all else; one too many is taken out, one too few is put in. Raises
    ``DefinitionError``."""
    before = {dev.address for dev in definition(xml).hostdevs}
    text = xml.encode()
    layout = _Layout(text)
    left = [address for address in addresses if address not in before]
    leaving = set(instead_of) - set(addresses)
    cuts: list[_Cut] = []
    rom: list[str] = []
    for device in layout.pci:
        if device.pci not in leaving:
            continue
        other = next((a for a in left if a[-1] == device.pci[-1]), None)
        if other is None:
            cuts.append(_Cut(_before_space(text, device.start), device.end, b""))
        else:
            left.remove(other)
            cuts.append(_readdressed(text, device, other))
            rom += [device.rom] if device.rom is not None else []
    if left:
        cuts.append(layout.inserted(left, {cut.start for cut in cuts}))
    changed = _spliced(text, cuts).decode()
    _verify(changed, before, layout, leaving, addresses)
    return Edited(changed, tuple(rom))


def _verify(
    changed: str,
    before: set[str],
    layout: _Layout,
    leaving: set[str],
    addresses: Sequence[str],
) -> None:
    """Nothing is handed out that does not say what it should."""
    gone = {device.pci for device in layout.pci} & leaving
    by_interface = before - {device.pci for device in layout.pci}
    wanted = (before - gone) | (gone & by_interface) | set(addresses)
    if {dev.address for dev in definition(changed).hostdevs} != wanted:
        raise DefinitionError("its hostdevs could not be changed")


# --- where things are -------------------------------------------------------------


@dataclass(slots=True)
class _Element:
    """Where an element lies in the text: bytes from ``start`` to ``end``, its start tag to
    ``opened``. Of a PCI hostdev also its source's <address>, and the file of its <rom>."""

    path: tuple[str, ...]
    attributes: Mapping[str, str]
    start: int
    opened: int
    end: int = 0
    source: _Element | None = None
    rom: str | None = None

    @property
    def pci(self) -> str:
        if self.source is None:
            raise DefinitionError("a PCI hostdev has no address")
        return pci_address(self.source.attributes)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Bytes of the text, and what comes in their place."""

    start: int
    end: int
    text: bytes


@dataclass(slots=True)
class _Layout:
    """The elements of a definition that matter here."""

    text: bytes
    hostdevs: list[_Element] = field(default_factory=list)
    devices: _Element | None = None
    domain: _Element | None = None
    _open: list[_Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The text is UTF-8, whatever it says of itself.
        parser = expat.ParserCreate("utf-8")

        def begin(tag: str, attributes: dict[str, str]) -> None:
            start = parser.CurrentByteIndex
            path = (*(self._open[-1].path if self._open else ()), tag)
            element = _Element(path, attributes, start, _tag_end(self.text, start))
            self._open.append(element)
            self._note(element)

        def end(_: str) -> None:
            element = self._open.pop()
            empty = self.text[element.opened - 2 : element.opened] == b"/>"
            at = parser.CurrentByteIndex
            element.end = element.opened if empty else self.text.index(b">", at) + 1

        parser.StartElementHandler, parser.EndElementHandler = begin, end
        try:
            parser.Parse(self.text, True)  # expat takes no name for it
        except expat.ExpatError as error:
            raise DefinitionError("its definition is not well-formed XML") from error

    def _note(self, element: _Element) -> None:
        path = element.path
        if path == ("domain",):
            self.domain = element
        elif path == _DEVICES and self.devices is None:
            self.devices = element
        elif path == _HOSTDEV:
            self.hostdevs.append(element)
        elif path[:3] == _HOSTDEV and self.hostdevs:
            device = self.hostdevs[-1]
            if path[3:] == ("source", "address") and device.source is None:
                device.source = element
            elif path[3:] == ("rom",):
                device.rom = element.attributes.get("file")

    @property
    def pci(self) -> list[_Element]:
        """Those of PCI functions."""
        return [each for each in self.hostdevs if each.attributes.get("type") == "pci"]

    def inserted(self, addresses: Sequence[str], taken_out: Collection[int]) -> _Cut:
        """New hostdevs after the last that stays, else at the end of the devices."""
        stay = [h for h in self.hostdevs if _before_space(self.text, h.start) not in taken_out]
        if stay:
            last = stay[-1]
            indent = _indent(self.text, last.start)
            return _Cut(last.end, last.end, b"".join(_new(each, indent) for each in addresses))
        return self._at_the_end(addresses)

    def _at_the_end(self, addresses: Sequence[str]) -> _Cut:
        """Also where there are no devices, or an element without content."""
        assert self.domain is not None
        within = self.devices or self.domain
        outer = _indent(self.text, within.start)
        inner = outer + b" " * INDENT
        if self.devices is None:
            new = b"".join(_new(each, inner + b" " * INDENT) for each in addresses)
            text = b"".join((b"\n", inner, b"<devices>", new, b"\n", inner, b"</devices>"))
            at = _before_space(self.text, self.text.rindex(b"</", 0, within.end))
            return _Cut(at, at, text)
        new = b"".join(_new(each, inner) for each in addresses)
        if within.end == within.opened:
            closed = b"".join((b">", new, b"\n", outer, b"</devices>"))
            return _Cut(within.end - 2, within.end, closed)
        at = _before_space(self.text, self.text.rindex(b"</", 0, within.end))
        return _Cut(at, at, new)


def _tag_end(text: bytes, start: int) -> int:
    """The byte after a start tag: ``>`` may stand in the values of its attributes."""
    quote: int | None = None
    for at in range(start, len(text)):
        byte = text[at]
        if quote is None and byte in b"'\"":
            quote = byte
        elif byte == quote:
            quote = None
        elif quote is None and byte == ord(">"):
            return at + 1
    raise DefinitionError("its definition is not well-formed XML")


def _before_space(text: bytes, at: int) -> int:
    """Where the white space before a byte begins."""
    return len(text[:at].rstrip(b" \t\r\n"))


def _indent(text: bytes, at: int) -> bytes:
    """The spaces between the begin of its line and an element."""
    space = text[_before_space(text, at) : at]
    return space.rpartition(b"\n")[2] if b"\n" in space else b""


# --- pieces of text -----------------------------------------------------------------


def _new(address: str, indent: bytes) -> bytes:
    parts = " ".join(f"{key}='{value}'" for key, value in _parts(address).items())
    lines = (
        "<hostdev mode='subsystem' type='pci' managed='no'>", "  <source>",
        f"    <address {parts}/>", "  </source>", "</hostdev>",
    )  # fmt: skip
    return b"".join(b"\n" + indent + line.encode() for line in lines)


def _parts(address: str) -> dict[str, str]:
    domain, bus, rest = address.split(":")
    slot, _, function = rest.partition(".")
    return {
        "domain": f"0x{domain}", "bus": f"0x{bus}", "slot": f"0x{slot}", "function": f"0x{function}"
    }  # fmt: skip


def _readdressed(text: bytes, device: _Element, address: str) -> _Cut:
    """Another function in the source of a hostdev; further attributes of it stay."""
    assert device.source is not None
    start, end = device.source.start, device.source.opened
    tag = text[start:end].decode()
    for key, value in _parts(address).items():
        attribute = re.compile(rf"(\s{key}\s*=\s*)(?:'[^']*'|\"[^\"]*\")")
        tag, found = attribute.subn(rf"\g<1>'{value}'", tag, count=1)
        if not found:
            tag = f"<address {key}='{value}'{tag.removeprefix('<address')}"
    return _Cut(start, end, tag.encode())


def _spliced(text: bytes, cuts: list[_Cut]) -> bytes:
    return b"".join(_pieces(text, sorted(cuts, key=lambda cut: (cut.start, cut.end))))


def _pieces(text: bytes, cuts: list[_Cut]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        yield text[at : cut.start]
        yield cut.text
        at = cut.end
    yield text[at:]
