"""Changes the PCI hostdevs of a domain's definition, and no other character.

The user may have written the definition: comments, quotes and unknown elements stay as they are.
So it is not serialised from a tree. A parser finds where elements begin and end, and pieces of
the text are replaced.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from xml.parsers import expat

from msgspec import Struct, field
from msgspec.structs import replace

from tui.host.libvirt.domain_xml import Definition, DefinitionError, definition, pci_address
from tui.model import HostDev

INDENT = 2
"""Spaces that libvirt indents the content of an element by."""

_DEVICES = ("domain", "devices")
_HOSTDEV = (*_DEVICES, "hostdev")
_ROM = (*_HOSTDEV, "rom")
_SOURCE = (*_HOSTDEV, "source", "address")

_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(\s*=\s*)(["'])(.*?)\3""", re.DOTALL)


class Edited(Struct, frozen=True):
    """A changed definition.

    ``rom`` are the <rom> files of hostdevs that now name another card: they hold the firmware of
    the previous one.
    """

    xml: str
    rom: tuple[str, ...]


def replace_hostdevs(
    xml: str, addresses: Sequence[str], instead_of: Collection[str] = ()
) -> Edited:
    """Return the definition with hostdevs for ``addresses`` in place of those for ``instead_of``.

    A replaced hostdev gets the function with the same function number, and keeps its address in
    the guest and everything else. Surplus hostdevs are removed, missing ones added. Raises
    ``DefinitionError``.
    """
    before = definition(xml)
    named = {dev.address for dev in before.hostdevs}
    new = [address for address in dict.fromkeys(addresses) if address not in named]
    text = xml.encode()
    layout = _Layout(text)
    moves = _moves(layout, set(instead_of) - set(addresses), new)
    placed = {move.to for move in moves}
    added = [address for address in new if address not in placed]
    cuts = [_splice(text, move) for move in moves]
    if added:
        cuts.append(layout.insert(added, {move.device.start for move in moves if not move.to}))
    changed = _apply(text, cuts).decode()
    _verify(changed, before, moves, added)
    rom = (move.device.rom for move in moves if move.to)
    return Edited(changed, tuple(file for file in rom if file is not None))


def _moves(layout: _Layout, leaving: Collection[str], new: Sequence[str]) -> list[_Move]:
    """Assign new functions to the hostdevs of the card that leaves."""
    left = list(new)
    moves = []
    for device in layout.pci:
        if device.pci not in leaving:
            continue
        to = next((address for address in left if address[-1:] == device.pci[-1]), None)
        if to is not None:
            left.remove(to)
        moves.append(_Move(device, to))
    return moves


def _splice(text: bytes, move: _Move) -> _Splice:
    if move.to is None:
        return _Splice(_before_indent(text, move.device.start), move.device.end, b"")
    return _replace_address(text, move.device, move.to)


def _verify(changed: str, before: Definition, moves: list[_Move], added: list[str]) -> None:
    """Parse the result, and refuse it unless it says exactly what was asked for."""
    wanted = Counter(before.hostdevs)
    wanted.subtract(move.device.naming(move.device.pci) for move in moves)
    wanted.update(move.device.naming(move.to) for move in moves if move.to)
    wanted.update(HostDev(address, managed=False) for address in added)
    after = definition(changed)
    same = replace(after, hostdevs=()) == replace(before, hostdevs=())
    if not same or Counter(after.hostdevs) != wanted:
        raise DefinitionError("its hostdevs could not be changed")


# --- positions in the text --------------------------------------------------------


class _Element(Struct):
    """The position of an element: bytes ``start`` to ``end``, its start tag up to ``tag_end``.

    A PCI hostdev also has the <address> in its <source>, and the file of its <rom>.
    """

    path: tuple[str, ...]
    attributes: Mapping[str, str]
    start: int
    tag_end: int
    end: int = 0
    source: _Element | None = None
    rom: str | None = None

    @property
    def pci(self) -> str:
        if self.source is None:
            raise DefinitionError("a PCI hostdev has no address")
        return pci_address(self.source.attributes)

    def naming(self, address: str) -> HostDev:
        """The hostdev that this element becomes when it names ``address``."""
        managed = self.attributes.get("managed") == "yes"
        return HostDev(address, managed, rom=bool(self.rom), rom_file=self.rom or None)


class _Move(Struct, frozen=True):
    """A hostdev and the function that it is to name; ``None`` removes the hostdev."""

    device: _Element
    to: str | None


class _Splice(Struct, frozen=True):
    """A range of bytes, and the text that replaces it."""

    start: int
    end: int
    text: bytes


