"""Changes the PCI hostdevs of a domain's definition, and not one character else.

The definition is text that the user may have written: comments, quotes and elements that
libvirt or we know nothing of stay as they are. It is therefore not written anew from a tree:
a parser tells where the elements begin and end, and pieces of the text are replaced.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from tui.host.libvirt.domain_xml import Definition, DefinitionError, definition, pci_address
from tui.model import HostDev

INDENT = 2
"""Spaces by which libvirt indents what lies within an element."""

_DEVICES = ("domain", "devices")
_HOSTDEV = (*_DEVICES, "hostdev")
_ROM = (*_HOSTDEV, "rom")
_SOURCE = (*_HOSTDEV, "source", "address")

_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(\s*=\s*)(["'])(.*?)\3""", re.DOTALL)


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
    before = definition(xml)
    named = {dev.address for dev in before.hostdevs}
    new = [address for address in dict.fromkeys(addresses) if address not in named]
    text = xml.encode()
    layout = _Layout(text)
    moves = _moves(layout, set(instead_of) - set(addresses), new)
    placed = {move.to for move in moves}
    added = [address for address in new if address not in placed]
    cuts = [_cut(text, move) for move in moves]
    if added:
        cuts.append(layout.inserted(added, {move.device.start for move in moves if not move.to}))
    changed = _spliced(text, cuts).decode()
    _verify(changed, before, moves, added)
    rom = (move.device.rom for move in moves if move.to)
    return Edited(changed, tuple(file for file in rom if file is not None))


def _moves(layout: _Layout, leaving: Collection[str], new: Sequence[str]) -> list[_Move]:
    """What becomes of each hostdev of a card that leaves."""
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


def _cut(text: bytes, move: _Move) -> _Cut:
    if move.to is None:
        return _Cut(_before_indent(text, move.device.start), move.device.end, b"")
    return _readdressed(text, move.device, move.to)


def _verify(changed: str, before: Definition, moves: list[_Move], added: list[str]) -> None:
    """Nothing is handed out that does not say what it should."""
    wanted = Counter(before.hostdevs)
    wanted.subtract(HostDev(move.device.pci, move.device.managed) for move in moves)
    wanted.update(HostDev(move.to, move.device.managed) for move in moves if move.to)
    wanted.update(HostDev(address, managed=False) for address in added)
    after = definition(changed)
    same = replace(after, hostdevs=()) == replace(before, hostdevs=())
    if not same or Counter(after.hostdevs) != wanted:
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

    @property
    def managed(self) -> bool:
        return self.attributes.get("managed") == "yes"


@dataclass(frozen=True, slots=True)
class _Move:
    """A hostdev whose function leaves, and the function that comes; none: it is taken out."""

    device: _Element
    to: str | None


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
    last: _Element | None = None  # within devices
    domain: _Element | None = None
    _open: list[_Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        # The text is UTF-8, whatever it says of itself. Namespaces are told apart as
        # ElementTree does it: a hostdev of another one is not libvirt's.
        parser = expat.ParserCreate("utf-8", "}")

        def begin(tag: str, attributes: dict[str, str]) -> None:
            start = parser.CurrentByteIndex
            # Whole paths would make a deep nesting cost its square.
            path = (*(self._open[-1].path[: len(_SOURCE)] if self._open else ()), tag)
            element = _Element(path, attributes, start, _tag_end(self.text, start))
            self._note(element)
            self._open.append(element)

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
            self.hostdevs[-1].rom = element.attributes.get("file")

    @property
    def pci(self) -> list[_Element]:
        """Those of PCI functions."""
        return [each for each in self.hostdevs if each.attributes.get("type") == "pci"]

    def inserted(self, addresses: Sequence[str], taken_out: Collection[int]) -> _Cut:
        """New hostdevs after the last that stays, else at the end of the devices."""
        stay = [device for device in self.hostdevs if device.start not in taken_out]
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
        beside = _indent(self.text, self.last.start) if self.last else b""
        inner = beside or outer + b" " * INDENT
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
    while at and text[at - 1] in b" \t\r\n":
        at -= 1
    return at


def _before_indent(text: bytes, at: int) -> int:
    """Where the space before an element begins that goes with it: of one line, as an empty
    line above it is not its own."""
    begin = _before_space(text, at)
    line = text.rfind(b"\n", begin, at)
    if line < 0:
        return begin
    return line - 1 if line > begin and text[line - 1] == ord("\r") else line


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
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise DefinitionError("what it should get is not the address of a PCI function")
    keys = ("domain", "bus", "slot", "function")
    return {key: f"0x{part}" for key, part in zip(keys, found.groups(), strict=True)}


def _readdressed(text: bytes, device: _Element, address: str) -> _Cut:
    """Another function in the source of a hostdev. Numbers that are right already, quotes and
    further attributes stay."""
    assert device.source is not None
    start, end = device.source.start, device.source.opened
    old, new = _parts(device.pci), _parts(address)
    changed = {key: value for key, value in new.items() if value != old[key]}

    def attribute(found: re.Match[str]) -> str:
        key, equals, quote, value = found.groups()
        return f"{key}{equals}{quote}{changed.pop(key, value)}{quote}"

    # Whole attributes are matched one after the other: a value may look like an attribute.
    tag = _ATTRIBUTE.sub(attribute, text[start:end].decode())
    missing = "".join(f" {key}='{value}'" for key, value in changed.items())
    return _Cut(start, end, f"<address{missing}{tag.removeprefix('<address')}".encode())


def _spliced(text: bytes, cuts: list[_Cut]) -> bytes:
    return b"".join(_pieces(text, sorted(cuts, key=lambda cut: (cut.start, cut.end))))


def _pieces(text: bytes, cuts: list[_Cut]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        yield text[at : cut.start]
        yield cut.text
        at = cut.end
    yield text[at:]