class _Layout(Struct):
    """The elements of a definition that an edit needs."""

    text: bytes
    hostdevs: list[_Element] = field(default_factory=list)
    devices: _Element | None = None
    last: _Element | None = None  # within devices
    domain: _Element | None = None
    _open: list[_Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The text is UTF-8, whatever its declaration says. Namespaces are separated as in
        # ElementTree: a hostdev in another namespace is not libvirt's.
        parser = expat.ParserCreate("utf-8", "}")

        def begin(tag: str, attributes: dict[str, str]) -> None:
            start = parser.CurrentByteIndex
            # Whole paths would make deep nesting quadratic.
            path = (*(self._open[-1].path[: len(_SOURCE)] if self._open else ()), tag)
            element = _Element(path, attributes, start, _tag_end(self.text, start))
            self._record(element)
            self._open.append(element)

        def end(_: str) -> None:
            element = self._open.pop()
            empty = self.text[element.tag_end - 2 : element.tag_end] == b"/>"
            at = parser.CurrentByteIndex
            element.end = element.tag_end if empty else self.text.index(b">", at) + 1

        parser.StartElementHandler, parser.EndElementHandler = begin, end
        try:
            parser.Parse(self.text, True)  # isfinal, which expat takes by position only
        except expat.ExpatError as error:
            raise DefinitionError("its definition is not well-formed XML") from error

    def _record(self, element: _Element) -> None:
        path = element.path
        if self._open and self._open[-1] is self.devices:
            self.last = element
        if path == ("domain",):
            self.domain = element
        elif path == _DEVICES and self.devices is None:
            self.devices = element
        elif path == _HOSTDEV:
            self.hostdevs.append(element)
        elif path == _SOURCE and self.hostdevs[-1].source is None:
            self.hostdevs[-1].source = element
        elif path == _ROM:
            self.hostdevs[-1].rom = element.attributes.get("file") or self.hostdevs[-1].rom

    @property
    def pci(self) -> list[_Element]:
        """The hostdevs of type pci."""
        return [each for each in self.hostdevs if each.attributes.get("type") == "pci"]

    def insert(self, addresses: Sequence[str], taken_out: Collection[int]) -> _Splice:
        """Insert hostdevs after the last one that stays, or at the end of <devices>."""
        stay = [device for device in self.hostdevs if device.start not in taken_out]
        if stay:
            last = stay[-1]
            indent = _indent(self.text, last.start)
            return _Splice(
                last.end, last.end, b"".join(_hostdev_xml(each, indent) for each in addresses)
            )
        return self._append(addresses)

    def _append(self, addresses: Sequence[str]) -> _Splice:
        """Insert hostdevs at the end of <devices>, which may be empty or missing."""
        assert self.domain is not None
        within = self.devices or self.domain
        outer = _indent(self.text, within.start)
        beside = _indent(self.text, self.last.start) if self.last else b""
        inner = beside or outer + b" " * INDENT
        if self.devices is None:
            new = b"".join(_hostdev_xml(each, inner + b" " * INDENT) for each in addresses)
            text = b"".join((b"\n", inner, b"<devices>", new, b"\n", inner, b"</devices>"))
            at = _before_space(self.text, self.text.rindex(b"</", 0, within.end))
            return _Splice(at, at, text)
        new = b"".join(_hostdev_xml(each, inner) for each in addresses)
        if within.end == within.tag_end:
            closed = b"".join((b">", new, b"\n", outer, b"</devices>"))
            return _Splice(within.end - 2, within.end, closed)
        at = _before_space(self.text, self.text.rindex(b"</", 0, within.end))
        return _Splice(at, at, new)


def _tag_end(text: bytes, start: int) -> int:
    """Return the offset after a start tag. Attribute values may contain ``>``."""
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
    """Return the offset where the white space before ``at`` begins."""
    while at and text[at - 1] in b" \t\r\n":
        at -= 1
    return at


def _before_indent(text: bytes, at: int) -> int:
    """Return the offset of the line break before an element, which is removed with it.

    An empty line above the element stays.
    """
    begin = _before_space(text, at)
    line = text.rfind(b"\n", begin, at)
    if line < 0:
        return begin
    return line - 1 if line > begin and text[line - 1] == ord("\r") else line


def _indent(text: bytes, at: int) -> bytes:
    """Return the white space between the beginning of the line and an element."""
    space = text[_before_space(text, at) : at]
    return space.rpartition(b"\n")[2] if b"\n" in space else b""


# --- new text -----------------------------------------------------------------------


def _hostdev_xml(address: str, indent: bytes) -> bytes:
    parts = " ".join(f"{key}='{value}'" for key, value in _address_attributes(address).items())
    lines = (
        "<hostdev mode='subsystem' type='pci' managed='no'>", "  <source>",
        f"    <address {parts}/>", "  </source>", "</hostdev>",
    )  # fmt: skip
    return b"".join(b"\n" + indent + line.encode() for line in lines)


def _address_attributes(address: str) -> dict[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise DefinitionError("the new address is not that of a PCI function")
    keys = ("domain", "bus", "slot", "function")
    return {key: f"0x{part}" for key, part in zip(keys, found.groups(), strict=True)}


def _replace_address(text: bytes, device: _Element, address: str) -> _Splice:
    """Put another function into the <source> of a hostdev.

    Numbers that are right already, quotes and other attributes stay.
    """
    assert device.source is not None
    start, end = device.source.start, device.source.tag_end
    old, new = _address_attributes(device.pci), _address_attributes(address)
    changed = {key: value for key, value in new.items() if value != old[key]}

    def attribute(found: re.Match[str]) -> str:
        key, equals, quote, value = found.groups()
        return f"{key}{equals}{quote}{changed.pop(key, value)}{quote}"

    # Match whole attributes one after the other: a value may look like an attribute.
    tag = _ATTRIBUTE.sub(attribute, text[start:end].decode())
    missing = "".join(f" {key}='{value}'" for key, value in changed.items())
    return _Splice(start, end, f"<address{missing}{tag.removeprefix('<address')}".encode())


def _apply(text: bytes, cuts: list[_Splice]) -> bytes:
    return b"".join(_pieces(text, sorted(cuts, key=lambda cut: (cut.start, cut.end))))


def _pieces(text: bytes, cuts: list[_Splice]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        yield text[at : cut.start]
        yield cut.text
        at = cut.end
    yield text[at:]
